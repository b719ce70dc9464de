//! What an expression gave late, as its type has it: the same as the walk makes of what is known when it renders.

use std::collections::BTreeMap;

use crate::expression::{plain_text, whole};
use crate::schema::{Presence, Record, Type};
use crate::value::Value;

/// A value with the defaults of its records, and without the lists in lists and the nulls that stand for nothing.
pub(crate) fn fit(ty: &Type, value: Value) -> Value {
    match (ty, value) {
        (Type::Text, value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_))) => plain_text(&value).into(),
        (Type::Integer | Type::Scaled { .. }, Value::Number(n)) => whole(n).unwrap_or(Value::Number(n)),
        (Type::Set(of) | Type::List(of), Value::List(list)) => {
            Value::List(flat(of, list.into_iter().map(|value| fit(of, value)).collect()))
        }
        (Type::Map(of), Value::Map(map)) => {
            let stated = map.into_iter().filter(|(_, value)| *value != Value::Null);
            Value::Map(stated.map(|(key, value)| (key, fit(of, value))).collect())
        }
        (Type::Record(record), Value::Map(map)) => Value::Map(fit_record(record, map)),
        (_, value) => value,
    }
}

/// The elements of a list: a list inside a list of something else is laid out flat, and what is null is not there.
pub(crate) fn flat(of: &Type, list: Vec<Value>) -> Vec<Value> {
    let nests = matches!(of, Type::List(_) | Type::Set(_) | Type::Canonical { .. });
    let flat = list.into_iter().flat_map(|value| match value {
        Value::List(inner) if !nests => flat(of, inner.into_iter().map(|value| fit(of, value)).collect()),
        value => vec![value],
    });
    flat.filter(|value| *value != Value::Null).collect()
}

fn fit_record(record: &Record, mut map: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for field in record.fields {
        match (map.remove(field.name), field.presence) {
            (None | Some(Value::Null), Presence::Default(default)) => drop(map.insert(field.name.into(), default())),
            (Some(value), _) => drop(map.insert(field.name.into(), fit(&field.ty, value))),
            (None, _) => {}
        }
    }
    map
}
