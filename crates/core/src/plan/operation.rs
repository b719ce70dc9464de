//! Operations of steps: the exact mutations, with the tags to set and remove, and without unknown values.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{PlanContext, Readiness};
use super::{Action, Cause, Step};
use crate::address::Address;
use crate::diff::{Change, merge};
use crate::digest;
use crate::document::{OnDelete, Resource};
use crate::inventory::child::{ChildTag, child_key};
use crate::inventory::proof::generation;
use crate::observed::{Observed, Owner, Phase, child_tag, tag};
use crate::operation::{DesiredResource, Mutation, Operation};
use crate::rollback::pin::pin;
use crate::schema::{Ownership, Type};
use crate::value::Value;

/// The digest tag of a resource that was just adopted. It equals no spec's digest, so the differences of the resource
/// are edits and not drift. The real digest is recorded once the resource has no differences.
const ADOPTED: &str = "adopted";

/// How many children the tags of a create record. AWS allows fifty tags on most resources
/// (<https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html>) and refuses a create with more.
const CHILDREN: usize = 20;

/// Returns the desired state of a resource under a name and generation.
pub(super) fn desired_resource(
    context: &PlanContext<'_>,
    resource: &Resource,
    name: String,
    spec: &Value,
    generation: u32,
) -> DesiredResource {
    let mut tags = owner_tags(context, resource, generation);
    let stated = spec.get("tags").and_then(Value::map).into_iter().flatten();
    tags.extend(stated.filter_map(|(k, v)| Some((k.clone(), v.text()?.to_owned()))));
    let identity = format!("{}/{}/{}#{generation}", context.document.stack, context.document.env, resource.address);
    let fields: BTreeSet<String> = spec.map().into_iter().flatten().map(|(k, _)| k.clone()).collect();
    DesiredResource {
        address: resource.address.to_string(),
        name,
        changed: fields.clone(),
        stated: fields,
        spec: spec.clone(),
        tags,
        remove_tags: BTreeSet::new(),
        token: digest::token(&identity),
    }
}

/// Returns the create of a resource that did not exist before.
pub(super) fn create_mutation(context: &PlanContext<'_>, resource: &Resource, spec: &Value) -> Mutation {
    let mut desired = desired_resource(context, resource, resource.name.clone(), spec, 1);
    desired.tags.extend(child_tags(context, resource));
    Mutation::Create(desired)
}

/// Returns the update of a live resource. The spec is merged with the live spec, because some calls replace all
/// fields.
pub(super) fn update_mutation(
    context: &PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    live: &Observed,
    changes: &[Change],
) -> Mutation {
    let generation = generation(resource, live);
    let merged = merge(resource.schema.record, resolved, &live.spec, &resource.lifecycle.ignore);
    let merged = keep_autoscaled_counts(resource, merged, live, changes).without_nulls();
    let mut desired = desired_resource(context, resource, live.name.clone(), &merged, generation);
    if resource.schema.naming.tag {
        desired.tags.entry("Name".into()).or_insert_with(|| name_tag(resource, live));
    }
    desired.stated = resolved.map().into_iter().flatten().map(|(field, _)| field.clone()).collect();
    desired.changed = changes.iter().map(|c| c.field().to_owned()).collect();
    desired.remove_tags = changes
        .iter()
        .filter(|c| c.field() == "tags" && c.to == Value::Null)
        .filter_map(|c| c.path.strip_prefix("tags.").map(str::to_owned))
        .chain(stale_tags(context, resource, live))
        .collect();
    if !resource.schema.ownership.is_own() {
        desired.tags.clear();
    }
    Mutation::Update { live: Box::new(live.clone()), desired }
}

/// Records the digest of a resource without differences, in its own tags or its parent's, if it is not recorded
/// yet.
pub(super) fn record_digest(
    context: &mut PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    live: &Observed,
) -> Readiness {
    // The driver that sets the tags, the tagged resource, its address if it is the parent, and the tags.
    let (kind, holder, parent, set, remove) = match resource.schema.ownership {
        Ownership::TagOnCreate | Ownership::CallerReference | Ownership::EmbeddedMarker { .. } => {
            let set = owner_tags(context, resource, generation(resource, live));
            (resource.schema.kind, live, None, set, stale_tags(context, resource, live))
        }
        Ownership::ViaParent { key, .. } => {
            // The parent's tag records the old child until the old child is deleted.
            if context.inventory.orphans_of(&resource.address).any(|orphan| !orphan.observed.bound) {
                return context.ready();
            }
            let parent = context.inventory.parent(resource).filter(|(_, parent)| parent.owner().is_some());
            let Some((address, parent)) = parent else { return context.ready() };
            let Some(kind) = context.document.resources.get(&address).map(|r| r.schema.kind) else {
                return context.ready();
            };
            let child =
                ChildTag { digest: context.prepared.digest(resource), key: child_key(key, &live.name, resolved) };
            let set = BTreeMap::from([(child_tag(&resource.address), child.value())]);
            (kind, parent, Some(address), set, BTreeSet::new())
        }
    };
    let set: BTreeMap<String, String> =
        set.into_iter().filter(|(key, value)| holder.tags.get(key) != Some(value)).collect();
    if set.is_empty() && remove.is_empty() {
        return context.ready();
    }
    if holder.phase == Phase::Updating {
        context.await_ready(&resource.address, holder, "the update of its tags", parent);
        return Readiness::Ready;
    }
    let moved = live.owner().is_some_and(|o| o.address != resource.address.to_string());
    let changes = owner_changes(holder, &set, &remove);
    let mutation = Mutation::Tag { live: Box::new(holder.clone()), set, remove };
    context.plan.steps.push(Step {
        address: resource.address.clone(),
        tier: resource.schema.tier,
        action: if moved { Action::Adopt } else { Action::Update },
        cause: Cause::Edit,
        changes,
        after: BTreeSet::new(),
        operation: Some(Operation { kind, region: holder.region.clone(), mutation }),
    });
    // The resource matches the document already, so its dependents need not wait for the tags.
    Readiness::Ready
}

/// Keeps the live value of a count that its autoscaler controls, also when the whole spec is sent. A count outside the
/// range of its autoscaler gets the value of its change.
fn keep_autoscaled_counts(resource: &Resource, mut merged: Value, live: &Observed, changes: &[Change]) -> Value {
    for field in resource.schema.record.fields.iter().filter(|f| matches!(f.ty, Type::AutoscaledCount { .. })) {
        let change = changes.iter().find(|change| change.path == field.name).map(|change| &change.to);
        if let (Value::Map(map), Some(count)) = (&mut merged, change.or_else(|| live.spec.get(field.name))) {
            map.insert(field.name.to_owned(), count.clone());
        }
    }
    merged
}

/// Returns the owner tags of a resource.
pub(super) fn owner_tags(context: &PlanContext<'_>, resource: &Resource, generation: u32) -> BTreeMap<String, String> {
    let owner = Owner {
        stack: context.document.stack.clone(),
        env: context.document.env.clone(),
        address: resource.address.to_string(),
        source: context.document.source.clone(),
        generation,
        digest: context.prepared.digest(resource),
        retained: resource.on_delete() == OnDelete::Retain,
    };
    // Some services refuse empty values, so an unknown source has no tag. An embedded marker has no room for the
    // source.
    let has_room =
        |key: &str| !matches!(resource.schema.ownership, Ownership::EmbeddedMarker { .. }) || key != tag::SOURCE;
    owner.tags().into_iter().filter(|(key, value)| !value.is_empty() && has_room(key)).collect()
}

/// Returns the tags of a create that record the children of the new resource. They include the children whose key
/// among their siblings is known already. The other children are recorded once they exist.
pub(super) fn child_tags(context: &PlanContext<'_>, parent: &Resource) -> BTreeMap<String, String> {
    if !parent.schema.ownership.takes_tags() {
        return BTreeMap::new();
    }
    let tag = |child: &Resource| {
        let Ownership::ViaParent { field, key } = child.schema.ownership else { return None };
        let is_of = |value: &Value| matches!(value, Value::Reference(of) if of.address == parent.address);
        let known = key.iter().all(|field| child.spec.get(field).is_some_and(is_plain));
        if !known || child.region != parent.region || !child.spec.get(field).is_some_and(is_of) {
            return None;
        }
        let child_record =
            ChildTag { digest: context.prepared.digest(child), key: child_key(key, &child.name, &child.spec) };
        Some((child_tag(&child.address), child_record.value()))
    };
    context.prepared.dependents(&parent.address).iter().filter_map(|child| tag(child)).take(CHILDREN).collect()
}

/// Returns the owner tags of a resource that is adopted as it is.
pub(super) fn adopted_tags(context: &PlanContext<'_>, resource: &Resource) -> BTreeMap<String, String> {
    let mut tags = owner_tags(context, resource, 1);
    tags.insert(tag::DIGEST.into(), ADOPTED.into());
    tags
}

/// Returns the owner tags that are stale: those of children that are in no document and do not exist any more, the
/// `retained` tag of a resource that may be deleted, and the `rollback` tag of an edit that the document no longer
/// contains.
pub(super) fn stale_tags(context: &PlanContext<'_>, resource: &Resource, live: &Observed) -> BTreeSet<String> {
    let is_observed = |address: &Address| {
        let near = |region: &str| region.is_empty() || live.region.is_empty() || region == live.region;
        context
            .inventory
            .observed
            .iter()
            .any(|kind_region| *kind_region.kind == *address.kind && near(&kind_region.region))
    };
    // If the kind was not observed, this tag is the only record of a child that left the document.
    let may_exist = |address: &Address| {
        let mut deleting = context.inventory.all_deleting.iter();
        let is_orphan = context.inventory.orphans_of(address).next().is_some();
        is_orphan || deleting.any(|o| o.address == *address) || !is_observed(address)
    };
    let children = live
        .tags
        .keys()
        .filter_map(|key| Some((key, key.strip_prefix(tag::CHILD)?.parse::<Address>().ok()?)))
        .filter(|(_, address)| !context.document.resources.contains_key(address) && !may_exist(address))
        .map(|(key, _)| key.clone());
    let mut stale: BTreeSet<String> = children.collect();
    if live.tags.contains_key(tag::ROLLBACK)
        && pin(context.prepared, resource, live, &context.inventory.active).is_none()
    {
        stale.insert(tag::ROLLBACK.into());
    }
    if resource.on_delete() != OnDelete::Retain && live.tags.contains_key(tag::RETAINED) {
        stale.insert(tag::RETAINED.into());
    }
    stale
}

/// True when the value contains no reference, expression or unknown value.
fn is_plain(value: &Value) -> bool {
    let mut plain = *value != Value::Null;
    value.walk(&mut |part| plain &= !matches!(part, Value::Reference(_) | Value::Deferred(_) | Value::Unknown(_)));
    plain
}

/// Returns the tags to set and remove as changes.
pub(super) fn owner_changes(live: &Observed, set: &BTreeMap<String, String>, remove: &BTreeSet<String>) -> Vec<Change> {
    let from = |key: &String| live.tags.get(key).map_or(Value::Null, |v| Value::Text(v.clone()));
    let set = set.iter().map(|(k, v)| Change::new(&format!("tags.{k}"), from(k), v.clone().into()));
    let remove = remove.iter().map(|k| Change::new(&format!("tags.{k}"), from(k), Value::Null));
    set.chain(remove).collect()
}

/// Returns the desired value of the `Name` tag: the name of the live generation.
pub(super) fn name_tag(resource: &Resource, live: &Observed) -> String {
    match generation(resource, live) {
        1 => resource.name.clone(),
        _ if resource.named => resource.name.clone(),
        generation => format!("{}-g{generation}", resource.name),
    }
}

/// Returns the tags of the document, with the `Name` tag of a kind that is named by its tag.
pub(super) fn desired_tags(resource: &Resource, resolved: &Value, live: &Observed) -> Value {
    let stated = resolved.get("tags").cloned();
    if !resource.schema.naming.tag {
        return stated.unwrap_or(user_tags(live));
    }
    let mut tags = match stated {
        Some(Value::Map(tags)) => tags,
        Some(_) => BTreeMap::new(),
        None => user_tags(live).map().cloned().unwrap_or_default(),
    };
    if resolved.at("tags.Name").is_none() {
        tags.insert("Name".into(), Value::Text(name_tag(resource, live)));
    }
    Value::Map(tags)
}

/// Returns the live tags that are neither owner tags nor AWS's own tags.
pub(super) fn user_tags(live: &Observed) -> Value {
    let user = |key: &str| !key.starts_with(tag::PREFIX) && !key.starts_with("aws:");
    Value::Map(live.tags.iter().filter(|(k, _)| user(k)).map(|(k, v)| (k.clone(), v.clone().into())).collect())
}
