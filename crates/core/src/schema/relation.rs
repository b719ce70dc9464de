//! Relations: the demands of AWS on several fields of one record together, as data. `validate` reads them.

#[cfg(test)]
mod tests;

use std::fmt;

use regex::Regex;

use super::field::{Record, Type};
use crate::diagnostic::either;
use crate::policy::{self, PolicyType};
use crate::value::Value;

/// A demand on the fields of one record.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// The path from the spec to the record; `*` stands for each element of a list, set or map. Empty for the spec.
    pub at: &'static str,
    /// The conditions under which the demand holds. All of them must hold; none means always.
    pub when: &'static [Condition],
    /// The demand.
    pub demand: Demand,
}

/// A condition on one field of the record.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// The field has a value other than `null`.
    Stated(&'static str),
    /// The field is absent or `null`.
    Absent(&'static str),
    /// The field has one of these values. Booleans and numbers are written as text.
    Is(&'static str, &'static [&'static str]),
    /// The field has a value, and none of these.
    IsNot(&'static str, &'static [&'static str]),
    /// The number in the field is below this one.
    Below(&'static str, i64),
    /// The number in the field is this one or more.
    AtLeast(&'static str, i64),
}

/// A demand of AWS on the fields of a record.
#[derive(Clone, Copy, Debug)]
pub enum Demand {
    /// The field is stated.
    Needs(&'static str),
    /// The field is not stated.
    Excludes(&'static str),
    /// The field, if it is stated, has one of these values.
    OneOf(&'static str, &'static [&'static str]),
    /// The number in the field is within these limits, both inclusive.
    Range(&'static str, Option<i64>, Option<i64>),
    /// The number in the field is this one, or a multiple of it.
    MultipleOf(&'static str, i64),
    /// The first number is at most the second one.
    AtMost(&'static str, &'static str),
    /// The first number is at least this much greater than the second one.
    Exceeds(&'static str, &'static str, i64),
    /// One of these fields is stated at least.
    AnyOf(&'static [&'static str]),
    /// One of these fields is stated at most.
    AtMostOne(&'static [&'static str]),
    /// The number of elements of the field is within these limits, both inclusive.
    Items(&'static str, Option<usize>, Option<usize>),
    /// No two elements of the first field (a list, set or map) have the same value in one of these fields.
    Unique(&'static str, &'static [&'static str]),
    /// The text in the field matches the regular expression as a whole; the last text says what it must be.
    Form(&'static str, &'static str, &'static str),
    /// The policy in the field, or the record itself for an empty name, is one that IAM accepts: see [`policy::lint`].
    ValidPolicy(&'static str, PolicyType),
}

/// A violated relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field from the spec.
    pub path: String,
    /// What is wrong, and what AWS demands.
    pub message: String,
}

/// Returns a relation on the spec that always holds. [`Relation::at`] and [`Relation::when`] restrict it.
pub const fn demand(demand: Demand) -> Relation {
    Relation { at: "", when: &[], demand }
}

impl Relation {
    /// The same relation on the records at a path.
    #[must_use]
    pub const fn at(self, at: &'static str) -> Relation {
        Relation { at, ..self }
    }

    /// The same relation under conditions.
    #[must_use]
    pub const fn when(self, when: &'static [Condition]) -> Relation {
        Relation { when, ..self }
    }

    /// Returns the violations of the relation in a rendered spec. A value that is not known yet violates nothing.
    pub fn violations(&self, record: &'static Record, spec: &Value) -> Vec<Violation> {
        let mut found = vec![];
        for (path, value) in records(spec, self.at) {
            if !self.when.iter().all(|condition| condition.holds(value) == Some(true)) {
                continue;
            }
            let join = |field: &str| {
                let both = [path.as_str(), field].into_iter().filter(|part| !part.is_empty());
                locatable(record, &both.collect::<Vec<_>>().join("."))
            };
            let broken = self.demand.broken(value).into_iter();
            found.extend(broken.map(|(field, message)| Violation {
                path: join(&field),
                message: message.unwrap_or_else(|| self.to_string()),
            }));
        }
        found
    }

    /// Returns the fields that the relation names, relative to its record. A test checks that they exist.
    pub fn fields(&self) -> Vec<&'static str> {
        let conditions = self.when.iter().map(|condition| condition.field());
        conditions.chain(self.demand.fields()).collect()
    }
}

impl Condition {
    fn field(&self) -> &'static str {
        match self {
            Condition::Stated(field)
            | Condition::Absent(field)
            | Condition::Is(field, _)
            | Condition::IsNot(field, _)
            | Condition::Below(field, _)
            | Condition::AtLeast(field, _) => field,
        }
    }

    /// Returns whether the condition holds; none when a value is not known yet.
    fn holds(&self, record: &Value) -> Option<bool> {
        match self {
            Condition::Stated(field) => states(record, field),
            Condition::Absent(field) => states(record, field).map(|stated| !stated),
            Condition::Is(field, values) => match states(record, field)? {
                true => Some(values.contains(&plain(record, field)?.as_str())),
                false => Some(false),
            },
            Condition::IsNot(field, values) => match states(record, field)? {
                true => Some(!values.contains(&plain(record, field)?.as_str())),
                false => Some(false),
            },
            Condition::Below(field, limit) => number(record, field).map(|n| n < as_number(*limit)),
            Condition::AtLeast(field, limit) => number(record, field).map(|n| n >= as_number(*limit)),
        }
    }
}

impl Demand {
    fn fields(&self) -> Vec<&'static str> {
        match self {
            Demand::Needs(field)
            | Demand::Excludes(field)
            | Demand::OneOf(field, _)
            | Demand::Range(field, ..)
            | Demand::MultipleOf(field, _)
            | Demand::Items(field, ..)
            | Demand::Unique(field, _)
            | Demand::Form(field, ..)
            | Demand::ValidPolicy(field, _) => vec![field],
            Demand::AtMost(field, other) | Demand::Exceeds(field, other, _) => vec![field, other],
            Demand::AnyOf(fields) | Demand::AtMostOne(fields) => fields.to_vec(),
        }
    }

    /// Returns the fields that break the demand, each with a message where the text of the relation says too little.
    fn broken(&self, record: &Value) -> Vec<(String, Option<String>)> {
        let one = |field: &str, broken: bool| match broken {
            true => vec![(field.to_owned(), None)],
            false => vec![],
        };
        match self {
            Demand::Needs(field) => match states(record, field) {
                Some(false) => vec![(parent(field).to_owned(), None)],
                _ => vec![],
            },
            Demand::Excludes(field) => one(field, states(record, field) == Some(true)),
            Demand::OneOf(field, values) => {
                one(field, plain(record, field).is_some_and(|value| !values.contains(&value.as_str())))
            }
            Demand::Range(field, min, max) => one(
                field,
                number(record, field).is_some_and(|n| {
                    min.is_some_and(|min| n < as_number(min)) || max.is_some_and(|max| n > as_number(max))
                }),
            ),
            Demand::MultipleOf(field, of) => one(
                field,
                record.at(field).and_then(Value::integer).is_some_and(|n| n.checked_rem(*of).is_some_and(|r| r != 0)),
            ),
            Demand::AtMost(field, other) => {
                one(field, number(record, field).zip(number(record, other)).is_some_and(|(a, b)| a > b))
            }
            Demand::Exceeds(field, other, by) => {
                let pair = number(record, field).zip(number(record, other));
                one(field, pair.is_some_and(|(a, b)| a < b + as_number(*by)))
            }
            Demand::AnyOf(fields) => {
                let none = fields.iter().all(|field| states(record, field) == Some(false));
                none.then(|| (String::new(), None)).into_iter().collect()
            }
            Demand::AtMostOne(fields) => {
                let mut stated = fields.iter().filter(|field| states(record, field) == Some(true));
                stated.nth(1).map(|field| ((*field).to_owned(), None)).into_iter().collect()
            }
            Demand::Items(field, min, max) => {
                let count = match record.at(field) {
                    Some(Value::List(list)) => Some(list.len()),
                    Some(Value::Map(map)) => Some(map.len()),
                    _ => None,
                };
                let outside = |count: usize| min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max);
                one(field, count.is_some_and(outside))
            }
            Demand::Unique(field, keys) => repeated(record.at(field), keys)
                .map(|(index, key, value)| {
                    (format!("{field}.{index}.{key}"), Some(format!("{self}, but two have the `{key}` `{value}`")))
                })
                .into_iter()
                .collect(),
            Demand::Form(field, pattern, _) => one(
                field,
                record.at(field).and_then(Value::text).is_some_and(|text| {
                    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| !regex.is_match(text))
                }),
            ),
            Demand::ValidPolicy(field, of) => {
                let document = if field.is_empty() { Some(record) } else { record.at(field) };
                let lint = document.map(|document| policy::lint(document, *of)).unwrap_or_default();
                lint.into_iter().map(|message| ((*field).to_owned(), Some(message))).collect()
            }
        }
    }
}

/// Returns the first element that has the same value as an earlier one in one of the fields, with that field and value.
fn repeated(list: Option<&Value>, keys: &[&'static str]) -> Option<(String, &'static str, String)> {
    let elements: Vec<(String, &Value)> = match list? {
        Value::List(list) => list.iter().enumerate().map(|(i, element)| (i.to_string(), element)).collect(),
        Value::Map(map) => map.iter().map(|(key, element)| (key.clone(), element)).collect(),
        _ => return None,
    };
    let mut seen = std::collections::BTreeSet::new();
    for (index, element) in elements {
        for key in keys {
            let Some(value) = plain(element, key) else { continue };
            if !seen.insert((key, value.clone())) {
                return Some((index, key, value));
            }
        }
    }
    None
}

/// Returns the records at a path with `*`, each with its own path.
fn records<'a>(spec: &'a Value, at: &str) -> Vec<(String, &'a Value)> {
    let mut found = vec![(String::new(), spec)];
    for step in at.split('.').filter(|step| !step.is_empty()) {
        let below = found.into_iter().flat_map(|(path, value)| {
            let join = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
            let children: Vec<(String, &Value)> = match (value, step) {
                (Value::List(list), "*") => list.iter().enumerate().map(|(i, v)| (join(&i.to_string()), v)).collect(),
                (Value::Map(map), "*") => map.iter().map(|(key, v)| (join(key), v)).collect(),
                (Value::Map(map), step) => map.get(step).map(|v| (join(step), v)).into_iter().collect(),
                _ => vec![],
            };
            children
        });
        found = below.filter(|(_, value)| matches!(value, Value::Map(_) | Value::List(_))).collect();
    }
    found.retain(|(_, value)| matches!(value, Value::Map(_)));
    found
}

/// Returns the part of a path that can be located in the document: the elements of a set have no index there.
fn locatable(record: &'static Record, path: &str) -> String {
    let mut kept: Vec<&str> = vec![];
    let mut ty = Type::Record(record);
    for step in path.split('.') {
        ty = match ty {
            Type::Set(_) => break,
            Type::Record(record) => match record.field(step) {
                Some(field) => field.ty,
                None => break,
            },
            Type::List(of) | Type::Map(of) => *of,
            other => other,
        };
        kept.push(step);
    }
    kept.join(".")
}

/// Returns whether a field has a value; none when it is not known. An empty list or map is no value.
fn states(record: &Value, field: &str) -> Option<bool> {
    let (path, last) = field.rsplit_once('.').map_or(("", field), |(path, last)| (path, last));
    let record = if path.is_empty() { Some(record) } else { record.at(path) };
    match record {
        Some(Value::Deferred(_) | Value::Unknown(_) | Value::Reference(_)) => None,
        Some(record) => match record.get(last) {
            Some(Value::List(list)) => Some(!list.is_empty()),
            Some(Value::Map(map)) => Some(!map.is_empty()),
            _ => record.states(last),
        },
        None => Some(false),
    }
}

/// Returns a text, number or boolean as text; none for other values, and for values that are not known yet.
fn plain(record: &Value, field: &str) -> Option<String> {
    match if field.is_empty() { Some(record) } else { record.at(field) }? {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Integer(value) => Some(value.to_string()),
        _ => None,
    }
}

fn number(record: &Value, field: &str) -> Option<f64> {
    match record.at(field)? {
        Value::Integer(n) => Some(as_number(*n)),
        Value::Number(n) => Some(*n),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "the limits of AWS's fields are far below 2^53")]
fn as_number(n: i64) -> f64 {
    n as f64
}

/// Returns the path of the record that has a field.
fn parent(field: &str) -> &str {
    field.rsplit_once('.').map_or("", |(path, _)| path)
}

/// Writes the relation as a sentence without its full stop.
impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.demand)?;
        for (index, condition) in self.when.iter().enumerate() {
            write!(f, " {} {condition}", if index == 0 { "when" } else { "and" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Stated(field) => write!(f, "`{field}` is set"),
            Condition::Absent(field) => write!(f, "`{field}` is not set"),
            Condition::Is(field, values) => write!(f, "`{field}` is {}", either(values)),
            Condition::IsNot(field, values) => write!(f, "`{field}` is not {}", either(values)),
            Condition::Below(field, limit) => write!(f, "`{field}` is below {limit}"),
            Condition::AtLeast(field, limit) => write!(f, "`{field}` is at least {limit}"),
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Demand::Needs(field) => write!(f, "`{field}` is required"),
            Demand::Excludes(field) => write!(f, "`{field}` must not be set"),
            Demand::OneOf(field, values) => write!(f, "`{field}` must be {}", either(values)),
            Demand::Range(field, Some(min), Some(max)) => write!(f, "`{field}` must be {min} to {max}"),
            Demand::Range(field, Some(min), None) => write!(f, "`{field}` must be at least {min}"),
            Demand::Range(field, None, Some(max)) => write!(f, "`{field}` must be at most {max}"),
            Demand::Range(field, None, None) => write!(f, "`{field}` may be any number"),
            Demand::MultipleOf(field, of) => write!(f, "`{field}` must be a multiple of {of}"),
            Demand::AtMost(field, other) => write!(f, "`{field}` must not be greater than `{other}`"),
            Demand::Exceeds(field, other, by) => write!(f, "`{field}` must be at least {by} more than `{other}`"),
            Demand::AnyOf(fields) => write!(f, "one of {} is required", either(fields)),
            Demand::AtMostOne(fields) => write!(f, "only one of {} may be set", either(fields)),
            Demand::Items(field, Some(min), Some(max)) if min == max => {
                write!(f, "`{field}` must have exactly {min} elements")
            }
            Demand::Items(field, Some(min), Some(max)) => write!(f, "`{field}` must have {min} to {max} elements"),
            Demand::Items(field, Some(min), None) => write!(f, "`{field}` must have at least {min} elements"),
            Demand::Items(field, None, Some(max)) => write!(f, "`{field}` must have at most {max} elements"),
            Demand::Items(field, None, None) => write!(f, "`{field}` may have any number of elements"),
            Demand::Unique(field, keys) => write!(f, "no two elements of `{field}` may have the same {}", either(keys)),
            Demand::Form(field, _, form) => write!(f, "`{field}` must be {form}"),
            Demand::ValidPolicy(field, of) => match field.is_empty() {
                true => write!(f, "it must be {} that IAM accepts", of.words()),
                false => write!(f, "`{field}` must be {} that IAM accepts", of.words()),
            },
        }
    }
}
