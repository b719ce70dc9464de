//! Tags: those of the stack, and those of a resource.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::expression::plain_text;
use crate::load::node::{Key, Node, Tree};
use crate::load::reader::{QUOTE, Reader};
use crate::observed::tag;
use crate::render::RenderContext;
use crate::render::evaluate::{evaluate_node, evaluate_tree};
use crate::render::expand::Instance;
use crate::render::frame::Frame;
use crate::render::parameters::describe;
use crate::render::reads::defer;
use crate::schema::with_article;
use crate::value::Value;

/// AWS's limit on the key of a tag, in characters.
const TAG_KEY: usize = 128;
/// AWS's limit on the value of a tag, in characters.
const TAG_VALUE: usize = 256;

/// Returns the tags: the inherited ones, overridden by the resource's own; none when neither sets any.
pub(super) fn read_tags(
    ctx: &mut RenderContext<'_>,
    node: Option<&Node>,
    instance: &Instance,
    inherited: &BTreeMap<String, Value>,
) -> Option<Value> {
    if !instance.schema.ownership.takes_tags() {
        if let Some(node) = node {
            let message = format!("{} cannot have tags", with_article(instance.schema.kind));
            ctx.out.push(Diagnostic::new(&node.at, message).help("tag the resource that it belongs to"));
        }
        return None;
    }
    let mut tags = inherited.clone();
    let Some(node) = node else {
        return (!tags.is_empty()).then_some(Value::Map(tags));
    };
    let (node, _) = evaluate_node(ctx, node, &instance.frame, "")?;
    match &node.tree {
        Tree::Null => return Some(Value::Null),
        Tree::Map(entries) if entries.is_empty() => return Some(Value::Map(BTreeMap::new())),
        Tree::Map(entries) => {
            for (key, node) in entries {
                match read_tag(ctx, key, node, &instance.frame) {
                    Some(Value::Null) => drop(tags.remove(&key.name)),
                    Some(value) => drop(tags.insert(key.name.clone(), value)),
                    None => {}
                }
            }
        }
        _ => ctx.out.push(Diagnostic::new(&node.at, format!("`tags` must be a map, but this is {}", node.describe()))),
    }
    Some(Value::Map(tags))
}

/// Returns the value of one tag; null removes the stack's tag.
fn read_tag(ctx: &mut RenderContext<'_>, key: &Key, node: &Node, frame: &Frame) -> Option<Value> {
    if key.name.starts_with(tag::PREFIX) || key.name.to_lowercase().starts_with("aws:") {
        let message = format!("the tag key `{}` is reserved", key.name);
        let help = format!("use a key that does not begin with `{}` or `aws:`", tag::PREFIX);
        ctx.out.push(Diagnostic::new(&key.at, message).help(help));
        return None;
    }
    if key.name.is_empty() || key.name.chars().count() > TAG_KEY {
        let message = format!("the key of a tag has 1 to {TAG_KEY} characters");
        ctx.out.push(Diagnostic::new(&key.at, message));
        return None;
    }
    let plain = node.plain;
    match evaluate_tree(ctx, node, frame)? {
        Value::Text(text) if text.chars().count() > TAG_VALUE => {
            let message = format!("the value of a tag has at most {TAG_VALUE} characters");
            ctx.out.push(Diagnostic::new(&node.at, message));
            None
        }
        value @ (Value::Text(_) | Value::Null) => Some(value),
        value @ Value::Deferred(_) => Some(defer(ctx, &value, &node.at)),
        value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_)) if plain || node.text().is_some() => {
            Some(Value::Text(plain_text(&value)))
        }
        value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_)) => {
            let message = format!("a tag's value must be a string, but this is {}", describe(&value));
            ctx.out.push(Diagnostic::new(&node.at, message).help(QUOTE));
            None
        }
        other => {
            let message = format!("a tag's value must be a string, but this is {}", describe(&other));
            ctx.out.push(Diagnostic::new(&node.at, message));
            None
        }
    }
}

/// Reads the stack's tags, which every resource that can have tags gets.
pub(super) fn read_stack_tags(ctx: &mut RenderContext<'_>, frame: &Frame) -> BTreeMap<String, Value> {
    let mut tags = BTreeMap::new();
    let Some(node) = &ctx.loaded.stack.tags else { return tags };
    let entries = Reader { out: &mut ctx.out }.map(node, "`tags`");
    for (key, node) in entries {
        if let Some(value) = read_tag(ctx, key, node, frame).filter(|value| *value != Value::Null) {
            tags.insert(key.name.clone(), value);
        }
    }
    tags
}
