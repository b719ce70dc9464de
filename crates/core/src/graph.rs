//! The order of things: what refers to what, and how long the chain behind each is.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::document::Document;

/// The document's resources with their edges.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// For each address, what it refers to, and whether only its update needs that.
    pub edges: BTreeMap<Address, BTreeMap<Address, bool>>,
}

impl Graph {
    /// The graph of a document.
    pub fn of(document: &Document) -> Graph {
        let edges = document.resources.values().map(|r| (r.address.clone(), r.references()));
        Graph { edges: edges.collect() }
    }

    /// All addresses, each after what its create needs. What lies on a cycle comes last, in order of
    /// address; rendering refuses such documents.
    pub fn order(&self) -> Vec<Address> {
        let mut done = BTreeSet::new();
        let mut order = Vec::with_capacity(self.edges.len());
        for address in self.edges.keys() {
            self.visit(address, &mut BTreeSet::new(), &mut done, &mut order);
        }
        order
    }

    fn visit(&self, at: &Address, path: &mut BTreeSet<Address>, done: &mut BTreeSet<Address>, order: &mut Vec<Address>) {
        if done.contains(at) || !path.insert(at.clone()) {
            return;
        }
        for (to, late) in self.edges.get(at).into_iter().flatten() {
            if !late && self.edges.contains_key(to) {
                self.visit(to, path, done, order);
            }
        }
        path.remove(at);
        if done.insert(at.clone()) {
            order.push(at.clone());
        }
    }

    /// For each address, the length of the longest chain of creates that waits for it.
    pub fn heights(&self) -> BTreeMap<Address, usize> {
        let mut heights: BTreeMap<Address, usize> = BTreeMap::new();
        for address in self.order().into_iter().rev() {
            let height = heights.get(&address).copied().unwrap_or_default();
            for (to, late) in self.edges.get(&address).into_iter().flatten() {
                if !late {
                    let below = heights.entry(to.clone()).or_default();
                    *below = (*below).max(height + 1);
                }
            }
            heights.entry(address).or_default();
        }
        heights
    }
}
