//! Equality of values as AWS means them: canonical forms, spellings, defaults, and fields without effect.

use std::borrow::Cow;

use crate::schema::{Field, Literal, Record, Spelling, Type};
use crate::value::Value;

/// Returns the canonical form of a value: canonical types in their one form, sets sorted, records without nulls and
/// without AWS's defaults.
pub fn normal(ty: &Type, value: &Value) -> Value {
    spelt(ty, None, value)
}

/// Returns the canonical form of a value with a spelling that makes no difference.
fn spelt(ty: &Type, spelling: Option<Spelling>, value: &Value) -> Value {
    match (ty, value) {
        (Type::Canonical { canonical, .. }, _) if value.unknown().is_none() => {
            canonical(value).unwrap_or_else(|_| value.clone())
        }
        (Type::Set(of), Value::List(list)) => Value::List(spelt_set(of, spelling, list)),
        (Type::List(of), Value::List(list)) => Value::List(list.iter().map(|v| spelt(of, spelling, v)).collect()),
        (Type::Map(of), Value::Map(map)) => {
            Value::Map(map.iter().map(|(k, v)| (k.clone(), spelt(of, spelling, v))).collect())
        }
        (Type::Record(record), Value::Map(map)) => {
            let fields = map
                .iter()
                .filter(|(k, _)| record.field(k).is_none_or(|field| has_effect(record, field, value, &Value::Null)));
            let fields =
                fields.map(|(k, v)| (k.clone(), record.field(k).map_or_else(|| v.clone(), |f| of_field(f, v))));
            Value::Map(fields.filter(|(_, v)| *v != Value::Null).collect())
        }
        (Type::Number, Value::Integer(n)) => Value::Number(*n as f64),
        (_, Value::Text(text)) => match spelling {
            Some(spelling) => Value::Text(spelling.canonical(text)),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Returns the canonical forms of the elements of a set, sorted.
pub(super) fn spelt_set(of: &Type, spelling: Option<Spelling>, elements: &[Value]) -> Vec<Value> {
    let mut elements: Vec<Value> = elements.iter().map(|v| spelt(of, spelling, v)).collect();
    elements.sort_by_key(|v| v.json().to_string());
    elements.dedup();
    elements
}

/// Returns the canonical form of a field's value: null when the value is AWS's default.
pub(super) fn of_field(field: &Field, value: &Value) -> Value {
    let value = spelt(&field.ty, field.comparison.spelling, value);
    if is_default(field, &value, &Value::Null) { Value::Null } else { value }
}

/// True when two values are equal. Neither has an unknown part.
pub(super) fn equal(ty: &Type, spelling: Option<Spelling>, desired: &Value, live: &Value) -> bool {
    match (ty, desired, live) {
        (Type::Reference { kind, .. }, Value::Text(desired), Value::Text(live)) => {
            is_same_resource(kind, desired, live)
        }
        (Type::Text, Value::Text(desired), Value::Text(live)) if spelling.is_some_and(|s| s.is_same(desired, live)) => {
            true
        }
        _ => spelt(ty, spelling, desired) == spelt(ty, spelling, live),
    }
}

/// True when two identities name the same resource, as far as they can show it: one of them may be the ARN, and the
/// other the id or name at the end of the ARN.
fn is_same_resource(kind: &str, desired: &str, live: &str) -> bool {
    let ends = |arn: &str, name: &str| {
        arn.starts_with("arn:")
            && !name.is_empty()
            && arn.strip_suffix(name).is_some_and(|rest| rest.ends_with(['/', ':']))
    };
    desired == live
        || ends(live, desired)
        || ends(desired, live)
        || kind == "Key" && Spelling::Key.is_same(desired, live)
}

/// True when both values are AWS's default: stated, left out of the response, or `null`.
///
/// Without a known default, AWS has no value then: an empty text, list or map, and a record of defaults, are the same
/// as none.
pub(super) fn is_default(field: &Field, desired: &Value, live: &Value) -> bool {
    if desired.unknown().is_some() || field.only_at_create {
        return false;
    }
    match field.server_default.filter(|default| *default != Literal::Null) {
        Some(default) => {
            let (default, spelling) = (Value::from(default), field.comparison.spelling);
            let is = |value: &Value| *value == Value::Null || equal(&field.ty, spelling, value, &default);
            is(desired) && is(live)
        }
        None => {
            let is = |value: &Value| {
                let is_record = matches!((&field.ty, value), (Type::Record(_), Value::Map(_)));
                let is_empty = |value: &Value| value.is_empty() || value.text() == Some("");
                is_empty(value) || is_record && is_empty(&spelt(&field.ty, None, value))
            };
            is(desired) && is(live)
        }
    }
}

/// True when the field has an effect in the state that the document describes. An unknown condition counts as met.
pub(super) fn has_effect(record: &Record, field: &Field, desired: &Value, live: &Value) -> bool {
    let Some(when) = field.comparison.when else { return true };
    let other = |spec: &Value| spec.get(when.field).filter(|value| **value != Value::Null).cloned();
    let default = || record.field(when.field).map(Field::default_value).unwrap_or_default();
    let value = other(desired).or_else(|| other(live)).unwrap_or_else(default);
    match value {
        Value::Unknown(_) | Value::Deferred(_) => true,
        value if when.values.is_empty() => {
            !value.is_empty() && value != Value::Bool(false) && value != Value::Integer(0) && value.text() != Some("")
        }
        value => when.values.iter().any(|of| Value::from(*of) == value),
    }
}

/// True when AWS raised the version: the live version is a later one of the same major version, and the field that
/// lets AWS raise it is not false.
pub(super) fn is_upgraded(record: &Record, field: &Field, desired: &Value, live: &Value) -> bool {
    let Some(by) = field.comparison.upgraded_by else { return false };
    let stated = |spec: &Value, name: &str| spec.get(name).filter(|value| **value != Value::Null).cloned();
    let allows = stated(desired, by).or_else(|| stated(live, by));
    let allows = allows.unwrap_or_else(|| record.field(by).map(Field::default_value).unwrap_or_default());
    let version = |spec: &Value| -> Option<Vec<u32>> {
        spec.get(field.name)?.text()?.split('.').map(|part| part.parse().ok()).collect()
    };
    match (version(desired), version(live)) {
        (Some(desired), Some(live)) => allows != Value::Bool(false) && live[0] == desired[0] && live > desired,
        _ => false,
    }
}

/// Returns both sets without the value that the set always contains, stated or not.
pub(super) fn without_implied<'a>(
    field: &Field,
    desired: &'a Value,
    live: &'a Value,
    desired_record: &Value,
    live_record: &Value,
) -> (Cow<'a, Value>, Cow<'a, Value>) {
    let Some(other) = field.comparison.implied else { return (Cow::Borrowed(desired), Cow::Borrowed(live)) };
    let implied = desired_record.get(other).or_else(|| live_record.get(other));
    let Some(implied) = implied else { return (Cow::Borrowed(desired), Cow::Borrowed(live)) };
    let without = |value: &'a Value| match value {
        Value::List(list) => {
            let is_other = |v: &&Value| !equal(&Type::Text, field.comparison.spelling, v, implied);
            Cow::Owned(Value::List(list.iter().filter(is_other).cloned().collect()))
        }
        other => Cow::Borrowed(other),
    };
    (without(desired), without(live))
}
