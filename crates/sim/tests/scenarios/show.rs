//! The output of plans, reports and the account in scripts: one line for each item, and nothing random.

use std::collections::BTreeMap;
use std::fmt::Write;

use holdfast_core::observed::Phase;
use holdfast_core::plan::{Action, Cause, Plan, Step};
use holdfast_core::value::Value;
use holdfast_engine::event::StepOutcome;
use holdfast_engine::pass::PassReport;
use holdfast_sim::ActualResource;

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Drift => "drift",
        Cause::Edit => "edit",
        Cause::Missing => "missing",
        Cause::Unattributed => "unattributed",
    }
}

fn step(out: &mut String, step: &Step) {
    let why = match step.action {
        Action::Delete => String::new(),
        _ => format!(" ({})", cause(step.cause)),
    };
    let after: Vec<String> = step.after.iter().map(ToString::to_string).collect();
    let after = if after.is_empty() { String::new() } else { format!(", after {}", after.join(", ")) };
    let _ = writeln!(out, "{} {}{why}{after}", step.action.word(), step.address);
    if matches!(step.action, Action::Update | Action::Replace | Action::Adopt) {
        for change in &step.changes {
            let forces = if change.immutable { ", which forces a replacement" } else { "" };
            let (from, to) = match change.path.as_str() {
                "tags.holdfast:digest" => ("…".into(), "…".into()),
                path if path.starts_with("tags.holdfast:child") => (short(&change.from), short(&change.to)),
                _ => (change.from.to_string(), change.to.to_string()),
            };
            let _ = writeln!(out, "  {}: {from} → {to}{forces}", change.path);
        }
    }
}

/// Hides a digest, which has no meaning for readers.
fn short(value: &Value) -> String {
    if *value == Value::Null { "null".into() } else { "…".into() }
}

fn holds(out: &mut String, plan: &Plan) {
    for hold in &plan.holds {
        let _ = writeln!(out, "held {}: {:?}: {}", hold.address, hold.reason, hold.message);
    }
}

pub(crate) fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    plan.steps.iter().for_each(|s| step(&mut out, s));
    holds(&mut out, plan);
    for (address, condition) in &plan.conditions {
        let _ = writeln!(out, "condition {address}: {}: {}", condition.reason, condition.message);
    }
    if plan.steps.is_empty() && plan.holds.is_empty() {
        let _ = writeln!(out, "nothing to do, {} unchanged", plan.unchanged);
    }
    out
}

pub(crate) fn drift(plan: &Plan) -> String {
    let mut out = String::new();
    for difference in &plan.differences {
        let fields: Vec<&str> = difference.changes.iter().map(|c| c.path.as_str()).collect();
        let _ = writeln!(out, "{} {} {}", cause(difference.cause), difference.address, fields.join(" "));
    }
    if plan.differences.is_empty() {
        out.push_str("no differences\n");
    }
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

pub(crate) fn report(report: &PassReport) -> String {
    let mut out = String::new();
    for result in &report.results {
        let outcome = match result.outcome {
            StepOutcome::Done => String::new(),
            StepOutcome::Retry => format!(": not yet: {}", result.error.as_deref().unwrap_or_default()),
            StepOutcome::Failed => format!(": failed: {}", result.error.as_deref().unwrap_or_default()),
        };
        let _ = writeln!(out, "{} {}{outcome}", result.action.word(), result.address);
    }
    holds(&mut out, &report.plan);
    let state = match (report.converged, report.stopped) {
        (true, _) => "converged".to_owned(),
        (_, true) => format!("stopped, {} steps left", report.plan.steps.len()),
        _ => format!("not converged, {} steps left", report.plan.steps.len()),
    };
    let _ = writeln!(out, "{state} after {:.0} s", report.seconds);
    out
}

/// Prints the account: each resource with its address, or as unowned.
pub(crate) fn account(resources: &[ActualResource]) -> String {
    let mut lines: Vec<String> = resources
        .iter()
        .map(|resource| {
            let owner = resource.owner().map_or("unowned".into(), |owner| match owner.generation {
                1 => owner.address,
                n => format!("{} generation {n}", owner.address),
            });
            let phase = match resource.phase {
                Phase::Ready => String::new(),
                phase => format!(", {phase}"),
            };
            let tags: BTreeMap<&String, &String> =
                resource.tags.iter().filter(|(k, _)| !k.starts_with("holdfast:") && *k != "Name").collect();
            let tags = if tags.is_empty() { String::new() } else { format!(" {tags:?}") };
            format!("{} {} {}: {}{tags}{phase}", resource.kind, resource.id, owner, resource.spec)
        })
        .collect();
    lines.sort();
    if lines.is_empty() { "empty\n".into() } else { lines.join("\n") + "\n" }
}
