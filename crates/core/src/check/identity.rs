//! Identity: no two resources of a document are one resource in AWS.

use std::collections::BTreeMap;

use super::{Declared, canonical, show, values};
use crate::diagnostic::{Diagnostic, words};
use crate::document::Resource;
use crate::schema::{DocumentRelation, Idempotency, Ownership, Replacement, Schema};
use crate::value::Value;

/// The physical name, in a list of fields.
const NAME: &str = "name";

/// The kind, the region, the identifying fields and their values.
type Identity<'a> = (&'a str, &'a str, &'a [&'a str], Vec<String>);

/// Reports resources that have the same identity, and elements that belong to one resource only.
pub(super) fn check(declared: &[Declared<'_>]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<Identity<'_>, &Declared<'_>> = BTreeMap::new();
    let mut errors = vec![];
    let mut sets: BTreeMap<&str, Vec<Vec<&'static str>>> = BTreeMap::new();
    for one in declared {
        sets.entry(one.resource.schema.kind).or_insert_with(|| unique_fields(one.resource.schema));
    }
    for one in declared {
        let resource = one.resource;
        for fields in &sets[resource.schema.kind] {
            let Some(key) = key(resource, fields) else { continue };
            let group = (resource.schema.kind, resource.region.as_str(), fields.as_slice(), key);
            match first.get(&group) {
                Some(other) if other.resource.address != resource.address => {
                    errors.push(same_identity(one, other, fields));
                }
                Some(_) => {}
                None => drop(first.insert(group, one)),
            }
        }
    }
    errors.extend(shared_elements(declared));
    errors
}

/// Returns the lists of fields whose values no two resources of a kind share.
fn unique_fields(schema: &Schema) -> Vec<Vec<&'static str>> {
    let mut sets: Vec<Vec<&'static str>> = vec![];
    for relation in schema.document_relations {
        if let DocumentRelation::Unique(fields) = relation {
            sets.push(fields.to_vec());
        }
    }
    let named = sets.iter().any(|fields| fields.contains(&NAME));
    match schema.ownership {
        Ownership::ViaParent { field, key: [] } if !schema.naming.tag => sets.push(vec![field, NAME]),
        Ownership::ViaParent { field, key } if !key.is_empty() => sets.push([&[field], key].concat()),
        Ownership::EmbeddedMarker { key } if !key.is_empty() => sets.push(key.to_vec()),
        _ if named || schema.naming.tag => {}
        _ if schema.idempotency == Idempotency::UniqueName => sets.push(vec![NAME]),
        // Two addresses would register revisions of one name in turn.
        _ if matches!(schema.replacement, Replacement::Revision { .. }) => sets.push(vec![NAME]),
        _ => {}
    }
    sets
}

/// Returns the values of the fields; none when a value is not known, or the first field has none.
fn key(resource: &Resource, fields: &[&str]) -> Option<Vec<String>> {
    let mut key = vec![];
    for (number, field) in fields.iter().enumerate() {
        let text = match *field {
            NAME => resource.name.clone(),
            field => match resource.spec.at(field) {
                None | Some(Value::Null) => String::new(),
                Some(value) => canonical(value, resource.schema.record.field(field).map(|field| field.ty))?,
            },
        };
        if number == 0 && text.is_empty() {
            return None;
        }
        key.push(text);
    }
    Some(key)
}

fn same_identity(one: &Declared<'_>, other: &Declared<'_>, fields: &[&str]) -> Diagnostic {
    let (address, first) = (&one.resource.address, &other.resource.address);
    let stated = |field: &&&str| **field == NAME || one.resource.spec.at(field).is_some_and(|v| *v != Value::Null);
    let stated: Vec<&str> = fields.iter().filter(stated).copied().collect();
    if fields.contains(&NAME) {
        let message = format!("`{address}` and `{first}` would have one name in AWS, `{}`", one.resource.name);
        let help = format!("give one of them another `name` or address; `{first}` is at {}", other.at);
        return Diagnostic::new(one.locate(NAME), message).help(help);
    }
    let last = stated.last().copied().unwrap_or_default();
    let value = one.resource.spec.at(last).map(show).unwrap_or_default();
    let message = format!("`{address}` has the same {} as `{first}`: `{last}` is {value}", words(&stated));
    let help = format!("change one of these fields, or remove one of the two; `{first}` is at {}", other.at);
    Diagnostic::new(one.locate(last), message).help(help)
}

/// Reports elements that two resources list, but that AWS accepts in one.
fn shared_elements(declared: &[Declared<'_>]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<(&str, &str, &str, String), &Declared<'_>> = BTreeMap::new();
    let mut errors = vec![];
    for one in declared {
        let resource = one.resource;
        for relation in resource.schema.document_relations {
            let DocumentRelation::Exclusive(field) = relation else { continue };
            let lists = values(&resource.spec, field).into_iter();
            let elements = lists.flat_map(|list| if let Value::List(list) = list { list.as_slice() } else { &[] });
            for element in elements {
                let Some(key) = canonical(element, None) else { continue };
                let group = (resource.schema.kind, resource.region.as_str(), *field, key);
                match first.get(&group) {
                    Some(other) if other.resource.address != resource.address => {
                        let (address, other_address) = (&resource.address, &other.resource.address);
                        let element = show(element);
                        let message = format!("{element} is in `{field}` of `{other_address}` and of `{address}`");
                        let help = format!("AWS accepts it in one: remove it from `{other_address}` or `{address}`");
                        errors.push(Diagnostic::new(one.locate(field), message).help(help));
                    }
                    Some(_) => {}
                    None => drop(first.insert(group, one)),
                }
            }
        }
    }
    errors
}
