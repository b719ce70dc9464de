//! Expand: applies components, forEach, when and patches, which gives a flat list of untyped resources.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location};
use crate::expression::within;
use crate::load::file::{Body, Declaration, Use};
use crate::load::node::{Node, Tree};
use crate::render::RenderContext;
use crate::render::budget::{charge, weight};
use crate::render::evaluate::evaluate_tree;
use crate::render::frame::Frame;
use crate::render::parameters::{Given, bind_parameters, describe};
use crate::render::target::resolve_region;
use crate::schema::Schema;
use crate::value::Value;

/// The maximum nesting of components in a rendered document; load refuses files that are nested deeper.
const DEPTH: usize = 8;
/// The maximum number of resources of a document: ten times the largest system that belongs in one stack.
const RESOURCES: usize = 10_000;
/// The help for an expression that must not read a resource.
const USE_PARAMETER: &str = "use a parameter instead";
/// The maximum number of elements of a forEach.
const ELEMENTS: usize = 1_000;

/// A desired resource, not yet typed.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) address: Address,
    pub(super) schema: &'static Schema,
    pub(super) body: Node,
    pub(super) frame: Frame,
    pub(super) at: Location,
}

/// Expands a stack's or a component's body.
pub(super) fn expand_body(ctx: &mut RenderContext<'_>, body: &Body, frame: &Frame, depth: usize) {
    for name in &body.broken {
        ctx.names.broken.insert(within(&frame.component, name));
    }
    body.resources.iter().for_each(|declaration| expand_declaration(ctx, declaration, frame));
    body.uses.iter().for_each(|used| expand_component(ctx, used, frame, depth));
}

fn expand_declaration(ctx: &mut RenderContext<'_>, declaration: &Declaration, frame: &Frame) {
    let name = within(&frame.component, &declaration.name);
    let address = Address::new(declaration.schema.kind, &name);
    let body = apply_patch(ctx, &address, &declaration.body);
    let Some(for_each) = body.get("forEach") else {
        add_instance(ctx, declaration, address, body, frame);
        return;
    };
    ctx.names.groups.insert(address.clone());
    let Some(elements) = evaluate_for_each(ctx, for_each, frame) else {
        ctx.names.broken.insert(name);
        return;
    };
    for (key, value) in elements {
        let address = Address::new(declaration.schema.kind, &format!("{name}-{key}"));
        let body = apply_patch(ctx, &address, &body);
        add_instance(ctx, declaration, address, body, &frame.of_each(&key, &value));
    }
}

fn add_instance(ctx: &mut RenderContext<'_>, declaration: &Declaration, address: Address, body: Node, frame: &Frame) {
    let frame = frame_in_region(ctx, body.get("region"), frame);
    if !charge(ctx, weight(&body), &declaration.at) {
        ctx.names.broken.insert(String::new());
        return;
    }
    match body.get("when").map_or(Some(true), |when| evaluate_when(ctx, when, &frame)) {
        Some(true) if ctx.instances.len() >= RESOURCES => {
            if ctx.names.broken.insert(String::new()) {
                let message = format!("this stack has more than {RESOURCES} resources");
                ctx.out.push(
                    Diagnostic::new(&declaration.at, message)
                        .help("shorten its `forEach` lists, or split it into several stacks"),
                );
            }
        }
        Some(true) => {
            let (schema, at) = (declaration.schema, declaration.at.clone());
            ctx.instances.push(Instance { address, schema, body, frame, at });
        }
        Some(false) => {
            ctx.names.left_out.insert(address);
        }
        None => {
            ctx.names.broken.insert(address.name.to_string());
        }
    }
}

fn expand_component(ctx: &mut RenderContext<'_>, used: &Use, frame: &Frame, depth: usize) {
    let name = within(&frame.component, &used.name);
    let body = used.file.as_ref().and_then(|file| ctx.loaded.components.get(file)).cloned();
    let Some(body) = body.filter(|_| depth < DEPTH) else {
        ctx.names.broken.insert(name);
        return;
    };
    let Some(for_each) = &used.for_each else {
        expand_component_instance(ctx, used, &body, name, frame, depth);
        return;
    };
    let Some(elements) = evaluate_for_each(ctx, for_each, frame) else {
        ctx.names.broken.insert(name);
        return;
    };
    for (key, value) in elements {
        expand_component_instance(ctx, used, &body, format!("{name}-{key}"), &frame.of_each(&key, &value), depth);
    }
}

fn expand_component_instance(
    ctx: &mut RenderContext<'_>,
    used: &Use,
    body: &Arc<Body>,
    name: String,
    frame: &Frame,
    depth: usize,
) {
    let placed = frame_in_region(ctx, used.region.as_ref(), frame);
    match used.when.as_ref().map_or(Some(true), |when| evaluate_when(ctx, when, &placed)) {
        Some(true) => {}
        Some(false) => {
            ctx.names.left_out_components.insert(name);
            return;
        }
        None => {
            ctx.names.broken.insert(name);
            return;
        }
    }
    if ctx.names.broken.contains("") {
        return;
    }
    let given = Given {
        entries: used.with.as_ref().map(Node::entries).unwrap_or_default(),
        frame: &placed,
        at: used.at.clone(),
        what: format!("the component `{}`", used.name),
        help: "give it under `with`",
    };
    let inside = Frame { component: name, each: None, ..placed.clone() };
    let inside = bind_parameters(ctx, body, &given, inside);
    expand_body(ctx, body, &inside, depth + 1);
}

/// Returns the frame with the region that `region:` names.
fn frame_in_region(ctx: &mut RenderContext<'_>, region: Option<&Node>, frame: &Frame) -> Frame {
    let Some(node) = region.filter(|n| !matches!(n.tree, Tree::Null)) else {
        return frame.clone();
    };
    match evaluate_tree(ctx, node, frame) {
        Some(Value::Text(text)) => {
            let region = resolve_region(ctx, &text, &node.at);
            region.map_or_else(|| frame.clone(), |region| frame.in_region(&region))
        }
        Some(other) => {
            let message = format!("a region must be a string, but this is {}", describe(&other));
            ctx.out.push(Diagnostic::new(&node.at, message));
            frame.clone()
        }
        None => frame.clone(),
    }
}

fn evaluate_when(ctx: &mut RenderContext<'_>, node: &Node, frame: &Frame) -> Option<bool> {
    match evaluate_tree(ctx, node, frame)? {
        Value::Bool(b) => Some(b),
        Value::Null => {
            let help =
                "write true or false, or remove the line; if the value is a parameter, give the parameter a value";
            ctx.out.push(Diagnostic::new(&node.at, "`when` must be true or false, but this is null").help(help));
            None
        }
        Value::Deferred(_) => {
            let message = "`when` must be known before any resource is created, but this reads a resource";
            ctx.out.push(Diagnostic::new(&node.at, message).help(USE_PARAMETER));
            None
        }
        other => {
            let message = format!("`when` must be true or false, but this is {}", describe(&other));
            ctx.out.push(Diagnostic::new(&node.at, message).help("write a condition such as `${params.nat}`"));
            None
        }
    }
}

/// Returns the elements of a forEach: keys and values.
fn evaluate_for_each(ctx: &mut RenderContext<'_>, node: &Node, frame: &Frame) -> Option<Vec<(String, Value)>> {
    let found: Vec<(Option<String>, Value)> = match evaluate_tree(ctx, node, frame)? {
        Value::List(list) => list.into_iter().map(|value| (element_key(&value), value)).collect(),
        Value::Map(map) => map.into_iter().map(|(key, value)| (Some(key), value)).collect(),
        Value::Deferred(_) => {
            let message = "`forEach` must be known before any resource is created, but this reads a resource";
            ctx.out.push(Diagnostic::new(&node.at, message).help(USE_PARAMETER));
            return None;
        }
        other => {
            let message = format!("`forEach` must be a list or a map, but this is {}", describe(&other));
            let help = "write `[]` for no element, or remove `forEach` for a single resource";
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            return None;
        }
    };
    if found.len() > ELEMENTS {
        ctx.out.push(Diagnostic::new(&node.at, format!("`forEach` has more than {ELEMENTS} elements")));
        return None;
    }
    let mut keys = BTreeSet::new();
    let mut elements = Vec::new();
    for (key, value) in found {
        let Some(key) = key else {
            let message = format!("an element of `forEach` is {}, which has no key", describe(&value));
            let help = "use strings, maps with a `key`, or a map of key to value";
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            return None;
        };
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            let message = format!("the `forEach` key `{key}` cannot be a part of an address");
            let help = "give the elements keys: a map of key to value, or maps with a `key`";
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            return None;
        }
        if !keys.insert(key.clone()) {
            ctx.out.push(Diagnostic::new(&node.at, format!("`forEach` has the element `{key}` twice")));
            return None;
        }
        elements.push((key, value));
    }
    Some(elements)
}

/// Returns a body with the environment's patch of that address merged over it.
fn apply_patch(ctx: &mut RenderContext<'_>, address: &Address, body: &Node) -> Node {
    let text = address.to_string();
    let Some((key, patch)) = ctx.loaded.environment.patches.iter().find(|(key, _)| key.name == text) else {
        return body.clone();
    };
    ctx.names.patched.insert(key.name.clone());
    // The patched resource has no body, as in `Cluster/main:`.
    if matches!(body.tree, Tree::Null) { patch.clone() } else { body.merged(patch) }
}

/// Returns the key of a list's element: the element itself, or its `key`. The index is no key: the elements after one
/// that leaves the list would change their addresses.
fn element_key(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Map(map) => match map.get("key") {
            Some(key @ (Value::Text(_) | Value::Integer(_))) => Some(key.to_string()),
            _ => None,
        },
        Value::List(_) | Value::Null | Value::Number(_) | Value::Reference(_) | Value::Deferred(_) => None,
        Value::Secret(_) | Value::Unknown(_) => None,
    }
}
