//! The options of a pass: its grants, its wait timeout, and the signal that stops it.

use std::future::pending;
use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::plan::PlanPolicy;
use tokio::sync::watch;

/// The options of a pass.
#[derive(Clone, Debug)]
pub struct PassOptions {
    /// The grants, and the policy of the plan.
    pub policy: PlanPolicy,
    /// True for a full scan: the pass observes every kind in every configured region, which finds orphans of kinds that
    /// left the document.
    pub full_scan: bool,
    /// How long to wait for pending resources, from the beginning of the pass. Zero ends the pass as soon as no step
    /// can start.
    pub wait_timeout: Duration,
    /// Turns true when the pass is to stop.
    pub stop: watch::Receiver<bool>,
}

impl PassOptions {
    /// Makes a pass or dry run a full scan when the document grants `prune`: an orphan can only be deleted after it was
    /// observed.
    pub(crate) fn with_full_scan_for_prune(&self, document: &Document) -> PassOptions {
        PassOptions { full_scan: self.full_scan || document.policy.prune, ..self.clone() }
    }

    /// True once a stop is requested.
    pub(crate) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns once a stop is requested. Never returns when the sender no longer exists.
    pub(crate) async fn stopped(&self) {
        if self.stop.clone().wait_for(|stop| *stop).await.is_err() {
            pending::<()>().await;
        }
    }
}
