//! The store in a folder: a file with the history, one with the changes since then, and the lock file of the lease.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::file_lease;
use crate::history_format;
use crate::lease::{LeaseAttempt, LeaseHolder, LeaseInfo};
use crate::private_files::{at, create_folder, open, read, remove_temporary, replace};
use crate::store::{History, HistoryChanges, Store};

/// A store in a JSON file, and two files beside it: the changes since then, one JSON object a line, and the lock file
/// of the lease.
///
/// # Expected flow
/// 1. A run that writes locks the lock file.
/// 2. During a pass, each change is appended as a line.
/// 3. At the end of a pass, the JSON file is replaced as a whole, and the file with the changes is removed.
///
/// # Guarantees
/// After a crash at any point, the next process reads every change whose append returned. A line that a crash cut short
/// is ignored, because its append did not return. If a crash leaves the lines beside a newer history, they change
/// nothing: the history contains them. Only the user of the process can read the files. A symbolic link in place of a
/// file or of its folder is an error.
///
/// # Errors
/// A file that exists and is not valid is an error, apart from a last line that is cut short. Each error has the path.
#[derive(Debug)]
pub struct FileStore(pub PathBuf);

impl FileStore {
    fn changes_path(&self) -> PathBuf {
        self.0.with_extension("changes.jsonl")
    }

    fn lock_path(&self) -> PathBuf {
        self.0.with_extension("lock")
    }

    fn create_folder(&self) -> io::Result<()> {
        self.0.parent().map_or(Ok(()), create_folder)
    }
}

#[async_trait]
impl Store for FileStore {
    async fn load(&self) -> io::Result<History> {
        let mut history = match read(&self.0)? {
            Some(bytes) => history_format::decode(&bytes).map_err(|error| invalid(&self.0, &error))?,
            None => History::default(),
        };
        let lines = read(&self.changes_path())?.unwrap_or_default();
        for line in lines.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            let changes: HistoryChanges = serde_json::from_slice(line)
                .map_err(|error| invalid(&self.changes_path(), &format!("this is not valid: {error}")))?;
            history.apply(&changes);
        }
        Ok(history)
    }

    async fn append(&self, changes: &HistoryChanges) -> io::Result<()> {
        let mut line = serde_json::to_vec(changes)?;
        line.push(b'\n');
        self.create_folder()?;
        let path = self.changes_path();
        let mut file = open(&path, fs::OpenOptions::new().create(true).read(true).append(true))?;
        remove_cut_line(&mut file).and_then(|()| file.write_all(&line)).map_err(at(&path))?;
        file.sync_data().map_err(at(&path))
    }

    async fn save(&self, history: &History) -> io::Result<()> {
        self.create_folder()?;
        remove_temporary(&self.0);
        replace(&self.0, &history_format::encode(history)?)?;
        let changes = self.changes_path();
        match fs::remove_file(&changes) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&changes)(error)),
            _ => Ok(()),
        }
    }

    async fn try_acquire(&self, holder: &LeaseHolder) -> io::Result<LeaseAttempt> {
        self.create_folder()?;
        file_lease::try_acquire(&self.lock_path(), holder)
    }

    async fn unlock(&self) -> io::Result<Option<LeaseInfo>> {
        file_lease::unlock(&self.lock_path())
    }
}

fn invalid(path: &Path, error: &str) -> io::Error {
    at(path)(io::Error::new(io::ErrorKind::InvalidData, error.to_owned()))
}

/// Removes a last line that a crash cut short, so that the next line is whole.
fn remove_cut_line(file: &mut fs::File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        let mut lines = vec![];
        file.rewind()?;
        file.read_to_end(&mut lines)?;
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at as u64 + 1);
        file.set_len(whole)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use holdfast_core::address::Address;
    use holdfast_core::inventory::proof::ResourceRecord;

    use super::*;
    use crate::store::Intent;

    fn history(digest: &str) -> History {
        let ids_before = BTreeSet::from(["vpc-1".to_owned()]);
        let record = ResourceRecord { id: "vpc-1".into(), generation: 2, created: true, ..ResourceRecord::default() };
        let intent = Intent { nonce: "n".into(), began: 7, ids_before, created: None };
        History {
            converged: BTreeMap::from([(Address::new("Vpc", "main"), digest.into())]),
            intents: BTreeMap::from([(Address::new("Vpc", "next"), intent)]),
            resources: BTreeMap::from([(Address::new("Vpc", "main"), vec![record])]),
            complete: true,
            unobserved: BTreeSet::from(["Vpc eu-west-1".to_owned()]),
            regions: BTreeSet::from(["eu-west-1".to_owned()]),
        }
    }

    #[tokio::test]
    async fn a_file_returns_the_history_that_was_saved_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("account/shop.prod.json"));
        assert_eq!(file.load().await.unwrap(), History::default(), "no file is an empty history");
        file.save(&history("a")).await.unwrap();
        file.save(&history("b")).await.unwrap();
        assert_eq!(file.load().await.unwrap(), history("b"));
    }

    #[tokio::test]
    async fn a_crash_during_a_write_keeps_the_old_history() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        file.save(&history("a")).await.unwrap();
        // The file of a process that died before the rename.
        fs::write(folder.path().join("shop.prod.json.new"), b"{ \"converged\": {").unwrap();
        assert_eq!(file.load().await.unwrap(), history("a"));
        file.save(&history("b")).await.unwrap();
        assert_eq!(file.load().await.unwrap(), history("b"));
    }

    #[tokio::test]
    async fn an_invalid_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        fs::write(&file.0, b"").unwrap();
        assert!(file.load().await.is_err());
    }

    /// The files as each earlier build wrote them.
    #[tokio::test]
    async fn files_of_earlier_builds_have_the_same_history() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        let oldest = r#"{ "converged": { "Vpc/main": "a" }, "intents": { "Vpc/x": { "nonce": "n", "began": 1 } } }"#;
        fs::write(&file.0, oldest).unwrap();
        let read = file.load().await.unwrap();
        assert_eq!((read.converged.len(), read.intents.len(), read.complete), (1, 1, false));

        let former = r#"{
            "converged": { "Vpc/main": "a" },
            "intents": { "Vpc/next": { "nonce": "n", "began": 7, "known": ["vpc-1"], "made": "vpc-2" } },
            "complete": true, "unseen": ["Vpc eu-west-1"], "regions": ["eu-west-1"]
        }"#;
        fs::write(&file.0, former).unwrap();
        let mut expected = history("a");
        expected.resources.clear();
        expected.intents.get_mut(&Address::new("Vpc", "next")).unwrap().created = Some("vpc-2".into());
        assert_eq!(file.load().await.unwrap(), expected);
        // The next save upgrades the file.
        file.save(&file.load().await.unwrap()).await.unwrap();
        assert_eq!(file.load().await.unwrap(), expected);
        assert!(fs::read_to_string(&file.0).unwrap().starts_with("{\n  \"format\": 1,"));
    }

    #[tokio::test]
    async fn a_file_of_a_later_version_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        fs::write(&file.0, r#"{ "format": 2, "converged": {} }"#).unwrap();
        let error = file.load().await.unwrap_err().to_string();
        assert!(error.contains("format 2") && error.contains("up to 1"), "{error}");
    }

    fn changes(digest: Option<&str>) -> HistoryChanges {
        let converged = BTreeMap::from([(Address::new("Vpc", "main"), digest.map(str::to_owned))]);
        HistoryChanges { converged, ..HistoryChanges::default() }
    }

    #[tokio::test]
    async fn appended_changes_are_part_of_the_history_until_it_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("account/shop.prod.json"));
        file.append(&changes(Some("a"))).await.unwrap();
        file.append(&changes(Some("b"))).await.unwrap();
        assert_eq!(file.load().await.unwrap().converged[&Address::new("Vpc", "main")], "b");
        file.append(&changes(None)).await.unwrap();
        assert_eq!(file.load().await.unwrap(), History::default());
        file.save(&history("c")).await.unwrap();
        assert_eq!(file.load().await.unwrap(), history("c"));
        assert!(!file.changes_path().exists());
    }

    #[tokio::test]
    async fn a_crash_during_an_append_loses_only_its_line_and_a_crash_during_a_save_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        file.save(&history("a")).await.unwrap();
        file.append(&changes(Some("b"))).await.unwrap();
        let lines = fs::read(file.changes_path()).unwrap();
        fs::write(file.changes_path(), [&lines[..], br#"{"converged":{"Vpc/ma"#].concat()).unwrap();
        assert_eq!(file.load().await.unwrap(), history("b"));
        file.append(&changes(Some("c"))).await.unwrap();
        assert_eq!(file.load().await.unwrap(), history("c"), "the line after the one that was cut short is whole");
        // The process died between the new history and the removal of its changes.
        file.save(&history("b")).await.unwrap();
        fs::write(file.changes_path(), &lines).unwrap();
        assert_eq!(file.load().await.unwrap(), history("b"));
        fs::write(file.changes_path(), b"{\n").unwrap();
        assert!(file.load().await.is_err(), "a whole line that is not valid is an error");
    }

    #[tokio::test]
    async fn a_link_in_place_of_a_file_is_an_error_and_one_beside_it_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        for beside in ["shop.prod.json.new", "shop.prod.json.tmp"] {
            std::os::unix::fs::symlink(&victim, folder.path().join(beside)).unwrap();
        }
        file.save(&history("a")).await.unwrap();
        for (path, is_written) in [(file.0.clone(), false), (file.changes_path(), true), (file.lock_path(), true)] {
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(&victim, &path).unwrap();
            let name = path.display().to_string();
            let results = match is_written {
                false => vec![file.load().await.err()],
                true if path == file.lock_path() => vec![file.try_acquire(&LeaseHolder::default()).await.err()],
                true => vec![file.load().await.err(), file.append(&changes(Some("b"))).await.err()],
            };
            for error in results {
                let error = error.map(|error| error.to_string()).unwrap_or_default();
                assert!(error.contains(&name) && error.contains("symbolic link"), "{name}: {error}");
            }
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    /// Several processes, each with its own open files.
    #[test]
    fn runs_side_by_side_lose_no_change_and_readers_never_fail() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("account/shop.prod.json");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = path.clone();
                scope.spawn(move || {
                    let file = FileStore(path);
                    block_on(async move {
                        for round in 0..25 {
                            let lease = loop {
                                match file.try_acquire(&LeaseHolder::default()).await.unwrap() {
                                    LeaseAttempt::Acquired(lease) => break lease,
                                    LeaseAttempt::Taken(_) => {
                                        tokio::time::sleep(std::time::Duration::from_millis(1)).await
                                    }
                                }
                            };
                            let address = Address::new("Vpc", &format!("w{writer}-{round}"));
                            let mut history = file.load().await.unwrap();
                            let converged = BTreeMap::from([(address, Some("digest".to_owned()))]);
                            let changes = HistoryChanges { converged, ..HistoryChanges::default() };
                            file.append(&changes).await.unwrap();
                            history.apply(&changes);
                            file.save(&history).await.unwrap();
                            lease.release().await.unwrap();
                        }
                    });
                });
            }
            let path = path.clone();
            scope.spawn(move || {
                let file = FileStore(path);
                block_on(async move {
                    for _ in 0..200 {
                        file.load().await.unwrap();
                    }
                });
            });
        });
        let file = FileStore(path);
        block_on(async move {
            assert_eq!(file.load().await.unwrap().converged.len(), 4 * 25);
        });
    }

    fn block_on(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work);
    }
}
