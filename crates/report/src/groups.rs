//! Steps of a plan that make the same changes to several resources of a kind, and are reported once.

use std::collections::BTreeMap;

use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::plan::{Action, Cause, Plan, Step};
use holdfast_core::schema::Tier;

/// Steps that make the same changes to several resources of a kind, and are reported once.
pub(crate) struct StepGroup<'a> {
    pub(crate) action: Action,
    pub(crate) cause: Cause,
    pub(crate) tier: Tier,
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

/// Returns the changes to report. The changes of a create are in the document already.
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
