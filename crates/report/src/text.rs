//! Plans as text for people: one line for each change, with identical changes grouped. Colours are ANSI codes, which
//! the caller strips when the output is no terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use holdfast_core::address::Address;
use holdfast_core::observed::{Condition, Observed};
use holdfast_core::plan::hold::Hold;
use holdfast_core::plan::{Action, Cause, Plan};

use crate::changes::line;
use crate::groups::groups;
use crate::{Footer, counted, work};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const YELLOW: Style = AnsiColor::Yellow.on_default();

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
pub fn plan(plan: &Plan, footer: Footer) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}/{}{BOLD:#}", plan.stack, plan.env);
    steps(&mut out, plan);
    holds(&mut out, plan);
    for (address, condition) in &plan.conditions {
        let _ = writeln!(out, "  {DIM}i{DIM:#} {address}  {}", of_condition(condition));
    }
    let work = work(plan, |n| n.to_string()).map_or_else(|| "Nothing to do: ".to_owned(), |work| work + ", ");
    let _ = writeln!(out, "{work}{} unchanged, {}.", plan.unchanged, counted(footer.calls, "AWS call"));
    if !footer.orphans().is_empty() {
        let _ = writeln!(out, "{}", footer.orphans());
    }
    out
}

fn steps(out: &mut String, plan: &Plan) {
    for group in groups(plan) {
        let color = style(group.action);
        let head = format!("{} {:<7} {:<10}", sign(group.action), group.action.word(), group.tier);
        let why = match (group.action, group.cause) {
            (Action::Create, Cause::Edit) | (Action::Delete | Action::Adopt, _) => String::new(),
            (_, why) => format!("  {DIM}{}{DIM:#}", cause(why)),
        };
        let _ = writeln!(out, "  {color}{head}{color:#} {}{why}", group.subject());
        for change in group.changes {
            let _ = writeln!(out, "      {}", line(change));
        }
    }
}

fn holds(out: &mut String, plan: &Plan) {
    for hold in &plan.holds {
        let _ = writeln!(out, "  {YELLOW}! held{YELLOW:#}    {}  {}", hold.address, of_hold(hold));
    }
}

fn of_hold(hold: &Hold) -> String {
    format!("{BOLD}{:?}{BOLD:#}: {}", hold.reason, hold.message)
}

fn of_condition(condition: &Condition) -> String {
    format!("{} {}: {}", condition.ty, condition.reason, condition.message)
}

/// Returns the drift of a plan, and its holds.
pub fn drift(plan: &Plan, calls: u64) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}/{}{BOLD:#}", plan.stack, plan.env);
    if plan.drift().any(|difference| !difference.changes.is_empty()) {
        let _ = writeln!(
            out,
            "  {DIM}A change is shown as `live → declared`, which is what a correction does. In a list, − is only live, \
             and + is only declared.{DIM:#}"
        );
    }
    for difference in plan.drift() {
        let why = cause(difference.cause);
        let _ = writeln!(out, "  {YELLOW}≠ {why:<10}{YELLOW:#} {}", difference.address);
        for change in &difference.changes {
            let _ = writeln!(out, "      {}", line(change));
        }
    }
    holds(&mut out, plan);
    let (drifted, differences) = (plan.drift().count(), plan.differences.len());
    let head = match drifted {
        0 => "No drift.".to_owned(),
        n => format!("{} drifted.", counted(n, "resource")),
    };
    let edits = match differences - drifted {
        0 => String::new(),
        1 => " 1 edit of the document is not applied yet.".to_owned(),
        n => format!(" {n} edits of the document are not applied yet."),
    };
    let _ = writeln!(out, "{head}{edits} {}.", counted(calls, "AWS call"));
    out
}

/// Returns live resources with their ids, holds and conditions.
pub fn resources<'a>(live: impl IntoIterator<Item = (&'a Address, &'a Observed)>, plan: &Plan) -> String {
    let rows: Vec<_> = live.into_iter().map(|(address, live)| (address.to_string(), address, live)).collect();
    let width = rows.iter().map(|(text, ..)| text.len()).max().unwrap_or_default();
    let mut out = String::new();
    for (text, address, live) in rows {
        let _ = writeln!(out, "{text:width$}  {:<8}  {}", live.phase.to_string(), live.id);
        for hold in plan.holds.iter().filter(|hold| hold.address == *address) {
            let _ = writeln!(out, "{:width$}  held: {}", "", of_hold(hold));
        }
        for condition in &live.conditions {
            let _ = writeln!(out, "{:width$}  {}", "", of_condition(condition));
        }
    }
    out
}
