//! The options of a pass: its grants, its wait timeout, and the signal that stops it.

use std::future::pending;
use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::plan::{Plan, PlanPolicy};
use tokio::sync::watch;

use crate::report::PassError;

/// A plan that a person approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedPlan {
    /// The digest of the plan: [`Plan::digest`](holdfast_core::plan::Plan::digest).
    pub digest: String,
    /// The digest of its document.
    pub document: String,
}

impl ApprovedPlan {
    /// Returns the approval of a plan.
    pub fn of(plan: &Plan) -> ApprovedPlan {
        ApprovedPlan { digest: plan.digest(), document: plan.document.clone() }
    }

    /// Checks that a plan is the approved one.
    ///
    /// # Errors
    /// Returns an error that names what changed since the approval.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), PassError> {
        match () {
            () if plan.document != self.document => Err(PassError::PlanOutdated("the document")),
            () if plan.digest() != self.digest => Err(PassError::PlanOutdated("the account")),
            () => Ok(()),
        }
    }
}

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
    /// The plan that a person approved: the pass makes no step if its first plan is another one. None makes every plan.
    pub approved: Option<ApprovedPlan>,
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

    /// Runs `work` until a stop is requested. Returns `None` after a stop, and drops the calls that have begun. For reads
    /// only: a call that changes something may have had its effect.
    pub(crate) async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stopped() => None,
            result = work => Some(result),
        }
    }

    /// Returns once a stop is requested. Never returns when the sender no longer exists.
    pub(crate) async fn stopped(&self) {
        if self.stop.clone().wait_for(|stop| *stop).await.is_err() {
            pending::<()>().await;
        }
    }
}
