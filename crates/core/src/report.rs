//! Plans, looks and graphs in words: text for people, JSON for machines, Markdown for pull requests.

pub mod diagram;
pub mod json;
pub mod markdown;
pub mod text;

use std::collections::BTreeMap;

use crate::address::Address;
use crate::diff::Change;
use crate::plan::{Action, Cause, Plan, Step};

/// JSON as YAML.
///
/// # Errors
/// When a map has keys that YAML cannot carry; what comes from here has none.
pub fn yaml(json: &serde_json::Value) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(json)
}

/// Steps that do the same to several resources of a kind: told once.
pub(crate) struct Fold<'a> {
    pub(crate) action: Action,
    pub(crate) cause: Cause,
    pub(crate) tier: crate::schema::Tier,
    pub(crate) addresses: Vec<&'a Address>,
    pub(crate) changes: &'a [Change],
}

impl Fold<'_> {
    /// `Vpc/main`, or `Subnet/{a, b}` for several.
    pub(crate) fn who(&self) -> String {
        match &self.addresses[..] {
            [one] => one.to_string(),
            several => {
                let names: Vec<&str> = several.iter().map(|a| &*a.name).collect();
                format!("{}/{{{}}}", several[0].kind, names.join(", "))
            }
        }
    }
}

/// Folds identical changes of one kind into one row, in the order of the plan.
pub(crate) fn folds(plan: &Plan) -> Vec<Fold<'_>> {
    let mut folds: Vec<Fold<'_>> = vec![];
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for step in &plan.steps {
        let key = fold_key(step);
        match seen.get(&key) {
            Some(&i) => folds[i].addresses.push(&step.address),
            None => {
                seen.insert(key, folds.len());
                folds.push(Fold {
                    action: step.action,
                    cause: step.cause,
                    tier: step.tier,
                    addresses: vec![&step.address],
                    changes: told(step),
                });
            }
        }
    }
    folds
}

/// The changes that are worth telling: a create's are the document itself.
fn told(step: &Step) -> &[Change] {
    match step.action {
        Action::Create | Action::Delete => &[],
        _ => &step.changes,
    }
}

fn fold_key(step: &Step) -> String {
    let changes: Vec<String> = told(step).iter().map(|c| format!("{} {} {}", c.path, c.from, c.to)).collect();
    format!("{:?} {:?} {} {}", step.action, step.cause, step.address.kind, changes.join(";"))
}

/// A change in one line: `desiredCount: 3 → 2`, or what a set loses and gains.
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
        return format!("{}: {} → {}{suffix}", change.path, shown(&change.from), shown(&change.to));
    }
    let signs = lost.iter().map(|v| format!("−{}", shown(v))).chain(gained.iter().map(|v| format!("+{}", shown(v))));
    format!("{}: {}{suffix}", change.path, signs.collect::<Vec<_>>().join(" "))
}

/// A value, cut to what fits a line.
fn shown(value: &crate::value::Value) -> String {
    use crate::value::Value;
    const MOST: usize = 120;
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::Text(text) if text.is_empty() => "\"\"".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
