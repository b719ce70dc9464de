//! Addresses: `Kind/name`, the one way to say which resource is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// `Kind/name`. A resource of a component is named `<component>.<name>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The kind, as in `SecurityGroup`.
    pub kind: Arc<str>,
    /// The name within the document, as in `network.public-a`.
    pub name: Arc<str>,
}

/// An address that is not one.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address; one looks like `SecurityGroup/web`")]
pub struct AddressError(String);

impl Address {
    /// The address of `kind` and `name`.
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
