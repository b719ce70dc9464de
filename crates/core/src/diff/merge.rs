//! The merge of a desired spec with the live spec, for calls that replace all fields.

use std::collections::BTreeMap;

use super::{element, is_compared};
use crate::schema::{Identity, Record, Type};
use crate::value::Value;

/// Returns the desired spec with the live value of each unset or ignored field, for calls that replace all fields.
///
/// `null` becomes AWS's default where it is known, so that calls that change only stated fields restore it. A field
/// without effect, and a version that AWS raised, keep their live values.
pub fn merge(record: &Record, desired: &Value, live: &Value, ignore: &[String]) -> Value {
    let mut merged = merge_record(record, desired, live);
    for path in ignore {
        let steps: Vec<&str> = path.split('.').collect();
        let kept = located_in(record, &merged, live, &steps).cloned();
        put(&mut merged, path, kept);
    }
    merged
}

fn merge_record(record: &Record, desired: &Value, live: &Value) -> Value {
    let mut merged: BTreeMap<String, Value> = live.map().cloned().unwrap_or_default();
    for fields in record.exclusive {
        let is_stated = |name: &&str| desired.get(name).is_some_and(|value| *value != Value::Null);
        if fields.iter().any(is_stated) {
            fields.iter().for_each(|name| drop(merged.remove(*name)));
        }
    }
    for (key, value) in desired.map().into_iter().flatten() {
        let at = live.get(key).unwrap_or(&Value::Null);
        let merged_value = match record.field(key) {
            // The live value of an exclusive field is already removed.
            Some(field) if record.is_other_stated(field, desired) => merged.get(key).cloned().unwrap_or_default(),
            Some(field)
                if !field.only_at_create && *at != Value::Null && !is_compared(record, field, desired, live) =>
            {
                at.clone()
            }
            Some(field) if *value == Value::Null && *at != Value::Null => field.default_value(),
            Some(field) => merge_value(&field.ty, value, at),
            None => value.clone(),
        };
        merged.insert(key.clone(), merged_value);
    }
    Value::Map(merged)
}

fn merge_value(ty: &Type, desired: &Value, live: &Value) -> Value {
    match (ty, desired, live) {
        (Type::Record(record), Value::Map(_), Value::Map(_)) => merge_record(record, desired, live),
        // By key: an entry that the document does not contain is removed, and the others keep their unset fields.
        (Type::Map(of), Value::Map(desired), Value::Map(live)) => {
            let merged = |(key, desired): (&String, &Value)| {
                let live = live.get(key).map(|live| without_handles(of, live));
                let value = live.map_or_else(|| desired.clone(), |live| merge_value(of, desired, &live));
                (key.clone(), value)
            };
            Value::Map(desired.iter().map(merged).collect())
        }
        // The same by identity. Without an identity, only the elements of lists of the same length keep their fields.
        (
            Type::List(of @ Type::Record(record)) | Type::Set(of @ Type::Record(record)),
            Value::List(desired),
            Value::List(live),
        ) if has_partners(ty, record, desired, live) => {
            let partners = element::partners(record, desired, live);
            let merged = desired.iter().zip(partners).map(|(desired, partner)| {
                let live = partner.and_then(|at| live.get(at)).map(|live| without_handles(of, live));
                live.map_or_else(|| desired.clone(), |live| merge_value(of, desired, &live))
            });
            Value::List(merged.collect())
        }
        _ => desired.clone(),
    }
}

fn has_partners(ty: &Type, record: &Record, desired: &[Value], live: &[Value]) -> bool {
    let is_keyed = matches!(record.identity, Identity::Key { .. });
    is_keyed || matches!(ty, Type::List(_)) && desired.len() == live.len()
}

/// Returns the live element of a map or list without the fields whose live value only shows that a value exists:
/// secrets, and fields that only the create uses. Such a live value cannot be sent, and would remain beside the value
/// that replaces it.
fn without_handles(ty: &Type, live: &Value) -> Value {
    match (ty, live) {
        (Type::Record(record), Value::Map(fields)) => {
            let is_handle =
                |name: &str| record.field(name).is_some_and(|f| f.only_at_create || matches!(f.ty, Type::Secret));
            Value::Map(fields.iter().filter(|(k, _)| !is_handle(k)).map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        _ => live.clone(),
    }
}

/// Returns the live value at a path of the merged spec. A position in a list of the merged spec names the live element
/// of the same identity.
fn located<'a>(ty: &Type, merged: &Value, live: &'a Value, steps: &[&str]) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(live) };
    match (ty, merged, live) {
        (Type::Record(record), ..) => located_in(record, merged, live, steps),
        (Type::List(of) | Type::Set(of), Value::List(desired), Value::List(list)) => {
            let at = step.parse::<usize>().ok()?;
            let partner = match of {
                Type::Record(record) => *element::partners(record, desired, list).get(at)?,
                _ => Some(at),
            };
            located(of, desired.get(at)?, list.get(partner?)?, rest)
        }
        (Type::Map(of), _, Value::Map(map)) => {
            located(of, merged.get(step).unwrap_or(&Value::Null), map.get(*step)?, rest)
        }
        _ => live.at(&steps.join(".")),
    }
}

fn located_in<'a>(record: &Record, merged: &Value, live: &'a Value, steps: &[&str]) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(live) };
    let ty = record.field(step).map_or(Type::Text, |field| field.ty);
    located(&ty, merged.get(step).unwrap_or(&Value::Null), live.get(step)?, rest)
}

fn put(value: &mut Value, path: &str, new: Option<Value>) {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    match (value, rest) {
        (Value::Map(map), None) => {
            match new {
                Some(new) => map.insert(step.to_owned(), new),
                None => map.remove(step),
            };
        }
        (Value::Map(map), Some(rest)) => {
            if let Some(inner) = map.get_mut(step) {
                put(inner, rest, new);
            }
        }
        (Value::List(list), rest) => {
            let slot = step.parse::<usize>().ok().and_then(|i| list.get_mut(i));
            match (slot, rest, new) {
                (Some(slot), None, Some(new)) => *slot = new,
                (Some(slot), Some(rest), new) => put(slot, rest, new),
                _ => {}
            }
        }
        _ => {}
    }
}
