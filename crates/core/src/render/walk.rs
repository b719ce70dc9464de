//! The typed walk: a tree against the field table of its kind, to the value that everything else reads.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::expression::{is_deferred, plain_text, whole};
use crate::load::node::{Key, Node, Tree};
use crate::load::reader::words;
use crate::render::Renderer;
use crate::render::names::Origins;
use crate::render::scope::Scope;
use crate::schema::{Field, Presence, Record, Type};
use crate::value::{Secret, Source, Value};

/// Where the walk is, and how strict it has to be.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'w> {
    /// What expressions can see.
    pub(crate) scope: &'w Scope,
    /// The component whose names a reference means.
    pub(crate) origin: &'w str,
    /// The field, for errors.
    pub(crate) field: &'w str,
    /// True for a lookup: nothing is required, nothing has a default.
    pub(crate) lookup: bool,
}

impl<'w> Walk<'w> {
    /// Whose names a reference means.
    pub(crate) fn origins(self) -> Origins<'w> {
        [self.origin, &self.scope.component]
    }
}

impl Renderer<'_> {
    /// A node as its type has it; none after the error was reported.
    pub(crate) fn walk(&mut self, node: &Node, ty: &Type, walk: Walk<'_>) -> Option<Value> {
        let (node, origin) = self.evaluated(node, walk.scope, walk.origin)?;
        let walk = Walk { origin: &origin, ..walk };
        if let Tree::Deferred(deferred) = &node.tree {
            return Some(self.settle(&Value::Deferred(deferred.clone()), &node.at));
        }
        match (ty, &node.tree) {
            (Type::Bool, Tree::Bool(b)) => Some(Value::Bool(*b)),
            (Type::Integer | Type::Scaled { .. }, Tree::Integer(n)) => Some(Value::Integer(*n)),
            (Type::Integer | Type::Scaled { .. }, Tree::Number(n)) if node.plain => {
                whole(*n).or_else(|| self.mismatch(&node, ty, walk))
            }
            #[expect(clippy::cast_precision_loss, reason = "AWS's numbers are far below 2^53")]
            (Type::Number, Tree::Integer(n)) => Some(Value::Number(*n as f64)),
            (Type::Number, Tree::Number(n)) => Some(Value::Number(*n)),
            (Type::Text, Tree::Text(text)) => Some(Value::Text(text.clone())),
            // What an expression gives cannot be put in quotes; a scalar is clear enough.
            (Type::Text, Tree::Integer(_) | Tree::Number(_) | Tree::Bool(_)) if node.plain => {
                Some(plain_text(&node.value()).into())
            }
            (Type::Choice(known), Tree::Text(text)) => self.choice(text, known, &node),
            (Type::Reference { .. }, Tree::Text(_) | Tree::Map(_)) => self.reference(&node, ty, walk),
            (Type::Canonical { canonical, name }, _) => self.canonical(&node, name, *canonical, walk),
            (Type::Secret, Tree::Map(entries)) => self.secret(entries, &node, walk),
            (Type::Set(of), Tree::List(list)) => {
                let mut set: Vec<Value> = Vec::new();
                for value in self.elements_of(list, of, walk)? {
                    if !set.contains(&value) {
                        set.push(value);
                    }
                }
                Some(Value::List(set))
            }
            (Type::List(of), Tree::List(list)) => self.elements_of(list, of, walk).map(Value::List),
            (Type::Map(of), Tree::Map(entries)) => self.map_of(entries, of, walk),
            (Type::Record(record), Tree::Map(entries)) => self.record(record, entries, &node.at, walk),
            _ => self.mismatch(&node, ty, walk),
        }
    }

    /// The fields of a record, defaults filled in.
    pub(crate) fn record(
        &mut self,
        record: &Record,
        entries: &[(Key, Node)],
        at: &Location,
        walk: Walk<'_>,
    ) -> Option<Value> {
        let mut values = BTreeMap::new();
        let mut fine = true;
        for (key, node) in entries {
            let Some(field) = record.field(&key.name) else {
                self.unknown_field(key, record);
                fine = false;
                continue;
            };
            match self.field(field, node, walk) {
                Some(value) => drop(values.insert(field.name.to_owned(), value)),
                None => fine = false,
            }
        }
        for field in record.fields.iter().filter(|_| !walk.lookup) {
            if entries.iter().any(|(key, _)| key.name == field.name) {
                continue;
            }
            match field.presence {
                Presence::Required => {
                    let about = field.doc.lines().next().unwrap_or_default();
                    let message = format!("{} needs `{}`", walk.field, field.name);
                    let help = format!("`{}` is {}: {about}", field.name, field.ty.describe());
                    self.out.push(Diagnostic::new(at, message).help(help.trim_end_matches([':', ' '])));
                    fine = false;
                }
                Presence::Optional | Presence::Always => {}
                Presence::Default(default) => drop(values.insert(field.name.to_owned(), default())),
            }
        }
        fine.then_some(Value::Map(values))
    }

    fn field(&mut self, field: &Field, node: &Node, walk: Walk<'_>) -> Option<Value> {
        let (node, origin) = self.evaluated(node, walk.scope, walk.origin)?;
        let name = format!("`{}`", field.name);
        let value = match node.tree {
            Tree::Null => Value::Null,
            _ => self.walk(&node, &field.ty, Walk { field: &name, origin: &origin, ..walk })?,
        };
        match (value, field.presence) {
            (Value::Null, Presence::Default(default)) => Some(default()),
            (Value::Null, Presence::Always) => {
                let message = format!("{name} cannot be null");
                let help = "AWS always has a value of it: state the one you want, or leave it out";
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                None
            }
            (Value::Null, Presence::Required) => {
                let message = format!("{name} cannot be null");
                let help = format!("it is {}, and has to be said", field.ty.describe());
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                None
            }
            (value, _) => Some(value),
        }
    }

    fn elements_of(&mut self, list: &[Node], of: &Type, walk: Walk<'_>) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        let mut fine = true;
        for item in list {
            let Some((node, origin)) = self.evaluated(item, walk.scope, walk.origin) else {
                fine = false;
                continue;
            };
            let walk = Walk { origin: &origin, ..walk };
            let found = match (&node.tree, of) {
                // A list inside a list of something else is laid out flat: `[a, ${params.more}]`.
                (Tree::List(inner), of)
                    if node.plain && !matches!(of, Type::List(_) | Type::Set(_) | Type::Canonical { .. }) =>
                {
                    self.elements_of(inner, of, walk)
                }
                (Tree::Text(pattern), Type::Reference { .. }) if pattern.contains('*') => {
                    self.references(pattern, &node.at, of, walk)
                }
                _ => self.walk(&node, of, walk).map(|value| vec![value]),
            };
            match found {
                Some(found) => values.extend(found.into_iter().filter(|value| *value != Value::Null)),
                None => fine = false,
            }
        }
        fine.then_some(values)
    }

    fn map_of(&mut self, entries: &[(Key, Node)], of: &Type, walk: Walk<'_>) -> Option<Value> {
        let mut values = BTreeMap::new();
        let mut fine = true;
        for (key, node) in entries {
            let Some((node, origin)) = self.evaluated(node, walk.scope, walk.origin) else {
                fine = false;
                continue;
            };
            // A key without a value is not there: how a patch takes an entry away.
            if matches!(node.tree, Tree::Null) {
                continue;
            }
            let name = format!("`{}`", key.name);
            match self.walk(&node, of, Walk { field: &name, origin: &origin, ..walk }) {
                Some(value) => drop(values.insert(key.name.clone(), value)),
                None => fine = false,
            }
        }
        fine.then_some(Value::Map(values))
    }

    fn choice(&mut self, text: &str, known: &[&str], node: &Node) -> Option<Value> {
        if known.contains(&text) {
            return Some(text.into());
        }
        let message = format!("`{text}` is none of {}", words(known));
        self.out.push(Diagnostic::new(&node.at, message).help_if(suggest(text, known.iter().copied())));
        None
    }

    /// Where a secret value comes from. The value is nobody's business here.
    fn secret(&mut self, entries: &[(Key, Node)], node: &Node, walk: Walk<'_>) -> Option<Value> {
        let source = match entries {
            [(key, node)] if key.name == "env" => Source::Env(self.string(node, walk.scope)?),
            [(key, node)] if key.name == "file" => Source::File(self.string(node, walk.scope)?),
            _ => return self.mismatch(node, &Type::Secret, walk),
        };
        Some(Value::Secret(Secret { source, version: None }))
    }

    fn canonical(
        &mut self,
        node: &Node,
        name: &str,
        canonical: fn(&Value) -> Result<Value, String>,
        walk: Walk<'_>,
    ) -> Option<Value> {
        if matches!(node.tree, Tree::Null) {
            let message = format!("{} is a {name}, and this is null", walk.field);
            self.out.push(Diagnostic::new(&node.at, message));
            return None;
        }
        let value = self.untyped(node, walk.scope)?;
        let value = if is_deferred(&value) { self.settle(&value, &node.at) } else { value };
        if !is_deferred(&value)
            && let Err(message) = canonical(&value)
        {
            self.out.push(Diagnostic::new(&node.at, message));
            return None;
        }
        Some(value)
    }

    fn unknown_field(&mut self, key: &Key, record: &Record) {
        let names: Vec<&str> = record.fields.iter().map(|field| field.name).collect();
        let help = suggest(&key.name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
            true => format!("a {} has no fields", record.name),
            false => format!("a {} has {}", record.name, words(&names)),
        });
        let message = format!("unknown field `{}` in {}", key.name, record.name);
        self.out.push(Diagnostic::new(&key.at, message).help(help));
    }

    fn mismatch(&mut self, node: &Node, ty: &Type, walk: Walk<'_>) -> Option<Value> {
        let message = format!("{} is {}, and this is {}", walk.field, ty.describe(), node.describe());
        let help = match (ty, &node.tree) {
            (Type::Text | Type::Choice(_), Tree::Integer(_) | Tree::Number(_) | Tree::Bool(_)) => {
                Some("put it in quotes".to_owned())
            }
            (Type::Integer | Type::Scaled { .. } | Type::Number | Type::Bool, Tree::Text(_)) => {
                Some("write it without quotes".to_owned())
            }
            (Type::Set(_) | Type::List(_), tree) if !matches!(tree, Tree::Map(_) | Tree::Null) => {
                Some("put it in brackets: `[…]`".to_owned())
            }
            _ => None,
        };
        self.out.push(Diagnostic::new(&node.at, message).help_if(help));
        None
    }
}
