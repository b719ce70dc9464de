//! How things stand: everything that the metrics say, counted from the engine's events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use holdfast_core::address::Address;
use holdfast_core::observed::Phase;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause, Plan};
use holdfast_core::schema::Tier;
use holdfast_engine::budget::{self, Counts};
use holdfast_engine::event::{Event, Outcome};
use holdfast_engine::pass::Report;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use crate::drift::{Done, Drifts};
use crate::page::{Page, Sample};
use crate::table;

/// From a no-change sweep against an emulator to half an hour of waiting for a database.
const PASS_BUCKETS: [f64; 12] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0];

/// From one quick call to several that each use their time-out.
const STEP_BUCKETS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

const OUTCOMES: [Outcome; 3] = [Outcome::Done, Outcome::Retry, Outcome::Failed];

/// How a pass ended, for the label `result`.
const RESULTS: [&str; 5] = ["converged", "held", "failed", "stopped", "error"];

/// The word for how a pass ended.
pub(crate) fn result(report: &Report) -> &'static str {
    match report {
        Report { stopped: true, .. } => "stopped",
        Report { converged: true, .. } => "converged",
        report if report.failed() => "failed",
        _ => "held",
    }
}

/// A tier and a kind: what resources are counted by.
type Layer = (Tier, Arc<str>);

fn layer(tier: Tier, address: &Address) -> Layer {
    (tier, address.kind.clone())
}

fn step_histogram() -> Histogram {
    Histogram::new(STEP_BUCKETS)
}

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Standing {
    now: fn() -> SystemTime,
    began: Instant,
    pass_began: Instant,
    drifts: Drifts,
    live: BTreeMap<Address, (Tier, Phase)>,
    /// Every tier and kind seen so far: a series that was there stays, at zero.
    layers: BTreeSet<Layer>,
    edits: BTreeMap<Layer, u64>,
    /// Every reason seen so far, for the same reason.
    holds: BTreeMap<Reason, u64>,
    remarks: BTreeMap<String, u64>,
    found: BTreeMap<(Layer, Cause), u64>,
    mended: BTreeMap<Layer, u64>,
    resolved: BTreeMap<Layer, u64>,
    passes: BTreeMap<&'static str, (u64, Histogram)>,
    pass_calls: Option<u64>,
    converged: Option<(Instant, SystemTime)>,
    steps: BTreeMap<(Action, Outcome), u64>,
    step_seconds: BTreeMap<Action, Histogram>,
    reloads: [u64; 2],
    usable: bool,
}

impl Standing {
    pub(crate) fn new(now: fn() -> SystemTime) -> Standing {
        let steps = Action::ALL.into_iter().flat_map(|action| OUTCOMES.map(|outcome| ((action, outcome), 0)));
        Standing {
            now,
            began: Instant::now(),
            pass_began: Instant::now(),
            drifts: Drifts::default(),
            live: BTreeMap::new(),
            layers: BTreeSet::new(),
            edits: BTreeMap::new(),
            holds: BTreeMap::new(),
            remarks: BTreeMap::new(),
            found: BTreeMap::new(),
            mended: BTreeMap::new(),
            resolved: BTreeMap::new(),
            passes: RESULTS.map(|result| (result, (0, Histogram::new(PASS_BUCKETS)))).into(),
            pass_calls: None,
            converged: None,
            steps: steps.collect(),
            step_seconds: Action::ALL.map(|action| (action, step_histogram())).into(),
            reloads: [0; 2],
            usable: true,
        }
    }

    pub(crate) fn on(&mut self, event: &Event<'_>) {
        match event {
            Event::PassBegan => self.pass_began = Instant::now(),
            Event::Found { plan } => self.see(plan, true),
            Event::Planned { plan } => self.see(plan, false),
            Event::StepEnded { step, outcome, took, .. } => {
                *self.steps.entry((step.action, *outcome)).or_default() += 1;
                self.step_seconds.entry(step.action).or_insert_with(step_histogram).observe(took.as_secs_f64());
                if *outcome == Outcome::Done {
                    self.drifts.did(step);
                }
            }
            Event::PassEnded { report } => {
                self.passed(result(report), report.seconds);
                self.pass_calls = Some(report.calls);
                if report.converged {
                    self.converged = Some((Instant::now(), (self.now)()));
                }
            }
            Event::Reloaded { error } => {
                self.usable = error.is_none();
                self.reloads[usize::from(error.is_some())] += 1;
            }
            Event::StepBegan { .. } | Event::Waiting { .. } => {}
        }
    }

    /// A pass ended in an error.
    pub(crate) fn failed(&mut self) {
        self.passed("error", self.pass_began.elapsed().as_secs_f64());
    }

    fn passed(&mut self, result: &'static str, seconds: f64) {
        if let Some((passes, duration)) = self.passes.get_mut(result) {
            *passes += 1;
            duration.observe(seconds);
        }
    }

    fn see(&mut self, plan: &Plan, first: bool) {
        let unseen = |address: &Address| {
            plan.holds.iter().any(|hold| hold.reason == Reason::Unobserved && hold.address == *address)
        };
        // What cannot be seen for the moment counts as it was: unknown is not absent.
        self.live.retain(|address, _| unseen(address));
        self.live.extend(plan.live.iter().map(|(address, live)| (address.clone(), (live.tier, live.phase))));
        for (address, (tier, _)) in &self.live {
            self.layers.insert(layer(*tier, address));
        }
        for difference in &plan.differences {
            self.layers.insert(layer(difference.tier, &difference.address));
        }
        for event in self.drifts.see(plan, first) {
            let layer = layer(event.tier, &event.address);
            let counter = match event.done {
                Done::Found | Done::Held(_) | Done::Left => self.found.entry((layer, event.cause)).or_default(),
                Done::Mended => self.mended.entry(layer).or_default(),
                Done::Resolved => self.resolved.entry(layer).or_default(),
            };
            *counter += 1;
        }
        self.edits.clear();
        for difference in plan.differences.iter().filter(|difference| self.drifts.is_edit(difference)) {
            *self.edits.entry(layer(difference.tier, &difference.address)).or_default() += 1;
        }
        recount(&mut self.holds, plan.holds.iter().map(|hold| hold.reason));
        recount(&mut self.remarks, plan.remarks.iter().map(|(_, remark)| remark.reason.clone()));
    }

    /// The page of this moment.
    pub(crate) fn page(&self, counts: &Counts) -> Page {
        let mut page = Page::default();
        self.add_resources(&mut page);
        self.add_passes(&mut page);
        add_calls(&mut page, counts);
        for (reason, n) in &self.holds {
            page.add(table::HOLDS, &[&format!("{reason:?}")], Sample::Whole(*n));
        }
        for (reason, n) in &self.remarks {
            page.add(table::REMARKS, &[reason], Sample::Whole(*n));
        }
        for (result, n) in ["ok", "error"].iter().zip(self.reloads) {
            page.add(table::RELOADS, &[result], Sample::Whole(n));
        }
        page.add(table::USABLE, &[], Sample::Whole(self.usable.into()));
        page.add(table::BUILD, &[env!("CARGO_PKG_VERSION")], Sample::Whole(1));
        page
    }

    fn add_resources(&self, page: &mut Page) {
        let mut drifted: BTreeMap<Layer, BTreeSet<&Address>> = BTreeMap::new();
        let mut fields: BTreeMap<Layer, u64> = BTreeMap::new();
        for event in self.drifts.open() {
            let layer = layer(event.tier, &event.address);
            drifted.entry(layer.clone()).or_default().insert(&event.address);
            *fields.entry(layer).or_default() += event.left.len() as u64;
        }
        for layer in &self.layers {
            let (tier, kind) = (layer.0.word(), &*layer.1);
            let of = |counts: &BTreeMap<Layer, u64>| Sample::Whole(counts.get(layer).copied().unwrap_or_default());
            let resources = drifted.get(layer).map_or(0, BTreeSet::len) as u64;
            page.add(table::DRIFTED_RESOURCES, &[tier, kind], Sample::Whole(resources));
            page.add(table::DRIFTED_FIELDS, &[tier, kind], of(&fields));
            page.add(table::EDITS_PENDING, &[tier, kind], of(&self.edits));
            page.add(table::DRIFT_MENDED, &[tier, kind], of(&self.mended));
            page.add(table::DRIFT_RESOLVED, &[tier, kind], of(&self.resolved));
            for (cause, word) in
                [(Cause::Drift, "drift"), (Cause::Missing, "missing"), (Cause::Unattributed, "unattributed")]
            {
                let found = self.found.get(&(layer.clone(), cause)).copied().unwrap_or_default();
                page.add(table::DRIFT_FOUND, &[tier, kind, word], Sample::Whole(found));
            }
            for phase in Phase::ALL {
                let here = |(address, (tier, at)): &(&Address, &(Tier, Phase))| {
                    *at == phase && *tier == layer.0 && address.kind == layer.1
                };
                let n = self.live.iter().filter(here).count() as u64;
                page.add(table::RESOURCES, &[tier, kind, &phase.to_string()], Sample::Whole(n));
            }
        }
    }

    fn add_passes(&self, page: &mut Page) {
        for (result, (passes, duration)) in &self.passes {
            page.add(table::PASSES, &[result], Sample::Whole(*passes));
            page.add(table::PASS_SECONDS, &[result], Sample::Distribution(duration.clone()));
        }
        if let Some(calls) = self.pass_calls {
            page.add(table::PASS_CALLS, &[], Sample::Whole(calls));
        }
        if let Some((_, at)) = self.converged {
            let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            page.add(table::CONVERGED_AT, &[], Sample::Real(seconds));
        }
        let since = self.converged.map_or(self.began, |(at, _)| at);
        page.add(table::CONVERGED_AGE, &[], Sample::Real(since.elapsed().as_secs_f64()));
        for ((action, outcome), n) in &self.steps {
            page.add(table::STEPS, &[action.word(), outcome.word()], Sample::Whole(*n));
        }
        for (action, duration) in &self.step_seconds {
            page.add(table::STEP_SECONDS, &[action.word()], Sample::Distribution(duration.clone()));
        }
    }
}

fn add_calls(page: &mut Page, counts: &Counts) {
    let mut throttles: BTreeMap<&str, u64> = BTreeMap::new();
    for ((service, operation, outcome), n) in &counts.calls {
        let word = match outcome {
            budget::Outcome::Ok => "ok",
            budget::Outcome::Error => "error",
            budget::Outcome::Throttled => "throttled",
            budget::Outcome::NoReply => "noreply",
        };
        page.add(table::CALLS, &[service, operation, word], Sample::Whole(*n));
        let throttled = if *outcome == budget::Outcome::Throttled { *n } else { 0 };
        *throttles.entry(service).or_default() += throttled;
    }
    for (service, n) in throttles {
        page.add(table::THROTTLES, &[service], Sample::Whole(n));
    }
    page.add(table::BUDGET_WAITS, &[], Sample::Whole(counts.waits));
    page.add(table::BUDGET_SECONDS, &[], Sample::Real(counts.waited.as_secs_f64()));
}

/// Counts again, and leaves what is no longer there at zero.
fn recount<K: Ord>(counts: &mut BTreeMap<K, u64>, keys: impl Iterator<Item = K>) {
    counts.values_mut().for_each(|n| *n = 0);
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
}
