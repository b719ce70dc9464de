//! The one untyped value that documents, observations and plans are made of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::address::Address;

/// A tree of values as a document states them or as AWS answered them.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`: back to AWS's default. In what is observed: not there.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// A string.
    Text(String),
    /// A list, or a set before it is compared as one.
    List(Vec<Value>),
    /// A record or a map.
    Map(BTreeMap<String, Value>),
    /// Another resource of the document, not yet resolved to its identity.
    Reference(Reference),
    /// A string or value that needs another resource's attributes, not yet resolved.
    Deferred(Arc<Deferred>),
    /// Where a secret value comes from, and which one it is; never the value.
    Secret(Secret),
    /// Not known yet, and why. Equal to nothing, different from nothing.
    Unknown(Unknown),
}

/// A reference to one attribute of a resource of the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Whom it refers to.
    pub address: Address,
    /// Which attribute stands for it: `id`, `arn`, `name`.
    pub attribute: &'static str,
    /// True when only the update after the create needs it.
    pub late: bool,
}

/// A template whose expressions read attributes of other resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Deferred {
    /// The template as the document has it, for people.
    pub source: String,
    /// The resources it reads, in order of address.
    pub reads: Vec<Address>,
    /// The names it can see besides resources: `params`, `env`, `each`, as they were at render.
    pub bindings: BTreeMap<String, Value>,
    /// For names written inside a component: the component, so that `Kind.name` finds its own first.
    pub component: String,
}

/// A handle of a secret value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Where it comes from.
    pub source: Source,
    /// Which value it is, derived one-way; none when the source has none.
    pub version: Option<String>,
}

/// Where a secret value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Env(name) => write!(f, "environment variable `{name}`"),
            Source::File(path) => write!(f, "file `{path}`"),
        }
    }
}

impl Secret {
    /// The source as the document says it.
    fn stated(&self) -> (String, serde_json::Value) {
        match &self.source {
            Source::Env(name) => ("env".into(), name.clone().into()),
            Source::File(path) => ("file".into(), path.clone().into()),
        }
    }
}

/// Why a value cannot be told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The resource that has to be there first.
    pub waits_for: Address,
    /// True when it came from a late reference: the create may go without it.
    pub late: bool,
}

impl Value {
    /// The value under a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// Whether this, a map, has a value under the key, a reference included; none when only time will tell.
    pub fn states(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Value::Deferred(_) | Value::Unknown(_)) => None,
            value => Some(value.is_some_and(|value| *value != Value::Null)),
        }
    }

    /// The value at a dotted path (`healthCheck.path`, `containers.web.image`, `rules.0`).
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, step| match value {
            Value::Map(map) => map.get(step),
            Value::List(list) => step.parse::<usize>().ok().and_then(|i| list.get(i)),
            _ => None,
        })
    }

    /// The text, when this is text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, when this is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Integer(n) => Some(*n),
            _ => None,
        }
    }

    /// The map, when this is one.
    pub fn map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// True for `null`, `[]` and `{}`: nothing is there.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Null => true,
            Value::List(list) => list.is_empty(),
            Value::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    /// Calls `visit` on this value and everything below it, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Value)) {
        visit(self);
        match self {
            Value::List(list) => list.iter().for_each(|v| v.walk(visit)),
            Value::Map(map) => map.values().for_each(|v| v.walk(visit)),
            _ => {}
        }
    }

    /// Fills in the version of every secret below: `version` tells it of a source, at a path in the spec.
    pub fn fill_secrets(&mut self, path: &str, version: &mut impl FnMut(&str, &Source) -> Option<String>) {
        let below = |step: &dyn fmt::Display| if path.is_empty() { step.to_string() } else { format!("{path}.{step}") };
        match self {
            Value::Secret(secret) => secret.version = version(path, &secret.source),
            Value::List(list) => {
                list.iter_mut().enumerate().for_each(|(i, value)| value.fill_secrets(&below(&i), version));
            }
            Value::Map(map) => map.iter_mut().for_each(|(key, value)| value.fill_secrets(&below(key), version)),
            _ => {}
        }
    }

    /// The first unknown in this value, if there is any.
    pub fn unknown(&self) -> Option<&Unknown> {
        let mut found = None;
        self.walk(&mut |v| {
            if let (None, Value::Unknown(unknown)) = (found, v) {
                found = Some(unknown);
            }
        });
        found
    }

    /// The same value without the keys whose value is null, at every depth.
    pub fn without_nulls(self) -> Value {
        match self {
            Value::List(list) => Value::List(list.into_iter().map(Value::without_nulls).collect()),
            Value::Map(map) => Value::Map(
                map.into_iter().filter(|(_, v)| *v != Value::Null).map(|(k, v)| (k, v.without_nulls())).collect(),
            ),
            other => other,
        }
    }

    /// JSON for machines: references as `Kind/name.attribute`, unknowns as text in parentheses.
    pub fn json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Integer(n) => Json::from(*n),
            Value::Number(n) => Json::from(*n),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(list) => Json::Array(list.iter().map(Value::json).collect()),
            Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), v.json())).collect()),
            Value::Reference(r) => Json::String(format!("{}.{}", r.address, r.attribute)),
            Value::Deferred(deferred) => Json::String(deferred.source.clone()),
            Value::Secret(secret) => {
                let version = secret.version.clone().map(|version| ("version".to_owned(), version.into()));
                Json::Object([secret.stated()].into_iter().chain(version).collect())
            }
            Value::Unknown(unknown) => Json::String(format!("(known after {})", unknown.waits_for)),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(b),
            Json::Number(n) => match n.as_i64() {
                Some(whole) => Value::Integer(whole),
                None => Value::Number(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(text),
            Json::Array(list) => Value::List(list.into_iter().map(Value::from).collect()),
            Json::Object(map) => Value::Map(map.into_iter().map(|(k, v)| (k, v.into())).collect()),
        }
    }
}

/// Any serializable thing as a value. What cannot be said in JSON (a map keyed by records) is null.
pub fn of<T: Serialize>(thing: &T) -> Value {
    serde_json::to_value(thing).map(Value::from).unwrap_or_default()
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Integer(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Value {
    fn from(pairs: [(K, V); N]) -> Self {
        Value::Map(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

/// For people: text bare, unknowns in parentheses, everything else as JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Reference(r) => write!(f, "{}", r.address),
            Value::Unknown(unknown) => write!(f, "(known after {})", unknown.waits_for),
            other => write!(f, "{}", other.json()),
        }
    }
}
