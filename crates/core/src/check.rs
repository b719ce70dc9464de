//! Checks of a whole document: conditions on several resources at once, from the schemas of their kinds.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location};
use crate::document::Resource;
use crate::expression::Template;
use crate::load::node::Node;
use crate::schema::Type;
use crate::value::Value;

mod block;
mod identity;
mod moved;
mod place;

/// A rendered resource with its declaration, for the locations of errors.
#[derive(Clone, Copy)]
pub(crate) struct Declared<'d> {
    /// The resource.
    pub(crate) resource: &'d Resource,
    /// The keys and values of the declaration, with the environment's patch.
    pub(crate) body: &'d Node,
    /// The location of the declaration.
    pub(crate) at: &'d Location,
}

impl Declared<'_> {
    /// Returns the location of a field, or of the declaration when it does not state the field.
    fn locate(&self, field: &str) -> &Location {
        self.body.locate(field).unwrap_or(self.at)
    }

    /// True when the document accepts a value of this field that AWS is known to refuse.
    fn accepts(&self, field: &str) -> bool {
        let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        self.resource.lifecycle.accept.iter().any(|path| first(path) == first(field))
    }
}

/// Returns the errors of a document that no resource has alone. `all` has the looked up resources too.
pub(crate) fn check(declared: &[Declared<'_>], all: &BTreeMap<Address, Resource>) -> Vec<Diagnostic> {
    let managed: Vec<Declared<'_>> = declared.iter().copied().filter(|d| !d.resource.is_lookup()).collect();
    let mut errors = moved::check(&managed, all);
    errors.extend(identity::check(&managed));
    errors.extend(block::check(&managed, all));
    errors.extend(place::check(&managed, all));
    errors
}

/// Returns the resource and the attribute that a value consists of: a reference, or an expression that only reads an
/// attribute.
fn target(value: &Value) -> Option<(&Address, String)> {
    match value {
        Value::Reference(reference) => Some((&reference.address, reference.attribute.to_owned())),
        Value::Deferred(deferred) => {
            let path = Template::of(&deferred.source).ok()?.single()?.path()?;
            let [address] = deferred.reads.as_slice() else { return None };
            Some((address, path.steps.last()?.clone()))
        }
        _ => None,
    }
}

/// Returns the values at a path. The path continues in every element of a list.
fn values<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in path.split('.') {
        let elements = found.into_iter().flat_map(|value| match value {
            Value::List(list) => list.iter().collect(),
            other => vec![other],
        });
        // An expression may have every field: it stays, and is not known.
        found = elements
            .filter_map(|value| if matches!(value, Value::Deferred(_)) { Some(value) } else { value.get(step) })
            .collect();
    }
    found
}

/// Returns the value in the form in which equal values are equal; none when it is not known.
fn canonical(value: &Value, ty: Option<Type>) -> Option<String> {
    if let Some((address, attribute)) = target(value) {
        return Some(format!("{address}.{attribute}"));
    }
    let mut known = true;
    value.walk(&mut |part| known &= !matches!(part, Value::Unknown(_) | Value::Secret(_)));
    match ty {
        _ if !known => None,
        Some(Type::Canonical { canonical, .. }) => Some(format!("{:?}", canonical(value).ok()?)),
        _ => Some(format!("{value:?}")),
    }
}

/// Returns a value for a message: the address of a reference, or the text.
fn show(value: &Value) -> String {
    match target(value) {
        Some((address, _)) => format!("`{address}`"),
        None => format!("`{value}`"),
    }
}
