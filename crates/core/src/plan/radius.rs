//! The blast radius of a replacement: the resources that are replaced with a resource, and the order of each replacement.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Order, PlanContext};
use super::hold::{Hold, Reason};
use super::users::{Deletion, User};
use crate::address::Address;
use crate::canonical;
use crate::diff::Change;
use crate::document::{OnDelete, Resource};
use crate::graph::{field_references, live_references};
use crate::observed::{Observed, Phase};
use crate::schema::{Field, Replacement, Type};
use crate::value::Value;

/// How many addresses a message names.
const NAMED: usize = 5;

/// True when the document or a flag grants the replacement of the resource.
pub(super) fn may_replace(context: &PlanContext<'_>, resource: &Resource) -> bool {
    resource.lifecycle.replace || context.policy.replace.allows(&resource.address)
}

/// Returns the order in which a resource with these changes is replaced.
///
/// The old resource is deleted first if its kind requires it, or if both generations would have the same values in fields
/// that AWS keeps unique, such as the address range of a subnet.
pub(super) fn order(resource: &Resource, live: &Observed, changes: &[Change]) -> Order {
    let same_name = live.name == resource.name;
    // A change of a field that AWS can change in place forces a replacement only to free its unique value.
    let is_mutable = |path: &str| resource.schema.record.field(path).is_some_and(|field| !field.immutable);
    let frees = changes.iter().any(|change| change.immutable && is_mutable(&change.path));
    match resource.schema.replacement {
        _ if frees => Order::DestroyFirst,
        Replacement::DestroyBeforeCreate => Order::DestroyFirst,
        Replacement::ByName if same_name => Order::DestroyFirst,
        _ if shared_fields(resource, live, changes).is_some() => Order::DestroyFirst,
        _ => Order::CreateFirst,
    }
}

/// Returns the fields that AWS keeps unique and whose values both generations would have.
pub(super) fn shared_fields(
    resource: &Resource,
    live: &Observed,
    changes: &[Change],
) -> Option<&'static [&'static str]> {
    let is_stated = |field: &str| resource.spec.get(field).is_some_and(|value| !value.is_empty());
    let is_live = |field: &str| live.spec.get(field).is_some_and(|value| !value.is_empty());
    let is_freed = |field: &str| {
        let mut own = changes.iter().filter(|change| change.field() == field);
        own.any(|change| change.unknown.is_some() || !overlaps(&change.from, &change.to))
    };
    let is_shared = |field: &&str| is_stated(field) && is_live(field) && !is_freed(field);
    resource.schema.unique.iter().copied().find(|fields| fields.iter().all(is_shared))
}

/// True when two values of a unique field exclude each other: they are equal, share an element, or are overlapping CIDR
/// blocks.
pub(super) fn overlaps(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => one.iter().any(|element| other.contains(element)),
        (Value::Text(one), Value::Text(other)) => one == other || canonical::cidrs_overlap(one, other),
        _ => one == other,
    }
}

/// Returns the resources that are replaced with a resource: those that refer to it, directly or through others, in a field
/// that cannot be changed in place.
pub(super) fn radius(context: &PlanContext<'_>, root: &Resource, order_of_root: Order) -> BTreeMap<Address, Order> {
    let mut radius: BTreeMap<Address, Order> = BTreeMap::new();
    // A resource whose id is its name has the same identity again, so that its dependents need no other reference.
    let live = context.inventory.active.get(&root.address);
    if order_of_root == Order::DestroyFirst && live.is_some_and(|live| live.id == live.name) {
        return radius;
    }
    let mut open = vec![(root.address.clone(), order_of_root)];
    while let Some((container, outer)) = open.pop() {
        for dependent in context.prepared.dependents(&container).iter().filter(|dependent| !dependent.is_lookup()) {
            let Some(live) = context.inventory.active.get(&dependent.address) else { continue };
            let moved = immutable_references(dependent, &container);
            if moved.is_empty() || dependent.address == root.address {
                continue;
            }
            let unknown = |field: &str| Change {
                unknown: Some(container.clone()),
                ..Change::new(field, Value::Null, Value::Null)
            };
            let changes: Vec<Change> = moved.into_iter().map(unknown).collect();
            let inner = outer.max(order(dependent, live, &changes));
            let known = radius.get(&dependent.address).copied();
            if known.is_none_or(|known| known < inner) {
                radius.insert(dependent.address.clone(), inner);
                open.push((dependent.address.clone(), inner));
            }
        }
    }
    radius
}

/// Returns the fields of a resource that refer to another one and cannot be changed in place, by the field of the spec in
/// which they are.
fn immutable_references(resource: &Resource, container: &Address) -> Vec<&'static str> {
    let is_ignored = |field: &str| resource.lifecycle.ignore.iter().any(|path| path == field);
    let fields = resource.schema.record.fields.iter().filter(|field| !is_ignored(field.name));
    let refers =
        |field: &&Field| resource.spec.get(field.name).is_some_and(|value| is_fixed_to(field, value, container, false));
    fields.filter(refers).map(|field| field.name).collect()
}

/// True when a part of a field that cannot be changed in place refers to the container.
fn is_fixed_to(field: &Field, value: &Value, container: &Address, immutable: bool) -> bool {
    let immutable = immutable || field.immutable;
    if let (Type::Record(record), Value::Map(map)) = (field.ty, value) {
        let mut parts = map.iter().filter_map(|(name, value)| Some((record.field(name)?, value)));
        return parts.any(|(field, value)| is_fixed_to(field, value, container, immutable));
    }
    let mut refers = false;
    value.walk(&mut |part| match part {
        Value::Reference(reference) => refers |= reference.address == *container,
        Value::Deferred(deferred) => refers |= deferred.reads.contains(container),
        _ => {}
    });
    immutable && refers
}

/// Returns the hold of a replacement that must not begin, because something in its blast radius is not granted or cannot
/// be replaced.
///
/// # Guarantees
/// If there is no hold, every resource of the radius can be replaced in the same pass, as far as the observation shows.
pub(super) fn obstacle(
    context: &PlanContext<'_>,
    root: (&Resource, &Observed),
    order: Order,
    radius: &BTreeMap<Address, Order>,
    forcing: &str,
) -> Option<Hold> {
    let (resource, live) = root;
    let begin = match radius.is_empty() {
        true => format!("`{forcing}` forces a replacement"),
        false => format!("`{forcing}` forces a replacement, which also replaces {}", list(radius.keys())),
    };
    let hold = |reason, rest: String, waits_for: Option<&Address>| Hold {
        address: resource.address.clone(),
        reason,
        message: format!("{begin}{rest}"),
        waits_for: waits_for.filter(|other| **other != resource.address).cloned(),
    };
    let document = context.document;
    let members: Vec<(&Resource, &Observed, Order)> = radius
        .iter()
        .filter_map(|(address, order)| {
            Some((document.resources.get(address)?, *context.inventory.active.get(address)?, *order))
        })
        .collect();
    let all = || std::iter::once((resource, live, order)).chain(members.iter().copied());
    if let Some((member, ..)) = members.iter().find(|(member, ..)| member.lifecycle.protect) {
        let way_out = "remove `lifecycle: { protect: true }` to allow it";
        return Some(hold(
            Reason::Protected,
            format!("; {} is protected; {way_out}", member.address),
            Some(&member.address),
        ));
    }
    let missing: Vec<&Address> =
        all().filter(|(member, ..)| !may_replace(context, member)).map(|(member, ..)| &member.address).collect();
    if !missing.is_empty() {
        let flags: Vec<String> = missing.iter().map(|address| format!("--allow-replace {address}")).collect();
        let which = match missing.len() {
            1 if radius.is_empty() => "it".to_owned(),
            count if count == members.len() + 1 => "all of them".to_owned(),
            _ => format!("the replacement of {}", list(missing.iter().copied())),
        };
        let flags = if flags.len() > NAMED { "--allow-replace" } else { &flags.join(" ") };
        let grants = format!("`lifecycle: {{ replace: allow }}` or `{flags}`");
        let warning = data_warning(root, order, &members);
        let begin = if warning.is_empty() { ";" } else { &warning };
        return Some(hold(Reason::ReplaceNotAllowed, format!("{begin} grant {which} with {grants}"), None));
    }
    for (member, live, order) in all() {
        let (address, id) = (&member.address, &live.id);
        let hold = |reason, rest: String| Some(hold(reason, rest, Some(address)));
        if let Some(held) = context.inventory.holds.get(address) {
            return hold(Reason::DependencyNotReady, format!("; {address} is held: {}", held.message));
        }
        if let Some(held) = context.policy.holds.get(address).filter(|_| *address != resource.address) {
            return hold(Reason::DependencyNotReady, format!("; {address} is held: {}", held.message));
        }
        if order == Order::CreateFirst
            && let Some(older) = context.inventory.superseded.get(address).and_then(|older| older.first())
        {
            let way_out = match member.on_delete() == OnDelete::Retain && !context.policy.delete_data {
                true => "it is retained; delete it with `--delete-data` first",
                false => "the replacement begins once it is deleted",
            };
            return hold(
                Reason::DependencyNotReady,
                format!("; an earlier generation, {}, still exists; {way_out}", older.id),
            );
        }
        if live.phase == Phase::Failed && *address != resource.address {
            return hold(Reason::DependencyNotReady, format!("; AWS failed to provision {id}; delete it manually"));
        }
        let retains = member.on_delete() == OnDelete::Retain && !context.policy.delete_data;
        if order == Order::DestroyFirst && retains {
            let grant = "grant that with `onDelete: delete` or `--delete-data`";
            let why = match member.schema.stateful {
                true => {
                    format!("; {id} has to be deleted with its data before its empty successor is created; {grant}")
                }
                false => format!("; {id} has to be deleted first, and has `onDelete: retain`; {grant}"),
            };
            return hold(Reason::ReplaceNotAllowed, why);
        }
        if order == Order::CreateFirst && has_fixed_name(member, live) {
            let name = &live.name;
            let of = if *address == resource.address { String::new() } else { format!(" of {address}") };
            let why = format!(", and two resources cannot have the name `{name}`{of}; set another `name`");
            return hold(Reason::ReplaceNameConflict, why);
        }
        if order == Order::DestroyFirst
            && let Some(user) = user_in_the_way(context, member, live, radius)
        {
            let fields = shared_fields(member, live, &[]).map(|fields| fields.join("`, `"));
            let because =
                fields.map_or(String::new(), |fields| format!(", because both would have the same `{fields}`"));
            let (user, verb) = match user {
                InTheWay::Refers(user) => (user.clone(), format!("{user} refers to it")),
                InTheWay::DeletedWith(user) => (user.clone(), format!("AWS deletes {user} with it")),
            };
            let why = format!("; {id} has to be deleted before its successor is created{because}, and {verb}");
            let way_out = "move it away first, or state values that both can have";
            return Some(Hold {
                waits_for: Some(user),
                ..hold(Reason::DependencyNotReady, format!("{why}; {way_out}"))?
            });
        }
    }
    None
}

/// True when both generations would have the explicit name of the document.
fn has_fixed_name(resource: &Resource, live: &Observed) -> bool {
    resource.named && !resource.schema.naming.tag && live.name == resource.name
}

/// Returns the warning that the successors of data stores are empty; empty if the replacement loses no data.
fn data_warning(root: (&Resource, &Observed), order: Order, members: &[(&Resource, &Observed, Order)]) -> String {
    let (resource, live) = root;
    let (kind, id) = (resource.schema.kind, &live.id);
    let stores: Vec<&Address> = members.iter().filter(|(m, ..)| m.schema.stateful).map(|(m, ..)| &m.address).collect();
    match (resource.schema.stateful, order, &stores[..]) {
        (false, _, []) => String::new(),
        (false, ..) => format!(
            ", and the successors of {} are empty; undo the change to keep the data, or",
            list(stores.iter().copied())
        ),
        (true, Order::CreateFirst, _) => {
            format!(", and the new {kind} is empty: the data stays in {id}; undo the change to keep it in use, or")
        }
        (true, Order::DestroyFirst, _) => {
            format!(
                ", and the new {kind} is empty: {id} is deleted with its data first; undo the change to keep it, or"
            )
        }
    }
}

/// A live resource outside of the blast radius that a deletion would affect.
enum InTheWay {
    /// AWS refuses the deletion, because this resource refers to the one to delete.
    Refers(Address),
    /// AWS deletes this resource too.
    DeletedWith(Address),
}

/// Returns a live resource that refers to a resource to delete, and is not replaced with it.
fn user_in_the_way(
    context: &PlanContext<'_>,
    resource: &Resource,
    live: &Observed,
    radius: &BTreeMap<Address, Order>,
) -> Option<InTheWay> {
    let index = context.live_users();
    let identities = ["id", "arn", "name"].map(|attribute| live.attribute(attribute));
    let identities: Vec<&str> = identities.iter().flatten().filter_map(Value::text).collect();
    let users = index.referring_to(&deletion(resource, live)).into_iter().map(|at| index.users[at]);
    let is_other = |user: &User<'_>| *user.address != resource.address && !radius.contains_key(user.address);
    let mut users = users.filter(|user| !user.observed.bound && is_other(user));
    let refuses = |field: &Field, spec: &Value| {
        let references = field_references(field, spec);
        references.iter().any(|(kind, identity)| *kind == resource.schema.kind && identities.contains(identity))
    };
    users.find_map(|user| {
        let mut fields = user.schema.record.fields.iter().filter(|field| !user.schema.releases.contains(&field.name));
        let field = fields.find(|field| refuses(field, &user.observed.spec))?;
        Some(match user.schema.deleted_with == Some(field.name) {
            true => InTheWay::DeletedWith(user.address.clone()),
            false => InTheWay::Refers(user.address.clone()),
        })
    })
}

/// Returns the addresses of the resources of the radius that have to be deleted before a resource: those whose live specs
/// refer to it, also while AWS deletes them.
pub(super) fn users_of(
    context: &PlanContext<'_>,
    resource: &Resource,
    live: &Observed,
    radius: &BTreeMap<Address, Order>,
) -> BTreeSet<Address> {
    let index = context.live_users();
    let referring = index.referring_to(&deletion(resource, live)).into_iter().map(|at| index.users[at].address.clone());
    let identities = ["id", "arn", "name"].map(|attribute| live.attribute(attribute));
    let identities: Vec<&str> = identities.iter().flatten().filter_map(Value::text).collect();
    let deleting = context.inventory.all_deleting.iter().filter(|one| {
        let references = live_references(one.schema.record, &one.observed.spec);
        references.iter().any(|(kind, identity)| *kind == resource.schema.kind && identities.contains(identity))
    });
    let deleting = deleting.map(|one| one.address.clone()).filter(|address| *address != resource.address);
    referring.filter(|address| radius.contains_key(address)).chain(deleting).collect()
}

fn deletion<'a>(resource: &Resource, live: &'a Observed) -> Deletion<'a> {
    let (address, schema) = (resource.address.clone(), resource.schema);
    Deletion { address, schema, observed: live, after: BTreeSet::new() }
}

/// Returns addresses as a text: the first ones by name, and the number of the others.
pub(super) fn list<'x>(addresses: impl Iterator<Item = &'x Address>) -> String {
    let names: Vec<String> = addresses.map(ToString::to_string).collect();
    match &names[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= NAMED => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", names[..NAMED].join(", "), names.len() - NAMED),
    }
}
