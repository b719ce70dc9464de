//! Field tags: tags of a resource that record fields which no AWS API returns.
//!
//! A kind lists such fields in [`Kind::FIELD_TAGS`](crate::kind::Kind::FIELD_TAGS). The driver adds the tags to a create,
//! reads the fields from the tags of a live resource, and changes the tags when the fields change.

use holdfast_core::schema::{FieldName, Presence, Record, Type};
use holdfast_core::value::Value;

use crate::tags::{TagChanges, Tags, requested};

/// A field that a tag of the resource records: `true` or `false`, a whole number or a string.
#[derive(Clone, Copy, Debug)]
pub struct FieldTag {
    field: &'static str,
    key: Option<&'static str>,
    is_sent: bool,
}

impl FieldTag {
    /// The tag `holdfast:field/<field>` records the field.
    pub const fn new<R>(field: FieldName<R>) -> FieldTag {
        FieldTag { field: field.name(), key: None, is_sent: false }
    }

    /// The tag with this key records the field.
    pub const fn with_key<R>(field: FieldName<R>, key: &'static str) -> FieldTag {
        FieldTag { field: field.name(), key: Some(key), is_sent: false }
    }

    /// An update also sends the field to AWS: a change of the field calls [`Kind::update`](crate::kind::Kind::update),
    /// and the tag records the value after that call. An update that is unfinished has sent the field.
    pub const fn sent(self) -> FieldTag {
        FieldTag { is_sent: true, ..self }
    }

    fn key(self) -> String {
        self.key.map_or_else(|| key(self.field), str::to_owned)
    }
}

/// The key of the tag that records a field, unless the kind names another key.
pub fn key(field: &str) -> String {
    format!("holdfast:field/{field}")
}

/// Adds the tags that record these fields of a spec. A field without a value, and a field that is false, has no tag.
pub(crate) fn add(fields: &[FieldTag], spec: &Value, tags: &mut Tags) {
    tags.extend(fields.iter().filter_map(|field| Some((field.key(), text(spec.get(field.field)?)?))));
}

/// Moves the fields that tags record from the tags to the spec. A field without a tag has the default that a document
/// without the field means, or is left out of the spec.
pub(crate) fn read(record: &Record, fields: &[FieldTag], tags: &mut Tags, spec: &mut Value) {
    let Value::Map(spec) = spec else { return };
    for field in fields {
        let key = field.key();
        let text = requested(tags, &key).cloned();
        tags.remove(&key);
        let value = text.and_then(|text| {
            let ty = record.field(field.field)?.ty;
            Some(match ty {
                Type::Bool => Value::Bool(text == "true"),
                Type::Integer => Value::Integer(text.parse().ok()?),
                _ => Value::Text(text),
            })
        });
        let presence = record.field(field.field).map(|field| field.presence);
        match (value, presence) {
            (Some(value), _) => drop(spec.insert(field.field.to_owned(), value)),
            (None, Some(Presence::Default(default))) => drop(spec.insert(field.field.to_owned(), default())),
            (None, _) => drop(spec.remove(field.field)),
        }
    }
}

/// Adds the changes of the tags that record fields which differ.
pub(crate) fn change(fields: &[FieldTag], changed: impl Fn(&str) -> bool, spec: &Value, changes: &mut TagChanges) {
    for field in fields.iter().filter(|field| changed(field.field)) {
        match spec.get(field.field).and_then(text) {
            Some(text) => drop(changes.set.insert(field.key(), text)),
            None => drop(changes.remove.insert(field.key())),
        }
    }
}

/// True when a tag records this field.
pub(crate) fn records(fields: &[FieldTag], name: &str) -> bool {
    fields.iter().any(|field| field.field == name)
}

/// True when an update sends this field to AWS. See [`FieldTag::sent`].
pub(crate) fn is_sent(fields: &[FieldTag], name: &str) -> bool {
    fields.iter().all(|field| field.field != name || field.is_sent)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(true) => Some("true".to_owned()),
        Value::Integer(n) => Some(n.to_string()),
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::schema::{Comparison, Field};
    use serde_json::json;

    use super::*;

    const fn field(name: &'static str, ty: Type) -> Field {
        Field {
            name,
            doc: "",
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

    const RECORD: Record = Record {
        name: "Test",
        doc: "",
        fields: &[field("force", Type::Bool), field("days", Type::Integer), field("word", Type::Text)],
        ..Record::EMPTY
    };

    const FIELDS: &[FieldTag] = &[
        FieldTag { field: "force", key: Some("holdfast:force"), is_sent: false },
        FieldTag { field: "days", key: None, is_sent: false },
        FieldTag { field: "word", key: None, is_sent: false },
    ];

    fn tags(spec: &Value) -> Tags {
        let mut tags = Tags::from([("team".to_owned(), "a".to_owned())]);
        add(FIELDS, spec, &mut tags);
        tags
    }

    #[test]
    fn fields_are_read_from_the_tags_that_record_them() {
        let spec: Value = json!({ "force": true, "days": 7, "word": "x" }).into();
        let mut tags = tags(&spec);
        assert_eq!(tags.get("holdfast:force").map(String::as_str), Some("true"));
        assert_eq!(tags.get("holdfast:field/days").map(String::as_str), Some("7"));
        let mut live: Value = json!({ "word": "from AWS" }).into();
        read(&RECORD, FIELDS, &mut tags, &mut live);
        assert_eq!(live, spec);
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["team"]);
        let mut live: Value = json!({ "force": true }).into();
        read(&RECORD, FIELDS, &mut tags, &mut live);
        assert!(live.is_empty(), "without a tag, the field has no value");
    }

    #[test]
    fn a_field_without_a_tag_has_its_default() {
        const FIELD: Field = Field { presence: Presence::Default(|| Value::Bool(false)), ..field("force", Type::Bool) };
        const WITH_DEFAULT: Record = Record { name: "Test", doc: "", fields: &[FIELD], ..Record::EMPTY };
        let mut live: Value = json!({}).into();
        read(&WITH_DEFAULT, &FIELDS[..1], &mut Tags::new(), &mut live);
        assert_eq!(live, json!({ "force": false }).into());
    }

    #[test]
    fn a_changed_field_changes_its_tag() {
        let spec: Value = json!({ "force": false, "days": 9, "word": "x" }).into();
        let mut changes = TagChanges::default();
        change(FIELDS, |field| field != "word", &spec, &mut changes);
        assert_eq!(changes.set, Tags::from([("holdfast:field/days".to_owned(), "9".to_owned())]));
        assert_eq!(changes.remove.into_iter().collect::<Vec<_>>(), ["holdfast:force"]);
    }

    #[test]
    fn a_field_that_only_a_tag_records_is_not_sent() {
        let fields = [FIELDS[0], FIELDS[1].sent()];
        assert!(!is_sent(&fields, "force") && is_sent(&fields, "days") && is_sent(&fields, "other"));
    }
}
