//! References: names, patterns, addresses, ids of undeclared resources, and resources of other stacks.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location};
use crate::document::{Lifecycle, Lookup, Resource};
use crate::load::node::{Node, Tree};
use crate::load::reader::{QUOTE, Reader};
use crate::render::RenderContext;
use crate::render::evaluate::evaluate_tree;
use crate::render::frame::Frame;
use crate::render::names::{find_resource, find_resources};
use crate::render::parameters::describe;
use crate::render::position::Position;
use crate::render::reads::defer;
use crate::schema::{Type, with_article};
use crate::value::{Reference, Value};

/// Resolves a node of a reference's type.
pub(super) fn resolve_reference(
    ctx: &mut RenderContext<'_>,
    node: &Node,
    ty: &Type,
    position: Position<'_>,
) -> Option<Value> {
    let Type::Reference { kind, attribute, .. } = *ty else { return None };
    match &node.tree {
        Tree::Text(text) if text.contains('*') => {
            let message = format!("{} takes one {kind}, but `{text}` can match several", position.field);
            let help = "name one resource; a pattern can be used only in a list";
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            None
        }
        Tree::Text(text) => {
            let name = name_of_kind(ctx, text, kind, &node.at)?;
            let address = find_resource(ctx, kind, name, position.namespaces(), &node.at)?;
            Some(reference_to(address, ty))
        }
        _ => resolve_external(ctx, node, kind, attribute, ty, position.frame),
    }
}

/// Resolves a pattern in a list to all resources that match.
pub(super) fn resolve_pattern(
    ctx: &mut RenderContext<'_>,
    pattern: &str,
    at: &Location,
    ty: &Type,
    position: Position<'_>,
) -> Option<Vec<Value>> {
    let Type::Reference { kind, .. } = *ty else { return None };
    let pattern = name_of_kind(ctx, pattern, kind, at)?;
    let found = find_resources(ctx, kind, pattern, position.namespaces(), at)?;
    Some(found.into_iter().map(|address| reference_to(address, ty)).collect())
}

/// Returns the name of a name or address; an address must have the right kind.
fn name_of_kind<'t>(ctx: &mut RenderContext<'_>, text: &'t str, kind: &str, at: &Location) -> Option<&'t str> {
    let Some((found, name)) = text.split_once('/').filter(|(found, _)| ctx.registry.get(found).is_some()) else {
        if text.contains(['/', ':']) {
            let message = format!("`{text}` is not the name of {}", with_article(kind));
            let help = format!("for a resource that no document declares, write `{{ id: {text} }}`");
            ctx.out.push(Diagnostic::new(at, message).help(help));
            return None;
        }
        return Some(text);
    };
    if found != kind {
        let (found, expected) = (with_article(found), with_article(kind));
        let message = format!("`{text}` is {found}, not {expected}");
        let help = format!("write the name of {expected}");
        ctx.out.push(Diagnostic::new(at, message).help(help));
        return None;
    }
    Some(name)
}

/// Resolves `{ id: … }` or `{ stack: …, env: …, name: … }`.
fn resolve_external(
    ctx: &mut RenderContext<'_>,
    node: &Node,
    kind: &str,
    attribute: &str,
    ty: &Type,
    frame: &Frame,
) -> Option<Value> {
    let mut known = vec!["id", "stack", "env", "name"];
    if !known.contains(&attribute) {
        known.push(attribute);
    }
    let before = ctx.out.len();
    let fields = Reader { out: &mut ctx.out }.fields(node, "a reference", &known);
    if ctx.out.len() > before {
        return None;
    }
    if let Some(stack) = fields.get("stack") {
        let stack = known_string(ctx, stack, frame)?;
        let env = match fields.get("env") {
            Some(env) => known_string(ctx, env, frame)?,
            None => ctx.loaded.env.clone(),
        };
        let Some(name) = fields.get("name") else {
            let message = "a reference to another stack needs a `name`";
            let help = "write, for example, `{ stack: shared, env: prod, name: network.main }`";
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            return None;
        };
        let name = known_string(ctx, name, frame)?;
        return Some(reference_to(add_lookup(ctx, kind, &stack, &env, &name, node, frame), ty));
    }
    let identity = fields.get("id").or_else(|| fields.get(attribute));
    let Some(identity) = identity.filter(|_| fields.len() == 1) else {
        let message = format!("this is not a reference to {}", with_article(kind));
        let help = "write a name; `{ id: … }` for a resource that no document declares; or `{ stack: …, env: …, name: … }` for one of another stack";
        ctx.out.push(Diagnostic::new(&node.at, message).help(help));
        return None;
    };
    match evaluate_tree(ctx, identity, frame)? {
        // `{ id: "${… ? … : null}" }`: null is no reference, which is valid for an optional field.
        value @ (Value::Text(_) | Value::Null) => Some(value),
        value @ Value::Deferred(_) => Some(defer(ctx, &value, &identity.at)),
        _ => {
            ctx.out.push(Diagnostic::new(&identity.at, "an identity must be a string").help(QUOTE));
            None
        }
    }
}

/// Returns a string that must be known at render time.
pub(super) fn known_string(ctx: &mut RenderContext<'_>, node: &Node, frame: &Frame) -> Option<String> {
    match evaluate_tree(ctx, node, frame)? {
        Value::Text(text) => Some(text),
        Value::Deferred(_) => {
            ctx.out.push(Diagnostic::new(
                &node.at,
                "this must be known before any resource is created, but it reads a resource",
            ));
            None
        }
        other => {
            let message = format!("this must be a string, but it is {}", describe(&other));
            let scalar = matches!(other, Value::Integer(_) | Value::Number(_) | Value::Bool(_));
            let help = scalar.then(|| QUOTE.to_owned());
            ctx.out.push(Diagnostic::new(&node.at, message).help_if(help));
            None
        }
    }
}

/// Adds the lookup of another stack's resource and returns its address.
fn add_lookup(
    ctx: &mut RenderContext<'_>,
    kind: &str,
    stack: &str,
    env: &str,
    name: &str,
    node: &Node,
    frame: &Frame,
) -> Address {
    let address = Address::new(kind, &format!("{stack}-{env}:{name}"));
    if let Some(schema) = ctx.registry.get(kind) {
        let lookup = Lookup::Owner { stack: stack.to_owned(), env: env.to_owned(), address: Address::new(kind, name) };
        let resource = Resource {
            address: address.clone(),
            schema,
            name: String::new(),
            named: false,
            region: if schema.global { String::new() } else { frame.region().to_owned() },
            spec: Value::Map(std::collections::BTreeMap::new()),
            lifecycle: Lifecycle { lookup: Some(lookup), ..Lifecycle::default() },
            depends_on: BTreeSet::new(),
            at: node.at.to_string(),
        };
        ctx.lookups.entry(address.clone()).or_insert(resource);
    }
    address
}

fn reference_to(address: Address, ty: &Type) -> Value {
    let Type::Reference { attribute, after_create, .. } = *ty else { return Value::Null };
    Value::Reference(Reference { address, attribute, after_create })
}
