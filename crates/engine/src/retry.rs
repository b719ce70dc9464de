//! Failed steps: how often each is retried in a pass, and after which backoff.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::observed::Phase;
use holdfast_core::operation::Mutation;
use holdfast_core::plan::Step;
use tokio::time::Instant;

use crate::failure::{Failure, FailureClass};
use crate::timing::Timing;

/// Identifies a step across plans. Two steps of one address are the same step when they have the same action and make
/// the same changes; two deletions also need the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StepKey {
    pub(crate) address: Address,
    effect: String,
}

impl StepKey {
    /// Returns the least key of an address, the lower bound of its keys.
    pub(crate) fn first_of(address: &Address) -> StepKey {
        StepKey { address: address.clone(), effect: String::new() }
    }

    /// Returns the key of a step.
    pub(crate) fn of(step: &Step) -> StepKey {
        let changes: Vec<String> = step.changes.iter().map(|c| format!("{}={}", c.path, c.to)).collect();
        let target = match step.operation.as_ref().map(|operation| &operation.mutation) {
            Some(Mutation::Delete { live }) => live.id.as_str(),
            _ => "",
        };
        let effect = format!("{} {} {}", step.action.word(), target, changes.join(";"));
        StepKey { address: step.address.clone(), effect }
    }
}

/// A step that failed in this pass.
#[derive(Debug)]
struct FailedStep {
    attempts: u32,
    not_before: Instant,
}

/// Whether a step may start.
#[derive(Debug, PartialEq)]
pub(crate) enum RetryDecision {
    /// The step may start now.
    Now,
    /// The step may start after this pause, and not before an observation.
    Later(Duration),
    /// The step does not start again in this pass.
    Never,
}

/// The steps that failed in this pass.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    failed: BTreeMap<StepKey, FailedStep>,
    /// The deletions that waited for other steps, or for AWS, in this pass.
    waited: BTreeSet<StepKey>,
}

impl Retries {
    /// Forgets all failures: a new pass retries every step.
    pub(crate) fn begin_pass(&mut self) {
        self.failed.clear();
        self.waited.clear();
    }

    /// Records a step that waits for others. AWS may still refuse its deletion for a while after they ended.
    pub(crate) fn record_waiting(&mut self, step: &Step) {
        if step.deleted().is_some() {
            self.waited.insert(StepKey::of(step));
        }
    }

    /// Forgets the failures of a step that succeeded.
    pub(crate) fn record_success(&mut self, key: &StepKey) {
        self.failed.remove(key);
    }

    /// Records a failure. Returns true when the step will be retried in this pass.
    pub(crate) fn record_failure(&mut self, step: &Step, failure: &Failure, timing: Timing) -> bool {
        let key = StepKey::of(step);
        let attempts = match failure.class {
            FailureClass::Terminal => Timing::ATTEMPTS,
            FailureClass::InUse if step.deleted().is_some() && !self.waited.contains(&key) => {
                let attempts = self.failed.get(&key).map_or(0, |failed| failed.attempts) + 1;
                if attempts < Timing::ATTEMPTS_IN_USE { attempts } else { Timing::ATTEMPTS }
            }
            _ => self.failed.get(&key).map_or(0, |failed| failed.attempts) + 1,
        };
        let not_before = Instant::now() + timing.retry(attempts - 1);
        self.failed.insert(key, FailedStep { attempts, not_before });
        attempts < Timing::ATTEMPTS
    }

    /// True when a step of this address failed in this pass, and the same step did not succeed since.
    pub(crate) fn has_failed(&self, address: &Address) -> bool {
        self.failed.range(StepKey::first_of(address)..).next().is_some_and(|(key, _)| key.address == *address)
    }

    /// Returns whether a step may start now.
    pub(crate) fn decision(&self, step: &Step) -> RetryDecision {
        if self.failed.is_empty() {
            return RetryDecision::Now;
        }
        match self.failed.get(&StepKey::of(step)) {
            Some(failed) if failed.attempts >= Timing::ATTEMPTS => RetryDecision::Never,
            // A deletion is always tried once: AWS accepts many deletions while it updates a resource. After a refusal
            // the resource is observed until it is ready, and the step is not tried before.
            Some(_) if is_updating(step) => RetryDecision::Later(Duration::ZERO),
            Some(failed) => match failed.not_before.checked_duration_since(Instant::now()) {
                Some(pause) if !pause.is_zero() => RetryDecision::Later(pause),
                _ => RetryDecision::Now,
            },
            None => RetryDecision::Now,
        }
    }
}

/// True when AWS is updating the resource that a step would change.
fn is_updating(step: &Step) -> bool {
    match step.operation.as_ref().map(|operation| &operation.mutation) {
        Some(Mutation::Update { live, .. } | Mutation::Delete { live } | Mutation::Tag { live, .. }) => {
            live.phase == Phase::Updating
        }
        Some(Mutation::Create(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::plan::Action;
    use tokio::time::sleep;

    use super::*;
    use crate::expectations::tests::{TIMING, deletion, step};

    fn failure(class: FailureClass) -> Failure {
        Failure { class, ..Failure::terminal("ec2.X", "no") }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_retried_with_backoff_up_to_a_limit() {
        let mut retries = Retries::default();
        let create = step(Action::Create, "big");
        assert_eq!(retries.decision(&create), RetryDecision::Now);
        assert!(retries.record_failure(&create, &failure(FailureClass::NotYet), TIMING));
        assert_eq!(retries.decision(&create), RetryDecision::Later(Duration::from_secs(1)));
        assert_eq!(
            retries.decision(&step(Action::Create, "small")),
            RetryDecision::Now,
            "another step of the same address"
        );
        sleep(Duration::from_secs(1)).await;
        assert_eq!(retries.decision(&create), RetryDecision::Now);
        for attempt in 1..Timing::ATTEMPTS {
            let again = retries.record_failure(&create, &failure(FailureClass::NotYet), TIMING);
            assert_eq!(again, attempt + 1 < Timing::ATTEMPTS);
        }
        sleep(Duration::from_secs(600)).await;
        assert_eq!(retries.decision(&create), RetryDecision::Never);
        retries.begin_pass();
        assert_eq!(retries.decision(&create), RetryDecision::Now, "a new pass retries");
        assert!(!retries.record_failure(&create, &failure(FailureClass::Terminal), TIMING));
        assert_eq!(retries.decision(&create), RetryDecision::Never, "a terminal failure is not retried");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_of_a_resource_in_use_is_retried_long_only_after_another_step() {
        let delete = deletion("sg-1");
        let attempts = |retries: &mut Retries| {
            let is_retried = |_: &u32| retries.record_failure(&delete, &failure(FailureClass::InUse), TIMING);
            (1..=Timing::ATTEMPTS).take_while(is_retried).count() + 1
        };
        let mut retries = Retries::default();
        assert_eq!(attempts(&mut retries), Timing::ATTEMPTS_IN_USE as usize);
        assert_eq!(retries.decision(&delete), RetryDecision::Never);
        retries.begin_pass();
        retries.record_waiting(&delete);
        assert_eq!(attempts(&mut retries), Timing::ATTEMPTS as usize, "its user was deleted in this pass");
    }
}
