//! The writer of an engine: the gate of its mutating calls, its name for other runs, and its lock timeout.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::lease::{LeaseGate, LeaseHolder, LeaseInfo};

/// The writer of an engine: how it names itself, and how long it waits for the lease.
pub struct Writer {
    /// The gate that each mutating call passes.
    pub gate: LeaseGate,
    /// The process, as other runs report it. Each acquisition adds its id and its time.
    pub holder: LeaseHolder,
    /// How long to wait for a lease that another run holds. Zero does not wait.
    pub lock_timeout: Duration,
    /// The command that frees the lease of the store.
    pub unlock_command: String,
    /// The process that the last `Event::WaitingForLease` named, by host and id.
    announced: Mutex<Option<String>>,
}

impl Writer {
    /// Creates a writer. The gate is closed until a pass acquires the lease.
    pub fn new(gate: LeaseGate, holder: LeaseHolder, lock_timeout: Duration, unlock_command: String) -> Writer {
        Writer { gate, holder, lock_timeout, unlock_command, announced: Mutex::default() }
    }

    /// True when no event has named this holder yet.
    pub(crate) fn is_new(&self, info: &LeaseInfo) -> bool {
        // Each pass of a daemon has another id, so the process is compared.
        let holder = info.holder.as_ref().map_or(String::new(), |holder| format!("{} {}", holder.host, holder.pid));
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        announced.replace(holder.clone()) != Some(holder)
    }

    /// Ends the wait for a lease: the next holder is named again.
    pub(crate) fn forget(&self) {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
