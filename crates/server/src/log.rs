//! The watcher that writes log lines: drift events, steps, holds, ends of passes.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Cause, Plan, Step};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Failure;
use holdfast_engine::event::{self, Outcome, Watcher};
use holdfast_engine::pass::{PassError, Report};
use tracing::{debug, error, info, warn};

use crate::drift::{self, Done, Drifts};
use crate::standing::result;

/// The longest value in a log line: a whole policy is a page, and some log stores cut lines at 16 KiB.
const LONGEST: usize = 512;

/// Writes one line for each thing that a reader of logs may look for. Metrics have one of their own;
/// this is for runs without them.
pub struct Log {
    stack: String,
    env: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    drifts: Drifts,
    /// The holds of the last plan: each is told once.
    held: BTreeSet<(Address, Reason)>,
}

impl Log {
    /// The log of a stack and environment.
    pub fn new(stack: &str, env: &str) -> Log {
        Log { stack: stack.to_owned(), env: env.to_owned(), inner: Mutex::default() }
    }

    /// A pass ended: for the errors, of which there is no event.
    pub fn ended(&self, end: Result<&Report, &PassError>) {
        if let Err(why) = end {
            error!(target: "holdfast::pass", stack = self.stack, env = self.env, result = "error", error = %why, "pass");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, plan: &Plan, first: bool) {
        let (turned, fresh) = {
            let mut inner = self.lock();
            let turned = inner.drifts.see(plan, first);
            let held: BTreeSet<_> = plan.holds.iter().map(|hold| (hold.address.clone(), hold.reason)).collect();
            let before = std::mem::replace(&mut inner.held, held);
            let is_fresh = |hold: &&Hold| !before.contains(&(hold.address.clone(), hold.reason));
            (turned, plan.holds.iter().filter(is_fresh).collect::<Vec<_>>())
        };
        turned.iter().for_each(|event| self.drift(event));
        for hold in fresh {
            let (address, reason, message) = (&hold.address, hold.reason, &hold.message);
            info!(target: "holdfast::hold", stack = self.stack, env = self.env, %address, ?reason, message);
        }
    }

    fn drift(&self, event: &drift::Event) {
        let (address, kind, tier) = (&event.address, &*event.address.kind, event.tier.word());
        let fields: Vec<&str> = event.changes.iter().map(|change| change.path.as_str()).collect();
        let fields = fields.join(",");
        let (from, to) = (json(&event.changes, |c| &c.from), json(&event.changes, |c| &c.to));
        let cause = cause(event.cause);
        let done = event.done.word();
        let reason = match event.done {
            Done::Held(reason) => Some(tracing::field::debug(reason)),
            _ => None,
        };
        let (stack, env) = (&self.stack, &self.env);
        if event.done.is_news() {
            warn!(target: "holdfast::drift", stack, env, %address, kind, tier, fields, from, to, cause, done, reason, "drift");
        } else {
            info!(target: "holdfast::drift", stack, env, %address, kind, tier, fields, from, to, cause, done, "drift");
        }
    }

    fn step_ended(&self, step: &Step, outcome: Outcome, seconds: f64, failure: Option<&Failure>) {
        let (stack, env) = (&self.stack, &self.env);
        let (address, action, cause, outcome_word) =
            (&step.address, step.action.word(), cause(step.cause), outcome.word());
        let why = failure.map(tracing::field::display);
        match outcome {
            Outcome::Done => {
                info!(target: "holdfast::step", stack, env, %address, action, cause, outcome = outcome_word, seconds, "step");
            }
            Outcome::Retry => {
                warn!(target: "holdfast::step", stack, env, %address, action, cause, outcome = outcome_word, seconds, error = why, "step");
            }
            Outcome::Failed => {
                error!(target: "holdfast::step", stack, env, %address, action, cause, outcome = outcome_word, seconds, error = why, "step");
            }
        }
    }
}

impl Watcher for Log {
    fn on(&self, event: &event::Event<'_>) {
        let (stack, env) = (&self.stack, &self.env);
        match event {
            event::Event::PassBegan => debug!(target: "holdfast::pass", stack, env, "pass begins"),
            event::Event::Found { plan } => self.see(plan, true),
            event::Event::Planned { plan } => self.see(plan, false),
            event::Event::StepBegan { step } => {
                let (address, action) = (&step.address, step.action.word());
                debug!(target: "holdfast::step", stack, env, %address, action, "step begins");
            }
            event::Event::StepEnded { step, outcome, took, failure } => {
                if *outcome == Outcome::Done {
                    self.lock().drifts.did(step);
                }
                self.step_ended(step, *outcome, took.as_secs_f64(), *failure);
            }
            event::Event::Waiting { addresses, pause } => {
                let seconds = pause.as_secs_f64();
                debug!(target: "holdfast::pass", stack, env, resources = addresses.len(), seconds, "waiting");
            }
            event::Event::PassEnded { report } => {
                let (result, seconds) = (result(report), report.seconds);
                let (plans, calls, holds) = (report.plans, report.calls, report.plan.holds.len());
                let steps = report.results.len();
                if result == "failed" {
                    warn!(target: "holdfast::pass", stack, env, result, seconds, plans, steps, holds, awsCalls = calls, "pass");
                } else {
                    info!(target: "holdfast::pass", stack, env, result, seconds, plans, steps, holds, awsCalls = calls, "pass");
                }
            }
            event::Event::Reloaded { error: None } => {
                info!(target: "holdfast::document", stack, env, "the document changed and was read again");
            }
            event::Event::Reloaded { error: Some(why) } => {
                error!(target: "holdfast::document", stack, env, error = why, "the document changed and cannot be used; the last good one stays");
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

/// The values of all fields as one JSON object by path; a value that is too long is cut, and is then a string.
fn json<'a>(changes: &'a [Change], side: impl Fn(&'a Change) -> &'a Value) -> String {
    let values = changes.iter().map(|change| {
        let value = side(change).json();
        let text = value.to_string();
        let length = text.chars().count();
        if length <= LONGEST {
            return (change.path.clone(), value);
        }
        let start: String = text.chars().take(LONGEST).collect();
        (change.path.clone(), format!("{start}… ({length} characters)").into())
    });
    serde_json::Value::Object(values.collect()).to_string()
}
