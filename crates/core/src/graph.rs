//! The order of things: what refers to what, and how long the chain behind each is.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::document::Document;
use crate::schema::{Record, Type};
use crate::value::Value;

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

    fn visit(
        &self,
        at: &Address,
        path: &mut BTreeSet<Address>,
        done: &mut BTreeSet<Address>,
        order: &mut Vec<Address>,
    ) {
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

/// The identities that a live spec refers to, each with the kind that it names.
pub fn live_references(record: &Record, spec: &Value) -> Vec<(&'static str, String)> {
    let mut found = vec![];
    for field in record.fields {
        if let Some(value) = spec.get(field.name) {
            collect(&field.ty, value, &mut found);
        }
    }
    found
}

fn collect(ty: &Type, value: &Value, found: &mut Vec<(&'static str, String)>) {
    match (ty, value) {
        (Type::Reference { kind, .. }, Value::Text(identity)) => found.push((kind, identity.clone())),
        (Type::Set(of) | Type::List(of), Value::List(list)) => list.iter().for_each(|v| collect(of, v, found)),
        (Type::Map(of), Value::Map(map)) => map.values().for_each(|v| collect(of, v, found)),
        (Type::Record(record), Value::Map(_)) => found.extend(live_references(record, value)),
        _ => {}
    }
}

/// True when a record has a field that can refer to this kind.
pub fn can_refer(record: &Record, kind: &str) -> bool {
    fn reaches(ty: &Type, to: &str) -> bool {
        match ty {
            Type::Reference { kind, .. } => *kind == to,
            Type::Set(of) | Type::List(of) | Type::Map(of) => reaches(of, to),
            Type::Record(record) => can_refer(record, to),
            _ => false,
        }
    }
    record.fields.iter().any(|field| reaches(&field.ty, kind))
}
