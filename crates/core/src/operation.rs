//! Operations: the exact changes that steps contain and drivers carry out.

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::Observed;
use crate::value::Value;

/// One mutation of one resource, with the driver that carries it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The kind whose driver carries out the mutation: the parent's kind, if the parent's tags record a child.
    pub kind: &'static str,
    /// The region of the call; empty for a global kind.
    pub region: String,
    /// The change to make.
    pub mutation: Mutation,
}

/// A change of one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Mutation {
    /// Create the resource with exactly one mutating call.
    Create(DesiredResource),
    /// Change the live resource in place.
    Update {
        /// The live resource.
        live: Box<Observed>,
        /// The desired resource.
        desired: DesiredResource,
    },
    /// Delete the live resource.
    Delete {
        /// The live resource.
        live: Box<Observed>,
    },
    /// Set and remove only tags: to adopt, to release, or to record a digest.
    Tag {
        /// The live resource.
        live: Box<Observed>,
        /// The tags to set.
        set: BTreeMap<String, String>,
        /// The tags to remove.
        remove: BTreeSet<String>,
    },
}

/// The desired state of a resource, without unknown values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredResource {
    /// The address, for messages.
    pub address: String,
    /// The physical name, with the suffix of the generation.
    pub name: String,
    /// The spec. For an update, it is already merged with the live values of unset and ignored fields.
    pub spec: Value,
    /// The top-level fields that differ, including `tags` (update), or all fields that the document sets (create).
    pub changed: BTreeSet<String>,
    /// The top-level fields that the document sets. The merged spec of an update has further fields.
    pub stated: BTreeSet<String>,
    /// All tags: the owner tags and the tags of the document.
    pub tags: BTreeMap<String, String>,
    /// The live tags to remove (update).
    pub remove_tags: BTreeSet<String>,
    /// The client token, which is the same for every attempt at the same create.
    pub token: String,
}
