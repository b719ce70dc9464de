//! Who is who: matches what was seen to what is wanted, by owner tags, parents, names and lookups.

mod ours;
mod taken;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diff;
use crate::digest;
use crate::document::{Document, Lookup, Resource};
use crate::graph::Graph;
use crate::observed::{Observation, Observed, Owner, Phase, Place, child_tag};
use crate::plan::hold::{Hold, Reason};
use crate::resolve::{Known, resolve};
use crate::schema::{Claim, Replace, Schema};
use crate::value::Value;
use ours::find_orphans;
use taken::{take, twin};

/// What was seen, by what it is to us.
#[derive(Debug, Default)]
pub struct Situation<'a> {
    /// The live resource behind each address: of several twins the newest that can be used.
    pub current: BTreeMap<Address, &'a Observed>,
    /// Older twins, and generations that a newer one has replaced.
    pub superseded: BTreeMap<Address, Vec<&'a Observed>>,
    /// Newer generations that cannot be used yet, or never will.
    pub coming: BTreeMap<Address, &'a Observed>,
    /// On their way out, still there.
    pub leaving: BTreeMap<Address, &'a Observed>,
    /// All of ours on their way out, whether the document has them or not: until they are gone they need what they
    /// refer to.
    pub going: Vec<Orphan<'a>>,
    /// Ours by their tags, and not in the document.
    pub orphans: Vec<Orphan<'a>>,
    /// Not ours, but the document says to take them over.
    pub adoptable: BTreeMap<Address, &'a Observed>,
    /// Addresses that cannot be told about, and why.
    pub holds: BTreeMap<Address, Hold>,
    /// Where everything was seen.
    pub seen: BTreeSet<&'a Place>,
    /// Where something could not be seen, by kind and region: it may refer to anything there.
    pub unseen: Vec<(&'static Schema, &'a str)>,
}

/// A resource of ours, known by its tags alone: the document need not have it.
#[derive(Clone, Debug)]
pub struct Orphan<'a> {
    /// Its address when it was in a document.
    pub address: Address,
    /// Its kind.
    pub schema: &'static Schema,
    /// It.
    pub observed: &'a Observed,
    /// True when its tags say that it stays.
    pub retained: bool,
}

/// What a parent's tag says of a child: the digest last converged, and the key that tells it from its siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildTag {
    /// The digest of the rendered spec last converged.
    pub digest: String,
    /// The digest of the child's key.
    pub key: String,
}

impl ChildTag {
    /// Reads a tag's value.
    pub fn parse(value: &str) -> Option<ChildTag> {
        let (digest, key) = value.split_once('.')?;
        Some(ChildTag { digest: digest.to_owned(), key: key.to_owned() })
    }

    /// The tag's value.
    pub fn value(&self) -> String {
        format!("{}.{}", self.digest, self.key)
    }
}

/// The key of a child among its siblings, as a digest, from its resolved or live spec.
pub fn child_key(key: &[&str], name: &str, spec: &Value) -> String {
    let parts: Vec<String> = match key {
        [] => vec![name.to_owned()],
        fields => fields.iter().map(|f| spec.get(f).map(ToString::to_string).unwrap_or_default()).collect(),
    };
    digest::text(&parts.join("\n"))
}

/// Matches everything. `order` lists the document's addresses, what is referred to before what refers.
pub fn situation<'a>(
    document: &Document,
    observation: &'a Observation,
    order: &[Address],
    kinds: &[&'static Schema],
) -> Situation<'a> {
    let mut situation = Situation::default();
    for address in order {
        if let Some(resource) = document.resources.get(address) {
            match_one(document, resource, observation, &mut situation);
        }
    }
    find_orphans(document, observation, kinds, &mut situation);
    let unseen = observation.unknown.keys().filter_map(|place| {
        let schema = kinds.iter().find(|schema| schema.kind == place.kind)?;
        Some((*schema, place.region.as_str()))
    });
    situation.unseen = unseen.collect();
    situation.seen = observation.found.keys().collect();
    situation
}

/// The live resource behind each address.
pub fn live<'a>(document: &Document, observation: &'a Observation) -> BTreeMap<Address, &'a Observed> {
    situation(document, observation, &Graph::of(document).order(), &[]).current
}

fn match_one<'a>(
    document: &Document,
    resource: &Resource,
    observation: &'a Observation,
    situation: &mut Situation<'a>,
) {
    let kind = resource.schema.kind;
    let Some(found) = observation.at(kind, &resource.region) else {
        let why = observation.unknown.iter().find(|(p, _)| p.kind == kind && p.region == resource.region);
        let why = why.map_or("it was not looked at", |(_, why)| why);
        situation.hold(resource, Reason::Unobserved, format!("{kind} cannot be seen: {why}"));
        return;
    };
    if let Some(lookup) = &resource.lifecycle.lookup {
        look_up(resource, lookup, found, situation);
        return;
    }
    match resource.schema.claim {
        Claim::Parent { field, key } => match_by_parent(resource, field, key, found, situation),
        Claim::AtCreate | Claim::Intent | Claim::Mark { .. } => {
            match_by_tags(document, resource, found, observation, situation);
        }
    }
}

fn look_up<'a>(resource: &Resource, lookup: &Lookup, found: &'a [Observed], situation: &mut Situation<'a>) {
    let fits = |observed: &&Observed| match lookup {
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
    let mut fitting: Vec<&Observed> = found.iter().filter(fits).filter(|o| o.phase != Phase::Deleting).collect();
    if matches!(lookup, Lookup::Owner { .. }) {
        fitting.sort_by_key(|o| o.owner().map(|owner| owner.generation));
        fitting.drain(..fitting.len().saturating_sub(1));
    }
    match fitting[..] {
        [one] => {
            situation.current.insert(resource.address.clone(), one);
        }
        [] => situation.hold(resource, Reason::NotFound, "nothing live fits this lookup".into()),
        _ => {
            let ids: Vec<&str> = fitting.iter().map(|o| o.id.as_str()).collect();
            let message = format!("{} fit this lookup; state its `id` or more fields: {}", ids.len(), ids.join(", "));
            situation.hold(resource, Reason::Ambiguous, message);
        }
    }
}

fn has_tags(observed: &Observed, tags: &Value) -> bool {
    tags.map().into_iter().flatten().all(|(k, v)| observed.tags.get(k).map(String::as_str) == v.text())
}

fn match_by_tags<'a>(
    document: &Document,
    resource: &Resource,
    found: &'a [Observed],
    observation: &Observation,
    situation: &mut Situation<'a>,
) {
    let moved_from = resource.lifecycle.moved_from.as_ref().map(ToString::to_string);
    let address = resource.address.to_string();
    let is_ours = |owner: &Owner| {
        owner.stack == document.stack
            && owner.env == document.env
            && (owner.address == address || Some(&owner.address) == moved_from.as_ref())
    };
    let mut ours: Vec<(&Observed, Owner)> =
        found.iter().filter_map(|o| Some((o, o.owner()?))).filter(|(_, owner)| is_ours(owner)).collect();
    // What has the address outright goes before what is to move to it.
    if ours.iter().any(|(o, owner)| owner.address == address && o.phase != Phase::Deleting) {
        ours.retain(|(_, owner)| owner.address == address);
    }
    if let Some((_, owner)) = ours.iter().find(|(_, o)| other_origin(document, o)) {
        let message =
            format!("it belongs to the document from `{}`, and this one is from `{}`", owner.origin, document.origin);
        situation.hold(resource, Reason::OtherOrigin, message);
        return;
    }
    // The newest that can be used; failing that the newest that is being made. Of twins, which only a lost reply
    // and a lost store can make, the one that others refer to.
    let several = ours.len() > 1;
    let used = |o: &Observed| if several { users(observation, resource.schema, o) } else { 0 };
    ours.sort_by_key(|(o, owner)| (rank(o.phase), owner.generation, revision(o), used(o), Reverse(o.id.clone())));
    let mut rest: Vec<&Observed> = ours.into_iter().map(|(o, _)| o).collect();
    match rest.pop() {
        Some(newest) if newest.phase != Phase::Deleting => {
            situation.current.insert(resource.address.clone(), newest);
            rest.retain(|o| o.phase != Phase::Deleting);
            let (coming, older): (Vec<_>, Vec<_>) = rest.into_iter().partition(|o| generation(o) > generation(newest));
            if let Some(coming) = coming.last() {
                situation.coming.insert(resource.address.clone(), coming);
            }
            if !older.is_empty() && !matches!(resource.schema.replace, Replace::Revision { .. }) {
                situation.superseded.insert(resource.address.clone(), older);
            }
            // It may be about to take an identity that is somebody else's.
            if !resource.schema.claim.identity().is_empty()
                && let Some(taken) = twin(document, resource, found, situation)
            {
                take(resource, taken, situation);
            }
            return;
        }
        Some(leaving) => {
            situation.leaving.insert(resource.address.clone(), leaving);
        }
        None => {}
    }
    let adopt = resource.lifecycle.adopt.as_deref();
    let wanted = |o: &&Observed| adopt.is_some_and(|adopt| o.id == adopt || o.name == adopt);
    if let Some(taken) = found.iter().find(wanted).or_else(|| twin(document, resource, found, situation)) {
        if taken.owner().is_none() && wanted(&taken) {
            situation.adoptable.insert(resource.address.clone(), taken);
        } else {
            take(resource, taken, situation);
        }
    } else if let Some(adopt) = adopt {
        situation.hold(resource, Reason::NotFound, format!("`{adopt}`, which is to be adopted, is not there"));
    }
}

/// How many live resources refer to this one.
fn users(observation: &Observation, schema: &Schema, observed: &Observed) -> usize {
    let identities = ["id", "arn"].map(|attribute| observed.attribute(attribute));
    let refers = |other: &&Observed| {
        let mut is_meant = false;
        other.spec.walk(&mut |value| is_meant |= identities.iter().flatten().any(|identity| identity == value));
        is_meant
    };
    let others = observation.found.iter().filter(|(place, _)| place.kind != schema.kind);
    others.flat_map(|(_, found)| found).filter(refers).count()
}

fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Deleting => 0,
        Phase::Failed => 1,
        Phase::Pending => 2,
        Phase::Ready | Phase::Updating => 3,
    }
}

fn generation(observed: &Observed) -> u32 {
    observed.owner().map_or(1, |owner| owner.generation)
}

fn revision(observed: &Observed) -> i64 {
    observed.status.get("revision").and_then(Value::integer).unwrap_or_default()
}

fn other_origin(document: &Document, owner: &Owner) -> bool {
    !owner.origin.is_empty() && !document.origin.is_empty() && owner.origin != document.origin
}

fn match_by_parent<'a>(
    resource: &Resource,
    field: &str,
    key: &[&str],
    found: &'a [Observed],
    situation: &mut Situation<'a>,
) {
    let Ok(spec) = resolve(&resource.address, resource.schema.record, &resource.spec, Known::of(&situation.current))
    else {
        return;
    };
    let (Some(parent), key_of_ours) = (spec.get(field).and_then(Value::text), child_key(key, &resource.name, &spec))
    else {
        // Its parent is not there, so neither is it.
        return;
    };
    let is_child = |o: &&Observed| {
        o.spec.get(field).and_then(Value::text) == Some(parent) && child_key(key, &o.name, &o.spec) == key_of_ours
    };
    if let Some(child) = found.iter().filter(|o| o.phase != Phase::Deleting).find(is_child) {
        situation.current.insert(resource.address.clone(), child);
    }
}

impl Situation<'_> {
    fn hold(&mut self, resource: &Resource, reason: Reason, message: String) {
        let hold = Hold { address: resource.address.clone(), reason, message, waits_for: None };
        self.holds.insert(resource.address.clone(), hold);
    }

    /// The digest last converged of a resource, from its own tags or its parent's; empty when nobody knows.
    pub fn digest(&self, resource: &Resource) -> String {
        let Some(current) = self.current.get(&resource.address) else { return String::new() };
        match resource.schema.claim {
            Claim::AtCreate | Claim::Intent | Claim::Mark { .. } => {
                current.owner().map(|o| o.digest).unwrap_or_default()
            }
            Claim::Parent { .. } => self
                .parent(resource)
                .and_then(|(_, parent)| parent.tags.get(&child_tag(&resource.address)))
                .and_then(|value| ChildTag::parse(value))
                .map(|child| child.digest)
                .unwrap_or_default(),
        }
    }

    /// The parent of a resource that has no tags of its own, where the document has it and it is live.
    pub fn parent(&self, resource: &Resource) -> Option<(Address, &Observed)> {
        let Claim::Parent { field, .. } = resource.schema.claim else { return None };
        match resource.spec.get(field)? {
            Value::Reference(reference) => Some((reference.address.clone(), *self.current.get(&reference.address)?)),
            _ => None,
        }
    }
}
