//! Conflicts: names and identities that another live resource has already.

use super::Inventory;
use super::index::{KindIndex, identity};
use crate::address::Address;
use crate::document::{Document, Resource};
use crate::observed::{Observed, Owner, Phase};
use crate::plan::hold::Reason;
use crate::resolve::{ResolveContext, resolve};

/// Returns another live resource that has the identity of a resource, or its physical name.
///
/// AWS allows an identity only once. A live resource of another address of the document does not conflict by its name:
/// some kinds allow a name several times, such as a public and a private hosted zone.
pub(super) fn find_conflict<'a>(
    document: &Document,
    resource: &Resource,
    live: &KindIndex<'a>,
    inventory: &Inventory<'a>,
) -> Option<&'a Observed> {
    let own = inventory.active.get(&resource.address).map(|own| std::ptr::from_ref(*own));
    let is_other = |o: &&Observed| o.phase != Phase::Deleting && own != Some(std::ptr::from_ref(*o));
    let key = resource.schema.ownership.identity();
    if key.is_empty() {
        if resource.schema.naming.tag {
            return None;
        }
        let has_another_address = |owner: Owner| {
            let address = owner.address.parse::<Address>().ok();
            let other = address.and_then(|address| document.resources.get(&address));
            owner.stack == document.stack
                && owner.env == document.env
                && other.is_some_and(|other| other.address != resource.address && !other.is_lookup())
        };
        let mut others = live.named(&resource.name).iter().copied().filter(is_other);
        return others.find(|o| !o.owner().is_some_and(has_another_address));
    }
    let spec =
        resolve(&resource.address, resource.schema.record, &resource.spec, ResolveContext::of(&inventory.active))
            .ok()?;
    if key.iter().any(|field| spec.get(field).is_some_and(|value| value.unknown().is_some())) {
        return None;
    }
    live.with_identity(resource.schema, &spec).iter().copied().find(is_other)
}

/// True when the kind identifies its resources by fields of the spec, and a live resource has those of the document.
pub(super) fn has_identity(resource: &Resource, observed: &Observed, inventory: &Inventory<'_>) -> bool {
    if resource.schema.ownership.identity().is_empty() {
        return false;
    }
    let context = ResolveContext::of(&inventory.active);
    let spec = resolve(&resource.address, resource.schema.record, &resource.spec, context);
    spec.is_ok_and(|spec| identity(resource.schema, &spec) == identity(resource.schema, &observed.spec))
}

/// Holds a resource whose name or identity another live resource has.
pub(super) fn hold_conflict(resource: &Resource, other: &Observed, inventory: &mut Inventory<'_>) {
    let (adopt, fields) = match resource.schema.ownership.identity() {
        [] => (&other.name, "name".to_owned()),
        key => (&other.id, key.join("`, `")),
    };
    let message = match other.owner() {
        Some(Owner { stack, env, address, .. }) => {
            let way_out = match &resource.lifecycle.adopt {
                Some(id) if other.id == *id || other.name == *id => "adopt another resource".to_owned(),
                _ => format!("choose another `{fields}`"),
            };
            format!("{} exists and belongs to {stack}/{env} as {address}; {way_out}", other.id)
        }
        None => {
            let way_out = format!("adopt it with `lifecycle: {{ adopt: {adopt} }}` or choose another `{fields}`");
            format!("{} exists and has no owner; {way_out}", other.id)
        }
    };
    inventory.hold(resource, Reason::AlreadyExists, message);
}
