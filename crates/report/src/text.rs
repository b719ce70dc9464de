//! Plans as text for people: one line for each change, with identical changes grouped. Colours are ANSI codes, which
//! the caller strips when the output is no terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use holdfast_core::address::Address;
use holdfast_core::observed::{Condition, Observed};
use holdfast_core::plan::hold::Hold;
use holdfast_core::plan::{Action, Cause, Plan};

use crate::changes::FOLDED;
use crate::common::DRIFT_LEGEND;
use crate::escape::line;
use crate::groups::groups;
use crate::{Detail, FailedStep, Footer, changes, counted, drift_summary, held_changes, work};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();

fn style(action: Action) -> Style {
    match action {
        Action::Create | Action::Adopt => AnsiColor::Green.on_default(),
        Action::Update => AnsiColor::Yellow.on_default(),
        Action::Replace => AnsiColor::Magenta.on_default(),
        Action::Delete | Action::Release => AnsiColor::Red.on_default(),
    }
}

fn sign(action: Action) -> &'static str {
    match action {
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "±",
        Action::Delete => "−",
        Action::Adopt => "»",
        Action::Release => "«",
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Drift => "drift",
        Cause::Edit => "edit",
        Cause::Missing => "missing",
        Cause::Unattributed => "differs; its cause is not recorded",
    }
}

/// Returns a plan. Each change is shown as `live → declared`: the effect of its step.
pub fn plan(plan: &Plan, footer: Footer<'_>, detail: Detail) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}/{}{BOLD:#}", line(&plan.stack), line(&plan.env));
    steps(&mut out, plan, detail);
    holds(&mut out, plan, detail);
    for (address, condition) in &plan.conditions {
        let _ = writeln!(out, "  {DIM}i{DIM:#} {address}  {}", of_condition(condition));
    }
    for (kind, error) in footer.unobserved() {
        let _ = writeln!(out, "  {YELLOW}? unknown{YELLOW:#} {kind} could not be observed: {}", line(error));
    }
    let work = work(plan, |n| n.to_string()).map_or_else(|| "Nothing to do: ".to_owned(), |work| work + ", ");
    let _ = writeln!(out, "{work}{} unchanged, {}.", plan.unchanged, counted(footer.calls, "AWS call"));
    if !detail.full && out.contains(FOLDED) {
        let _ = writeln!(out, "Long lists and values are folded; `--full` shows them.");
    }
    if !footer.orphans().is_empty() {
        let _ = writeln!(out, "{}", footer.orphans());
    }
    out
}

fn steps(out: &mut String, plan: &Plan, detail: Detail) {
    for group in groups(plan, detail) {
        let color = style(group.action);
        let head = format!("{} {:<7} {:<10}", sign(group.action), group.action.word(), group.tier);
        let why = match (group.action, group.cause) {
            (Action::Create, Cause::Edit) | (Action::Delete | Action::Adopt | Action::Release, _) => String::new(),
            (_, why) => format!("  {DIM}{}{DIM:#}", cause(why)),
        };
        let live = match group.identity() {
            None => String::new(),
            Some((id, None)) => format!("  {}", line(id)),
            Some((id, Some(name))) => format!("  {} ({})", line(id), line(name)),
        };
        let _ = writeln!(out, "  {color}{head}{color:#} {}{live}{why}", group.subject(detail));
        for change in &group.lines {
            let _ = writeln!(out, "      {change}");
        }
    }
}

/// Adds the holds, each with the changes that it keeps from being made.
fn holds(out: &mut String, plan: &Plan, detail: Detail) {
    for hold in &plan.holds {
        let _ = writeln!(out, "  {YELLOW}! held{YELLOW:#}    {}  {}", hold.address, of_hold(hold));
        for change in held_changes(plan, hold, detail) {
            let _ = writeln!(out, "      {change}");
        }
    }
}

fn of_hold(hold: &Hold) -> String {
    format!("{BOLD}{:?}{BOLD:#}: {}", hold.reason, line(&hold.message))
}

fn of_condition(condition: &Condition) -> String {
    format!("{} {}: {}", condition.ty, line(&condition.reason), line(&condition.message))
}

/// Returns the drift of a plan, and its holds.
pub fn drift(plan: &Plan, calls: u64, detail: Detail) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}/{}{BOLD:#}", line(&plan.stack), line(&plan.env));
    if plan.drift().any(|difference| !difference.changes.is_empty()) {
        let _ = writeln!(out, "  {DIM}{DRIFT_LEGEND}{DIM:#}");
    }
    for difference in plan.drift() {
        let why = cause(difference.cause);
        let _ = writeln!(out, "  {YELLOW}≠ {why:<10}{YELLOW:#} {}", difference.address);
        for line in difference.changes.iter().flat_map(|change| changes::lines(change, detail)) {
            let _ = writeln!(out, "      {line}");
        }
    }
    for hold in &plan.holds {
        let _ = writeln!(out, "  {YELLOW}! held{YELLOW:#}    {}  {}", hold.address, of_hold(hold));
    }
    let _ = writeln!(out, "{} {}.", drift_summary(plan), counted(calls, "AWS call"));
    out
}

/// Returns live resources with their ids, holds and conditions.
pub fn resources<'a>(live: impl IntoIterator<Item = (&'a Address, &'a Observed)>, plan: &Plan) -> String {
    let rows: Vec<_> = live.into_iter().map(|(address, live)| (address.to_string(), address, live)).collect();
    let width = rows.iter().map(|(text, ..)| text.len()).max().unwrap_or_default();
    let mut out = String::new();
    for (text, address, live) in rows {
        let _ = writeln!(out, "{text:width$}  {:<8}  {}", live.phase.to_string(), line(&live.id));
        for hold in plan.holds.iter().filter(|hold| hold.address == *address) {
            let _ = writeln!(out, "{:width$}  held: {}", "", of_hold(hold));
        }
        for condition in &live.conditions {
            let _ = writeln!(out, "{:width$}  {}", "", of_condition(condition));
        }
    }
    out
}

/// Returns the steps that failed, each with its cause; empty when there is none.
pub fn failures(failed: &[FailedStep<'_>]) -> String {
    let mut out = String::new();
    if !failed.is_empty() {
        let _ = writeln!(out, "{RED}{} failed:{RED:#}", counted(failed.len(), "step"));
    }
    for FailedStep { action, address, error } in failed {
        let _ = writeln!(out, "  {RED}✗{RED:#} {} {address}: {}", action.word(), line(error));
    }
    out
}
