//! Explain: what a kind or field is, for people, from the same table that everything else reads.

use std::fmt::Write as _;

use crate::diagnostic::suggest;
use crate::schema::{Claim, CreateClass, Field, Presence, Record, Registry, Replace, Schema, Type};

/// A path that means no kind or field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{name}`{}", help.as_deref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct ExplainError {
    what: String,
    name: String,
    help: Option<String>,
}

/// What `Kind` or `Kind.field.sub` is, as text for a terminal. An empty path lists the kinds.
///
/// # Errors
/// Says which part of the path there is not, and what was perhaps meant.
pub fn explain(registry: &Registry, path: &str) -> Result<String, ExplainError> {
    if path.is_empty() {
        return Ok(kinds(registry));
    }
    let mut steps = path.split('.');
    let kind = steps.next().unwrap_or_default();
    let schema = registry.get(kind).ok_or_else(|| ExplainError {
        what: "kind".into(),
        name: kind.to_owned(),
        help: suggest(kind, registry.kinds()),
    })?;
    let mut record = schema.record;
    let mut at = kind.to_owned();
    let mut found: Option<&Field> = None;
    for step in steps {
        let field = record.field(step).ok_or_else(|| ExplainError {
            what: format!("field of {at}"),
            name: step.to_owned(),
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
            let _ = writeln!(text, "{}\n", traits(field, unobserved(schema, &at)).join(", "));
            paragraph(&mut text, field.doc, "  ");
        }
        None => {
            let _ = writeln!(text, "{kind} (tier {})\n", schema.tier);
            paragraph(&mut text, schema.record.doc, "  ");
            text.push('\n');
            for (label, fact) in facts(schema) {
                let _ = writeln!(text, "  {label:<10}{fact}");
            }
        }
    }
    list(&mut text, schema, record, &at);
    if found.is_none() && !schema.status.fields.is_empty() {
        text.push_str("\nATTRIBUTES (what expressions can read besides: id, name, and the fields)\n");
        for field in schema.status.fields {
            let _ = writeln!(text, "  {}: {}", field.name, field.ty.describe());
            paragraph(&mut text, field.doc, "      ");
        }
    }
    Ok(text)
}

/// The manual's page of a kind, in Markdown.
pub fn manual(schema: &Schema) -> String {
    let mut text = format!("# {}\n\n{}\n\n| | |\n|---|---|\n", schema.kind, schema.record.doc);
    for (label, fact) in facts(schema) {
        let _ = writeln!(text, "| {label} | {} |", cell(&fact));
    }
    let _ = writeln!(text, "\n## Fields\n");
    table(&mut text, schema, schema.record, schema.kind);
    if !schema.status.fields.is_empty() {
        let _ = writeln!(
            text,
            "\n## Attributes\n\nExpressions read these beside `id`, `name` and the fields: `${{{}.name.attribute}}`.\n",
            schema.kind
        );
        let _ = writeln!(text, "| attribute | type | |\n|---|---|---|");
        for field in schema.status.fields {
            let _ = writeln!(text, "| `{}` | {} | {} |", field.name, cell(&field.ty.describe()), cell(field.doc));
        }
    }
    if !schema.unobserved.is_empty() {
        let _ = writeln!(text, "\n## Not covered by drift\n");
        for (path, reason) in schema.unobserved {
            let _ = writeln!(text, "- `{path}`: {reason}");
        }
    }
    text
}

const NO_FIELDS: Record = Record { name: "", doc: "", fields: &[] };

/// The kinds by tier, with the first line of what they are.
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

/// What holds for a kind as a whole.
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
    let made = match schema.class {
        CreateClass::Token => "with a client token, so that a second attempt makes no second one",
        CreateClass::Name => "under its name, which AWS gives out once",
        CreateClass::Lookup => "with a new id; after an unclear answer it is looked for by its tags",
    };
    let claimed = match schema.claim {
        Claim::AtCreate => "by its tags".to_owned(),
        Claim::Intent => "by its caller reference, and by its tags once it has them".to_owned(),
        Claim::Mark { .. } => "by a mark in its text: it has no tags".to_owned(),
        Claim::Parent { field, key: [] } => format!("by its name under its `{field}`"),
        Claim::Parent { field, key } => format!("by {} under its `{field}`", key.join(", ")),
    };
    let replaced = match schema.replace {
        Replace::CreateFirst => "the new one first, then the old one goes".to_owned(),
        Replace::DeleteFirst => "the old one first: two cannot be there at once".to_owned(),
        Replace::ByName => "the new one first where its name changes; else the old one first".to_owned(),
        Replace::Revision { keep } => format!("never: every change is a new revision; the last {keep} stay"),
    };
    let deleted = match schema.data {
        true => "retained unless `onDelete: delete`: it holds data",
        false => "when it left the document and pruning is granted",
    };
    vec![
        ("tier", schema.tier.to_string()),
        ("name", name),
        ("made", made.to_owned()),
        ("owned", claimed),
        ("replaced", replaced),
        ("deleted", deleted.to_owned()),
        ("region", if schema.global { "none: it is global".to_owned() } else { "one".to_owned() }),
    ]
}

/// Presence, immutability and the rest, in words.
fn traits(field: &Field, unobserved: Option<&str>) -> Vec<String> {
    let mut traits = vec![match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => "optional".to_owned(),
        Presence::Always => "optional, never null".to_owned(),
        Presence::Default(default) => format!("default {}", default().json()),
    }];
    if field.immutable {
        traits.push("immutable: a change means replacement".to_owned());
    }
    if let Type::Scaled { by, .. } = field.ty {
        traits.push(format!("left to the {by} inside its band, once there is one"));
    }
    if let Some(reason) = unobserved {
        traits.push(format!("not observed: {reason}"));
    }
    traits
}

/// Why a field cannot be observed, by its path behind the kind.
fn unobserved(schema: &Schema, at: &str) -> Option<&'static str> {
    let path = at.split_once('.')?.1;
    schema.unobserved.iter().find(|(field, _)| *field == path).map(|(_, reason)| *reason)
}

/// The record inside a type, through lists and maps.
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
        let _ = writeln!(text, "      {}", traits(field, unobserved(schema, &path)).join(", "));
        paragraph(text, field.doc, "      ");
    }
}

fn paragraph(text: &mut String, doc: &str, indent: &str) {
    for line in doc.lines() {
        let _ = writeln!(text, "{}", format!("{indent}{line}").trim_end());
    }
}

fn table(text: &mut String, schema: &Schema, record: &Record, at: &str) {
    let _ = writeln!(text, "| field | type | | |\n|---|---|---|---|");
    for field in record.fields {
        let path = format!("{at}.{}", field.name);
        let traits = traits(field, unobserved(schema, &path)).join("; ");
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

/// Text that stays in one cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests;
