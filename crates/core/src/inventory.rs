//! The inventory: matches live resources to the addresses of the document, by owner tags, parents, names and lookups.

pub mod child;
mod conflicts;
mod contested;
mod index;
mod lookup;
mod orphans;
pub mod proof;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::document::{Document, Resource};
use crate::graph::Graph;
use crate::observed::{KindRegion, Observation, Observed, Owner, Phase};
use crate::plan::hold::{Hold, Reason};
use crate::resolve::{ResolveContext, resolve};
use crate::schema::{Ownership, Replacement, Schema};
use crate::value::Value;
use child::child_key;
use conflicts::{find_conflict, has_identity, hold_conflict};
use contested::{count_users, hold_ambiguous};
use index::{KindIndex, LiveIndex};
use lookup::look_up;
use orphans::find_orphans;
use proof::{Evidence, Proven, Records, generation};

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
    /// Resources that have the owner tags of an address, and that nothing else proves to belong to it. They are never
    /// changed.
    pub contested: BTreeMap<Address, Vec<&'a Observed>>,
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
    /// True when more than the tags proves that the resource belongs to the address.
    pub proven: bool,
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
///    - Tags can be copied, so a match also needs a proof: see `Evidence::prove`. Matches without a proof are contested.
///      If no match is proven and several are possible, the address is held (`OwnershipAmbiguous`).
///    - Of several proven matches, the active one is ready rather than pending, failed or being deleted; then it has
///      the highest generation and revision; then the most other resources refer to it. Newer generations become the
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
/// - A resource with copied owner tags is never active beside the resource of the address, and is never superseded.
/// - The result depends only on the arguments.
///
/// # Assumptions
/// A name or identity that the kind declares unique is unique in AWS.
///
/// # Caveats
/// - Duplicates occur when the reply of a create and the store are both lost. They are ambiguous then, unless their
///   physical names differ. If the store records that it created both, the duplicate without users is superseded.
/// - Orphans are found only among the observed kinds and regions, and only for the given `kinds`.
/// - A child without tags matches by its key alone, so a child with the same key that was created out of band counts as
///   owned. It is an orphan only while its parent records it in a tag.
pub fn match_resources<'a>(
    document: &Document,
    observation: &'a Observation,
    order: &[Address],
    kinds: &[&'static Schema],
    records: &Records,
) -> Inventory<'a> {
    let mut inventory = Inventory::default();
    let index = LiveIndex::new(document, observation);
    let evidence = Evidence::new(records, observation);
    for address in order {
        if let Some(resource) = document.resources.get(address) {
            match_one(document, resource, observation, &index, &evidence, &mut inventory);
        }
    }
    find_orphans(document, observation, kinds, &evidence, &mut inventory);
    let unobserved = observation.unknown.keys().filter_map(|kind_region| {
        let schema = kinds.iter().find(|schema| schema.kind == kind_region.kind)?;
        Some((*schema, kind_region.region.as_str()))
    });
    inventory.unobserved = unobserved.collect();
    inventory.observed = observation.found.keys().collect();
    inventory
}

/// Returns the live resource of each address.
pub fn active_resources<'a>(
    document: &Document,
    observation: &'a Observation,
    records: &Records,
) -> BTreeMap<Address, &'a Observed> {
    match_resources(document, observation, &Graph::of(document).order(), &[], records).active
}

fn match_one<'a>(
    document: &Document,
    resource: &Resource,
    observation: &'a Observation,
    index: &LiveIndex<'a>,
    evidence: &Evidence<'_, 'a>,
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
            match_by_tags(document, resource, live, evidence, inventory);
        }
    }
}

fn match_by_tags<'a>(
    document: &Document,
    resource: &Resource,
    live: &KindIndex<'a>,
    evidence: &Evidence<'_, 'a>,
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
    let (deleting, candidates): (Vec<_>, Vec<_>) = owned.into_iter().partition(|(o, _)| o.phase == Phase::Deleting);
    let (others, candidates): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|(_, owner)| has_other_source(document, owner));
    if let (Some((_, owner)), []) = (others.first(), &candidates[..]) {
        let way_out = "remove it from one of the documents, or set the same `--source` for both";
        let (theirs, own) = (&owner.source, &document.source);
        let message =
            format!("it belongs to the document from `{theirs}`, and this document is from `{own}`; {way_out}");
        inventory.hold(resource, Reason::SourceConflict, message);
        return;
    }
    let has_identity = |o: &Observed| has_identity(resource, o, inventory);
    let Proven { own, mut copies, is_ambiguous } =
        evidence.prove(resource, candidates.into_iter().map(|(o, _)| *o).collect(), has_identity);
    if is_ambiguous {
        hold_ambiguous(resource, &copies, evidence, inventory);
    }
    copies.extend(others.into_iter().map(|(o, _)| *o));
    if !copies.is_empty() {
        inventory.contested.insert(resource.address.clone(), copies);
    }
    if is_ambiguous {
        return;
    }
    if !own.is_empty() {
        choose_active(resource, own, evidence.observation(), inventory);
        // An edit may give the resource an identity that another live resource has.
        if !resource.schema.ownership.identity().is_empty()
            && let Some(other) = find_conflict(document, resource, live, inventory)
        {
            hold_conflict(resource, other, inventory);
        }
        return;
    }
    if let Some((deleting, _)) =
        deleting.iter().max_by_key(|(o, _)| (generation(resource, o), revision(o), Reverse(&o.id)))
    {
        inventory.deleting.insert(resource.address.clone(), deleting);
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

/// Chooses the active one of the resources that belong to an address. It is the newest resource that can be used, or
/// else the newest that is being created. Of duplicates, the one that other resources refer to is active.
fn choose_active<'a>(
    resource: &Resource,
    mut own: Vec<&'a Observed>,
    observation: &Observation,
    inventory: &mut Inventory<'a>,
) {
    let several = own.len() > 1;
    let users = |o: &Observed| if several { count_users(observation, resource.schema, o) } else { 0 };
    own.sort_by_cached_key(|o| (rank(o.phase), generation(resource, o), revision(o), users(o), Reverse(o.id.clone())));
    let Some(active) = own.pop() else { return };
    inventory.active.insert(resource.address.clone(), active);
    let (newer, older): (Vec<_>, Vec<_>) =
        own.into_iter().partition(|o| generation(resource, o) > generation(resource, active));
    if let Some(replacement) = newer.last() {
        inventory.replacement.insert(resource.address.clone(), replacement);
    }
    if !older.is_empty() && !matches!(resource.schema.replacement, Replacement::Revision { .. }) {
        inventory.superseded.insert(resource.address.clone(), older);
    }
}

/// Returns the preference of a phase: a usable resource comes last, and is the active one.
fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Deleting => 0,
        Phase::Failed => 1,
        Phase::Pending => 2,
        Phase::Ready | Phase::Updating | Phase::Stopped => 3,
    }
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
