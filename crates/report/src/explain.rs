//! Explain: the description of a kind or field for people, from the schema.

use std::fmt::Write as _;

use holdfast_core::diagnostic::suggest;
use holdfast_core::schema::{
    Comparison, Constraint, Field, Idempotency, Literal, Ownership, Presence, Record, Registry, Replacement, Schema,
    Type,
};
use holdfast_core::value::Value;

use crate::common;

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
    let mut found: Option<&'static Field> = None;
    let mut at = kind.to_owned();
    for step in steps {
        let known: Vec<&'static Field> = match found {
            Some(field) => inner(&field.ty).map(|record| record.fields.iter().collect()).unwrap_or_default(),
            None => {
                schema.record.fields.iter().chain(common::fields(schema)).chain(common::attributes(schema)).collect()
            }
        };
        let field = *known.iter().find(|field| field.name == step).ok_or_else(|| ExplainError {
            message: format!("`{at}` has no field `{step}`"),
            help: suggest(step, known.iter().map(|field| field.name)),
        })?;
        at = format!("{at}.{step}");
        found = Some(field);
    }
    let mut text = String::new();
    let Some(field) = found else {
        let _ = writeln!(text, "{kind} (tier {})\n", schema.tier);
        paragraph(&mut text, schema.record.doc, "  ");
        text.push('\n');
        for (label, fact) in facts(schema) {
            let _ = writeln!(text, "  {label:<13}{fact}");
        }
        list(&mut text, "FIELDS", schema, schema.record.fields, &at);
        list(&mut text, "FIELDS OF EVERY KIND", schema, common::fields(schema), &at);
        text.push_str("\nATTRIBUTES (expressions read them, and the fields, as `${");
        let _ = writeln!(text, "{kind}.<name>.<attribute>}}`)");
        for field in common::attributes(schema) {
            let _ = writeln!(text, "  {}: {}", field.name, field.ty.describe());
            paragraph(&mut text, field.doc, "      ");
        }
        return Ok(text);
    };
    let _ = writeln!(text, "{at}: {}", field.ty.describe());
    let _ = writeln!(text, "{}\n", traits(field, write_only(schema, &at)).join(", "));
    paragraph(&mut text, field.doc, "  ");
    for constraint in field.constraints {
        if let Constraint::OneOf(values) = constraint {
            let _ = writeln!(text, "\nVALUES\n  {}", values.join("\n  "));
        }
    }
    list(&mut text, "FIELDS", schema, inner(&field.ty).map_or(&[][..], |record| record.fields), &at);
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
    let common: Vec<String> = common::fields(schema).map(|field| format!("`{}`", field.name)).collect();
    let _ = writeln!(
        text,
        "\n## Fields of every kind\n\n{} are described in [documents](../documents.md#resources).",
        common.join(", ")
    );
    let _ = writeln!(
        text,
        "\n## Attributes\n\nExpressions can read these attributes, and the fields: `${{{}.name.attribute}}`.\n",
        schema.kind
    );
    let _ = writeln!(text, "| attribute | type | description |\n|---|---|---|");
    for field in common::attributes(schema) {
        let _ = writeln!(text, "| `{}` | {} | {} |", field.name, cell(&field.ty.describe()), cell(field.doc));
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

/// Lists the kinds by name, each with its tier and summary.
fn kinds(registry: &Registry) -> String {
    let width = registry.kinds().map(str::len).max().unwrap_or_default();
    let line =
        |schema: &&Schema| format!("{:<width$}  {:<10}  {}\n", schema.kind, schema.tier, schema.record.summary());
    registry.0.iter().map(line).collect()
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

/// Returns how a field is compared, in words.
fn comparison(comparison: Comparison) -> impl Iterator<Item = String> {
    let Comparison { spelling, when, upgraded_by, implied } = comparison;
    let spelling = spelling.map(|spelling| spelling.to_string());
    let when = when.map(|when| format!("compared only while {when}"));
    let upgraded = upgraded_by.map(|by| format!("a later minor version is equal unless `{by}` is false"));
    let implied = implied.map(|other| format!("the value of `{other}` makes no difference"));
    [spelling, when, upgraded, implied].into_iter().flatten()
}

/// Returns the presence, immutability and other properties of a field, in words.
fn traits(field: &Field, write_only: Option<&str>) -> Vec<String> {
    let mut traits = vec![match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => "optional".to_owned(),
        Presence::ServerDefault => "optional, server default".to_owned(),
        Presence::Default(default) => format!("default {}", default().json()),
    }];
    match field.server_default {
        Some(Literal::Null) => traits.push("AWS's default is no value".to_owned()),
        Some(default) => traits.push(format!("AWS's default is {}", Value::from(default).json())),
        None => {}
    }
    if field.immutable && matches!(field.presence, Presence::Optional) && !field.is_nullable() {
        traits.push("never null".to_owned());
    }
    let is_collection = matches!(field.ty, Type::Set(_) | Type::List(_) | Type::Map(_));
    for constraint in field.constraints {
        let each = if is_collection && constraint.is_for_elements() { "each element must" } else { "must" };
        traits.push(format!("{each} {constraint}"));
    }
    if field.immutable {
        let except = field.in_place.map(|value| format!(", except a change to {}", Value::from(value).json()));
        traits.push(format!("immutable: a change requires a replacement{}", except.unwrap_or_default()));
    }
    traits.extend(comparison(field.comparison));
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

fn list(text: &mut String, title: &str, schema: &Schema, fields: impl IntoIterator<Item = &'static Field>, at: &str) {
    let mut title = Some(title);
    for field in fields {
        if let Some(title) = title.take() {
            let _ = writeln!(text, "\n{title}");
        }
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

/// Returns Markdown of Holdfast's own documentation for one cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests;
