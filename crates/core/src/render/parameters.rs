//! Parameters: declared by a stack or component, given by an environment or by the component's use.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::load::file::{Body, Kind, Parameter};
use crate::load::node::{Key, Node};
use crate::load::reader::words;
use crate::render::Renderer;
use crate::render::scope::Scope;
use crate::value::Value;

/// What a stack or a component is given.
pub(crate) struct Given<'g> {
    /// The values, as the environment or the use states them.
    pub(crate) entries: &'g [(Key, Node)],
    /// Where those values are evaluated.
    pub(crate) scope: &'g Scope,
    /// Where it is said that something is missing.
    pub(crate) at: Location,
    /// Who it is that needs them: "the component `network`".
    pub(crate) what: String,
    /// The way out when something is missing.
    pub(crate) help: &'static str,
}

impl Renderer<'_> {
    /// The scope inside a stack or component: `inside` with its parameters evaluated.
    pub(crate) fn bind(&mut self, body: &Body, given: &Given<'_>, inside: Scope) -> Scope {
        let declared = &body.parameters;
        for (key, _) in given.entries.iter().filter(|(key, _)| !body.refused.contains(&key.name)) {
            if !declared.iter().any(|parameter| parameter.name == key.name) {
                let known = declared.iter().map(|parameter| parameter.name.as_str());
                let names: Vec<&str> = known.clone().collect();
                let help = suggest(&key.name, known).unwrap_or_else(|| format!("it knows {}", words(&names)));
                let message = format!("{} has no parameter `{}`", given.what, key.name);
                self.out.push(Diagnostic::new(&key.at, message).help(help));
            }
        }
        let mut params = BTreeMap::new();
        let mut origins = BTreeMap::new();
        let mut refused: BTreeSet<String> = body.refused.iter().cloned().collect();
        for parameter in declared {
            let stated = given.entries.iter().find(|(key, _)| key.name == parameter.name).map(|(_, node)| node);
            let found = match (stated, &parameter.default) {
                (Some(node), _) => self.argument(parameter, node, given.scope),
                (None, Some(default)) => {
                    // A default may use the parameters declared above it.
                    let above = Scope {
                        params: Rc::new(params.clone()),
                        origins: Rc::new(origins.clone()),
                        refused: Rc::new(refused.clone()),
                        ..inside.clone()
                    };
                    self.argument(parameter, default, &above)
                }
                (None, None) => {
                    let message = format!("{} needs the parameter `{}`", given.what, parameter.name);
                    let about = if parameter.description.is_empty() {
                        format!("{}; it is {}", given.help, parameter.ty.words())
                    } else {
                        format!("{}; it is {}: {}", given.help, parameter.ty.words(), parameter.description)
                    };
                    self.out.push(Diagnostic::new(&given.at, message).help(about));
                    None
                }
            };
            match found {
                Some((value, origin)) => {
                    params.insert(parameter.name.clone(), value);
                    origins.insert(parameter.name.clone(), origin);
                }
                None => {
                    refused.insert(parameter.name.clone());
                }
            }
        }
        Scope { params: Rc::new(params), origins: Rc::new(origins), refused: Rc::new(refused), ..inside }
    }

    fn argument(&mut self, parameter: &Parameter, node: &Node, scope: &Scope) -> Option<(Value, String)> {
        let (node, origin) = self.evaluated(node, scope, &scope.component)?;
        let value = self.untyped(&node, scope)?;
        let value = match typed(value, parameter.ty) {
            Ok(value) => value,
            Err(found) => {
                let message =
                    format!("the parameter `{}` is {}, and this is {found}", parameter.name, parameter.ty.words());
                let scalar = !matches!(found, "a list" | "a map");
                let help = (parameter.ty == Kind::Text && scalar).then(|| "put it in quotes".to_owned());
                self.out.push(Diagnostic::new(&node.at, message).help_if(help));
                return None;
            }
        };
        if !parameter.allowed.is_empty() && !parameter.allowed.contains(&value) && !matches!(value, Value::Deferred(_))
        {
            let known: Vec<String> = parameter.allowed.iter().map(ToString::to_string).collect();
            let message = format!("the parameter `{}` is one of {}", parameter.name, words(&known));
            let help = value.text().and_then(|text| suggest(text, known.iter().map(String::as_str)));
            self.out.push(Diagnostic::new(&node.at, message).label(format!("`{value}` is not")).help_if(help));
            return None;
        }
        Some((value, origin))
    }
}

/// The value as its type has it, or what it is instead. Null passes: the parameter's default is then null.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "checked to be whole and small enough"
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

/// What a value is, for errors.
pub(crate) fn describe(value: &Value) -> &'static str {
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
