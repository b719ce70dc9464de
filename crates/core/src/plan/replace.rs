//! Replacements of live resources, and the changes that wait for a replacement that is held.

use std::collections::BTreeSet;

use super::context::{PlanContext, Readiness};
use super::difference::is_edited;
use super::hold::Reason;
use super::operation::desired_resource;
use super::{Action, Cause};
use crate::address::Address;
use crate::diff::Change;
use crate::document::Resource;
use crate::inventory::proof::generation;
use crate::observed::Observed;
use crate::operation::Mutation;
use crate::resolve::without_after_create;
use crate::schema::{Ownership, Replacement};
use crate::value::Value;

/// Replaces a live resource, or holds the replacement.
///
/// # Expected flow
/// 1. The new values of the immutable fields are known. Until then the resource is held (`DependencyNotReady`).
/// 2. The resource is not protected (`Protected`), and the document or a flag grants the replacement
///    (`ReplaceNotAllowed`).
/// 3. The kind's [`Replacement`] decides the order. With create before destroy, the step creates the next
///    generation, whose generated name ends in `-g2`, `-g3`, …; dependents then move to it, and a later plan
///    deletes the old generation. With destroy before create, the step deletes the live resource, and a later plan
///    creates the new one.
///
/// # Guarantees
/// A resource that is held here is kept unchanged, and so are the dependents whose changes fit only its
/// replacement.
///
/// # Caveats
/// A resource with an explicit name cannot be replaced create before destroy, because two resources cannot have one
/// name. It is held (`ReplaceNameConflict`).
pub(super) fn replace_or_hold(
    context: &mut PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    live: &Observed,
    cause: Cause,
    changes: Vec<Change>,
    progressing: BTreeSet<Address>,
) -> Readiness {
    let address = &resource.address;
    let forcing: Vec<&str> =
        changes.iter().filter(|c| c.immutable && c.unknown.is_none()).map(|c| c.path.as_str()).collect();
    if forcing.is_empty() {
        let waits_for = changes.iter().find_map(|c| c.unknown.clone());
        let paths: Vec<&str> = changes.iter().filter(|c| c.immutable).map(|c| c.path.as_str()).collect();
        let message =
            format!("a new value of `{}`, which would force a replacement, is not known yet", paths.join(", "));
        context.hold(address, Reason::DependencyNotReady, message, waits_for);
        return if progressing.is_empty() { Readiness::Blocked } else { Readiness::Progressing };
    }
    let forcing = forcing.join(", ");
    if resource.lifecycle.protect {
        let way_out = "remove `lifecycle: { protect: true }` to allow it";
        let message = format!("`{forcing}` forces a replacement, and the resource is protected; {way_out}");
        context.hold(address, Reason::Protected, message, None);
        return keep_unchanged(context, address, changes);
    }
    if !may_replace(context, resource) {
        let grants = format!("`lifecycle: {{ replace: allow }}` or `--allow-replace {address}`");
        let message = format!("`{forcing}` forces a replacement; grant it with {grants}");
        context.hold(address, Reason::ReplaceNotAllowed, message, None);
        return keep_unchanged(context, address, changes);
    }
    if let Some(replaced) = replacement_in_the_way(context, resource, &changes, true) {
        return await_replacement(context, resource, &replaced, changes);
    }
    let mutation = match resource.schema.replacement {
        Replacement::DestroyBeforeCreate => Mutation::Delete { live: Box::new(live.clone()) },
        Replacement::ByName if live.name == resource.name => Mutation::Delete { live: Box::new(live.clone()) },
        _ if resource.named && !resource.schema.naming.tag && live.name == resource.name => {
            let message = format!(
                "`{forcing}` forces a replacement, and two resources cannot have the name `{}`; set another `name`",
                live.name
            );
            context.hold(address, Reason::ReplaceNameConflict, message, None);
            return keep_unchanged(context, address, changes);
        }
        _ => {
            let generation = generation(resource, live).saturating_add(1);
            let name = match resource.named {
                true => resource.name.clone(),
                false => format!("{}-g{generation}", resource.name),
            };
            Mutation::Create(desired_resource(
                context,
                resource,
                name,
                &without_after_create(resource.schema.record, resolved),
                generation,
            ))
        }
    };
    let unknown = changes.iter().any(|c| c.to.unknown().is_some_and(|u| !u.after_create));
    context.add_step(resource, Action::Replace, cause, changes, progressing, (!unknown).then_some(mutation))
}

/// True when the document or a flag grants the replacement of the resource.
pub(super) fn may_replace(context: &PlanContext<'_>, resource: &Resource) -> bool {
    resource.lifecycle.replace || context.policy.replace.allows(&resource.address)
}

/// Keeps a resource unchanged. The resource and its dependents continue to work as before.
pub(super) fn keep_unchanged(context: &mut PlanContext<'_>, address: &Address, changes: Vec<Change>) -> Readiness {
    context.unreplaced.insert(address.clone(), changes);
    Readiness::Ready
}

/// Holds the create of a resource that fits only the replacement of a kept resource. A resource that existed with
/// the document's current spec fits the live resource, and is created again.
pub(super) fn waits_for_replacement(context: &mut PlanContext<'_>, resource: &Resource, changes: &[Change]) -> bool {
    let existed = is_edited(context, resource) == Some(false);
    let Some(replaced) = replacement_in_the_way(context, resource, changes, true).filter(|_| !existed) else {
        return false;
    };
    await_replacement(context, resource, &replaced, changes.to_vec());
    true
}

/// Holds a change that depends on the replacement of `replaced`.
pub(super) fn await_replacement(
    context: &mut PlanContext<'_>,
    resource: &Resource,
    replaced: &Address,
    changes: Vec<Change>,
) -> Readiness {
    let message = format!("its change depends on the replacement of {replaced}, which is held");
    context.hold(&resource.address, Reason::DependencyNotReady, message, Some(replaced.clone()));
    keep_unchanged(context, &resource.address, changes)
}

/// Returns a kept resource that this resource refers to, if the changes fit only the replacement of the kept
/// resource.
///
/// The changes fit only the replacement in three cases: this resource would be created inside the old resource
/// (`creates`), would get another identity inside it, or its changes carry the same edit.
pub(super) fn replacement_in_the_way(
    context: &PlanContext<'_>,
    resource: &Resource,
    changes: &[Change],
    creates: bool,
) -> Option<Address> {
    if context.unreplaced.is_empty() {
        return None;
    }
    let containers = containers(resource);
    let key = match resource.schema.ownership {
        Ownership::EmbeddedMarker { key } | Ownership::ViaParent { key, .. } => key,
        Ownership::TagOnCreate | Ownership::CallerReference => &[],
    };
    let renamed = || changes.iter().any(|change| key.contains(&change.field()));
    let referred =
        context.prepared.references(resource).filter_map(|(address, _)| context.unreplaced.get_key_value(address));
    let mut fitting = referred.filter(|(address, edits)| {
        let same_edit = || edits.iter().any(|edit| changes.iter().any(|change| carries(change, edit)));
        containers.contains(*address) && (creates || renamed()) || same_edit()
    });
    fitting.next().map(|(address, _)| address.clone())
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
