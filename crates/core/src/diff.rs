//! The only comparator: the differences between a resolved spec and a live spec, field by field.

mod element;
mod equal;
mod merge;

use serde::Serialize;

use self::equal::equal;
pub use self::equal::normal;
pub use self::merge::merge;
use crate::address::Address;
use crate::schema::{Field, Record, Spelling, Type};
use crate::value::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The path of the field: `healthCheckPath`, `tags.team`, `containerDefinitions.0.image`.
    pub path: String,
    /// The live value; null when the field has none.
    pub from: Value,
    /// The desired value; null for AWS's default.
    pub to: Value,
    /// True when the field cannot be changed in place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
    /// The resource that the desired value waits for, while it is not known whether the field differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Address>,
}

impl Change {
    /// Returns a known change of a field that can be changed in place.
    pub(crate) fn new(path: &str, from: Value, to: Value) -> Self {
        Change { path: path.to_owned(), from, to, immutable: false, unknown: None }
    }

    /// Returns the field of the kind's record with which the path begins.
    pub fn field(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

/// Returns the fields that differ. A field that is absent in `desired` is unmanaged. `ignore` lists paths that another
/// process or a person controls.
pub fn diff(record: &Record, desired: &Value, live: &Value, ignore: &[String]) -> Vec<Change> {
    let mut changes = vec![];
    compare_record(record, desired, live, "", false, &mut changes);
    changes.retain(|change| !ignore.iter().any(|path| is_below(&change.path, path)));
    changes
}

/// Returns the differences between two maps of tags, under the path `tags`.
pub fn diff_tags(desired: &Value, live: &Value, ignore: &[String]) -> Vec<Change> {
    let mut changes = vec![];
    let tags = Place { ty: &Type::Map(&Type::Text), spelling: None, path: "tags", immutable: false };
    compare(tags, desired, live, &mut changes);
    changes.retain(|change| !ignore.iter().any(|path| is_below(&change.path, path)));
    changes
}

/// True when `path` is `above` or lies below it.
pub fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The place of a value: how it is compared, and its path.
#[derive(Clone, Copy)]
struct Place<'a> {
    ty: &'a Type,
    spelling: Option<Spelling>,
    path: &'a str,
    immutable: bool,
}

fn compare_record(record: &Record, desired: &Value, live: &Value, path: &str, immutable: bool, out: &mut Vec<Change>) {
    for field in record.fields {
        if let Some(value) = desired.get(field.name) {
            let path = join(path, field.name);
            let immutable = immutable || field.is_replaced_by(value);
            let change = |to: &Value| Change { immutable, ..Change::new(&path, Value::Null, to.clone()) };
            match live.get(field.name).unwrap_or(&Value::Null) {
                Value::Null if field.only_at_create && *value != Value::Null => {
                    out.push(Change { immutable: false, ..change(value) });
                }
                _ if field.only_at_create => {}
                at if !is_compared(record, field, desired, live) || is_unknown_default(field, value, at, immutable) => {
                }
                at => {
                    let (value, at) = equal::without_implied(field, value, at, desired, live);
                    let spelling = field.comparison.spelling;
                    compare(Place { ty: &field.ty, spelling, path: &path, immutable }, &value, &at, out);
                }
            }
        }
    }
}

/// True unless the field has no effect, states AWS's default while the live value is or may be that default, or is a
/// version that AWS raised, or is null beside another field of its group.
fn is_compared(record: &Record, field: &Field, desired: &Value, live: &Value) -> bool {
    let value = desired.get(field.name).unwrap_or(&Value::Null);
    let at = live.get(field.name).unwrap_or(&Value::Null);
    equal::has_effect(record, field, desired, live)
        && !equal::is_default(field, value, at)
        && !is_unknown_default(field, value, at, false)
        && !record.is_other_stated(field, desired)
        && !equal::is_upgraded(record, field, desired, live)
}

/// True for a null of a field whose default is not known: the live value may be AWS's default. `validate` refuses such
/// a null where it stands in the document; an expression or a default record can still lead to one.
fn is_unknown_default(field: &Field, desired: &Value, live: &Value, immutable: bool) -> bool {
    let is_unknown = !field.is_nullable() || immutable && field.server_default.is_none();
    is_unknown && *desired == Value::Null && *live != Value::Null
}

fn compare(at: Place<'_>, desired: &Value, live: &Value, out: &mut Vec<Change>) {
    let Place { ty, path, immutable, .. } = at;
    let change = |unknown: Option<Address>| Change {
        path: path.to_owned(),
        from: live.clone(),
        to: desired.clone(),
        immutable,
        unknown,
    };
    match (ty, desired, live) {
        (_, Value::Unknown(unknown), _) => out.push(change(Some(unknown.waits_for.clone()))),
        (_, desired, live) if desired.is_empty() && live.is_empty() => {}
        // A source without a value does not change the live secret.
        (Type::Secret, Value::Secret(desired), live) => {
            let live = live.get("version").and_then(Value::text);
            if live.is_none() || desired.version.is_some() && desired.version.as_deref() != live {
                out.push(change(None));
            }
        }
        (Type::Record(record), Value::Map(_), Value::Map(_)) => {
            compare_record(record, desired, live, path, immutable, out);
        }
        (Type::Map(of), Value::Map(desired), Value::Map(_) | Value::Null) => {
            let live = live.map().cloned().unwrap_or_default();
            let below = |key: &str| join(path, key);
            for (key, value) in desired {
                let place = Place { ty: of, path: &below(key), ..at };
                compare(place, value, live.get(key).unwrap_or(&Value::Null), out);
            }
            for (key, value) in live.iter().filter(|(key, _)| !desired.contains_key(*key)) {
                compare(Place { ty: of, path: &below(key), ..at }, &Value::Null, value, out);
            }
        }
        (Type::Set(of), Value::List(items), Value::List(_) | Value::Null) => {
            match desired.unknown() {
                // A missing known element shows that the set differs. Only the unknown elements can show that it does
                // not.
                Some(unknown) => {
                    let mut known = items.iter().filter(|v| v.unknown().is_none());
                    let missing = known.any(|v| !element::contains(at.element(of), live.list(), v));
                    out.push(change(Some(unknown.waits_for.clone()).filter(|_| !missing || immutable)));
                }
                None if !element::are_equal_sets(at.element(of), items, live.list()) => out.push(change(None)),
                None => {}
            }
        }
        // In a list of records, only the managed fields of each element are compared.
        (Type::List(of @ Type::Record(record)), Value::List(desired), Value::List(live))
            if element::are_the_same(record, desired, live) =>
        {
            let partners = element::partners(record, desired, live);
            for (i, (desired, partner)) in desired.iter().zip(partners).enumerate() {
                if let Some(live) = partner.and_then(|at| live.get(at)) {
                    compare(Place { ty: of, path: &join(path, &i.to_string()), ..at }, desired, live, out);
                }
            }
        }
        _ => match desired.unknown() {
            Some(unknown) => out.push(change(Some(unknown.waits_for.clone()))),
            None if !equal(ty, at.spelling, desired, live) => out.push(change(None)),
            None => {}
        },
    }
}

impl<'a> Place<'a> {
    /// Returns the place of an element.
    fn element(self, ty: &'a Type) -> Place<'a> {
        Place { ty, ..self }
    }
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}

#[cfg(test)]
mod tests;
