//! The schema of a kind: its fields, their types, and the properties that the engine needs.
//!
//! `#[derive(Spec)]` generates a [`Record`]; the driver adds the rest of a [`Schema`]. Diff, validation,
//! the manual and the JSON Schema all read this one table.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    const RECORD: Record = Record { name: "()", doc: "", fields: &[] };
}

/// A Rust type that a field can have.
pub trait Typed {
    /// The type in the schema.
    const TYPE: Type;
    /// True for `Option<…>`: the field may be absent.
    const OPTIONAL: bool = false;
    /// False for [`crate::types::ServerDefault`]: AWS always returns a value, so `null` is refused.
    const NULLABLE: bool = true;
    /// True for [`crate::types::AfterCreate`]: only the update after the create needs the value.
    const AFTER_CREATE: bool = false;
    /// True for [`crate::types::OnlyAtCreate`]: only the create uses the value, and it is not compared afterwards.
    const ONLY_AT_CREATE: bool = false;
}

/// A record: the spec of a kind, or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The struct's name.
    pub name: &'static str,
    /// The struct's doc comment.
    pub doc: &'static str,
    /// The fields, in the order of the struct.
    pub fields: &'static [Field],
}

impl Record {
    /// Returns the first sentence of the doc comment, on one line.
    pub fn summary(&self) -> String {
        let doc = self.doc.replace('\n', " ");
        let sentence = doc.split_once(". ").map_or(doc.trim_end_matches('.'), |(first, _)| first);
        format!("{sentence}.")
    }

    /// Returns the field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// One field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// AWS's name of the field, in camelCase.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The type of the value.
    pub ty: Type,
    /// Whether the field is required, and the meaning of an absent field.
    pub presence: Presence,
    /// True when a change requires a replacement.
    pub immutable: bool,
    /// True when the create may omit the field while the resources that it reads do not exist.
    pub after_create: bool,
    /// True when only the create uses the field.
    pub only_at_create: bool,
}

/// Whether a field is required, and the meaning of an absent field.
#[derive(Clone, Copy)]
pub enum Presence {
    /// The field is required: a document without it is refused.
    Required,
    /// Absent means unmanaged. `null` means AWS's default; AWS omits the field from its responses then.
    Optional,
    /// Absent means unmanaged. `null` is refused, because AWS always returns a value.
    ServerDefault,
    /// Absent and `null` mean this default of Holdfast.
    Default(fn() -> Value),
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Presence::Required => f.write_str("Required"),
            Presence::Optional => f.write_str("Optional"),
            Presence::ServerDefault => f.write_str("ServerDefault"),
            Presence::Default(value) => write!(f, "Default({})", value()),
        }
    }
}

/// The type of a field's value. It determines how the value is validated, compared and shown.
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
    /// One of these values.
    Choice(&'static [&'static str]),
    /// A reference to another resource, by one of its identity attributes.
    Reference {
        /// The kind of that resource.
        kind: &'static str,
        /// The attribute that AWS's calls take: `id`, `arn`, `name`.
        attribute: &'static str,
        /// True when only the update after the create needs the value.
        after_create: bool,
    },
    /// A count that an autoscaler controls between its minimum and maximum, once one refers to the resource.
    AutoscaledCount {
        /// The kind of the autoscaler.
        by: &'static str,
        /// The autoscaler's field for the minimum.
        min: &'static str,
        /// The autoscaler's field for the maximum.
        max: &'static str,
    },
    /// A value with several equivalent forms, which are compared in their canonical form.
    Canonical {
        /// The newtype's name, for errors and the manual.
        name: &'static str,
        /// Returns the canonical form, or the reason why the value is invalid.
        canonical: fn(&Value) -> Result<Value, String>,
    },
    /// A secret value, given by its source. The value itself is not part of the spec.
    Secret,
    /// A set: unordered, without duplicates. Elements are compared as a whole.
    Set(&'static Type),
    /// An ordered list.
    List(&'static Type),
    /// A map with string keys.
    Map(&'static Type),
    /// A nested record.
    Record(&'static Record),
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Type {
    /// Returns the type in words, for example "a set of references to SecurityGroup".
    pub fn describe(&self) -> String {
        match self {
            Type::Bool => "true or false".into(),
            Type::Integer | Type::AutoscaledCount { .. } => "a whole number".into(),
            Type::Number => "a number".into(),
            Type::Text => "a string".into(),
            Type::Choice(values) => format!("one of {}", values.join(", ")),
            Type::Reference { kind, .. } => format!("a reference to {}", with_article(kind)),
            Type::Canonical { name, .. } => with_article(name),
            Type::Secret => "the source of a secret, `{ env: NAME }` or `{ file: PATH }`".into(),
            Type::Set(of) => format!("a set of {}", of.plural()),
            Type::List(of) => format!("a list of {}", of.plural()),
            Type::Map(of) => format!("a map of {}", of.plural()),
            Type::Record(record) => with_article(&format!("{} record", record.name)),
        }
    }

    /// Returns the plural of the type in words, for the elements of a set, list or map.
    fn plural(&self) -> String {
        match self {
            Type::Bool => "booleans".into(),
            Type::Integer | Type::AutoscaledCount { .. } => "whole numbers".into(),
            Type::Number => "numbers".into(),
            Type::Text => "strings".into(),
            Type::Choice(values) => format!("values, each one of {}", values.join(", ")),
            Type::Reference { kind, .. } => format!("references to {kind}"),
            Type::Canonical { name, .. } => format!("{name}s"),
            Type::Secret => "sources of secrets".into(),
            Type::Set(of) => format!("sets of {}", of.plural()),
            Type::List(of) => format!("lists of {}", of.plural()),
            Type::Map(of) => format!("maps of {}", of.plural()),
            Type::Record(record) => format!("{} records", record.name),
        }
    }

    /// Returns the same type, needed only by the update after the create.
    pub const fn after_create(self) -> Type {
        match self {
            Type::Reference { kind, attribute, .. } => Type::Reference { kind, attribute, after_create: true },
            other => other,
        }
    }
}

/// Returns the noun with its article: "a Vpc", "an Alarm".
pub(crate) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
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
    /// How long a read of this kind's API may lag behind a write (eventual consistency), in seconds.
    pub consistency_window: u32,
    /// The fields that cannot be observed, each with the reason. The manual lists them; drift detection omits them.
    pub write_only: &'static [(&'static str, &'static str)],
    /// The attributes that AWS assigns and expressions can read in addition to the spec (`arn`, `dnsName`).
    pub status: &'static Record,
    /// Finds combinations of fields that AWS refuses.
    pub check: Check,
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
}

impl NamingRules {
    /// The name is the `Name` tag (EC2): at most 255 characters, all characters are allowed.
    pub const TAG: NamingRules = NamingRules { limit: 255, tag: true, prefix: "", lowercase: false };

    /// Returns the rules for a name of at most `limit` characters.
    pub const fn limit(limit: usize) -> NamingRules {
        NamingRules { limit, tag: false, prefix: "", lowercase: false }
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
