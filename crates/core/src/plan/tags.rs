//! Tags: which a resource should have, and which of the live ones are whose.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::{Planner, change};
use crate::address::Address;
use crate::diff::Change;
use crate::digest;
use crate::document::{OnDelete, Resource};
use crate::observed::{Observed, Owner, child_tag, tag};
use crate::rollback::pin;
use crate::schema::Claim;
use crate::situation::{ChildTag, child_key};
use crate::value::Value;

/// The digest of what is ours since a moment and was not made by us: it equals no spec's, so what differs is
/// not drift, and the true one is written once nothing differs.
const ADOPTED: &str = "adopted";

/// How many children a create's tags remember: AWS gives most resources fifty tags
/// (<https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html>), and refuses a create with more.
const CHILDREN: usize = 20;

impl Planner<'_> {
    pub(super) fn owner_tags(&self, resource: &Resource, generation: u32) -> BTreeMap<String, String> {
        let owner = Owner {
            stack: self.document.stack.clone(),
            env: self.document.env.clone(),
            address: resource.address.to_string(),
            origin: self.document.origin.clone(),
            generation,
            digest: digest::of(resource),
            retained: resource.on_delete() == OnDelete::Retain,
        };
        // AWS takes no empty values everywhere; an unknown origin is no tag. A mark has no room for it.
        let has_room = |key: &str| !matches!(resource.schema.claim, Claim::Mark { .. }) || key != tag::ORIGIN;
        owner.tags().into_iter().filter(|(key, value)| !value.is_empty() && has_room(key)).collect()
    }

    /// What remembers the children of something that is about to be made. What tells them from their siblings has to be
    /// known already; the others are remembered once they are there.
    pub(super) fn child_tags(&self, parent: &Resource) -> BTreeMap<String, String> {
        if !parent.schema.claim.takes_tags() {
            return BTreeMap::new();
        }
        let tag = |child: &Resource| {
            let Claim::Parent { field, key } = child.schema.claim else { return None };
            let is_of = |value: &Value| matches!(value, Value::Reference(of) if of.address == parent.address);
            let known = key.iter().all(|field| child.spec.get(field).is_some_and(is_plain));
            if !known || child.region != parent.region || !child.spec.get(field).is_some_and(is_of) {
                return None;
            }
            let remembered = ChildTag { digest: digest::of(child), key: child_key(key, &child.name, &child.spec) };
            Some((child_tag(&child.address), remembered.value()))
        };
        self.document.resources.values().filter_map(tag).take(CHILDREN).collect()
    }

    /// The owner tags of something that is taken over as it is.
    pub(super) fn adopted_tags(&self, resource: &Resource) -> BTreeMap<String, String> {
        let mut tags = self.owner_tags(resource, 1);
        tags.insert(tag::DIGEST.into(), ADOPTED.into());
        tags
    }

    /// Our tags that are there and say what is no longer so: of children that are in no document and live no
    /// more, that it stays when it need not, and that an edit is held back which the document has no more.
    pub(super) fn stale_tags(&self, resource: &Resource, live: &Observed) -> BTreeSet<String> {
        let seen = |address: &Address| {
            let near = |region: &str| region.is_empty() || live.region.is_empty() || region == live.region;
            self.situation.seen.iter().any(|place| *place.kind == *address.kind && near(&place.region))
        };
        // A kind that nobody looked at tells nothing: this tag is all that is known of what left the document.
        let remains = |address: &Address| {
            let mut left = self.situation.orphans.iter().chain(&self.situation.going);
            left.any(|o| o.address == *address) || !seen(address)
        };
        let children = live
            .tags
            .keys()
            .filter_map(|key| Some((key, key.strip_prefix(tag::CHILD)?.parse::<Address>().ok()?)))
            .filter(|(_, address)| !self.document.resources.contains_key(address) && !remains(address))
            .map(|(key, _)| key.clone());
        let mut stale: BTreeSet<String> = children.collect();
        if live.tags.contains_key(tag::ROLLBACK)
            && pin(self.document, resource, live, &self.situation.current).is_none()
        {
            stale.insert(tag::ROLLBACK.into());
        }
        if resource.on_delete() != OnDelete::Retain && live.tags.contains_key(tag::RETAINED) {
            stale.insert(tag::RETAINED.into());
        }
        stale
    }
}

/// True when nothing in it has yet to become known.
fn is_plain(value: &Value) -> bool {
    let mut plain = *value != Value::Null;
    value.walk(&mut |part| plain &= !matches!(part, Value::Reference(_) | Value::Deferred(_) | Value::Unknown(_)));
    plain
}

/// Turns tags to set and remove into changes.
pub(super) fn owner_changes(live: &Observed, set: &BTreeMap<String, String>, remove: &BTreeSet<String>) -> Vec<Change> {
    let from = |key: &String| live.tags.get(key).map_or(Value::Null, |v| Value::Text(v.clone()));
    let set = set.iter().map(|(k, v)| change(&format!("tags.{k}"), from(k), v.clone().into()));
    let remove = remove.iter().map(|k| change(&format!("tags.{k}"), from(k), Value::Null));
    set.chain(remove).collect()
}

/// The name that the `Name` tag should have: that of the live generation.
pub(super) fn name_tag(resource: &Resource, live: &Observed) -> String {
    match live.owner().map_or(1, |o| o.generation) {
        1 => resource.name.clone(),
        _ if resource.named => resource.name.clone(),
        generation => format!("{}-g{generation}", resource.name),
    }
}

/// The tags that the document states, and the `Name` of a kind that is named by it.
pub(super) fn wanted_tags(resource: &Resource, resolved: &Value, live: &Observed) -> Value {
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

/// The live tags that are neither ours nor AWS's own.
pub(super) fn user_tags(live: &Observed) -> Value {
    let user = |key: &str| !key.starts_with(tag::PREFIX) && !key.starts_with("aws:");
    Value::Map(live.tags.iter().filter(|(k, _)| user(k)).map(|(k, v)| (k.clone(), v.clone().into())).collect())
}
