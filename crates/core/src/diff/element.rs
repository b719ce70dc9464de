//! The elements of lists and sets: which live element a desired element is.

use super::equal::{equal, of_field, spelt_set};
use super::{Place, compare};
use crate::schema::{Identity, Record, Type};
use crate::value::Value;

/// Returns for each desired element the position of the live element with the same identity. Without an identity,
/// elements are matched by position.
pub(super) fn partners(record: &Record, desired: &[Value], live: &[Value]) -> Vec<Option<usize>> {
    let Identity::Key { fields, .. } = record.identity else {
        return (0..desired.len()).map(|at| (at < live.len()).then_some(at)).collect();
    };
    let keys: Vec<Option<Vec<Value>>> = live.iter().map(|element| key(record, fields, element)).collect();
    let mut used = vec![false; live.len()];
    let partner = |element: &Value| {
        let own = key(record, fields, element)?;
        let at = (0..keys.len()).find(|at| !used[*at] && keys[*at].as_ref() == Some(&own))?;
        used[at] = true;
        Some(at)
    };
    desired.iter().map(partner).collect()
}

/// True when both lists have the same elements, changed or not, in an order that means the same.
pub(super) fn are_the_same(record: &Record, desired: &[Value], live: &[Value]) -> bool {
    let found = partners(record, desired, live);
    let is_ordered = !matches!(record.identity, Identity::Key { ordered: false, .. });
    desired.len() == live.len() && found.iter().all(Option::is_some) && (!is_ordered || found.is_sorted())
}

/// True when the live elements contain the desired element.
pub(super) fn contains(place: Place<'_>, live: &[Value], desired: &Value) -> bool {
    live.iter().any(|live| is_same(place, desired, live))
}

/// True when two sets have equal elements.
pub(super) fn are_equal_sets(place: Place<'_>, desired: &[Value], live: &[Value]) -> bool {
    match place.ty {
        Type::Reference { .. } | Type::Record(Record { identity: Identity::Key { .. }, .. }) => {
            desired.iter().all(|desired| contains(place, live, desired))
                && live.iter().all(|live| desired.iter().any(|desired| is_same(place, desired, live)))
        }
        // A set of plain values can be long: an IP set has up to 10,000 addresses.
        of => spelt_set(of, place.spelling, desired) == spelt_set(of, place.spelling, live),
    }
}

/// True when the elements of a set are equal. Of an element with an identity, only the managed fields are compared.
fn is_same(place: Place<'_>, desired: &Value, live: &Value) -> bool {
    match place.ty {
        Type::Record(Record { identity: Identity::Key { fields, .. }, .. }) => {
            let Type::Record(record) = place.ty else { return false };
            let mut changes = vec![];
            compare(place, desired, live, &mut changes);
            changes.is_empty() && key(record, fields, desired) == key(record, fields, live)
        }
        ty => equal(ty, place.spelling, desired, live),
    }
}

/// Returns the values of the identity fields; none while one of them is unknown.
fn key(record: &Record, fields: &[&str], element: &Value) -> Option<Vec<Value>> {
    let value = |name: &&str| {
        let value = element.get(name).unwrap_or(&Value::Null);
        value.unknown().is_none().then(|| record.field(name).map_or(Value::Null, |field| of_field(field, value)))
    };
    fields.iter().map(value).collect()
}
