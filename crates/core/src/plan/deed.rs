//! Deeds: what exactly is asked of a driver, with nothing left open.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::{Planner, Standing};
use super::tags::{name_tag, owner_changes};
use super::{Action, Cause, Deed, Step};
use crate::diff::{Change, merge};
use crate::digest;
use crate::document::Resource;
use crate::observed::{Observed, Phase, child_tag};
use crate::op::{Op, Wanted};
use crate::schema::{Claim, Type};
use crate::situation::{ChildTag, Orphan, child_key};
use crate::value::Value;

impl Planner<'_> {
    pub(super) fn wanted(&self, resource: &Resource, name: String, spec: &Value, generation: u32) -> Wanted {
        let mut tags = self.owner_tags(resource, generation);
        let stated = spec.get("tags").and_then(Value::map).into_iter().flatten();
        tags.extend(stated.filter_map(|(k, v)| Some((k.clone(), v.text()?.to_owned()))));
        let identity = format!("{}/{}/{}#{generation}", self.document.stack, self.document.env, resource.address);
        Wanted {
            address: resource.address.to_string(),
            name,
            changed: spec.map().into_iter().flatten().map(|(k, _)| k.clone()).collect(),
            spec: spec.clone(),
            tags,
            remove_tags: BTreeSet::new(),
            token: digest::token(&identity),
        }
    }

    /// The create of one that was not there before.
    pub(super) fn first(&self, resource: &Resource, spec: &Value) -> Op {
        let mut wanted = self.wanted(resource, resource.name.clone(), spec, 1);
        wanted.tags.extend(self.child_tags(resource));
        Op::Create(wanted)
    }

    pub(super) fn update(&self, resource: &Resource, resolved: &Value, live: &Observed, changes: &[Change]) -> Op {
        let generation = live.owner().map_or(1, |o| o.generation);
        let merged = merge(resource.schema.record, resolved, &live.spec, &resource.lifecycle.ignore);
        let merged = with_band(resource, merged, live, changes).without_nulls();
        let mut wanted = self.wanted(resource, live.name.clone(), &merged, generation);
        if resource.schema.naming.tag {
            wanted.tags.entry("Name".into()).or_insert_with(|| name_tag(resource, live));
        }
        wanted.changed = changes.iter().map(|c| c.field().to_owned()).collect();
        wanted.remove_tags = changes
            .iter()
            .filter(|c| c.field() == "tags" && c.to == Value::Null)
            .filter_map(|c| c.path.strip_prefix("tags.").map(str::to_owned))
            .chain(self.stale_tags(resource, live))
            .collect();
        if !resource.schema.claim.is_own() {
            wanted.tags.clear();
        }
        Op::Update { live: Box::new(live.clone()), wanted }
    }

    /// Nothing differs; what is left is to remember it, on its own tags or its parent's.
    pub(super) fn record(&mut self, resource: &Resource, resolved: &Value, live: &Observed) -> Standing {
        // Whose tags, by which kind's calls, and what they should say.
        let (kind, holder, whose, set, remove) = match resource.schema.claim {
            Claim::AtCreate | Claim::Intent | Claim::Mark { .. } => {
                let generation = live.owner().map_or(1, |o| o.generation);
                let set = self.owner_tags(resource, generation);
                (resource.schema.kind, live, None, set, self.stale_tags(resource, live))
            }
            Claim::Parent { key, .. } => {
                // The one that it was is remembered until it is gone.
                let other = |orphan: &Orphan<'_>| orphan.address == resource.address && !orphan.observed.bound;
                if self.situation.orphans.iter().any(other) {
                    return self.settle();
                }
                let parent = self.situation.parent(resource).filter(|(_, parent)| parent.owner().is_some());
                let Some((address, parent)) = parent else { return self.settle() };
                let Some(kind) = self.document.resources.get(&address).map(|r| r.schema.kind) else {
                    return self.settle();
                };
                let child = ChildTag { digest: digest::of(resource), key: child_key(key, &live.name, resolved) };
                let set = BTreeMap::from([(child_tag(&resource.address), child.value())]);
                (kind, parent, Some(address), set, BTreeSet::new())
            }
        };
        let set: BTreeMap<String, String> =
            set.into_iter().filter(|(key, value)| holder.tags.get(key) != Some(value)).collect();
        if set.is_empty() && remove.is_empty() {
            return self.settle();
        }
        if holder.phase == Phase::Updating {
            self.await_ready(&resource.address, holder, "what its tags have to say", whose);
            return Standing::Settled;
        }
        let moved = live.owner().is_some_and(|o| o.address != resource.address.to_string());
        let changes = owner_changes(holder, &set, &remove);
        let op = Op::Tag { live: Box::new(holder.clone()), set, remove };
        self.plan.steps.push(Step {
            address: resource.address.clone(),
            tier: resource.schema.tier,
            action: if moved { Action::Adopt } else { Action::Update },
            cause: Cause::Edit,
            changes,
            after: BTreeSet::new(),
            deed: Some(Deed { kind, region: holder.region.clone(), op }),
        });
        // What only has to be remembered is as the document has it: nobody waits for that.
        Standing::Settled
    }
}

/// A count inside its autoscaler's band stays what it is, also when the whole spec is sent.
fn with_band(resource: &Resource, mut merged: Value, live: &Observed, changes: &[Change]) -> Value {
    for field in resource.schema.record.fields.iter().filter(|f| matches!(f.ty, Type::Scaled { .. })) {
        if let (Value::Map(map), Some(there), false) =
            (&mut merged, live.spec.get(field.name), changes.iter().any(|c| c.path == field.name))
        {
            map.insert(field.name.to_owned(), there.clone());
        }
    }
    merged
}
