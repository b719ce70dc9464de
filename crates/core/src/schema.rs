//! What a kind is, as data: its fields, their types, and how the engine has to treat it.
//!
//! `#[derive(Spec)]` writes a [`Record`]; the driver adds the rest of a [`Schema`]. Diff, validation,
//! the manual and the JSON Schema all read this one table.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// What has a name in the schema.
pub trait Named {
    /// The struct's name: for a kind, the kind's name.
    const KIND: &'static str;
}

/// A struct that has a field table.
pub trait Spec: Named {
    /// The field table.
    const RECORD: Record;
}

/// Nothing: the status of a kind of which AWS knows no more than its id.
impl Named for () {
    const KIND: &'static str = "()";
}

impl Spec for () {
    const RECORD: Record = Record { name: "()", doc: "", fields: &[] };
}

/// A Rust type that can stand in a field.
pub trait Typed {
    /// What it is to the diff.
    const TYPE: Type;
    /// True for `Option<…>`: the field may be absent.
    const OPTIONAL: bool = false;
    /// False where `null` can never be true, because AWS always has a value: [`crate::types::Always`].
    const NULLABLE: bool = true;
    /// True where only the update after the create needs what the field reads: [`crate::types::Late`].
    const LATE: bool = false;
    /// True for what is made once and not compared afterwards: [`crate::types::Once`].
    const ONCE: bool = false;
}

/// A record: the spec of a kind, or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The struct's name.
    pub name: &'static str,
    /// The struct's doc comment.
    pub doc: &'static str,
    /// Its fields, in the order of the struct.
    pub fields: &'static [Field],
}

impl Record {
    /// The first sentence of the doc comment, in one line.
    pub fn summary(&self) -> String {
        let doc = self.doc.replace('\n', " ");
        let sentence = doc.split_once(". ").map_or(doc.trim_end_matches('.'), |(first, _)| first);
        format!("{sentence}.")
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// One field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// AWS's name of it, in camelCase.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// What it holds.
    pub ty: Type,
    /// Whether it has to be said.
    pub presence: Presence,
    /// True when a change means a replacement.
    pub immutable: bool,
    /// True when the create may go without it, as long as what it reads is not there.
    pub late: bool,
    /// True when it only matters as long as nothing is there.
    pub once: bool,
}

/// Whether a field has to be said, and what it means when it is not.
#[derive(Clone, Copy)]
pub enum Presence {
    /// A document without it is refused.
    Required,
    /// Absent means unmanaged; `null` is AWS's default, which it answers by leaving the field out.
    Optional,
    /// Absent means unmanaged; `null` is refused, because AWS always answers a value.
    Always,
    /// Absent means this, our own default.
    Default(fn() -> Value),
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Presence::Required => f.write_str("Required"),
            Presence::Optional => f.write_str("Optional"),
            Presence::Always => f.write_str("Always"),
            Presence::Default(value) => write!(f, "Default({})", value()),
        }
    }
}

/// What a field holds, and so how it is checked, compared and shown.
#[derive(Clone, Copy)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A string.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Another resource, by one of its identity attributes.
    Reference {
        /// The kind it must be.
        kind: &'static str,
        /// The attribute that AWS wants: `id`, `arn`, `name`.
        attribute: &'static str,
        /// True when only the update after the create needs it.
        late: bool,
    },
    /// A count that belongs to an autoscaler, inside its band, once one refers to the resource.
    Scaled {
        /// The kind of the autoscaler.
        by: &'static str,
        /// Its field that holds the least count.
        min: &'static str,
        /// Its field that holds the greatest count.
        max: &'static str,
    },
    /// Equal though spelt differently: compared after `canonical`.
    Canonical {
        /// The newtype's name, for errors and the manual.
        name: &'static str,
        /// The one spelling, or why the value has none.
        canonical: fn(&Value) -> Result<Value, String>,
    },
    /// A secret value, by where it comes from: the value itself is in no spec.
    Secret,
    /// Unordered, without duplicates; an element is equal as a whole.
    Set(&'static Type),
    /// Ordered.
    List(&'static Type),
    /// Keyed by strings.
    Map(&'static Type),
    /// A record of its own.
    Record(&'static Record),
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Type {
    /// The type in words, as in "a set of SecurityGroup references".
    pub fn describe(&self) -> String {
        match self {
            Type::Bool => "true or false".into(),
            Type::Integer | Type::Scaled { .. } => "a whole number".into(),
            Type::Number => "a number".into(),
            Type::Text => "a string".into(),
            Type::Choice(words) => format!("one of {}", words.join(", ")),
            Type::Reference { kind, .. } => format!("a reference to a {kind}"),
            Type::Canonical { name, .. } => format!("a {name}"),
            Type::Secret => "a secret's source, `{ env: NAME }` or `{ file: PATH }`".into(),
            Type::Set(of) => format!("a set of: {}", of.describe()),
            Type::List(of) => format!("a list of: {}", of.describe()),
            Type::Map(of) => format!("a map of: {}", of.describe()),
            Type::Record(record) => format!("a {} record", record.name),
        }
    }

    /// The same type, needed only by the update after the create.
    pub const fn late(self) -> Type {
        match self {
            Type::Reference { kind, attribute, .. } => Type::Reference { kind, attribute, late: true },
            other => other,
        }
    }
}

/// A kind as the engine knows it.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The kind's name.
    pub kind: &'static str,
    /// Its fields.
    pub record: &'static Record,
    /// Where it stands in the order of things.
    pub tier: Tier,
    /// How a live one is known to be ours.
    pub claim: Claim,
    /// How it is replaced.
    pub replace: Replace,
    /// How it may be named.
    pub naming: Naming,
    /// The create's class (DESIGN, safety rule 3).
    pub class: CreateClass,
    /// True when deleting one loses data: it is retained unless told otherwise.
    pub data: bool,
    /// True when there is one for all regions.
    pub global: bool,
    /// True when what refers to it can be made as soon as it has been made itself, before it is ready and complete: a
    /// listener of a load balancer.
    pub early: bool,
    /// How long a read may lag behind a write, in seconds, for this kind's API.
    pub lag_seconds: u32,
    /// Fields that cannot be observed, and why: told in the manual, left out of drift.
    pub unobserved: &'static [(&'static str, &'static str)],
    /// What only AWS knows and expressions can read beside the spec (`arn`, `dnsName`).
    pub status: &'static Record,
    /// Finds combinations of fields that AWS refuses.
    pub check: Check,
}

/// Finds combinations of fields that AWS refuses, from the physical name and the rendered spec. What reads other
/// resources is still a reference or a template there, and says no more than that it is stated.
pub type Check = fn(name: &str, spec: &Value) -> Vec<Fault>;

/// What is wrong with a spec: the path of the field that is to blame, and why.
pub type Fault = (&'static str, String);

/// The check of a kind of which every combination is taken.
pub fn no_check(_name: &str, _spec: &Value) -> Vec<Fault> {
    vec![]
}

/// The layers of a system: they label, group and break ties, and are not barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// VPCs, subnets, gateways, groups.
    Network,
    /// Databases, caches, buckets, secrets.
    Data,
    /// Clusters, services, load balancers, scaling.
    Compute,
    /// DNS, certificates, CDN, WAF.
    Edge,
    /// Logs, alarms, topics, roles, dashboards.
    Operations,
}

impl Tier {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Tier::Network => "network",
            Tier::Data => "data",
            Tier::Compute => "compute",
            Tier::Edge => "edge",
            Tier::Operations => "operations",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How a live thing is known to be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Owner tags are part of the create call.
    AtCreate,
    /// Its create takes no tags: the caller reference of the create names the owner, and tags follow just after.
    Intent,
    /// It has no tags at all: the owner stands as a mark in its name, comment or description. `key` names the fields
    /// of the spec that are its identity, of which there can be no two; empty means: its physical name.
    Mark {
        /// The fields that are its identity.
        key: &'static [&'static str],
    },
    /// It has no tags and lives under an owned parent: the reference in this field of its spec. The
    /// parent's tags remember it (see [`crate::observed::child_tag`]). `key` names the fields of the
    /// spec that tell it from its siblings; empty means: its physical name.
    Parent {
        /// The field of the spec that refers to the parent.
        field: &'static str,
        /// The fields that tell it from its siblings.
        key: &'static [&'static str],
    },
}

impl Claim {
    /// True when the owner stands on the resource itself, and not on its parent.
    pub const fn is_own(&self) -> bool {
        !matches!(self, Claim::Parent { .. })
    }

    /// The fields of the spec that are its identity instead of its physical name: none where that is it, and of what
    /// lives under a parent.
    pub const fn identity(&self) -> &'static [&'static str] {
        match self {
            Claim::Mark { key } => key,
            Claim::AtCreate | Claim::Intent | Claim::Parent { .. } => &[],
        }
    }

    /// True when it takes the tags that a document states.
    pub const fn takes_tags(&self) -> bool {
        matches!(self, Claim::AtCreate | Claim::Intent)
    }
}

/// How a kind is replaced when a field that cannot change has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// The new one first, then referrers move, then the old one goes.
    CreateFirst,
    /// The old one first: two cannot be there at once.
    DeleteFirst,
    /// The new one first where it gets another name, and else the old one: two of one name cannot be there at once.
    ByName,
    /// A change of any field registers a new revision; the last `keep` stay.
    Revision {
        /// How many revisions stay, the newest included.
        keep: usize,
    },
}

/// How a create that may or may not have happened is made sure of (DESIGN, safety rule 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateClass {
    /// A: a client token makes the second attempt the same as the first.
    Token,
    /// B: its name is its identity; AWS refuses a second one.
    Name,
    /// C: the server makes the id and there is no token: looked up by tag before a second attempt.
    Lookup,
}

/// How a kind may be named.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// The greatest length of the physical name.
    pub limit: usize,
    /// True when the name is a `Name` tag and nothing else depends on it.
    pub tag: bool,
    /// What goes before the default name: `/` of a log group's path, for one.
    pub prefix: &'static str,
    /// True when AWS wants lower case.
    pub lowercase: bool,
}

impl Naming {
    /// Named by its `Name` tag (EC2): at most 255 characters, any.
    pub const TAG: Naming = Naming { limit: 255, tag: true, prefix: "", lowercase: false };

    /// Named by a name of at most `limit` characters.
    pub const fn limit(limit: usize) -> Naming {
        Naming { limit, tag: false, prefix: "", lowercase: false }
    }
}

/// All the kinds there are, by name.
#[derive(Clone, Copy, Debug)]
pub struct Registry(pub &'static [&'static Schema]);

impl Registry {
    /// The schema of a kind.
    pub fn get(&self, kind: &str) -> Option<&'static Schema> {
        self.0.iter().copied().find(|s| s.kind == kind)
    }

    /// The names of all kinds, in order of registration.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().map(|s| s.kind)
    }
}
