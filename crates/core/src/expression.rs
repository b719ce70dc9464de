//! Expressions: `${…}` in strings, written in CEL, which read `params`, `env`, `each` and other resources.
//!
//! A CEL expression always terminates but may take long, so every expression is bounded before and while it runs
//! (see `bound`). [`function`] lists the functions in addition to CEL's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr};
use cel::parser::PrattParser;
use cel::{Context, Env};

use crate::address::Address;
use crate::value::{Deferred, Value};

pub(crate) mod bound;
mod convert;
pub mod function;
mod template;
mod tree;

pub(crate) use template::{Part, Template};
use tree::{chain, collect, parts_mut};

/// An invalid expression, or one that cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// The error.
    pub message: String,
    /// How to fix the error.
    pub help: Option<String>,
    /// The part of the document's text that the error is about.
    pub part: String,
}

impl ExpressionError {
    pub(crate) fn new(message: impl Into<String>, part: &str) -> Self {
        ExpressionError { message: message.into(), help: None, part: part.to_owned() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A parsed expression.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    /// The text between the braces.
    pub(crate) text: String,
    expression: IdedExpr,
    /// The names that the expression reads: roots with the literal steps after them.
    pub(crate) uses: Vec<Use>,
}

/// `root.step.step`: a read of a name that the expression does not define itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) root: String,
    pub(crate) steps: Vec<String>,
}

/// The resource that `Kind.step.step` names: its address, and the number of steps that are part of its name.
pub(crate) type Found = Option<(Address, usize)>;

/// Evaluates a template that could not be evaluated at render time, now that the attributes are known.
///
/// `attributes` returns a map with a resource's `id`, `name`, status and spec. The caller makes sure first that all
/// resources in `deferred.reads` exist.
///
/// # Errors
/// When an expression fails, or when a resource that it reads does not exist.
pub fn evaluate(deferred: &Deferred, attributes: &dyn Fn(&Address) -> Option<Value>) -> Result<Value, ExpressionError> {
    let mut variables = BTreeMap::new();
    for (root, bound) in &deferred.bindings {
        variables.insert(root.clone(), evaluate_within(bound, attributes)?);
    }
    let template = Template::of(&deferred.source)?;
    let kinds: BTreeSet<&str> = deferred.reads.iter().map(|read| &*read.kind).collect();
    let locate = |kind: &str, steps: &[String]| {
        locate(kind, steps, &deferred.component, |address| deferred.reads.contains(address))
    };
    let budget = bound::DocumentBudget::default().template();
    run(template, &variables, &|kind| kinds.contains(kind), &locate, attributes, &budget)
}

/// Returns the value with every deferred part evaluated.
fn evaluate_within(value: &Value, attributes: &dyn Fn(&Address) -> Option<Value>) -> Result<Value, ExpressionError> {
    Ok(match value {
        Value::Deferred(inner) => evaluate(inner, attributes)?,
        Value::List(list) => {
            Value::List(list.iter().map(|v| evaluate_within(v, attributes)).collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let pairs = map.iter().map(|(k, v)| Ok((k.clone(), evaluate_within(v, attributes)?)));
            Value::Map(pairs.collect::<Result<_, ExpressionError>>()?)
        }
        other => other.clone(),
    })
}

/// Returns the namespaces that are searched for a name in a component, innermost first: `a.b`, `a`, and the stack.
pub(crate) fn outward(component: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(component), |namespace| match namespace.rsplit_once('.') {
        Some((outer, _)) => Some(outer),
        None if namespace.is_empty() => None,
        None => Some(""),
    })
}

/// Returns the full name of a name in a namespace.
pub(crate) fn within(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

/// Finds the resource that `Kind.step.step` names: in the innermost namespace that has one, the longest name.
pub(crate) fn locate(kind: &str, steps: &[String], component: &str, exists: impl Fn(&Address) -> bool) -> Found {
    outward(component).find_map(|namespace| {
        (1..=steps.len()).rev().find_map(|used| {
            let address = Address::new(kind, &within(namespace, &steps[..used].join(".")));
            exists(&address).then_some((address, used))
        })
    })
}

/// Evaluates a template. The result of a template that is one expression keeps its type; other templates give text.
pub(crate) fn run(
    template: &Template,
    variables: &BTreeMap<String, Value>,
    is_kind: &dyn Fn(&str) -> bool,
    locate: &dyn Fn(&str, &[String]) -> Found,
    attributes: &dyn Fn(&Address) -> Option<Value>,
    budget: &bound::EvaluationBudget,
) -> Result<Value, ExpressionError> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Code(code) => {
                let value = code.run(variables, is_kind, locate, attributes, budget)?;
                if template.single().is_some() {
                    return Ok(value);
                }
                text.push_str(&as_text(&value, &code.text)?);
                if text.len() > bound::TEXT {
                    let message = format!("this string is longer than {} bytes", bound::TEXT);
                    return Err(ExpressionError::new(message, &code.text)
                        .help("no field of AWS takes so long a string: shorten the parameters that it repeats"));
                }
            }
        }
    }
    Ok(Value::Text(text))
}

/// Returns the text of a value that is inserted into a longer string.
fn as_text(value: &Value, code: &str) -> Result<String, ExpressionError> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Integer(_) | Value::Number(_) => Ok(plain_text(value)),
        Value::Null => Err(ExpressionError::new("this is null, which cannot be inserted into a string", code)
            .help("give it a value, or write `default(…, \"\")`")),
        _ => Err(ExpressionError::new("this is a list or a map, which cannot be inserted into a string", code)
            .help("write `json(…)`, or `join(…, \",\")` for a list")),
    }
}

/// Returns a scalar as text: a whole number without a fraction, like CEL's own `string`.
pub(crate) fn plain_text(value: &Value) -> String {
    match value {
        Value::Number(n) => format!("{n}"),
        other => other.to_string(),
    }
}

/// Converts a number from an expression to a whole number; none when it has a fraction or is too large.
#[expect(clippy::cast_possible_truncation, reason = "the number has no fraction and is small enough")]
pub(crate) fn whole(n: f64) -> Option<Value> {
    (n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0).then_some(Value::Integer(n as i64))
}

/// CEL's standard library, without optional values: `null`, `has` and `default` handle absent values.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

impl Code {
    /// Parses an expression and applies the bounds to it.
    pub(crate) fn parse(text: &str) -> Result<Code, ExpressionError> {
        bound::check_text(text)?;
        let parser = PrattParser::new().max_recursion_depth(bound::BRACKETS).max_expression_node_count(bound::NODES);
        let parsed = parser.parse(text);
        let mut expression = parsed.map_err(|errors| {
            let first = errors.errors.first().map_or_else(|| errors.to_string(), |e| e.msg.clone());
            let first = first.lines().next().unwrap_or_default().to_owned();
            let error = ExpressionError::new(format!("this is not a valid expression: {first}"), text);
            match text.trim_start().starts_with("aws:") || text.contains("AWS::") {
                true => error.help(format!("for a variable that AWS substitutes, write `$${{{text}}}`")),
                false => error.help("expressions are written in CEL; for a literal `${`, write `$${`"),
            }
        })?;
        bound::bind(&mut expression, text)?;
        let uses = collect(&expression, &|_| None);
        Ok(Code { text: text.to_owned(), expression, uses })
    }

    /// Returns the read when the expression consists of nothing else: `params.zones`.
    pub(crate) fn path(&self) -> Option<Use> {
        chain(&self.expression).filter(|(_, _, whole)| *whole).map(|(root, steps, _)| Use { root, steps })
    }

    /// Returns the names that the expression reads. Conditions that depend on `bindings` alone are evaluated, and the
    /// side that they exclude is not read.
    pub(crate) fn reads(&self, bindings: &BTreeMap<String, Value>) -> Vec<Use> {
        let decide = |condition: &IdedExpr| {
            let mut known = collect(condition, &|_| None).into_iter();
            if !known.all(|used| bindings.get(&used.root).is_some_and(|bound| !is_deferred(bound))) {
                return None;
            }
            let budget = bound::DocumentBudget::default().template();
            let result = evaluate_tree(condition, bindings.iter(), &budget);
            if let Ok(cel::Value::Bool(holds)) = result { Some(holds) } else { None }
        };
        collect(&self.expression, &decide)
    }

    /// Returns the value of an expression that only reads an attribute, as most do: `Topic.alarms.arn`. None when CEL has
    /// to evaluate the expression: it is more than a path, or the value is neither text, a whole number nor a truth value.
    fn attribute(
        &self,
        is_kind: &dyn Fn(&str) -> bool,
        locate: &dyn Fn(&str, &[String]) -> Found,
        attributes: &dyn Fn(&Address) -> Option<Value>,
    ) -> Option<Value> {
        let path = self.path().filter(|path| is_kind(&path.root))?;
        let (address, used) = locate(&path.root, &path.steps)?;
        let of_resource = attributes(&address)?;
        let value = path.steps[used..].iter().try_fold(&of_resource, |value, step| value.get(step))?;
        matches!(value, Value::Text(_) | Value::Integer(_) | Value::Bool(_)).then(|| value.clone())
    }

    fn run(
        &self,
        variables: &BTreeMap<String, Value>,
        is_kind: &dyn Fn(&str) -> bool,
        locate: &dyn Fn(&str, &[String]) -> Found,
        attributes: &dyn Fn(&Address) -> Option<Value>,
        budget: &bound::EvaluationBudget,
    ) -> Result<Value, ExpressionError> {
        if let Some(value) = self.attribute(is_kind, locate, attributes) {
            return Ok(value);
        }
        let mut expression = self.expression.clone();
        let mut read = BTreeSet::new();
        substitute(&mut expression, is_kind, locate, &mut read);
        let mut resources = Vec::new();
        for address in read {
            let Some(value) = attributes(&address) else {
                return Err(ExpressionError::new(format!("`{address}` does not exist"), &self.text));
            };
            resources.push((variable(&address), value));
        }
        let all = variables.iter().chain(resources.iter().map(|(name, value)| (name, value)));
        let result = evaluate_tree(&expression, all, budget);
        let value = result.map_err(|error| ExpressionError::new(convert::explain(&error), &self.text))?;
        convert::from_cel(&value).map_err(|message| {
            let error = ExpressionError::new(message, &self.text);
            if error.message.contains("larger than") {
                error.help("shorten the parameters that it repeats")
            } else {
                error
            }
        })
    }
}

/// Evaluates an expression tree.
fn evaluate_tree<'v>(
    expression: &IdedExpr,
    variables: impl Iterator<Item = (&'v String, &'v Value)>,
    budget: &bound::EvaluationBudget,
) -> Result<cel::Value, cel::ExecutionError> {
    let mut context = Context::with_env(LIBRARY.clone());
    function::add(&mut context, budget);
    for (name, value) in variables {
        context.add_variable_from_value(name.clone(), convert::to_cel(value));
    }
    cel::Value::resolve(expression, &context)
}

/// True when a part of the value is an expression that reads other resources.
pub(crate) fn is_deferred(value: &Value) -> bool {
    let mut found = false;
    value.walk(&mut |v| found |= matches!(v, Value::Deferred(_)));
    found
}

/// Returns the variable that represents a resource. No expression can contain this name.
fn variable(address: &Address) -> String {
    format!("@{}", address.to_string().replace('.', "@"))
}

/// Replaces `Kind.name` by variables, so that CEL reads a map of attributes.
fn substitute(
    expression: &mut IdedExpr,
    is_kind: &dyn Fn(&str) -> bool,
    locate: &dyn Fn(&str, &[String]) -> Found,
    read: &mut BTreeSet<Address>,
) {
    if let Some((root, steps, true)) = chain(expression).filter(|(root, _, _)| is_kind(root)) {
        let Some((address, used)) = locate(&root, &steps) else { return };
        // Descend over the attributes until only the name is left.
        let mut inner = expression;
        for _ in used..steps.len() {
            let Some(operand) = parts_mut(inner).into_iter().next() else { return };
            inner = operand;
        }
        inner.expr = Expr::Ident(variable(&address));
        read.insert(address);
        return;
    }
    parts_mut(expression).into_iter().for_each(|part| substitute(part, is_kind, locate, read));
}

#[cfg(test)]
mod tests;
