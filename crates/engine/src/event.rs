//! What happens, as it happens: for metrics, logs and the terminal.

use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::plan::{Action, Plan, Step};
use serde::Serialize;

use crate::cloud::Failure;
use crate::pass::Report;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A pass began.
    PassBegan,
    /// The first plan of a pass: what was found.
    Found {
        /// It.
        plan: &'a Plan,
    },
    /// A later plan of the same pass.
    Planned {
        /// It.
        plan: &'a Plan,
    },
    /// A step began.
    StepBegan {
        /// It.
        step: &'a Step,
    },
    /// A step ended.
    StepEnded {
        /// It.
        step: &'a Step,
        /// What came of it.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
        /// Why it failed.
        failure: Option<&'a Failure>,
    },
    /// Nothing can be done for the moment but wait.
    Waiting {
        /// For whom.
        addresses: &'a [Address],
        /// How long until the next look.
        pause: Duration,
    },
    /// A pass ended.
    PassEnded {
        /// How.
        report: &'a Report,
    },
    /// The document was read again because it changed; the error, if it cannot be used.
    Reloaded {
        /// What is wrong with it.
        error: Option<&'a str>,
    },
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It failed for the moment and is tried again.
    Retry,
    /// It failed.
    Failed,
}

impl Outcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Retry => "retry",
            Outcome::Failed => "failed",
        }
    }
}

/// Somebody who wants to know. Must not block.
pub trait Watcher: Send + Sync {
    /// Something happened.
    fn on(&self, event: &Event<'_>);
}

/// Nobody.
pub struct Nobody;

impl Watcher for Nobody {
    fn on(&self, _: &Event<'_>) {}
}

/// Several watchers, told one after the other.
impl Watcher for Vec<std::sync::Arc<dyn Watcher>> {
    fn on(&self, event: &Event<'_>) {
        self.iter().for_each(|watcher| watcher.on(event));
    }
}

/// What a step did, in the report of a pass.
#[derive(Clone, Debug, Serialize)]
pub struct StepResult {
    /// To whom.
    pub address: Address,
    /// What.
    pub action: Action,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
