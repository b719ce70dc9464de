//! The types of the fields of kinds. Each type determines how its values are compared.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::canonical;
use crate::schema::{Named, Type, Typed};
use crate::value::Value;

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
    const AFTER_CREATE: bool = T::AFTER_CREATE;
    const ONLY_AT_CREATE: bool = T::ONLY_AT_CREATE;
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
pub trait IdentityAttribute {
    /// The name of the attribute: `id`, `arn`, `name`.
    const NAME: &'static str;
}

/// The identity attribute that the calls of the kind's own API take.
pub struct Id;

/// The physical name.
pub struct Name;

impl IdentityAttribute for Id {
    const NAME: &'static str = "id";
}

impl IdentityAttribute for Name {
    const NAME: &'static str = "name";
}

impl IdentityAttribute for Arn {
    const NAME: &'static str = "arn";
}

/// A reference to a resource of kind `K`, which must exist first. The value is that resource's identity attribute `A`.
pub struct Ref<K, A = Id>(String, PhantomData<fn() -> (K, A)>);

impl<K, A> Ref<K, A> {
    /// Creates the reference to the resource with this identity.
    pub fn new(identity: impl Into<String>) -> Self {
        Ref(identity.into(), PhantomData)
    }

    /// Returns the identity as AWS's calls take it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<K: Named, A: IdentityAttribute> Typed for Ref<K, A> {
    const TYPE: Type = Type::Reference { kind: K::KIND, attribute: A::NAME, after_create: false };
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

/// A value that only the update after the create needs. It breaks cycles: two security groups that refer to each other,
/// or a key with a policy that names a role, where the role's own policy names the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AfterCreate<T>(pub T);

impl<T: Typed> Typed for AfterCreate<T> {
    const TYPE: Type = T::TYPE.after_create();
    const AFTER_CREATE: bool = true;
}

/// A value that only the create uses. When the live value is not null, a later change of the document has no effect on
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OnlyAtCreate<T>(pub T);

impl<T: Typed> Typed for OnlyAtCreate<T> {
    const TYPE: Type = T::TYPE;
    const ONLY_AT_CREATE: bool = true;
}

/// A field for which AWS always returns a value, the default included. `null` would always differ from that value, so
/// it is refused. The Rust field has the type `Option<ServerDefault<T>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerDefault<T>(pub T);

impl<T: Typed> Typed for ServerDefault<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = false;
}

impl<T> Deref for ServerDefault<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A count that an autoscaler controls between its minimum and maximum, once a `ScalableTarget` refers to the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AutoscaledCount(pub i32);

impl Typed for AutoscaledCount {
    const TYPE: Type = Type::AutoscaledCount { by: "ScalableTarget", min: "minCapacity", max: "maxCapacity" };
}

/// The source of a secret value: `{ env: NAME }` or `{ file: PATH }`. The process that reads the document also reads
/// the value, keeps it in memory, and writes a version of the value here. Only the driver can exchange the version for
/// the value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueFrom {
    /// The environment variable that holds the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The file that holds the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The version of the value. In a document: the version of the source's current value, none when the source has no
    /// value. In an observation: the version of the live value.
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

/// An IPv4 or IPv6 block in CIDR notation. AWS clears the host bits, so the comparison clears them too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cidr(pub String);

impl Cidr {
    /// Returns the block without host bits. Text that is not a CIDR block is returned unchanged.
    pub fn network(&self) -> String {
        match canonical::cidr(&self.0.as_str().into()) {
            Ok(Value::Text(network)) => network,
            _ => self.0.clone(),
        }
    }
}

impl Typed for Cidr {
    const TYPE: Type = Type::Canonical { name: "CIDR block", canonical: canonical::cidr };
}

/// An IAM policy document, as YAML or as JSON text. The comparison ignores the order of elements and whether a single
/// element is in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PolicyDocument(pub serde_json::Value);

impl PolicyDocument {
    /// Parses the policy that AWS returned as text. IAM returns it URL-encoded; decode it first.
    pub fn parse(text: &str) -> PolicyDocument {
        PolicyDocument(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
    }

    /// Returns the text that AWS's calls take.
    pub fn json(&self) -> String {
        self.0.to_string()
    }
}

impl<'de> Deserialize<'de> for PolicyDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => PolicyDocument::parse(&text),
            other => PolicyDocument(other),
        })
    }
}

impl Typed for PolicyDocument {
    const TYPE: Type = Type::Canonical { name: "policy document", canonical: canonical::policy };
}

/// JSON that AWS stores as text (a lifecycle policy, a dashboard body), written as YAML or as JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct JsonText(pub serde_json::Value);

impl JsonText {
    /// Parses the JSON that AWS returned as text.
    pub fn parse(text: &str) -> JsonText {
        JsonText(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
    }

    /// Returns the text that AWS's calls take.
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
