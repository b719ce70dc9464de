//! One thing to do to one resource: what a plan's step holds and a driver carries out.

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::Observed;
use crate::value::Value;

/// One thing to do to one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Make it: exactly one mutating call.
    Create(Wanted),
    /// Change what is there.
    Update {
        /// What is there.
        live: Box<Observed>,
        /// What it is to be.
        wanted: Wanted,
    },
    /// Delete it.
    Delete {
        /// What is there.
        live: Box<Observed>,
    },
    /// Set and remove tags and nothing else: adopting, releasing, recording a digest.
    Tag {
        /// What is there.
        live: Box<Observed>,
        /// The tags to set.
        set: BTreeMap<String, String>,
        /// The tags to remove.
        remove: BTreeSet<String>,
    },
}

/// What a resource is to be, with nothing left open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Its address, for messages.
    pub address: String,
    /// Its physical name, generation included.
    pub name: String,
    /// The spec: for an update already merged with the live values of unset and ignored fields.
    pub spec: Value,
    /// Top-level fields that differ (update), `tags` among them; all that are stated (create).
    pub changed: BTreeSet<String>,
    /// All tags: the owner's and the user's.
    pub tags: BTreeMap<String, String>,
    /// Tags that are there and should not be (update).
    pub remove_tags: BTreeSet<String>,
    /// The client token: the same for every attempt at the same create.
    pub token: String,
}
