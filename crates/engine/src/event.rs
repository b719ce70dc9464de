//! Events: the progress of a pass, for metrics, logs and the terminal.

use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::observed::KindRegion;
use holdfast_core::plan::{Plan, Step};

use crate::failure::Failure;
use crate::lease::LeaseInfo;
use crate::report::PassReport;
pub use crate::report::{StepOutcome, StepResult};

/// An event of a pass or of the daemon.
#[derive(Debug)]
pub enum Event<'a> {
    /// A pass began.
    PassBegan,
    /// A pass was planned.
    Planned {
        /// The plan.
        plan: &'a Plan,
        /// True for the first plan of the pass: its differences are not the effect of the pass's own steps.
        first: bool,
    },
    /// A kind was observed in a region, or the observation failed.
    Observed {
        /// The kind and the region.
        kind_region: &'a KindRegion,
        /// The failure, unless the observation succeeded.
        failure: Option<&'a Failure>,
    },
    /// An attempt at a step began.
    StepBegan {
        /// The step.
        step: &'a Step,
    },
    /// An attempt at a step ended.
    StepEnded {
        /// The step.
        step: &'a Step,
        /// The outcome of the attempt.
        outcome: StepOutcome,
        /// The duration of the attempt.
        duration: Duration,
        /// The failure, unless the attempt succeeded.
        failure: Option<&'a Failure>,
    },
    /// No step can start and no observation is due: the pass waits.
    Waiting {
        /// The addresses that the pass waits for. Empty when it waits for the backoff of a failed step.
        addresses: &'a [Address],
        /// The time until the next observation.
        pause: Duration,
    },
    /// Another run holds the lease, and the pass waits for it. Not repeated while the same process holds it.
    WaitingForLease {
        /// The lease.
        holder: &'a LeaseInfo,
    },
    /// A pass ended without a pass error.
    PassEnded {
        /// The report of the pass.
        report: &'a PassReport,
    },
    /// The daemon reloaded the document, because it changed.
    Reloaded {
        /// The errors of the document, if it has any. The last valid document then remains in force.
        error: Option<&'a str>,
    },
}

/// A receiver of events. It must not block.
pub trait EventSink: Send + Sync {
    /// Receives an event.
    fn on(&self, event: &Event<'_>);
}

/// An event sink that discards every event.
pub struct NoopSink;

impl EventSink for NoopSink {
    fn on(&self, _: &Event<'_>) {}
}

/// Several event sinks. Each receives every event, in their order.
impl EventSink for Vec<std::sync::Arc<dyn EventSink>> {
    fn on(&self, event: &Event<'_>) {
        self.iter().for_each(|event_sink| event_sink.on(event));
    }
}
