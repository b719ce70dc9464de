//! The types that fields of kinds are made of: each says by itself how it is compared.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::canonical;
use crate::schema::{Named, Type, Typed};

macro_rules! plain {
    ($($rust:ty => $ty:expr),* $(,)?) => {$(
        impl Typed for $rust {
            const TYPE: Type = $ty;
        }
    )*};
}

plain! {
    bool => Type::Bool,
    i32 => Type::Integer,
    i64 => Type::Integer,
    f64 => Type::Number,
    String => Type::Text,
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
    const OPTIONAL: bool = true;
    const NULLABLE: bool = T::NULLABLE;
    const LATE: bool = T::LATE;
    const ONCE: bool = T::ONCE;
}

impl<T: Typed> Typed for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);
}

impl<T: Typed> Typed for BTreeSet<T> {
    const TYPE: Type = Type::Set(&T::TYPE);
}

impl<T: Typed> Typed for BTreeMap<String, T> {
    const TYPE: Type = Type::Map(&T::TYPE);
}

/// An identity attribute by which one resource refers to another.
pub trait Attribute {
    /// Its name among the attributes: `id`, `arn`, `name`.
    const NAME: &'static str;
}

/// The identity attribute that the kind's own calls take.
pub struct Id;

/// The physical name.
pub struct Name;

impl Attribute for Id {
    const NAME: &'static str = "id";
}

impl Attribute for Name {
    const NAME: &'static str = "name";
}

impl Attribute for Arn {
    const NAME: &'static str = "arn";
}

/// A dependency edge: the resource of kind `K` must be there first; holds its identity attribute `A`.
pub struct Ref<K, A = Id>(String, PhantomData<fn() -> (K, A)>);

impl<K, A> Ref<K, A> {
    /// The reference to what has this identity.
    pub fn new(identity: impl Into<String>) -> Self {
        Ref(identity.into(), PhantomData)
    }

    /// The identity as AWS's calls take it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<K: Named, A: Attribute> Typed for Ref<K, A> {
    const TYPE: Type = Type::Reference { kind: K::KIND, attribute: A::NAME, late: false };
}

impl<K, A> Clone for Ref<K, A> {
    fn clone(&self) -> Self {
        Ref::new(self.0.clone())
    }
}

impl<K, A> PartialEq for Ref<K, A> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K, A> Eq for Ref<K, A> {}

impl<K, A> PartialOrd for Ref<K, A> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K, A> Ord for Ref<K, A> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<K, A> fmt::Debug for Ref<K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K, A> fmt::Display for Ref<K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<K, A> From<String> for Ref<K, A> {
    fn from(identity: String) -> Self {
        Ref::new(identity)
    }
}

impl<K, A> From<&str> for Ref<K, A> {
    fn from(identity: &str) -> Self {
        Ref::new(identity)
    }
}

impl<K, A> From<Ref<K, A>> for String {
    fn from(reference: Ref<K, A>) -> String {
        reference.0
    }
}

impl<K, A> Serialize for Ref<K, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, K, A> Deserialize<'de> for Ref<K, A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Ref::new)
    }
}

/// What only the update after the create needs. It breaks cycles: two groups that name each other, a key whose policy
/// names the role whose own policy names the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Late<T>(pub T);

impl<T: Typed> Typed for Late<T> {
    const TYPE: Type = T::TYPE.late();
    const LATE: bool = true;
}

/// How something is made where nothing is. What is there is left alone, however the document changes: a live value that
/// is not null is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Once<T>(pub T);

impl<T: Typed> Typed for Once<T> {
    const TYPE: Type = T::TYPE;
    const ONCE: bool = true;
}

/// What AWS always answers a value of, its default too: `null` would differ from that for ever, and is refused.
/// Stated as `Option<Always<T>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Always<T>(pub T);

impl<T: Typed> Typed for Always<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = false;
}

impl<T> Deref for Always<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A count that an autoscaler owns inside its band, once a `ScalableTarget` refers to the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scaled(pub i32);

impl Typed for Scaled {
    const TYPE: Type = Type::Scaled { by: "ScalableTarget", min: "minCapacity", max: "maxCapacity" };
}

/// A secret value, by its source: `{ env: NAME }` or `{ file: PATH }`. The program that reads the document reads the
/// value too, keeps it in memory, and puts a version of it here; only the driver gets the value for the version.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueFrom {
    /// The environment variable that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Which value it is: of the document, the source's of now, none when the source has none; of what is live,
    /// the one that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Typed for ValueFrom {
    const TYPE: Type = Type::Secret;
}

/// An Amazon Resource Name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arn(pub String);

impl Typed for Arn {
    const TYPE: Type = Type::Canonical { name: "ARN", canonical: canonical::arn };
}

/// An IPv4 or IPv6 block in CIDR notation. AWS clears the host bits, and so do we before comparing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cidr(pub String);

impl Typed for Cidr {
    const TYPE: Type = Type::Canonical { name: "CIDR block", canonical: canonical::cidr };
}

/// An IAM policy document: as YAML, or as JSON text. Order and one-element lists do not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Policy(pub serde_json::Value);

impl Policy {
    /// The policy that AWS answered as text (IAM answers it URL-encoded: decode it first).
    pub fn parse(text: &str) -> Policy {
        Policy(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
    }

    /// The text that AWS's calls take.
    pub fn json(&self) -> String {
        self.0.to_string()
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Policy::parse(&text),
            other => Policy(other),
        })
    }
}

impl Typed for Policy {
    const TYPE: Type = Type::Canonical { name: "policy document", canonical: canonical::policy };
}

/// JSON that AWS keeps as text (a lifecycle policy, a dashboard body): as YAML, or as JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct JsonText(pub serde_json::Value);

impl JsonText {
    /// The JSON that AWS answered as text.
    pub fn parse(text: &str) -> JsonText {
        JsonText(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
    }

    /// The text that AWS's calls take.
    pub fn json(&self) -> String {
        self.0.to_string()
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => JsonText::parse(&text),
            other => JsonText(other),
        })
    }
}

impl Typed for JsonText {
    const TYPE: Type = Type::Canonical { name: "JSON document", canonical: canonical::json };
}
