//! Coercion of the result of a deferred expression to its field's type. The typed walk does the same for values that
//! are known at render time.

use std::collections::BTreeMap;

use crate::expression::{plain_text, whole};
use crate::schema::{Presence, Record, Type};
use crate::value::Value;

/// Returns the value converted to the type: record defaults filled in, nested lists flattened, null elements removed.
pub(crate) fn coerce(ty: &Type, value: Value) -> Value {
    match (ty, value) {
        (Type::Text, value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_))) => plain_text(&value).into(),
        (Type::Integer | Type::AutoscaledCount { .. }, Value::Number(n)) => whole(n).unwrap_or(Value::Number(n)),
        (Type::Set(of) | Type::List(of), Value::List(list)) => {
            Value::List(flat(of, list.into_iter().map(|value| coerce(of, value)).collect()))
        }
        (Type::Map(of), Value::Map(map)) => {
            let set = map.into_iter().filter(|(_, value)| *value != Value::Null);
            Value::Map(set.map(|(key, value)| (key, coerce(of, value))).collect())
        }
        (Type::Record(record), Value::Map(map)) => Value::Map(coerce_record(record, map)),
        (_, value) => value,
    }
}

/// Returns the elements of a list. A nested list is flattened when the element type is not a list; null elements are
/// removed.
pub(crate) fn flat(of: &Type, list: Vec<Value>) -> Vec<Value> {
    let nests = matches!(of, Type::List(_) | Type::Set(_) | Type::Canonical { .. });
    let flat = list.into_iter().flat_map(|value| match value {
        Value::List(inner) if !nests => flat(of, inner.into_iter().map(|value| coerce(of, value)).collect()),
        value => vec![value],
    });
    flat.filter(|value| *value != Value::Null).collect()
}

fn coerce_record(record: &Record, mut map: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for field in record.fields {
        match (map.remove(field.name), field.presence) {
            (None | Some(Value::Null), Presence::Default(default)) => drop(map.insert(field.name.into(), default())),
            (Some(value), _) => drop(map.insert(field.name.into(), coerce(&field.ty, value))),
            (None, _) => {}
        }
    }
    map
}
