//! What this process did and has not yet seen the effect of: so that nothing is made twice and nothing fights.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::observed::{Observation, Place};
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Plan, Step};
use tokio::time::Instant;

use crate::cloud::Failure;
use crate::timing::Timing;

/// The ledger of a process: it outlives a pass.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    made: BTreeMap<Address, Made>,
    doubtful: BTreeMap<Address, Instant>,
    changed: BTreeMap<Address, Changed>,
    failed: BTreeMap<Address, Failed>,
}

/// Something that was created and may not be visible yet.
#[derive(Debug)]
struct Made {
    id: String,
    place: Place,
    until: Instant,
}

/// A change that was made.
#[derive(Debug)]
struct Changed {
    fingerprint: String,
    until: Instant,
    /// How often it was made without once being seen to hold.
    unseen: u32,
    /// When it was made, within the last hour.
    times: VecDeque<Instant>,
}

/// A step that failed.
#[derive(Debug)]
struct Failed {
    fingerprint: String,
    attempts: u32,
    not_before: Instant,
    last: Failure,
}

/// Whether a step may start.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Go,
    /// Not before then.
    Later(Duration),
    /// Never: it failed for good.
    Never,
}

impl Ledger {
    /// Records a create that succeeded.
    pub(crate) fn made(&mut self, address: &Address, place: Place, id: String, lag: Duration) {
        self.doubtful.remove(address);
        self.made.insert(address.clone(), Made { id, place, until: Instant::now() + lag });
    }

    /// Records a create that may have happened: nobody makes it again before the window is past.
    pub(crate) fn doubt(&mut self, address: &Address, lag: Duration) {
        self.doubtful.insert(address.clone(), Instant::now() + lag);
    }

    /// Records a change that succeeded.
    pub(crate) fn changed(&mut self, step: &Step, lag: Duration, timing: Timing) {
        let now = Instant::now();
        let fingerprint = fingerprint(step);
        let entry = self.changed.entry(step.address.clone()).or_insert_with(|| Changed {
            fingerprint: fingerprint.clone(),
            until: now,
            unseen: 0,
            times: VecDeque::new(),
        });
        if entry.fingerprint != fingerprint {
            *entry = Changed { fingerprint, until: now, unseen: 0, times: VecDeque::new() };
        }
        entry.until = now + lag;
        entry.unseen += 1;
        entry.times.push_back(now);
        entry.times.retain(|at| now.duration_since(*at) < timing.fight_window());
    }

    /// Records a failure. Returns true when the step will be tried again.
    pub(crate) fn failed(&mut self, step: &Step, failure: &Failure, timing: Timing) -> bool {
        use crate::cloud::Class;
        let fingerprint = fingerprint(step);
        let attempts = match self.failed.get(&step.address) {
            Some(failed) if failed.fingerprint == fingerprint => failed.attempts + 1,
            _ => 1,
        };
        let attempts = if failure.class == Class::Terminal { Timing::ATTEMPTS } else { attempts };
        let not_before = Instant::now() + timing.retry(attempts - 1);
        let failed = Failed { fingerprint, attempts, not_before, last: failure.clone() };
        self.failed.insert(step.address.clone(), failed);
        attempts < Timing::ATTEMPTS
    }

    /// Forgets the failures: a new pass tries again.
    pub(crate) fn begin_pass(&mut self) {
        self.failed.clear();
    }

    /// Forgets an address's failure: its step was done.
    pub(crate) fn succeeded(&mut self, address: &Address) {
        self.failed.remove(address);
    }

    /// Whether a step may start now.
    pub(crate) fn verdict(&self, step: &Step) -> Verdict {
        match self.failed.get(&step.address) {
            Some(failed) if failed.fingerprint != fingerprint(step) => Verdict::Go,
            Some(failed) if failed.attempts >= Timing::ATTEMPTS => Verdict::Never,
            Some(failed) => match failed.not_before.checked_duration_since(Instant::now()) {
                Some(pause) if !pause.is_zero() => Verdict::Later(pause),
                _ => Verdict::Go,
            },
            None => Verdict::Go,
        }
    }

    /// The last failure of an address.
    pub(crate) fn failure(&self, address: &Address) -> Option<&Failure> {
        self.failed.get(address).map(|failed| &failed.last)
    }

    /// What must not be planned, given what is now seen.
    pub(crate) fn holds(&mut self, observation: &Observation) -> BTreeMap<Address, Hold> {
        let now = Instant::now();
        let seen = |made: &Made| observation.found.get(&made.place).is_some_and(|found| found.iter().any(|o| o.id == made.id));
        self.made.retain(|_, made| now < made.until && !seen(made));
        self.doubtful.retain(|_, until| now < *until);
        let mut holds = BTreeMap::new();
        for (address, made) in &self.made {
            let message = format!("{} was made a moment ago and is not visible yet", made.id);
            holds.insert(address.clone(), hold(address, Reason::Settling, message));
        }
        for address in self.doubtful.keys() {
            let message = "a create may or may not have happened; it is looked for until its window is past".to_owned();
            holds.insert(address.clone(), hold(address, Reason::AmbiguousCreate, message));
        }
        holds
    }

    /// Learns from a plan: what holds is no longer in doubt, and what comes back unchanged is held.
    /// Returns the holds that the plan has to be made again with.
    pub(crate) fn learn(&mut self, plan: &Plan) -> BTreeMap<Address, Hold> {
        let now = Instant::now();
        let mut holds = BTreeMap::new();
        for address in plan.live.iter().filter(|(_, live)| live.converged).map(|(address, _)| address) {
            self.doubtful.remove(address);
            self.made.remove(address);
            if let Some(changed) = self.changed.get_mut(address) {
                changed.unseen = 0;
                changed.until = now;
            }
        }
        for step in &plan.steps {
            let Some(changed) = self.changed.get(&step.address).filter(|c| c.fingerprint == fingerprint(step)) else { continue };
            let held = if now < changed.until && changed.unseen > 0 {
                (Reason::Settling, "it was changed a moment ago; reads may lag behind".to_owned())
            } else if changed.unseen >= 2 {
                (Reason::Stalled, "the same change was made twice and did not take; AWS or somebody else undoes it".to_owned())
            } else if changed.times.len() >= Timing::MENDS_AN_HOUR {
                let message = format!("the same change was made {} times in an hour; somebody else undoes it", changed.times.len());
                (Reason::Stalled, message)
            } else {
                continue;
            };
            holds.insert(step.address.clone(), hold(&step.address, held.0, held.1));
        }
        holds
    }
}

fn hold(address: &Address, reason: Reason, message: String) -> Hold {
    Hold { address: address.clone(), reason, message, waits_for: None }
}

/// What a step would do, as text: two steps with the same are the same.
fn fingerprint(step: &Step) -> String {
    let changes: Vec<String> = step.changes.iter().map(|c| format!("{}={}", c.path, c.to)).collect();
    let target = match step.deed.as_ref().map(|deed| &deed.op) {
        Some(crate::cloud::Op::Delete { live }) => live.id.as_str(),
        _ => "",
    };
    format!("{} {} {}", step.action.word(), target, changes.join(";"))
}
