//! Expressions: `${…}` in strings, in CEL, over `params`, `env`, `each` and other resources.
//!
//! CEL always ends but may take long, so every expression is bounded before and while it runs
//! (see [`bound`]). What it can call besides CEL's own functions stands in [`function`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::parser::PrattParser;
use cel::{Context, Env};

use crate::address::Address;
use crate::value::{Deferred, Value};

pub(crate) mod bound;
mod convert;
pub mod function;
mod template;

pub(crate) use template::{Part, Template};

/// An expression that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
    /// The part of the document's text that is meant.
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

/// A parsed expression, with what it reads.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    /// What stands between the braces.
    pub(crate) text: String,
    expression: IdedExpr,
    /// What it reads: roots with the literal steps behind them.
    pub(crate) uses: Vec<Use>,
}

/// `root.step.step`: a read of something that the expression does not make itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) root: String,
    pub(crate) steps: Vec<String>,
}

/// The resource that steps behind a kind's name stand for: its name here, and how many steps name it.
pub(crate) type Found = Option<(Address, usize)>;

/// Evaluates what could not be evaluated at render, now that the attributes are known.
///
/// `attributes` answers a map with a resource's `id`, `name`, status and spec. Whoever calls this
/// makes sure first that all of `deferred.reads` are there.
///
/// # Errors
/// Says what the expression could not do, or which resource is not there.
pub fn evaluate(
    deferred: &Deferred,
    attributes: &dyn Fn(&Address) -> Option<Value>,
) -> Result<Value, ExpressionError> {
    let mut variables = BTreeMap::new();
    for (root, bound) in &deferred.bindings {
        variables.insert(root.clone(), settled(bound, attributes)?);
    }
    let template = Template::parse(&deferred.source)?.unwrap_or_default();
    let kinds: BTreeSet<&str> = deferred.reads.iter().map(|read| &*read.kind).collect();
    let locate = |kind: &str, steps: &[String]| {
        locate(kind, steps, &deferred.component, |address| deferred.reads.contains(address))
    };
    run(&template, &variables, &|kind| kinds.contains(kind), &locate, attributes)
}

/// The value with every deferred part evaluated.
fn settled(value: &Value, attributes: &dyn Fn(&Address) -> Option<Value>) -> Result<Value, ExpressionError> {
    Ok(match value {
        Value::Deferred(inner) => evaluate(inner, attributes)?,
        Value::List(list) => Value::List(list.iter().map(|v| settled(v, attributes)).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let pairs = map.iter().map(|(k, v)| Ok((k.clone(), settled(v, attributes)?)));
            Value::Map(pairs.collect::<Result<_, ExpressionError>>()?)
        }
        other => other.clone(),
    })
}

/// The namespaces that a name in a component is looked up in, innermost first: `a.b`, `a`, and the top.
pub(crate) fn outward(component: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(component), |namespace| match namespace.rsplit_once('.') {
        Some((outer, _)) => Some(outer),
        None if namespace.is_empty() => None,
        None => Some(""),
    })
}

/// A name as seen from a namespace.
pub(crate) fn within(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

/// Finds the resource that `Kind.step.step` means: the nearest namespace, and there the longest name.
pub(crate) fn locate(kind: &str, steps: &[String], component: &str, exists: impl Fn(&Address) -> bool) -> Found {
    outward(component).find_map(|namespace| {
        (1..=steps.len()).rev().find_map(|used| {
            let address = Address::new(kind, &within(namespace, &steps[..used].join(".")));
            exists(&address).then_some((address, used))
        })
    })
}

/// Evaluates a template. A template that is one expression keeps its type; others become text.
pub(crate) fn run(
    template: &Template,
    variables: &BTreeMap<String, Value>,
    is_kind: &dyn Fn(&str) -> bool,
    locate: &dyn Fn(&str, &[String]) -> Found,
    attributes: &dyn Fn(&Address) -> Option<Value>,
) -> Result<Value, ExpressionError> {
    let budget = bound::Budget::default();
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Code(code) => {
                let value = code.run(variables, is_kind, locate, attributes, &budget)?;
                if template.single().is_some() {
                    return Ok(value);
                }
                text.push_str(&as_text(&value, &code.text)?);
            }
        }
    }
    Ok(Value::Text(text))
}

/// A value inside a longer string.
fn as_text(value: &Value, code: &str) -> Result<String, ExpressionError> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Integer(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null => Err(ExpressionError::new("this is null, and stands inside a string", code)
            .help("give it a value, or write `default(…, \"\")`")),
        _ => Err(ExpressionError::new("this is a list or a map, and stands inside a string", code)
            .help("write `json(…)`, or `join(…, \",\")` for a list")),
    }
}

/// CEL's standard library, without optional values: one way to say that something is absent is enough.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

impl Code {
    /// Parses and bounds an expression.
    pub(crate) fn parse(text: &str) -> Result<Code, ExpressionError> {
        bound::check_text(text)?;
        let parser = PrattParser::new().max_recursion_depth(bound::BRACKETS).max_expression_node_count(bound::NODES);
        let parsed = parser.parse(text);
        let mut expression = parsed.map_err(|errors| {
            let first = errors.errors.first().map_or_else(|| errors.to_string(), |e| e.msg.clone());
            let first = first.lines().next().unwrap_or_default().to_owned();
            let error = ExpressionError::new(format!("this is no expression: {first}"), text);
            match text.trim_start().starts_with("aws:") || text.contains("AWS::") {
                true => error.help(format!("for a variable of AWS's own, write `$${{{text}}}`")),
                false => error.help("expressions are CEL; write `$${` for a `${` that is no expression"),
            }
        })?;
        bound::bind(&mut expression, text)?;
        let mut uses = Vec::new();
        collect(&expression, &mut Vec::new(), &mut uses);
        Ok(Code { text: text.to_owned(), expression, uses })
    }

    /// The read that this is, when it is nothing else: `params.zones`.
    pub(crate) fn path(&self) -> Option<Use> {
        chain(&self.expression).filter(|(_, _, whole)| *whole).map(|(root, steps, _)| Use { root, steps })
    }

    fn run(
        &self,
        variables: &BTreeMap<String, Value>,
        is_kind: &dyn Fn(&str) -> bool,
        locate: &dyn Fn(&str, &[String]) -> Found,
        attributes: &dyn Fn(&Address) -> Option<Value>,
        budget: &bound::Budget,
    ) -> Result<Value, ExpressionError> {
        let mut context = Context::with_env(LIBRARY.clone());
        function::add(&mut context, budget);
        for (name, value) in variables {
            context.add_variable_from_value(name.clone(), convert::to_cel(value));
        }
        let mut expression = self.expression.clone();
        let mut read = BTreeSet::new();
        substitute(&mut expression, is_kind, locate, &mut read);
        for address in read {
            let Some(value) = attributes(&address) else {
                return Err(ExpressionError::new(format!("`{address}` is not there"), &self.text));
            };
            context.add_variable_from_value(variable(&address), convert::to_cel(&value));
        }
        let result = cel::Value::resolve(&expression, &context);
        let value = result.map_err(|error| ExpressionError::new(convert::explain(&error), &self.text))?;
        convert::from_cel(&value).map_err(|message| ExpressionError::new(message, &self.text))
    }
}

/// The variable that stands for a resource. No expression can spell it.
fn variable(address: &Address) -> String {
    format!("@{}", address.to_string().replace('.', "@"))
}

/// Root and literal steps of `root.step["step"]…`, and whether that is the whole expression.
///
/// A step that is computed ends the chain: what is before it counts.
fn chain(expression: &IdedExpr) -> Option<(String, Vec<String>, bool)> {
    match &expression.expr {
        Expr::Ident(root) => Some((root.clone(), Vec::new(), true)),
        Expr::Select(select) => {
            let (root, mut steps, whole) = chain(&select.operand)?;
            if whole {
                steps.push(select.field.clone());
            }
            Some((root, steps, whole && !select.test))
        }
        Expr::Call(call) if call.func_name == cel::common::ast::operators::INDEX && call.args.len() == 2 => {
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

/// The direct parts of an expression.
pub(crate) fn parts(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(made) => made.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
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

/// The same, to be changed.
pub(crate) fn parts_mut(expression: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    match &mut expression.expr {
        Expr::Call(call) => call.target.iter_mut().map(AsMut::as_mut).chain(&mut call.args).collect(),
        Expr::Comprehension(c) => {
            vec![&mut c.iter_range, &mut c.accu_init, &mut c.loop_cond, &mut c.loop_step, &mut c.result]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(|entry| entry_parts_mut(&mut entry.expr)).collect(),
        Expr::Struct(made) => made.entries.iter_mut().flat_map(|entry| entry_parts_mut(&mut entry.expr)).collect(),
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

/// Collects what an expression reads; `bound` holds the variables of the comprehensions around.
fn collect(expression: &IdedExpr, bound: &mut Vec<String>, uses: &mut Vec<Use>) {
    if let Some((root, steps, whole)) = chain(expression) {
        if !bound.contains(&root) {
            let found = Use { root, steps };
            if !uses.contains(&found) {
                uses.push(found);
            }
        }
        if whole {
            return;
        }
        // What is computed inside brackets reads things of its own; the chain itself was counted.
        return collect_brackets(expression, bound, uses);
    }
    if let Expr::Comprehension(c) = &expression.expr {
        collect(&c.iter_range, bound, uses);
        let before = bound.len();
        bound.extend([c.iter_var.clone(), c.accu_var.clone()]);
        bound.extend(c.iter_var2.clone());
        for part in [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
            collect(part, bound, uses);
        }
        bound.truncate(before);
        return;
    }
    parts(expression).into_iter().for_each(|part| collect(part, bound, uses));
}

fn collect_brackets(expression: &IdedExpr, bound: &mut Vec<String>, uses: &mut Vec<Use>) {
    match &expression.expr {
        Expr::Select(select) => collect_brackets(&select.operand, bound, uses),
        Expr::Call(call) if call.args.len() == 2 => {
            collect_brackets(&call.args[0], bound, uses);
            collect(&call.args[1], bound, uses);
        }
        _ => {}
    }
}

/// Puts variables in the place of `Kind.name`, so that CEL sees a map of attributes.
fn substitute(
    expression: &mut IdedExpr,
    is_kind: &dyn Fn(&str) -> bool,
    locate: &dyn Fn(&str, &[String]) -> Found,
    read: &mut BTreeSet<Address>,
) {
    if let Some((root, steps, true)) = chain(expression).filter(|(root, _, _)| is_kind(root)) {
        let Some((address, used)) = locate(&root, &steps) else { return };
        // Go inwards over the attributes, until what is left is the name.
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
