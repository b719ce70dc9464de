//! The evaluation of strings and whole trees in a frame.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::expression::{Code, ExpressionError, Template, Use, is_deferred, run};
use crate::load::node::{Node, Tree};
use crate::render::RenderContext;
use crate::render::budget::charge;
use crate::render::frame::Frame;
use crate::render::reads::defer;
use crate::value::{Deferred, Value};

/// The result of evaluating a string.
pub(super) enum Evaluated {
    /// The string contains no template.
    Same,
    /// A value, which may have deferred parts, and the component in which its names are resolved.
    Value(Value, String),
    /// An error, which was reported.
    Refused,
}

/// Evaluates the template of a string, or defers it when it reads resources.
fn evaluate(ctx: &mut RenderContext<'_>, text: &str, at: &Location, frame: &Frame) -> Evaluated {
    let template = match parse_template(ctx, text) {
        Ok(None) => return Evaluated::Same,
        Ok(Some(template)) => template,
        Err(error) => return refuse(ctx, at, &error),
    };
    for code in template.codes() {
        for used in &code.uses {
            match check_root(ctx, used, code, frame) {
                Ok(true) => {}
                Ok(false) => return Evaluated::Refused,
                Err(error) => return refuse(ctx, at, &error),
            }
        }
    }
    let namespace = frame.namespace(&template);
    if let Some(value) = template.single().and_then(Code::path).and_then(|path| frame.at(&path)) {
        return within_budget(ctx, value, namespace, at);
    }
    let mut bindings = BTreeMap::new();
    template.uses().for_each(|used| frame.bind(used, &mut bindings));
    let bound = bindings.values().map(Value::weight).fold(0, usize::saturating_add);
    if !charge(ctx, bound, at) {
        return Evaluated::Refused;
    }
    let is_kind = |used: &Use| ctx.registry.get(&used.root).is_some();
    if template.uses().any(is_kind) || bindings.values().any(is_deferred) {
        // The side that a known condition excludes is neither read nor waited for.
        let reads: Vec<Use> = template.codes().flat_map(|code| code.reads(&bindings)).collect();
        let mut needed = BTreeMap::new();
        reads.iter().for_each(|used| frame.bind(used, &mut needed));
        bindings = needed;
        if !reads.iter().any(is_kind) && !bindings.values().any(is_deferred) {
            return evaluate_now(ctx, &template, &bindings, namespace, at);
        }
        let component = frame.component.clone();
        let deferred = Deferred { source: text.into(), reads: Vec::new(), bindings, component };
        let value = defer(ctx, &Value::Deferred(Arc::new(deferred)), at);
        return Evaluated::Value(value, namespace);
    }
    evaluate_now(ctx, &template, &bindings, namespace, at)
}

fn evaluate_now(
    ctx: &mut RenderContext<'_>,
    template: &Template,
    bindings: &BTreeMap<String, Value>,
    namespace: String,
    at: &Location,
) -> Evaluated {
    let budget = ctx.budget.steps.template();
    match run(template, bindings, &|_| false, &|_, _| None, &|_| None, &budget) {
        Ok(value) => within_budget(ctx, value, namespace, at),
        Err(error) => refuse(ctx, at, &error),
    }
}

/// Returns the value if the budget of the document covers it.
fn within_budget(ctx: &mut RenderContext<'_>, value: Value, namespace: String, at: &Location) -> Evaluated {
    match charge(ctx, value.weight(), at) {
        true => Evaluated::Value(value, namespace),
        false => Evaluated::Refused,
    }
}

fn refuse(ctx: &mut RenderContext<'_>, at: &Location, error: &ExpressionError) -> Evaluated {
    ctx.out.push_within(&error.part, Diagnostic::new(at, &error.message).help_if(error.help.clone()));
    Evaluated::Refused
}

fn parse_template(ctx: &mut RenderContext<'_>, text: &str) -> Result<Option<Rc<Template>>, ExpressionError> {
    if !text.contains("${") {
        return Ok(None);
    }
    if let Some(parsed) = ctx.templates.get(text) {
        return parsed.clone().map(Some);
    }
    let parsed = Template::parse(text).map(|template| Rc::new(template.unwrap_or_default()));
    ctx.templates.insert(text.to_owned(), parsed.clone());
    parsed.map(Some)
}

/// Checks that a root and its first step exist. False when the error was reported elsewhere.
fn check_root(ctx: &RenderContext<'_>, used: &Use, code: &Code, frame: &Frame) -> Result<bool, ExpressionError> {
    let error = |message: String| Err(ExpressionError::new(message, &code.text));
    match used.root.as_str() {
        "params" => match used.steps.first() {
            Some(name) if frame.refused.contains(name) => Ok(false),
            Some(name) if !frame.params.contains_key(name) => {
                let known = frame.params.keys().map(String::as_str);
                let help = suggest(name, known).unwrap_or_else(|| "declare it under `spec.parameters`".into());
                Err(ExpressionError::new(format!("there is no parameter `{name}`"), &code.text).help(help))
            }
            None if !frame.refused.is_empty() => Ok(false),
            _ => Ok(true),
        },
        "env" => match used.steps.first() {
            Some(name) if !frame.env.contains_key(name) => {
                let known = frame.env.keys().map(String::as_str);
                let help = suggest(name, known)
                    .unwrap_or_else(|| "`env` has `name`, `stack`, `account`, `region` and `regions`".into());
                Err(ExpressionError::new(format!("there is no `env.{name}`"), &code.text).help(help))
            }
            _ => Ok(true),
        },
        "each" if frame.each.is_some() => Ok(true),
        "each" => error("`each` can be used only inside a `forEach`".into()),
        root if ctx.registry.get(root).is_some() => Ok(true),
        root => {
            let known = ctx.registry.kinds().chain(["params", "env", "each"]);
            let dashed = code.text.contains('-') && code.uses.iter().any(|u| ctx.registry.get(&u.root).is_some());
            let help = match dashed {
                true => "write a name with a dash in brackets: `Kind[\"some-name\"].id`".into(),
                false => suggest(root, known)
                    .unwrap_or_else(|| "expressions can read `params`, `env`, `each` and kinds".into()),
            };
            Err(ExpressionError::new(format!("unknown name `{root}`"), &code.text).help(help))
        }
    }
}

/// Evaluates all strings of a tree; none after an error was reported.
pub(super) fn evaluate_tree(ctx: &mut RenderContext<'_>, node: &Node, frame: &Frame) -> Option<Value> {
    Some(match &node.tree {
        Tree::Text(text) if !node.plain => match evaluate(ctx, text, &node.at, frame) {
            Evaluated::Same => Value::Text(text.clone()),
            Evaluated::Value(value, _) => value,
            Evaluated::Refused => return None,
        },
        Tree::List(list) => {
            let values: Vec<_> = list.iter().map(|item| evaluate_tree(ctx, item, frame)).collect();
            Value::List(values.into_iter().collect::<Option<_>>()?)
        }
        Tree::Map(entries) => {
            let pairs: Vec<_> =
                entries.iter().map(|(k, v)| Some((k.name.clone(), evaluate_tree(ctx, v, frame)?))).collect();
            Value::Map(pairs.into_iter().collect::<Option<_>>()?)
        }
        _ => node.value(),
    })
}

/// Returns a node with its own string evaluated, and the component in which its names are resolved; none after an
/// error was reported.
pub(super) fn evaluate_node(
    ctx: &mut RenderContext<'_>,
    node: &Node,
    frame: &Frame,
    namespace: &str,
) -> Option<(Node, String)> {
    if let (Tree::Text(text), false) = (&node.tree, node.plain) {
        match evaluate(ctx, text, &node.at, frame) {
            Evaluated::Same => {}
            Evaluated::Value(value, namespace) => return Some((Node::plain(&value, &node.at), namespace)),
            Evaluated::Refused => return None,
        }
    }
    Some((node.clone(), namespace.to_owned()))
}
