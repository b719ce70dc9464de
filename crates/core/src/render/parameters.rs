//! Parameters: declared by a stack or component, with values from an environment or from the component's use.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Location, either, suggest, words};
use crate::load::file::{Body, Kind, Parameter};
use crate::load::node::{Key, Node};
use crate::load::reader::QUOTE;
use crate::render::RenderContext;
use crate::render::evaluate::{evaluate_node, evaluate_tree};
use crate::render::frame::Frame;
use crate::value::Value;

/// The parameter values of a stack or a component.
pub(super) struct Given<'g> {
    /// The values, as written in the environment or in the component's use.
    pub(super) entries: &'g [(Key, Node)],
    /// The frame in which the values are evaluated.
    pub(super) frame: &'g Frame,
    /// The location of an error about a missing parameter.
    pub(super) at: Location,
    /// The name of the stack or component in errors: "the component `network`".
    pub(super) what: String,
    /// The help for a missing parameter.
    pub(super) help: &'static str,
}

/// Returns the frame inside a stack or component: `inside` with the evaluated parameters.
pub(super) fn bind_parameters(ctx: &mut RenderContext<'_>, body: &Body, given: &Given<'_>, inside: Frame) -> Frame {
    let declared = &body.parameters;
    for (key, _) in given.entries.iter().filter(|(key, _)| !body.refused.contains(&key.name)) {
        if !declared.iter().any(|parameter| parameter.name == key.name) {
            let known = declared.iter().map(|parameter| parameter.name.as_str());
            let names: Vec<&str> = known.clone().collect();
            let help = suggest(&key.name, known).unwrap_or_else(|| match names.is_empty() {
                true => "it has no parameters".to_owned(),
                false => format!("its parameters are {}", words(&names)),
            });
            let message = format!("{} has no parameter `{}`", given.what, key.name);
            ctx.out.push(Diagnostic::new(&key.at, message).help(help));
        }
    }
    let mut params = BTreeMap::new();
    let mut namespaces = BTreeMap::new();
    let mut refused: BTreeSet<String> = body.refused.iter().cloned().collect();
    for parameter in declared {
        let stated = given.entries.iter().find(|(key, _)| key.name == parameter.name).map(|(_, node)| node);
        let found = match (stated, &parameter.default) {
            (Some(node), _) => evaluate_argument(ctx, parameter, node, given.frame),
            (None, Some(default)) => {
                // A default can use the parameters declared above it.
                let above = Frame {
                    params: Rc::new(params.clone()),
                    namespaces: Rc::new(namespaces.clone()),
                    refused: Rc::new(refused.clone()),
                    ..inside.clone()
                };
                evaluate_argument(ctx, parameter, default, &above)
            }
            (None, None) => {
                let message = format!("{} needs the parameter `{}`", given.what, parameter.name);
                let about = if parameter.description.is_empty() {
                    format!("{}; it is {}", given.help, parameter.ty.describe())
                } else {
                    format!("{}; it is {}: {}", given.help, parameter.ty.describe(), parameter.description)
                };
                ctx.out.push(Diagnostic::new(&given.at, message).help(about));
                None
            }
        };
        match found {
            Some((value, namespace)) => {
                params.insert(parameter.name.clone(), value);
                namespaces.insert(parameter.name.clone(), namespace);
            }
            None => {
                refused.insert(parameter.name.clone());
            }
        }
    }
    Frame { params: Rc::new(params), namespaces: Rc::new(namespaces), refused: Rc::new(refused), ..inside }
}

fn evaluate_argument(
    ctx: &mut RenderContext<'_>,
    parameter: &Parameter,
    node: &Node,
    frame: &Frame,
) -> Option<(Value, String)> {
    let (node, namespace) = evaluate_node(ctx, node, frame, &frame.component)?;
    let value = evaluate_tree(ctx, &node, frame)?;
    let value = match typed(value, parameter.ty) {
        Ok(value) => value,
        Err(found) => {
            let (name, expected) = (&parameter.name, parameter.ty.describe());
            let message = format!("the parameter `{name}` must be {expected}, but this is {found}");
            let scalar = !matches!(found, "a list" | "a map");
            let help = (parameter.ty == Kind::Text && scalar).then(|| QUOTE.to_owned());
            ctx.out.push(Diagnostic::new(&node.at, message).help_if(help));
            return None;
        }
    };
    if !parameter.allowed.is_empty() && !parameter.allowed.contains(&value) && !matches!(value, Value::Deferred(_)) {
        let known: Vec<String> = parameter.allowed.iter().map(ToString::to_string).collect();
        let message = format!("the parameter `{}` must be {}", parameter.name, either(&known));
        let help = value.text().and_then(|text| suggest(text, known.iter().map(String::as_str)));
        ctx.out.push(Diagnostic::new(&node.at, message).label(format!("`{value}` is not allowed")).help_if(help));
        return None;
    }
    Some((value, namespace))
}

/// Converts a value to the type, or returns the value's own type. Null is valid for every type: the parameter is then
/// null.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the number has no fraction and is small enough"
)]
fn typed(value: Value, ty: Kind) -> Result<Value, &'static str> {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    match (ty, value) {
        (_, value @ (Value::Deferred(_) | Value::Null))
        | (Kind::Text, value @ Value::Text(_))
        | (Kind::Integer, value @ Value::Integer(_))
        | (Kind::Number, value @ Value::Number(_))
        | (Kind::Bool, value @ Value::Bool(_))
        | (Kind::List, value @ Value::List(_))
        | (Kind::Map, value @ Value::Map(_)) => Ok(value),
        (Kind::Number, Value::Integer(n)) => Ok(Value::Number(n as f64)),
        (Kind::Integer, Value::Number(n)) if n.fract() == 0.0 && n.abs() < WHOLE => Ok(Value::Integer(n as i64)),
        (_, other) => Err(describe(&other)),
    }
}

/// Returns the type of a value, for errors.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Integer(_) => "a whole number",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Secret(_) => "a secret",
        Value::Reference(_) | Value::Deferred(_) | Value::Unknown(_) => "not known yet",
    }
}
