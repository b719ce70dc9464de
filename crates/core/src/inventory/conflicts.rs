//! Conflicts: names and identities that another live resource has already.

use super::Inventory;
use crate::address::Address;
use crate::diff;
use crate::document::{Document, Resource};
use crate::observed::{Observed, Owner, Phase};
use crate::plan::hold::Reason;
use crate::resolve::{ResolveContext, resolve};
use crate::value::Value;

/// Returns another live resource that has the identity of a resource, or its physical name.
///
/// AWS allows an identity only once. A live resource of another address of the document does not conflict by its name:
/// some kinds allow a name several times, such as a public and a private hosted zone.
pub(super) fn find_conflict<'a>(
    document: &Document,
    resource: &Resource,
    found: &'a [Observed],
    inventory: &Inventory<'a>,
) -> Option<&'a Observed> {
    let own = inventory.active.get(&resource.address).map(|own| std::ptr::from_ref(*own));
    let mut others = found.iter().filter(|o| o.phase != Phase::Deleting && own != Some(std::ptr::from_ref(*o)));
    let key = resource.schema.ownership.identity();
    if key.is_empty() {
        let has_another_address = |owner: Owner| {
            let address = owner.address.parse::<Address>().ok();
            let other = address.and_then(|address| document.resources.get(&address));
            owner.stack == document.stack
                && owner.env == document.env
                && other.is_some_and(|other| other.address != resource.address && !other.is_lookup())
        };
        let mut others = others.filter(|o| !o.owner().is_some_and(has_another_address));
        return others.find(|o| !resource.schema.naming.tag && o.name == resource.name);
    }
    let spec =
        resolve(&resource.address, resource.schema.record, &resource.spec, ResolveContext::of(&inventory.active))
            .ok()?;
    let of = |spec: &Value| -> Vec<Value> {
        let field = |name: &&str| (resource.schema.record.field(name), spec.get(name).cloned().unwrap_or_default());
        key.iter().map(field).map(|(field, value)| field.map_or(Value::Null, |f| diff::normal(&f.ty, &value))).collect()
    };
    let identity = of(&spec);
    let is_known = identity.iter().all(|value| value.unknown().is_none());
    others.find(|o| is_known && of(&o.spec) == identity)
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
