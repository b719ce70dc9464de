//! Operations of steps: the exact mutations, without unknown values.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::{Planner, Readiness};
use super::tags::{name_tag, owner_changes};
use super::{Action, Cause, Step};
use crate::diff::{Change, merge};
use crate::digest;
use crate::document::Resource;
use crate::inventory::{ChildTag, Orphan, child_key};
use crate::observed::{Observed, Phase, child_tag};
use crate::operation::{DesiredResource, Mutation, Operation};
use crate::schema::{Ownership, Type};
use crate::value::Value;

impl Planner<'_> {
    /// Returns the desired state of a resource under a name and generation.
    pub(super) fn desired_resource(
        &self,
        resource: &Resource,
        name: String,
        spec: &Value,
        generation: u32,
    ) -> DesiredResource {
        let mut tags = self.owner_tags(resource, generation);
        let stated = spec.get("tags").and_then(Value::map).into_iter().flatten();
        tags.extend(stated.filter_map(|(k, v)| Some((k.clone(), v.text()?.to_owned()))));
        let identity = format!("{}/{}/{}#{generation}", self.document.stack, self.document.env, resource.address);
        DesiredResource {
            address: resource.address.to_string(),
            name,
            changed: spec.map().into_iter().flatten().map(|(k, _)| k.clone()).collect(),
            spec: spec.clone(),
            tags,
            remove_tags: BTreeSet::new(),
            token: digest::token(&identity),
        }
    }

    /// Returns the create of a resource that did not exist before.
    pub(super) fn create_mutation(&self, resource: &Resource, spec: &Value) -> Mutation {
        let mut desired = self.desired_resource(resource, resource.name.clone(), spec, 1);
        desired.tags.extend(self.child_tags(resource));
        Mutation::Create(desired)
    }

    /// Returns the update of a live resource. The spec is merged with the live spec, because some calls replace all
    /// fields.
    pub(super) fn update_mutation(
        &self,
        resource: &Resource,
        resolved: &Value,
        live: &Observed,
        changes: &[Change],
    ) -> Mutation {
        let generation = live.owner().map_or(1, |o| o.generation);
        let merged = merge(resource.schema.record, resolved, &live.spec, &resource.lifecycle.ignore);
        let merged = keep_autoscaled_counts(resource, merged, live, changes).without_nulls();
        let mut desired = self.desired_resource(resource, live.name.clone(), &merged, generation);
        if resource.schema.naming.tag {
            desired.tags.entry("Name".into()).or_insert_with(|| name_tag(resource, live));
        }
        desired.changed = changes.iter().map(|c| c.field().to_owned()).collect();
        desired.remove_tags = changes
            .iter()
            .filter(|c| c.field() == "tags" && c.to == Value::Null)
            .filter_map(|c| c.path.strip_prefix("tags.").map(str::to_owned))
            .chain(self.stale_tags(resource, live))
            .collect();
        if !resource.schema.ownership.is_own() {
            desired.tags.clear();
        }
        Mutation::Update { live: Box::new(live.clone()), desired }
    }

    /// Records the digest of a resource without differences, in its own tags or its parent's, if it is not recorded
    /// yet.
    pub(super) fn record_digest(&mut self, resource: &Resource, resolved: &Value, live: &Observed) -> Readiness {
        // The driver that sets the tags, the tagged resource, its address if it is the parent, and the tags.
        let (kind, holder, parent, set, remove) = match resource.schema.ownership {
            Ownership::TagOnCreate | Ownership::CallerReference | Ownership::EmbeddedMarker { .. } => {
                let generation = live.owner().map_or(1, |o| o.generation);
                let set = self.owner_tags(resource, generation);
                (resource.schema.kind, live, None, set, self.stale_tags(resource, live))
            }
            Ownership::ViaParent { key, .. } => {
                // The parent's tag records the old child until the old child is deleted.
                let is_old_child = |orphan: &Orphan<'_>| orphan.address == resource.address && !orphan.observed.bound;
                if self.inventory.orphans.iter().any(is_old_child) {
                    return self.ready();
                }
                let parent = self.inventory.parent(resource).filter(|(_, parent)| parent.owner().is_some());
                let Some((address, parent)) = parent else { return self.ready() };
                let Some(kind) = self.document.resources.get(&address).map(|r| r.schema.kind) else {
                    return self.ready();
                };
                let child =
                    ChildTag { digest: self.prepared.digest(resource), key: child_key(key, &live.name, resolved) };
                let set = BTreeMap::from([(child_tag(&resource.address), child.value())]);
                (kind, parent, Some(address), set, BTreeSet::new())
            }
        };
        let set: BTreeMap<String, String> =
            set.into_iter().filter(|(key, value)| holder.tags.get(key) != Some(value)).collect();
        if set.is_empty() && remove.is_empty() {
            return self.ready();
        }
        if holder.phase == Phase::Updating {
            self.await_ready(&resource.address, holder, "the update of its tags", parent);
            return Readiness::Ready;
        }
        let moved = live.owner().is_some_and(|o| o.address != resource.address.to_string());
        let changes = owner_changes(holder, &set, &remove);
        let mutation = Mutation::Tag { live: Box::new(holder.clone()), set, remove };
        self.plan.steps.push(Step {
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
}

/// Keeps the live value of a count that its autoscaler controls, also when the whole spec is sent.
fn keep_autoscaled_counts(resource: &Resource, mut merged: Value, live: &Observed, changes: &[Change]) -> Value {
    for field in resource.schema.record.fields.iter().filter(|f| matches!(f.ty, Type::AutoscaledCount { .. })) {
        if let (Value::Map(map), Some(count), false) =
            (&mut merged, live.spec.get(field.name), changes.iter().any(|c| c.path == field.name))
        {
            map.insert(field.name.to_owned(), count.clone());
        }
    }
    merged
}
