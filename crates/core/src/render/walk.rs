//! The typed position: converts a tree to a value by the field table of its kind, and reports type errors.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Location, either, suggest, words};
use crate::expression::{is_deferred, plain_text, whole};
use crate::load::node::{Key, Node, Tree};
use crate::load::reader::QUOTE;
use crate::render::RenderContext;
use crate::render::constraint;
use crate::render::evaluate::{evaluate_node, evaluate_tree};
use crate::render::position::Position;
use crate::render::reads::defer;
use crate::render::reference::{known_string, resolve_pattern, resolve_reference};
use crate::schema::{Field, Presence, Record, Type, with_article};
use crate::value::{Secret, SecretSource, Value};

/// Converts a node to its type; none after the error was reported.
fn convert(ctx: &mut RenderContext<'_>, node: &Node, ty: &Type, position: Position<'_>) -> Option<Value> {
    let (node, namespace) = evaluate_node(ctx, node, position.frame, position.namespace)?;
    let position = Position { namespace: &namespace, ..position };
    if let Tree::Deferred(deferred) = &node.tree {
        return Some(defer(ctx, &Value::Deferred(deferred.clone()), &node.at));
    }
    match (ty, &node.tree) {
        (Type::Bool, Tree::Bool(b)) => Some(Value::Bool(*b)),
        (Type::Integer | Type::AutoscaledCount { .. }, Tree::Integer(n)) => Some(Value::Integer(*n)),
        (Type::Integer | Type::AutoscaledCount { .. }, Tree::Number(n)) if node.plain => {
            whole(*n).or_else(|| report_mismatch(ctx, &node, ty, position))
        }
        #[expect(clippy::cast_precision_loss, reason = "the numbers of AWS's fields are far below 2^53")]
        (Type::Number, Tree::Integer(n)) => Some(Value::Number(*n as f64)),
        (Type::Number, Tree::Number(n)) => Some(Value::Number(*n)),
        (Type::Text, Tree::Text(text)) => Some(Value::Text(text.clone())),
        // The result of an expression cannot be put in quotes, so a scalar is converted to a string.
        (Type::Text, Tree::Integer(_) | Tree::Number(_) | Tree::Bool(_)) if node.plain => {
            Some(plain_text(&node.value()).into())
        }
        (Type::Choice(known), Tree::Text(text)) => convert_choice(ctx, text, known, &node, position),
        (Type::Reference { .. }, Tree::Text(_) | Tree::Map(_)) => resolve_reference(ctx, &node, ty, position),
        (Type::Canonical { canonical, name }, _) => convert_canonical(ctx, &node, name, *canonical, position),
        (Type::Secret, Tree::Map(entries)) => convert_secret(ctx, entries, &node, position),
        (Type::Set(of), Tree::List(list)) => {
            let mut set: Vec<Value> = Vec::new();
            for value in convert_elements(ctx, list, of, position)? {
                if !set.contains(&value) {
                    set.push(value);
                }
            }
            Some(Value::List(set))
        }
        (Type::List(of), Tree::List(list)) => convert_elements(ctx, list, of, position).map(Value::List),
        (Type::Map(of), Tree::Map(entries)) => convert_map(ctx, entries, of, position),
        (Type::Record(record), Tree::Map(entries)) => convert_record(ctx, record, entries, &node.at, position),
        _ => report_mismatch(ctx, &node, ty, position),
    }
}

/// Converts the fields of a record, with defaults filled in.
pub(super) fn convert_record(
    ctx: &mut RenderContext<'_>,
    record: &Record,
    entries: &[(Key, Node)],
    at: &Location,
    position: Position<'_>,
) -> Option<Value> {
    let mut values = BTreeMap::new();
    let mut valid = true;
    for (key, node) in entries {
        let Some(field) = record.field(&key.name) else {
            report_unknown_field(ctx, key, record);
            valid = false;
            continue;
        };
        match convert_field(ctx, field, node, position) {
            Some(value) => drop(values.insert(field.name.to_owned(), value)),
            None => valid = false,
        }
    }
    for field in record.fields.iter().filter(|_| !position.lookup) {
        if entries.iter().any(|(key, _)| key.name == field.name) {
            continue;
        }
        match field.presence {
            Presence::Required => {
                let about = field.doc.lines().next().unwrap_or_default();
                let message = format!("{} needs `{}`", position.field, field.name);
                let help = format!("`{}` is {}: {about}", field.name, field.ty.describe());
                ctx.out.push(Diagnostic::new(at, message).help(help.trim_end_matches([':', ' '])));
                valid = false;
            }
            Presence::Optional | Presence::ServerDefault => {}
            Presence::Default(default) => drop(values.insert(field.name.to_owned(), default())),
        }
    }
    valid.then_some(Value::Map(values))
}

fn convert_field(ctx: &mut RenderContext<'_>, field: &Field, node: &Node, position: Position<'_>) -> Option<Value> {
    let (node, namespace) = evaluate_node(ctx, node, position.frame, position.namespace)?;
    let name = format!("`{}`", field.name);
    let position = position.below(field.name);
    let value = match node.tree {
        Tree::Null => Value::Null,
        _ => convert(ctx, &node, &field.ty, Position { field: &name, namespace: &namespace, ..position })?,
    };
    match (value, field.presence) {
        (Value::Null, Presence::Default(default)) => Some(default()),
        (Value::Null, Presence::Required) => {
            let message = format!("{name} cannot be null");
            let help = format!("the field is required: write {}", field.ty.describe());
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            None
        }
        (Value::Null, _) if !field.is_nullable() && !position.lookup => {
            let message = format!("{name} cannot be null");
            let help = match field.immutable {
                true => "AWS chooses the value of this field once: write the value, or remove the field",
                false => "AWS always returns a value for this field: write the value, or remove the field",
            };
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            None
        }
        (value, _) if position.accepted => Some(value),
        (value, _) => {
            let errors = constraint::errors(field, &value, &node);
            let valid = errors.is_empty();
            errors.into_iter().for_each(|error| ctx.out.push(error));
            valid.then_some(value)
        }
    }
}

fn convert_elements(
    ctx: &mut RenderContext<'_>,
    list: &[Node],
    of: &Type,
    position: Position<'_>,
) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    let mut valid = true;
    for item in list {
        let Some((node, namespace)) = evaluate_node(ctx, item, position.frame, position.namespace) else {
            valid = false;
            continue;
        };
        let position = Position { namespace: &namespace, ..position };
        let found = match (&node.tree, of) {
            // A nested list is flattened when the element type is not a list: `[a, ${params.more}]`.
            (Tree::List(inner), of)
                if node.plain && !matches!(of, Type::List(_) | Type::Set(_) | Type::Canonical { .. }) =>
            {
                convert_elements(ctx, inner, of, position)
            }
            (Tree::Text(pattern), Type::Reference { .. }) if pattern.contains('*') => {
                resolve_pattern(ctx, pattern, &node.at, of, position)
            }
            _ => convert(ctx, &node, of, position).map(|value| vec![value]),
        };
        match found {
            Some(found) => values.extend(found.into_iter().filter(|value| *value != Value::Null)),
            None => valid = false,
        }
    }
    valid.then_some(values)
}

fn convert_map(
    ctx: &mut RenderContext<'_>,
    entries: &[(Key, Node)],
    of: &Type,
    position: Position<'_>,
) -> Option<Value> {
    let mut values = BTreeMap::new();
    let mut valid = true;
    for (key, node) in entries {
        let Some((node, namespace)) = evaluate_node(ctx, node, position.frame, position.namespace) else {
            valid = false;
            continue;
        };
        // A null value removes the entry, so that a patch can remove one.
        if matches!(node.tree, Tree::Null) {
            continue;
        }
        let name = format!("`{}`", key.name);
        match convert(ctx, &node, of, Position { field: &name, namespace: &namespace, ..position }) {
            Some(value) => drop(values.insert(key.name.clone(), value)),
            None => valid = false,
        }
    }
    valid.then_some(Value::Map(values))
}

fn convert_choice(
    ctx: &mut RenderContext<'_>,
    text: &str,
    known: &[&str],
    node: &Node,
    position: Position<'_>,
) -> Option<Value> {
    if known.contains(&text) {
        return Some(text.into());
    }
    let message = format!("{} must be {}, but this is `{text}`", position.field, either(known));
    ctx.out.push(Diagnostic::new(&node.at, message).help_if(suggest(text, known.iter().copied())));
    None
}

/// Returns the source of a secret value. The value itself is not read here.
fn convert_secret(
    ctx: &mut RenderContext<'_>,
    entries: &[(Key, Node)],
    node: &Node,
    position: Position<'_>,
) -> Option<Value> {
    let source = match entries {
        [(key, node)] if key.name == "env" => SecretSource::Env(known_string(ctx, node, position.frame)?),
        [(key, node)] if key.name == "file" => {
            let path = known_string(ctx, node, position.frame)?;
            ctx.secret_files.push((path.clone(), node.at.clone()));
            SecretSource::File(path)
        }
        _ => return report_mismatch(ctx, node, &Type::Secret, position),
    };
    Some(Value::Secret(Secret { source, version: None }))
}

fn convert_canonical(
    ctx: &mut RenderContext<'_>,
    node: &Node,
    name: &str,
    canonical: fn(&Value) -> Result<Value, String>,
    position: Position<'_>,
) -> Option<Value> {
    if matches!(node.tree, Tree::Null) {
        let message = format!("{} must be {}, but this is null", position.field, with_article(name));
        ctx.out.push(Diagnostic::new(&node.at, message));
        return None;
    }
    let value = evaluate_tree(ctx, node, position.frame)?;
    let value = if is_deferred(&value) { defer(ctx, &value, &node.at) } else { value };
    if !is_deferred(&value)
        && let Err(message) = canonical(&value)
    {
        ctx.out.push(Diagnostic::new(&node.at, message));
        return None;
    }
    Some(value)
}

fn report_unknown_field(ctx: &mut RenderContext<'_>, key: &Key, record: &Record) {
    let names: Vec<&str> = record.fields.iter().map(|field| field.name).collect();
    let help = suggest(&key.name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
        true => format!("{} has no fields", with_article(record.name)),
        false => format!("the fields of {} are {}", with_article(record.name), words(&names)),
    });
    let message = format!("unknown field `{}` in {}", key.name, record.name);
    ctx.out.push(Diagnostic::new(&key.at, message).help(help));
}

fn report_mismatch(ctx: &mut RenderContext<'_>, node: &Node, ty: &Type, position: Position<'_>) -> Option<Value> {
    let message = format!("{} must be {}, but this is {}", position.field, ty.describe(), node.describe());
    let help = match (ty, &node.tree) {
        (Type::Text | Type::Choice(_), Tree::Integer(_) | Tree::Number(_) | Tree::Bool(_)) => Some(QUOTE.to_owned()),
        (Type::Integer | Type::AutoscaledCount { .. } | Type::Number | Type::Bool, Tree::Text(_)) => {
            Some("write the value without quotes".to_owned())
        }
        (Type::Set(_) | Type::List(_), tree) if !matches!(tree, Tree::Map(_) | Tree::Null) => {
            Some("put the value in brackets: `[…]`".to_owned())
        }
        _ => None,
    };
    ctx.out.push(Diagnostic::new(&node.at, message).help_if(help));
    None
}
