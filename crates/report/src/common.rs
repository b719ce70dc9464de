//! The fields that a resource has in addition to those of its kind, for `explain` and the JSON Schema.

use holdfast_core::schema::{Comparison, Field, Presence, Record, Schema, Type};
use holdfast_core::value::Value;

/// The common fields.
const FIELDS: &[Field] = &[
    field("name", Type::Text, "The physical name. The default is built from stack, environment and address."),
    TAGS,
    field("lifecycle", Type::Record(&LIFECYCLE), LIFECYCLE.doc),
    field(
        "dependsOn",
        Type::List(&Type::Text),
        "The addresses of further resources that must be ready first. A `*` matches several names.",
    ),
    FOR_EACH,
    WHEN,
    REGION,
    field("id", Type::Text, "With `manage: observe`: the id of the live resource."),
];

/// The tags, of the kinds that can have tags.
pub(crate) const TAGS: Field = field(
    "tags",
    Type::Map(&Type::Text),
    "Tags in addition to the stack's tags. `{}` means no tags at all; a null value removes one of the stack's tags.",
);

/// The list or map of which each element gives one copy, of a resource or component.
pub(crate) const FOR_EACH: Field = field(
    "forEach",
    Type::Canonical { name: "list or map", canonical: list_or_map },
    "One copy for each element of a list or map. Expressions read the element as `each.key` and `each.value`; the \
     address gets the suffix `-<key>`.",
);

/// The condition of a resource or component.
pub(crate) const WHEN: Field = field(
    "when",
    Type::Bool,
    "A condition. When it is false, the document does not contain this resource or component.",
);

/// The region of a resource or component.
pub(crate) const REGION: Field = field("region", Type::Text, "An alias of `spec.regions`, or the name of a region.");

/// The meaning of the signs in a report of drift.
pub(crate) const DRIFT_LEGEND: &str = "A change is shown as `live → declared`, which is what a correction does. In a \
    list, − is only live, and + is only declared.";

/// The meaning of a drift policy.
pub(crate) const DRIFT: &str = "`correct` corrects drift (the default). `warn` reports drift and leaves it. `ignore` \
    leaves drift and does not report it.";

/// The settings of a resource's management.
pub(crate) const LIFECYCLE: Record = Record {
    name: "Lifecycle",
    doc: "How the resource is managed.",
    fields: &[
        field(
            "manage",
            Type::Choice(&["full", "observe"]),
            "`observe`: the resource exists already; Holdfast reads it and never changes it.",
        ),
        field(
            "onDelete",
            Type::Choice(&["delete", "retain"]),
            "Whether the resource is deleted or kept when it leaves the document.",
        ),
        field("replace", Type::Choice(&["allow", "refuse"]), "Whether the resource may be replaced without a flag."),
        field("ignore", Type::List(&Type::Text), "The paths of fields that another process or a person controls."),
        field(
            "accept",
            Type::List(&Type::Text),
            "The paths of fields whose values this build refuses and AWS accepts.",
        ),
        field("adopt", Type::Text, "The id or name of a live resource to adopt."),
        field("protect", Type::Bool, "True: the resource is never deleted or replaced, whatever is granted."),
        field("movedFrom", Type::Text, "The address that the resource had before: Kind/name."),
        field("drift", Type::Choice(&["correct", "warn", "ignore"]), DRIFT),
    ],
    ..Record::EMPTY
};

/// The attributes that expressions can read of every resource.
const ATTRIBUTES: &[Field] = &[
    field("id", Type::Text, "The id of the live resource."),
    field("name", Type::Text, "The physical name of the live resource."),
];

const fn field(name: &'static str, ty: Type, doc: &'static str) -> Field {
    Field {
        name,
        doc,
        ty,
        presence: Presence::Optional,
        immutable: false,
        in_place: None,
        constraints: &[],
        server_default: None,
        comparison: Comparison::BY_TYPE,
        after_create: false,
        only_at_create: false,
    }
}

fn list_or_map(value: &Value) -> Result<Value, String> {
    match value {
        Value::List(_) | Value::Map(_) => Ok(value.clone()),
        other => Err(format!("`{other}` is neither a list nor a map")),
    }
}

/// Returns the common fields of a kind.
pub(crate) fn fields(schema: &Schema) -> impl Iterator<Item = &'static Field> {
    let takes_tags = schema.ownership.takes_tags();
    FIELDS.iter().filter(move |field| takes_tags || field.name != "tags")
}

/// Returns the attributes of a kind: `id`, `name`, and those that AWS sets.
pub(crate) fn attributes(schema: &Schema) -> impl Iterator<Item = &'static Field> {
    ATTRIBUTES.iter().chain(schema.status.fields)
}
