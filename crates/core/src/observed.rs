//! Observations: live resources as drivers observed them, and the kinds that could not be observed.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::address::Address;
use crate::value::Value;

/// The keys of the owner tags. Owner tags are the only record of ownership.
pub mod tag {
    /// The stack that owns the resource.
    pub const STACK: &str = "holdfast:stack";
    /// The environment that owns the resource.
    pub const ENV: &str = "holdfast:env";
    /// The address in the document.
    pub const ADDRESS: &str = "holdfast:address";
    /// The source of the document. Two sources cannot prune each other's resources.
    pub const SOURCE: &str = "holdfast:source";
    /// The key of the source that builds before version 0.1.0 wrote. It is read if there is no [`SOURCE`].
    pub const FORMER_SOURCE: &str = "holdfast:origin";
    /// The generation, from 1. A replacement has the next number.
    pub const GENERATION: &str = "holdfast:generation";
    /// The digest of the last converged spec.
    pub const DIGEST: &str = "holdfast:digest";
    /// Present on a resource that is retained when it leaves the document: it is not pruned.
    pub const RETAINED: &str = "holdfast:retained";
    /// Present while a rollback holds the document's revision and an earlier revision runs: see [`crate::rollback`].
    pub const ROLLBACK: &str = "holdfast:rollback";
    /// The prefix of a tag on a parent, which records the digest and key of a child that cannot have tags. The child's
    /// address follows the prefix.
    pub const CHILD: &str = "holdfast:child/";
    /// The prefix of all owner tags.
    pub const PREFIX: &str = "holdfast:";
}

/// Returns the key of the parent's tag that records a child without tags of its own.
pub fn child_tag(address: &Address) -> String {
    format!("{}{address}", tag::CHILD)
}

/// The owner of a live resource, read from the resource's tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub env: String,
    /// The address, as text, because this version of Holdfast may not know the kind.
    pub address: String,
    /// The source of the document.
    pub source: String,
    /// The generation, from 1.
    pub generation: u32,
    /// The digest of the last converged spec; empty when it is not known.
    pub digest: String,
    /// True when the resource is retained when it leaves the document.
    pub retained: bool,
}

impl Owner {
    /// Returns the owner that these tags name, if they name one.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Owner> {
        let get = |key: &str| tags.get(key).cloned();
        Some(Owner {
            stack: get(tag::STACK)?,
            env: get(tag::ENV)?,
            address: get(tag::ADDRESS)?,
            source: get(tag::SOURCE).or_else(|| get(tag::FORMER_SOURCE)).unwrap_or_default(),
            generation: get(tag::GENERATION).and_then(|g| generation(&g)).unwrap_or(1),
            digest: get(tag::DIGEST).unwrap_or_default(),
            retained: tags.contains_key(tag::RETAINED),
        })
    }

    /// Returns the tags that record this owner.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::from([
            (tag::STACK.to_owned(), self.stack.clone()),
            (tag::ENV.to_owned(), self.env.clone()),
            (tag::ADDRESS.to_owned(), self.address.clone()),
            (tag::SOURCE.to_owned(), self.source.clone()),
            (tag::GENERATION.to_owned(), self.generation.to_string()),
            (tag::DIGEST.to_owned(), self.digest.clone()),
        ]);
        if self.retained {
            tags.insert(tag::RETAINED.to_owned(), "true".to_owned());
        }
        tags
    }
}

/// The largest generation that a tag can state. Replacements add one each, so a larger number is not from Holdfast.
const MAX_GENERATION: u32 = 1_000_000;

/// Reads the value of the tag `holdfast:generation`; none when Holdfast did not write it.
fn generation(text: &str) -> Option<u32> {
    text.parse().ok().filter(|generation| (1..=MAX_GENERATION).contains(generation))
}

/// The phase of a live resource's life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Phase {
    /// AWS is creating the resource. It cannot be used yet.
    Pending,
    /// The resource can be used and changed.
    Ready,
    /// AWS is changing the resource. It can be used, but refuses further changes for now.
    Updating,
    /// The resource is stopped: AWS refuses changes until it is started.
    Stopped,
    /// AWS is deleting the resource.
    Deleting,
    /// AWS failed to provision the resource.
    Failed,
}

impl Phase {
    /// All phases, in the order of the life cycle.
    pub const ALL: [Phase; 6] =
        [Phase::Pending, Phase::Ready, Phase::Updating, Phase::Stopped, Phase::Deleting, Phase::Failed];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A condition of a live resource that is neither its phase nor drift: an image that does not exist, a subscription
/// that awaits confirmation. The form is that of a Kubernetes condition whose status is always true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The type: the meaning of the condition for the resource.
    #[serde(rename = "type")]
    pub ty: ConditionType,
    /// The reason: one word in CamelCase, as in a Kubernetes condition.
    pub reason: String,
    /// The description: a sentence for people.
    pub message: String,
}

/// The meaning of a condition for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ConditionType {
    /// The resource does not work as declared.
    Degraded,
    /// AWS is still carrying out a change.
    Progressing,
    /// A person has to act outside Holdfast before the resource works as declared.
    ActionRequired,
}

impl ConditionType {
    /// Returns the name of the type, as in JSON and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            ConditionType::Degraded => "Degraded",
            ConditionType::Progressing => "Progressing",
            ConditionType::ActionRequired => "ActionRequired",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A live resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The region; empty for a global resource.
    pub region: String,
    /// The id, which the calls of the kind take.
    pub id: String,
    /// The physical name; empty when the resource has none.
    pub name: String,
    /// The live spec, without `tags`: only fields of the kind's record. A field without a value in AWS is null or
    /// absent.
    pub spec: Value,
    /// The attributes that AWS sets, such as ARNs and endpoints. Expressions can read them; they are never compared.
    pub status: Value,
    /// The phase.
    pub phase: Phase,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// All tags.
    pub tags: BTreeMap<String, String>,
    /// The paths of changes that AWS accepted and applies later. They are neither drift nor stalled.
    pub scheduled: BTreeSet<String>,
    /// True when the resource ends only with the resource that it refers to, such as an SNS subscription that was never
    /// confirmed. No call can delete it.
    pub bound: bool,
    /// The driver's own data about the resource, which the driver gets back with each change.
    pub opaque: Opaque,
}

impl Observed {
    /// Returns the owner, if the tags name one.
    pub fn owner(&self) -> Option<Owner> {
        Owner::from_tags(&self.tags)
    }

    /// Returns an attribute by which other resources refer to this one, or which expressions read.
    pub fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "id" => Some(Value::Text(self.id.clone())),
            "name" => Some(Value::Text(self.name.clone())),
            other => self.status.get(other).or_else(|| self.spec.get(other)).filter(|v| **v != Value::Null).cloned(),
        }
    }
}

/// Data of a driver, which this crate carries and never reads.
#[derive(Clone, Default)]
pub struct Opaque(pub Option<Arc<dyn Any + Send + Sync>>);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Opaque data is not compared: two values are always equal.
impl PartialEq for Opaque {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A kind in a region: the scope of one observation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct KindRegion {
    /// The kind.
    pub kind: &'static str,
    /// The region; empty for a global kind.
    pub region: String,
}

/// The observed resources, and the kinds and regions that could not be observed.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The live resources of each completely observed kind and region.
    pub found: BTreeMap<KindRegion, Vec<Observed>>,
    /// The kinds and regions that could not be observed, and why. Unknown is not absent.
    pub unknown: BTreeMap<KindRegion, String>,
}

impl Observation {
    /// Returns the live resources of a kind in a region; none when they could not be observed.
    pub fn at(&self, kind: &str, region: &str) -> Option<&[Observed]> {
        self.found
            .iter()
            .find(|(kind_region, _)| kind_region.kind == kind && kind_region.region == region)
            .map(|(_, found)| &found[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(tags: &[(&str, &str)]) -> Option<Owner> {
        Owner::from_tags(&tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_generation_that_holdfast_does_not_write_is_the_first() {
        let oldest = [("holdfast:stack", "shop"), ("holdfast:env", "prod"), ("holdfast:address", "Vpc/main")];
        for value in ["0", "-1", "", "two", "4294967295", "4294967296", "99999999999999999999"] {
            let found = owner(&[&oldest[..], &[("holdfast:generation", value)]].concat()).expect("an owner");
            assert_eq!(found.generation, 1, "{value}");
        }
    }

    /// The tags as each earlier build wrote them. The oldest had no digest and no generation.
    #[test]
    fn owner_tags_of_earlier_builds_name_the_same_owner() {
        let oldest = [("holdfast:stack", "shop"), ("holdfast:env", "prod"), ("holdfast:address", "Vpc/main")];
        let found = owner(&oldest).expect("an owner");
        assert_eq!((found.source.as_str(), found.generation, found.digest.as_str()), ("", 1, ""));

        let with = |more: &[(&'static str, &'static str)]| owner(&[&oldest, more].concat()).expect("an owner");
        let rest = [("holdfast:generation", "2"), ("holdfast:digest", "9f86d081884c7d65")];
        let former = with(&[&rest[..], &[("holdfast:origin", "github.com/shop/infra")]].concat());
        let current = with(&[&rest[..], &[("holdfast:source", "github.com/shop/infra")]].concat());
        assert_eq!(former, current);
        assert_eq!(current.tags()["holdfast:source"], "github.com/shop/infra");
        let both = with(&[("holdfast:origin", "old"), ("holdfast:source", "new")]);
        assert_eq!(both.source, "new", "the tag of the current build is in force");
    }
}
