//! The end of a pass: its report, or its error.

use std::collections::BTreeMap;
use std::io;

use holdfast_core::address::Address;
use holdfast_core::inventory::proof::Records;
use holdfast_core::observed::{KindRegion, Observation};
use holdfast_core::plan::{Action, Plan};
use serde::Serialize;

use crate::failure::Failure;
use crate::lease::{LeaseInfo, LeaseLost};

/// The report of a pass.
#[derive(Clone, Debug, Serialize)]
pub struct PassReport {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub env: String,
    /// True when the live resources match the document, apart from holds that do not block.
    pub converged: bool,
    /// True when a stop ended the pass early.
    pub stopped: bool,
    /// The number of plans that the pass made.
    pub plans: usize,
    /// The results of the steps, in the order in which they ended.
    pub results: Vec<StepResult>,
    /// The last plan: the steps and holds that are left.
    #[serde(skip)]
    pub plan: Plan,
    /// The kinds that could not be observed in a region, each with the error.
    #[serde(skip)]
    pub unobserved: BTreeMap<KindRegion, String>,
    /// The number of calls to AWS.
    #[serde(rename = "awsCalls")]
    pub calls: u64,
    /// The duration of the pass, in seconds.
    pub seconds: f64,
}

impl PassReport {
    /// Returns the word for how the pass ended, as in metrics and log lines.
    pub fn word(&self) -> &'static str {
        match self {
            PassReport { stopped: true, .. } => "stopped",
            PassReport { converged: true, .. } => "converged",
            report if report.failed() => "failed",
            _ => "held",
        }
    }

    /// True when a step failed and was not retried.
    pub fn failed(&self) -> bool {
        self.results.iter().any(|result| result.outcome == StepOutcome::Failed)
    }
}

/// The result of a dry run.
#[derive(Debug)]
pub struct DryRun {
    /// The plan: the steps that a pass would make.
    pub plan: Plan,
    /// The observation that the plan is made from.
    pub observation: Observation,
    /// The store's records of the live resources, which the plan was made with.
    pub records: Records,
    /// The number of calls to AWS.
    pub calls: u64,
}

/// The outcome of an attempt at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    /// The step succeeded.
    Done,
    /// The step failed and will be retried.
    Retry,
    /// The step failed and is not retried in this pass.
    Failed,
}

impl StepOutcome {
    /// Returns the word for the outcome, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            StepOutcome::Done => "done",
            StepOutcome::Retry => "retry",
            StepOutcome::Failed => "failed",
        }
    }
}

/// The result of a step, in the report of a pass.
#[derive(Clone, Debug, Serialize)]
pub struct StepResult {
    /// The address of the resource.
    pub address: Address,
    /// The action.
    pub action: Action,
    /// The outcome of the last attempt.
    pub outcome: StepOutcome,
    /// The duration of the last attempt, in seconds.
    pub seconds: f64,
    /// The failure, unless the step succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The error of a pass: it changed nothing, or it could not write the history.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The account of the credentials is unknown.
    #[error("cannot determine the account of these credentials: {0}")]
    Identity(Box<Failure>),
    /// The credentials are for another account than the environment's.
    #[error(
        "these credentials are for account {actual}, and the environment is for account {desired}; nothing was changed"
    )]
    WrongAccount {
        /// The account of the environment.
        desired: String,
        /// The account of the credentials.
        actual: String,
    },
    /// The history exists and cannot be read, or the history cannot be written.
    #[error("the store cannot be used: {0}; move its files away to continue without the history")]
    Store(io::Error),
    /// The plan of the pass is not the plan that was approved.
    #[error("{0} changed since the plan was made, so the plan is outdated; nothing was changed; make a new plan")]
    PlanOutdated(&'static str),
    /// A stop was requested before the account was observed.
    #[error("stopped before the account was observed; nothing was changed")]
    Stopped,
    /// Another run holds the lease.
    #[error(
        "another run is writing to {stack}/{env}: the lease is held by {holder}; nothing was changed; wait for it with \
         `--lock-timeout 10m`, or free the lease of a run that has died with `{unlock_command}`"
    )]
    Locked {
        /// The stack.
        stack: String,
        /// The environment.
        env: String,
        /// The command that frees the lease.
        unlock_command: String,
        /// The lease.
        holder: Box<LeaseInfo>,
    },
    /// This run lost the lease.
    #[error(
        "this run lost the lease and stopped before its next change: {0}; the steps that ended are in effect, and the \
         next run continues from the live resources"
    )]
    LeaseLost(LeaseLost),
    /// No kind could be observed in any region.
    #[error("nothing could be observed, so nothing was done: {0}")]
    ObservationFailed(String),
}
