//! What is there: live resources as a driver saw them, and what could not be seen.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::address::Address;
use crate::value::Value;

/// Owner tag keys. They are the ownership; there is no other record of it.
pub mod tag {
    /// The stack it belongs to.
    pub const STACK: &str = "holdfast:stack";
    /// The environment it belongs to.
    pub const ENV: &str = "holdfast:env";
    /// Its address in the document.
    pub const ADDRESS: &str = "holdfast:address";
    /// Where the document came from, so that two origins cannot prune each other.
    pub const ORIGIN: &str = "holdfast:origin";
    /// Which of several live twins it is, from 1.
    pub const GENERATION: &str = "holdfast:generation";
    /// The digest of the rendered spec last converged.
    pub const DIGEST: &str = "holdfast:digest";
    /// Present on what left the document and stays: it is not pruned.
    pub const RETAINED: &str = "holdfast:retained";
    /// Present while an edit is held back and an earlier revision runs: see [`crate::rollback`].
    pub const ROLLBACK: &str = "holdfast:rollback";
    /// On a parent: the digest and key of a child that cannot be tagged itself; the address follows.
    pub const CHILD: &str = "holdfast:child/";
    /// All of the above begin so.
    pub const PREFIX: &str = "holdfast:";
}

/// The tag key under which a parent remembers a child that has no tags of its own.
pub fn child_tag(address: &Address) -> String {
    format!("{}{address}", tag::CHILD)
}

/// Who owns a live resource, read from its tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub env: String,
    /// The address, as text: the kind may no longer exist in this binary.
    pub address: String,
    /// Where the document came from.
    pub origin: String,
    /// Which of several live twins, from 1.
    pub generation: u32,
    /// The digest of the rendered spec last converged; empty when unknown.
    pub digest: String,
    /// True when it left the document and stays.
    pub retained: bool,
}

impl Owner {
    /// The owner that these tags name, if they name one.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Owner> {
        let get = |key: &str| tags.get(key).cloned();
        Some(Owner {
            stack: get(tag::STACK)?,
            env: get(tag::ENV)?,
            address: get(tag::ADDRESS)?,
            origin: get(tag::ORIGIN).unwrap_or_default(),
            generation: get(tag::GENERATION).and_then(|g| g.parse().ok()).unwrap_or(1),
            digest: get(tag::DIGEST).unwrap_or_default(),
            retained: tags.contains_key(tag::RETAINED),
        })
    }

    /// The tags that say so.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::from([
            (tag::STACK.to_owned(), self.stack.clone()),
            (tag::ENV.to_owned(), self.env.clone()),
            (tag::ADDRESS.to_owned(), self.address.clone()),
            (tag::ORIGIN.to_owned(), self.origin.clone()),
            (tag::GENERATION.to_owned(), self.generation.to_string()),
            (tag::DIGEST.to_owned(), self.digest.clone()),
        ]);
        if self.retained {
            tags.insert(tag::RETAINED.to_owned(), "true".to_owned());
        }
        tags
    }
}

/// Where a live resource is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Phase {
    /// Being made: it cannot be used yet.
    Pending,
    /// Usable, and takes changes.
    Ready,
    /// Usable, but refuses changes for now.
    Updating,
    /// On its way out.
    Deleting,
    /// AWS gave up on it.
    Failed,
}

impl Phase {
    /// All phases, in order of life.
    pub const ALL: [Phase; 5] = [Phase::Pending, Phase::Ready, Phase::Updating, Phase::Deleting, Phase::Failed];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A sentence about a live resource that is no phase and no drift: an image that is missing, a
/// subscription that waits for its confirmation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// One word in CamelCase, as in a Kubernetes condition's reason.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// A live resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Its region, or empty when it is global.
    pub region: String,
    /// What its kind's calls take.
    pub id: String,
    /// Its physical name, where it has one.
    pub name: String,
    /// The live spec, without `tags`: only fields of the kind's record, null or absent where AWS has nothing.
    pub spec: Value,
    /// What only AWS knows: ARNs, endpoints. Never compared; expressions read it.
    pub status: Value,
    /// Where it is in its life.
    pub phase: Phase,
    /// What else people should know of it.
    pub remarks: Vec<Remark>,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
    /// Changes that AWS accepted for later (paths): neither drift nor stalled.
    pub scheduled: BTreeSet<String>,
    /// True when nothing deletes it but the end of what it refers to: a subscription that nobody confirmed.
    pub bound: bool,
    /// The driver's own view of it, handed back when it is changed.
    pub opaque: Opaque,
}

impl Observed {
    /// Who owns it.
    pub fn owner(&self) -> Option<Owner> {
        Owner::from_tags(&self.tags)
    }

    /// One of the attributes by which others refer to it, or which expressions read.
    pub fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "id" => Some(Value::Text(self.id.clone())),
            "name" => Some(Value::Text(self.name.clone())),
            other => self.status.get(other).or_else(|| self.spec.get(other)).filter(|v| **v != Value::Null).cloned(),
        }
    }
}

/// Something of the driver's that core carries and never looks into.
#[derive(Clone, Default)]
pub struct Opaque(pub Option<Arc<dyn Any + Send + Sync>>);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Always equal: what is opaque is not compared.
impl PartialEq for Opaque {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A kind in a region: what one observation covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The kind.
    pub kind: &'static str,
    /// The region, or empty for a kind that is global.
    pub region: String,
}

/// Everything that was seen, and what was not.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// What a complete look at each place found.
    pub found: BTreeMap<Place, Vec<Observed>>,
    /// The places that could not be seen, and why. Unknown is not absent.
    pub unknown: BTreeMap<Place, String>,
}

impl Observation {
    /// What was found of a kind in a region; none when the place is unknown.
    pub fn at(&self, kind: &str, region: &str) -> Option<&[Observed]> {
        self.found.iter().find(|(place, _)| place.kind == kind && place.region == region).map(|(_, found)| &found[..])
    }
}
