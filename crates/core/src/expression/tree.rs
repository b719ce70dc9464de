//! Expression trees: their parts, and the names that they read.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use crate::expression::Use;

/// Returns the root and the literal steps of `root.step["step"]…`, and whether they are the whole expression.
///
/// A computed step ends the chain; the steps before it are returned.
pub(crate) fn chain(expression: &IdedExpr) -> Option<(String, Vec<String>, bool)> {
    match &expression.expr {
        Expr::Ident(root) => Some((root.clone(), Vec::new(), true)),
        Expr::Select(select) => {
            let (root, mut steps, whole) = chain(&select.operand)?;
            if whole {
                steps.push(select.field.clone());
            }
            Some((root, steps, whole && !select.test))
        }
        Expr::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
            let (root, mut steps, whole) = chain(&call.args[0])?;
            match &call.args[1].expr {
                Expr::Literal(LiteralValue::String(step)) if whole => {
                    steps.push(step.inner().to_string());
                    Some((root, steps, true))
                }
                _ => Some((root, steps, false)),
            }
        }
        _ => None,
    }
}

/// Returns the direct parts of an expression.
pub(crate) fn parts(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(message) => message.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}

/// Returns the direct parts of an expression as mutable references.
pub(crate) fn parts_mut(expression: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    match &mut expression.expr {
        Expr::Call(call) => call.target.iter_mut().map(AsMut::as_mut).chain(&mut call.args).collect(),
        Expr::Comprehension(c) => {
            vec![&mut c.iter_range, &mut c.accu_init, &mut c.loop_cond, &mut c.loop_step, &mut c.result]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(|entry| entry_parts_mut(&mut entry.expr)).collect(),
        Expr::Struct(message) => {
            message.entries.iter_mut().flat_map(|entry| entry_parts_mut(&mut entry.expr)).collect()
        }
        Expr::Select(select) => vec![&mut select.operand],
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    }
}

fn entry_parts_mut(entry: &mut EntryExpr) -> Vec<&mut IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
        EntryExpr::StructField(field) => vec![&mut field.value],
    }
}

/// Collects the names that an expression reads.
///
/// `decide` returns the value of the condition of `condition ? a : b` when it is known; the other side is not read
/// then.
pub(crate) fn collect(expression: &IdedExpr, decide: &dyn Fn(&IdedExpr) -> Option<bool>) -> Vec<Use> {
    let mut collector = Collector { decide, bound: Vec::new(), uses: Vec::new() };
    collector.collect(expression);
    collector.uses
}

struct Collector<'d> {
    decide: &'d dyn Fn(&IdedExpr) -> Option<bool>,
    /// The variables of the enclosing comprehensions.
    bound: Vec<String>,
    uses: Vec<Use>,
}

impl Collector<'_> {
    fn collect(&mut self, expression: &IdedExpr) {
        if let Some((root, steps, whole)) = chain(expression) {
            let found = Use { root, steps };
            if !self.bound.contains(&found.root) && !self.uses.contains(&found) {
                self.uses.push(found);
            }
            if !whole {
                // The chain itself is collected above; the computed steps in brackets may read other names.
                self.collect_brackets(expression);
            }
            return;
        }
        match &expression.expr {
            Expr::Comprehension(c) => {
                self.collect(&c.iter_range);
                let before = self.bound.len();
                self.bound.extend([c.iter_var.clone(), c.accu_var.clone()]);
                self.bound.extend(c.iter_var2.clone());
                for part in [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                    self.collect(part);
                }
                self.bound.truncate(before);
            }
            // Inside a comprehension the condition may differ from one element to the next.
            Expr::Call(call)
                if call.func_name == operators::CONDITIONAL && call.args.len() == 3 && self.bound.is_empty() =>
            {
                self.collect(&call.args[0]);
                let holds = (self.decide)(&call.args[0]);
                if holds != Some(false) {
                    self.collect(&call.args[1]);
                }
                if holds != Some(true) {
                    self.collect(&call.args[2]);
                }
            }
            _ => parts(expression).into_iter().for_each(|part| self.collect(part)),
        }
    }

    fn collect_brackets(&mut self, expression: &IdedExpr) {
        match &expression.expr {
            Expr::Select(select) => self.collect_brackets(&select.operand),
            Expr::Call(call) if call.args.len() == 2 => {
                self.collect_brackets(&call.args[0]);
                self.collect(&call.args[1]);
            }
            _ => {}
        }
    }
}
