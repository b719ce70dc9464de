//! The constraints of fields: errors for values that AWS refuses, each at the line of the value.

use crate::diagnostic::{Diagnostic, Location};
use crate::load::node::{Node, Tree};
use crate::schema::{Constraint, Field, Type};
use crate::value::Value;

/// The way out when AWS knows more values than this build, or has raised a quota.
const ACCEPT: &str = "change the value, or name the field in `lifecycle: { accept: […] }` if AWS accepts the value";

/// Returns the errors of a field's value. A value that is not known yet has no errors.
pub(super) fn errors(field: &Field, value: &Value, node: &Node) -> Vec<Diagnostic> {
    let mut errors = vec![];
    for constraint in field.constraints {
        match (field.ty, value) {
            (Type::Set(_) | Type::List(_), Value::List(values)) if constraint.is_for_elements() => {
                let places = places(node, values.len());
                let each = values.iter().zip(places);
                errors.extend(each.filter_map(|(value, at)| error(&element(field), constraint, value, at)));
            }
            (Type::Map(_), Value::Map(values)) if constraint.is_for_elements() => {
                let each = values.values();
                errors.extend(each.filter_map(|value| error(&element(field), constraint, value, &node.at)));
            }
            _ => errors.extend(error(&format!("`{}`", field.name), constraint, value, &node.at)),
        }
    }
    errors
}

/// Returns the place of each element, or the place of the list when its elements were flattened or merged.
fn places(list: &Node, count: usize) -> Vec<&Location> {
    match &list.tree {
        Tree::List(items) if items.len() == count => items.iter().map(|item| &item.at).collect(),
        _ => vec![&list.at; count],
    }
}

fn element(field: &Field) -> String {
    format!("an element of `{}`", field.name)
}

fn error(subject: &str, constraint: &Constraint, value: &Value, at: &Location) -> Option<Diagnostic> {
    let refusal = constraint.check(value).err()?;
    let help = refusal.help.unwrap_or_else(|| ACCEPT.into());
    Some(Diagnostic::new(at, format!("{subject} {}", refusal.message)).help(help))
}
