//! The lease of a folder: a lock on a file, which ends with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use crate::lease::{Lease, LeaseAttempt, LeaseHolder, LeaseInfo, LeaseLost, LeaseRecord};
use crate::private_files::{at, is_current, open, read, replace};

/// How often the holder checks that the file still has its lock. Every mutating call checks it too.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Tries to acquire the lease of a lock file.
///
/// # Expected flow
/// 1. Lock the file with an advisory lock (`flock`), without waiting.
/// 2. Write the holder and the next fencing number into it.
///
/// # Guarantees
/// The lock ends with its process, however the process ends. [`unlock`] puts another file in place of the locked one,
/// and the holder notices before its next mutating call.
///
/// # Assumptions
/// The file system supports locks. NFS has supported them since Linux 2.6.12
/// (<https://man7.org/linux/man-pages/man2/flock.2.html>).
///
/// # Errors
/// When the file cannot be opened, locked or written. The error has the path.
pub(crate) fn try_acquire(path: &Path, holder: &LeaseHolder) -> io::Result<LeaseAttempt> {
    loop {
        let mut file = open(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(LeaseAttempt::Taken(named_info(&mut file))),
            Err(TryLockError::Error(error)) => return Err(at(path)(error)),
        }
        // Between the two calls, `unlock` may have put another file in its place.
        if !is_current(path, &file) {
            continue;
        }
        let fence = record(&mut file).fence + 1;
        let lease = LeaseRecord { fence, holder: Some(holder.clone()), lease_millis: 0 };
        write(&file, &lease).map_err(at(path))?;
        return Ok(LeaseAttempt::Acquired(Arc::new(FileLease { path: path.to_owned(), file, fence })));
    }
}

/// Frees the lease of a lock file, whoever holds it. Returns the holder, unless the lease was free.
///
/// # Errors
/// When the file cannot be read or replaced. The error has the path.
pub(crate) fn unlock(path: &Path) -> io::Result<Option<LeaseInfo>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let mut file = open(path, OpenOptions::new().read(true).write(true))?;
    match file.try_lock() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(at(path)(error)),
    }
    let fence = serde_json::from_slice::<LeaseRecord>(&bytes).map_or(0, |record| record.fence) + 1;
    let free = LeaseRecord { fence, ..LeaseRecord::default() };
    replace(path, &serde_json::to_vec(&free)?)?;
    Ok(Some(info(&mut file)))
}

/// Returns the record in a lock file. Its writer may not have completed it yet.
fn record(file: &mut File) -> LeaseRecord {
    let mut bytes = vec![];
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    read.ok().and_then(|_| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Returns the holder of a locked file. The holder writes its name right after it locks the file, so this waits for the
/// name, up to 100 ms.
fn named_info(file: &mut File) -> LeaseInfo {
    for _ in 0..20 {
        let info = info(file);
        if info.holder.is_some() {
            return info;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    info(file)
}

fn info(file: &mut File) -> LeaseInfo {
    let LeaseRecord { fence, holder, .. } = record(file);
    LeaseInfo { fence, holder, until: None }
}

fn write(mut file: &File, record: &LeaseRecord) -> io::Result<()> {
    let bytes = serde_json::to_vec(record)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&bytes)
}

/// A locked file. Closing it ends the lock.
struct FileLease {
    path: PathBuf,
    file: File,
    fence: u64,
}

impl FileLease {
    fn check(&self) -> Result<(), LeaseLost> {
        match is_current(&self.path, &self.file) {
            true => Ok(()),
            false => Err(LeaseLost(format!(
                "{} was replaced or removed (`holdfast unlock` replaces it)",
                self.path.display()
            ))),
        }
    }
}

#[async_trait]
impl Lease for FileLease {
    fn fence(&self) -> u64 {
        self.fence
    }

    async fn permit(&self, _: Duration) -> Result<(), LeaseLost> {
        self.check()
    }

    async fn lost(&self) -> LeaseLost {
        loop {
            match self.check() {
                Ok(()) => sleep(CHECK_INTERVAL).await,
                Err(lost) => return lost,
            }
        }
    }

    async fn release(&self) -> io::Result<()> {
        // Only the holder of the current file writes to it.
        if self.check().is_ok() {
            write(&self.file, &LeaseRecord { fence: self.fence, ..LeaseRecord::default() }).map_err(at(&self.path))?;
        }
        self.file.unlock().map_err(at(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(id: &str) -> LeaseHolder {
        LeaseHolder { id: id.into(), host: "here".into(), pid: 7, ..LeaseHolder::default() }
    }

    fn acquire(path: &Path, id: &str) -> Result<Arc<dyn Lease>, Box<LeaseInfo>> {
        match try_acquire(path, &holder(id)).unwrap() {
            LeaseAttempt::Acquired(lease) => Ok(lease),
            LeaseAttempt::Taken(info) => Err(Box::new(info)),
        }
    }

    #[tokio::test]
    async fn one_holds_the_lease_and_another_reads_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.lock");
        let first = acquire(&path, "a").ok().unwrap();
        let taken = acquire(&path, "b").err().unwrap();
        assert_eq!((taken.holder, taken.until, taken.fence), (Some(holder("a")), None, 1));
        first.release().await.unwrap();
        assert!(unlock(&path).unwrap().is_none(), "the lease is free");
        let second = acquire(&path, "b").ok().unwrap();
        assert_eq!(second.fence(), 2, "the fencing number grows");
        // The death of the process closes the file.
        drop(second);
        assert_eq!(acquire(&path, "c").ok().unwrap().fence(), 3);
    }

    #[tokio::test]
    async fn a_holder_whose_lease_was_freed_notices_before_its_next_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.lock");
        let first = acquire(&path, "a").ok().unwrap();
        assert!(first.permit(Duration::ZERO).await.is_ok());
        assert_eq!(unlock(&path).unwrap().and_then(|info| info.holder), Some(holder("a")));
        let second = acquire(&path, "b").ok().unwrap();
        assert_eq!(second.fence(), 3, "the number is higher than the one that was freed");
        let lost = first.permit(Duration::ZERO).await.unwrap_err().to_string();
        assert!(lost.contains("shop.lock was replaced"), "{lost}");
        assert_eq!(first.lost().await.to_string(), lost);
        // The end of the first changes nothing for the second.
        first.release().await.unwrap();
        assert!(second.permit(Duration::ZERO).await.is_ok());
        assert!(acquire(&path, "c").is_err());
    }

    #[test]
    fn a_lock_file_that_is_cut_short_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.lock");
        std::fs::write(&path, "{\"fence\": ").unwrap();
        let lease = acquire(&path, "a").ok().unwrap();
        assert_eq!(lease.fence(), 1);
    }
}
