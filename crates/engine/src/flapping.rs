//! Flapping: the same step succeeds again and again, because AWS or another process undoes its change.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use holdfast_core::address::Address;
use holdfast_core::operation::Mutation;
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Plan, Step};
use tokio::time::Instant;

use crate::retry::StepKey;
use crate::timing::Timing;

/// How often the same step may succeed without its effect being observed once.
const SUCCESSES_WITHOUT_EFFECT: u32 = 2;

/// A step that succeeded within the last hour.
#[derive(Debug, Default)]
struct CompletedStep {
    /// How often the step succeeded since its resource was last observed converged.
    unobserved: u32,
    /// When the step succeeded, within the last hour.
    times: VecDeque<Instant>,
}

/// The steps that succeeded within the last hour.
///
/// # Expected flow
/// 1. Each step that succeeds is recorded.
/// 2. A plan that contains the same step again, after the consistency window of the first success, shows that its
///    change has no effect or was undone.
/// 3. The change is held as `Stalled` once the step succeeded twice without its resource being observed converged in
///    between, or five times in an hour.
///
/// # Guarantees
/// Holdfast never corrects a resource in a loop against AWS or another process.
///
/// # Caveats
/// The record belongs to the process. A restart forgets it, and makes the change again.
#[derive(Debug, Default)]
pub(crate) struct Flapping {
    completed: BTreeMap<StepKey, CompletedStep>,
}

impl Flapping {
    /// Forgets the successes that are more than an hour old.
    pub(crate) fn begin_pass(&mut self, timing: Timing) {
        let now = Instant::now();
        self.completed.retain(|_, completed| {
            completed.times.retain(|at| now.duration_since(*at) < timing.flapping_window());
            !completed.times.is_empty()
        });
    }

    /// Records a step that succeeded.
    pub(crate) fn record_success(&mut self, key: StepKey) {
        let completed = self.completed.entry(key).or_default();
        completed.unobserved += 1;
        completed.times.push_back(Instant::now());
    }

    /// Records that a resource was observed converged: the steps of its address had their effect.
    pub(crate) fn record_converged(&mut self, address: &Address) {
        let steps = self.completed.range_mut(StepKey::first_of(address)..);
        steps.take_while(|(key, _)| key.address == *address).for_each(|(_, completed)| completed.unobserved = 0);
    }

    /// True when the step succeeded within the last hour.
    pub(crate) fn contains(&self, key: &StepKey) -> bool {
        self.completed.contains_key(key)
    }

    /// Returns the message of the hold when the step must not be made again for now.
    pub(crate) fn stalled(&self, key: &StepKey) -> Option<String> {
        let completed = self.completed.get(key)?;
        let times = completed.times.len();
        if completed.unobserved >= SUCCESSES_WITHOUT_EFFECT {
            Some(
                "the same change was made twice without effect: AWS or another process undoes it; find the cause"
                    .into(),
            )
        } else if times >= Timing::CORRECTIONS_PER_HOUR {
            Some(format!(
                "the same change was made {times} times in an hour: another process undoes it; find the cause"
            ))
        } else {
            None
        }
    }

    /// Holds the deletions that succeeded twice without effect, and the steps that come after them.
    pub(crate) fn hold_stuck_deletions(&self, mut plan: Plan) -> Plan {
        if self.completed.values().all(|completed| completed.unobserved < SUCCESSES_WITHOUT_EFFECT) {
            return plan;
        }
        let is_stuck = |step: &Step| {
            let completed = || self.completed.get(&StepKey::of(step));
            step.action == Action::Delete && completed().is_some_and(|c| c.unobserved >= SUCCESSES_WITHOUT_EFFECT)
        };
        let message = "it was deleted twice and still exists; find out what keeps it, and delete it manually";
        while let Some(at) = plan.steps.iter().position(is_stuck) {
            let step = plan.steps.remove(at);
            let (address, message) = (step.address.clone(), message.to_owned());
            plan.holds.push(Hold { address, reason: Reason::Stalled, message, waits_for: None });
            let mut held = vec![step.address];
            while let Some(first) = held.pop() {
                if plan.steps.iter().any(|step| step.address == first) {
                    continue;
                }
                for step in plan.steps.extract_if(.., |step| step.after.contains(&first)) {
                    plan.holds.push(Hold {
                        address: step.address.clone(),
                        reason: Reason::DependencyNotReady,
                        message: format!("it comes after {first}, which is held"),
                        waits_for: Some(first.clone()),
                    });
                    held.push(step.address);
                }
            }
        }
        plan.holds.sort_by(|a, b| a.address.cmp(&b.address));
        plan
    }
}

/// Returns holds for the steps that would create an address a second time in one pass.
///
/// Nothing in a plan needs a second create: everything that a replacement affects is replaced after it. A second create
/// would follow from a value that AWS does not take as it is, and each further one would follow from the last.
pub(crate) fn hold_second_creates(plan: &Plan, created: &BTreeSet<Address>) -> BTreeMap<Address, Hold> {
    let is_created = |step: &&Step| {
        let creates = || step.operation.as_ref().is_some_and(|one| matches!(one.mutation, Mutation::Create(_)));
        created.contains(&step.address)
            && (step.action == Action::Replace || step.action == Action::Create && creates())
    };
    let second = plan.steps.iter().filter(is_created).map(|step| {
        let fields = step.changes.iter().filter(|change| change.immutable).map(|change| change.path.as_str());
        let why = match &fields.collect::<Vec<_>>()[..] {
            [] => "it does not exist any more".to_owned(),
            fields => format!("it differs again in `{}`", fields.join("`, `")),
        };
        let message =
            format!("this run created it, and {why}; a run creates a resource once; find the cause, and run again");
        let (address, reason) = (step.address.clone(), Reason::Stalled);
        (step.address.clone(), Hold { address, reason, message, waits_for: None })
    });
    second.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::expectations::Expectations;
    use crate::expectations::tests::{TIMING, WINDOW, converged, kind_region, observe, plan_with, reasons, step};

    #[tokio::test(start_paused = true)]
    async fn the_same_change_made_twice_without_effect_is_stalled_for_an_hour() {
        let mut expectations = Expectations::default();
        let update = step(Action::Update, "big");
        for _ in 0..2 {
            assert!(expectations.update_from_plan(&plan_with(update.clone())).is_empty());
            expectations.record_success(&update, kind_region(), WINDOW);
            let holds = expectations.update_from_plan(&plan_with(update.clone()));
            assert_eq!(reasons(&holds), [Reason::Propagating]);
            sleep(WINDOW).await;
            observe(&mut expectations, &[]);
        }
        assert_eq!(reasons(&expectations.update_from_plan(&plan_with(update.clone()))), [Reason::Stalled]);
        let other = step(Action::Update, "small");
        assert!(expectations.update_from_plan(&plan_with(other)).is_empty(), "another change is counted separately");
        sleep(TIMING.flapping_window()).await;
        expectations.begin_pass(TIMING);
        assert!(expectations.update_from_plan(&plan_with(update)).is_empty(), "after an hour the change is made again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_takes_effect_and_is_undone_five_times_in_an_hour_is_stalled() {
        let mut expectations = Expectations::default();
        let update = step(Action::Update, "big");
        for _ in 0..Timing::CORRECTIONS_PER_HOUR {
            sleep(Duration::from_secs(300)).await;
            expectations.begin_pass(TIMING);
            observe(&mut expectations, &["vpc-1"]);
            assert!(expectations.update_from_plan(&plan_with(update.clone())).is_empty());
            expectations.record_success(&update, kind_region(), WINDOW);
            expectations.update_from_plan(&converged("vpc-1"));
        }
        sleep(Duration::from_secs(300)).await;
        observe(&mut expectations, &["vpc-1"]);
        assert_eq!(reasons(&expectations.update_from_plan(&plan_with(update.clone()))), [Reason::Stalled]);
        sleep(Duration::from_secs(2400)).await;
        expectations.begin_pass(TIMING);
        let holds = expectations.update_from_plan(&plan_with(update));
        assert!(holds.is_empty(), "the first of the five is more than an hour old");
    }
}
