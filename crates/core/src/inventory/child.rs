//! Children: resources that cannot have tags. The tags of their parent record their digests and keys.

use super::Inventory;
use crate::address::Address;
use crate::digest;
use crate::document::Resource;
use crate::observed::{Observed, child_tag};
use crate::schema::Ownership;
use crate::value::Value;

/// The record of a child in a tag of its parent: the last converged digest, and the key of the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildTag {
    /// The digest of the last converged spec.
    pub digest: String,
    /// The digest of the child's key, which distinguishes it from its siblings.
    pub key: String,
}

impl ChildTag {
    /// Parses the value of a tag; none when the value has another form.
    pub fn parse(value: &str) -> Option<ChildTag> {
        let (digest, key) = value.split_once('.')?;
        Some(ChildTag { digest: digest.to_owned(), key: key.to_owned() })
    }

    /// Returns the value of the tag.
    pub fn value(&self) -> String {
        format!("{}.{}", self.digest, self.key)
    }
}

/// Returns the digest of a child's key among its siblings, from the resolved or live spec.
pub fn child_key(key: &[&str], name: &str, spec: &Value) -> String {
    let parts: Vec<String> = match key {
        [] => vec![name.to_owned()],
        fields => fields.iter().map(|f| spec.get(f).map(ToString::to_string).unwrap_or_default()).collect(),
    };
    digest::text(&parts.join("\n"))
}

impl Inventory<'_> {
    /// Returns the last converged digest of a resource, from its own tags or its parent's; empty when none is recorded.
    pub fn digest(&self, resource: &Resource) -> String {
        let Some(live) = self.active.get(&resource.address) else { return String::new() };
        match resource.schema.ownership {
            Ownership::TagOnCreate | Ownership::CallerReference | Ownership::EmbeddedMarker { .. } => {
                live.owner().map(|o| o.digest).unwrap_or_default()
            }
            Ownership::ViaParent { .. } => self
                .parent(resource)
                .and_then(|(_, parent)| parent.tags.get(&child_tag(&resource.address)))
                .and_then(|value| ChildTag::parse(value))
                .map(|child| child.digest)
                .unwrap_or_default(),
        }
    }

    /// Returns the live parent of a resource without tags of its own, if the document contains the parent.
    pub fn parent(&self, resource: &Resource) -> Option<(Address, &Observed)> {
        let Ownership::ViaParent { field, .. } = resource.schema.ownership else { return None };
        match resource.spec.get(field)? {
            Value::Reference(reference) => Some((reference.address.clone(), *self.active.get(&reference.address)?)),
            _ => None,
        }
    }
}
