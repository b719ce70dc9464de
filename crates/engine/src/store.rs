//! The store: history and intents. An aid; losing it loses no ownership (DESIGN, safety rule 1).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What one stack and environment remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The digest last converged, by address.
    #[serde(default)]
    pub converged: BTreeMap<String, String>,
    /// Creates that began, until what they made is surely seen, by address.
    #[serde(default)]
    pub intents: BTreeMap<String, Intent>,
    /// True when it saw all that was ever made: an address that it does not know is new, and not missing.
    #[serde(default)]
    pub complete: bool,
    /// Where nothing could be seen when that began, as `Kind region`: it holds there once nothing of ours turns out
    /// to be there.
    #[serde(default)]
    pub unseen: BTreeSet<String>,
    /// The regions that the document has or had, until nothing of ours is left in one that it has no more.
    #[serde(default)]
    pub regions: BTreeSet<String>,
}

/// A create that began, and may have ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Makes the client token of this create differ from that of an earlier one of the same address.
    pub nonce: String,
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// The ids that the address had before: another one is what this made.
    #[serde(default)]
    pub known: BTreeSet<String>,
    /// The id of what it made, once that was answered. Reads may not show it yet.
    #[serde(default)]
    pub made: Option<String>,
}

impl Intent {
    /// How long ago it began.
    pub fn age(&self, now: SystemTime) -> Duration {
        let began = UNIX_EPOCH + Duration::from_secs(self.began);
        now.duration_since(began).unwrap_or_default()
    }
}

/// Where a memory is kept.
pub trait Store: Send + Sync {
    /// What is remembered.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn load(&self) -> io::Result<Memory>;

    /// Remembers this and nothing else.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save(&self, memory: &Memory) -> io::Result<()>;
}

/// A store that lasts as long as the process.
#[derive(Debug, Default)]
pub struct InProcess(Mutex<Memory>);

impl Store for InProcess {
    fn load(&self) -> io::Result<Memory> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, memory: &Memory) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = memory.clone();
        Ok(())
    }
}

/// A store in one JSON file, replaced as a whole so that a crash leaves the old or the new one.
#[derive(Debug)]
pub struct File(pub PathBuf);

impl Store for File {
    fn load(&self) -> io::Result<Memory> {
        match fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Memory::default()),
            Err(error) => Err(error),
        }
    }

    fn save(&self, memory: &Memory) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = self.0.with_extension("json.new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(memory)?)?;
        // Without this a power cut may leave the new name with nothing in it.
        file.sync_all()?;
        fs::rename(&fresh, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(digest: &str) -> Memory {
        let known = BTreeSet::from(["vpc-1".to_owned()]);
        Memory {
            converged: BTreeMap::from([("Vpc/main".into(), digest.into())]),
            intents: BTreeMap::from([("Vpc/next".into(), Intent { nonce: "n".into(), began: 7, known, made: None })]),
            complete: true,
            unseen: BTreeSet::from(["Vpc eu-west-1".to_owned()]),
            regions: BTreeSet::from(["eu-west-1".to_owned()]),
        }
    }

    #[test]
    fn a_file_gives_back_what_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = File(folder.path().join("account/shop.prod.json"));
        assert_eq!(file.load().unwrap(), Memory::default(), "no file is an empty memory");
        file.save(&memory("a")).unwrap();
        file.save(&memory("b")).unwrap();
        assert_eq!(file.load().unwrap(), memory("b"));
    }

    #[test]
    fn a_crash_while_writing_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = File(folder.path().join("shop.prod.json"));
        file.save(&memory("a")).unwrap();
        // What a process leaves that died before it renamed.
        fs::write(folder.path().join("shop.prod.json.new"), b"{ \"converged\": {").unwrap();
        assert_eq!(file.load().unwrap(), memory("a"));
        file.save(&memory("b")).unwrap();
        assert_eq!(file.load().unwrap(), memory("b"));
    }

    #[test]
    fn a_file_that_is_no_memory_is_an_error_and_one_of_an_older_version_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = File(folder.path().join("shop.prod.json"));
        fs::write(&file.0, b"").unwrap();
        assert!(file.load().is_err());
        fs::write(
            &file.0,
            br#"{ "converged": { "Vpc/main": "a" }, "intents": { "Vpc/x": { "nonce": "n", "began": 1 } } }"#,
        )
        .unwrap();
        let memory = file.load().unwrap();
        assert_eq!((memory.converged.len(), memory.intents.len(), memory.complete), (1, 1, false));
    }
}
