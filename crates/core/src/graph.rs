//! The dependency graph: the references between resources, their order, and the critical path lengths.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::document::Document;
use crate::schema::{Field, Record, Type};
use crate::value::Value;

/// The references between the document's resources.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// For each address, the addresses that it refers to. The value is true when only the update after the create needs
    /// the reference.
    pub edges: BTreeMap<Address, BTreeMap<Address, bool>>,
}

impl Graph {
    /// Returns the graph of a document.
    pub fn of(document: &Document) -> Graph {
        let edges = document.resources.values().map(|r| (r.address.clone(), r.references()));
        Graph { edges: edges.collect() }
    }

    /// Returns all addresses, each after the addresses that its create needs. Rendering refuses documents with a cycle;
    /// in such a document, an edge that closes a cycle is left out.
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
        for (to, after_create) in self.edges.get(at).into_iter().flatten() {
            if !after_create && self.edges.contains_key(to) {
                self.visit(to, path, done, order);
            }
        }
        path.remove(at);
        if done.insert(at.clone()) {
            order.push(at.clone());
        }
    }

    /// Returns for each address the length of the longest chain of creates that waits for it.
    pub fn critical_path_lengths(&self) -> BTreeMap<Address, usize> {
        let mut critical_path_lengths: BTreeMap<Address, usize> = BTreeMap::new();
        for address in self.order().into_iter().rev() {
            let length = critical_path_lengths.get(&address).copied().unwrap_or_default();
            for (to, after_create) in self.edges.get(&address).into_iter().flatten() {
                if !after_create {
                    let dependency = critical_path_lengths.entry(to.clone()).or_default();
                    *dependency = (*dependency).max(length + 1);
                }
            }
            critical_path_lengths.entry(address).or_default();
        }
        critical_path_lengths
    }
}

/// Returns the identities that a live spec refers to, each with the kind of the reference.
pub fn live_references<'v>(record: &Record, spec: &'v Value) -> Vec<(&'static str, &'v str)> {
    let mut found = vec![];
    collect_record(record, spec, &mut found);
    found
}

/// Returns the identities that one field of a live spec refers to, each with the kind of the reference.
pub fn field_references<'v>(field: &Field, spec: &'v Value) -> Vec<(&'static str, &'v str)> {
    let mut found = vec![];
    spec.get(field.name).into_iter().for_each(|value| collect(&field.ty, value, &mut found));
    found
}

fn collect_record<'v>(record: &Record, spec: &'v Value, found: &mut Vec<(&'static str, &'v str)>) {
    for field in record.fields {
        if let Some(value) = spec.get(field.name) {
            collect(&field.ty, value, found);
        }
    }
}

fn collect<'v>(ty: &Type, value: &'v Value, found: &mut Vec<(&'static str, &'v str)>) {
    match (ty, value) {
        (Type::Reference { kind, .. }, Value::Text(identity)) => found.push((kind, identity)),
        (Type::Set(of) | Type::List(of), Value::List(list)) => list.iter().for_each(|v| collect(of, v, found)),
        (Type::Map(of), Value::Map(map)) => map.values().for_each(|v| collect(of, v, found)),
        (Type::Record(record), Value::Map(_)) => collect_record(record, value, found),
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

/// True when a record has a field that contains ARNs: an ARN, a policy or another document.
pub fn has_documents(record: &Record) -> bool {
    fn reaches(ty: &Type) -> bool {
        match ty {
            Type::Canonical { name, .. } => matches!(*name, "ARN" | "policy document" | "JSON document"),
            Type::Set(of) | Type::List(of) | Type::Map(of) => reaches(of),
            Type::Record(record) => has_documents(record),
            _ => false,
        }
    }
    record.fields.iter().any(|field| reaches(&field.ty))
}
