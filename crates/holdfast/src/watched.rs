//! Documents whose files may change while they are read: a document is used only after its files were unchanged for a
//! second.

use std::thread;
use std::time::Instant;

use anyhow::{anyhow, bail};
use holdfast_aws::SecretStore;
use holdfast_core::document::Document;
use holdfast_core::render::Rendered;
use holdfast_engine::daemon::Reload;

use crate::arguments::DocumentArgs;
use crate::document::{describe, files_of, try_load};
use crate::files::{self, Files, Snapshot};

/// The number of attempts to read a document whose files change. A writer that takes longer than this many seconds is
/// not about to finish.
const ATTEMPTS: usize = 20;

/// Loads a document for a command that changes the account.
///
/// # Expected flow
/// 1. Read and render all files.
/// 2. If a file changed within the last second, wait until a second has passed: a program may still write it.
/// 3. Read all files again. If the content of any differs, begin again.
///
/// # Guarantees
/// The document has no file of one version beside a file of another, and no file that was written within the second
/// before it was read.
///
/// # Caveats
/// A writer that pauses for more than a second is not noticed.
///
/// # Errors
/// Returns all errors of the document, and an error if its files keep changing.
pub(crate) fn load(args: &DocumentArgs, secret_store: &SecretStore) -> anyhow::Result<Rendered> {
    load_unchanged(args, secret_store).map(|(rendered, _)| rendered)
}

fn load_unchanged(args: &DocumentArgs, secret_store: &SecretStore) -> anyhow::Result<(Rendered, Snapshot)> {
    for _ in 0..ATTEMPTS {
        let files = files_of(args);
        let loaded = try_load(args, secret_store, &files);
        let snapshot = files.snapshot();
        let youngest = snapshot.iter().filter(|(_, digest)| digest.is_ok()).map(|(path, _)| files::age(path)).min();
        // None, an age that is not known, is the smallest.
        let wait = youngest.map(|age| args.reading.quiet_time.saturating_sub(age.unwrap_or_default()));
        thread::sleep(wait.unwrap_or_default());
        if files.digests_now(snapshot.keys()) == snapshot {
            return loaded.map(|rendered| (rendered, snapshot)).map_err(|errors| anyhow!("{}", describe(&errors)));
        }
    }
    bail!("the files of the document keep changing; nothing was planned and nothing was changed")
}

/// The document of a daemon: its files are compared by their content, and a change takes effect once all files were
/// unchanged for a second.
pub(crate) struct WatchedDocument {
    args: DocumentArgs,
    secret_store: SecretStore,
    /// The files of the document that was taken up or refused last.
    known: Snapshot,
    /// While the files differ from `known`: their latest digests, and the time since which these are the same.
    changing: Option<(Snapshot, Instant)>,
}

impl WatchedDocument {
    /// Loads a document, and watches its files from then on.
    ///
    /// # Errors
    /// Returns all errors of the document.
    pub(crate) fn load(args: DocumentArgs, secret_store: SecretStore) -> anyhow::Result<(Document, Self)> {
        let (rendered, mut known) = load_unchanged(&args, &secret_store)?;
        let missing = rendered.files.iter().filter(|file| !known.contains_key(*file)).cloned().collect::<Vec<_>>();
        known.extend(files_of(&args).digests_now(missing.iter()));
        Ok((rendered.document, WatchedDocument { args, secret_store, known, changing: None }))
    }

    /// Reads the files again. Returns their digests once these have been the same for the quiet time.
    fn unchanged(&mut self, files: &Files) -> Option<Snapshot> {
        let Some((before, since)) = &self.changing else {
            let now = files.digests_now(self.known.keys());
            if now != self.known {
                self.changing = Some((now, Instant::now()));
            }
            return None;
        };
        let now = files.digests_now(before.keys());
        if now != *before {
            self.changing = Some((now, Instant::now()));
            return None;
        }
        (since.elapsed() >= self.args.reading.quiet_time).then_some(now)
    }
}

impl Reload for WatchedDocument {
    fn changed(&mut self) -> Option<Result<Document, String>> {
        let files = files_of(&self.args);
        let unchanged = self.unchanged(&files)?;
        if unchanged == self.known {
            self.changing = None;
            return None;
        }
        let loaded = try_load(&self.args, &self.secret_store, &files);
        let read = files.snapshot();
        // A file that was read now may be new to the document: it must be unchanged for a second too.
        let is_unchanged = read.iter().all(|(path, digest)| unchanged.get(path) == Some(digest));
        if !is_unchanged || files.digests_now(read.keys()) != read {
            let mut all = unchanged;
            all.extend(read);
            self.changing = Some((all, Instant::now()));
            return None;
        }
        self.changing = None;
        self.known = unchanged;
        Some(match loaded {
            Ok(rendered) => {
                self.known.retain(|path, _| rendered.files.contains(path));
                Ok(rendered.document)
            }
            Err(errors) => Err(holdfast_report::diagnostics::text(&errors, false)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::arguments::ReadingArgs;

    const QUIET_TIME: Duration = Duration::from_millis(200);

    fn write(folder: &Path, days: u32) {
        let head = "apiVersion: holdfast/v1\nkind: Stack\nmetadata: { name: shop }\nspec:\n";
        let group = format!("  LogGroup/a: {{ retentionInDays: {days} }}\n");
        let text = format!("{head}  regions: {{ main: us-east-1 }}\n  resources:\n  {group}");
        fs::write(folder.join("stack.yaml"), text).expect("a file");
    }

    fn args(folder: &Path) -> DocumentArgs {
        let reading = ReadingArgs { allow_files_from: vec![], quiet_time: QUIET_TIME };
        let path = folder.to_string_lossy().into_owned();
        DocumentArgs { path, env: String::new(), set: vec![], source: String::new(), reading }
    }

    fn days(document: &Document) -> Option<i64> {
        let group = document.resources.values().next()?;
        group.spec.get("retentionInDays")?.integer()
    }

    /// Looks until the document changes, for five seconds at most.
    fn wait(watched: &mut WatchedDocument) -> Option<Result<Document, String>> {
        (0..100).find_map(|_| {
            thread::sleep(QUIET_TIME / 4);
            watched.changed()
        })
    }

    #[test]
    fn a_change_of_the_content_is_taken_up_whatever_the_times_are() {
        let tree = tempfile::tempdir().expect("a folder");
        let folder = tree.path().join("shop");
        fs::create_dir(&folder).expect("a folder");
        write(&folder, 30);
        let (document, mut watched) = WatchedDocument::load(args(&folder), SecretStore::default()).expect("a document");
        assert_eq!(days(&document), Some(30));
        let file = folder.join("stack.yaml");
        let time = fs::metadata(&file).and_then(|metadata| metadata.modified()).expect("a time");
        write(&folder, 60);
        let open = fs::File::options().append(true).open(&file).expect("a file");
        open.set_modified(time).expect("the time of the first version");
        assert!(watched.changed().is_none(), "the first comparison only notices the change");
        let changed = wait(&mut watched).expect("a change").expect("a document");
        assert_eq!(days(&changed), Some(60));
        assert!(watched.changed().is_none() && watched.changing.is_none(), "an unchanged document is not read again");
    }

    #[test]
    fn a_file_that_changes_all_the_time_is_not_taken_up_until_it_rests() {
        let tree = tempfile::tempdir().expect("a folder");
        let folder = tree.path().join("shop");
        fs::create_dir(&folder).expect("a folder");
        write(&folder, 30);
        let (_, mut watched) = WatchedDocument::load(args(&folder), SecretStore::default()).expect("a document");
        for days in [1, 3, 5, 7, 14, 60, 90, 120] {
            write(&folder, days);
            thread::sleep(QUIET_TIME / 4);
            assert!(watched.changed().is_none(), "{days}");
        }
        let changed = wait(&mut watched).expect("a change").expect("a document");
        assert_eq!(days(&changed), Some(120));
    }

    #[test]
    fn an_error_is_reported_once_and_the_next_version_is_taken_up() {
        let tree = tempfile::tempdir().expect("a folder");
        let folder = tree.path().join("shop");
        fs::create_dir(&folder).expect("a folder");
        write(&folder, 30);
        let (_, mut watched) = WatchedDocument::load(args(&folder), SecretStore::default()).expect("a document");
        fs::remove_file(folder.join("stack.yaml")).expect("the file exists");
        let error = wait(&mut watched).expect("a change").unwrap_err();
        assert!(error.contains("cannot be read"), "{error}");
        assert!((0..8).all(|_| watched.changed().is_none()), "the error is reported once");
        write(&folder, 90);
        let changed = wait(&mut watched).expect("a change").expect("a document");
        assert_eq!(days(&changed), Some(90));
    }
}
