//! The store in files: one with the history, and one with the changes since then.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::{History, HistoryChanges, Store};

/// The format of the files of [`FileStore`]. A file without a format was written before version 0.1.0. The fields have
/// the names of that time as aliases.
const FORMAT: u32 = 1;

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct FileContent<H> {
    #[serde(default)]
    format: u32,
    #[serde(flatten)]
    history: H,
}

/// A store in a JSON file, and a file with the changes beside it: one JSON object a line.
///
/// # Expected flow
/// 1. During a pass, each change is appended as a line.
/// 2. At the end of a pass, the JSON file is replaced as a whole, and the file with the changes is removed.
///
/// # Guarantees
/// After a crash at any point, the next process reads every change whose append returned. A line that a crash cut short
/// is ignored, because its append did not return. If a crash leaves the lines beside a newer history, they change
/// nothing: the history contains them.
///
/// # Errors
/// A file that exists and is not valid is an error, apart from a last line that is cut short.
#[derive(Debug)]
pub struct FileStore(pub PathBuf);

impl FileStore {
    fn changes_path(&self) -> PathBuf {
        self.0.with_extension("changes.jsonl")
    }

    fn create_folder(&self) -> io::Result<()> {
        self.0.parent().map_or(Ok(()), fs::create_dir_all)
    }
}

impl Store for FileStore {
    fn load(&self) -> io::Result<History> {
        let mut history = match read(&self.0)? {
            Some(bytes) => {
                let content: FileContent<History> =
                    serde_json::from_slice(&bytes).map_err(|error| invalid(&self.0, &error))?;
                if content.format > FORMAT {
                    return Err(io::Error::other(format!(
                        "the file has format {}, and this version of Holdfast reads formats up to {FORMAT}: use the \
                         version that wrote the file, or a later one",
                        content.format
                    )));
                }
                content.history
            }
            None => History::default(),
        };
        let lines = read(&self.changes_path())?.unwrap_or_default();
        for line in lines.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            let changes: HistoryChanges =
                serde_json::from_slice(line).map_err(|error| invalid(&self.changes_path(), &error))?;
            history.apply(&changes);
        }
        Ok(history)
    }

    fn append(&self, changes: &HistoryChanges) -> io::Result<()> {
        let mut line = serde_json::to_vec(changes)?;
        line.push(b'\n');
        self.create_folder()?;
        let mut file = fs::OpenOptions::new().create(true).read(true).append(true).open(self.changes_path())?;
        remove_cut_line(&mut file)?;
        file.write_all(&line)?;
        file.sync_data()
    }

    fn save(&self, history: &History) -> io::Result<()> {
        self.create_folder()?;
        let new = self.0.with_extension("json.new");
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&FileContent { format: FORMAT, history })?)?;
        // Without this, a power cut may leave an empty file under the new name.
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        match fs::remove_file(self.changes_path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn invalid(path: &Path, error: &serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} is not valid: {error}", path.display()))
}

/// Returns the content of a file, or `None` when it does not exist.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
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

    #[test]
    fn a_file_returns_the_history_that_was_saved_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("account/shop.prod.json"));
        assert_eq!(file.load().unwrap(), History::default(), "no file is an empty history");
        file.save(&history("a")).unwrap();
        file.save(&history("b")).unwrap();
        assert_eq!(file.load().unwrap(), history("b"));
    }

    #[test]
    fn a_crash_during_a_write_keeps_the_old_history() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        file.save(&history("a")).unwrap();
        // The file of a process that died before the rename.
        fs::write(folder.path().join("shop.prod.json.new"), b"{ \"converged\": {").unwrap();
        assert_eq!(file.load().unwrap(), history("a"));
        file.save(&history("b")).unwrap();
        assert_eq!(file.load().unwrap(), history("b"));
    }

    #[test]
    fn an_invalid_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        fs::write(&file.0, b"").unwrap();
        assert!(file.load().is_err());
    }

    /// The files as each earlier build wrote them.
    #[test]
    fn files_of_earlier_builds_have_the_same_history() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        let oldest = r#"{ "converged": { "Vpc/main": "a" }, "intents": { "Vpc/x": { "nonce": "n", "began": 1 } } }"#;
        fs::write(&file.0, oldest).unwrap();
        let read = file.load().unwrap();
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
        assert_eq!(file.load().unwrap(), expected);
        // The next save upgrades the file.
        file.save(&file.load().unwrap()).unwrap();
        assert_eq!(file.load().unwrap(), expected);
        assert!(fs::read_to_string(&file.0).unwrap().starts_with("{\n  \"format\": 1,"));
    }

    #[test]
    fn a_file_of_a_later_version_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        fs::write(&file.0, r#"{ "format": 2, "converged": {} }"#).unwrap();
        let error = file.load().unwrap_err().to_string();
        assert!(error.contains("format 2") && error.contains("up to 1"), "{error}");
    }

    fn changes(digest: Option<&str>) -> HistoryChanges {
        let converged = BTreeMap::from([(Address::new("Vpc", "main"), digest.map(str::to_owned))]);
        HistoryChanges { converged, ..HistoryChanges::default() }
    }

    #[test]
    fn appended_changes_are_part_of_the_history_until_it_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("account/shop.prod.json"));
        file.append(&changes(Some("a"))).unwrap();
        file.append(&changes(Some("b"))).unwrap();
        assert_eq!(file.load().unwrap().converged[&Address::new("Vpc", "main")], "b");
        file.append(&changes(None)).unwrap();
        assert_eq!(file.load().unwrap(), History::default());
        file.save(&history("c")).unwrap();
        assert_eq!(file.load().unwrap(), history("c"));
        assert!(!file.changes_path().exists());
    }

    #[test]
    fn a_crash_during_an_append_loses_only_its_line_and_a_crash_during_a_save_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore(folder.path().join("shop.prod.json"));
        file.save(&history("a")).unwrap();
        file.append(&changes(Some("b"))).unwrap();
        let lines = fs::read(file.changes_path()).unwrap();
        fs::write(file.changes_path(), [&lines[..], br#"{"converged":{"Vpc/ma"#].concat()).unwrap();
        assert_eq!(file.load().unwrap(), history("b"));
        file.append(&changes(Some("c"))).unwrap();
        assert_eq!(file.load().unwrap(), history("c"), "the line after the one that was cut short is whole");
        // The process died between the new history and the removal of its changes.
        file.save(&history("b")).unwrap();
        fs::write(file.changes_path(), &lines).unwrap();
        assert_eq!(file.load().unwrap(), history("b"));
        fs::write(file.changes_path(), b"{\n").unwrap();
        assert!(file.load().is_err(), "a whole line that is not valid is an error");
    }
}
