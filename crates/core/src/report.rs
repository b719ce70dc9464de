//! Reports of plans, observations and graphs: text for people, JSON for machines, Markdown for pull requests.

pub mod diagram;
pub mod json;
pub mod markdown;
pub mod text;

use std::collections::BTreeMap;

use crate::address::Address;
use crate::diff::Change;
use crate::plan::{Action, Cause, Plan, Step};

/// Returns JSON as YAML.
///
/// # Errors
/// Returns an error when a map has keys that YAML cannot represent. The JSON of this module has none.
pub fn yaml(json: &serde_json::Value) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(json)
}

/// Steps that make the same changes to several resources of a kind, and are reported once.
pub(crate) struct StepGroup<'a> {
    pub(crate) action: Action,
    pub(crate) cause: Cause,
    pub(crate) tier: crate::schema::Tier,
    pub(crate) addresses: Vec<&'a Address>,
    pub(crate) changes: &'a [Change],
}

impl StepGroup<'_> {
    /// Returns the addresses: `Vpc/main`, or `Subnet/{a, b}` for several.
    pub(crate) fn subject(&self) -> String {
        match &self.addresses[..] {
            [one] => one.to_string(),
            several => {
                let names: Vec<&str> = several.iter().map(|a| &*a.name).collect();
                format!("{}/{{{}}}", several[0].kind, names.join(", "))
            }
        }
    }
}

/// Groups identical changes of one kind, in the order of the plan.
pub(crate) fn groups(plan: &Plan) -> Vec<StepGroup<'_>> {
    let mut groups: Vec<StepGroup<'_>> = vec![];
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for step in &plan.steps {
        let key = group_key(step);
        match index.get(&key) {
            Some(&i) => groups[i].addresses.push(&step.address),
            None => {
                index.insert(key, groups.len());
                groups.push(StepGroup {
                    action: step.action,
                    cause: step.cause,
                    tier: step.tier,
                    addresses: vec![&step.address],
                    changes: reported_changes(step),
                });
            }
        }
    }
    groups
}

/// Returns the changes to report. Those of a create are in the document already.
fn reported_changes(step: &Step) -> &[Change] {
    match step.action {
        Action::Create | Action::Delete => &[],
        _ => &step.changes,
    }
}

fn group_key(step: &Step) -> String {
    let changes: Vec<String> =
        reported_changes(step).iter().map(|c| format!("{} {} {}", c.path, c.from, c.to)).collect();
    format!("{:?} {:?} {} {}", step.action, step.cause, step.address.kind, changes.join(";"))
}

/// Returns a change in one line: `desiredCount: 3 → 2`, or the elements that a set loses and gains.
pub(crate) fn line(change: &Change) -> String {
    use crate::value::Value;
    let (lost, gained) = match (&change.from, &change.to) {
        (Value::List(from), Value::List(to)) if from.len() + to.len() > 2 => (
            from.iter().filter(|v| !to.contains(v)).cloned().collect(),
            to.iter().filter(|v| !from.contains(v)).cloned().collect(),
        ),
        _ => (vec![], vec![]),
    };
    let suffix = if change.immutable { "  (forces a replacement)" } else { "" };
    if lost.is_empty() && gained.is_empty() {
        return format!("{}: {} → {}{suffix}", change.path, shorten(&change.from), shorten(&change.to));
    }
    let signs =
        lost.iter().map(|v| format!("−{}", shorten(v))).chain(gained.iter().map(|v| format!("+{}", shorten(v))));
    format!("{}: {}{suffix}", change.path, signs.collect::<Vec<_>>().join(" "))
}

/// Returns a value as text, at most 120 characters long.
fn shorten(value: &crate::value::Value) -> String {
    use crate::value::Value;
    const MAX_CHARS: usize = 120;
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::Text(text) if text.is_empty() => "\"\"".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_CHARS) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
