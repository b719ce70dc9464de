//! Proof of ownership: which of the live resources whose tags name an address belong to the address.
//!
//! Tags are copied by people and by AWS, for example when a database is restored, so tags alone prove nothing.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::document::Resource;
use crate::observed::{Observation, Observed};
use crate::render::name::physical_name;
use crate::schema::Schema;

/// A live resource that the store records under an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// The id.
    pub id: String,
    /// The region; empty for a global resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The physical name; empty when the resource has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The generation.
    #[serde(default = "first_generation", skip_serializing_if = "is_first_generation")]
    pub generation: u32,
    /// True when a create call of this store returned the id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
    /// True when the resource has only a copy of the owner tags: it was observed beside the resource of the address. It
    /// does not become the resource of the address when the other one is deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
}

impl ResourceRecord {
    /// Returns the record of a resource that has only a copy of the owner tags.
    pub(crate) fn of_copy(observed: &Observed) -> ResourceRecord {
        let Observed { id, region, name, .. } = observed;
        let (id, region, name) = (id.clone(), region.clone(), name.clone());
        ResourceRecord { id, region, name, generation: 1, created: false, copy: true }
    }
}

fn first_generation() -> u32 {
    1
}

fn is_first_generation(generation: &u32) -> bool {
    *generation == 1
}

/// The store's records of the resources of a stack.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The recorded resources of each address.
    pub resources: BTreeMap<Address, Vec<ResourceRecord>>,
    /// The creates that began and have no response, with the ids that belonged to the address before. A resource with
    /// another id is the created one.
    pub unanswered: BTreeMap<Address, BTreeSet<String>>,
}

impl Records {
    /// Returns the records of the resources that belong to an address.
    fn of(&self, address: &Address) -> impl Iterator<Item = &ResourceRecord> {
        self.resources.get(address).into_iter().flatten().filter(|record| !record.copy)
    }

    fn find(&self, address: &Address, observed: &Observed) -> Option<&ResourceRecord> {
        self.of(address).find(|record| is_recorded(record, observed))
    }

    fn is_copy(&self, address: &Address, observed: &Observed) -> bool {
        let mut records = self.resources.get(address).into_iter().flatten();
        records.any(|record| record.copy && is_recorded(record, observed))
    }
}

/// True when the record means this live resource.
pub fn is_recorded(record: &ResourceRecord, observed: &Observed) -> bool {
    record.id == observed.id && record.region == observed.region
}

/// Returns the generation of a live resource of an address.
///
/// A generated physical name shows the generation, and cannot be edited. Otherwise the tag `holdfast:generation` does.
pub fn generation(resource: &Resource, observed: &Observed) -> u32 {
    let from_name = if resource.named { None } else { generation_in_name(resource.schema, &resource.name, observed) };
    from_name.unwrap_or_else(|| generation_in_tags(observed))
}

fn generation_in_tags(observed: &Observed) -> u32 {
    observed.owner().map_or(1, |owner| owner.generation)
}

/// Returns the generation in the physical name of a live resource; none when the name is not `base` or a generation of
/// it. A `Name` tag is no physical name.
pub(super) fn generation_in_name(schema: &Schema, base: &str, observed: &Observed) -> Option<u32> {
    if schema.naming.tag || observed.name.is_empty() {
        return None;
    }
    let is_base = |name: &str| if schema.naming.lowercase { name.eq_ignore_ascii_case(base) } else { name == base };
    if is_base(&observed.name) {
        return Some(1);
    }
    let (name, number) = observed.name.rsplit_once("-g")?;
    let number = number.parse().ok().filter(|n: &u32| *n >= 2 && n.to_string() == number);
    number.filter(|_| is_base(name))
}

/// The live resources with the owner tags of one address, sorted by what proves that they belong to it.
#[derive(Debug, Default)]
pub(super) struct Proven<'a> {
    /// The resources of the address.
    pub(super) own: Vec<&'a Observed>,
    /// The resources that have only the tags of the address.
    pub(super) copies: Vec<&'a Observed>,
    /// True when nothing proves which of the copies belongs to the address.
    pub(super) is_ambiguous: bool,
}

/// The evidence of ownership besides tags.
pub(super) struct Evidence<'r, 'a> {
    records: &'r Records,
    observation: &'a Observation,
    is_stale: OnceCell<bool>,
}

impl<'r, 'a> Evidence<'r, 'a> {
    pub(super) fn new(records: &'r Records, observation: &'a Observation) -> Self {
        Evidence { records, observation, is_stale: OnceCell::new() }
    }

    pub(super) fn observation(&self) -> &'a Observation {
        self.observation
    }

    /// Returns the recorded ids of an address.
    pub(super) fn recorded(&self, address: &Address) -> Vec<&str> {
        self.records.of(address).map(|record| record.id.as_str()).collect()
    }

    /// Decides which of the live resources that have the owner tags of an address belong to it.
    ///
    /// # Expected flow
    /// 1. A candidate is proven if the store records its id, if it is the only possible result of a create without a
    ///    response, or if it has the physical name of the address or of a generation of it, or the identity fields of
    ///    the address (`has_identity`).
    /// 2. Of several proven candidates of one generation, those that the store records come first. All of them belong
    ///    to the address if this store created each of them, which occurs when a reply was lost.
    /// 3. Without a proven candidate, the one that `lifecycle.adopt` names belongs to the address; or else the only
    ///    candidate, unless the store's records contradict it. A recorded copy belongs to no address.
    /// 4. In every other case, the candidates are ambiguous.
    ///
    /// # Guarantees
    /// The value of the tag `holdfast:generation` alone never decides.
    pub(super) fn prove(
        &self,
        resource: &Resource,
        candidates: Vec<&'a Observed>,
        has_identity: impl Fn(&Observed) -> bool,
    ) -> Proven<'a> {
        let address = &resource.address;
        let former = resource.lifecycle.moved_from.as_ref();
        let record_of = |o: &Observed| self.records.find(address, o).or_else(|| self.records.find(former?, o));
        let unanswered = self.records.unanswered.get(address);
        let result = unanswered.and_then(|before| {
            let is_new =
                |o: &&&Observed| record_of(o).is_none() && !before.contains(&o.id) && !self.records.is_copy(address, o);
            let mut new = candidates.iter().filter(is_new);
            new.next().filter(|_| new.next().is_none()).map(|o| std::ptr::from_ref(*o))
        });
        let is_known = |o: &Observed| record_of(o).is_some() || result == Some(std::ptr::from_ref(o));
        let is_adopted =
            |o: &Observed| resource.lifecycle.adopt.as_ref().is_some_and(|adopt| o.id == *adopt || o.name == *adopt);
        let has_name = |o: &Observed| generation_in_name(resource.schema, &resource.name, o).is_some();
        let (own, mut copies): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|o| is_known(o) || has_name(o) || has_identity(o));
        let mut generations: BTreeMap<u32, Vec<&Observed>> = BTreeMap::new();
        for observed in own {
            generations.entry(generation(resource, observed)).or_default().push(observed);
        }
        let mut own = vec![];
        for mut same in generations.into_values() {
            if same.len() > 1 && !same.iter().all(|o| record_of(o).is_some_and(|record| record.created)) {
                let mut known = same.iter().filter(|o| is_known(o));
                let only = known.next().filter(|_| known.next().is_none());
                let Some(chosen) = only.or_else(|| same.iter().find(|o| is_adopted(o))).copied() else {
                    copies.extend(same.into_iter().chain(own));
                    return Proven { own: vec![], copies, is_ambiguous: true };
                };
                copies.extend(same.into_iter().filter(|o| !std::ptr::eq(*o, chosen)));
                same = vec![chosen];
            }
            own.extend(same);
        }
        if own.is_empty() {
            if let Some(at) = copies.iter().position(|o| is_adopted(o)) {
                own.push(copies.swap_remove(at));
                return Proven { own, copies, is_ambiguous: false };
            }
            let (known, mut others): (Vec<_>, Vec<_>) =
                copies.into_iter().partition(|o| self.records.is_copy(address, o));
            copies = known;
            match others[..] {
                [only] if !self.is_contradicted(resource, only) => own.append(&mut others),
                [] => {}
                _ => return Proven { own, copies: others, is_ambiguous: true },
            }
        }
        Proven { own, copies, is_ambiguous: false }
    }

    /// True when the store records other resources of the address than this one, which no name proves.
    ///
    /// A replacement by a process with another store has a higher generation than the records. This is accepted for the
    /// only resource of an address of a kind without data and without physical names.
    fn is_contradicted(&self, resource: &Resource, observed: &Observed) -> bool {
        let newest = self.records.of(&resource.address).map(|record| record.generation).max();
        let is_newer = newest.is_some_and(|newest| generation_in_tags(observed) > newest);
        let may_be_replaced = is_newer && resource.schema.naming.tag && !resource.schema.stateful;
        newest.is_some() && !may_be_replaced && !self.is_stale()
    }

    /// True when none of the recorded resources exists: another process deleted and created everything since.
    fn is_stale(&self) -> bool {
        *self.is_stale.get_or_init(|| {
            let live: HashSet<(&str, &str)> =
                self.observation.found.values().flatten().map(|o| (o.id.as_str(), o.region.as_str())).collect();
            let mut records = self.records.resources.values().flatten().filter(|record| !record.copy);
            self.records.resources.len() > 1 && !records.any(|r| live.contains(&(r.id.as_str(), r.region.as_str())))
        })
    }

    /// True when a live resource belongs to an address that it does not have in the document: the store records it, it
    /// has the generated name of the address, or nothing else has the tags of the address.
    pub(super) fn proves_orphan(&self, owner: &OrphanOwner<'_>, observed: &Observed, is_only: bool) -> bool {
        if self.records.find(owner.address, observed).is_some() {
            return true;
        }
        if self.records.is_copy(owner.address, observed) {
            return false;
        }
        let mut records = self.records.of(owner.address).peekable();
        let base = || physical_name(owner.stack, owner.env, &owner.address.name, &owner.schema.naming);
        match records.peek().is_none() || self.is_stale() {
            true => is_only || generation_in_name(owner.schema, &base(), observed).is_some(),
            // The store records other resources of the address. A name proves a resource in their regions only.
            false => {
                records.any(|record| record.region == observed.region)
                    && generation_in_name(owner.schema, &base(), observed).is_some()
            }
        }
    }
}

/// The address in the tags of an orphan.
pub(super) struct OrphanOwner<'o> {
    pub(super) stack: &'o str,
    pub(super) env: &'o str,
    pub(super) address: &'o Address,
    pub(super) schema: &'static Schema,
}
