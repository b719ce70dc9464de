//! What only the replacement of something else would make right: it waits as long as that one waits for a person.

use std::collections::BTreeSet;

use super::hold::Reason;
use super::planner::{Planner, Standing};
use crate::address::Address;
use crate::diff::Change;
use crate::document::Resource;
use crate::schema::Claim;
use crate::value::Value;

impl Planner<'_> {
    /// Leaves a resource as it is. It goes on as before, and so does what refers to it.
    pub(super) fn keep(&mut self, address: &Address, changes: Vec<Change>) -> Standing {
        self.kept.insert(address.clone(), changes);
        Standing::Settled
    }

    /// Holds what is not there and would fit only what takes the place of something kept. What was there as the document
    /// has it fits what is there now.
    pub(super) fn is_for_later(&mut self, resource: &Resource, changes: &[Change]) -> bool {
        let was_there = self.edited(resource) == Some(false);
        let Some(replaced) = self.replaced_first(resource, changes, true).filter(|_| !was_there) else { return false };
        self.await_replacement(resource, &replaced, changes.to_vec());
        true
    }

    /// Holds what the replacement of `replaced` would make right.
    pub(super) fn await_replacement(
        &mut self,
        resource: &Resource,
        replaced: &Address,
        changes: Vec<Change>,
    ) -> Standing {
        let message = format!("it goes with the replacement of {replaced}, which is held");
        self.hold(&resource.address, Reason::WaitsFor, message, Some(replaced.clone()));
        self.keep(&resource.address, changes)
    }

    /// What refers to something that is kept and would change in a way that only fits what takes its place: it would be
    /// made inside the old one (`made`), be known by another name in there, or carries the same edit.
    pub(super) fn replaced_first(&self, resource: &Resource, changes: &[Change], made: bool) -> Option<Address> {
        let inside = inside(resource);
        let key = match resource.schema.claim {
            Claim::Mark { key } | Claim::Parent { key, .. } => key,
            Claim::AtCreate | Claim::Intent => &[],
        };
        let renamed = || changes.iter().any(|change| key.contains(&change.field()));
        let referred = resource.references().into_keys().filter_map(|address| self.kept.get_key_value(&address));
        let mut fitting = referred.filter(|(address, edits)| {
            let same = || edits.iter().any(|edit| changes.iter().any(|change| carries(change, edit)));
            inside.contains(*address) && (made || renamed()) || same()
        });
        fitting.next().map(|(address, _)| address.clone())
    }
}

/// What it cannot leave once it is made: what the fields refer to that cannot change.
fn inside(resource: &Resource) -> BTreeSet<&Address> {
    let mut inside = BTreeSet::new();
    let fixed = resource.schema.record.fields.iter().filter(|field| field.immutable);
    for value in fixed.filter_map(|field| resource.spec.get(field.name)) {
        value.walk(&mut |value| match value {
            Value::Reference(reference) => drop(inside.insert(&reference.address)),
            Value::Deferred(deferred) => inside.extend(&deferred.reads),
            _ => {}
        });
    }
    inside
}

/// True when a change brings the new text of an edit with it, as `www.new.example` does where a zone becomes
/// `new.example`.
fn carries(change: &Change, edit: &Change) -> bool {
    let (Some(to), from) = (edit.to.text(), edit.from.text().unwrap_or_default()) else { return false };
    if to.is_empty() || !edit.immutable {
        return false;
    }
    let mut before = BTreeSet::new();
    change.from.walk(&mut |value| before.extend(value.text()));
    let is_new = |text: &str| match from.is_empty() || to.contains(from) {
        true => text.contains(to),
        false => text.replace(from, "").contains(to),
    };
    let mut carries = false;
    change.to.walk(&mut |value| carries |= value.text().is_some_and(|text| !before.contains(text) && is_new(text)));
    carries
}
