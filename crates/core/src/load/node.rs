//! The tree of a YAML file, with the location of every key and value.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Location;
use crate::value::{Deferred, Value};

/// A value with its location.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub tree: Tree,
    /// The location.
    pub at: Location,
    /// True when the value is the result of an expression: its strings are not templates.
    pub plain: bool,
}

/// The value of a node.
#[derive(Clone, Debug)]
pub enum Tree {
    /// `null`, or nothing after the colon.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Key, Node)>),
    /// An expression that reads other resources.
    Deferred(Arc<Deferred>),
}

/// A key of a map with its location.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: String,
    /// The location.
    pub at: Location,
}

impl Node {
    /// Creates the node of an expression's result, at the location of the expression.
    pub fn plain(value: &Value, at: &Location) -> Node {
        let tree = match value {
            Value::Null | Value::Reference(_) | Value::Secret(_) | Value::Unknown(_) => Tree::Null,
            Value::Bool(b) => Tree::Bool(*b),
            Value::Integer(n) => Tree::Integer(*n),
            Value::Number(n) => Tree::Number(*n),
            Value::Text(text) => Tree::Text(text.clone()),
            Value::List(list) => Tree::List(list.iter().map(|v| Node::plain(v, at)).collect()),
            Value::Map(map) => Tree::Map(
                map.iter().map(|(name, v)| (Key { name: name.clone(), at: at.clone() }, Node::plain(v, at))).collect(),
            ),
            Value::Deferred(deferred) => Tree::Deferred(deferred.clone()),
        };
        Node { tree, at: at.clone(), plain: true }
    }

    /// Returns the value under a key; none when this is not a map or the map has no such key.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.tree {
            Tree::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Returns the location of a field, or of the longest part of its path that exists; none when no part exists.
    pub fn locate(&self, path: &str) -> Option<&Location> {
        let mut at = None;
        let mut node = self;
        for step in path.split('.') {
            let next = match &node.tree {
                Tree::Map(entries) => entries.iter().find(|(key, _)| key.name == step).map(|(k, node)| (&k.at, node)),
                Tree::List(list) => step.parse::<usize>().ok().and_then(|i| list.get(i)).map(|node| (&node.at, node)),
                _ => None,
            };
            let Some((location, below)) = next else { break };
            (at, node) = (Some(location), below);
        }
        at
    }

    /// Returns the entries of a map; none when this is not a map.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.tree {
            Tree::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the text; none when this is not a string.
    pub fn text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value as it was written. Templates are returned as text.
    pub fn value(&self) -> Value {
        match &self.tree {
            Tree::Null => Value::Null,
            Tree::Bool(b) => Value::Bool(*b),
            Tree::Integer(n) => Value::Integer(*n),
            Tree::Number(n) => Value::Number(*n),
            Tree::Text(text) => Value::Text(text.clone()),
            Tree::List(list) => Value::List(list.iter().map(Node::value).collect()),
            Tree::Map(entries) => {
                Value::Map(entries.iter().map(|(k, v)| (k.name.clone(), v.value())).collect::<BTreeMap<_, _>>())
            }
            Tree::Deferred(deferred) => Value::Deferred(deferred.clone()),
        }
    }

    /// Returns the type of the value, for errors: "a string", "a list".
    pub fn describe(&self) -> &'static str {
        match self.tree {
            Tree::Null => "null",
            Tree::Bool(_) => "a boolean",
            Tree::Integer(_) => "a whole number",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "a string",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
            Tree::Deferred(_) => "an expression",
        }
    }

    /// Returns this node with another merged over it. Maps are merged; everything else is replaced, also by null.
    #[must_use]
    pub fn merged(&self, over: &Node) -> Node {
        let (Tree::Map(below), Tree::Map(above)) = (&self.tree, &over.tree) else {
            return over.clone();
        };
        let mut entries = below.clone();
        for (key, node) in above {
            match entries.iter_mut().find(|(k, _)| k.name == key.name) {
                Some((k, existing)) => {
                    *existing = existing.merged(node);
                    k.at = key.at.clone();
                }
                None => entries.push((key.clone(), node.clone())),
            }
        }
        Node { tree: Tree::Map(entries), at: self.at.clone(), plain: self.plain }
    }
}
