//! The inventory: matches live resources to the addresses of the document, by owner tags, parents, names and lookups.

pub mod child;
mod conflicts;
mod index;
mod orphans;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diff;
use crate::document::{Document, Lookup, Resource};
use crate::graph::Graph;
use crate::observed::{KindRegion, Observation, Observed, Owner, Phase};
use crate::plan::hold::{Hold, Reason};
use crate::resolve::{ResolveContext, resolve};
use crate::schema::{Ownership, Replacement, Schema};
use crate::value::Value;
use child::child_key;
use conflicts::{find_conflict, hold_conflict};
use index::{KindIndex, LiveIndex};
use orphans::find_orphans;

/// The live resources, by their relation to the document.
#[derive(Debug, Default)]
pub struct Inventory<'a> {
    /// The live resource of each address: of several generations or duplicates, the newest that can be used.
    pub active: BTreeMap<Address, &'a Observed>,
    /// Duplicates, and older generations that a newer one has replaced.
    pub superseded: BTreeMap<Address, Vec<&'a Observed>>,
    /// Newer generations that cannot be used yet, or that AWS failed to provision.
    pub replacement: BTreeMap<Address, &'a Observed>,
    /// The resources of addresses without an active resource that AWS is deleting.
    pub deleting: BTreeMap<Address, &'a Observed>,
    /// All owned resources that AWS is deleting, with or without an address in the document. They need the resources
    /// that they refer to until their deletion is complete.
    pub all_deleting: Vec<Orphan<'a>>,
    /// Owned resources that the document does not contain.
    pub orphans: Vec<Orphan<'a>>,
    orphans_by_address: BTreeMap<Address, Vec<usize>>,
    /// Resources without an owner that the document adopts.
    pub adoptable: BTreeMap<Address, &'a Observed>,
    /// The addresses that cannot be decided, and why.
    pub holds: BTreeMap<Address, Hold>,
    /// The kinds and regions that were observed.
    pub observed: BTreeSet<&'a KindRegion>,
    /// The kinds and regions that could not be observed. Their resources may refer to any resource of the region.
    pub unobserved: Vec<(&'static Schema, &'a str)>,
}

/// An owned resource, known by its tags alone. The document need not contain it.
#[derive(Clone, Debug)]
pub struct Orphan<'a> {
    /// The address in the document that created it.
    pub address: Address,
    /// The schema of the kind.
    pub schema: &'static Schema,
    /// The live resource.
    pub observed: &'a Observed,
    /// True when the tags say that the resource is retained.
    pub retained: bool,
}

/// Decides for each live resource whether the document owns it, and under which address.
///
/// `order` lists the document's addresses, each after the addresses that it refers to.
///
/// # Expected flow
/// 1. An address of a kind that could not be observed in its region is held (`ObservationFailed`).
/// 2. A lookup (`manage: observe`) matches exactly one live resource, or is held (`NotFound`, `Ambiguous`).
/// 3. A kind with owner tags, a caller reference or an embedded marker matches by its [`Owner`]: the stack, the
///    environment and the address, or the address before a move (`movedFrom`).
///    - An owner with another source is held (`SourceConflict`).
///    - Of several matches, the active one is ready rather than pending, failed or being deleted; then it has the
///      highest generation and revision; then the most other resources refer to it. Newer generations become the
///      replacement, and the other matches are superseded.
///    - Without a match, the resource that `lifecycle.adopt` names is adopted if it has no owner. Another live resource
///      with the name or identity of the address holds it (`AlreadyExists`).
/// 4. A kind without tags ([`Ownership::ViaParent`]) matches by its parent and its key among its siblings.
/// 5. The other live resources of `kinds` whose tags, or whose parent's tags, name the stack and environment are
///    orphans, unless AWS is deleting them.
///
/// # Guarantees
/// - A live resource without the owner tags of the document is never active under step 3, so no step changes it. The
///   exception is an adoption, which needs `lifecycle.adopt`.
/// - Unknown is not absent: a held address is neither created nor deleted.
/// - The result depends only on the arguments.
///
/// # Assumptions
/// Only Holdfast writes owner tags. A name or identity that the kind declares unique is unique in AWS.
///
/// # Caveats
/// - Duplicates occur when the reply of a create and the store are both lost. The duplicate without users is
///   superseded, and is deleted without a grant.
/// - Orphans are found only among the observed kinds and regions, and only for the given `kinds`.
/// - A child without tags matches by its key alone, so a child with the same key that was created out of band counts as
///   owned. It is an orphan only while its parent records it in a tag.
pub fn match_resources<'a>(
    document: &Document,
    observation: &'a Observation,
    order: &[Address],
    kinds: &[&'static Schema],
) -> Inventory<'a> {
    let mut inventory = Inventory::default();
    let index = LiveIndex::new(document, observation);
    for address in order {
        if let Some(resource) = document.resources.get(address) {
            match_one(document, resource, observation, &index, &mut inventory);
        }
    }
    find_orphans(document, observation, kinds, &mut inventory);
    let unobserved = observation.unknown.keys().filter_map(|kind_region| {
        let schema = kinds.iter().find(|schema| schema.kind == kind_region.kind)?;
        Some((*schema, kind_region.region.as_str()))
    });
    inventory.unobserved = unobserved.collect();
    inventory.observed = observation.found.keys().collect();
    inventory
}

/// Returns the live resource of each address.
pub fn active_resources<'a>(document: &Document, observation: &'a Observation) -> BTreeMap<Address, &'a Observed> {
    match_resources(document, observation, &Graph::of(document).order(), &[]).active
}

fn match_one<'a>(
    document: &Document,
    resource: &Resource,
    observation: &'a Observation,
    index: &LiveIndex<'a>,
    inventory: &mut Inventory<'a>,
) {
    let kind = resource.schema.kind;
    let Some(live) = index.get(kind, &resource.region) else {
        let why = observation.unknown.iter().find(|(p, _)| p.kind == kind && p.region == resource.region);
        let why = why.map_or("it was not observed", |(_, why)| why);
        inventory.hold(resource, Reason::ObservationFailed, format!("{kind} cannot be observed: {why}"));
        return;
    };
    if let Some(lookup) = &resource.lifecycle.lookup {
        look_up(resource, lookup, live.found, inventory);
        return;
    }
    match resource.schema.ownership {
        Ownership::ViaParent { field, key } => match_by_parent(resource, field, key, live, inventory),
        Ownership::TagOnCreate | Ownership::CallerReference | Ownership::EmbeddedMarker { .. } => {
            match_by_tags(document, resource, live, observation, inventory);
        }
    }
}

fn look_up<'a>(resource: &Resource, lookup: &Lookup, found: &'a [Observed], inventory: &mut Inventory<'a>) {
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
    if matches!(lookup, Lookup::Owner { .. }) {
        matching.sort_by_key(|o| o.owner().map(|owner| owner.generation));
        matching.drain(..matching.len().saturating_sub(1));
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

fn match_by_tags<'a>(
    document: &Document,
    resource: &Resource,
    live: &KindIndex<'a>,
    observation: &Observation,
    inventory: &mut Inventory<'a>,
) {
    let address = resource.address.to_string();
    let mut owned: Vec<&(&Observed, Owner)> = live.owned_by(&address).iter().collect();
    if let Some(moved_from) = &resource.lifecycle.moved_from {
        owned.extend(live.owned_by(&moved_from.to_string()));
    }
    // A resource that has the address already comes before a resource that moves to it.
    if owned.iter().any(|(o, owner)| owner.address == address && o.phase != Phase::Deleting) {
        owned.retain(|(_, owner)| owner.address == address);
    }
    if let Some((_, owner)) = owned.iter().find(|(_, o)| has_other_source(document, o)) {
        let way_out = "remove it from one of the documents, or set the same `--source` for both";
        let (theirs, own) = (&owner.source, &document.source);
        let message =
            format!("it belongs to the document from `{theirs}`, and this document is from `{own}`; {way_out}");
        inventory.hold(resource, Reason::SourceConflict, message);
        return;
    }
    // The newest resource that can be used is active, or else the newest that is being created. Of duplicates, which
    // occur only when a reply and the store are both lost, the one that other resources refer to is active.
    let several = owned.len() > 1;
    let users = |o: &Observed| if several { count_users(observation, resource.schema, o) } else { 0 };
    owned.sort_by_key(|(o, owner)| (rank(o.phase), owner.generation, revision(o), users(o), Reverse(o.id.clone())));
    let mut rest: Vec<&Observed> = owned.into_iter().map(|(o, _)| *o).collect();
    match rest.pop() {
        Some(newest) if newest.phase != Phase::Deleting => {
            inventory.active.insert(resource.address.clone(), newest);
            rest.retain(|o| o.phase != Phase::Deleting);
            let (newer, older): (Vec<_>, Vec<_>) = rest.into_iter().partition(|o| generation(o) > generation(newest));
            if let Some(replacement) = newer.last() {
                inventory.replacement.insert(resource.address.clone(), replacement);
            }
            if !older.is_empty() && !matches!(resource.schema.replacement, Replacement::Revision { .. }) {
                inventory.superseded.insert(resource.address.clone(), older);
            }
            // An edit may give the resource an identity that another live resource has.
            if !resource.schema.ownership.identity().is_empty()
                && let Some(other) = find_conflict(document, resource, live, inventory)
            {
                hold_conflict(resource, other, inventory);
            }
            return;
        }
        Some(deleting) => {
            inventory.deleting.insert(resource.address.clone(), deleting);
        }
        None => {}
    }
    let adopt = resource.lifecycle.adopt.as_deref();
    let is_adopted = |o: &&Observed| adopt.is_some_and(|adopt| o.id == adopt || o.name == adopt);
    let adopted = adopt.and_then(|_| live.found.iter().find(is_adopted));
    if let Some(other) = adopted.or_else(|| find_conflict(document, resource, live, inventory)) {
        if other.owner().is_none() && is_adopted(&other) {
            inventory.adoptable.insert(resource.address.clone(), other);
        } else {
            hold_conflict(resource, other, inventory);
        }
    } else if let Some(adopt) = adopt {
        let message = format!("`{adopt}` does not exist; correct `lifecycle.adopt`, which takes an id or a name");
        inventory.hold(resource, Reason::NotFound, message);
    }
}

/// Returns the number of live resources of other kinds that refer to this one.
fn count_users(observation: &Observation, schema: &Schema, observed: &Observed) -> usize {
    let identities = ["id", "arn"].map(|attribute| observed.attribute(attribute));
    let refers = |other: &&Observed| {
        let mut refers = false;
        other.spec.walk(&mut |value| refers |= identities.iter().flatten().any(|identity| identity == value));
        refers
    };
    let others = observation.found.iter().filter(|(kind_region, _)| kind_region.kind != schema.kind);
    others.flat_map(|(_, found)| found).filter(refers).count()
}

/// Returns the preference of a phase: a usable resource comes last, and is the active one.
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

fn has_other_source(document: &Document, owner: &Owner) -> bool {
    !owner.source.is_empty() && !document.source.is_empty() && owner.source != document.source
}

/// Matches a child to the live resource with the same parent and key.
fn match_by_parent<'a>(
    resource: &Resource,
    field: &str,
    key: &[&str],
    live: &KindIndex<'a>,
    inventory: &mut Inventory<'a>,
) {
    let Ok(spec) =
        resolve(&resource.address, resource.schema.record, &resource.spec, ResolveContext::of(&inventory.active))
    else {
        return;
    };
    let (Some(parent), own_key) = (spec.get(field).and_then(Value::text), child_key(key, &resource.name, &spec)) else {
        // Without its parent, the child does not exist either.
        return;
    };
    if let Some(child) = live.child(resource.schema, parent, &own_key) {
        inventory.active.insert(resource.address.clone(), child);
    }
}

impl Inventory<'_> {
    fn hold(&mut self, resource: &Resource, reason: Reason, message: String) {
        let hold = Hold { address: resource.address.clone(), reason, message, waits_for: None };
        self.holds.insert(resource.address.clone(), hold);
    }

    /// Returns the orphans of an address.
    pub fn orphans_of(&self, address: &Address) -> impl Iterator<Item = &Orphan<'_>> {
        self.orphans_by_address.get(address).into_iter().flatten().map(|at| &self.orphans[*at])
    }
}
