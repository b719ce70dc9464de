//! The presentation of documents, plans, observations and kinds: text for people, JSON for machines, Markdown for pull
//! requests and the manual, diagrams, and the JSON Schema for editors.
//!
//! The planner does not depend on this crate, so a change of a report cannot change a plan.

use std::collections::BTreeMap;

use holdfast_core::address::Address;
use holdfast_core::observed::KindRegion;
use holdfast_core::plan::hold::Hold;
use holdfast_core::plan::{Action, Plan};

mod changes;
mod common;
pub mod diagnostics;
pub mod diagram;
pub mod escape;
pub mod explain;
mod groups;
pub mod json;
pub mod json_schema;
pub mod markdown;
pub mod text;

/// The facts of a dry run or pass that its plan does not contain.
#[derive(Clone, Copy, Debug)]
pub struct Footer<'a> {
    /// The number of calls to AWS.
    pub calls: u64,
    /// True when every kind was observed in every configured region (full scan), to find orphans.
    pub orphans_searched: bool,
    /// The kinds that could not be observed in a region, each with the error.
    pub unobserved: &'a BTreeMap<KindRegion, String>,
}

impl Footer<'_> {
    /// Returns each kind that could not be observed, with its region and the error.
    fn unobserved(&self) -> impl Iterator<Item = (String, &str)> {
        self.unobserved.iter().map(|(KindRegion { kind, region }, error)| {
            let place = if region.is_empty() { String::new() } else { format!(" in {region}") };
            (format!("{kind}{place}"), error.as_str())
        })
    }

    /// Returns the sentence about orphans that were not searched for; empty when they were.
    fn orphans(self) -> &'static str {
        match self.orphans_searched {
            true => "",
            false => {
                "Orphans of kinds and regions that the document does not have were not searched for; `--prune` searches for them."
            }
        }
    }
}

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detail {
    /// True to show every field, line and address. False to fold long ones.
    pub full: bool,
}

/// A step that failed, with its cause.
#[derive(Clone, Copy, Debug)]
pub struct FailedStep<'a> {
    /// The action.
    pub action: Action,
    /// The address of the resource.
    pub address: &'a Address,
    /// The error.
    pub error: &'a str,
}

/// Returns the changes that a hold keeps from being made, in lines. A step for the same resource shows them itself.
fn held_changes(plan: &Plan, hold: &Hold, detail: Detail) -> Vec<String> {
    if plan.steps.iter().any(|step| step.address == hold.address) {
        return vec![];
    }
    let differences = plan.differences.iter().filter(|difference| difference.address == hold.address);
    differences.flat_map(|difference| &difference.changes).flat_map(|change| changes::lines(change, detail)).collect()
}

/// Returns the number of drifted resources and of edits, in sentences.
fn drift_summary(plan: &Plan) -> String {
    let (drifted, differences) = (plan.drift().count(), plan.differences.len());
    let head = match drifted {
        0 => "No drift.".to_owned(),
        n => format!("{} drifted.", counted(n, "resource")),
    };
    match differences - drifted {
        0 => head,
        1 => head + " 1 edit of the document is not applied yet.",
        n => format!("{head} {n} edits of the document are not applied yet."),
    }
}

/// Returns a number with its noun: `1 step`, `2 steps`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns the counts of a plan in words, each number in the given form, without the unchanged resources: `1 to create,
/// 2 held`. None when there is nothing to do.
fn work(plan: &Plan, number: impl Fn(usize) -> String) -> Option<String> {
    let steps = Action::ALL.iter().map(|action| (plan.count(*action), format!("to {}", action.word())));
    let counts = steps.chain([(plan.holds.len(), "held".to_owned())]);
    let counts: Vec<String> = counts.filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(n))).collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

/// Returns JSON as YAML.
///
/// # Errors
/// Returns an error when a map has keys that YAML cannot represent. The JSON of this crate has none.
pub fn yaml(json: &serde_json::Value) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(json)
}

#[cfg(test)]
mod tests;
