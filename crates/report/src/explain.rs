//! Explain: the description of a kind or field for people, from the schema.

use std::fmt::Write as _;

use holdfast_core::diagnostic::suggest;
use holdfast_core::schema::{Field, Idempotency, Ownership, Presence, Record, Registry, Replacement, Schema, Type};

/// A path that names no kind or field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", help.as_deref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct ExplainError {
    message: String,
    help: Option<String>,
}

/// Describes `Kind` or `Kind.field.sub`, as text for a terminal. An empty path lists the kinds.
///
/// # Errors
/// When a part of the path does not exist. The error names the part and suggests a similar one.
pub fn explain(registry: &Registry, path: &str) -> Result<String, ExplainError> {
    if path.is_empty() {
        return Ok(kinds(registry));
    }
    let mut steps = path.split('.');
    let kind = steps.next().unwrap_or_default();
    let schema = registry.get(kind).ok_or_else(|| ExplainError {
        message: format!("there is no kind `{kind}`"),
        help: suggest(kind, registry.kinds()),
    })?;
    let mut record = schema.record;
    let mut at = kind.to_owned();
    let mut found: Option<&Field> = None;
    for step in steps {
        let field = record.field(step).ok_or_else(|| ExplainError {
            message: format!("`{at}` has no field `{step}`"),
            help: suggest(step, record.fields.iter().map(|field| field.name)),
        })?;
        at = format!("{at}.{step}");
        record = inner(&field.ty).unwrap_or(&NO_FIELDS);
        found = Some(field);
    }
    let mut text = String::new();
    match found {
        Some(field) => {
            let _ = writeln!(text, "{at}: {}", field.ty.describe());
            let _ = writeln!(text, "{}\n", traits(field, write_only(schema, &at)).join(", "));
            paragraph(&mut text, field.doc, "  ");
        }
        None => {
            let _ = writeln!(text, "{kind} (tier {})\n", schema.tier);
            paragraph(&mut text, schema.record.doc, "  ");
            text.push('\n');
            for (label, fact) in facts(schema) {
                let _ = writeln!(text, "  {label:<13}{fact}");
            }
        }
    }
    list(&mut text, schema, record, &at);
    if found.is_none() && !schema.status.fields.is_empty() {
        text.push_str("\nATTRIBUTES (expressions can also read id, name and the fields)\n");
        for field in schema.status.fields {
            let _ = writeln!(text, "  {}: {}", field.name, field.ty.describe());
            paragraph(&mut text, field.doc, "      ");
        }
    }
    Ok(text)
}

/// Returns the manual's page of a kind, in Markdown.
pub fn manual(schema: &Schema) -> String {
    let mut text = format!("# {}\n\n{}\n\n| property | value |\n|---|---|\n", schema.kind, schema.record.doc);
    for (label, fact) in facts(schema) {
        let _ = writeln!(text, "| {label} | {} |", cell(&fact));
    }
    let _ = writeln!(text, "\n## Fields\n");
    table(&mut text, schema, schema.record, schema.kind);
    if !schema.status.fields.is_empty() {
        let _ = writeln!(
            text,
            "\n## Attributes\n\nExpressions can read these attributes in addition to `id`, `name` and the fields: \
             `${{{}.name.attribute}}`.\n",
            schema.kind
        );
        let _ = writeln!(text, "| attribute | type | description |\n|---|---|---|");
        for field in schema.status.fields {
            let _ = writeln!(text, "| `{}` | {} | {} |", field.name, cell(&field.ty.describe()), cell(field.doc));
        }
    }
    if !schema.write_only.is_empty() {
        let _ = writeln!(
            text,
            "\n## Write-only fields\n\nThese fields cannot be observed, so drift detection does not cover them.\n"
        );
        for (path, reason) in schema.write_only {
            let _ = writeln!(text, "- `{path}`: {reason}");
        }
    }
    text
}

const NO_FIELDS: Record = Record { name: "", doc: "", fields: &[] };

/// Lists the kinds by tier, each with the first line of its description.
fn kinds(registry: &Registry) -> String {
    let mut schemas: Vec<&Schema> = registry.0.to_vec();
    schemas.sort_by_key(|schema| (schema.tier, schema.kind));
    let mut text = String::new();
    for schema in schemas {
        let first = schema.record.doc.lines().next().unwrap_or_default();
        let _ = writeln!(text, "{:<11} {:<18} {first}", schema.tier, schema.kind);
    }
    text
}

/// Returns the properties of a kind as a whole.
fn facts(schema: &Schema) -> Vec<(&'static str, String)> {
    let naming = &schema.naming;
    let mut name = format!("at most {} characters", naming.limit);
    if naming.tag {
        name = "the tag `Name`".to_owned();
    }
    if !naming.prefix.is_empty() {
        let _ = write!(name, ", begins with `{}`", naming.prefix);
    }
    if naming.lowercase {
        name.push_str(", in lower case");
    }
    let idempotency = match schema.idempotency {
        Idempotency::ClientToken => "client token: a retry with the same token creates no second resource",
        Idempotency::UniqueName => "unique name: AWS refuses a second resource of the same name",
        Idempotency::FindByTags => "found by tags: after an unclear response, its tags are searched before a retry",
    };
    let ownership = match schema.ownership {
        Ownership::TagOnCreate => "tags".to_owned(),
        Ownership::CallerReference => "caller reference, then tags: the create call takes no tags".to_owned(),
        Ownership::EmbeddedMarker { .. } => "marker in its text: it has no tags".to_owned(),
        Ownership::ViaParent { field, key } => {
            let fields: Vec<String> = key.iter().map(|field| format!("`{field}`")).collect();
            let key = if fields.is_empty() { "name".to_owned() } else { fields.join(" and ") };
            format!("parent's tags: recorded by {key} in the tags of its `{field}`")
        }
    };
    let replacement = match schema.replacement {
        Replacement::CreateBeforeDestroy => "create before destroy".to_owned(),
        Replacement::DestroyBeforeCreate => "destroy before create: two cannot exist at once".to_owned(),
        Replacement::ByName => "create before destroy when the name changes, else destroy before create".to_owned(),
        Replacement::Revision { keep } => {
            format!("never: every change is a new revision; the last {keep} revisions are kept")
        }
    };
    let deletion = match schema.stateful {
        true => "retained by default, because it holds data; a deletion also needs `--delete-data`",
        false => "deleted when it leaves the document and pruning is granted",
    };
    vec![
        ("tier", schema.tier.to_string()),
        ("name", name),
        ("idempotency", idempotency.to_owned()),
        ("ownership", ownership),
        ("replacement", replacement),
        ("deletion", deletion.to_owned()),
        ("region", if schema.global { "none: the kind is global".to_owned() } else { "one".to_owned() }),
    ]
}

/// Returns the presence, immutability and other properties of a field, in words.
fn traits(field: &Field, write_only: Option<&str>) -> Vec<String> {
    let mut traits = vec![match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => "optional".to_owned(),
        Presence::ServerDefault => "optional, server default".to_owned(),
        Presence::Default(default) => format!("default {}", default().json()),
    }];
    if field.immutable {
        traits.push("immutable: a change requires a replacement".to_owned());
    }
    if let Type::AutoscaledCount { by, .. } = field.ty {
        traits.push(format!("controlled by a {by} between its minimum and maximum, when one exists"));
    }
    if let Some(reason) = write_only {
        traits.push(format!("write-only: {reason}"));
    }
    traits
}

/// Returns the reason why a field cannot be observed; none when it can. `at` is the kind and the field's path.
fn write_only(schema: &Schema, at: &str) -> Option<&'static str> {
    let path = at.split_once('.')?.1;
    schema.write_only.iter().find(|(field, _)| *field == path).map(|(_, reason)| *reason)
}

/// Returns the record of a type, or of the elements of a set, list or map.
fn inner(ty: &Type) -> Option<&'static Record> {
    match ty {
        Type::Record(record) => Some(record),
        Type::Set(of) | Type::List(of) | Type::Map(of) => inner(of),
        _ => None,
    }
}

fn list(text: &mut String, schema: &Schema, record: &Record, at: &str) {
    if record.fields.is_empty() {
        return;
    }
    text.push_str("\nFIELDS\n");
    for field in record.fields {
        let _ = writeln!(text, "  {}: {}", field.name, field.ty.describe());
        let path = format!("{at}.{}", field.name);
        let _ = writeln!(text, "      {}", traits(field, write_only(schema, &path)).join(", "));
        paragraph(text, field.doc, "      ");
    }
}

fn paragraph(text: &mut String, doc: &str, indent: &str) {
    for line in doc.lines() {
        let _ = writeln!(text, "{}", format!("{indent}{line}").trim_end());
    }
}

fn table(text: &mut String, schema: &Schema, record: &Record, at: &str) {
    let _ = writeln!(text, "| field | type | properties | description |\n|---|---|---|---|");
    for field in record.fields {
        let path = format!("{at}.{}", field.name);
        let traits = traits(field, write_only(schema, &path)).join("; ");
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            field.name,
            cell(&field.ty.describe()),
            cell(&traits),
            cell(field.doc)
        );
    }
    for field in record.fields {
        if let Some(record) = inner(&field.ty) {
            let path = format!("{at}.{}", field.name);
            let _ = writeln!(text, "\n### {path}\n\n{}\n", record.doc);
            table(text, schema, record, &path);
        }
    }
}

/// Escapes text for one cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests;
