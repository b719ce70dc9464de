//! Contested resources: live resources that have the owner tags of an address without a proof that they belong to it.

use std::collections::BTreeSet;

use super::proof::{Evidence, ResourceRecord};
use super::{Inventory, Orphan};
use crate::address::Address;
use crate::document::Resource;
use crate::observed::{Condition, ConditionType, Observation, Observed};
use crate::plan::hold::Reason;
use crate::schema::Schema;
use crate::value::Value;

/// The number of fields that a message compares.
const FIELDS: usize = 3;

/// The length of a value that a message shows.
const VALUE: usize = 60;

/// Holds an address whose live resource is not distinguished from resources with copied tags.
pub(super) fn hold_ambiguous<'a>(
    resource: &Resource,
    candidates: &[&'a Observed],
    evidence: &Evidence<'_, 'a>,
    inventory: &mut Inventory<'a>,
) {
    let described: Vec<String> = candidates.iter().map(|o| describe(o)).collect();
    let message = match candidates {
        [one] => {
            let recorded = evidence.recorded(&resource.address).join(", ");
            format!(
                "{} has the owner tags of this address, but the store records {recorded}, which does not exist; tags can \
                 be copied, so nothing is changed; adopt {} with `lifecycle: {{ adopt: {} }}`, or remove its tag \
                 `holdfast:address`",
                described[0], one.id, one.id
            )
        }
        [first, ..] => {
            let differences = differences(resource.schema, candidates, evidence.observation());
            format!(
                "{} have the owner tags of this address, and nothing proves which one belongs to it; {differences}; \
                 nothing is changed; {}",
                described.join(" and "),
                way_out(first)
            )
        }
        [] => return,
    };
    inventory.hold(resource, Reason::OwnershipAmbiguous, message);
}

fn way_out(example: &Observed) -> String {
    format!(
        "choose one with `lifecycle: {{ adopt: {} }}`, or remove the tag `holdfast:address` from the other",
        example.id
    )
}

/// Returns the id of a live resource, with its name if that differs.
pub(super) fn describe(observed: &Observed) -> String {
    match observed.name.as_str() {
        "" => observed.id.clone(),
        name if observed.id.ends_with(name) => observed.id.clone(),
        name => format!("{} (`{name}`)", observed.id),
    }
}

/// Returns a sentence about the differences of live resources.
fn differences(schema: &Schema, candidates: &[&Observed], observation: &Observation) -> String {
    let fields = schema.record.fields.iter().map(|field| field.name);
    let values = |field: &str| -> Vec<String> {
        candidates.iter().map(|o| short(&o.spec.get(field).cloned().unwrap_or_default())).collect()
    };
    let differing = fields.filter_map(|field| {
        let values = values(field);
        let distinct: BTreeSet<&String> = values.iter().collect();
        (distinct.len() > 1).then(|| format!("`{field}` is {}", values.join(" and ")))
    });
    let mut facts: Vec<String> = differing.take(FIELDS).collect();
    let users: Vec<usize> = candidates.iter().map(|o| count_users(observation, schema, o)).collect();
    if users.iter().any(|count| *count != users[0]) {
        let users: Vec<String> = users.iter().map(ToString::to_string).collect();
        facts.push(format!("{} other resources refer to them", users.join(" and ")));
    }
    match facts.is_empty() {
        true => "their fields do not differ".to_owned(),
        false => format!("they differ: {}", facts.join(", ")),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns the number of live resources of other kinds that refer to this one.
pub(super) fn count_users(observation: &Observation, schema: &Schema, observed: &Observed) -> usize {
    let identities = ["id", "arn"].map(|attribute| observed.attribute(attribute));
    let refers = |other: &&Observed| {
        let mut refers = false;
        other.spec.walk(&mut |value| refers |= identities.iter().flatten().any(|identity| identity == value));
        refers
    };
    let others = observation.found.iter().filter(|(kind_region, _)| kind_region.kind != schema.kind);
    others.flat_map(|(_, found)| found).filter(refers).count()
}

impl Inventory<'_> {
    /// Returns the resources that have only a copy of the owner tags of an address: the resource of the address was
    /// observed beside them.
    pub fn copies(&self) -> impl Iterator<Item = (&Address, ResourceRecord)> {
        let contested = self.contested.iter().filter(|(address, _)| self.active.contains_key(*address));
        let contested = contested.flat_map(|(address, copies)| copies.iter().map(move |o| (address, *o)));
        let is_copy = |o: &&Orphan<'_>| {
            let is_proven = self.active.contains_key(&o.address) || self.orphans_of(&o.address).any(|o| o.proven);
            !o.proven && is_proven
        };
        let orphans = self.orphans.iter().filter(is_copy).map(|o| (&o.address, o.observed));
        contested.chain(orphans).map(|(address, observed)| (address, ResourceRecord::of_copy(observed)))
    }

    /// Returns the conditions of an address whose owner tags other resources have too. An ambiguous address has a hold
    /// instead.
    pub fn copied_tags(&self, address: &Address) -> Vec<Condition> {
        if self.holds.get(address).is_some_and(|hold| hold.reason == Reason::OwnershipAmbiguous) {
            return vec![];
        }
        let owner = match self.active.get(address) {
            Some(active) => format!("which belong to {}", describe(active)),
            None => "and is not its resource".to_owned(),
        };
        let copies = self.contested.get(address).into_iter().flatten();
        let condition = |copy: &&Observed| Condition {
            ty: ConditionType::ActionRequired,
            reason: "CopiedTags".to_owned(),
            message: format!(
                "{} has a copy of the owner tags of this address, {owner}; Holdfast never changes the copy; remove its \
                 tag `holdfast:address`, or delete it manually",
                describe(copy)
            ),
        };
        copies.map(condition).collect()
    }
}
