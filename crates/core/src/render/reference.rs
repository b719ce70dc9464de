//! References: names, patterns, addresses, ids of undeclared resources, and resources of other stacks.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location};
use crate::document::{Lifecycle, Lookup, Resource};
use crate::load::node::{Node, Tree};
use crate::load::reader::{QUOTE, Reader};
use crate::render::Renderer;
use crate::render::parameters::describe;
use crate::render::scope::Scope;
use crate::render::walk::Walk;
use crate::schema::{Type, with_article};
use crate::value::{Reference, Value};

impl Renderer<'_> {
    /// Resolves a node of a reference's type.
    pub(crate) fn reference(&mut self, node: &Node, ty: &Type, walk: Walk<'_>) -> Option<Value> {
        let Type::Reference { kind, attribute, .. } = *ty else { return None };
        match &node.tree {
            Tree::Text(text) if text.contains('*') => {
                let message = format!("{} takes one {kind}, but `{text}` can match several", walk.field);
                let help = "name one resource; a pattern can be used only in a list";
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                None
            }
            Tree::Text(text) => {
                let name = self.name_of_kind(text, kind, &node.at)?;
                let address = self.find(kind, name, walk.namespaces(), &node.at)?;
                Some(reference_to(address, ty))
            }
            _ => self.external(node, kind, attribute, ty, walk.scope),
        }
    }

    /// Resolves a pattern in a list to all resources that match.
    pub(crate) fn references(&mut self, pattern: &str, at: &Location, ty: &Type, walk: Walk<'_>) -> Option<Vec<Value>> {
        let Type::Reference { kind, .. } = *ty else { return None };
        let pattern = self.name_of_kind(pattern, kind, at)?;
        let found = self.find_all(kind, pattern, walk.namespaces(), at)?;
        Some(found.into_iter().map(|address| reference_to(address, ty)).collect())
    }

    /// Returns the name of a name or address; an address must have the right kind.
    fn name_of_kind<'t>(&mut self, text: &'t str, kind: &str, at: &Location) -> Option<&'t str> {
        let Some((found, name)) = text.split_once('/').filter(|(found, _)| self.registry.get(found).is_some()) else {
            if text.contains(['/', ':']) {
                let message = format!("`{text}` is not the name of {}", with_article(kind));
                let help = format!("for a resource that no document declares, write `{{ id: {text} }}`");
                self.out.push(Diagnostic::new(at, message).help(help));
                return None;
            }
            return Some(text);
        };
        if found != kind {
            let (found, expected) = (with_article(found), with_article(kind));
            let message = format!("`{text}` is {found}, not {expected}");
            let help = format!("write the name of {expected}");
            self.out.push(Diagnostic::new(at, message).help(help));
            return None;
        }
        Some(name)
    }

    /// Resolves `{ id: … }` or `{ stack: …, env: …, name: … }`.
    fn external(&mut self, node: &Node, kind: &str, attribute: &str, ty: &Type, scope: &Scope) -> Option<Value> {
        let mut known = vec!["id", "stack", "env", "name"];
        if !known.contains(&attribute) {
            known.push(attribute);
        }
        let before = self.out.len();
        let fields = Reader { out: &mut self.out }.fields(node, "a reference", &known);
        if self.out.len() > before {
            return None;
        }
        if let Some(stack) = fields.get("stack") {
            let stack = self.string(stack, scope)?;
            let env = match fields.get("env") {
                Some(env) => self.string(env, scope)?,
                None => self.loaded.env.clone(),
            };
            let Some(name) = fields.get("name") else {
                let message = "a reference to another stack needs a `name`";
                let help = "write, for example, `{ stack: shared, env: prod, name: network.main }`";
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                return None;
            };
            let name = self.string(name, scope)?;
            return Some(reference_to(self.of_other_stack(kind, &stack, &env, &name, node, scope), ty));
        }
        let identity = fields.get("id").or_else(|| fields.get(attribute));
        let Some(identity) = identity.filter(|_| fields.len() == 1) else {
            let message = format!("this is not a reference to {}", with_article(kind));
            let help = "write a name; `{ id: … }` for a resource that no document declares; or `{ stack: …, env: …, name: … }` for one of another stack";
            self.out.push(Diagnostic::new(&node.at, message).help(help));
            return None;
        };
        match self.untyped(identity, scope)? {
            // `{ id: "${… ? … : null}" }`: null is no reference, which is valid for an optional field.
            value @ (Value::Text(_) | Value::Null) => Some(value),
            value @ Value::Deferred(_) => Some(self.defer(&value, &identity.at)),
            _ => {
                self.out.push(Diagnostic::new(&identity.at, "an identity must be a string").help(QUOTE));
                None
            }
        }
    }

    /// Returns a string that must be known at render time.
    pub(crate) fn string(&mut self, node: &Node, scope: &Scope) -> Option<String> {
        match self.untyped(node, scope)? {
            Value::Text(text) => Some(text),
            Value::Deferred(_) => {
                self.out.push(Diagnostic::new(
                    &node.at,
                    "this must be known before any resource is created, but it reads a resource",
                ));
                None
            }
            other => {
                let message = format!("this must be a string, but it is {}", describe(&other));
                let scalar = matches!(other, Value::Integer(_) | Value::Number(_) | Value::Bool(_));
                let help = scalar.then(|| QUOTE.to_owned());
                self.out.push(Diagnostic::new(&node.at, message).help_if(help));
                None
            }
        }
    }

    /// Adds the lookup of another stack's resource and returns its address.
    fn of_other_stack(
        &mut self,
        kind: &str,
        stack: &str,
        env: &str,
        name: &str,
        node: &Node,
        scope: &Scope,
    ) -> Address {
        let address = Address::new(kind, &format!("{stack}-{env}:{name}"));
        if let Some(schema) = self.registry.get(kind) {
            let lookup =
                Lookup::Owner { stack: stack.to_owned(), env: env.to_owned(), address: Address::new(kind, name) };
            let resource = Resource {
                address: address.clone(),
                schema,
                name: String::new(),
                named: false,
                region: if schema.global { String::new() } else { scope.region().to_owned() },
                spec: Value::Map(std::collections::BTreeMap::new()),
                lifecycle: Lifecycle { lookup: Some(lookup), ..Lifecycle::default() },
                depends_on: BTreeSet::new(),
                at: node.at.to_string(),
            };
            self.lookups.entry(address.clone()).or_insert(resource);
        }
        address
    }
}

fn reference_to(address: Address, ty: &Type) -> Value {
    let Type::Reference { attribute, after_create, .. } = *ty else { return Value::Null };
    Value::Reference(Reference { address, attribute, after_create })
}
