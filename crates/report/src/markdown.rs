//! Plans as Markdown, for a comment on a pull request.

use std::fmt::Write;

use crate::changes::line;
use crate::groups::groups;
use holdfast_core::plan::{Action, Plan};

/// Returns a plan.
pub fn plan(plan: &Plan, calls: u64) -> String {
    let mut out = String::new();
    let counts: Vec<String> = Action::ALL
        .iter()
        .map(|action| (plan.count(*action), action.word()))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("**{n}** to {word}"))
        .collect();
    let counts = if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") };
    let _ = writeln!(out, "### `{}/{}`: {counts}\n", plan.stack, plan.env);
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
        let _ = writeln!(out, "| `{}` | {:?} | {} |", hold.address, hold.reason, hold.message.replace('|', "\\|"));
    }
    if !plan.steps.is_empty() || !plan.holds.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{} unchanged, {calls} AWS calls.", plan.unchanged);
    out
}
