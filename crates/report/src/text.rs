//! Plans as text for people: one line for each change, with identical changes grouped. Colours are ANSI codes, which
//! the caller strips when the output is no terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::changes::line;
use crate::groups::groups;
use holdfast_core::plan::{Action, Cause, Plan};

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

/// Returns a plan.
pub fn plan(plan: &Plan, calls: u64) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}/{}{BOLD:#}", plan.stack, plan.env);
    steps(&mut out, plan);
    holds(&mut out, plan);
    conditions(&mut out, plan);
    let _ = writeln!(out, "{}", summary(plan, calls));
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
        let reason = format!("{:?}", hold.reason);
        let _ =
            writeln!(out, "  {YELLOW}! held{YELLOW:#}    {}  {BOLD}{reason}{BOLD:#}: {}", hold.address, hold.message);
    }
}

fn conditions(out: &mut String, plan: &Plan) {
    for (address, condition) in &plan.conditions {
        let _ =
            writeln!(out, "  {DIM}i{DIM:#} {address}  {} {}: {}", condition.ty, condition.reason, condition.message);
    }
}

fn summary(plan: &Plan, calls: u64) -> String {
    let counts: Vec<String> = Action::ALL
        .iter()
        .map(|action| (plan.count(*action), action.word()))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} to {word}"))
        .chain((!plan.holds.is_empty()).then(|| format!("{} held", plan.holds.len())))
        .chain([format!("{} unchanged", plan.unchanged), format!("{calls} AWS calls")])
        .collect();
    let nothing = if plan.steps.is_empty() && plan.holds.is_empty() { "Nothing to do: " } else { "" };
    format!("{nothing}{}.", counts.join(", "))
}

/// Returns the drift of a plan, and its holds.
pub fn drift(plan: &Plan, calls: u64) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}/{}{BOLD:#}", plan.stack, plan.env);
    let mut drifted = 0;
    for difference in plan.drift() {
        drifted += 1;
        let why = cause(difference.cause);
        let _ = writeln!(out, "  {YELLOW}≠ {why:<10}{YELLOW:#} {}", difference.address);
        for change in &difference.changes {
            let _ = writeln!(out, "      {}", line(change));
        }
    }
    let edits = plan.differences.iter().filter(|d| !d.cause.is_drift()).count();
    holds(&mut out, plan);
    let edits = if edits > 0 { format!(" {edits} edits of the document are not applied yet.") } else { String::new() };
    let _ = match drifted {
        0 => writeln!(out, "No drift.{edits} {calls} AWS calls."),
        1 => writeln!(out, "1 resource drifted.{edits} {calls} AWS calls."),
        n => writeln!(out, "{n} resources drifted.{edits} {calls} AWS calls."),
    };
    out
}
