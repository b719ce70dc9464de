//! Tags: the owner tags and the document's tags of a resource, and the live tags that are stale.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::{Planner, change};
use crate::address::Address;
use crate::diff::Change;
use crate::document::{OnDelete, Resource};
use crate::inventory::{ChildTag, child_key};
use crate::observed::{Observed, Owner, child_tag, tag};
use crate::rollback::pin;
use crate::schema::Ownership;
use crate::value::Value;

/// The digest tag of a resource that was just adopted. It equals no spec's digest, so the differences of the resource
/// are edits and not drift. The real digest is recorded once the resource has no differences.
const ADOPTED: &str = "adopted";

/// How many children the tags of a create record. AWS allows fifty tags on most resources
/// (<https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html>) and refuses a create with more.
const CHILDREN: usize = 20;

impl Planner<'_> {
    /// Returns the owner tags of a resource.
    pub(super) fn owner_tags(&self, resource: &Resource, generation: u32) -> BTreeMap<String, String> {
        let owner = Owner {
            stack: self.document.stack.clone(),
            env: self.document.env.clone(),
            address: resource.address.to_string(),
            source: self.document.source.clone(),
            generation,
            digest: self.prepared.digest(resource),
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
    pub(super) fn child_tags(&self, parent: &Resource) -> BTreeMap<String, String> {
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
                ChildTag { digest: self.prepared.digest(child), key: child_key(key, &child.name, &child.spec) };
            Some((child_tag(&child.address), child_record.value()))
        };
        self.prepared.dependents(&parent.address).iter().filter_map(|child| tag(child)).take(CHILDREN).collect()
    }

    /// Returns the owner tags of a resource that is adopted as it is.
    pub(super) fn adopted_tags(&self, resource: &Resource) -> BTreeMap<String, String> {
        let mut tags = self.owner_tags(resource, 1);
        tags.insert(tag::DIGEST.into(), ADOPTED.into());
        tags
    }

    /// Returns the owner tags that are stale: those of children that are in no document and do not exist any more, the
    /// `retained` tag of a resource that may be deleted, and the `rollback` tag of an edit that the document no longer
    /// contains.
    pub(super) fn stale_tags(&self, resource: &Resource, live: &Observed) -> BTreeSet<String> {
        let is_observed = |address: &Address| {
            let near = |region: &str| region.is_empty() || live.region.is_empty() || region == live.region;
            self.inventory
                .observed
                .iter()
                .any(|kind_region| *kind_region.kind == *address.kind && near(&kind_region.region))
        };
        // If the kind was not observed, this tag is the only record of a child that left the document.
        let may_exist = |address: &Address| {
            let mut owned = self.inventory.orphans.iter().chain(&self.inventory.all_deleting);
            owned.any(|o| o.address == *address) || !is_observed(address)
        };
        let children = live
            .tags
            .keys()
            .filter_map(|key| Some((key, key.strip_prefix(tag::CHILD)?.parse::<Address>().ok()?)))
            .filter(|(_, address)| !self.document.resources.contains_key(address) && !may_exist(address))
            .map(|(key, _)| key.clone());
        let mut stale: BTreeSet<String> = children.collect();
        if live.tags.contains_key(tag::ROLLBACK) && pin(self.document, resource, live, &self.inventory.active).is_none()
        {
            stale.insert(tag::ROLLBACK.into());
        }
        if resource.on_delete() != OnDelete::Retain && live.tags.contains_key(tag::RETAINED) {
            stale.insert(tag::RETAINED.into());
        }
        stale
    }
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
    let set = set.iter().map(|(k, v)| change(&format!("tags.{k}"), from(k), v.clone().into()));
    let remove = remove.iter().map(|k| change(&format!("tags.{k}"), from(k), Value::Null));
    set.chain(remove).collect()
}

/// Returns the desired value of the `Name` tag: the name of the live generation.
pub(super) fn name_tag(resource: &Resource, live: &Observed) -> String {
    match live.owner().map_or(1, |o| o.generation) {
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
