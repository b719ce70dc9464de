//! Plans, drift, reports of passes and live resources as Markdown, for a comment on a pull request.

use std::fmt::Write;

use holdfast_core::address::Address;
use holdfast_core::observed::Observed;
use holdfast_core::plan::Plan;
use holdfast_core::plan::hold::Hold;

use crate::common::DRIFT_LEGEND;
use crate::escape::{cell, code};
use crate::groups::groups;
use crate::{Detail, FailedStep, Footer, changes, counted, drift_summary, held_changes, work};

/// Returns a plan.
pub fn plan(plan: &Plan, footer: Footer<'_>, detail: Detail) -> String {
    let mut out = String::new();
    let work = work(plan, |n| format!("**{n}**")).unwrap_or_else(|| "nothing to do".to_owned());
    let _ = writeln!(out, "### {}: {work}\n", title(plan));
    if !plan.steps.is_empty() {
        out.push_str("| action | resource | cause | changes |\n|---|---|---|---|\n");
    }
    for group in groups(plan, detail) {
        let (id, name) = group.identity().unzip();
        let live: String = id.into_iter().chain(name.flatten()).map(|text| format!(" {}", code(text))).collect();
        let cause = format!("{:?}", group.cause).to_lowercase();
        let (action, subject) = (group.action.word(), code(&group.subject(detail)));
        let _ = writeln!(out, "| {action} | {subject}{live} | {cause} | {} |", lines(&group.lines));
    }
    holds(&mut out, plan, detail);
    if !plan.conditions.is_empty() {
        out.push_str("\n| condition of | type | reason | |\n|---|---|---|---|\n");
    }
    for (address, condition) in &plan.conditions {
        let (reason, message) = (cell(&condition.reason), cell(&condition.message));
        let _ = writeln!(out, "| {} | {} | {reason} | {message} |", code(&address.to_string()), condition.ty);
    }
    if !footer.unobserved.is_empty() {
        out.push_str("\n| not observed | error |\n|---|---|\n");
    }
    for (kind, error) in footer.unobserved() {
        let _ = writeln!(out, "| {} | {} |", code(&kind), cell(error));
    }
    if out.ends_with("|\n") {
        out.push('\n');
    }
    let calls = counted(footer.calls, "AWS call");
    let _ = writeln!(out, "{} unchanged, {calls}. {}", plan.unchanged, footer.orphans());
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// Returns the drift of a plan, and its holds.
pub fn drift(plan: &Plan, calls: u64, detail: Detail) -> String {
    let mut out = format!("### Drift of {}\n\n", title(plan));
    if plan.drift().next().is_some() {
        let _ = writeln!(out, "{DRIFT_LEGEND}\n\n| cause | resource | changes |\n|---|---|---|");
    }
    for difference in plan.drift() {
        let changes: Vec<String> = difference.changes.iter().flat_map(|c| changes::lines(c, detail)).collect();
        let cause = format!("{:?}", difference.cause).to_lowercase();
        let _ = writeln!(out, "| {cause} | {} | {} |", code(&difference.address.to_string()), lines(&changes));
    }
    holds(&mut out, plan, detail);
    if !plan.holds.is_empty() || plan.drift().next().is_some() {
        out.push('\n');
    }
    let _ = writeln!(out, "{} {}.", drift_summary(plan), counted(calls, "AWS call"));
    out
}

/// Returns live resources with their ids, holds and conditions.
pub fn resources<'a>(live: impl IntoIterator<Item = (&'a Address, &'a Observed)>, plan: &Plan) -> String {
    let mut out = format!("### Resources of {}\n\n| resource | phase | id | |\n|---|---|---|---|\n", title(plan));
    for (address, live) in live {
        let held = plan.holds.iter().filter(|hold| hold.address == *address);
        let held = held.map(|hold: &Hold| format!("held: {:?}: {}", hold.reason, cell(&hold.message)));
        let conditions = live.conditions.iter().map(|c| format!("{} {}: {}", c.ty, cell(&c.reason), cell(&c.message)));
        let notes: Vec<String> = held.chain(conditions).collect();
        let (address, id) = (code(&address.to_string()), code(&live.id));
        let _ = writeln!(out, "| {address} | {} | {id} | {} |", live.phase, notes.join("<br>"));
    }
    out
}

/// Returns the steps that failed, each with its cause; empty when there is none.
pub fn failures(failed: &[FailedStep<'_>]) -> String {
    let mut out = String::new();
    if !failed.is_empty() {
        let _ = writeln!(out, "\n| failed | resource | cause |\n|---|---|---|");
    }
    for FailedStep { action, address, error } in failed {
        let _ = writeln!(out, "| {} | {} | {} |", action.word(), code(&address.to_string()), cell(error));
    }
    out
}

/// Adds the table of the holds, each with the changes that it keeps from being made.
fn holds(out: &mut String, plan: &Plan, detail: Detail) {
    if !plan.holds.is_empty() {
        out.push_str("\n| held | reason | |\n|---|---|---|\n");
    }
    for hold in &plan.holds {
        let changes = held_changes(plan, hold, detail);
        let separator = if changes.is_empty() { "" } else { "<br>" };
        let (address, message) = (code(&hold.address.to_string()), cell(&hold.message));
        let _ = writeln!(out, "| {address} | {:?} | {message}{separator}{} |", hold.reason, lines(&changes));
    }
}

fn title(plan: &Plan) -> String {
    code(&format!("{}/{}", plan.stack, plan.env))
}

/// Returns lines as code in one cell of a table.
fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| code(line)).collect::<Vec<_>>().join("<br>")
}
