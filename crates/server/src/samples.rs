//! The samples of the `/metrics` page: the series of every metric, from the counts of the recorder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::SystemTime;

use holdfast_core::address::Address;
use holdfast_core::observed::Phase;
use holdfast_core::plan::Cause;
use holdfast_engine::budget::{CallOutcome, Counts};

use crate::metrics::{Metrics, MetricsRecorder, TierKind, tier_kind};
use crate::page::{Format, Page, Sample};
use crate::table;

/// Returns the `/metrics` page.
///
/// # Errors
/// Returns an error when the page cannot be encoded. No value that is recorded here causes this.
pub fn page(metrics: &Metrics, format: Format) -> Result<String, fmt::Error> {
    let (stack, env) = metrics.owner();
    metrics.with_counts(samples).render(stack, env, format)
}

/// Returns the series with the current values.
fn samples(recorder: &MetricsRecorder, counts: &Counts) -> Page {
    let mut page = Page::default();
    add_resources(recorder, &mut page);
    add_passes(recorder, &mut page);
    add_calls(&mut page, counts);
    for (reason, n) in &recorder.holds {
        page.add(table::HOLDS, &[&format!("{reason:?}")], Sample::Integer(*n));
    }
    for ((ty, reason), n) in &recorder.conditions {
        page.add(table::CONDITIONS, &[ty.word(), reason], Sample::Integer(*n));
    }
    for (result, n) in ["ok", "error"].iter().zip(recorder.reloads) {
        page.add(table::CONFIG_RELOADS, &[result], Sample::Integer(n));
    }
    page.add(table::CONFIG_LAST_RELOAD_SUCCESSFUL, &[], Sample::Integer(recorder.last_reload_successful.into()));
    page.add(table::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP, &[], timestamp(recorder.last_reload_success));
    page.add(table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], Sample::Integer(1));
    page
}

fn add_resources(recorder: &MetricsRecorder, page: &mut Page) {
    let mut drifted: BTreeMap<TierKind, BTreeSet<&Address>> = BTreeMap::new();
    let mut fields: BTreeMap<TierKind, u64> = BTreeMap::new();
    let mut live: BTreeMap<(TierKind, Phase), u64> = BTreeMap::new();
    for (address, (tier, phase)) in &recorder.live {
        *live.entry((tier_kind(*tier, address), *phase)).or_default() += 1;
    }
    for event in recorder.drift_events.open() {
        let labels = tier_kind(event.tier, &event.address);
        drifted.entry(labels.clone()).or_default().insert(&event.address);
        *fields.entry(labels).or_default() += event.open_paths.len() as u64;
    }
    for labels in &recorder.tier_kinds {
        let (tier, kind) = (labels.0.word(), &*labels.1);
        let of = |counts: &BTreeMap<TierKind, u64>| Sample::Integer(counts.get(labels).copied().unwrap_or_default());
        let resources = drifted.get(labels).map_or(0, BTreeSet::len) as u64;
        page.add(table::DRIFTED_RESOURCES, &[tier, kind], Sample::Integer(resources));
        page.add(table::DRIFTED_FIELDS, &[tier, kind], of(&fields));
        page.add(table::EDITS_PENDING, &[tier, kind], of(&recorder.edits));
        page.add(table::DRIFT_CORRECTED, &[tier, kind], of(&recorder.corrected));
        page.add(table::DRIFT_RESOLVED, &[tier, kind], of(&recorder.resolved));
        for (cause, word) in
            [(Cause::Drift, "drift"), (Cause::Missing, "missing"), (Cause::Unattributed, "unattributed")]
        {
            let found = recorder.found.get(&(labels.clone(), cause)).copied().unwrap_or_default();
            page.add(table::DRIFT_FOUND, &[tier, kind, word], Sample::Integer(found));
        }
        for phase in Phase::ALL {
            let n = live.get(&(labels.clone(), phase)).copied().unwrap_or_default();
            page.add(table::RESOURCES, &[tier, kind, &phase.to_string()], Sample::Integer(n));
        }
    }
}

fn add_passes(recorder: &MetricsRecorder, page: &mut Page) {
    for (result, (passes, duration)) in &recorder.passes {
        page.add(table::PASSES, &[result], Sample::Integer(*passes));
        page.add(table::PASS_DURATION, &[result], Sample::Distribution(duration.clone()));
    }
    if let Some(calls) = recorder.pass_calls {
        page.add(table::LAST_PASS_AWS_CALLS, &[], Sample::Integer(calls));
    }
    if let Some(at) = recorder.converged {
        page.add(table::LAST_CONVERGED_PASS_TIMESTAMP, &[], timestamp(at));
    }
    page.add(table::FAILED_PASSES, &[], Sample::Integer(recorder.failed_passes.into()));
    for (kind, regions) in &recorder.unobserved {
        page.add(table::UNOBSERVED_REGIONS, &[kind], Sample::Integer(regions.len() as u64));
    }
    for ((action, outcome), n) in &recorder.steps {
        page.add(table::STEPS, &[action.word(), outcome.word()], Sample::Integer(*n));
    }
    for (action, duration) in &recorder.step_seconds {
        page.add(table::STEP_DURATION, &[action.word()], Sample::Distribution(duration.clone()));
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
