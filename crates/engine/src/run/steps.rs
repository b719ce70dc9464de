//! The steps of a pass: how they start, run and end.

use std::time::Duration;

use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::plan::Step;
use holdfast_core::schema::Idempotency;
use tokio::time::{Instant, sleep};

use super::{EndedStep, MAX_CONCURRENT_STEPS, PassRun, PlannedWork, RunningSteps, kind_region_of};
use crate::cloud::{Failure, FailureClass, OperationResult};
use crate::event::{Event, StepOutcome, StepResult};
use crate::pass::{Engine, PassOptions};

/// The number of retries of a throttled call within its step. An observation between the attempts would make more
/// calls, and the same number of calls each time, so that a service that throttles by count would reject every attempt.
const THROTTLED_RETRIES: u32 = 3;

impl<'a> PassRun<'a> {
    /// Starts the steps that can start, up to the limit of concurrent steps and the document's `maxMutations`.
    pub(super) async fn start_steps(&mut self, work: &mut PlannedWork, steps: &mut RunningSteps<'a>) {
        let left = self.document.policy.max_mutations.saturating_sub(self.mutations);
        let free = MAX_CONCURRENT_STEPS.saturating_sub(steps.len()).min(left).min(work.queue.len());
        let start: Vec<(Step, Operation)> = work.queue.drain(..free).collect();
        if start.is_empty() {
            return;
        }
        self.mutations += start.len();
        self.record_intents(&work.plan, &start).await;
        for (step, operation) in start {
            let kind_regions =
                [Some(kind_region_of(&operation)), self.kind_region(&step.address)].into_iter().flatten();
            self.poll_schedule.step_began(&step.address, kind_regions);
            let operation = self.with_nonce(operation, &step);
            steps.push(Box::pin(run_step(self.engine, self.options, step, operation)));
        }
    }

    /// Records the result of a step. Returns true when dependents may start because of the response alone, without an
    /// observation.
    pub(super) async fn end_step(&mut self, ended: EndedStep) -> bool {
        let EndedStep { step, operation, duration, mut result } = ended;
        let schema = self.engine.cloud.schema(operation.kind);
        let is_created = result.is_ok() && matches!(operation.mutation, Mutation::Create(_));
        let is_referenceable = is_created && schema.is_some_and(|schema| schema.referenceable_on_create);
        let confirmed = result.as_mut().is_ok_and(|output| self.record_response(&operation, output));
        self.poll_schedule.step_ended(&step.address, confirmed);
        self.record_result(&step, &operation, duration, result).await;
        is_referenceable || confirmed
    }

    /// Records the result of a step in the expectations, the history and the report.
    async fn record_result(
        &mut self,
        step: &Step,
        operation: &Operation,
        duration: Duration,
        result: Result<OperationResult, Failure>,
    ) {
        let engine = self.engine;
        let schema = engine.cloud.schema(operation.kind);
        let window = engine.timing.consistency_window(schema.map_or(0, |s| s.consistency_window));
        let mut expectations = engine.expectations.lock().await;
        let name = step.address.to_string();
        let (outcome, failure) = match result {
            Ok(output) => {
                expectations.record_success(step, kind_region_of(operation), window);
                match (&operation.mutation, output.id) {
                    (Mutation::Create(desired), Some(id)) => {
                        // The intent is kept until its window has passed, for the case that this process dies before.
                        if let Some(intent) = self.history.intents.get_mut(&name) {
                            intent.created = Some(id.clone());
                        }
                        let kind_region = kind_region_of(operation);
                        expectations.record_create(&step.address, kind_region, id, Some(&desired.name), window);
                    }
                    (Mutation::Delete { live }, _) => {
                        expectations.record_deletion(kind_region_of(operation), live.id.clone(), window);
                        if !self.document.resources.contains_key(&step.address) {
                            self.history.converged.remove(&name);
                        }
                    }
                    _ => {}
                }
                (StepOutcome::Done, None)
            }
            Err(failure) => {
                if let (Mutation::Create(_), Some(intent)) = (&operation.mutation, self.history.intents.get(&name)) {
                    // With a client token, a second attempt returns the same resource. Without one, the resource has to
                    // be searched for first.
                    let has_token = schema.is_some_and(|s| s.idempotency == Idempotency::ClientToken);
                    if failure.ambiguous && !has_token {
                        let (kind_region, ids_before) = (kind_region_of(operation), intent.ids_before.clone());
                        expectations.record_unconfirmed_create(&step.address, kind_region, ids_before, window);
                    } else if !failure.ambiguous {
                        self.history.intents.remove(&name);
                    }
                }
                let will_retry = expectations.retries.record_failure(step, &failure, engine.timing);
                (if will_retry { StepOutcome::Retry } else { StepOutcome::Failed }, Some(failure))
            }
        };
        drop(expectations);
        engine.event_sink.on(&Event::StepEnded { step, outcome, duration, failure: failure.as_ref() });
        // The report has only the last attempt of a step that was retried.
        self.results.retain(|r| r.address != step.address || r.action != step.action || r.outcome == StepOutcome::Done);
        self.results.push(StepResult {
            address: step.address.clone(),
            action: step.action,
            outcome,
            seconds: duration.as_secs_f64(),
            error: failure.map(|f| f.to_string()),
        });
    }
}

/// Carries out a step, and retries its call while it is throttled.
async fn run_step(engine: &Engine, options: &PassOptions, step: Step, operation: Operation) -> EndedStep {
    let began = Instant::now();
    engine.event_sink.on(&Event::StepBegan { step: &step });
    let mut result = engine.cloud.apply(&operation).await;
    for attempt in 0..THROTTLED_RETRIES {
        // A throttled call had no effect: sending it again is safe without an observation.
        let throttled = result.as_ref().is_err_and(|f| f.class == FailureClass::Throttled && !f.ambiguous);
        if !throttled || *options.stop.borrow() {
            break;
        }
        sleep(engine.timing.retry(attempt)).await;
        result = engine.cloud.apply(&operation).await;
    }
    EndedStep { step, operation, duration: began.elapsed(), result }
}
