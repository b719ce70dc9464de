//! Lookups: live resources that the document reads and never changes (`manage: observe`).

use super::proof::generation_in_name;
use super::{Inventory, rank};
use crate::diff;
use crate::document::{Lookup, Resource};
use crate::observed::{Observed, Phase};
use crate::plan::hold::Reason;
use crate::render::name::physical_name;
use crate::value::Value;

/// Matches a lookup to the one live resource that fits it.
pub(super) fn look_up<'a>(resource: &Resource, lookup: &Lookup, found: &'a [Observed], inventory: &mut Inventory<'a>) {
    let matches = |observed: &&Observed| match lookup {
        Lookup::Id(id) => observed.id == *id || observed.status.get("arn").and_then(Value::text) == Some(id),
        Lookup::Fields => {
            diff::diff(resource.schema.record, &resource.spec, &observed.spec, &[]).is_empty()
                && resource.spec.get("tags").is_none_or(|tags| has_tags(observed, tags))
                && (!resource.named || observed.name == resource.name)
        }
        Lookup::Owner { stack, env, address } => {
            observed.owner().is_some_and(|o| o.stack == *stack && o.env == *env && o.address == address.to_string())
        }
    };
    let mut matching: Vec<&Observed> = found.iter().filter(matches).filter(|o| o.phase != Phase::Deleting).collect();
    if let (Lookup::Owner { stack, env, address }, true) = (lookup, matching.len() > 1) {
        // Tags can be copied, so of several resources only the physical name shows which one the other stack uses.
        let base = physical_name(stack, env, &address.name, &resource.schema.naming);
        let in_name = |o: &Observed| generation_in_name(resource.schema, &base, o);
        let newest = matching.iter().copied().filter(|o| in_name(o).is_some());
        if let Some(newest) = newest.max_by_key(|o| (rank(o.phase), in_name(o))) {
            matching = vec![newest];
        }
    }
    match matching[..] {
        [one] => {
            inventory.active.insert(resource.address.clone(), one);
        }
        [] => {
            let message = "no live resource matches this lookup; correct its `id` or fields".to_owned();
            inventory.hold(resource, Reason::NotFound, message);
        }
        _ => {
            let ids: Vec<&str> = matching.iter().map(|o| o.id.as_str()).collect();
            let message = format!("this lookup matches {}; set its `id` or more fields", ids.join(", "));
            inventory.hold(resource, Reason::Ambiguous, message);
        }
    }
}

fn has_tags(observed: &Observed, tags: &Value) -> bool {
    tags.map().into_iter().flatten().all(|(k, v)| observed.tags.get(k).map(String::as_str) == v.text())
}
