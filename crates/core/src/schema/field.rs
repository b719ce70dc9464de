//! The field table of a record: the fields, their types, and whether a document must state them.

use std::fmt;
use std::marker::PhantomData;

use super::comparison::{Comparison, Identity};
use super::constraint::{Constraint, Literal};
use crate::value::Value;

/// A record: the spec of a kind, or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The struct's name.
    pub name: &'static str,
    /// The struct's doc comment.
    pub doc: &'static str,
    /// The fields, in the order of the struct.
    pub fields: &'static [Field],
    /// How the elements of a list or set of these records are matched with the live elements.
    pub identity: Identity,
    /// Groups of fields of which a value of the record has at most one. A stated field replaces the live one.
    pub exclusive: &'static [&'static [&'static str]],
    /// Groups of fields that state one setting in several ways. AWS may return it in all of them.
    pub alternatives: &'static [&'static [&'static str]],
}

impl Record {
    /// The record without fields, from which constants take what they do not state.
    pub const EMPTY: Record =
        Record { name: "()", doc: "", fields: &[], identity: Identity::Undeclared, exclusive: &[], alternatives: &[] };

    /// Returns the first sentence of the doc comment, on one line.
    pub fn summary(&self) -> String {
        let doc = self.doc.replace('\n', " ");
        let sentence = doc.split_once(". ").map_or(doc.trim_end_matches('.'), |(first, _)| first);
        format!("{sentence}.")
    }

    /// True for a null beside another field of the same group: it says nothing of its own.
    pub(crate) fn is_other_stated(&self, field: &Field, spec: &Value) -> bool {
        let is_stated = |name: &&str| *name != field.name && spec.get(name).is_some_and(|value| *value != Value::Null);
        let is_null = spec.get(field.name) == Some(&Value::Null);
        let mut groups = self.exclusive.iter().chain(self.alternatives);
        is_null && groups.any(|group| group.contains(&field.name) && group.iter().any(is_stated))
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
    /// The value to which AWS can change an immutable field in place, if there is one.
    pub in_place: Option<Literal>,
    /// The values that AWS accepts, as far as one value alone decides.
    pub constraints: &'static [Constraint],
    /// The value that AWS uses when a request omits the field, where it is always the same.
    pub server_default: Option<Literal>,
    /// How values are compared, in addition to the type.
    pub comparison: Comparison,
    /// True when the create may omit the field while the resources that it reads do not exist.
    pub after_create: bool,
    /// True when only the create uses the field.
    pub only_at_create: bool,
}

impl Field {
    /// True when a change of the field to this value requires a replacement.
    pub fn is_replaced_by(&self, desired: &Value) -> bool {
        let default = self.default_value();
        let desired = if *desired == Value::Null { &default } else { desired };
        self.immutable && self.in_place.is_none_or(|value| *desired != Value::from(value))
    }

    /// True when a document may state `null`: the value that AWS uses then is known, or AWS returns no value.
    ///
    /// The default of an immutable field must be known, because a value that AWS chose would force a replacement.
    pub fn is_nullable(&self) -> bool {
        match self.presence {
            Presence::Required => false,
            Presence::ServerDefault => self.server_default.is_some(),
            Presence::Optional => !self.immutable || self.server_default.is_some(),
            Presence::Default(_) => true,
        }
    }

    /// Returns the value that `null` stands for.
    pub fn default_value(&self) -> Value {
        self.server_default.map_or(Value::Null, Value::from)
    }
}

/// The name of a field of the record `R` in the document. `#[derive(Spec)]` writes one constant per field, so a misspelt
/// name does not compile.
pub struct FieldName<R> {
    name: &'static str,
    record: PhantomData<fn() -> R>,
}

impl<R> FieldName<R> {
    /// Returns the name of a field. Only the derive calls this.
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        FieldName { name, record: PhantomData }
    }

    /// Returns the name as the document spells it.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl<R> Clone for FieldName<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for FieldName<R> {}

impl<R> fmt::Debug for FieldName<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Whether a field is required, and the meaning of an absent field.
#[derive(Clone, Copy)]
pub enum Presence {
    /// The field is required: a document without it is refused.
    Required,
    /// Absent means unmanaged. `null` means AWS's default; AWS omits the field from its responses then.
    Optional,
    /// Absent means unmanaged. AWS always returns a value, so `null` is refused unless AWS's default is known.
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
pub fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}
