//! The schema of a kind: its fields, and the properties that the engine needs.
//!
//! `#[derive(Spec)]` generates a [`Record`]; the driver adds the rest of a [`Schema`]. Diff, validation,
//! the manual and the JSON Schema all read this one table.

mod comparison;
mod constraint;
mod document_relation;
mod field;
pub mod relation;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::comparison::{Comparison, Identity, Spelling, When};
pub use self::constraint::{Constraint, Literal};
pub use self::document_relation::DocumentRelation;
pub use self::field::{Field, FieldName, Presence, Record, Type, with_article};
use self::relation::Relation;
use crate::value::Value;

/// A type with a name in the schema.
pub trait Named {
    /// The struct's name. For a kind, the kind's name.
    const KIND: &'static str;
}

/// A struct with a field table.
pub trait Spec: Named {
    /// The field table.
    const RECORD: Record;
}

/// The empty status: the kind has no attributes besides its id, name and fields.
impl Named for () {
    const KIND: &'static str = "()";
}

impl Spec for () {
    const RECORD: Record = Record::EMPTY;
}

/// A record with the field `arn`, which identifies a resource in AWS's calls.
pub trait HasArn {
    /// Returns the ARN.
    fn arn(&self) -> &str;
}

/// A Rust type that a field can have.
pub trait Typed {
    /// The type in the schema.
    const TYPE: Type;
    /// True for `Option<…>`: the field may be absent.
    const OPTIONAL: bool = false;
    /// False for [`crate::types::ServerDefault`]: AWS always returns a value.
    const NULLABLE: bool = true;
    /// True for [`crate::types::AfterCreate`]: only the update after the create needs the value.
    const AFTER_CREATE: bool = false;
    /// True for [`crate::types::OnlyAtCreate`]: only the create uses the value, and it is not compared afterwards.
    const ONLY_AT_CREATE: bool = false;
}

/// The schema of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The kind's name.
    pub kind: &'static str,
    /// The fields.
    pub record: &'static Record,
    /// The tier.
    pub tier: Tier,
    /// How the owner of a live resource is recorded.
    pub ownership: Ownership,
    /// How a resource is replaced.
    pub replacement: Replacement,
    /// The rules for physical names.
    pub naming: NamingRules,
    /// How a create is made idempotent.
    pub idempotency: Idempotency,
    /// True when a deletion loses data: a resource that leaves the document is retained by default.
    pub stateful: bool,
    /// True when a resource of this kind belongs to no region.
    pub global: bool,
    /// True when dependents can be created as soon as the create call has succeeded, before the resource is ready. An
    /// example is a load balancer, whose listeners can be created while it is being provisioned.
    pub referenceable_on_create: bool,
    /// The sets of fields whose values no two resources share in AWS, each set as a whole. The values of a field are also
    /// shared if they have an element in common, or are overlapping CIDR blocks.
    pub unique: &'static [&'static [&'static str]],
    /// The reference fields that do not keep the resource that they refer to: AWS deletes that resource all the same, and
    /// drops the reference, or deletes this resource with it.
    pub releases: &'static [&'static str],
    /// The reference field to the resource with which AWS deletes this one: a listener and its rules.
    pub deleted_with: Option<&'static str>,
    /// The path of the field that makes AWS refuse the deletion of a resource while it is true. The driver of a data store
    /// turns it off when the deletion of data is granted.
    pub deletion_protection: Option<&'static str>,
    /// Fields that fit only the current resource that another field refers to: an engine version fits its parameter group.
    /// A change of the first field waits for a replacement of that resource that is held.
    pub fits: &'static [(&'static str, &'static str)],
    /// How long a read of this kind's API may lag behind a write (eventual consistency).
    pub consistency_window: Duration,
    /// The fields that cannot be observed, each with the reason. The manual lists them; drift detection omits them.
    pub write_only: &'static [(&'static str, &'static str)],
    /// The attributes that AWS assigns and expressions can read in addition to the spec (`arn`, `dnsName`).
    pub status: &'static Record,
    /// The demands of AWS on several fields together, as data.
    pub relations: &'static [Relation],
    /// Finds combinations of fields that AWS refuses and that [`Schema::relations`] cannot express.
    pub check: Check,
    /// The conditions that AWS puts on several resources of a document at once.
    pub document_relations: &'static [DocumentRelation],
}

/// A function that finds combinations of fields that AWS refuses, from the physical name and the rendered spec. A field
/// that reads another resource is still a reference or a template here: only its presence is known, not its value.
pub type Check = fn(name: &str, spec: &Value) -> Vec<ValidationError>;

/// An error in a spec: the path of the field that causes it, and the reason.
pub type ValidationError = (&'static str, String);

/// The check of a kind for which AWS accepts every combination of fields: finds no errors.
pub fn no_check(_name: &str, _spec: &Value) -> Vec<ValidationError> {
    vec![]
}

/// The tier of a kind: the layer of a system that it belongs to. Tiers label and group resources and order steps that
/// are otherwise equal. A tier never waits for another tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// VPCs, subnets, gateways, security groups.
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
    /// Returns the name of the tier.
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

/// How the owner of a live resource is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The create call sets the owner tags.
    TagOnCreate,
    /// The create call takes no tags. Its caller reference names the owner; a second call sets the tags right after it.
    CallerReference,
    /// The kind has no tags. A marker in the resource's name, comment or description names the owner. `key` lists the
    /// fields of the spec that identify a resource: no two resources have the same values. When `key` is empty, the
    /// physical name identifies it.
    EmbeddedMarker {
        /// The fields that identify a resource.
        key: &'static [&'static str],
    },
    /// The kind has no tags, and a resource belongs to an owned parent, the reference in `field`. The parent's tags
    /// record the resource (see [`crate::observed::child_tag`]). `key` lists the fields of the spec that distinguish it
    /// from its siblings. When `key` is empty, the physical name does.
    ViaParent {
        /// The field of the spec that refers to the parent.
        field: &'static str,
        /// The fields that distinguish a resource from its siblings.
        key: &'static [&'static str],
    },
}

impl Ownership {
    /// True when the resource itself records its owner, and not its parent.
    pub const fn is_own(&self) -> bool {
        !matches!(self, Ownership::ViaParent { .. })
    }

    /// Returns the fields of the spec that identify a resource instead of its physical name. Empty when the physical
    /// name identifies it, and for a resource under a parent.
    pub const fn identity(&self) -> &'static [&'static str] {
        match self {
            Ownership::EmbeddedMarker { key } => key,
            Ownership::TagOnCreate | Ownership::CallerReference | Ownership::ViaParent { .. } => &[],
        }
    }

    /// True when a document can set tags on resources of the kind.
    pub const fn takes_tags(&self) -> bool {
        matches!(self, Ownership::TagOnCreate | Ownership::CallerReference)
    }
}

/// How a resource is replaced when an immutable field changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Create the new resource, update the dependents, then delete the old resource.
    CreateBeforeDestroy,
    /// Delete the old resource first: two cannot exist at once.
    DestroyBeforeCreate,
    /// Create before destroy when the name changes, else destroy before create: two resources of one name cannot exist
    /// at once.
    ByName,
    /// Never: a change of any field registers a new revision. The last `keep` revisions are kept.
    Revision {
        /// The number of revisions that are kept, the newest included.
        keep: usize,
    },
}

/// How a create is made idempotent: a retry after an unclear response must not create a second resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// The create call takes a client token: a retry with the same token returns the first resource.
    ClientToken,
    /// The name identifies the resource: AWS refuses a second resource of the same name.
    UniqueName,
    /// AWS assigns the id and the create call takes no client token: resources are searched by tags before a retry.
    FindByTags,
}

/// The rules for the physical names of a kind.
#[derive(Clone, Copy, Debug)]
pub struct NamingRules {
    /// The maximum length of the physical name, in characters.
    pub limit: usize,
    /// True when the name is a `Name` tag, which nothing else depends on.
    pub tag: bool,
    /// The prefix of the default name, for example the `/` of a log group's path.
    pub prefix: &'static str,
    /// True when AWS requires lower case.
    pub lowercase: bool,
    /// The regular expression that the whole name must match, and what it says in words. Empty when AWS accepts any
    /// character.
    pub form: (&'static str, &'static str),
    /// The beginnings of names that AWS reserves, in lower case.
    pub reserved: &'static [&'static str],
    /// The beginning of an explicit name that AWS leaves out, for example the `https://` of a provider's URL.
    pub left_out: &'static str,
}

impl NamingRules {
    /// The name is the `Name` tag (EC2): at most 255 characters, all characters are allowed.
    pub const TAG: NamingRules = NamingRules { tag: true, ..NamingRules::limit(255) };

    /// Returns the rules for a name of at most `limit` characters.
    pub const fn limit(limit: usize) -> NamingRules {
        NamingRules { limit, tag: false, prefix: "", lowercase: false, form: ("", ""), reserved: &[], left_out: "" }
    }

    /// Returns an explicit name as AWS stores it.
    pub fn stored(&self, name: &str) -> String {
        name.strip_prefix(self.left_out).unwrap_or(name).to_owned()
    }
}

/// The schemas of all kinds.
#[derive(Clone, Copy, Debug)]
pub struct Registry(pub &'static [&'static Schema]);

impl Registry {
    /// Returns the schema of a kind.
    pub fn get(&self, kind: &str) -> Option<&'static Schema> {
        self.0.iter().copied().find(|s| s.kind == kind)
    }

    /// Returns the names of all kinds, in order of registration.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().map(|s| s.kind)
    }
}
