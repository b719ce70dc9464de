//! Files that only their user can read, and that are never reached through a symbolic link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

/// Adds the path to an error.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    let path = path.display().to_string();
    move |error| io::Error::new(error.kind(), format!("{path}: {error}"))
}

/// Creates a folder and its parents, readable for their user only. An existing folder keeps its mode.
///
/// # Errors
/// When it cannot be created, or when a symbolic link has its name.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    if fs::symlink_metadata(folder).map_err(at(folder))?.is_symlink() {
        return Err(at(folder)(io::Error::other("this is a symbolic link, and the store follows none; remove it")));
    }
    Ok(())
}

/// Opens a file without following a link in its place, and without waiting for the writer of a named pipe.
///
/// # Errors
/// When it cannot be opened, or is not a regular file. The error has the path.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits().cast_signed();
    let file = match options.mode(0o600).custom_flags(flags).open(path) {
        // https://man7.org/linux/man-pages/man2/open.2.html: ELOOP, "O_NOFOLLOW was specified […] and the trailing
        // component of pathname was a symbolic link".
        Err(_) if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) => {
            return Err(at(path)(io::Error::other("this is a symbolic link, and the store follows none; remove it")));
        }
        result => result.map_err(at(path))?,
    };
    match file.metadata().map_err(at(path))?.is_file() {
        true => Ok(file),
        false => Err(at(path)(io::Error::other("this is not a regular file; remove it"))),
    }
}

/// Returns the content of a file, or `None` when it does not exist.
///
/// # Errors
/// When it cannot be read. The error has the path.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = match open(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).map_err(at(path))?;
    Ok(Some(bytes))
}

/// Replaces a file as a whole. A reader sees either the old content or the new one, also after a power cut.
///
/// # Errors
/// When it cannot be written. The error has the path.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<File> {
    let new = temporary(path);
    // `create_new` neither follows a link nor opens the file of another process.
    let mut file = open(&new, OpenOptions::new().read(true).write(true).create_new(true))?;
    let written = file
        .write_all(content)
        // Without this, a power cut may leave an empty file under the new name.
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path))
        .map_err(at(path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map(|()| file)
}

/// Removes the temporary files of processes that died while they replaced this file. No other process may be writing.
pub(crate) fn remove_temporary(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return };
    let prefix = format!(".{name}.");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_temporary = |name: &str| name.starts_with(&prefix) && name.ends_with(".new");
        if entry.file_name().to_str().is_some_and(is_temporary) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// True when the path still names this open file.
pub(crate) fn is_current(path: &Path, file: &File) -> bool {
    let (Ok(opened), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (opened.dev(), opened.ino()) == (named.dev(), named.ino())
}

/// Returns an unused name beside the file.
fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Process ids repeat on hosts that share a folder, and in containers.
    let random = rand::random::<u64>();
    path.with_file_name(format!(".{name}.{}-{count}-{random:016x}.new", std::process::id()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn files_and_folders_are_private() {
        let root = tempfile::tempdir().unwrap();
        let (folder, path) = (root.path().join("a/b"), root.path().join("a/b/c.json"));
        create_folder(&folder).unwrap();
        replace(&path, b"one").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&root.path().join("a")), mode(&folder), mode(&path)), (0o700, 0o700, 0o600));
        // A file that an earlier version wrote with another mode becomes private when it is replaced.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!((mode(&path), read(&path).unwrap().unwrap()), (0o600, b"two".to_vec()));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_link_is_not_followed_and_the_error_names_it() {
        let root = tempfile::tempdir().unwrap();
        let (victim, path) = (root.path().join("victim"), root.path().join("store.json"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &path).unwrap();
        for options in [OpenOptions::new().read(true), OpenOptions::new().append(true).create(true)] {
            let error = open(&path, options).unwrap_err().to_string();
            assert!(error.contains("store.json: this is a symbolic link"), "{error}");
        }
        assert!(read(&path).is_err());
        let folder = root.path().join("folder");
        symlink(root.path(), &folder).unwrap();
        assert!(create_folder(&folder).unwrap_err().to_string().contains("folder: this is a symbolic link"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store.json");
        fs::create_dir(&path).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("store.json: this is not a regular file"), "{error}");
    }

    #[test]
    fn temporary_files_of_dead_processes_are_removed_and_other_files_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("shop.json");
        for name in [".shop.json.7-0-1.new", "shop.json.new", ".shop.jsonl.new", ".other.json.1.new"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        remove_temporary(&path);
        let mut left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".other.json.1.new", ".shop.jsonl.new", "shop.json.new"]);
    }
}
