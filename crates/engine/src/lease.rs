//! The lease: at most one run at a time writes to a stack in an environment.
//!
//! # Expected flow
//! 1. A run acquires the lease of the store before it reads the history. Each acquisition has a higher fencing number.
//! 2. Before each mutating call, the run asks the [`LeaseGate`] whether the call may be sent.
//! 3. The run releases the lease at its end.
//!
//! # Guarantees
//! A run that lost its lease sends no further mutating call. A lease that expires is renewed in the background; a call
//! is sent only when the lease lasts longer than the time-out of the call, so that its effect comes before the lease
//! ends.
//!
//! # Assumptions
//! All writers of a stack in an environment use the same store.
//!
//! # Caveats
//! The check comes immediately before the call. A process that is stopped between the two sends the call when it
//! continues: AWS does not check fencing numbers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::utc;

/// The run that holds a lease, as another run reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseHolder {
    /// A random id of the acquisition.
    pub id: String,
    /// The host of the process.
    pub host: String,
    /// The process id on the host.
    pub pid: u32,
    /// The user of the process.
    pub user: String,
    /// The id of the run in CI, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The command, as in `reconcile --once`.
    pub command: String,
    /// When the lease was acquired, in seconds since 1970.
    pub since: u64,
}

impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeaseHolder { host, pid, user, run, command, since, .. } = self;
        write!(f, "`holdfast {command}` (process {pid} on {host}, user {user}")?;
        if let Some(run) = run {
            write!(f, ", run {run}")?;
        }
        write!(f, ") since {}", utc::text(*since))
    }
}

/// A lease that another run holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseInfo {
    /// The fencing number of the lease.
    pub fence: u64,
    /// The holder, if its record can be read.
    pub holder: Option<LeaseHolder>,
    /// When the lease ends unless it is renewed, in seconds since 1970. `None` when it ends with its process.
    pub until: Option<u64>,
}

impl fmt::Display for LeaseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(f, "{holder}")?,
            None => f.write_str("another run")?,
        }
        match self.until {
            Some(until) => write!(f, ", until {} unless it is renewed", utc::text(until)),
            None => f.write_str(", until that process ends"),
        }
    }
}

/// The record of a lease in its store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseRecord {
    /// The fencing number: one more at each acquisition.
    pub fence: u64,
    /// The holder; none after a release.
    pub holder: Option<LeaseHolder>,
    /// How long the lease lasts after each renewal, in milliseconds. 0 when it ends with its process.
    #[serde(rename = "leaseMillis")]
    pub lease_millis: u64,
}

/// The reason why a run may not send mutating calls.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LeaseLost(pub String);

/// A lease that this process holds. Dropping it has the effect of the death of the process: a lease that ends with its
/// process ends, and any other is no longer renewed.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Returns the fencing number.
    fn fence(&self) -> u64;

    /// Returns once a call that takes up to `margin` may be sent.
    ///
    /// # Errors
    /// When the lease is lost.
    async fn permit(&self, margin: Duration) -> Result<(), LeaseLost>;

    /// Returns once the lease is lost.
    async fn lost(&self) -> LeaseLost;

    /// Frees the lease for other runs.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn release(&self) -> std::io::Result<()>;
}

/// The result of an attempt to acquire a lease.
pub enum LeaseAttempt {
    /// This process holds the lease.
    Acquired(Arc<dyn Lease>),
    /// Another run holds it.
    Taken(LeaseInfo),
}

#[derive(Clone)]
enum GateState {
    Open,
    Closed,
    Held(Arc<dyn Lease>),
    Lost(LeaseLost),
}

/// Decides whether mutating calls may be sent. Clones share their state: the pass attaches its lease, and the transport
/// asks before each call.
#[derive(Clone)]
pub struct LeaseGate {
    state: watch::Sender<GateState>,
    margin: Duration,
}

impl fmt::Debug for LeaseGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseGate").field("margin", &self.margin).finish_non_exhaustive()
    }
}

impl LeaseGate {
    /// Creates a gate that permits no mutating call until a lease is attached. A call takes effect within `margin`
    /// after it is sent, or not at all.
    pub fn closed(margin: Duration) -> LeaseGate {
        LeaseGate { state: watch::Sender::new(GateState::Closed), margin }
    }

    /// Creates a gate that permits every call: for the calls of the store itself.
    pub fn open() -> LeaseGate {
        LeaseGate { state: watch::Sender::new(GateState::Open), margin: Duration::ZERO }
    }

    /// Returns the fencing number of the lease that is held.
    pub fn fence(&self) -> Option<u64> {
        match &*self.state.borrow() {
            GateState::Held(lease) => Some(lease.fence()),
            _ => None,
        }
    }

    /// Returns once a mutating call may be sent.
    ///
    /// # Errors
    /// When no lease is held, or when it is lost.
    pub async fn permit(&self) -> Result<(), LeaseLost> {
        let state = self.state.borrow().clone();
        match state {
            GateState::Open => Ok(()),
            GateState::Closed => Err(LeaseLost("this command holds no lease, so it may change nothing".into())),
            GateState::Lost(lost) => Err(lost),
            GateState::Held(lease) => {
                let result = lease.permit(self.margin).await;
                if let Err(lost) = &result {
                    self.lose(&lease, lost);
                }
                result
            }
        }
    }

    /// Returns the reason once the attached lease is lost. Never returns for a gate without a lease.
    pub async fn lost(&self) -> LeaseLost {
        let mut changes = self.state.subscribe();
        loop {
            let state = changes.borrow_and_update().clone();
            match state {
                GateState::Lost(lost) => return lost,
                GateState::Held(lease) => tokio::select! {
                    lost = lease.lost() => self.lose(&lease, &lost),
                    _ = changes.changed() => {}
                },
                GateState::Open | GateState::Closed => {
                    let _ = changes.changed().await;
                }
            }
        }
    }

    /// Returns the reason if the attached lease is lost.
    pub(crate) fn is_lost(&self) -> Option<LeaseLost> {
        match &*self.state.borrow() {
            GateState::Lost(lost) => Some(lost.clone()),
            _ => None,
        }
    }

    /// Permits calls for as long as the lease is held.
    pub(crate) fn attach(&self, lease: Arc<dyn Lease>) {
        self.state.send_replace(GateState::Held(lease));
    }

    /// Permits no further call.
    pub(crate) fn close(&self) {
        self.state.send_replace(GateState::Closed);
    }

    fn lose(&self, lost_lease: &Arc<dyn Lease>, lost: &LeaseLost) {
        self.state.send_if_modified(|state| match state {
            GateState::Held(lease) if Arc::ptr_eq(lease, lost_lease) => {
                *state = GateState::Lost(lost.clone());
                true
            }
            _ => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_lease_names_its_holder_and_its_end() {
        let holder = LeaseHolder {
            id: "a".into(),
            host: "ci-3".into(),
            pid: 4711,
            user: "build".into(),
            run: Some("99".into()),
            command: "reconcile --once".into(),
            since: 1_796_098_424,
        };
        let info = LeaseInfo { fence: 7, holder: Some(holder), until: Some(1_796_098_489) };
        assert_eq!(
            info.to_string(),
            "`holdfast reconcile --once` (process 4711 on ci-3, user build, run 99) since 2026-12-01T04:13:44Z, until \
             2026-12-01T04:14:49Z unless it is renewed"
        );
        assert_eq!(LeaseInfo::default().to_string(), "another run, until that process ends");
    }

    #[tokio::test]
    async fn a_gate_without_a_lease_permits_nothing_and_an_open_one_everything() {
        assert!(LeaseGate::closed(Duration::ZERO).permit().await.is_err());
        assert!(LeaseGate::open().permit().await.is_ok());
    }
}
