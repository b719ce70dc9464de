//! What is ours by its tags alone: what left the document, and what is on its way out.

use std::collections::BTreeSet;

use super::{ChildTag, Orphan, Situation, child_key, other_origin};
use crate::address::Address;
use crate::document::{Document, Resource};
use crate::observed::{Observation, Observed, Owner, Phase};
use crate::resolve::{Known, resolve};
use crate::schema::{Claim, Schema, Type};
use crate::value::Value;

pub(super) fn find_orphans<'a>(
    document: &Document,
    observation: &'a Observation,
    kinds: &[&'static Schema],
    situation: &mut Situation<'a>,
) {
    let matched: BTreeSet<*const Observed> = situation
        .current
        .values()
        .copied()
        .chain(situation.superseded.values().flatten().copied())
        .chain(situation.coming.values().copied())
        .map(std::ptr::from_ref)
        .collect();
    for schema in kinds {
        for (_, found) in observation.found.iter().filter(|(place, _)| place.kind == schema.kind) {
            for observed in found.iter().filter(|o| !matched.contains(&std::ptr::from_ref(*o))) {
                let Some(ours) = ours(document, observation, schema, observed) else { continue };
                let left = |r: &Resource| match schema.claim {
                    Claim::Parent { field, key } => has_another_key(r, field, key, observed, situation),
                    _ => r.region != observed.region || r.schema.kind != schema.kind,
                };
                if observed.phase == Phase::Deleting {
                    situation.going.push(ours);
                } else if document.resources.get(&ours.address).is_none_or(left) {
                    situation.orphans.push(ours);
                }
            }
        }
    }
}

/// What is live and ours, with the address that its owner's tags give it.
fn ours<'a>(
    document: &Document,
    observation: &Observation,
    schema: &'static Schema,
    observed: &'a Observed,
) -> Option<Orphan<'a>> {
    let ours =
        |owner: &Owner| owner.stack == document.stack && owner.env == document.env && !other_origin(document, owner);
    match schema.claim {
        Claim::AtCreate | Claim::Intent | Claim::Mark { .. } => {
            let owner = observed.owner().filter(ours)?;
            let address: Address = owner.address.parse().ok()?;
            Some(Orphan { address, schema, observed, retained: owner.retained })
        }
        Claim::Parent { field, key } => {
            let identity = observed.spec.get(field)?.text()?;
            let (kind, attribute) = match schema.record.field(field)?.ty {
                Type::Reference { kind, attribute, .. } => (kind, attribute),
                _ => return None,
            };
            let parent = observation
                .found
                .iter()
                .filter(|(place, _)| place.kind == kind)
                .flat_map(|(_, found)| found)
                .find(|p| p.attribute(attribute).as_ref().and_then(Value::text) == Some(identity))?;
            parent.owner().filter(ours)?;
            let key = child_key(key, &observed.name, &observed.spec);
            let (tag, _) = parent.tags.iter().find(|(tag, value)| {
                tag.starts_with(crate::observed::tag::CHILD) && ChildTag::parse(value).is_some_and(|c| c.key == key)
            })?;
            let address: Address = tag.trim_start_matches(crate::observed::tag::CHILD).parse().ok()?;
            Some(Orphan { address, schema, observed, retained: false })
        }
    }
}

/// True when the document tells a child by another key from its siblings than this one, which it was: it is another.
fn has_another_key(
    resource: &Resource,
    field: &str,
    key: &[&str],
    observed: &Observed,
    situation: &Situation<'_>,
) -> bool {
    let Ok(spec) = resolve(&resource.address, resource.schema.record, &resource.spec, Known::of(&situation.current))
    else {
        return false;
    };
    let known = key.iter().all(|part| spec.get(part).is_none_or(|value| value.unknown().is_none()));
    let siblings = spec.get(field).and_then(Value::text) == observed.spec.get(field).and_then(Value::text);
    let keys =
        [(&resource.name, &spec), (&observed.name, &observed.spec)].map(|(name, spec)| child_key(key, name, spec));
    known && siblings && keys[0] != keys[1]
}
