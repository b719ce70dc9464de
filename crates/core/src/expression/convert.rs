//! Values to CEL and back, and CEL's errors in plain words.

use std::collections::HashMap;
use std::sync::Arc;

use cel::ExecutionError;
use cel::objects::{Key, Map};

use crate::value::Value;

/// A value as CEL has it. What is unknown is left out of maps, so that reading it is an error.
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

/// A value from CEL.
pub(crate) fn from_cel(value: &cel::Value) -> Result<Value, String> {
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(b) => Value::Bool(*b),
        cel::Value::Int(n) => Value::Integer(*n),
        cel::Value::UInt(n) => Value::Integer(i64::try_from(*n).map_err(|_| format!("{n} is too large"))?),
        cel::Value::Float(n) if n.is_finite() => Value::Number(*n),
        cel::Value::Float(n) => return Err(format!("{n} is no number for a document")),
        cel::Value::String(text) => Value::Text(text.to_string()),
        cel::Value::List(list) => Value::List(list.iter().map(from_cel).collect::<Result<_, _>>()?),
        cel::Value::Map(map) => {
            let pair = |(k, v): (&Key, &cel::Value)| Ok((key(k), from_cel(v)?));
            Value::Map(map.map.iter().map(pair).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("a {} cannot stand in a document", other.type_of())),
    })
}

/// A key of a CEL map as text.
pub(crate) fn key(key: &Key) -> String {
    match key {
        Key::Int(n) => n.to_string(),
        Key::Uint(n) => n.to_string(),
        Key::Bool(b) => b.to_string(),
        Key::String(text) => text.to_string(),
    }
}

/// CEL's error in plain words, without the values that it was about.
pub(crate) fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}` in this map"),
        ExecutionError::UndeclaredReference(name) => format!("there is no `{name}`"),
        ExecutionError::NoSuchOverload(overload) => {
            let types = overload.argument_types().join(" and ");
            match operator(overload.function()) {
                Some(operator) => format!("`{operator}` does not go with {types}"),
                None => format!("`{}` does not take {types}", overload.function()),
            }
        }
        ExecutionError::FunctionError { message, .. } => message.lines().next().unwrap_or_default().to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the index is past the end of the list".into(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "this divides by zero".into(),
        ExecutionError::Overflow(..) => "the number gets too large".into(),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("this function takes {expected} arguments, and has {actual}")
        }
        ExecutionError::UnexpectedType { want, .. } => format!("a value of another type is wanted here: {want}"),
        ExecutionError::ValuesNotComparable(..) => "these two cannot be compared".into(),
        ExecutionError::MissingArgumentOrTarget => "an argument is missing".into(),
        ExecutionError::UnsupportedTargetType { .. } | ExecutionError::NotSupportedAsMethod { .. } => {
            "this function does not go with this type".into()
        }
        ExecutionError::UnsupportedIndex(..) | ExecutionError::UnsupportedKeyType(_) => {
            "this cannot be an index here".into()
        }
        ExecutionError::UnsupportedBinaryOperator(name, ..) => {
            let sign = [("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/"), ("rem", "%")];
            let sign = sign.iter().find(|(word, _)| word == name).map_or(*name, |(_, sign)| sign);
            format!("`{sign}` does not go with these types")
        }
        ExecutionError::DuplicateKey(_) => "this map says a key twice".into(),
        _ => "the expression cannot be evaluated".into(),
    }
}

/// CEL's name of an operator as people write it.
fn operator(name: &str) -> Option<String> {
    let bare: String = name.chars().filter(|c| *c != '_').collect();
    (name.contains('_') && !bare.is_empty()).then(|| if bare == "@in" { "in".to_owned() } else { bare })
}
