//! The index of the live side: the resources of each kind and region by owner, name, identity and parent.
//!
//! Matching looks up each address in the index, so its cost grows with the size of the document and not with its square.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use super::child::child_key;
use crate::diff;
use crate::document::Document;
use crate::observed::{Observation, Observed, Owner, Phase};
use crate::schema::{Ownership, Schema};
use crate::value::Value;

/// The live resources of every observed kind and region.
pub(super) struct LiveIndex<'a> {
    kinds: BTreeMap<&'static str, BTreeMap<&'a str, KindIndex<'a>>>,
}

impl<'a> LiveIndex<'a> {
    /// Indexes an observation. Only owners of the document's stack and environment are indexed.
    pub(super) fn new(document: &Document, observation: &'a Observation) -> Self {
        let mut kinds: BTreeMap<&str, BTreeMap<&str, KindIndex<'_>>> = BTreeMap::new();
        for (kind_region, found) in &observation.found {
            let regions = kinds.entry(kind_region.kind).or_default();
            regions.insert(&kind_region.region, KindIndex::new(document, found));
        }
        LiveIndex { kinds }
    }

    /// Returns the resources of a kind in a region; none when they could not be observed.
    pub(super) fn get(&self, kind: &str, region: &str) -> Option<&KindIndex<'a>> {
        self.kinds.get(kind)?.get(region)
    }
}

/// The live resources of one kind in one region.
pub(super) struct KindIndex<'a> {
    /// All resources, in the order of the observation.
    pub(super) found: &'a [Observed],
    by_owner: HashMap<String, Vec<(&'a Observed, Owner)>>,
    by_name: OnceCell<HashMap<&'a str, Vec<&'a Observed>>>,
    by_identity: OnceCell<HashMap<String, Vec<&'a Observed>>>,
    children: OnceCell<HashMap<String, &'a Observed>>,
}

impl<'a> KindIndex<'a> {
    fn new(document: &Document, found: &'a [Observed]) -> Self {
        let mut by_owner: HashMap<String, Vec<(&Observed, Owner)>> = HashMap::new();
        for (observed, owner) in found.iter().filter_map(|observed| Some((observed, observed.owner()?))) {
            if owner.stack == document.stack && owner.env == document.env {
                by_owner.entry(owner.address.clone()).or_default().push((observed, owner));
            }
        }
        let (by_name, by_identity, children) = Default::default();
        KindIndex { found, by_owner, by_name, by_identity, children }
    }

    /// Returns the resources that belong to an address of the document, by their owner.
    pub(super) fn owned_by(&self, address: &str) -> &[(&'a Observed, Owner)] {
        self.by_owner.get(address).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the resources with a physical name.
    pub(super) fn named(&self, name: &str) -> &[&'a Observed] {
        let index = self.by_name.get_or_init(|| {
            let mut index: HashMap<&str, Vec<&Observed>> = HashMap::new();
            self.found.iter().for_each(|observed| index.entry(&observed.name).or_default().push(observed));
            index
        });
        index.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the resources whose identity fields have the values of this spec.
    pub(super) fn with_identity(&self, schema: &Schema, spec: &Value) -> &[&'a Observed] {
        let index = self.by_identity.get_or_init(|| {
            let mut index: HashMap<String, Vec<&Observed>> = HashMap::new();
            for observed in self.found {
                index.entry(identity(schema, &observed.spec)).or_default().push(observed);
            }
            index
        });
        index.get(&identity(schema, spec)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the first child of a parent with this key that AWS is not deleting.
    pub(super) fn child(&self, schema: &Schema, parent: &str, key: &str) -> Option<&'a Observed> {
        let Ownership::ViaParent { field, key: fields } = schema.ownership else { return None };
        let index = self.children.get_or_init(|| {
            let mut index = HashMap::new();
            for observed in self.found.iter().filter(|observed| observed.phase != Phase::Deleting) {
                if let Some(parent) = observed.spec.get(field).and_then(Value::text) {
                    let key = child_key(fields, &observed.name, &observed.spec);
                    index.entry(format!("{parent}\n{key}")).or_insert(observed);
                }
            }
            index
        });
        index.get(&format!("{parent}\n{key}")).copied()
    }
}

/// Returns the values of the identity fields in their canonical form, as text.
pub(super) fn identity(schema: &Schema, spec: &Value) -> String {
    let normal = |name: &&str| {
        let value = spec.get(name).cloned().unwrap_or_default();
        schema.record.field(name).map_or(Value::Null, |field| diff::normal(&field.ty, &value)).to_string()
    };
    schema.ownership.identity().iter().map(normal).collect::<Vec<_>>().join("\n")
}
