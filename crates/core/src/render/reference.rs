//! References: bare names, patterns, addresses, foreign ids, and resources of other stacks.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location};
use crate::document::{Lifecycle, Lookup, Resource};
use crate::load::node::{Node, Tree};
use crate::load::reader::Reader;
use crate::render::Renderer;
use crate::render::scope::Scope;
use crate::render::walk::Walk;
use crate::schema::Type;
use crate::value::{Reference, Value};

impl Renderer<'_> {
    /// What a node of a reference's type means.
    pub(crate) fn reference(&mut self, node: &Node, ty: &Type, walk: Walk<'_>) -> Option<Value> {
        let Type::Reference { kind, attribute, .. } = *ty else { return None };
        match &node.tree {
            Tree::Text(text) if text.contains('*') => {
                let message = format!("{} takes one {kind}, and `{text}` may be several", walk.field);
                self.out.push(Diagnostic::new(&node.at, message).help("name one; patterns go into lists"));
                None
            }
            Tree::Text(text) => {
                let name = self.bare(text, kind, &node.at)?;
                let address = self.find(kind, name, walk.origins(), &node.at)?;
                Some(point(address, ty))
            }
            _ => self.foreign(node, kind, attribute, ty, walk.scope),
        }
    }

    /// All resources that a pattern in a list means.
    pub(crate) fn references(&mut self, pattern: &str, at: &Location, ty: &Type, walk: Walk<'_>) -> Option<Vec<Value>> {
        let Type::Reference { kind, .. } = *ty else { return None };
        let pattern = self.bare(pattern, kind, at)?;
        let found = self.find_all(kind, pattern, walk.origins(), at)?;
        Some(found.into_iter().map(|address| point(address, ty)).collect())
    }

    /// The bare name of a name or address, whose kind has to be right.
    fn bare<'t>(&mut self, text: &'t str, kind: &str, at: &Location) -> Option<&'t str> {
        let Some((said, name)) = text.split_once('/').filter(|(said, _)| self.registry.get(said).is_some()) else {
            if text.contains(['/', ':']) {
                let message = format!("`{text}` is not the name of a {kind}");
                let help = format!("write `{{ id: {text} }}` for something that no document declares");
                self.out.push(Diagnostic::new(at, message).help(help));
                return None;
            }
            return Some(text);
        };
        if said != kind {
            let message = format!("`{text}` is a {said}, and this takes a {kind}");
            self.out.push(Diagnostic::new(at, message));
            return None;
        }
        Some(name)
    }

    /// `{ id: … }`, or `{ stack: …, env: …, name: … }`.
    fn foreign(&mut self, node: &Node, kind: &str, attribute: &str, ty: &Type, scope: &Scope) -> Option<Value> {
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
                let message = "a reference to another stack needs `name`";
                self.out.push(
                    Diagnostic::new(&node.at, message).help("as in `{ stack: shared, env: prod, name: network.main }`"),
                );
                return None;
            };
            let name = self.string(name, scope)?;
            return Some(point(self.of_other_stack(kind, &stack, &env, &name, node, scope), ty));
        }
        let identity = fields.get("id").or_else(|| fields.get(attribute));
        let Some(identity) = identity.filter(|_| fields.len() == 1) else {
            let message = format!("this is no reference to a {kind}");
            let help = "write a name, `{ id: … }` for something foreign, or `{ stack: …, env: …, name: … }`";
            self.out.push(Diagnostic::new(&node.at, message).help(help));
            return None;
        };
        match self.untyped(identity, scope)? {
            // `{ id: "${… ? … : null}" }`: no reference at all, which an optional field may have.
            value @ (Value::Text(_) | Value::Null) => Some(value),
            value @ Value::Deferred(_) => Some(self.settle(&value, &identity.at)),
            _ => {
                self.out.push(Diagnostic::new(&identity.at, "an identity is a string").help("put it in quotes"));
                None
            }
        }
    }

    /// A string, known now.
    pub(crate) fn string(&mut self, node: &Node, scope: &Scope) -> Option<String> {
        match self.untyped(node, scope)? {
            Value::Text(text) => Some(text),
            Value::Deferred(_) => {
                self.out.push(Diagnostic::new(
                    &node.at,
                    "this has to be known before anything is made, and reads a resource",
                ));
                None
            }
            Value::Integer(_) | Value::Number(_) | Value::Bool(_) => {
                self.out.push(Diagnostic::new(&node.at, "this is a string").help("put it in quotes"));
                None
            }
            _ => {
                self.out.push(Diagnostic::new(&node.at, "this is a string"));
                None
            }
        }
    }

    /// The lookup that stands for a resource of another stack.
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

fn point(address: Address, ty: &Type) -> Value {
    let Type::Reference { attribute, late, .. } = *ty else { return Value::Null };
    Value::Reference(Reference { address, attribute, late })
}
