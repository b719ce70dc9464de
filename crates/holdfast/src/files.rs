//! The file system as the source of documents: bounded reads of regular files in the document's folder tree, and the
//! digests of the files that were read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use holdfast_core::digest;
use holdfast_core::load::{FILE_BYTES, FileSource};

/// The digest of each file's content; for a file that cannot be read, the reason.
pub(crate) type Snapshot = BTreeMap<String, Result<String, String>>;

/// The file system. A file is read once: every later read returns the same text.
pub(crate) struct Files {
    roots: Vec<PathBuf>,
    texts: RefCell<BTreeMap<String, Result<String, String>>>,
}

impl Files {
    /// Returns the files that the document at `path` may read: those of the folder above the stack's folder, which has
    /// the stacks beside it and their common components, and those of the `allowed` folders.
    pub(crate) fn new(path: &str, allowed: &[PathBuf]) -> Self {
        let path = Path::new(if path.is_empty() { "." } else { path });
        let folder = if path.is_dir() { Some(path) } else { path.parent() };
        let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        let folder = folder.and_then(|folder| fs::canonicalize(folder).ok());
        // A stack in a folder at the root of the file system does not get the whole file system.
        let tree = folder.map(|folder| match folder.parent() {
            Some(above) if above.parent().is_some() => above.to_owned(),
            _ => folder,
        });
        let allowed = allowed.iter().filter_map(|folder| fs::canonicalize(folder).ok());
        Files { roots: tree.into_iter().chain(allowed).collect(), texts: RefCell::default() }
    }

    /// Returns the digests of the files that were read.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let digest_of = |text: &Result<String, String>| text.as_deref().map(digest::text).map_err(Clone::clone);
        self.texts.borrow().iter().map(|(path, text)| (path.clone(), digest_of(text))).collect()
    }

    /// Reads these files again and returns their digests now.
    pub(crate) fn digests_now<'p>(&self, paths: impl Iterator<Item = &'p String>) -> Snapshot {
        let digest_of = |path: &String| (path.clone(), self.read_now(path).map(|text| digest::text(&text)));
        paths.map(digest_of).collect()
    }

    fn read_now(&self, path: &str) -> Result<String, String> {
        self.permit(path)?;
        read_regular(path)
    }
}

impl FileSource for Files {
    fn read(&self, path: &str) -> Result<String, String> {
        self.texts.borrow_mut().entry(path.to_owned()).or_insert_with(|| self.read_now(path)).clone()
    }

    fn permit(&self, path: &str) -> Result<(), String> {
        let real = resolve(Path::new(path));
        if self.roots.iter().any(|root| real.starts_with(root)) {
            return Ok(());
        }
        Err("it is outside the folder tree of the document; if it belongs to the document, pass its folder with `--allow-files-from`".into())
    }

    fn is_dir(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// Returns the absolute path without symbolic links. A part that does not exist is kept as it is written.
fn resolve(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut existing = absolute.as_path();
    loop {
        if let Ok(real) = fs::canonicalize(existing) {
            return absolute.strip_prefix(existing).map_or(real.clone(), |rest| real.join(rest));
        }
        match existing.parent() {
            Some(parent) => existing = parent,
            None => return absolute,
        }
    }
}

/// Reads a regular file up to the limit. A device or a pipe may have no end.
fn read_regular(path: &str) -> Result<String, String> {
    let reason = |error: std::io::Error| error.to_string();
    if !fs::metadata(path).map_err(reason)?.is_file() {
        return Err("it is not a regular file".into());
    }
    let file = fs::File::open(path).map_err(reason)?;
    let mut bytes = vec![];
    file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(reason)?;
    if bytes.len() > FILE_BYTES {
        return Err(format!("it is larger than {} MiB", FILE_BYTES / (1024 * 1024)));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".into())
}

/// Returns the time since the last change of a file or of a symbolic link to it, which programs cannot set. None when
/// it is not known.
#[cfg(unix)]
pub(crate) fn age(path: &str) -> Option<Duration> {
    use std::os::unix::fs::MetadataExt;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let changed = |metadata: fs::Metadata| {
        let seconds = u64::try_from(metadata.ctime()).ok()?;
        Some(Duration::new(seconds, u32::try_from(metadata.ctime_nsec()).ok()?))
    };
    let file = changed(fs::metadata(path).ok()?)?;
    let link = changed(fs::symlink_metadata(path).ok()?)?;
    now.checked_sub(file.max(link))
}

/// Returns none: the time of the last change can be set.
#[cfg(not(unix))]
pub(crate) fn age(_path: &str) -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with `docs/shop/stack.yaml`, `docs/lib.yaml` and `token`.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(tree.path().join("docs/shop")).expect("folders");
        for file in ["docs/shop/stack.yaml", "docs/lib.yaml", "token"] {
            fs::write(tree.path().join(file), file).expect("a file");
        }
        tree
    }

    fn path(tree: &tempfile::TempDir, file: &str) -> String {
        tree.path().join(file).to_string_lossy().into_owned()
    }

    #[test]
    fn files_outside_the_tree_need_permission() {
        let tree = tree();
        let stack = path(&tree, "docs/shop");
        let files = Files::new(&stack, &[]);
        for inside in ["docs/shop/stack.yaml", "docs/lib.yaml", "docs/shop/../lib.yaml"] {
            assert!(files.read(&path(&tree, inside)).is_ok(), "{inside}");
        }
        let absent = files.read(&path(&tree, "docs/absent.yaml")).unwrap_err();
        assert!(absent.starts_with("No such file"), "{absent}");
        for outside in ["token", "docs/../token", "absent/x"] {
            let refused = files.read(&path(&tree, outside)).unwrap_err();
            assert!(refused.contains("--allow-files-from"), "{outside}: {refused}");
        }
        let allowed = Files::new(&stack, &[tree.path().to_owned()]);
        assert_eq!(allowed.read(&path(&tree, "token")).as_deref(), Ok("token"));
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_does_not_leave_the_tree() {
        let tree = tree();
        std::os::unix::fs::symlink(tree.path().join("token"), tree.path().join("docs/link.yaml")).expect("a link");
        let refused = Files::new(&path(&tree, "docs/shop"), &[]).read(&path(&tree, "docs/link.yaml"));
        assert!(refused.unwrap_err().contains("outside"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_an_end_is_refused_at_once() {
        assert_eq!(read_regular("/dev/zero").unwrap_err(), "it is not a regular file");
        let tree = tree();
        let long = path(&tree, "docs/long.yaml");
        fs::write(&long, vec![b'#'; FILE_BYTES + 1]).expect("a file");
        assert_eq!(read_regular(&long).unwrap_err(), "it is larger than 4 MiB");
        fs::write(&long, [0xff]).expect("a file");
        assert_eq!(read_regular(&long).unwrap_err(), "it is not UTF-8 text");
    }

    #[test]
    fn a_file_is_read_once_and_its_digest_is_read_again() {
        let tree = tree();
        let lib = path(&tree, "docs/lib.yaml");
        let files = Files::new(&path(&tree, "docs/shop"), &[]);
        assert_eq!(files.read(&lib).as_deref(), Ok("docs/lib.yaml"));
        let before = files.snapshot();
        assert_eq!(files.digests_now([&lib].into_iter()), before);
        fs::write(&lib, "changed").expect("a file");
        assert_eq!(files.read(&lib).as_deref(), Ok("docs/lib.yaml"));
        assert_ne!(files.digests_now([&lib].into_iter()), before);
    }
}
