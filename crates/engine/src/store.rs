//! The store: the history of a stack in one environment, and the intents of creates. It is an aid: losing it loses no
//! ownership.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

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

/// The history of one stack in one environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The digest of each resource when it was last converged, by address.
    #[serde(default)]
    pub converged: BTreeMap<String, String>,
    /// The creates that began, by address. An intent is removed once its resource was observed and its consistency
    /// window has passed.
    #[serde(default)]
    pub intents: BTreeMap<String, Intent>,
    /// True when the history covers every resource that the stack ever had: an address without an entry is new, and not
    /// missing.
    #[serde(default)]
    pub complete: bool,
    /// The kinds that could not be observed when the history became complete, as `Kind region`. If an owned resource of
    /// one of them is observed later, the history is not complete after all.
    #[serde(default, alias = "unseen")]
    pub unobserved: BTreeSet<String>,
    /// The regions of the document, and its former regions until no owned resource is left in them.
    #[serde(default)]
    pub regions: BTreeSet<String>,
}

/// A create that began, and may have ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// A random number that makes the client token of this create differ from that of an earlier create of the same
    /// address.
    pub nonce: String,
    /// When the create began, in seconds since 1970.
    pub began: u64,
    /// The ids that belonged to the address before the create. A resource with another id is the created one.
    #[serde(default, alias = "known")]
    pub ids_before: BTreeSet<String>,
    /// The id of the created resource, once the response has arrived. Reads may not show the resource yet.
    #[serde(default, alias = "made")]
    pub created: Option<String>,
}

impl Intent {
    /// Returns the time since the create began.
    pub fn age(&self, now: SystemTime) -> Duration {
        let began = UNIX_EPOCH + Duration::from_secs(self.began);
        now.duration_since(began).unwrap_or_default()
    }
}

/// A place that keeps the history of one stack in one environment.
pub trait Store: Send + Sync {
    /// Reads the history. A store without one returns an empty history.
    ///
    /// # Errors
    /// Returns an error when the history exists and cannot be read.
    fn load(&self) -> io::Result<History>;

    /// Writes the history in place of the earlier one.
    ///
    /// # Errors
    /// Returns an error when the history cannot be written.
    fn save(&self, history: &History) -> io::Result<()>;
}

/// A store that lasts as long as the process.
#[derive(Debug, Default)]
pub struct InMemoryStore(Mutex<History>);

impl Store for InMemoryStore {
    fn load(&self) -> io::Result<History> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, history: &History) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = history.clone();
        Ok(())
    }
}

/// A store in one JSON file. The file is replaced as a whole: after a crash it has the old or the new history.
#[derive(Debug)]
pub struct FileStore(pub PathBuf);

impl Store for FileStore {
    fn load(&self) -> io::Result<History> {
        match fs::read(&self.0) {
            Ok(bytes) => {
                let content: FileContent<History> = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
                if content.format > FORMAT {
                    return Err(io::Error::other(format!(
                        "the file has format {}, and this version of Holdfast reads formats up to {FORMAT}: use the \
                         version that wrote the file, or a later one",
                        content.format
                    )));
                }
                Ok(content.history)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(History::default()),
            Err(error) => Err(error),
        }
    }

    fn save(&self, history: &History) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = self.0.with_extension("json.new");
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&FileContent { format: FORMAT, history })?)?;
        // Without this, a power cut may leave an empty file under the new name.
        file.sync_all()?;
        fs::rename(&new, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(digest: &str) -> History {
        let ids_before = BTreeSet::from(["vpc-1".to_owned()]);
        let intent = Intent { nonce: "n".into(), began: 7, ids_before, created: None };
        History {
            converged: BTreeMap::from([("Vpc/main".into(), digest.into())]),
            intents: BTreeMap::from([("Vpc/next".into(), intent)]),
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
        expected.intents.get_mut("Vpc/next").unwrap().created = Some("vpc-2".into());
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
}
