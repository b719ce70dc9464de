//! The prepared document: everything that plans of one document share, computed once.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::digest;
use crate::document::{Document, Resource};
use crate::graph::Graph;

/// A document with its order, digests and dependents. A pass prepares its document once and plans many times.
#[derive(Debug)]
pub struct PreparedDocument<'d> {
    /// The document.
    pub document: &'d Document,
    pub(super) order: Vec<Address>,
    pub(super) critical_path_lengths: BTreeMap<Address, usize>,
    graph: Graph,
    digests: BTreeMap<Address, String>,
    dependents: BTreeMap<Address, Vec<&'d Resource>>,
}

impl<'d> PreparedDocument<'d> {
    /// Prepares a document.
    pub fn new(document: &'d Document) -> Self {
        let graph = Graph::of(document);
        let mut dependents: BTreeMap<Address, Vec<&Resource>> = BTreeMap::new();
        for (address, references) in &graph.edges {
            for to in references.keys() {
                dependents.entry(to.clone()).or_default().extend(document.resources.get(address));
            }
        }
        let digests = document.resources.values().map(|r| (r.address.clone(), digest::of(r)));
        PreparedDocument {
            document,
            order: graph.order(),
            critical_path_lengths: graph.critical_path_lengths(),
            digests: digests.collect(),
            dependents,
            graph,
        }
    }

    /// Returns the digest of a resource of the document: see [`digest::of`].
    pub(super) fn digest(&self, resource: &Resource) -> String {
        self.digests.get(&resource.address).cloned().unwrap_or_else(|| digest::of(resource))
    }

    /// Returns the addresses that a resource refers to, each with whether only its update needs the reference.
    pub(super) fn references(&self, resource: &Resource) -> impl Iterator<Item = (&Address, bool)> {
        self.graph.edges.get(&resource.address).into_iter().flatten().map(|(to, after_create)| (to, *after_create))
    }

    /// Returns the resources that refer to an address, in the order of their addresses.
    pub(super) fn dependents(&self, address: &Address) -> &[&'d Resource] {
        self.dependents.get(address).map(Vec::as_slice).unwrap_or_default()
    }
}
