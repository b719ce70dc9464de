//! Replacements of live resources, and the changes that wait for a replacement that is held.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Granted, Order, PlanContext, Readiness};
use super::difference::is_edited;
use super::hold::Reason;
use super::operation::{child_tags, desired_resource};
use super::radius::{obstacle, order, radius, users_of};
use super::{Action, Cause};
use crate::address::Address;
use crate::diff::Change;
use crate::document::Resource;
use crate::inventory::proof::generation;
use crate::observed::Observed;
use crate::operation::Mutation;
use crate::resolve::without_after_create;
use crate::schema::Ownership;
use crate::value::Value;

/// Replaces a live resource, or holds the replacement.
///
/// # Expected flow
/// 1. The new values of the immutable fields are known, or the resource is replaced together with a resource that it is
///    in. Otherwise it is held (`DependencyNotReady`).
/// 2. A resource that was made from the same values is not replaced again: AWS would make the same of it (`Stalled`).
/// 3. The resource is not protected (`Protected`), and the document or a flag grants the replacement
///    (`ReplaceNotAllowed`). The same is true for its blast radius: every resource that is replaced with it.
/// 4. [`order()`] decides the order. With create before destroy, the step creates the next generation, whose generated
///    name ends in `-g2`, `-g3`, …; dependents then move to it, and a later plan deletes the old generation. With destroy
///    before create, the step deletes the live resource after the resources that are in it, and a later plan creates the
///    new one.
///
/// # Guarantees
/// - A resource that is held here is kept unchanged, and so are the dependents whose changes fit only its replacement.
/// - No step of the blast radius begins before the whole of it is granted.
/// - At most two generations of an address exist.
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
    if let Some(granted) = context.replacing.get(address).cloned().filter(|granted| granted.now || forcing.is_empty()) {
        return replace_with_container(context, resource, live, cause, changes, progressing, &granted);
    }
    if forcing.is_empty() {
        let waits_for = changes.iter().find_map(|c| c.unknown.clone());
        let paths: Vec<&str> = changes.iter().filter(|c| c.immutable).map(|c| c.path.as_str()).collect();
        let message =
            format!("a new value of `{}`, which would force a replacement, is not known yet", paths.join(", "));
        context.hold(address, Reason::DependencyNotReady, message, waits_for);
        return if progressing.is_empty() { Readiness::Blocked } else { Readiness::Progressing };
    }
    let forcing = forcing.join(", ");
    if let Some(message) = made_of_the_same(context, resource, &changes) {
        context.hold(address, Reason::Stalled, message, None);
        return keep_unchanged(context, address, changes);
    }
    if resource.lifecycle.protect {
        let way_out = "remove `lifecycle: { protect: true }` to allow it";
        let message = format!("`{forcing}` forces a replacement, and the resource is protected; {way_out}");
        context.hold(address, Reason::Protected, message, None);
        return keep_unchanged(context, address, changes);
    }
    let order = order(resource, live, &changes);
    let radius = radius(context, resource, order);
    if let Some(hold) = obstacle(context, (resource, live), order, &radius, &forcing) {
        context.plan.holds.push(hold);
        return keep_unchanged(context, address, changes);
    }
    if let Some(replaced) = replacement_in_the_way(context, resource, &changes, true) {
        return await_replacement(context, resource, &replaced, changes);
    }
    if let Some(message) = context.deletion_limit.clone() {
        context.hold(address, Reason::DeletionLimitExceeded, message, None);
        return keep_unchanged(context, address, changes);
    }
    let inside = users_of(context, resource, live, &radius);
    for (member, inner) in &radius {
        let now = order == Order::DestroyFirst && is_inside(context, member, address, &radius);
        let granted = Granted { order: *inner, now, after: progressing.clone() };
        context.replacing.insert(member.clone(), granted);
    }
    let mut after = progressing;
    let mutation = match order {
        Order::DestroyFirst => {
            after.extend(inside);
            Mutation::Delete { live: Box::new(live.clone()) }
        }
        Order::CreateFirst => next_generation(context, resource, resolved, live),
    };
    let unknown = changes.iter().any(|c| c.to.unknown().is_some_and(|u| !u.after_create));
    let is_known = !unknown || order == Order::DestroyFirst;
    context.add_step(resource, Action::Replace, cause, changes, after, is_known.then_some(mutation))
}

/// Returns the create of the next generation of a resource.
fn next_generation(context: &PlanContext<'_>, resource: &Resource, resolved: &Value, live: &Observed) -> Mutation {
    let generation = generation(resource, live).saturating_add(1);
    let name = match resource.named {
        true => resource.name.clone(),
        false => format!("{}-g{generation}", resource.name),
    };
    let spec = without_after_create(resource.schema.record, resolved);
    let mut desired = desired_resource(context, resource, name, &spec, generation);
    desired.tags.extend(child_tags(context, resource));
    Mutation::Create(desired)
}

/// Replaces a resource together with a resource that it is in. If that resource has to be deleted, this one is deleted
/// first. Otherwise this one is replaced once the successor of the other one is ready.
fn replace_with_container(
    context: &mut PlanContext<'_>,
    resource: &Resource,
    live: &Observed,
    cause: Cause,
    changes: Vec<Change>,
    progressing: BTreeSet<Address>,
    granted: &Granted,
) -> Readiness {
    let unknown = changes.iter().filter_map(|change| change.unknown.clone());
    if !granted.now {
        let after = progressing.into_iter().chain(unknown).collect();
        return context.add_step(resource, Action::Replace, cause, changes, after, None);
    }
    let members: BTreeMap<Address, Order> =
        context.replacing.iter().map(|(address, granted)| (address.clone(), granted.order)).collect();
    let after = granted.after.iter().cloned().chain(users_of(context, resource, live, &members)).collect();
    let mutation = Mutation::Delete { live: Box::new(live.clone()) };
    context.add_step(resource, Action::Replace, cause, changes, after, Some(mutation))
}

/// True when a member of a blast radius is in a resource that has to be deleted, directly or through others that have to
/// be deleted.
fn is_inside(context: &PlanContext<'_>, member: &Address, root: &Address, radius: &BTreeMap<Address, Order>) -> bool {
    let Some(resource) = context.document.resources.get(member) else { return false };
    context.prepared.references(resource).any(|(to, _)| {
        to == root || radius.get(to) == Some(&Order::DestroyFirst) && is_inside(context, to, root, radius)
    }) && radius.get(member) == Some(&Order::DestroyFirst)
}

/// True when the value contains no reference and no expression.
fn is_fixed(value: &Value) -> bool {
    let mut fixed = true;
    value.walk(&mut |part| fixed &= !matches!(part, Value::Reference(_) | Value::Deferred(_)));
    fixed
}

/// Returns the message of the hold if AWS made the live resource from the values that the document states now: another
/// resource from the same values would differ in the same way.
///
/// The digest of a create is in the owner tags. If the resource was converged with this digest, its difference is drift,
/// and a replacement corrects it.
fn made_of_the_same(context: &PlanContext<'_>, resource: &Resource, changes: &[Change]) -> Option<String> {
    let address = &resource.address;
    let forcing: Vec<&Change> = changes.iter().filter(|change| change.immutable).collect();
    // A value that another resource determines may have been another one at the create.
    let is_fixed = |change: &&Change| resource.spec.get(change.field()).is_some_and(is_fixed);
    if !forcing.iter().all(is_fixed) {
        return None;
    }
    let converged = context.policy.history.as_ref().map(|history| history.get(address));
    let never_converged = converged.is_some_and(|digest| digest != Some(&context.prepared.digest(resource)));
    let is_made_now = context.policy.in_progress.contains(address);
    match is_edited(context, resource) {
        Some(true) => return None,
        Some(false) if is_made_now || never_converged => {}
        None if is_made_now => {}
        _ => return None,
    }
    let difference =
        |change: &&Change| format!("`{}` is {} and AWS made {} of it", change.path, change.to, change.from);
    let differences: Vec<String> = forcing.iter().map(difference).collect();
    let way_out = "a replacement would not change that; state the value that AWS uses, or leave the field out";
    Some(format!("{}; {way_out}", differences.join(", ")))
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
/// The changes fit only the replacement in four cases: this resource would be created inside the old resource
/// (`creates`), would get another identity inside it, its changes carry the same edit, or a changed field fits only the
/// current resource ([`Schema::fits`](crate::schema::Schema::fits)).
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
        let fits = || changes.iter().any(|change| fits(resource, change, address));
        containers.contains(*address) && (creates || renamed()) || same_edit() || fits()
    });
    fitting.next().map(|(address, _)| address.clone())
}

/// True when the changed field fits only the current resource at this address, as an engine version fits its parameter
/// group.
fn fits(resource: &Resource, change: &Change, address: &Address) -> bool {
    let pairs = resource.schema.fits.iter().filter(|(field, _)| change.field() == *field);
    let mut references = pairs.filter_map(|(_, reference)| resource.spec.get(reference));
    references.any(|value| matches!(value, Value::Reference(reference) if reference.address == *address))
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
