//! The log lines: drift events, steps, holds, and the ends of passes.

use std::collections::BTreeSet;

use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::observed::KindRegion;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Cause, Plan, Step};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Failure;
use holdfast_engine::event::{Event, StepOutcome};
use holdfast_engine::pass::PassError;
use tracing::{debug, error, info, warn};

use crate::drift::{DriftEvent, DriftEventState};

/// The maximum length of a value in a log line, in characters: a policy can be a page long, and some log stores cut
/// lines at 16 KiB.
const MAX_VALUE_LENGTH: usize = 512;

/// The log of one stack in one environment: one line for each event.
pub(crate) struct Log {
    stack: String,
    env: String,
    /// The holds of the last plan: each is logged once.
    held: BTreeSet<(Address, Reason)>,
    /// The kinds and regions whose last observation failed: each failure is logged once, until the kind is observed.
    unobserved: BTreeSet<KindRegion>,
    /// True when the last reload of the document failed.
    has_document_errors: bool,
}

impl Log {
    pub(crate) fn new(stack: &str, env: &str) -> Log {
        Log {
            stack: stack.to_owned(),
            env: env.to_owned(),
            held: BTreeSet::new(),
            unobserved: BTreeSet::new(),
            has_document_errors: false,
        }
    }

    /// Logs the error of a pass that ended in one, because there is no event for it.
    pub(crate) fn error(&self, error: &PassError) {
        error!(target: "holdfast::pass", stack = self.stack, env = self.env, result = "error", %error, "pass");
    }

    /// Logs the first of several failed observations of a kind in a region, and the observation that ends them.
    fn observed(&mut self, kind_region: &KindRegion, failure: Option<&Failure>) {
        let (stack, env, kind, region) = (&self.stack, &self.env, kind_region.kind, kind_region.region.as_str());
        match failure {
            Some(error) if self.unobserved.insert(kind_region.clone()) => {
                warn!(target: "holdfast::observation", stack, env, kind, region, %error, "a kind cannot be observed, and its resources are held");
            }
            None if self.unobserved.remove(kind_region) => {
                info!(target: "holdfast::observation", stack, env, kind, region, "a kind is observed again");
            }
            _ => {}
        }
    }

    /// Logs the new holds of a plan: as a warning, if a person has to act.
    fn holds(&mut self, plan: &Plan) {
        let held = plan.holds.iter().map(|hold| (hold.address.clone(), hold.reason)).collect();
        let before = std::mem::replace(&mut self.held, held);
        for hold in plan.holds.iter().filter(|hold| !before.contains(&(hold.address.clone(), hold.reason))) {
            let (address, reason, message) = (&hold.address, hold.reason, &hold.message);
            if reason.needs_action() {
                warn!(target: "holdfast::hold", stack = self.stack, env = self.env, %address, ?reason, message);
            } else {
                info!(target: "holdfast::hold", stack = self.stack, env = self.env, %address, ?reason, message);
            }
        }
    }

    /// Logs a drift event that opened or ended.
    pub(crate) fn drift(&self, event: &DriftEvent) {
        let (address, kind, tier) = (&event.address, &*event.address.kind, event.tier.word());
        let fields: Vec<&str> = event.changes.iter().map(|change| change.path.as_str()).collect();
        let fields = fields.join(",");
        let (from, to) = (json(&event.changes, |c| &c.from), json(&event.changes, |c| &c.to));
        let cause = cause(event.cause);
        let done = event.state.word();
        let reason = match event.state {
            DriftEventState::Held(reason) => Some(tracing::field::debug(reason)),
            _ => None,
        };
        let (stack, env) = (&self.stack, &self.env);
        if event.state.is_open() {
            warn!(target: "holdfast::drift", stack, env, %address, kind, tier, fields, from, to, cause, done, reason, "drift");
        } else {
            info!(target: "holdfast::drift", stack, env, %address, kind, tier, fields, from, to, cause, done, "drift");
        }
    }

    fn step_ended(&self, step: &Step, outcome: StepOutcome, seconds: f64, failure: Option<&Failure>) {
        let (stack, env) = (&self.stack, &self.env);
        let (address, action, cause, outcome_word) =
            (&step.address, step.action.word(), cause(step.cause), outcome.word());
        let error = failure.map(tracing::field::display);
        match outcome {
            StepOutcome::Done => {
                info!(target: "holdfast::step", stack, env, %address, action, cause, outcome = outcome_word, seconds, "step");
            }
            StepOutcome::Retry => {
                warn!(target: "holdfast::step", stack, env, %address, action, cause, outcome = outcome_word, seconds, error, "step");
            }
            StepOutcome::Failed => {
                error!(target: "holdfast::step", stack, env, %address, action, cause, outcome = outcome_word, seconds, error, "step");
            }
        }
    }

    /// Logs an event of the engine. Drift events have lines of their own: see [`Log::drift`].
    pub(crate) fn on(&mut self, event: &Event<'_>) {
        let (stack, env) = (&self.stack, &self.env);
        match event {
            Event::PassBegan => debug!(target: "holdfast::pass", stack, env, "pass begins"),
            Event::Planned { plan, .. } => self.holds(plan),
            Event::Observed { kind_region, failure } => self.observed(kind_region, *failure),
            Event::StepBegan { step } => {
                let (address, action) = (&step.address, step.action.word());
                debug!(target: "holdfast::step", stack, env, %address, action, "step begins");
            }
            Event::StepEnded { step, outcome, duration, failure } => {
                self.step_ended(step, *outcome, duration.as_secs_f64(), *failure);
            }
            Event::Waiting { addresses, pause } => {
                let seconds = pause.as_secs_f64();
                debug!(target: "holdfast::pass", stack, env, resources = addresses.len(), seconds, "waiting");
            }
            Event::WaitingForLease { holder } => {
                warn!(target: "holdfast::pass", stack, env, %holder, "another run holds the lease; waiting for it");
            }
            Event::PassEnded { report } => {
                let (result, seconds) = (report.word(), report.seconds);
                let (plans, calls, holds) = (report.plans, report.calls, report.plan.holds.len());
                let steps = report.results.len();
                if result == "failed" {
                    warn!(target: "holdfast::pass", stack, env, result, seconds, plans, steps, holds, awsCalls = calls, "pass");
                } else {
                    info!(target: "holdfast::pass", stack, env, result, seconds, plans, steps, holds, awsCalls = calls, "pass");
                }
            }
            Event::Reloaded { error: None } if self.has_document_errors => {
                self.has_document_errors = false;
                info!(target: "holdfast::document", stack = self.stack, env = self.env, "the document has no errors any more, and is in force");
            }
            Event::Reloaded { error: None } => {
                info!(target: "holdfast::document", stack, env, "the document changed and was reloaded");
            }
            Event::Reloaded { error: Some(error) } => {
                self.has_document_errors = true;
                error!(target: "holdfast::document", stack = self.stack, env = self.env, error, "the document changed and has errors; the last valid document remains in force");
            }
        }
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Drift => "drift",
        Cause::Edit => "edit",
        Cause::Missing => "missing",
        Cause::Unattributed => "unattributed",
    }
}

/// Returns the values of all fields as one JSON object, by path. A value that is too long is cut and becomes a string.
fn json<'a>(changes: &'a [Change], side: impl Fn(&'a Change) -> &'a Value) -> String {
    let values = changes.iter().map(|change| {
        let value = side(change).json();
        let text = value.to_string();
        let length = text.chars().count();
        if length <= MAX_VALUE_LENGTH {
            return (change.path.clone(), value);
        }
        let start: String = text.chars().take(MAX_VALUE_LENGTH).collect();
        (change.path.clone(), format!("{start}… ({length} characters)").into())
    });
    serde_json::Value::Object(values.collect()).to_string()
}
