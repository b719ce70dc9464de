//! Conversion of values to CEL and back, and plain messages for CEL's errors.

use std::collections::HashMap;
use std::sync::Arc;

use cel::ExecutionError;
use cel::objects::{Key, Map};

use crate::value::Value;

/// Converts a value to CEL. Unknown values are omitted from maps, so that reading one is an error.
pub(crate) fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null | Value::Reference(_) | Value::Deferred(_) | Value::Secret(_) | Value::Unknown(_) => {
            cel::Value::Null
        }
        Value::Bool(b) => cel::Value::Bool(*b),
        Value::Integer(n) => cel::Value::Int(*n),
        Value::Number(n) => cel::Value::Float(*n),
        Value::Text(text) => cel::Value::String(Arc::new(text.clone())),
        Value::List(list) => cel::Value::List(Arc::new(list.iter().map(to_cel).collect())),
        Value::Map(map) => {
            let known = map.iter().filter(|(_, v)| !matches!(v, Value::Unknown(_) | Value::Deferred(_)));
            let pairs = known.map(|(k, v)| (Key::String(Arc::new(k.clone())), to_cel(v)));
            cel::Value::Map(Map { map: Arc::new(pairs.collect::<HashMap<_, _>>()) })
        }
    }
}

/// The maximum weight of the result of an expression: more than any list or map of a document needs.
const RESULT: usize = 16 * 1024 * 1024;

/// Converts a value from CEL.
pub(crate) fn from_cel(value: &cel::Value) -> Result<Value, String> {
    let mut left = RESULT;
    from_cel_within(value, &mut left)
}

/// Converts a value whose weight is within `left`. CEL shares the parts of a value, but the result has a copy of each.
fn from_cel_within(value: &cel::Value, left: &mut usize) -> Result<Value, String> {
    let text = if let cel::Value::String(text) = value { text.len() } else { 0 };
    let weight = Value::NODE_WEIGHT.saturating_add(text);
    *left = left
        .checked_sub(weight)
        .ok_or_else(|| format!("the result of this expression is larger than {} MiB", RESULT / (1024 * 1024)))?;
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(b) => Value::Bool(*b),
        cel::Value::Int(n) => Value::Integer(*n),
        cel::Value::UInt(n) => Value::Integer(i64::try_from(*n).map_err(|_| format!("{n} is too large"))?),
        cel::Value::Float(n) if n.is_finite() => Value::Number(*n),
        cel::Value::Float(n) => return Err(format!("{n} cannot be used in a document")),
        cel::Value::String(text) => Value::Text(text.to_string()),
        cel::Value::List(list) => {
            Value::List(list.iter().map(|item| from_cel_within(item, left)).collect::<Result<_, _>>()?)
        }
        cel::Value::Map(map) => {
            let pair = |(k, v): (&Key, &cel::Value)| Ok((key(k), from_cel_within(v, left)?));
            Value::Map(map.map.iter().map(pair).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("a value of type {} cannot be used in a document", other.type_of())),
    })
}

/// Returns a key of a CEL map as text.
pub(crate) fn key(key: &Key) -> String {
    match key {
        Key::Int(n) => n.to_string(),
        Key::Uint(n) => n.to_string(),
        Key::Bool(b) => b.to_string(),
        Key::String(text) => text.to_string(),
    }
}

/// Returns a plain message for a CEL error, without the values that the error is about.
pub(crate) fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("this map has no key `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("unknown name `{name}`"),
        ExecutionError::NoSuchOverload(overload) => {
            let types = overload.argument_types().join(" and ");
            match operator(overload.function()) {
                Some(operator) => format!("`{operator}` cannot be applied to {types}"),
                None => format!("`{}` cannot be applied to {types}", overload.function()),
            }
        }
        ExecutionError::FunctionError { message, .. } => message.lines().next().unwrap_or_default().to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the index is past the end of the list".into(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "this divides by zero".into(),
        ExecutionError::Overflow(..) => "the result is too large for a number".into(),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("this function takes {expected} arguments, but {actual} are given")
        }
        ExecutionError::UnexpectedType { want, .. } => format!("a value of type {want} is expected here"),
        ExecutionError::ValuesNotComparable(..) => "these two values cannot be compared".into(),
        ExecutionError::MissingArgumentOrTarget => "an argument is missing".into(),
        ExecutionError::UnsupportedTargetType { .. } | ExecutionError::NotSupportedAsMethod { .. } => {
            "this function cannot be applied to a value of this type".into()
        }
        ExecutionError::UnsupportedIndex(..) | ExecutionError::UnsupportedKeyType(_) => {
            "this value cannot be used as an index here".into()
        }
        ExecutionError::UnsupportedBinaryOperator(name, ..) => {
            let sign = [("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/"), ("rem", "%")];
            let sign = sign.iter().find(|(word, _)| word == name).map_or(*name, |(_, sign)| sign);
            format!("`{sign}` cannot be applied to these types")
        }
        ExecutionError::DuplicateKey(_) => "this map has a duplicate key".into(),
        _ => "the expression cannot be evaluated".into(),
    }
}

/// Returns an operator as it is written in an expression, from CEL's internal name.
fn operator(name: &str) -> Option<String> {
    let bare: String = name.chars().filter(|c| *c != '_').collect();
    (name.contains('_') && !bare.is_empty()).then(|| if bare == "@in" { "in".to_owned() } else { bare })
}
