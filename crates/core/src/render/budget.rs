//! The budget of rendering: the work and the memory of all expressions, parameters and copies of one document.

use crate::diagnostic::{Diagnostic, Location};
use crate::expression::bound::DocumentBudget;
use crate::load::node::{Node, Tree};
use crate::render::RenderContext;
use crate::value::Value;

/// The maximum weight of all values of a document, in bytes: what expressions and parameters return and what the copies
/// of `forEach` contain. 10,000 resources of 50 fields weigh about a quarter of it. Parameters that repeat each other
/// grow without bound otherwise.
const BYTES: usize = 256 * 1024 * 1024;

/// The remaining budget of one document.
#[derive(Debug)]
pub(super) struct RenderBudget {
    bytes: usize,
    /// The steps of all expressions.
    pub(super) steps: DocumentBudget,
    is_reported: bool,
}

impl Default for RenderBudget {
    fn default() -> Self {
        RenderBudget { bytes: BYTES, steps: DocumentBudget::default(), is_reported: false }
    }
}

/// Charges the weight of a copy. False when the budget is exhausted, which is reported once.
pub(super) fn charge(ctx: &mut RenderContext<'_>, bytes: usize, at: &Location) -> bool {
    if let Some(left) = ctx.budget.bytes.checked_sub(bytes) {
        ctx.budget.bytes = left;
        return true;
    }
    ctx.budget.bytes = 0;
    if !std::mem::replace(&mut ctx.budget.is_reported, true) {
        let message = format!("the values of this document take more than {} MiB", BYTES / (1024 * 1024));
        let help = "shorten the texts and lists that parameters, expressions and `forEach` repeat";
        ctx.out.push(Diagnostic::new(at, message).help(help));
    }
    false
}

/// Returns the weight of a node and everything below it.
pub(super) fn weight(node: &Node) -> usize {
    let below = match &node.tree {
        Tree::Text(text) => text.len(),
        Tree::List(list) => list.iter().map(weight).fold(0, usize::saturating_add),
        Tree::Map(map) => map.iter().map(|(key, node)| key.name.len() + weight(node)).fold(0, usize::saturating_add),
        _ => 0,
    };
    below.saturating_add(Value::NODE_WEIGHT)
}
