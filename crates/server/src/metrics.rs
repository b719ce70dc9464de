//! The event sink that counts the events of one stack in one environment, and reports them to the log and the health.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use holdfast_core::address::Address;
use holdfast_core::observed::{ConditionType, Phase};
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause, Plan};
use holdfast_core::schema::Tier;
use holdfast_engine::budget::Counts;
use holdfast_engine::cloud::Cloud;
use holdfast_engine::event::{Event, EventSink, StepOutcome};
use holdfast_engine::pass::{PassError, PassReport};
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use crate::drift::{DriftEvent, DriftEventState, DriftEvents};
use crate::health::Health;
use crate::log::Log;

/// The metrics, the log lines and the health of one engine. It receives the engine's events, and the ends of its
/// passes.
pub struct Metrics {
    stack: String,
    env: String,
    cloud: Arc<dyn Cloud>,
    state: Mutex<MetricsState>,
}

struct MetricsState {
    log: Log,
    recorder: MetricsRecorder,
    health: Health,
}

impl Metrics {
    /// Creates the metrics of a stack in an environment. The cloud has the counts of calls; `interval` is the time
    /// between two passes.
    pub fn new(stack: &str, env: &str, cloud: Arc<dyn Cloud>, interval: Duration) -> Metrics {
        Metrics::with_clock(stack, env, cloud, interval, SystemTime::now)
    }

    /// Creates the metrics with another wall clock.
    pub fn with_clock(
        stack: &str,
        env: &str,
        cloud: Arc<dyn Cloud>,
        interval: Duration,
        now: fn() -> SystemTime,
    ) -> Metrics {
        let (log, recorder) = (Log::new(stack, env), MetricsRecorder::new(now));
        let state = MetricsState { log, recorder, health: Health::new(interval) };
        Metrics { stack: stack.to_owned(), env: env.to_owned(), cloud, state: Mutex::new(state) }
    }

    /// Records the error of a pass that ended in one. A report is recorded by its event.
    pub fn ended(&self, end: Result<&PassReport, &PassError>) {
        let mut state = self.lock();
        state.health.progressed();
        if let Err(error) = end {
            state.log.error(error);
            state.recorder.record_error();
            state.health.failed(error.to_string());
            state.recorder.failed_passes = state.health.failed_passes();
        }
    }

    /// Returns the stack and the environment.
    pub(crate) fn owner(&self) -> (&str, &str) {
        (&self.stack, &self.env)
    }

    /// Returns whether the daemon's loop makes progress, in a sentence.
    ///
    /// # Errors
    /// Returns the reason when the loop is stuck.
    pub fn alive(&self) -> Result<String, String> {
        self.lock().health.alive()
    }

    /// Returns whether passes end without an error, in a sentence.
    ///
    /// # Errors
    /// Returns the reason when no pass has ended without an error yet, or when the last three ended in one.
    pub fn ready(&self) -> Result<String, String> {
        self.lock().health.ready()
    }

    /// Calls a function with the counts of the events, and those of the calls to the cloud.
    pub(crate) fn with_counts<T>(&self, read: impl FnOnce(&MetricsRecorder, &Counts) -> T) -> T {
        let counts = self.cloud.calls();
        read(&self.lock().recorder, &counts)
    }

    fn lock(&self) -> MutexGuard<'_, MetricsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Metrics {
    fn on(&self, event: &Event<'_>) {
        let MetricsState { log, recorder, health } = &mut *self.lock();
        health.progressed();
        recorder.on(event).iter().for_each(|drift_event| log.drift(drift_event));
        log.on(event);
        // A pass that a stop ended early does not make the process ready.
        if let Event::PassEnded { report } = event
            && !report.stopped
        {
            health.passed();
            recorder.failed_passes = 0;
        }
    }
}

/// The buckets of pass durations: from a pass without changes against an emulator to half an hour of waiting for a
/// database.
const PASS_BUCKETS: [f64; 12] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0];

/// The buckets of step durations: from one quick call to several calls that each time out.
const STEP_BUCKETS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

const OUTCOMES: [StepOutcome; 3] = [StepOutcome::Done, StepOutcome::Retry, StepOutcome::Failed];

/// The values of the label `result`: how a pass ended.
const RESULTS: [&str; 5] = ["converged", "held", "failed", "stopped", "error"];

/// A tier and a kind: the labels of the metrics of resources.
pub(crate) type TierKind = (Tier, Arc<str>);

pub(crate) fn tier_kind(tier: Tier, address: &Address) -> TierKind {
    (tier, address.kind.clone())
}

fn step_histogram() -> Histogram {
    Histogram::new(STEP_BUCKETS)
}

/// The counts behind the metrics of one stack in one environment.
#[derive(Debug)]
pub(crate) struct MetricsRecorder {
    now: fn() -> SystemTime,
    pass_began: Instant,
    pub(crate) drift_events: DriftEvents,
    pub(crate) live: BTreeMap<Address, (Tier, Phase)>,
    /// Every tier and kind so far: a series that was exported once is exported at zero.
    pub(crate) tier_kinds: BTreeSet<TierKind>,
    pub(crate) edits: BTreeMap<TierKind, u64>,
    /// Every reason of a hold so far, at zero when the last plan has no such hold.
    pub(crate) holds: BTreeMap<Reason, u64>,
    pub(crate) conditions: BTreeMap<(ConditionType, String), u64>,
    pub(crate) found: BTreeMap<(TierKind, Cause), u64>,
    pub(crate) corrected: BTreeMap<TierKind, u64>,
    pub(crate) resolved: BTreeMap<TierKind, u64>,
    pub(crate) passes: BTreeMap<&'static str, (u64, Histogram)>,
    pub(crate) pass_calls: Option<u64>,
    pub(crate) converged: Option<SystemTime>,
    /// The number of passes in a row that ended in an error.
    pub(crate) failed_passes: u32,
    /// The kinds that the last observation failed for, each with its regions.
    pub(crate) unobserved: BTreeMap<&'static str, BTreeSet<String>>,
    pub(crate) steps: BTreeMap<(Action, StepOutcome), u64>,
    pub(crate) step_seconds: BTreeMap<Action, Histogram>,
    pub(crate) reloads: [u64; 2],
    pub(crate) last_reload_successful: bool,
    pub(crate) last_reload_success: SystemTime,
}

impl MetricsRecorder {
    fn new(now: fn() -> SystemTime) -> MetricsRecorder {
        let steps = Action::ALL.into_iter().flat_map(|action| OUTCOMES.map(|outcome| ((action, outcome), 0)));
        MetricsRecorder {
            now,
            pass_began: Instant::now(),
            drift_events: DriftEvents::default(),
            live: BTreeMap::new(),
            tier_kinds: BTreeSet::new(),
            edits: BTreeMap::new(),
            holds: BTreeMap::new(),
            conditions: BTreeMap::new(),
            found: BTreeMap::new(),
            corrected: BTreeMap::new(),
            resolved: BTreeMap::new(),
            passes: RESULTS.map(|result| (result, (0, Histogram::new(PASS_BUCKETS)))).into(),
            pass_calls: None,
            converged: None,
            failed_passes: 0,
            unobserved: BTreeMap::new(),
            steps: steps.collect(),
            step_seconds: Action::ALL.map(|action| (action, step_histogram())).into(),
            reloads: [0; 2],
            last_reload_successful: true,
            last_reload_success: now(),
        }
    }

    /// Counts an event. Returns the drift events that it opens or ends.
    fn on(&mut self, event: &Event<'_>) -> Vec<DriftEvent> {
        match event {
            Event::PassBegan => self.pass_began = Instant::now(),
            Event::Planned { plan, first } => return self.record_plan(plan, *first),
            Event::StepEnded { step, outcome, duration, .. } => {
                *self.steps.entry((step.action, *outcome)).or_default() += 1;
                self.step_seconds.entry(step.action).or_insert_with(step_histogram).observe(duration.as_secs_f64());
                if *outcome == StepOutcome::Done {
                    self.drift_events.record_step(step);
                }
            }
            Event::PassEnded { report } => {
                self.record_pass(report.word(), report.seconds);
                self.pass_calls = Some(report.calls);
                if report.converged {
                    self.converged = Some((self.now)());
                }
            }
            Event::Reloaded { error } => {
                self.last_reload_successful = error.is_none();
                if error.is_none() {
                    self.last_reload_success = (self.now)();
                }
                self.reloads[usize::from(error.is_some())] += 1;
            }
            Event::Observed { kind_region, failure } => {
                if failure.is_some() {
                    self.unobserved.entry(kind_region.kind).or_default().insert(kind_region.region.clone());
                } else if let Some(regions) = self.unobserved.get_mut(kind_region.kind) {
                    regions.remove(&kind_region.region);
                }
            }
            Event::StepBegan { .. } | Event::Waiting { .. } | Event::WaitingForLease { .. } => {}
        }
        vec![]
    }

    /// Records a pass that ended in an error.
    fn record_error(&mut self) {
        self.record_pass("error", self.pass_began.elapsed().as_secs_f64());
    }

    fn record_pass(&mut self, result: &'static str, seconds: f64) {
        if let Some((passes, duration)) = self.passes.get_mut(result) {
            *passes += 1;
            duration.observe(seconds);
        }
    }

    /// Counts the resources, holds and conditions of a plan, and its drift events.
    fn record_plan(&mut self, plan: &Plan, first: bool) -> Vec<DriftEvent> {
        let unknown = plan.holds.iter().filter(|hold| hold.reason == Reason::ObservationFailed);
        let unknown: BTreeSet<&Address> = unknown.map(|hold| &hold.address).collect();
        // A resource that cannot be observed is counted as it was before: unknown is not absent.
        self.live.retain(|address, _| unknown.contains(address));
        self.live.extend(plan.live.iter().map(|(address, live)| (address.clone(), (live.tier, live.phase))));
        for (address, (tier, _)) in &self.live {
            self.tier_kinds.insert(tier_kind(*tier, address));
        }
        for difference in &plan.differences {
            self.tier_kinds.insert(tier_kind(difference.tier, &difference.address));
        }
        let drift_events = self.drift_events.update(plan, first);
        for event in &drift_events {
            let labels = tier_kind(event.tier, &event.address);
            let counter = match event.state {
                DriftEventState::Found | DriftEventState::Held(_) | DriftEventState::Ignored => {
                    self.found.entry((labels, event.cause)).or_default()
                }
                DriftEventState::Corrected => self.corrected.entry(labels).or_default(),
                DriftEventState::Resolved => self.resolved.entry(labels).or_default(),
            };
            *counter += 1;
        }
        self.edits.clear();
        for difference in plan.differences.iter().filter(|difference| self.drift_events.is_edit(difference)) {
            *self.edits.entry(tier_kind(difference.tier, &difference.address)).or_default() += 1;
        }
        recount(&mut self.holds, plan.holds.iter().map(|hold| hold.reason));
        recount(
            &mut self.conditions,
            plan.conditions.iter().map(|(_, condition)| (condition.ty, condition.reason.clone())),
        );
        drift_events
    }
}

/// Counts the keys again. A key that no longer occurs is kept at zero.
fn recount<K: Ord>(counts: &mut BTreeMap<K, u64>, keys: impl Iterator<Item = K>) {
    counts.values_mut().for_each(|n| *n = 0);
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
}
