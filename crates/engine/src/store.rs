//! The store: the history of a stack in one environment, the intents of creates, and the lease of the run that writes.
//! It is an aid: losing it loses no ownership.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use holdfast_core::address::Address;
use holdfast_core::inventory::proof::{Records, ResourceRecord};
use serde::{Deserialize, Serialize};

use crate::lease::{Lease, LeaseAttempt, LeaseHolder, LeaseInfo, LeaseLost};

/// The history of one stack in one environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The digest of each resource when it was last converged, by address.
    #[serde(default)]
    pub converged: BTreeMap<Address, String>,
    /// The creates that began, by address. An intent is removed once its resource was observed and its consistency
    /// window has passed.
    #[serde(default)]
    pub intents: BTreeMap<Address, Intent>,
    /// The live resources of each address: a proof of ownership besides tags, which can be copied. A file of an earlier
    /// build has none.
    #[serde(default)]
    pub resources: BTreeMap<Address, Vec<ResourceRecord>>,
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

/// The changes of a history since they were last written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryChanges {
    /// The new digests by address; none for an address that is removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub converged: BTreeMap<Address, Option<String>>,
    /// The new intents by address; none for an intent that is removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intents: BTreeMap<Address, Option<Intent>>,
    /// The new records of resources by address; none for an address whose resources no longer exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<Address, Option<Vec<ResourceRecord>>>,
    /// The new value of [`History::complete`], with the kinds that were not observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<(bool, BTreeSet<String>)>,
    /// The new regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<BTreeSet<String>>,
}

impl History {
    /// Returns the records that prove ownership: the known resources, and the creates without a response.
    pub fn records(&self) -> Records {
        let unanswered = self.intents.iter().filter(|(_, intent)| intent.created.is_none());
        Records {
            resources: self.resources.clone(),
            unanswered: unanswered.map(|(address, intent)| (address.clone(), intent.ids_before.clone())).collect(),
        }
    }

    /// Applies changes. The same changes can be applied twice.
    pub fn apply(&mut self, changes: &HistoryChanges) {
        for (address, digest) in &changes.converged {
            set(&mut self.converged, address, digest.clone());
        }
        for (address, intent) in &changes.intents {
            set(&mut self.intents, address, intent.clone());
        }
        for (address, records) in &changes.resources {
            set(&mut self.resources, address, records.clone());
        }
        if let Some((complete, unobserved)) = &changes.complete {
            (self.complete, self.unobserved) = (*complete, unobserved.clone());
        }
        if let Some(regions) = &changes.regions {
            self.regions.clone_from(regions);
        }
    }
}

fn set<V>(map: &mut BTreeMap<Address, V>, address: &Address, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(address.clone(), value)),
        None => drop(map.remove(address)),
    }
}

/// A place that keeps the history and the lease of one stack in one environment.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads the history, with all appended changes. A store without one returns an empty history.
    ///
    /// # Errors
    /// Returns an error when the history exists and cannot be read.
    async fn load(&self) -> io::Result<History>;

    /// Adds changes to the history. Once this returns, they outlive the process. Only the holder of the lease calls it,
    /// after [`Store::load`].
    ///
    /// # Errors
    /// Returns an error when the changes cannot be written.
    async fn append(&self, changes: &HistoryChanges) -> io::Result<()>;

    /// Writes the history in place of the earlier one and its changes. It must contain all appended changes. Only the
    /// holder of the lease calls it, after [`Store::load`].
    ///
    /// # Errors
    /// Returns an error when the history cannot be written.
    async fn save(&self, history: &History) -> io::Result<()>;

    /// Tries to acquire the lease, without waiting for its holder.
    ///
    /// # Errors
    /// Returns an error when the store cannot be used.
    async fn try_acquire(&self, holder: &LeaseHolder) -> io::Result<LeaseAttempt>;

    /// Frees the lease, whoever holds it. Returns the holder, unless the lease was free.
    ///
    /// # Errors
    /// Returns an error when the store cannot be used.
    async fn unlock(&self) -> io::Result<Option<LeaseInfo>>;
}

/// A store that lasts as long as the process.
#[derive(Default)]
pub struct InMemoryStore {
    history: Mutex<History>,
    lease: Arc<Mutex<Option<(u64, LeaseHolder)>>>,
    last_fence: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for InMemoryStore {
    async fn load(&self) -> io::Result<History> {
        Ok(lock(&self.history).clone())
    }

    async fn append(&self, changes: &HistoryChanges) -> io::Result<()> {
        lock(&self.history).apply(changes);
        Ok(())
    }

    async fn save(&self, history: &History) -> io::Result<()> {
        lock(&self.history).clone_from(history);
        Ok(())
    }

    async fn try_acquire(&self, holder: &LeaseHolder) -> io::Result<LeaseAttempt> {
        let mut lease = lock(&self.lease);
        if let Some((fence, holder)) = &*lease {
            return Ok(LeaseAttempt::Taken(LeaseInfo { fence: *fence, holder: Some(holder.clone()), until: None }));
        }
        let fence = self.last_fence.fetch_add(1, Ordering::Relaxed) + 1;
        *lease = Some((fence, holder.clone()));
        Ok(LeaseAttempt::Acquired(Arc::new(InMemoryLease { fence, lease: self.lease.clone() })))
    }

    async fn unlock(&self) -> io::Result<Option<LeaseInfo>> {
        let freed = lock(&self.lease).take();
        Ok(freed.map(|(fence, holder)| LeaseInfo { fence, holder: Some(holder), until: None }))
    }
}

/// The lease of an [`InMemoryStore`].
struct InMemoryLease {
    fence: u64,
    lease: Arc<Mutex<Option<(u64, LeaseHolder)>>>,
}

impl InMemoryLease {
    fn is_held(&self) -> bool {
        lock(&self.lease).as_ref().is_some_and(|(fence, _)| *fence == self.fence)
    }

    fn free(&self) {
        lock(&self.lease).take_if(|(fence, _)| *fence == self.fence);
    }
}

impl Drop for InMemoryLease {
    fn drop(&mut self) {
        self.free();
    }
}

#[async_trait]
impl Lease for InMemoryLease {
    fn fence(&self) -> u64 {
        self.fence
    }

    async fn permit(&self, _: Duration) -> Result<(), LeaseLost> {
        match self.is_held() {
            true => Ok(()),
            false => Err(LeaseLost("the lease was freed".into())),
        }
    }

    async fn lost(&self) -> LeaseLost {
        // Each mutating call finds out by `permit`.
        std::future::pending().await
    }

    async fn release(&self) -> io::Result<()> {
        self.free();
        Ok(())
    }
}
