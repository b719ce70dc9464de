//! The observations of a pass: which are due, how they run, and how their results and the responses are recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered, StreamExt};
use holdfast_core::observed::{KindRegion, Observation, Observed};
use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::schema::Replacement;
use holdfast_core::value::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::cloud::{Confirmed, Failure, FailureClass, OperationResult};
use crate::engine::Session;
use crate::event::Event;
use crate::known_names::known_names;
use crate::poll_schedule::PollSchedule;
use crate::report::PassError;
use crate::scope::{Refresh, scope};
use crate::state::{PassState, PlannedWork, kind_region_of};
use crate::store::History;

/// The number of concurrent observations: enough for all kinds of most documents. The call budget limits the calls of
/// each service.
pub(crate) const MAX_CONCURRENT_OBSERVATIONS: usize = 32;

/// The number of attempts at a throttled initial refresh. With the pauses between them they take a quarter of a minute.
const INITIAL_REFRESH_ATTEMPTS: u32 = 5;

/// The result of observing one kind in one region.
pub(crate) struct KindObservation {
    kind_region: KindRegion,
    /// When the observation began. It shows nothing that happened later.
    at: Instant,
    found: Result<Vec<Observed>, Failure>,
}

pub(crate) type RunningObservations<'a> = FuturesUnordered<BoxFuture<'a, KindObservation>>;

/// Observes every kind of the document in its regions: the first observations of a pass.
///
/// A full scan observes all kinds in all configured and former regions, which finds a resource that left the document
/// together with the last one of its kind. A throttled observation is repeated after a pause: always for a dry run,
/// which makes no later observation (`retry_any`), and for a pass only when it observed nothing at all, because a pass
/// observes again anyway.
///
/// # Errors
/// Returns an error when no kind could be observed in any region.
pub(crate) async fn initial_refresh(state: &mut PassState<'_>, retry_any: bool) -> Result<(), PassError> {
    let engine = state.session.engine;
    let mut kind_regions = kind_regions_of_document(state);
    for attempt in 0.. {
        let (scan, history) = (state.options.full_scan || state.options.policy.destroy, state.journal.history());
        let failures = observe(&state.session, &kind_regions, scan, history, &mut state.observation).await;
        let throttled = failures.iter().filter(|(_, failure)| failure.class == FailureClass::Throttled);
        let throttled: BTreeSet<KindRegion> = throttled.map(|(kind_region, _)| kind_region.clone()).collect();
        let nothing_observed = state.observation.found.is_empty() && !failures.is_empty();
        let again = !throttled.is_empty() && (retry_any || throttled.len() == failures.len() && nothing_observed);
        if !again || attempt + 1 >= INITIAL_REFRESH_ATTEMPTS || state.options.is_stopped() {
            if let Some(failure) = failures.values().next().filter(|_| nothing_observed) {
                return Err(PassError::ObservationFailed(failure.to_string()));
            }
            let observed: Vec<KindRegion> = state.observation.found.keys().chain(failures.keys()).cloned().collect();
            observed.iter().for_each(|kind_region| count_sightings(state, kind_region, failures.get(kind_region)));
            state.poll_schedule = PollSchedule::new(engine.timing);
            return Ok(());
        }
        kind_regions = throttled;
        sleep(engine.timing.poll(attempt)).await;
    }
    Ok(())
}

fn kind_regions_of_document(state: &PassState<'_>) -> BTreeSet<KindRegion> {
    let (document, options) = (state.session.document, state.options);
    let declared = document.resources.values();
    let mut kind_regions: BTreeSet<KindRegion> =
        declared.map(|r| KindRegion { kind: r.schema.kind, region: r.region.clone() }).collect();
    if options.full_scan || options.policy.destroy {
        let former = &state.journal.history().regions;
        let regions: BTreeSet<&String> = document.target.regions.values().chain(former).collect();
        for schema in state.session.engine.cloud.registry().0 {
            let regions: Vec<String> = match schema.global {
                true => vec![String::new()],
                false => regions.iter().map(|region| (*region).clone()).collect(),
            };
            kind_regions.extend(regions.into_iter().map(|region| KindRegion { kind: schema.kind, region }));
        }
    }
    kind_regions
}

/// Observes these kinds and regions, many at once, and returns the failures. The first observations may read tags from
/// an index that lags behind.
pub(crate) async fn observe(
    session: &Session<'_>,
    kind_regions: &BTreeSet<KindRegion>,
    full_scan: bool,
    history: &History,
    observation: &mut Observation,
) -> BTreeMap<KindRegion, Failure> {
    let refresh = session.engine.next_refresh(observation.found.is_empty());
    let refresh = Refresh { full_scan, known_names: known_names(session.document, history, observation), ..refresh };
    let observations = kind_regions
        .iter()
        .map(|kind_region| observe_kind_region(session, kind_region.clone(), Confirmed::default(), refresh.clone()));
    let observed: Vec<KindObservation> =
        stream::iter(observations).buffer_unordered(MAX_CONCURRENT_OBSERVATIONS).collect().await;
    let failed = observed.into_iter().filter_map(|observed| {
        let kind_region = observed.kind_region.clone();
        merge(session, observed, observation).map(|failure| (kind_region, failure))
    });
    failed.collect()
}

/// Observes one kind in one region.
async fn observe_kind_region(
    session: &Session<'_>,
    kind_region: KindRegion,
    confirmed: Confirmed,
    refresh: Refresh,
) -> KindObservation {
    let at = Instant::now();
    let cloud = &*session.engine.cloud;
    let schema = cloud.schema(kind_region.kind);
    let scope = scope(session.document, &session.account, &kind_region, schema, refresh, confirmed);
    let found = cloud.observe(kind_region.kind, &scope).await;
    KindObservation { kind_region, at, found }
}

/// Replaces what the observation has of a kind in a region, and ends the consistency windows that the new observation
/// ends. Returns the failure when the kind could not be observed.
fn merge(session: &Session<'_>, observed: KindObservation, observation: &mut Observation) -> Option<Failure> {
    let KindObservation { kind_region, at, found } = observed;
    let failure = match found {
        Ok(found) => {
            observation.unknown.remove(&kind_region);
            observation.found.insert(kind_region.clone(), found);
            None
        }
        Err(failure) => {
            // Unknown is not absent: the resources that were found before may have changed.
            observation.found.remove(&kind_region);
            observation.unknown.insert(kind_region.clone(), failure.to_string());
            Some(failure)
        }
    };
    let event = Event::Observed { kind_region: &kind_region, failure: failure.as_ref() };
    session.engine.event_sink.on(&event);
    session.engine.expectations().record_observation(kind_region, at, observation);
    failure
}

/// Returns the kinds and regions of the resources that the pass waits for, with the time of their next poll. Polls
/// after the wait timeout are left out.
pub(crate) fn next_polls(state: &PassState<'_>, work: &PlannedWork, began: Instant) -> BTreeMap<KindRegion, Instant> {
    let schedule = &state.poll_schedule;
    let awaited = work.awaited.iter().filter(|(_, of)| of.iter().any(|address| !schedule.is_outdated(address)));
    let awaited = awaited.map(|(kind_region, _)| kind_region).chain(&work.failed);
    let mut polls: BTreeMap<KindRegion, Instant> =
        awaited.map(|kind_region| (kind_region.clone(), schedule.next_poll(kind_region))).collect();
    for (kind_region, at) in &work.retries {
        let at = schedule.next_poll(kind_region).max(*at);
        let earliest = polls.entry(kind_region.clone()).or_insert(at);
        *earliest = at.min(*earliest);
    }
    polls.retain(|kind_region, at| {
        schedule.is_idle(kind_region) && at.duration_since(began) <= state.options.wait_timeout
    });
    polls
}

/// Returns the kinds and regions to observe now: their poll is due, a step changed a resource there that another step
/// or hold waits for, or a deletion needs its second sighting. When the pass is idle, all kinds and regions that steps
/// changed are included.
pub(crate) fn due_observations(
    state: &PassState<'_>,
    work: &PlannedWork,
    polls: &BTreeMap<KindRegion, Instant>,
    idle: bool,
) -> BTreeSet<KindRegion> {
    let now = Instant::now();
    let changed = state.poll_schedule.changed().filter(|kind_region| idle || work.changed.contains(kind_region));
    let due = polls.iter().filter(|(_, at)| **at <= now).map(|(kind_region, _)| kind_region);
    let kind_regions = changed.chain(due).chain(&work.second_sightings);
    kind_regions.filter(|kind_region| state.poll_schedule.is_idle(kind_region)).cloned().collect()
}

/// Starts observations of these kinds and regions, as one refresh: calls that they share are made once.
pub(crate) fn start_observations<'a>(
    state: &mut PassState<'a>,
    kind_regions: BTreeSet<KindRegion>,
    permits: &Arc<Semaphore>,
    running: &RunningObservations<'a>,
) {
    if kind_regions.is_empty() {
        return;
    }
    state.poll_schedule.observation_began(&kind_regions);
    let known_names = known_names(state.session.document, state.journal.history(), &state.observation);
    let refresh = Refresh { known_names, ..state.session.engine.next_refresh(false) };
    for kind_region in kind_regions {
        let (session, permits, confirmed) = (state.session.clone(), permits.clone(), confirmed(state, &kind_region));
        let refresh = refresh.clone();
        running.push(Box::pin(async move {
            let _permit = permits.acquire().await;
            observe_kind_region(&session, kind_region, confirmed, refresh).await
        }));
    }
}

/// Returns the resources of a kind in a region that this pass created, without those whose state only an observation
/// can show.
fn confirmed(state: &PassState<'_>, kind_region: &KindRegion) -> Confirmed {
    let found = state.observation.found.get(kind_region).map(Vec::as_slice).unwrap_or_default();
    let is_confirmed =
        |o: &&Observed| state.confirmed_at.get(&(kind_region.clone(), o.id.clone())).is_some_and(Option::is_some);
    let names = |o: &Observed| [Some(o.id.clone()), o.status.get("arn").and_then(Value::text).map(str::to_owned)];
    let tags = |o| names(o).into_iter().flatten().map(|name| (name, o.tags.clone()));
    Confirmed {
        tags: found.iter().filter(is_confirmed).flat_map(tags).collect(),
        all: found.iter().all(|o| is_confirmed(&o)),
    }
}

/// Records an observation. A response that arrived after the observation began is newer, and remains in force.
pub(crate) fn record_observation(state: &mut PassState<'_>, observed: KindObservation) {
    let (kind_region, began) = (observed.kind_region.clone(), observed.at);
    let is_newer = |o: &&Observed| {
        state.confirmed_at.get(&(kind_region.clone(), o.id.clone())).is_some_and(|at| *at >= Some(began))
    };
    let known = state.observation.found.get(&kind_region).into_iter().flatten();
    let newer: Vec<Observed> = known.filter(is_newer).cloned().collect();
    let failure = merge(&state.session, observed, &mut state.observation);
    if let Some(found) = state.observation.found.get_mut(&kind_region) {
        let ids: BTreeSet<&String> = newer.iter().map(|live| &live.id).collect();
        found.retain(|live| !ids.contains(&live.id));
        found.extend(newer);
    }
    state.poll_schedule.observation_ended(&kind_region);
    count_sightings(state, &kind_region, failure.as_ref());
}

/// Counts the sightings of a kind in a region, and its failed observations.
fn count_sightings(state: &mut PassState<'_>, kind_region: &KindRegion, failure: Option<&Failure>) {
    match failure.map(|failure| failure.class) {
        // A temporary failure may be a race: a listed resource was deleted before its details were read.
        Some(class) if class != FailureClass::Terminal => {
            *state.failed_observations.entry(kind_region.clone()).or_default() += 1;
        }
        _ => drop(state.failed_observations.remove(kind_region)),
    }
    let Some(found) = state.observation.found.get(kind_region) else { return };
    let sightings = state.sightings.entry(kind_region.clone()).or_default();
    // Older revisions count too: each is deleted by its own step.
    let revisions = found.iter().filter_map(|o| match o.status.get("revisions") {
        Some(Value::List(revisions)) => Some(revisions),
        _ => None,
    });
    let ids = found.iter().map(|o| o.id.as_str()).chain(revisions.flatten().filter_map(Value::text));
    for id in ids.collect::<BTreeSet<&str>>() {
        *sightings.entry(id.to_owned()).or_default() += 1;
    }
}

/// Records the response to a step's call. Returns false when the resource has to be observed.
///
/// The response to a create counts as an observation, and the updates that complete a created resource are known from
/// their requests. A resource that existed before the pass is observed after each change, because another process may
/// undo the change.
pub(crate) fn record_response(state: &mut PassState<'_>, operation: &Operation, output: &mut OperationResult) -> bool {
    let kind_region = kind_region_of(operation);
    if let Some(id) = &output.id {
        state.confirmed_at.insert((kind_region.clone(), id.clone()), Some(Instant::now()));
    }
    let Some(live) = output.live.take() else { return false };
    let key = (kind_region.clone(), live.id.clone());
    let Some(found) = state.observation.found.get_mut(&kind_region) else { return false };
    let schema = state.session.engine.cloud.schema(operation.kind);
    let has_revisions = schema.is_some_and(|schema| matches!(schema.replacement, Replacement::Revision { .. }));
    let confirmed = match operation.mutation {
        // The newest revision also represents the older ones, which only an observation lists.
        Mutation::Create(_) => !has_revisions || found.iter().all(|older| older.name != live.name),
        // The response of another step in the meantime is not part of this one, nor the other way around.
        Mutation::Update { live: ref before, .. } | Mutation::Tag { live: ref before, .. } => {
            state.confirmed_at.contains_key(&key) && found.contains(before)
        }
        Mutation::Delete { .. } => false,
    };
    if confirmed {
        found.retain(|known| known.id != live.id);
        found.push(live);
        state.confirmed_at.insert(key, Some(Instant::now()));
    } else if let Some(at) = state.confirmed_at.get_mut(&key) {
        *at = None;
    }
    confirmed
}
