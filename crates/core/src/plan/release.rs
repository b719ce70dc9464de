//! Releases: the stack stops owning a live resource that the document only reads (`manage: observe`).

use std::collections::{BTreeMap, BTreeSet};

use super::context::{PlanContext, Readiness};
use super::operation::owner_changes;
use super::{Action, Cause, Step};
use crate::document::{Lookup, Resource};
use crate::observed::{Observed, Phase, child_tag, tag};
use crate::operation::{Mutation, Operation};
use crate::schema::Ownership;

/// The stack in the tags of a released resource whose caller reference names its former owner. No stack has this name.
const NO_STACK: &str = "-";

/// Releases the live resource of a lookup if the stack still owns it under this address. Otherwise nothing is to be done.
///
/// # Expected flow
/// 1. A resource that the stack managed becomes a lookup of the document, under the same address.
/// 2. The step removes the owner tags or the marker of the resource, or the tag of the parent that records a child.
/// 3. From then on, the resource belongs to no stack: if the lookup leaves the document, nothing is deleted.
///
/// # Guarantees
/// Only tags change. A resource of another stack or another address keeps its owner.
pub(super) fn release_or_ready(context: &mut PlanContext<'_>, resource: &Resource) -> Readiness {
    let Some(live) = context.inventory.active.get(&resource.address).copied() else { return context.ready() };
    let Some((kind, holder, set, remove)) = owner_record(context, resource, live) else { return context.ready() };
    if holder.phase == Phase::Updating {
        context.await_ready(&resource.address, holder, "its release", None);
        return Readiness::Ready;
    }
    let changes = owner_changes(holder, &set, &remove);
    let (region, live) = (holder.region.clone(), Box::new(holder.clone()));
    context.plan.steps.push(Step {
        address: resource.address.clone(),
        tier: resource.schema.tier,
        action: Action::Release,
        cause: Cause::Edit,
        changes,
        after: BTreeSet::new(),
        operation: Some(Operation { kind, region, mutation: Mutation::Tag { live, set, remove } }),
    });
    // The release changes only tags, so the dependents of the lookup need not wait.
    Readiness::Ready
}

/// The record of an owner: the kind and the resource that have it, and the tags to set and to remove.
type OwnerRecord<'a> = (&'static str, &'a Observed, BTreeMap<String, String>, BTreeSet<String>);

/// Returns the record that names the address as the owner of its live resource; none when another or no address is.
fn owner_record<'a>(context: &PlanContext<'a>, resource: &Resource, live: &'a Observed) -> Option<OwnerRecord<'a>> {
    if matches!(resource.lifecycle.lookup, Some(Lookup::Owner { .. })) {
        return None;
    }
    if let Ownership::ViaParent { .. } = resource.schema.ownership {
        let (address, _) = context.inventory.parent(resource)?;
        let parent = *context.inventory.active.get(&address)?;
        let kind = context.document.resources.get(&address)?.schema.kind;
        let tag = child_tag(&resource.address);
        return parent.tags.contains_key(&tag).then(|| (kind, parent, BTreeMap::new(), BTreeSet::from([tag])));
    }
    let owner = live.owner()?;
    let is_own = owner.stack == context.document.stack
        && owner.env == context.document.env
        && owner.address == resource.address.to_string();
    if !is_own {
        return None;
    }
    let remove = live.tags.keys().filter(|key| key.starts_with(tag::PREFIX)).cloned();
    let mut remove: BTreeSet<String> = remove.collect();
    let mut set = BTreeMap::new();
    if resource.schema.ownership == Ownership::CallerReference {
        remove.remove(tag::STACK);
        set.insert(tag::STACK.to_owned(), NO_STACK.to_owned());
    }
    Some((resource.schema.kind, live, set, remove))
}
