//! The journal: the history of a running pass, whose changes are written to the store as they happen.

use std::collections::BTreeSet;
use std::io;

use holdfast_core::address::Address;
use holdfast_core::inventory::proof::{ResourceRecord, is_recorded};
use holdfast_core::observed::Observed;

use crate::engine::Engine;
use crate::store::{History, HistoryChanges, Intent, Store};

/// A history, and its changes that are not written yet. Every change goes through a method, so that a write costs as
/// much as the changes, and not as much as the history.
#[derive(Debug)]
pub(crate) struct Journal {
    history: History,
    changes: HistoryChanges,
}

impl Journal {
    pub(crate) fn new(history: History) -> Journal {
        Journal { history, changes: HistoryChanges::default() }
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Records the digest of a converged resource.
    pub(crate) fn set_converged(&mut self, address: &Address, digest: &str) {
        if self.history.converged.get(address).is_none_or(|recorded| recorded != digest) {
            self.history.converged.insert(address.clone(), digest.to_owned());
            self.changes.converged.insert(address.clone(), Some(digest.to_owned()));
        }
    }

    /// Removes the digest of a resource that no longer exists.
    pub(crate) fn remove_converged(&mut self, address: &Address) {
        if self.history.converged.remove(address).is_some() {
            self.changes.converged.insert(address.clone(), None);
        }
    }

    /// Records the live resources of an address, in place of the earlier records of the address.
    pub(crate) fn set_resources(&mut self, address: &Address, records: Vec<ResourceRecord>) {
        if records.is_empty() {
            if self.history.resources.remove(address).is_some() {
                self.changes.resources.insert(address.clone(), None);
            }
        } else if self.history.resources.get(address) != Some(&records) {
            self.changes.resources.insert(address.clone(), Some(records.clone()));
            self.history.resources.insert(address.clone(), records);
        }
    }

    /// Records one live resource of an address. A record of the same resource remains `created`.
    pub(crate) fn add_resource(&mut self, address: &Address, record: ResourceRecord) {
        let mut records = self.history.resources.get(address).cloned().unwrap_or_default();
        match records.iter_mut().find(|known| known.id == record.id && known.region == record.region) {
            Some(known) => *known = ResourceRecord { created: known.created || record.created, ..record },
            None => records.push(record),
        }
        self.set_resources(address, records);
    }

    /// Removes the record of a resource that was deleted or released.
    pub(crate) fn remove_resource(&mut self, address: &Address, live: &Observed) {
        if let Some(records) = self.history.resources.get(address) {
            let left = records.iter().filter(|record| !is_recorded(record, live)).cloned().collect();
            self.set_resources(address, left);
        }
    }

    /// Records an intent, in place of an earlier one of the address.
    pub(crate) fn set_intent(&mut self, address: &Address, intent: Intent) {
        self.changes.intents.insert(address.clone(), Some(intent.clone()));
        self.history.intents.insert(address.clone(), intent);
    }

    /// Removes an intent that has ended.
    pub(crate) fn remove_intent(&mut self, address: &Address) {
        if self.history.intents.remove(address).is_some() {
            self.changes.intents.insert(address.clone(), None);
        }
    }

    /// Records whether the history covers every resource that the stack ever had, apart from these kinds.
    pub(crate) fn set_complete(&mut self, complete: bool, unobserved: BTreeSet<String>) {
        if (self.history.complete, &self.history.unobserved) != (complete, &unobserved) {
            (self.history.complete, self.history.unobserved) = (complete, unobserved.clone());
            self.changes.complete = Some((complete, unobserved));
        }
    }

    /// Records the regions in which resources of the stack may exist.
    pub(crate) fn set_regions(&mut self, regions: BTreeSet<String>) {
        if self.history.regions != regions {
            self.history.regions.clone_from(&regions);
            self.changes.regions = Some(regions);
        }
    }

    /// Appends the changes to the store. The store is an aid, so the pass continues with a warning when this fails, and
    /// the next write has the changes too. A run that lost the lease writes nothing: the store belongs to another run.
    pub(crate) async fn write(&mut self, engine: &Engine) {
        if self.changes == HistoryChanges::default() || engine.writer.gate.permit().await.is_err() {
            return;
        }
        if let Err(error) = self.try_write(&*engine.store).await {
            tracing::warn!(%error, "the store cannot be written; the pass continues without it");
        }
    }

    /// Writes the whole history at the end of a pass.
    ///
    /// # Errors
    /// Returns an error when the store cannot be written.
    pub(crate) async fn save(&mut self, store: &dyn Store) -> io::Result<()> {
        // If the process dies while the history replaces the earlier one, the changes already contain all of it.
        self.try_write(store).await?;
        store.save(&self.history).await
    }

    async fn try_write(&mut self, store: &dyn Store) -> io::Result<()> {
        if self.changes != HistoryChanges::default() {
            store.append(&self.changes).await?;
            self.changes = HistoryChanges::default();
        }
        Ok(())
    }
}
