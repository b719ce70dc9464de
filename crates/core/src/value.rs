//! The untyped value of documents, observations and plans.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};

use crate::address::Address;

/// A tree of values, from a document or from a response of AWS.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`. In a document it means AWS's default; in an observation the field is absent.
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
    /// A list. A set is also a list here; only the diff compares it as a set.
    List(Vec<Value>),
    /// A record or a map.
    Map(BTreeMap<String, Value>),
    /// A reference to another resource of the document, not yet resolved to that resource's identity.
    Reference(Reference),
    /// An expression that reads attributes of other resources, not yet evaluated.
    Deferred(Arc<Deferred>),
    /// The source and version of a secret value, never the value itself.
    Secret(Secret),
    /// A value that is not known yet, with the reason. The diff treats it as neither equal to nor different from any
    /// other value.
    Unknown(Unknown),
}

/// A reference to one attribute of a resource of the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The address of the resource.
    pub address: Address,
    /// The attribute that replaces the reference: `id`, `arn`, `name`.
    pub attribute: &'static str,
    /// True when only the update after the create needs the value.
    pub after_create: bool,
}

/// A template with expressions that read attributes of other resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Deferred {
    /// The template as written in the document.
    pub source: TemplateText,
    /// The resources that the expressions read, in order of address.
    pub reads: Vec<Address>,
    /// The other names that the expressions can read, with their values at render time: `params`, `env`, `each`.
    pub bindings: BTreeMap<String, Value>,
    /// The component that the template is written in, so that `Kind.name` finds the component's own resource first.
    /// Empty for the stack itself.
    pub component: String,
}

/// The text of a template, with the result of its first parse.
#[derive(Clone)]
pub struct TemplateText {
    text: String,
    parsed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl TemplateText {
    /// Returns the parsed text. `parse` runs at the first call only. None when that call parsed another type.
    pub(crate) fn parsed<T: Any + Send + Sync>(&self, parse: impl FnOnce(&str) -> T) -> Option<&T> {
        self.parsed.get_or_init(|| Arc::new(parse(&self.text))).as_ref().downcast_ref()
    }
}

impl<T: Into<String>> From<T> for TemplateText {
    fn from(text: T) -> Self {
        TemplateText { text: text.into(), parsed: OnceLock::new() }
    }
}

impl Deref for TemplateText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq for TemplateText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for TemplateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for TemplateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A reference to a secret value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The source of the value.
    pub source: SecretSource,
    /// The version of the value, derived from it one-way; none when the source has no value.
    pub version: Option<String>,
}

/// The source of a secret value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Env(name) => write!(f, "environment variable `{name}`"),
            SecretSource::File(path) => write!(f, "file `{path}`"),
        }
    }
}

impl Secret {
    /// Returns the source as a key and value of the document: `env: NAME` or `file: PATH`.
    fn source_pair(&self) -> (String, serde_json::Value) {
        match &self.source {
            SecretSource::Env(name) => ("env".into(), name.clone().into()),
            SecretSource::File(path) => ("file".into(), path.clone().into()),
        }
    }
}

/// The reason why a value is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The resource that must exist first.
    pub waits_for: Address,
    /// True when only the update after the create needs the value: the create may omit it.
    pub after_create: bool,
}

impl Value {
    /// Returns the value under a key; none when this is not a map or the map has no such key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// Returns whether this map has a value other than `null` under the key; a reference counts as a value. None when
    /// the value is an expression that cannot be evaluated yet.
    pub fn states(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Value::Deferred(_) | Value::Unknown(_)) => None,
            value => Some(value.is_some_and(|value| *value != Value::Null)),
        }
    }

    /// Returns the value at a dotted path (`healthCheck.path`, `containers.web.image`, `rules.0`).
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, step| match value {
            Value::Map(map) => map.get(step),
            Value::List(list) => step.parse::<usize>().ok().and_then(|i| list.get(i)),
            _ => None,
        })
    }

    /// The weight of a value without its text: the bytes of memory that it takes, with the node of its map.
    pub(crate) const NODE_WEIGHT: usize = 128;

    /// Returns the weight of this value and everything below it: about the bytes of memory that it takes.
    pub(crate) fn weight(&self) -> usize {
        let mut weight = 0usize;
        self.walk(&mut |value| {
            let text = value.text().map_or(0, str::len);
            let keys = value.map().into_iter().flatten().map(|(key, _)| key.len()).sum::<usize>();
            weight = weight.saturating_add(Value::NODE_WEIGHT).saturating_add(text).saturating_add(keys);
        });
        weight
    }

    /// Returns the text; none when this is not a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the whole number; none when this is not one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Integer(n) => Some(*n),
            _ => None,
        }
    }

    /// Returns the elements of the list; none when this is not one.
    pub fn list(&self) -> &[Value] {
        match self {
            Value::List(list) => list,
            _ => &[],
        }
    }

    /// Returns the map; none when this is not one.
    pub fn map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// True for `null`, `[]` and `{}`.
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

    /// Fills in the version of every secret below. `version` returns the version for a path in the spec and a source.
    pub fn fill_secrets(&mut self, path: &str, version: &mut impl FnMut(&str, &SecretSource) -> Option<String>) {
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

    /// Returns the first unknown part of this value, if any.
    pub fn unknown(&self) -> Option<&Unknown> {
        let mut found = None;
        self.walk(&mut |v| {
            if let (None, Value::Unknown(unknown)) = (found, v) {
                found = Some(unknown);
            }
        });
        found
    }

    /// Returns the value without the keys that have the value null, at every depth.
    pub fn without_nulls(self) -> Value {
        match self {
            Value::List(list) => Value::List(list.into_iter().map(Value::without_nulls).collect()),
            Value::Map(map) => Value::Map(
                map.into_iter().filter(|(_, v)| *v != Value::Null).map(|(k, v)| (k, v.without_nulls())).collect(),
            ),
            other => other,
        }
    }

    /// Returns the value as JSON for machines: a reference as `Kind/name.attribute`, an unknown as text in parentheses.
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
            Value::Deferred(deferred) => Json::String(deferred.source.to_string()),
            Value::Secret(secret) => {
                let version = secret.version.clone().map(|version| ("version".to_owned(), version.into()));
                Json::Object([secret.source_pair()].into_iter().chain(version).collect())
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

/// Converts anything serializable to a value. The result is null when JSON cannot express it (a map keyed by records).
pub fn of<T: Serialize>(serializable: &T) -> Value {
    serde_json::to_value(serializable).map(Value::from).unwrap_or_default()
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

/// The format for people: text without quotes, unknowns in parentheses, everything else as JSON.
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
