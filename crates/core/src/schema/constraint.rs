//! The values that AWS accepts in a field, as data: `validate`, the JSON Schema, the manual and `explain` read them.

use std::fmt;

use regex::Regex;

use crate::diagnostic::{either, suggest};
use crate::value::Value;

/// The number of values that an error lists.
const LISTED: usize = 12;

/// A condition that AWS puts on one value. For a set, a list or a map, all conditions but [`Constraint::Items`] hold for
/// each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A number within these limits, both inclusive.
    Range {
        /// The smallest accepted number.
        min: Option<i64>,
        /// The largest accepted number.
        max: Option<i64>,
    },
    /// A string whose length in characters is within these limits, both inclusive.
    Length {
        /// The smallest accepted length.
        min: Option<usize>,
        /// The largest accepted length.
        max: Option<usize>,
    },
    /// A set, list or map whose number of elements is within these limits, both inclusive.
    Items {
        /// The smallest accepted number of elements.
        min: Option<usize>,
        /// The largest accepted number of elements.
        max: Option<usize>,
    },
    /// A string that this regular expression matches as a whole.
    Pattern(&'static str),
}

/// A value that AWS refuses: what it must be, and a way out where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The requirement for the value, as in "must be at most 35, but this is 40".
    pub message: String,
    /// A suggestion, such as the nearest accepted value.
    pub help: Option<String>,
}

impl Constraint {
    /// Checks a value of the field, or one element of it. A value of another type, and a value that is not known yet, is
    /// not refused.
    ///
    /// # Errors
    /// The refusal, when AWS does not accept the value.
    pub fn check(&self, value: &Value) -> Result<(), Refusal> {
        let is_met = match (self, value) {
            (Constraint::OneOf(known), Value::Text(text)) => known.contains(&text.as_str()),
            (Constraint::Range { min, max }, Value::Integer(n)) => within(*n, *min, *max),
            #[expect(clippy::cast_precision_loss, reason = "the limits of AWS's fields are far below 2^53")]
            (Constraint::Range { min, max }, Value::Number(n)) => {
                within(*n, min.map(|n| n as f64), max.map(|n| n as f64))
            }
            (Constraint::Length { min, max }, Value::Text(text)) => within(text.chars().count(), *min, *max),
            (Constraint::Items { min, max }, Value::List(list)) => within(list.len(), *min, *max),
            (Constraint::Items { min, max }, Value::Map(map)) => within(map.len(), *min, *max),
            (Constraint::Pattern(pattern), Value::Text(text)) => {
                Regex::new(&whole(pattern)).is_ok_and(|regex| regex.is_match(text))
            }
            _ => true,
        };
        if is_met {
            return Ok(());
        }
        let seen = match (self, value) {
            (Constraint::Length { .. }, Value::Text(text)) => format!("this has {}", text.chars().count()),
            (Constraint::Items { .. }, Value::List(list)) => format!("this has {}", list.len()),
            (Constraint::Items { .. }, Value::Map(map)) => format!("this has {}", map.len()),
            (_, value) => format!("this is `{}`", value.text().map_or_else(|| value.to_string(), str::to_owned)),
        };
        let help = match (self, value) {
            (Constraint::OneOf(known), Value::Text(text)) => suggest(text, known.iter().copied()),
            _ => None,
        };
        Err(Refusal { message: format!("must {self}, but {seen}"), help })
    }

    /// True when the constraint is about the elements of a set, list or map and not about the collection.
    pub fn is_for_elements(&self) -> bool {
        !matches!(self, Constraint::Items { .. })
    }
}

/// Writes the condition as the rest of a sentence after "must": "be at most 35".
impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constraint::OneOf(known) if known.len() > LISTED => {
                write!(f, "be one of {} known values, such as {}", known.len(), either(&known[..LISTED]))
            }
            Constraint::OneOf(known) => write!(f, "be {}", either(known)),
            Constraint::Range { min, max } => write!(f, "be {}", limits(*min, *max)),
            Constraint::Length { min, max } => {
                write!(f, "have {} {}", limits(*min, *max), plural("character", *min, *max))
            }
            Constraint::Items { min, max } => {
                write!(f, "have {} {}", limits(*min, *max), plural("element", *min, *max))
            }
            Constraint::Pattern(pattern) => write!(f, "match `{pattern}`"),
        }
    }
}

/// Returns a regular expression that matches only whole strings.
fn whole(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

fn within<T: PartialOrd>(value: T, min: Option<T>, max: Option<T>) -> bool {
    min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max)
}

/// Returns limits in words: "1 to 35", "at least 1", "at most 35".
fn limits<T: fmt::Display + PartialEq>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) if min == max => format!("exactly {min}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number of".into(),
    }
}

/// Returns the noun in the number of the last limit.
fn plural(noun: &str, min: Option<usize>, max: Option<usize>) -> String {
    if max.or(min) == Some(1) { noun.to_owned() } else { format!("{noun}s") }
}

/// A constant value of the schema, such as AWS's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A string.
    Text(&'static str),
    /// No value: AWS returns none.
    Null,
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::from(*self).fmt(f)
    }
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Value {
        match literal {
            Literal::Bool(value) => Value::Bool(value),
            Literal::Integer(value) => Value::Integer(value),
            Literal::Text(value) => value.into(),
            Literal::Null => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(constraint: Constraint, value: impl Into<Value>) -> Option<String> {
        constraint.check(&value.into()).err().map(|refusal| refusal.message)
    }

    #[test]
    fn a_refusal_says_what_the_value_must_be() {
        let one_of = Constraint::OneOf(&["EC2", "FARGATE"]);
        assert_eq!(refused(one_of, "FARGATE"), None);
        assert_eq!(refused(one_of, "FARGAT").as_deref(), Some("must be `EC2` or `FARGATE`, but this is `FARGAT`"));
        let help = one_of.check(&"FARGAT".into()).unwrap_err().help;
        assert_eq!(help.as_deref(), Some("did you mean `FARGATE`?"));
        let range = Constraint::Range { min: Some(1), max: Some(35) };
        assert_eq!((refused(range, 1), refused(range, 35)), (None, None));
        assert_eq!(refused(range, 40).as_deref(), Some("must be 1 to 35, but this is `40`"));
        let length = Constraint::Length { min: None, max: Some(3) };
        assert_eq!(refused(length, "äöü"), None, "characters, not bytes");
        assert_eq!(refused(length, "abcd").as_deref(), Some("must have at most 3 characters, but this has 4"));
        let items = Constraint::Items { min: Some(1), max: None };
        let empty = Value::List(vec![]);
        assert_eq!(refused(items, empty).as_deref(), Some("must have at least 1 element, but this has 0"));
    }

    #[test]
    fn a_pattern_matches_the_whole_string() {
        let pattern = Constraint::Pattern("[a-z]+|[0-9]+");
        assert_eq!(refused(pattern, "abc"), None);
        assert_eq!(refused(pattern, "abc9").as_deref(), Some("must match `[a-z]+|[0-9]+`, but this is `abc9`"));
    }

    #[test]
    fn a_value_of_another_type_is_not_refused() {
        assert_eq!(refused(Constraint::OneOf(&["a"]), Value::Null), None);
        assert_eq!(refused(Constraint::Range { min: Some(1), max: None }, "text"), None);
    }
}
