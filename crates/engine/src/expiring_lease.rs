//! A lease that expires: for stores that do not notice the death of a process.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::lease::{Lease, LeaseAttempt, LeaseHolder, LeaseInfo, LeaseLost, LeaseRecord};
use crate::utc;

/// How much longer than its lease time another run waits before it takes a lease over. Registers state their times in
/// whole seconds, and each of the two times can be a second off.
const TAKEOVER_MARGIN: Duration = Duration::from_secs(2);

/// A clock that can be set, such as [`SystemTime::now`].
pub type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// An entry of a [`LeaseRegister`].
#[derive(Clone, Debug)]
pub struct LeaseEntry {
    /// The record.
    pub record: LeaseRecord,
    /// The version of the entry, which each write changes.
    pub version: String,
    /// The time since the entry was written, by the clock of the register.
    pub age: Duration,
}

/// A register with one record, and an atomic compare-and-swap.
#[async_trait]
pub trait LeaseRegister: Send + Sync {
    /// Reads the entry, if there is one.
    ///
    /// # Errors
    /// When the register cannot be read.
    async fn read(&self) -> io::Result<Option<LeaseEntry>>;

    /// Writes the record if the entry still has the expected version, or if there is no entry and none is expected.
    /// Returns the new version, or `None` when the entry has another version.
    ///
    /// # Errors
    /// When the register cannot be written. The write may have had its effect nevertheless.
    async fn write(&self, record: &LeaseRecord, expected: Option<&str>) -> io::Result<Option<String>>;
}

/// The times of a lease.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeaseTimes {
    /// How long the lease lasts after each renewal.
    pub lease: Duration,
    /// The time from one renewal to the next.
    pub renewal: Duration,
}

/// Tries to acquire the lease of a register.
///
/// # Expected flow
/// 1. Read the entry. Its holder still holds the lease while the entry is younger than its lease time and 2 s.
/// 2. Write a record with this holder and the next fencing number, if the entry is still the one of step 1.
/// 3. Renew it in the background: each renewal writes the record again, if the entry is still the own one.
///
/// # Guarantees
/// Of several runs that try at the same time, one acquires the lease. The holder counts its lease from the moment
/// *before* it sends a renewal, by its monotonic clock and by its wall clock, whichever has advanced more, and another
/// run counts from the moment at which the register wrote it, by the clock of the register. So the holder's lease ends
/// first, also when the clocks of the two hosts differ, and when the holder was suspended.
///
/// # Assumptions
/// Clocks advance at the same rate, within a few per cent.
///
/// # Errors
/// When the register cannot be read or written.
pub async fn try_acquire(
    register: Arc<dyn LeaseRegister>,
    holder: &LeaseHolder,
    times: LeaseTimes,
    now: WallClock,
) -> io::Result<LeaseAttempt> {
    let entry = register.read().await?;
    if let Some(info) = entry.as_ref().and_then(|entry| taken(entry, &now)) {
        return Ok(LeaseAttempt::Taken(info));
    }
    let fence = entry.as_ref().map_or(0, |entry| entry.record.fence) + 1;
    let lease_millis = u64::try_from(times.lease.as_millis()).unwrap_or(u64::MAX);
    let record = LeaseRecord { fence, holder: Some(holder.clone()), lease_millis };
    let renewed = Renewed { at: Instant::now(), wall: now() };
    let expected = entry.as_ref().map(|entry| entry.version.as_str());
    let written = register.write(&record, expected).await;
    let version = match written {
        Ok(Some(version)) => version,
        // Another run was faster, or the response was lost.
        Ok(None) | Err(_) => {
            let entry = register.read().await?;
            match entry.filter(|entry| is_own(entry, &record)) {
                Some(entry) => entry.version,
                None => return Ok(LeaseAttempt::Taken(taken_by_another(&*register, written, &now).await?)),
            }
        }
    };
    let state = watch::Sender::new(LeaseState { renewed, lost: None });
    let shared = Arc::new(Shared { register, record, times, now, version: Mutex::new(version), state });
    let renewals = tokio::spawn(renew(shared.clone()));
    Ok(LeaseAttempt::Acquired(Arc::new(ExpiringLease { shared, renewals })))
}

/// Frees the lease of a register, whoever holds it. Returns the holder, unless the lease was free.
///
/// # Errors
/// When the register cannot be read or written, or when its holder changes at the same moment.
pub async fn unlock(register: &dyn LeaseRegister, now: &WallClock) -> io::Result<Option<LeaseInfo>> {
    let Some(entry) = register.read().await? else { return Ok(None) };
    let Some(holder) = entry.record.holder.clone() else { return Ok(None) };
    let fence = entry.record.fence;
    let info =
        taken(&entry, now).unwrap_or(LeaseInfo { fence, holder: Some(holder), until: Some(utc::seconds(now())) });
    // The next number fences the holder off: it sees that the record is no longer its own.
    let record = LeaseRecord { fence: fence + 1, ..LeaseRecord::default() };
    match register.write(&record, Some(&entry.version)).await? {
        Some(_) => Ok(Some(info)),
        None => Err(io::Error::other("the lease was renewed or released at the same moment: its holder is alive")),
    }
}

/// Returns the holder of an entry whose lease has not ended.
fn taken(entry: &LeaseEntry, now: &WallClock) -> Option<LeaseInfo> {
    let holder = entry.record.holder.clone()?;
    let left =
        Duration::from_millis(entry.record.lease_millis).saturating_add(TAKEOVER_MARGIN).checked_sub(entry.age)?;
    let until = utc::seconds(now()).saturating_add(left.as_secs());
    Some(LeaseInfo { fence: entry.record.fence, holder: Some(holder), until: Some(until) })
}

/// Returns the run that acquired the lease at the same moment.
///
/// # Errors
/// The error of the write, if that is why the lease was not acquired.
async fn taken_by_another(
    register: &dyn LeaseRegister,
    written: io::Result<Option<String>>,
    now: &WallClock,
) -> io::Result<LeaseInfo> {
    written?;
    let entry = register.read().await?;
    Ok(entry.and_then(|entry| taken(&entry, now)).unwrap_or_default())
}

/// True when the entry has this acquisition of this holder.
fn is_own(entry: &LeaseEntry, record: &LeaseRecord) -> bool {
    let id = |record: &LeaseRecord| record.holder.as_ref().map(|holder| holder.id.clone());
    entry.record.fence == record.fence && id(&entry.record) == id(record)
}

/// When the renewal began from which the lease counts.
#[derive(Clone, Copy)]
struct Renewed {
    at: Instant,
    wall: SystemTime,
}

#[derive(Clone)]
struct LeaseState {
    renewed: Renewed,
    lost: Option<LeaseLost>,
}

struct Shared {
    register: Arc<dyn LeaseRegister>,
    record: LeaseRecord,
    times: LeaseTimes,
    now: WallClock,
    version: Mutex<String>,
    state: watch::Sender<LeaseState>,
}

impl Shared {
    fn version(&self) -> MutexGuard<'_, String> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time for which the lease still lasts.
    fn left(&self) -> Duration {
        let Renewed { at, wall } = self.state.borrow().renewed;
        // The monotonic clock stands still while a host is suspended.
        let elapsed = (self.now)().duration_since(wall).unwrap_or_default().max(at.elapsed());
        self.times.lease.saturating_sub(elapsed)
    }

    fn lose(&self, reason: String) -> LeaseLost {
        let lost = LeaseLost(reason);
        self.state.send_modify(|state| {
            state.lost.get_or_insert_with(|| lost.clone());
        });
        lost
    }

    fn expired(&self) -> LeaseLost {
        let seconds = self.times.lease.as_secs();
        self.lose(format!("the lease was not renewed for {seconds} s, and another run may hold it by now"))
    }

    /// Writes the record again. Returns false when the lease is lost.
    async fn renew_once(&self) -> io::Result<bool> {
        let renewed = Renewed { at: Instant::now(), wall: (self.now)() };
        let version = self.version().clone();
        if let Some(version) = self.register.write(&self.record, Some(&version)).await? {
            *self.version() = version;
            self.state.send_modify(|state| state.renewed = renewed);
            return Ok(true);
        }
        match self.register.read().await? {
            // An earlier renewal whose response was lost.
            Some(entry) if is_own(&entry, &self.record) => {
                *self.version() = entry.version;
                Ok(true)
            }
            Some(entry) => {
                self.lose(match entry.record.holder {
                    Some(holder) => format!("the lease is held by {holder}"),
                    None => "another run freed the lease (`holdfast unlock`)".into(),
                });
                Ok(false)
            }
            None => {
                self.lose("the lease was deleted from the store".into());
                Ok(false)
            }
        }
    }
}

/// Renews a lease until it is lost.
async fn renew(shared: Arc<Shared>) {
    let mut pause = shared.times.renewal;
    loop {
        sleep(pause).await;
        // A lease that ended is not renewed, although no other run may hold it yet.
        if shared.left().is_zero() {
            shared.expired();
            return;
        }
        // A renewal without a response must not keep the next one from being sent.
        pause = match timeout(shared.times.renewal, shared.renew_once()).await {
            Ok(Ok(true)) => shared.times.renewal,
            Ok(Ok(false)) => return,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease cannot be renewed; it is tried again");
                shared.times.renewal / 4
            }
            Err(_) => shared.times.renewal / 4,
        };
    }
}

/// A lease that is renewed in the background until it is dropped.
struct ExpiringLease {
    shared: Arc<Shared>,
    renewals: JoinHandle<()>,
}

impl Drop for ExpiringLease {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

#[async_trait]
impl Lease for ExpiringLease {
    fn fence(&self) -> u64 {
        self.shared.record.fence
    }

    async fn permit(&self, margin: Duration) -> Result<(), LeaseLost> {
        let mut changes = self.shared.state.subscribe();
        loop {
            if let Some(lost) = &changes.borrow_and_update().lost {
                return Err(lost.clone());
            }
            let left = self.shared.left();
            if left.is_zero() {
                return Err(self.shared.expired());
            }
            if left > margin {
                return Ok(());
            }
            // The next renewal decides.
            let _ = timeout(left, changes.changed()).await;
        }
    }

    async fn lost(&self) -> LeaseLost {
        let mut changes = self.shared.state.subscribe();
        loop {
            if let Some(lost) = &changes.borrow_and_update().lost {
                return lost.clone();
            }
            let _ = changes.changed().await;
        }
    }

    async fn release(&self) -> io::Result<()> {
        self.renewals.abort();
        let free = LeaseRecord { fence: self.shared.record.fence, ..LeaseRecord::default() };
        let version = self.shared.version().clone();
        if self.shared.register.write(&free, Some(&version)).await?.is_some() {
            return Ok(());
        }
        // A renewal that was in progress changed the version.
        match self.shared.register.read().await? {
            Some(entry) if is_own(&entry, &self.shared.record) => {
                self.shared.register.write(&free, Some(&entry.version)).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
