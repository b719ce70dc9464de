//! Expand: applies components, forEach, when and patches, which gives a flat list of untyped resources.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location};
use crate::expression::within;
use crate::load::file::{Body, Declaration, Use};
use crate::load::node::{Node, Tree};
use crate::render::Renderer;
use crate::render::parameters::{Given, describe};
use crate::render::scope::Scope;
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
pub(crate) struct Instance {
    pub(crate) address: Address,
    pub(crate) schema: &'static Schema,
    pub(crate) body: Node,
    pub(crate) scope: Scope,
    pub(crate) at: Location,
}

impl Renderer<'_> {
    /// Expands a stack's or a component's body.
    pub(crate) fn expand(&mut self, body: &Body, scope: &Scope, depth: usize) {
        for name in &body.broken {
            self.names.broken.insert(within(&scope.component, name));
        }
        body.resources.iter().for_each(|declaration| self.declaration(declaration, scope));
        body.uses.iter().for_each(|used| self.component(used, scope, depth));
    }

    fn declaration(&mut self, declaration: &Declaration, scope: &Scope) {
        let name = within(&scope.component, &declaration.name);
        let address = Address::new(declaration.schema.kind, &name);
        let body = self.patched(&address, &declaration.body);
        let Some(for_each) = body.get("forEach").filter(|n| !matches!(n.tree, Tree::Null)) else {
            self.instance(declaration, address, body, scope);
            return;
        };
        self.names.groups.insert(address.clone());
        let Some(elements) = self.elements(for_each, scope) else {
            self.names.broken.insert(name);
            return;
        };
        for (key, value) in elements {
            let address = Address::new(declaration.schema.kind, &format!("{name}-{key}"));
            let body = self.patched(&address, &body);
            self.instance(declaration, address, body, &scope.of_each(&key, &value));
        }
    }

    fn instance(&mut self, declaration: &Declaration, address: Address, body: Node, scope: &Scope) {
        let scope = self.placed(body.get("region"), scope);
        match body.get("when").map_or(Some(true), |when| self.when(when, &scope)) {
            Some(true) if self.instances.len() >= RESOURCES => {
                if self.names.broken.insert(String::new()) {
                    let message = format!("this stack has more than {RESOURCES} resources");
                    self.out.push(
                        Diagnostic::new(&declaration.at, message)
                            .help("shorten its `forEach` lists, or split it into several stacks"),
                    );
                }
            }
            Some(true) => {
                let (schema, at) = (declaration.schema, declaration.at.clone());
                self.instances.push(Instance { address, schema, body, scope, at });
            }
            Some(false) => {
                self.names.left_out.insert(address);
            }
            None => {
                self.names.broken.insert(address.name.to_string());
            }
        }
    }

    fn component(&mut self, used: &Use, scope: &Scope, depth: usize) {
        let name = within(&scope.component, &used.name);
        let body = used.file.as_ref().and_then(|file| self.loaded.components.get(file)).cloned();
        let Some(body) = body.filter(|_| depth < DEPTH) else {
            self.names.broken.insert(name);
            return;
        };
        let Some(for_each) = used.for_each.as_ref().filter(|n| !matches!(n.tree, Tree::Null)) else {
            self.used(used, &body, name, scope, depth);
            return;
        };
        let Some(elements) = self.elements(for_each, scope) else {
            self.names.broken.insert(name);
            return;
        };
        for (key, value) in elements {
            self.used(used, &body, format!("{name}-{key}"), &scope.of_each(&key, &value), depth);
        }
    }

    fn used(&mut self, used: &Use, body: &Arc<Body>, name: String, scope: &Scope, depth: usize) {
        let placed = self.placed(used.region.as_ref(), scope);
        match used.when.as_ref().map_or(Some(true), |when| self.when(when, &placed)) {
            Some(true) => {}
            Some(false) => {
                self.names.left_out_components.insert(name);
                return;
            }
            None => {
                self.names.broken.insert(name);
                return;
            }
        }
        if self.names.broken.contains("") {
            return;
        }
        let given = Given {
            entries: used.with.as_ref().map(Node::entries).unwrap_or_default(),
            scope: &placed,
            at: used.at.clone(),
            what: format!("the component `{}`", used.name),
            help: "give it under `with`",
        };
        let inside = Scope { component: name, each: None, ..placed.clone() };
        let inside = self.bind(body, &given, inside);
        self.expand(body, &inside, depth + 1);
    }

    /// Returns the scope with the region that `region:` names.
    fn placed(&mut self, region: Option<&Node>, scope: &Scope) -> Scope {
        let Some(node) = region.filter(|n| !matches!(n.tree, Tree::Null)) else {
            return scope.clone();
        };
        match self.untyped(node, scope) {
            Some(Value::Text(text)) => {
                let region = self.region(&text, &node.at);
                region.map_or_else(|| scope.clone(), |region| scope.in_region(&region))
            }
            Some(other) => {
                let message = format!("a region must be a string, but this is {}", describe(&other));
                self.out.push(Diagnostic::new(&node.at, message));
                scope.clone()
            }
            None => scope.clone(),
        }
    }

    fn when(&mut self, node: &Node, scope: &Scope) -> Option<bool> {
        match self.untyped(node, scope)? {
            Value::Bool(b) => Some(b),
            Value::Null => Some(true),
            Value::Deferred(_) => {
                let message = "`when` must be known before any resource is created, but this reads a resource";
                self.out.push(Diagnostic::new(&node.at, message).help(USE_PARAMETER));
                None
            }
            other => {
                let message = format!("`when` must be true or false, but this is {}", describe(&other));
                self.out.push(Diagnostic::new(&node.at, message).help("write a condition such as `${params.nat}`"));
                None
            }
        }
    }

    /// Returns the elements of a forEach: keys and values.
    fn elements(&mut self, node: &Node, scope: &Scope) -> Option<Vec<(String, Value)>> {
        let found: Vec<(Option<String>, Value)> = match self.untyped(node, scope)? {
            Value::List(list) => {
                list.into_iter().enumerate().map(|(at, value)| (element_key(at, &value), value)).collect()
            }
            Value::Map(map) => map.into_iter().map(|(key, value)| (Some(key), value)).collect(),
            Value::Deferred(_) => {
                let message = "`forEach` must be known before any resource is created, but this reads a resource";
                self.out.push(Diagnostic::new(&node.at, message).help(USE_PARAMETER));
                return None;
            }
            other => {
                let message = format!("`forEach` must be a list or a map, but this is {}", describe(&other));
                self.out.push(Diagnostic::new(&node.at, message));
                return None;
            }
        };
        if found.len() > ELEMENTS {
            self.out.push(Diagnostic::new(&node.at, format!("`forEach` has more than {ELEMENTS} elements")));
            return None;
        }
        let mut keys = BTreeSet::new();
        let mut elements = Vec::new();
        for (key, value) in found {
            let Some(key) = key else {
                let message = format!("an element of `forEach` is {}, which has no key", describe(&value));
                let help = "use strings, maps with a `key`, or a map of key to value";
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                return None;
            };
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                let message = format!("the `forEach` key `{key}` cannot be a part of an address");
                let help = "give the elements keys: a map of key to value, or maps with a `key`";
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                return None;
            }
            if !keys.insert(key.clone()) {
                self.out.push(Diagnostic::new(&node.at, format!("`forEach` has the element `{key}` twice")));
                return None;
            }
            elements.push((key, value));
        }
        Some(elements)
    }

    /// Returns a body with the environment's patch of that address merged over it.
    fn patched(&mut self, address: &Address, body: &Node) -> Node {
        let text = address.to_string();
        let Some((key, patch)) = self.loaded.environment.patches.iter().find(|(key, _)| key.name == text) else {
            return body.clone();
        };
        self.names.patched.insert(key.name.clone());
        // The patched resource has no body, as in `Cluster/main:`.
        if matches!(body.tree, Tree::Null) { patch.clone() } else { body.merged(patch) }
    }
}

/// Returns the key of a list's element: the element itself, its `key`, or its index.
fn element_key(at: usize, value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Map(map) => match map.get("key") {
            Some(key @ (Value::Text(_) | Value::Integer(_))) => Some(key.to_string()),
            Some(_) => None,
            None => Some(at.to_string()),
        },
        Value::List(_) => Some(at.to_string()),
        Value::Null | Value::Number(_) | Value::Reference(_) | Value::Deferred(_) => None,
        Value::Secret(_) | Value::Unknown(_) => None,
    }
}
