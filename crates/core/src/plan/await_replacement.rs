//! Changes that depend on replacing another resource. They are held until that replacement is approved.

use std::collections::BTreeSet;

use super::hold::Reason;
use super::planner::{Planner, Readiness};
use crate::address::Address;
use crate::diff::Change;
use crate::document::Resource;
use crate::schema::Ownership;
use crate::value::Value;

impl Planner<'_> {
    /// Keeps a resource unchanged. The resource and its dependents continue to work as before.
    pub(super) fn keep_unchanged(&mut self, address: &Address, changes: Vec<Change>) -> Readiness {
        self.unreplaced.insert(address.clone(), changes);
        Readiness::Ready
    }

    /// Holds the create of a resource that fits only the replacement of a kept resource. A resource that existed with
    /// the document's current spec fits the live resource, and is created again.
    pub(super) fn waits_for_replacement(&mut self, resource: &Resource, changes: &[Change]) -> bool {
        let existed = self.is_edited(resource) == Some(false);
        let Some(replaced) = self.replacement_in_the_way(resource, changes, true).filter(|_| !existed) else {
            return false;
        };
        self.await_replacement(resource, &replaced, changes.to_vec());
        true
    }

    /// Holds a change that depends on the replacement of `replaced`.
    pub(super) fn await_replacement(
        &mut self,
        resource: &Resource,
        replaced: &Address,
        changes: Vec<Change>,
    ) -> Readiness {
        let message = format!("its change depends on the replacement of {replaced}, which is held");
        self.hold(&resource.address, Reason::DependencyNotReady, message, Some(replaced.clone()));
        self.keep_unchanged(&resource.address, changes)
    }

    /// Returns a kept resource that this resource refers to, if the changes fit only the replacement of the kept
    /// resource.
    ///
    /// The changes fit only the replacement in three cases: this resource would be created inside the old resource
    /// (`creates`), would get another identity inside it, or its changes carry the same edit.
    pub(super) fn replacement_in_the_way(
        &self,
        resource: &Resource,
        changes: &[Change],
        creates: bool,
    ) -> Option<Address> {
        let containers = containers(resource);
        let key = match resource.schema.ownership {
            Ownership::EmbeddedMarker { key } | Ownership::ViaParent { key, .. } => key,
            Ownership::TagOnCreate | Ownership::CallerReference => &[],
        };
        let renamed = || changes.iter().any(|change| key.contains(&change.field()));
        let referred =
            self.prepared.references(resource).filter_map(|(address, _)| self.unreplaced.get_key_value(address));
        let mut fitting = referred.filter(|(address, edits)| {
            let same_edit = || edits.iter().any(|edit| changes.iter().any(|change| carries(change, edit)));
            containers.contains(*address) && (creates || renamed()) || same_edit()
        });
        fitting.next().map(|(address, _)| address.clone())
    }
}

/// Returns the resources that contain this one: the references of its immutable fields.
fn containers(resource: &Resource) -> BTreeSet<&Address> {
    let mut containers = BTreeSet::new();
    let immutable = resource.schema.record.fields.iter().filter(|field| field.immutable);
    for value in immutable.filter_map(|field| resource.spec.get(field.name)) {
        value.walk(&mut |value| match value {
            Value::Reference(reference) => drop(containers.insert(&reference.address)),
            Value::Deferred(deferred) => containers.extend(&deferred.reads),
            _ => {}
        });
    }
    containers
}

/// True when a change contains the new text of an edit, as `www.new.example` does when a zone is renamed to
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
