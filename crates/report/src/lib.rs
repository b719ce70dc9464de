//! The presentation of documents, plans, observations and kinds: text for people, JSON for machines, Markdown for pull
//! requests and the manual, diagrams, and the JSON Schema for editors.
//!
//! The planner does not depend on this crate, so a change of a report cannot change a plan.

use holdfast_core::plan::{Action, Plan};

mod changes;
mod common;
pub mod diagnostics;
pub mod diagram;
pub mod explain;
mod groups;
pub mod json;
pub mod json_schema;
pub mod markdown;
pub mod text;

/// The facts of a dry run or pass that its plan does not contain.
#[derive(Clone, Copy, Debug)]
pub struct Footer {
    /// The number of calls to AWS.
    pub calls: u64,
    /// True when every kind was observed in every configured region (full scan), to find orphans.
    pub orphans_searched: bool,
}

impl Footer {
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
