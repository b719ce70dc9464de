//! Bounds on one expression: on its length, depth and nesting before it runs, and on its work while it runs.
//!
//! CEL has no loops except comprehensions over lists, so the lists that are iterated bound the work. The list of each
//! comprehension is wrapped in the function [`ITEMS_OF`]. The function charges the length of the list times the size of
//! the loop's body to a budget, and sorts the keys of maps, for which CEL defines no order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::common::types::CelInt;

use crate::expression::ExpressionError;
use crate::expression::tree::{chain, parts, parts_mut};

/// The maximum length of an expression in bytes. The longest in the five systems' documents has about 120.
const LENGTH: usize = 4096;
/// The maximum number of operators, dots, brackets and commas: each may be a level of the tree.
const MARKS: usize = 512;
/// The maximum nesting of brackets that the parser follows.
pub(crate) const BRACKETS: u16 = 64;
/// The maximum number of nodes that the parser creates for an expression.
pub(crate) const NODES: usize = 2000;
/// The maximum depth of an expression. CEL's evaluation takes 40 KB of stack for a level without optimisation, and
/// threads of tokio and of tests have 2 MB.
const DEPTH: usize = 32;
/// The maximum nesting of comprehensions: a list of lists.
const NESTING: usize = 2;
/// The maximum length of a list that a comprehension iterates over.
pub(crate) const ITEMS: usize = 1000;
/// The maximum number of steps of one template, in nodes of loop bodies: about a second of work without optimisation.
const STEPS: usize = 100_000;
/// The maximum number of steps of all templates of a document: a few seconds of work with optimisation.
const DOCUMENT_STEPS: usize = 5_000_000;
/// The number of bytes that a concatenation copies in one step.
const BYTES_A_STEP: usize = 64;
/// The cost of compiling one regular expression, in steps: a hostile one takes a few milliseconds.
const REGEX: i64 = 5000;
/// The maximum length of a function's text result, in bytes: more than any AWS field accepts.
pub(crate) const TEXT: usize = 256 * 1024;

/// The function that wraps a comprehension's list. No expression can contain this name.
pub(crate) const ITEMS_OF: &str = "@items";
/// The function that wraps a regular expression's subject.
pub(crate) const CHARGE: &str = "@charge";
/// The function that replaces the operator `+`, and charges the length of its result.
pub(crate) const ADD: &str = "@add";
/// The prefix of the variables of comprehensions that no document can name, such as the list of `map`.
const HIDDEN: char = '@';

/// The remaining steps of all templates of a document.
#[derive(Clone, Debug)]
pub(crate) struct DocumentBudget(Arc<AtomicUsize>);

impl Default for DocumentBudget {
    fn default() -> Self {
        DocumentBudget(Arc::new(AtomicUsize::new(DOCUMENT_STEPS)))
    }
}

impl DocumentBudget {
    /// Returns the budget of the next template.
    pub(crate) fn template(&self) -> EvaluationBudget {
        EvaluationBudget { template: Arc::new(AtomicUsize::new(STEPS)), document: self.0.clone() }
    }
}

/// The remaining steps of one template, and of its document.
#[derive(Clone, Debug)]
pub(crate) struct EvaluationBudget {
    template: Arc<AtomicUsize>,
    document: Arc<AtomicUsize>,
}

impl EvaluationBudget {
    /// Charges steps to the budget.
    pub(crate) fn charge(&self, steps: usize) -> Result<(), String> {
        let take = |from: &AtomicUsize| {
            from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(steps)).is_ok()
        };
        match () {
            () if !take(&self.template) => {
                Err(format!("this expression takes more than {STEPS} steps; shorten its lists"))
            }
            () if !take(&self.document) => Err(format!(
                "the expressions of this document take more than {DOCUMENT_STEPS} steps; shorten their lists"
            )),
            () => Ok(()),
        }
    }

    /// Charges the length of a text or list that an operator copies.
    pub(crate) fn charge_length(&self, bytes: usize) -> Result<(), String> {
        self.charge(bytes / BYTES_A_STEP)
    }
}

/// Checks the text before it is parsed.
pub(crate) fn check_text(text: &str) -> Result<(), ExpressionError> {
    if text.is_empty() {
        return Err(ExpressionError::new("the expression between `${` and `}` is empty", "${}"));
    }
    if text.len() > LENGTH {
        return Err(ExpressionError::new(
            format!("this expression is longer than {LENGTH} bytes"),
            &text[..text.floor_char_boundary(40)],
        ));
    }
    let marks = text.bytes().filter(|b| b.is_ascii_punctuation() && !matches!(b, b'_' | b'"' | b'\'')).count();
    if marks > MARKS {
        return Err(ExpressionError::new(
            format!("this expression has more than {MARKS} operators, dots and brackets"),
            &text[..text.floor_char_boundary(40)],
        )
        .help("split the expression, or move its data into a parameter"));
    }
    Ok(())
}

/// Checks an expression, and inserts the functions that bound its work.
pub(crate) fn bind(expression: &mut IdedExpr, text: &str) -> Result<(), ExpressionError> {
    measure(expression, 0, 0).map_err(|message| ExpressionError::new(message, text))?;
    guard(expression);
    Ok(())
}

fn measure(expression: &IdedExpr, depth: usize, nesting: usize) -> Result<(), String> {
    if depth > DEPTH {
        return Err(format!("this expression is nested more than {DEPTH} levels deep"));
    }
    match &expression.expr {
        Expr::Unspecified => return Err("this is not a valid expression".into()),
        Expr::Struct(message) => return Err(format!("there is no type `{}`", message.type_name)),
        Expr::Comprehension(c) => {
            if nesting == NESTING {
                return Err(format!(
                    "comprehensions (`map`, `filter`, `all`, …) are nested more than {NESTING} levels deep"
                ));
            }
            measure(&c.iter_range, depth + 1, nesting)?;
            for part in [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                measure(part, depth + 1, nesting + 1)?;
            }
            return Ok(());
        }
        _ => {}
    }
    parts(expression).into_iter().try_for_each(|part| measure(part, depth + 1, nesting))
}

/// Wraps the lists of comprehensions and the subjects of regular expressions, and makes `default` test whether a key
/// exists before it reads the key.
fn guard(expression: &mut IdedExpr) {
    parts_mut(expression).into_iter().for_each(guard);
    let id = expression.id;
    match &mut expression.expr {
        Expr::Comprehension(c) => {
            let weight = size(&c.loop_step) + size(&c.loop_cond);
            wrap(&mut c.iter_range, ITEMS_OF, i64::try_from(weight).unwrap_or(i64::MAX));
        }
        Expr::Call(call) if call.func_name == "matches" => {
            if let Some(subject) = call.target.as_deref_mut().or(call.args.first_mut()) {
                wrap(subject, CHARGE, REGEX);
            }
        }
        // The result of `+` may be as long as both sides, and a chain of parameters doubles it each time. The hidden
        // list of `map` and `filter` grows by one element, and the comprehension's list is charged already.
        Expr::Call(call) if call.func_name == operators::ADD && call.args.len() == 2 => {
            let hidden = matches!(&call.args[0].expr, Expr::Ident(name) if name.starts_with(HIDDEN));
            if !hidden {
                ADD.clone_into(&mut call.func_name);
            }
        }
        // `default(a.b, c)`: the key `b` may be missing.
        Expr::Call(call) if call.func_name == "default" && call.target.is_none() && call.args.len() == 2 => {
            let named = chain(&call.args[0]).is_some_and(|(_, _, whole)| whole);
            if let Expr::Select(select) = call.args[0].expr.clone()
                && named
            {
                let mut test = select.clone();
                test.test = true;
                let args = [Expr::Select(test), Expr::Select(select), Expr::Literal(LiteralValue::Null)];
                call.args[0].expr = Expr::Call(CallExpr {
                    func_name: operators::CONDITIONAL.to_owned(),
                    target: None,
                    args: args.map(|expr| IdedExpr { id, expr }).to_vec(),
                });
            }
        }
        _ => {}
    }
}

fn wrap(expression: &mut IdedExpr, function: &str, number: i64) {
    let id = expression.id;
    let inner = std::mem::take(expression);
    let number = IdedExpr { id, expr: Expr::Literal(LiteralValue::Int(CelInt::from(number))) };
    *expression = IdedExpr {
        id,
        expr: Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args: vec![inner, number] }),
    };
}

/// Returns the number of nodes of an expression.
fn size(expression: &IdedExpr) -> usize {
    1 + parts(expression).into_iter().map(size).sum::<usize>()
}
