//! Orphans: owned resources that the document does not contain, and owned resources that AWS is deleting.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use super::child::{ChildTag, child_key};
use super::proof::{Evidence, OrphanOwner};
use super::{Inventory, Orphan, has_other_source};
use crate::address::Address;
use crate::document::{Document, Resource};
use crate::observed::{Observation, Observed, Owner, Phase};
use crate::resolve::{ResolveContext, resolve};
use crate::schema::{Ownership, Schema, Type};
use crate::value::Value;

/// Adds the orphans to the inventory, and all owned resources that AWS is deleting.
pub(super) fn find_orphans<'a>(
    document: &Document,
    observation: &'a Observation,
    kinds: &[&'static Schema],
    evidence: &Evidence<'_, 'a>,
    inventory: &mut Inventory<'a>,
) {
    let matched: BTreeSet<*const Observed> = inventory
        .active
        .values()
        .copied()
        .chain(inventory.superseded.values().flatten().copied())
        .chain(inventory.replacement.values().copied())
        .chain(inventory.contested.values().flatten().copied())
        .map(std::ptr::from_ref)
        .collect();
    for schema in kinds {
        let parents = OnceCell::new();
        for (_, found) in observation.found.iter().filter(|(kind_region, _)| kind_region.kind == schema.kind) {
            for observed in found.iter().filter(|o| !matched.contains(&std::ptr::from_ref(*o))) {
                let parents = || parents.get_or_init(|| parents_of(schema, observation));
                let Some(owned) = owned(document, parents, schema, observed) else { continue };
                let has_left = |r: &Resource| match schema.ownership {
                    Ownership::ViaParent { field, key } => has_other_key(r, field, key, observed, inventory),
                    _ => r.region != observed.region || r.schema.kind != schema.kind,
                };
                if observed.phase == Phase::Deleting {
                    inventory.all_deleting.push(owned);
                } else if document.resources.get(&owned.address).is_none_or(has_left) {
                    let at = inventory.orphans.len();
                    inventory.orphans_by_address.entry(owned.address.clone()).or_default().push(at);
                    inventory.orphans.push(owned);
                }
            }
        }
    }
    prove_orphans(document, evidence, inventory);
}

/// Finds the orphans that more than their tags proves to belong to the stack. The tags of the parent prove a child.
fn prove_orphans(document: &Document, evidence: &Evidence<'_, '_>, inventory: &mut Inventory<'_>) {
    for (address, at) in &inventory.orphans_by_address {
        let is_live = |o: &Orphan<'_>| o.observed.phase != Phase::Failed;
        let live = at.iter().filter(|at| is_live(&inventory.orphans[**at])).count();
        let is_only =
            live <= 1 && !inventory.active.contains_key(address) && !inventory.contested.contains_key(address);
        for at in at {
            let Orphan { schema, observed, .. } = inventory.orphans[*at];
            let owner = OrphanOwner { stack: &document.stack, env: &document.env, address, schema };
            inventory.orphans[*at].proven =
                !schema.ownership.is_own() || evidence.proves_orphan(&owner, observed, is_only);
        }
    }
}

/// Returns a live resource that the stack owns, with the address in its owner tags or its parent's; none when the stack
/// does not own it.
fn owned<'p, 'a: 'p>(
    document: &Document,
    parents: impl FnOnce() -> &'p HashMap<String, &'a Observed>,
    schema: &'static Schema,
    observed: &'a Observed,
) -> Option<Orphan<'a>> {
    let is_own = |owner: &Owner| {
        owner.stack == document.stack && owner.env == document.env && !has_other_source(document, owner)
    };
    match schema.ownership {
        Ownership::TagOnCreate | Ownership::CallerReference | Ownership::EmbeddedMarker { .. } => {
            let owner = observed.owner().filter(is_own)?;
            let address: Address = owner.address.parse().ok()?;
            Some(Orphan { address, schema, observed, retained: owner.retained, proven: false })
        }
        Ownership::ViaParent { field, key } => {
            let identity = observed.spec.get(field)?.text()?;
            let parent = *parents().get(identity)?;
            parent.owner().filter(is_own)?;
            let key = child_key(key, &observed.name, &observed.spec);
            let (tag, _) = parent.tags.iter().find(|(tag, value)| {
                tag.starts_with(crate::observed::tag::CHILD) && ChildTag::parse(value).is_some_and(|c| c.key == key)
            })?;
            let address: Address = tag.trim_start_matches(crate::observed::tag::CHILD).parse().ok()?;
            Some(Orphan { address, schema, observed, retained: false, proven: false })
        }
    }
}

/// Returns the live resources that can be the parent of a child of this kind, by the identity that the child refers to.
fn parents_of<'a>(schema: &Schema, observation: &'a Observation) -> HashMap<String, &'a Observed> {
    let mut parents = HashMap::new();
    let Ownership::ViaParent { field, .. } = schema.ownership else { return parents };
    let Some(Type::Reference { kind, attribute, .. }) = schema.record.field(field).map(|field| field.ty) else {
        return parents;
    };
    let found = observation.found.iter().filter(|(kind_region, _)| kind_region.kind == kind);
    for parent in found.flat_map(|(_, found)| found) {
        if let Some(Value::Text(identity)) = parent.attribute(attribute) {
            parents.entry(identity).or_insert(parent);
        }
    }
    parents
}

/// True when the document gives a child of the same parent another key than this live child has. The live child is then
/// another resource, which left the document.
fn has_other_key(
    resource: &Resource,
    field: &str,
    key: &[&str],
    observed: &Observed,
    inventory: &Inventory<'_>,
) -> bool {
    let Ok(spec) =
        resolve(&resource.address, resource.schema.record, &resource.spec, ResolveContext::of(&inventory.active))
    else {
        return false;
    };
    let is_known = key.iter().all(|part| spec.get(part).is_none_or(|value| value.unknown().is_none()));
    let is_sibling = spec.get(field).and_then(Value::text) == observed.spec.get(field).and_then(Value::text);
    let keys =
        [(&resource.name, &spec), (&observed.name, &observed.spec)].map(|(name, spec)| child_key(key, name, spec));
    is_known && is_sibling && keys[0] != keys[1]
}
