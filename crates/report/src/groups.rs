//! Steps of a plan that make the same changes to several resources of a kind, and are reported once.

use std::collections::BTreeMap;

use holdfast_core::address::Address;
use holdfast_core::observed::Observed;
use holdfast_core::operation::Mutation;
use holdfast_core::plan::{Action, Cause, Plan, Step};
use holdfast_core::schema::Tier;

use crate::{Detail, changes};

/// The largest number of names in a list of resources, unless all details are asked for.
const MAX_NAMES: usize = 10;

/// Steps that make the same changes to several resources of a kind, and are reported once.
pub(crate) struct StepGroup<'a> {
    pub(crate) action: Action,
    pub(crate) cause: Cause,
    pub(crate) tier: Tier,
    addresses: Vec<&'a Address>,
    /// The lines of the changes.
    pub(crate) lines: Vec<String>,
    /// The live resource that the step deletes, releases, adopts or replaces: such a step is reported on its own.
    live: Option<&'a Observed>,
}

impl StepGroup<'_> {
    /// Returns the addresses: `Vpc/main`, or `Subnet/{a, b, … and 2 more}` for several.
    pub(crate) fn subject(&self, detail: Detail) -> String {
        match &self.addresses[..] {
            [one] => one.to_string(),
            several => {
                let names: Vec<&str> = several.iter().map(|a| &*a.name).collect();
                let more = names.len().saturating_sub(MAX_NAMES);
                match more > 1 && !detail.full {
                    true => format!("{}/{{{}, … and {more} more}}", several[0].kind, names[..MAX_NAMES].join(", ")),
                    false => format!("{}/{{{}}}", several[0].kind, names.join(", ")),
                }
            }
        }
    }

    /// Returns the id of the live resource, and its name if that is another text.
    pub(crate) fn identity(&self) -> Option<(&str, Option<&str>)> {
        let live = self.live?;
        Some((&live.id, Some(live.name.as_str()).filter(|name| !name.is_empty() && *name != live.id)))
    }
}

/// Groups identical changes of one kind, in the order of the plan.
pub(crate) fn groups(plan: &Plan, detail: Detail) -> Vec<StepGroup<'_>> {
    let mut groups: Vec<StepGroup<'_>> = vec![];
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for step in &plan.steps {
        let (lines, live) = (lines(step, detail), live(step));
        let of = live.map(|live| format!("{} {}", step.address, live.id)).unwrap_or_default();
        let key = format!("{:?} {:?} {} {of} {}", step.action, step.cause, step.address.kind, lines.join("\n"));
        match index.get(&key) {
            Some(&i) => groups[i].addresses.push(&step.address),
            None => {
                index.insert(key, groups.len());
                let (action, cause, tier) = (step.action, step.cause, step.tier);
                groups.push(StepGroup { action, cause, tier, addresses: vec![&step.address], lines, live });
            }
        }
    }
    groups
}

/// Returns the lines of a step's changes.
fn lines(step: &Step, detail: Detail) -> Vec<String> {
    match step.action {
        Action::Create => changes::fields(&step.changes, detail),
        Action::Delete => vec![],
        Action::Update | Action::Replace | Action::Adopt | Action::Release => {
            step.changes.iter().flat_map(|change| changes::lines(change, detail)).collect()
        }
    }
}

/// Returns the live resource that a step deletes, replaces, adopts or releases.
fn live(step: &Step) -> Option<&Observed> {
    match (step.action, &step.operation.as_ref()?.mutation) {
        (_, Mutation::Delete { live }) => Some(live),
        (Action::Adopt | Action::Release, Mutation::Tag { live, .. } | Mutation::Update { live, .. }) => Some(live),
        _ => None,
    }
}
