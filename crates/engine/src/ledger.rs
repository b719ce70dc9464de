//! What this process did and has not yet seen the effect of: so that nothing is made twice and nothing fights.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::observed::{Observation, Observed, Phase, Place};
use holdfast_core::op::Op;
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Plan, Step};
use holdfast_core::resolve;
use holdfast_core::value::Value;
use tokio::time::Instant;

use crate::cloud::{Class, Failure};
use crate::timing::Timing;

/// A step, whenever it comes back: its address, and what it would do.
type Key = (Address, String);

/// The ledger of a process: it outlives a pass.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// When the last look at each place began: windows are judged by that, for a look shows nothing younger.
    seen: BTreeMap<Place, Instant>,
    made: BTreeMap<Address, Made>,
    doubtful: BTreeMap<Address, Doubt>,
    deleted: BTreeMap<(Place, String), Instant>,
    done: BTreeMap<Key, Done>,
    failed: BTreeMap<Key, Failed>,
    at_work: BTreeSet<Address>,
}

/// Something that was created: while reads may lag, one that does not show it proves nothing.
#[derive(Debug)]
struct Made {
    id: String,
    name: Option<String>,
    place: Place,
    until: Instant,
}

/// A create that may have happened.
#[derive(Debug)]
struct Doubt {
    place: Place,
    /// The ids that the address had before.
    known: BTreeSet<String>,
    until: Instant,
}

/// A step that succeeded.
#[derive(Debug)]
struct Done {
    place: Place,
    until: Instant,
    /// How often it was done without once being seen to hold.
    unseen: u32,
    /// When it was done, within the last hour.
    times: VecDeque<Instant>,
}

/// A step that failed.
#[derive(Debug)]
struct Failed {
    attempts: u32,
    not_before: Instant,
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
    pub(crate) fn made(&mut self, address: &Address, place: Place, id: String, name: Option<&str>, lag: Duration) {
        self.doubtful.remove(address);
        self.at_work.insert(address.clone());
        // What has a name for its id comes back with the same one.
        self.deleted.remove(&(place.clone(), id.clone()));
        let made = Made { id, name: name.map(str::to_owned), place, until: Instant::now() + lag };
        self.made.insert(address.clone(), made);
    }

    /// Records a create that may have happened: nobody makes it again before it is seen or the window is past.
    pub(crate) fn doubt(&mut self, address: &Address, place: Place, known: BTreeSet<String>, lag: Duration) {
        self.at_work.insert(address.clone());
        self.doubtful.insert(address.clone(), Doubt { place, known, until: Instant::now() + lag });
    }

    /// Records a deletion that succeeded: reads may show it for a while.
    pub(crate) fn deleted(&mut self, place: Place, id: String, lag: Duration) {
        self.deleted.insert((place, id), Instant::now() + lag);
    }

    /// Records that an address is being replaced: what differs there is no drift.
    pub(crate) fn at_work(&mut self, address: &Address) {
        self.at_work.insert(address.clone());
    }

    /// The addresses that this process made or is replacing, and has not seen converged.
    pub(crate) fn working(&self) -> BTreeSet<Address> {
        self.at_work.clone()
    }

    /// Records a step that succeeded.
    pub(crate) fn done(&mut self, step: &Step, place: Place, lag: Duration) {
        let now = Instant::now();
        let key = key(step);
        self.failed.remove(&key);
        let fresh = || Done { place, until: now, unseen: 0, times: VecDeque::new() };
        let done = self.done.entry(key).or_insert_with(fresh);
        done.until = now + lag;
        done.unseen += 1;
        done.times.push_back(now);
    }

    /// Records a failure. Returns true when the step will be tried again.
    pub(crate) fn failed(&mut self, step: &Step, failure: &Failure, timing: Timing) -> bool {
        let key = key(step);
        let attempts = match failure.class {
            Class::Terminal => Timing::ATTEMPTS,
            _ => self.failed.get(&key).map_or(0, |failed| failed.attempts) + 1,
        };
        let not_before = Instant::now() + timing.retry(attempts - 1);
        self.failed.insert(key, Failed { attempts, not_before });
        attempts < Timing::ATTEMPTS
    }

    /// Forgets the failures, for a new pass tries again, and what was done too long ago to be a fight.
    pub(crate) fn begin_pass(&mut self, timing: Timing) {
        let now = Instant::now();
        self.failed.clear();
        self.done.retain(|_, done| {
            done.times.retain(|at| now.duration_since(*at) < timing.fight_window());
            !done.times.is_empty()
        });
    }

    /// Whether a step may start now.
    pub(crate) fn verdict(&self, step: &Step) -> Verdict {
        let key = key(step);
        match self.failed.get(&key) {
            Some(failed) if failed.attempts >= Timing::ATTEMPTS => Verdict::Never,
            // A deletion is tried once, since much can be deleted whatever AWS is doing to it. What refused is looked
            // at until it is ready, and not tried.
            Some(_) if is_updating(step) => Verdict::Later(Duration::ZERO),
            Some(failed) => match failed.not_before.checked_duration_since(Instant::now()) {
                Some(pause) if !pause.is_zero() => Verdict::Later(pause),
                _ => Verdict::Go,
            },
            None => Verdict::Go,
        }
    }

    /// Records that a place was looked at, and marks what this process deleted and reads may still show as being on its
    /// way out.
    pub(crate) fn seen(&mut self, place: Place, at: Instant, observation: &mut Observation) {
        self.seen.insert(place, at);
        let seen = &self.seen;
        self.deleted.retain(|(place, _), until| is_open(seen, place, *until));
        for (place, id) in self.deleted.keys() {
            for observed in observation.found.get_mut(place).into_iter().flatten() {
                if observed.id == *id {
                    observed.phase = Phase::Deleting;
                }
                if let Value::Map(status) = &mut observed.status
                    && let Some(Value::List(revisions)) = status.get_mut("revisions")
                {
                    revisions.retain(|revision| revision.text() != Some(id));
                }
            }
        }
    }

    /// What must not be planned, given what is now seen.
    pub(crate) fn holds(&mut self, observation: &Observation) -> BTreeMap<Address, Hold> {
        let looks = &self.seen;
        self.made.retain(|_, made| is_open(looks, &made.place, made.until));
        self.doubtful.retain(|_, doubt| is_open(looks, &doubt.place, doubt.until));
        let there = self.doubtful.iter().filter_map(|(a, doubt)| Some((a.clone(), found(observation, a, doubt)?)));
        there.collect::<Vec<_>>().into_iter().for_each(|(address, id)| self.confirm(&address, id));
        let invisible = self.invisible(observation).map(|(address, made)| {
            let message = format!("{} was made a moment ago and is not visible yet", made.id);
            (address, Reason::Settling, message)
        });
        let doubtful = self.doubtful.keys().map(|address| {
            let message = "a create may or may not have happened; it is looked for until its window is past";
            (address, Reason::AmbiguousCreate, message.to_owned())
        });
        invisible.chain(doubtful).map(|(a, reason, message)| (a.clone(), hold(a, reason, message))).collect()
    }

    /// What was made and cannot be seen yet.
    fn invisible(&self, observation: &Observation) -> impl Iterator<Item = (&Address, &Made)> {
        let seen = |made: &Made| {
            let found = observation.found.get(&made.place);
            found.is_some_and(|found| found.iter().any(|o| o.id == made.id))
        };
        self.made.iter().filter(move |(_, made)| !seen(made))
    }

    /// The same, as a plan takes it.
    pub(crate) fn unseen(&self, observation: &Observation) -> BTreeMap<Address, resolve::Made> {
        let made = |made: &Made| resolve::Made { id: made.id.clone(), name: made.name.clone() };
        self.invisible(observation).map(|(address, it)| (address.clone(), made(it))).collect()
    }

    /// Ends the doubts about what a plan found without owner tags. Returns true when there were any.
    pub(crate) fn found(&mut self, plan: &Plan) -> bool {
        let new = |(address, doubt): (&Address, &Doubt)| {
            let id = &plan.live.get(address)?.id;
            (!doubt.known.contains(id)).then(|| (address.clone(), id.clone()))
        };
        let there: Vec<_> = self.doubtful.iter().filter_map(new).collect();
        let any = !there.is_empty();
        there.into_iter().for_each(|(address, id)| self.confirm(&address, id));
        any
    }

    /// A doubtful create did happen. What is seen now may be gone at the next look, as with any that was made.
    fn confirm(&mut self, address: &Address, id: String) {
        if let Some(doubt) = self.doubtful.remove(address) {
            let made = Made { id, name: None, place: doubt.place, until: doubt.until };
            self.made.insert(address.clone(), made);
        }
    }

    /// Learns from a plan: what holds is no longer in doubt, and what comes back unchanged is held.
    /// Returns the holds that the plan has to be made again with.
    pub(crate) fn learn(&mut self, plan: &Plan) -> BTreeMap<Address, Hold> {
        for address in plan.live.iter().filter(|(_, live)| live.converged).map(|(address, _)| address) {
            self.at_work.remove(address);
            self.done.iter_mut().filter(|((of, _), _)| of == address).for_each(|(_, done)| done.unseen = 0);
        }
        let mut holds = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| step.action != Action::Delete) {
            let Some(done) = self.done.get(&key(step)) else { continue };
            let (reason, message) = if is_open(&self.seen, &done.place, done.until) {
                (Reason::Settling, "it was changed a moment ago; reads may lag behind".to_owned())
            } else if done.unseen >= 2 {
                let message = "the same change was made twice and did not take; AWS or somebody else undoes it";
                (Reason::Stalled, message.to_owned())
            } else if done.times.len() >= Timing::MENDS_AN_HOUR {
                let times = done.times.len();
                (Reason::Stalled, format!("the same change was made {times} times in an hour; somebody else undoes it"))
            } else {
                continue;
            };
            holds.insert(step.address.clone(), hold(&step.address, reason, message));
        }
        holds
    }

    /// Holds the deletions that were made twice and did not take, and what comes after them.
    pub(crate) fn give_up(&self, mut plan: Plan) -> Plan {
        let in_vain = |step: &Step| {
            step.action == Action::Delete && self.done.get(&key(step)).is_some_and(|done| done.unseen >= 2)
        };
        let message = "it was deleted twice and is still there; look for what keeps it, and delete it by hand";
        while let Some(at) = plan.steps.iter().position(in_vain) {
            let step = plan.steps.remove(at);
            plan.holds.push(hold(&step.address, Reason::Stalled, message.to_owned()));
            let mut stays = vec![step.address];
            while let Some(first) = stays.pop() {
                if plan.steps.iter().any(|step| step.address == first) {
                    continue;
                }
                for step in plan.steps.extract_if(.., |step| step.after.contains(&first)) {
                    let waits_for = Some(first.clone());
                    let message = format!("it comes after {first}, which is held");
                    let waits = Hold { waits_for, ..hold(&step.address, Reason::WaitsFor, message) };
                    plan.holds.push(waits);
                    stays.push(step.address);
                }
            }
        }
        plan.holds.sort_by(|a, b| a.address.cmp(&b.address));
        plan
    }
}

/// True while the last look at a place may lag behind what happened there.
fn is_open(seen: &BTreeMap<Place, Instant>, place: &Place, until: Instant) -> bool {
    seen.get(place).is_none_or(|at| *at < until)
}

/// The id of what is there of that address and was not before.
fn found(observation: &Observation, address: &Address, doubt: &Doubt) -> Option<String> {
    let is_of = |o: &&Observed| o.owner().is_some_and(|owner| owner.address == address.to_string());
    let mut found = observation.found.get(&doubt.place).into_iter().flatten().filter(is_of);
    found.find(|o| !doubt.known.contains(&o.id)).map(|o| o.id.clone())
}

fn hold(address: &Address, reason: Reason, message: String) -> Hold {
    Hold { address: address.clone(), reason, message, waits_for: None }
}

/// True when AWS is at work on what a step would touch.
fn is_updating(step: &Step) -> bool {
    match step.deed.as_ref().map(|deed| &deed.op) {
        Some(Op::Update { live, .. } | Op::Delete { live } | Op::Tag { live, .. }) => live.phase == Phase::Updating,
        Some(Op::Create(_)) | None => false,
    }
}

/// What a step is known by: two that would do the same to the same are the same.
fn key(step: &Step) -> Key {
    let changes: Vec<String> = step.changes.iter().map(|c| format!("{}={}", c.path, c.to)).collect();
    let target = match step.deed.as_ref().map(|deed| &deed.op) {
        Some(Op::Delete { live }) => live.id.as_str(),
        _ => "",
    };
    (step.address.clone(), format!("{} {} {}", step.action.word(), target, changes.join(";")))
}

#[cfg(test)]
mod tests;
