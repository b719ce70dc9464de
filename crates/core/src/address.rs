//! Addresses: `Kind/name`, the identifier of a resource in a document.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The address of a resource: `Kind/name`. The name of a component's resource is `<component>.<name>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The kind, for example `SecurityGroup`.
    pub kind: Arc<str>,
    /// The name within the document, for example `network.public-a`.
    pub name: Arc<str>,
}

/// A text that is not an address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address; an example is `SecurityGroup/web`")]
pub struct AddressError(String);

impl Address {
    /// Creates the address of `kind` and `name`.
    pub fn new(kind: &str, name: &str) -> Self {
        Address { kind: kind.into(), name: name.into() }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Address::new(kind, name))
            }
            _ => Err(AddressError(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
