//! The steps of a pass: which may start, and how they start, run and end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use holdfast_core::address::Address;
use holdfast_core::inventory::proof::ResourceRecord;
use holdfast_core::observed::{KindRegion, tag};
use holdfast_core::operation::{DesiredResource, Mutation, Operation};
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Plan, Step};
use holdfast_core::schema::{Idempotency, Replacement};
use tokio::time::{Instant, sleep};

use crate::cloud::{Failure, FailureClass, OperationResult};
use crate::engine::Engine;
use crate::event::Event;
use crate::intent;
use crate::observe::record_response;
use crate::options::PassOptions;
use crate::report::{StepOutcome, StepResult};
use crate::retry::RetryDecision;
use crate::state::{PassState, PlannedWork, kind_region_of};
use crate::timing::Timing;

/// The number of concurrent steps. The call budget limits the calls; this number limits the steps that a stop waits
/// for.
const MAX_CONCURRENT_STEPS: usize = 16;

/// The number of retries of a throttled call within its step. An observation between the attempts would make more
/// calls, and the same number of calls each time, so that a service that throttles by count would reject every attempt.
const THROTTLED_RETRIES: u32 = 3;

/// The weight of a response that others wait for: their steps may start after the next plan, so it comes earlier.
const WEIGHT_OF_AWAITED_RESPONSES: usize = 4;

/// A step that ended, with its result.
pub(crate) struct EndedStep {
    step: Step,
    operation: Operation,
    duration: Duration,
    result: Result<OperationResult, Failure>,
}

pub(crate) type RunningSteps<'a> = FuturesUnordered<BoxFuture<'a, EndedStep>>;

/// Sorts the steps of a plan into those that may start and those that wait, and finds what the pass waits for.
pub(crate) fn planned_work(state: &PassState<'_>, plan: Plan) -> PlannedWork {
    let outdated = state.poll_schedule.outdated();
    let (mut queue, mut retries, mut needs_sighting) = (VecDeque::new(), BTreeMap::new(), false);
    let mut expectations = state.session.engine.expectations();
    plan.steps.iter().filter(|step| !step.after.is_empty()).for_each(|step| expectations.retries.record_waiting(step));
    for (index, step) in plan.steps.iter().enumerate().filter(|(_, step)| step.after.is_empty()) {
        let Some(operation) = step.operation.as_ref().filter(|_| !outdated.contains(&step.address)) else { continue };
        match expectations.retries.decision(step) {
            RetryDecision::Now if has_sightings(state, operation) => queue.push_back(index),
            RetryDecision::Now => needs_sighting = true,
            RetryDecision::Later(pause) => {
                let at = Instant::now() + pause;
                let earliest = retries.entry(kind_region_of(operation)).or_insert(at);
                *earliest = at.min(*earliest);
            }
            RetryDecision::Never => {}
        }
    }
    drop(expectations);
    let by_holds = plan.holds.iter().filter_map(|hold| hold.waits_for.as_ref());
    let waited_for: BTreeSet<Address> =
        plan.steps.iter().flat_map(|step| &step.after).chain(by_holds).cloned().collect();
    let operations = plan.steps.iter().filter_map(|step| step.operation.as_ref());
    let second_sightings = operations.filter(|_| needs_sighting).map(kind_region_of).collect();
    let (awaited, failed) = awaited(state, &plan);
    PlannedWork {
        ids_before: ids_before(state, &plan, &queue),
        changed: state.poll_schedule.changed_at(&waited_for),
        queue,
        retries,
        second_sightings,
        waited_for,
        awaited,
        failed,
        plan,
        responses: 0,
    }
}

/// True when an operation has the sightings that it needs: two for a deletion, none for the others.
fn has_sightings(state: &PassState<'_>, operation: &Operation) -> bool {
    let Mutation::Delete { live } = &operation.mutation else { return true };
    state.sightings.get(&kind_region_of(operation)).and_then(|ids| ids.get(&live.id)).is_some_and(|n| *n >= 2)
}

/// Returns the ids that already belong to the addresses of the creates in the queue.
fn ids_before(state: &PassState<'_>, plan: &Plan, queue: &VecDeque<usize>) -> BTreeMap<Address, BTreeSet<String>> {
    let steps = queue.iter().map(|index| &plan.steps[*index]);
    let creates = steps.filter_map(|step| match step.operation.as_ref() {
        Some(operation @ Operation { mutation: Mutation::Create(_), .. }) => Some((step, kind_region_of(operation))),
        _ => None,
    });
    let mut by_name: BTreeMap<KindRegion, BTreeMap<String, &Address>> = BTreeMap::new();
    let mut ids: BTreeMap<Address, BTreeSet<String>> = BTreeMap::new();
    for (step, kind_region) in creates {
        by_name.entry(kind_region).or_default().insert(step.address.to_string(), &step.address);
        let live = plan.live.get(&step.address).map(|live| live.id.clone());
        ids.insert(step.address.clone(), live.into_iter().collect());
    }
    for (kind_region, names) in by_name {
        for observed in state.observation.found.get(&kind_region).into_iter().flatten() {
            let address = observed.tags.get(tag::ADDRESS).and_then(|name| names.get(name));
            if let Some(address) = address.filter(|_| observed.owner().is_some()) {
                ids.entry((*address).clone()).or_default().insert(observed.id.clone());
            }
        }
    }
    ids
}

/// Returns the addresses whose holds an observation may end, by the kinds and regions to observe, and the kinds and
/// regions whose observation failed and is worth repeating. A kind that is observed only to find orphans is repeated
/// when a deletion waits for it.
fn awaited(state: &PassState<'_>, plan: &Plan) -> (BTreeMap<KindRegion, BTreeSet<Address>>, BTreeSet<KindRegion>) {
    let document = state.session.document;
    // A resource is observed in the region that the document states, or in every observed region of its kind when it
    // left the document.
    let kind_regions = |address: &Address| match state.kind_region(address) {
        Some(kind_region) => vec![kind_region],
        None => state.observation.found.keys().filter(|observed| *observed.kind == *address.kind).cloned().collect(),
    };
    let mut failed = BTreeMap::new();
    let mut unobserved = plan.holds.iter().filter(|hold| hold.reason == Reason::ObservationFailed).peekable();
    if unobserved.peek().is_some() {
        let is_observed = |address| kind_regions(address).iter().any(|k| state.observation.found.contains_key(k));
        let all = state.options.policy.destroy || unobserved.any(|hold| is_observed(&hold.address));
        let is_declared = |kind_region: &KindRegion| {
            let mut resources = document.resources.values();
            resources.any(|r| r.schema.kind == kind_region.kind && r.region == kind_region.region)
        };
        failed.extend(state.failed_observations.iter().filter(|(kind_region, _)| all || is_declared(kind_region)));
    }
    let is_retryable = failed.values().any(|attempts| **attempts < Timing::ATTEMPTS);
    let expectations = state.session.engine.expectations();
    let mut awaited: BTreeMap<KindRegion, BTreeSet<Address>> = BTreeMap::new();
    for hold in &plan.holds {
        if hold.reason.is_transient() || hold.reason == Reason::ObservationFailed && is_retryable {
            let addresses = [Some(&hold.address), hold.waits_for.as_ref()].into_iter().flatten();
            let propagating = expectations.propagating(&hold.address).cloned();
            for kind_region in addresses.flat_map(kind_regions).chain(propagating) {
                awaited.entry(kind_region).or_default().insert(hold.address.clone());
            }
        }
    }
    (awaited, failed.into_keys().filter(|_| is_retryable).cloned().collect())
}

/// Starts the steps that can start, up to the limit of concurrent steps and the document's `maxMutations`.
pub(crate) async fn start_steps<'a>(state: &mut PassState<'a>, work: &mut PlannedWork, running: &RunningSteps<'a>) {
    let left = state.session.document.policy.max_mutations.saturating_sub(state.mutations);
    let free = MAX_CONCURRENT_STEPS.saturating_sub(running.len()).min(left).min(work.queue.len());
    if free == 0 {
        return;
    }
    state.mutations += free;
    let start = work.queue.drain(..free).map(|index| &work.plan.steps[index]);
    let start: Vec<(Step, Operation)> =
        start.filter_map(|step| Some((step.clone(), step.operation.clone()?))).collect();
    intent::record_intents(state, &mut work.ids_before, &start).await;
    for (step, operation) in start {
        let kind_regions = [Some(kind_region_of(&operation)), state.kind_region(&step.address)].into_iter().flatten();
        state.poll_schedule.step_began(&step.address, kind_regions);
        let schema = state.session.engine.cloud.schema(operation.kind);
        let is_revision = schema.is_some_and(|schema| matches!(schema.replacement, Replacement::Revision { .. }));
        if let Some(live) = step.deleted().filter(|_| !is_revision) {
            state.deleted.insert((operation.kind, live.id.clone()));
        }
        let operation = intent::with_nonce(state, operation, &step);
        running.push(Box::pin(run_step(state.session.engine, state.options, step, operation)));
    }
}

/// Carries out a step, and retries its call while it is throttled.
async fn run_step(engine: &Engine, options: &PassOptions, step: Step, operation: Operation) -> EndedStep {
    let began = Instant::now();
    engine.event_sink.on(&Event::StepBegan { step: &step });
    let mut result = apply(engine, &operation).await;
    for attempt in 0..THROTTLED_RETRIES {
        // A throttled call had no effect: sending it again is safe without an observation.
        let throttled = result.as_ref().is_err_and(|f| f.class == FailureClass::Throttled && !f.ambiguous);
        if !throttled || options.is_stopped() {
            break;
        }
        sleep(engine.timing.retry(attempt)).await;
        result = apply(engine, &operation).await;
    }
    EndedStep { step, operation, duration: began.elapsed(), result }
}

/// Carries out an operation, if the lease permits it.
pub(crate) async fn apply(engine: &Engine, operation: &Operation) -> Result<OperationResult, Failure> {
    match engine.writer.gate.permit().await {
        Ok(()) => engine.cloud.apply(operation).await,
        Err(lost) => Err(Failure::terminal(operation.kind, format!("not sent: {lost}"))),
    }
}

/// Records the end of a step. If the response alone changed the known state, without an observation, the work gets one
/// more response. A response that others wait for counts as several.
pub(crate) fn end_step(state: &mut PassState<'_>, work: &mut PlannedWork, ended: EndedStep) {
    let EndedStep { step, operation, duration, mut result } = ended;
    let schema = state.session.engine.cloud.schema(operation.kind);
    let is_created = result.is_ok() && matches!(operation.mutation, Mutation::Create(_));
    let is_referenceable = is_created && schema.is_some_and(|schema| schema.referenceable_on_create);
    let confirmed = result.as_mut().is_ok_and(|output| record_response(state, &operation, output));
    let changed = state.poll_schedule.step_ended(&step.address, confirmed);
    let is_waited_for = work.waited_for.contains(&step.address);
    if is_waited_for {
        work.changed.extend(changed);
    }
    record_result(state, &step, &operation, duration, result);
    if is_referenceable || confirmed {
        work.responses += if is_waited_for { WEIGHT_OF_AWAITED_RESPONSES } else { 1 };
    }
}

/// Records the result of a step in the expectations, the history and the report.
fn record_result(
    state: &mut PassState<'_>,
    step: &Step,
    operation: &Operation,
    duration: Duration,
    result: Result<OperationResult, Failure>,
) {
    let (engine, address) = (state.session.engine, &step.address);
    let schema = engine.cloud.schema(operation.kind);
    let window = engine.timing.consistency_window(schema.map_or(Duration::ZERO, |s| s.consistency_window));
    let mut expectations = engine.expectations();
    let was_retried = expectations.retries.has_failed(address);
    let (outcome, failure) = match result {
        Ok(output) => {
            expectations.record_success(step, kind_region_of(operation), window);
            match (&operation.mutation, output.id) {
                (Mutation::Create(desired), Some(id)) => {
                    intent::record_created(state, address, &id);
                    let created = created_record(operation, desired, &id);
                    state.journal.add_resource(address, created);
                    state.created.insert(address.clone());
                    expectations.record_create(address, kind_region_of(operation), id, Some(&desired.name), window);
                }
                (Mutation::Delete { live }, _) => {
                    expectations.record_deletion(kind_region_of(operation), live.id.clone(), window);
                    state.journal.remove_resource(address, live);
                    // After a crash, a resource that was deleted to be replaced is not missing, but still to be created.
                    let is_replaced = step.action == Action::Replace;
                    if is_replaced || !state.session.document.resources.contains_key(address) {
                        state.journal.remove_converged(address);
                    }
                }
                (Mutation::Tag { live, .. }, _) if step.action == Action::Release => {
                    state.journal.remove_resource(address, live);
                    state.journal.remove_converged(address);
                }
                _ => {}
            }
            (StepOutcome::Done, None)
        }
        Err(mut failure) => {
            let intent = state.journal.history().intents.get(address);
            if let (Mutation::Create(_), Some(intent)) = (&operation.mutation, intent) {
                // With a client token, a second attempt returns the same resource. Without one, the resource has to be
                // searched for first.
                let has_token = schema.is_some_and(|s| s.idempotency == Idempotency::ClientToken);
                if failure.ambiguous && !has_token {
                    let (kind_region, ids_before) = (kind_region_of(operation), intent.ids_before.clone());
                    expectations.record_unconfirmed_create(address, kind_region, ids_before, window);
                } else if !failure.ambiguous {
                    state.journal.remove_intent(address);
                }
            }
            let will_retry = expectations.retries.record_failure(step, &failure, engine.timing);
            if failure.class == FailureClass::InUse && step.deleted().is_some() && !will_retry {
                failure.message +=
                    "; another resource uses it, and no step deletes that resource: find it and end its use";
            }
            (if will_retry { StepOutcome::Retry } else { StepOutcome::Failed }, Some(failure))
        }
    };
    drop(expectations);
    engine.event_sink.on(&Event::StepEnded { step, outcome, duration, failure: failure.as_ref() });
    if was_retried {
        // The report has only the last attempt of a step that was retried.
        let is_other = |r: &StepResult| r.address != *address || r.action != step.action;
        state.results.retain(|r| is_other(r) || r.outcome == StepOutcome::Done);
    }
    let (seconds, error) = (duration.as_secs_f64(), failure.map(|f| f.to_string()));
    state.results.push(StepResult { address: address.clone(), action: step.action, outcome, seconds, error });
}

/// Returns the record of a resource that a create call returned.
fn created_record(operation: &Operation, desired: &DesiredResource, id: &str) -> ResourceRecord {
    let generation = desired.tags.get(tag::GENERATION).and_then(|generation| generation.parse().ok());
    ResourceRecord {
        id: id.to_owned(),
        region: operation.region.clone(),
        name: desired.name.clone(),
        generation: generation.unwrap_or(1),
        created: true,
        copy: false,
    }
}
