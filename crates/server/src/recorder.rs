//! The recorder of the metrics: counts the engine's events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use holdfast_core::address::Address;
use holdfast_core::observed::{ConditionType, Phase};
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause, Plan};
use holdfast_core::schema::Tier;
use holdfast_engine::budget::{CallOutcome, Counts};
use holdfast_engine::event::{Event, StepOutcome};
use holdfast_engine::pass::PassReport;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use crate::drift::{DriftEventState, DriftEvents};
use crate::page::{Page, Sample};
use crate::table;

/// The buckets of pass durations: from a pass without changes against an emulator to half an hour of waiting for a
/// database.
const PASS_BUCKETS: [f64; 12] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0];

/// The buckets of step durations: from one quick call to several calls that each time out.
const STEP_BUCKETS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

const OUTCOMES: [StepOutcome; 3] = [StepOutcome::Done, StepOutcome::Retry, StepOutcome::Failed];

/// The values of the label `result`: how a pass ended.
const RESULTS: [&str; 5] = ["converged", "held", "failed", "stopped", "error"];

/// Returns the word for how a pass ended: a value of the label `result`.
pub(crate) fn pass_result(report: &PassReport) -> &'static str {
    match report {
        PassReport { stopped: true, .. } => "stopped",
        PassReport { converged: true, .. } => "converged",
        report if report.failed() => "failed",
        _ => "held",
    }
}

/// A tier and a kind: the labels of the metrics of resources.
type TierKind = (Tier, Arc<str>);

fn tier_kind(tier: Tier, address: &Address) -> TierKind {
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
    drift_events: DriftEvents,
    live: BTreeMap<Address, (Tier, Phase)>,
    /// Every tier and kind so far: a series that was exported once is exported at zero.
    tier_kinds: BTreeSet<TierKind>,
    edits: BTreeMap<TierKind, u64>,
    /// Every reason of a hold so far, at zero when the last plan has no such hold.
    holds: BTreeMap<Reason, u64>,
    conditions: BTreeMap<(ConditionType, String), u64>,
    found: BTreeMap<(TierKind, Cause), u64>,
    corrected: BTreeMap<TierKind, u64>,
    resolved: BTreeMap<TierKind, u64>,
    passes: BTreeMap<&'static str, (u64, Histogram)>,
    pass_calls: Option<u64>,
    converged: Option<SystemTime>,
    steps: BTreeMap<(Action, StepOutcome), u64>,
    step_seconds: BTreeMap<Action, Histogram>,
    reloads: [u64; 2],
    last_reload_successful: bool,
    last_reload_success: SystemTime,
}

impl MetricsRecorder {
    pub(crate) fn new(now: fn() -> SystemTime) -> MetricsRecorder {
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
            steps: steps.collect(),
            step_seconds: Action::ALL.map(|action| (action, step_histogram())).into(),
            reloads: [0; 2],
            last_reload_successful: true,
            last_reload_success: now(),
        }
    }

    pub(crate) fn on(&mut self, event: &Event<'_>) {
        match event {
            Event::PassBegan => self.pass_began = Instant::now(),
            Event::Planned { plan, first } => self.record_plan(plan, *first),
            Event::StepEnded { step, outcome, duration, .. } => {
                *self.steps.entry((step.action, *outcome)).or_default() += 1;
                self.step_seconds.entry(step.action).or_insert_with(step_histogram).observe(duration.as_secs_f64());
                if *outcome == StepOutcome::Done {
                    self.drift_events.record_step(step);
                }
            }
            Event::PassEnded { report } => {
                self.record_pass(pass_result(report), report.seconds);
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
            Event::StepBegan { .. } | Event::Waiting { .. } => {}
        }
    }

    /// Records a pass that ended in an error.
    pub(crate) fn record_error(&mut self) {
        self.record_pass("error", self.pass_began.elapsed().as_secs_f64());
    }

    fn record_pass(&mut self, result: &'static str, seconds: f64) {
        if let Some((passes, duration)) = self.passes.get_mut(result) {
            *passes += 1;
            duration.observe(seconds);
        }
    }

    fn record_plan(&mut self, plan: &Plan, first: bool) {
        let is_unknown = |address: &Address| {
            plan.holds.iter().any(|hold| hold.reason == Reason::ObservationFailed && hold.address == *address)
        };
        // A resource that cannot be observed is counted as it was before: unknown is not absent.
        self.live.retain(|address, _| is_unknown(address));
        self.live.extend(plan.live.iter().map(|(address, live)| (address.clone(), (live.tier, live.phase))));
        for (address, (tier, _)) in &self.live {
            self.tier_kinds.insert(tier_kind(*tier, address));
        }
        for difference in &plan.differences {
            self.tier_kinds.insert(tier_kind(difference.tier, &difference.address));
        }
        for event in self.drift_events.update(plan, first) {
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
    }

    /// Returns the page with the current values.
    pub(crate) fn page(&self, counts: &Counts) -> Page {
        let mut page = Page::default();
        self.add_resources(&mut page);
        self.add_passes(&mut page);
        add_calls(&mut page, counts);
        for (reason, n) in &self.holds {
            page.add(table::HOLDS, &[&format!("{reason:?}")], Sample::Integer(*n));
        }
        for ((ty, reason), n) in &self.conditions {
            page.add(table::CONDITIONS, &[ty.word(), reason], Sample::Integer(*n));
        }
        for (result, n) in ["ok", "error"].iter().zip(self.reloads) {
            page.add(table::CONFIG_RELOADS, &[result], Sample::Integer(n));
        }
        page.add(table::CONFIG_LAST_RELOAD_SUCCESSFUL, &[], Sample::Integer(self.last_reload_successful.into()));
        page.add(table::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP, &[], timestamp(self.last_reload_success));
        page.add(table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], Sample::Integer(1));
        page
    }

    fn add_resources(&self, page: &mut Page) {
        let mut drifted: BTreeMap<TierKind, BTreeSet<&Address>> = BTreeMap::new();
        let mut fields: BTreeMap<TierKind, u64> = BTreeMap::new();
        for event in self.drift_events.open() {
            let labels = tier_kind(event.tier, &event.address);
            drifted.entry(labels.clone()).or_default().insert(&event.address);
            *fields.entry(labels).or_default() += event.open_paths.len() as u64;
        }
        for tier_kind in &self.tier_kinds {
            let (tier, kind) = (tier_kind.0.word(), &*tier_kind.1);
            let of =
                |counts: &BTreeMap<TierKind, u64>| Sample::Integer(counts.get(tier_kind).copied().unwrap_or_default());
            let resources = drifted.get(tier_kind).map_or(0, BTreeSet::len) as u64;
            page.add(table::DRIFTED_RESOURCES, &[tier, kind], Sample::Integer(resources));
            page.add(table::DRIFTED_FIELDS, &[tier, kind], of(&fields));
            page.add(table::EDITS_PENDING, &[tier, kind], of(&self.edits));
            page.add(table::DRIFT_CORRECTED, &[tier, kind], of(&self.corrected));
            page.add(table::DRIFT_RESOLVED, &[tier, kind], of(&self.resolved));
            for (cause, word) in
                [(Cause::Drift, "drift"), (Cause::Missing, "missing"), (Cause::Unattributed, "unattributed")]
            {
                let found = self.found.get(&(tier_kind.clone(), cause)).copied().unwrap_or_default();
                page.add(table::DRIFT_FOUND, &[tier, kind, word], Sample::Integer(found));
            }
            for phase in Phase::ALL {
                let is_counted = |(address, (tier, at)): &(&Address, &(Tier, Phase))| {
                    *at == phase && *tier == tier_kind.0 && address.kind == tier_kind.1
                };
                let n = self.live.iter().filter(is_counted).count() as u64;
                page.add(table::RESOURCES, &[tier, kind, &phase.to_string()], Sample::Integer(n));
            }
        }
    }

    fn add_passes(&self, page: &mut Page) {
        for (result, (passes, duration)) in &self.passes {
            page.add(table::PASSES, &[result], Sample::Integer(*passes));
            page.add(table::PASS_DURATION, &[result], Sample::Distribution(duration.clone()));
        }
        if let Some(calls) = self.pass_calls {
            page.add(table::LAST_PASS_AWS_CALLS, &[], Sample::Integer(calls));
        }
        if let Some(at) = self.converged {
            page.add(table::LAST_CONVERGED_PASS_TIMESTAMP, &[], timestamp(at));
        }
        for ((action, outcome), n) in &self.steps {
            page.add(table::STEPS, &[action.word(), outcome.word()], Sample::Integer(*n));
        }
        for (action, duration) in &self.step_seconds {
            page.add(table::STEP_DURATION, &[action.word()], Sample::Distribution(duration.clone()));
        }
    }
}

fn add_calls(page: &mut Page, counts: &Counts) {
    let mut throttles: BTreeMap<&str, u64> = BTreeMap::new();
    for ((service, operation, outcome), n) in &counts.calls {
        let word = match outcome {
            CallOutcome::Ok => "ok",
            CallOutcome::Error => "error",
            CallOutcome::Throttled => "throttled",
            CallOutcome::NoReply => "noreply",
        };
        page.add(table::AWS_CALLS, &[service, operation, word], Sample::Integer(*n));
        let throttled = if *outcome == CallOutcome::Throttled { *n } else { 0 };
        *throttles.entry(service).or_default() += throttled;
    }
    for (service, n) in throttles {
        page.add(table::AWS_THROTTLES, &[service], Sample::Integer(n));
    }
    page.add(table::RATE_LIMITER_WAITS, &[], Sample::Integer(counts.waits));
    page.add(table::RATE_LIMITER_WAIT_SECONDS, &[], Sample::Float(counts.waited.as_secs_f64()));
}

/// Returns a time in seconds since 1970.
fn timestamp(at: SystemTime) -> Sample {
    Sample::Float(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64())
}

/// Counts the keys again. A key that no longer occurs is kept at zero.
fn recount<K: Ord>(counts: &mut BTreeMap<K, u64>, keys: impl Iterator<Item = K>) {
    counts.values_mut().for_each(|n| *n = 0);
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
}
