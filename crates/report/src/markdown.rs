//! Plans as Markdown, for a comment on a pull request.

use std::fmt::Write;

use holdfast_core::plan::Plan;

use crate::changes::line;
use crate::groups::groups;
use crate::{Footer, counted, work};

/// Returns a plan.
pub fn plan(plan: &Plan, footer: Footer) -> String {
    let mut out = String::new();
    let work = work(plan, |n| format!("**{n}**")).unwrap_or_else(|| "nothing to do".to_owned());
    let _ = writeln!(out, "### `{}/{}`: {work}\n", plan.stack, plan.env);
    if !plan.steps.is_empty() {
        out.push_str("| action | resource | cause | changes |\n|---|---|---|---|\n");
    }
    for group in groups(plan) {
        let changes: Vec<String> =
            group.changes.iter().map(|c| format!("`{}`", line(c).replace('|', "\\|").replace('`', "'"))).collect();
        let cause = format!("{:?}", group.cause).to_lowercase();
        let _ =
            writeln!(out, "| {} | `{}` | {cause} | {} |", group.action.word(), group.subject(), changes.join("<br>"));
    }
    if !plan.holds.is_empty() {
        out.push_str("\n| held | reason | |\n|---|---|---|\n");
    }
    for hold in &plan.holds {
        let _ = writeln!(out, "| `{}` | {:?} | {} |", hold.address, hold.reason, cell(&hold.message));
    }
    if !plan.conditions.is_empty() {
        out.push_str("\n| condition of | type | reason | |\n|---|---|---|---|\n");
    }
    for (address, condition) in &plan.conditions {
        let (reason, message) = (cell(&condition.reason), cell(&condition.message));
        let _ = writeln!(out, "| `{address}` | {} | {reason} | {message} |", condition.ty);
    }
    if !plan.steps.is_empty() || !plan.holds.is_empty() || !plan.conditions.is_empty() {
        out.push('\n');
    }
    let calls = counted(footer.calls, "AWS call");
    let _ = writeln!(out, "{} unchanged, {calls}. {}", plan.unchanged, footer.orphans());
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// Escapes text for one cell of a table.
pub(crate) fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
