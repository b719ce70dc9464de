//! The scope of an expression, and the evaluation of whole trees in a scope.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::expression::{Code, ExpressionError, Template, Use, is_deferred, run};
use crate::load::node::{Node, Tree};
use crate::render::Renderer;
use crate::value::{Deferred, Value};

/// The names that an expression can read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The component: `a.b`, empty for the stack.
    pub(crate) component: String,
    /// The parameters that have a value.
    pub(crate) params: Rc<BTreeMap<String, Value>>,
    /// For each parameter, the component in which names in its text are resolved.
    pub(crate) namespaces: Rc<BTreeMap<String, String>>,
    /// The refused parameters. Errors of expressions that read them are not reported.
    pub(crate) refused: Rc<BTreeSet<String>>,
    /// `env`: name, stack, account, region, regions.
    pub(crate) env: BTreeMap<String, Value>,
    /// `each`: key and value, inside a forEach.
    pub(crate) each: Option<Value>,
}

impl Scope {
    /// Returns the region of resources in this scope.
    pub(crate) fn region(&self) -> &str {
        self.env.get("region").and_then(Value::text).unwrap_or_default()
    }

    /// Returns the scope with another region.
    pub(crate) fn in_region(&self, region: &str) -> Scope {
        let mut scope = self.clone();
        scope.env.insert("region".into(), region.into());
        scope
    }

    /// Returns the scope for one element of a forEach.
    pub(crate) fn of_each(&self, key: &str, value: &Value) -> Scope {
        let each = Value::Map(BTreeMap::from([("key".into(), key.into()), ("value".into(), value.clone())]));
        Scope { each: Some(each), ..self.clone() }
    }

    /// Returns the component in which names in a template's result are resolved: the component of the first parameter
    /// that the template reads, else this one.
    pub(crate) fn namespace(&self, template: &Template) -> String {
        let through = template.uses().filter(|used| used.root == "params").filter_map(|used| used.steps.first());
        through.filter_map(|name| self.namespaces.get(name)).next().unwrap_or(&self.component).clone()
    }

    fn root(&self, name: &str) -> Option<Value> {
        match name {
            "params" => Some(Value::Map(self.params.as_ref().clone())),
            "env" => Some(Value::Map(self.env.clone())),
            "each" => self.each.clone(),
            _ => None,
        }
    }

    /// Returns the value of `params.a.b` when it exists without evaluating an expression.
    fn at(&self, path: &Use) -> Option<Value> {
        let mut value = &self.root(&path.root)?;
        for step in &path.steps {
            value = value.get(step)?;
        }
        Some(value.clone())
    }

    /// Adds the part of a root that a use reads to the bindings: the whole root when the use has no steps.
    fn bind(&self, used: &Use, bindings: &mut BTreeMap<String, Value>) {
        let Some(root) = self.root(&used.root) else { return };
        let part = match (used.steps.first(), &root) {
            (Some(step), Value::Map(map)) => map.get(step).map(|value| (step.clone(), value.clone())),
            _ => None,
        };
        match (part, bindings.entry(used.root.clone()).or_insert_with(|| Value::Map(BTreeMap::new()))) {
            (Some((step, value)), Value::Map(bound)) => drop(bound.insert(step, value)),
            // The name does not exist: CEL reports that, or `has` and `default` handle it.
            (None, _) if !used.steps.is_empty() => {}
            (_, bound) => *bound = root,
        }
    }
}

/// The result of evaluating a string.
pub(crate) enum Evaluated {
    /// The string contains no template.
    Same,
    /// A value, which may have deferred parts, and the component in which its names are resolved.
    Value(Value, String),
    /// An error, which was reported.
    Refused,
}

impl Renderer<'_> {
    /// Evaluates the template of a string, or defers it when it reads resources.
    pub(crate) fn evaluate(&mut self, text: &str, at: &Location, scope: &Scope) -> Evaluated {
        let template = match self.template(text) {
            Ok(None) => return Evaluated::Same,
            Ok(Some(template)) => template,
            Err(error) => return self.refuse(at, &error),
        };
        for code in template.codes() {
            for used in &code.uses {
                match self.check_root(used, code, scope) {
                    Ok(true) => {}
                    Ok(false) => return Evaluated::Refused,
                    Err(error) => return self.refuse(at, &error),
                }
            }
        }
        let namespace = scope.namespace(&template);
        if let Some(value) = template.single().and_then(Code::path).and_then(|path| scope.at(&path)) {
            return Evaluated::Value(value, namespace);
        }
        let mut bindings = BTreeMap::new();
        template.uses().for_each(|used| scope.bind(used, &mut bindings));
        let is_kind = |used: &Use| self.registry.get(&used.root).is_some();
        if template.uses().any(is_kind) || bindings.values().any(is_deferred) {
            // The side that a known condition excludes is neither read nor waited for.
            let reads: Vec<Use> = template.codes().flat_map(|code| code.reads(&bindings)).collect();
            let mut needed = BTreeMap::new();
            reads.iter().for_each(|used| scope.bind(used, &mut needed));
            bindings = needed;
            if !reads.iter().any(is_kind) && !bindings.values().any(is_deferred) {
                return self.evaluate_now(&template, &bindings, namespace, at);
            }
            let component = scope.component.clone();
            let deferred = Deferred { source: text.into(), reads: Vec::new(), bindings, component };
            let value = self.defer(&Value::Deferred(Arc::new(deferred)), at);
            return Evaluated::Value(value, namespace);
        }
        self.evaluate_now(&template, &bindings, namespace, at)
    }

    fn evaluate_now(
        &mut self,
        template: &Template,
        bindings: &BTreeMap<String, Value>,
        namespace: String,
        at: &Location,
    ) -> Evaluated {
        match run(template, bindings, &|_| false, &|_, _| None, &|_| None) {
            Ok(value) => Evaluated::Value(value, namespace),
            Err(error) => self.refuse(at, &error),
        }
    }

    fn refuse(&mut self, at: &Location, error: &ExpressionError) -> Evaluated {
        self.out.push_within(&error.part, Diagnostic::new(at, &error.message).help_if(error.help.clone()));
        Evaluated::Refused
    }

    fn template(&mut self, text: &str) -> Result<Option<Rc<Template>>, ExpressionError> {
        if !text.contains("${") {
            return Ok(None);
        }
        if let Some(parsed) = self.templates.get(text) {
            return parsed.clone().map(Some);
        }
        let parsed = Template::parse(text).map(|template| Rc::new(template.unwrap_or_default()));
        self.templates.insert(text.to_owned(), parsed.clone());
        parsed.map(Some)
    }

    /// Checks that a root and its first step exist. False when the error was reported elsewhere.
    fn check_root(&self, used: &Use, code: &Code, scope: &Scope) -> Result<bool, ExpressionError> {
        let error = |message: String| Err(ExpressionError::new(message, &code.text));
        match used.root.as_str() {
            "params" => match used.steps.first() {
                Some(name) if scope.refused.contains(name) => Ok(false),
                Some(name) if !scope.params.contains_key(name) => {
                    let known = scope.params.keys().map(String::as_str);
                    let help = suggest(name, known).unwrap_or_else(|| "declare it under `spec.parameters`".into());
                    Err(ExpressionError::new(format!("there is no parameter `{name}`"), &code.text).help(help))
                }
                None if !scope.refused.is_empty() => Ok(false),
                _ => Ok(true),
            },
            "env" => match used.steps.first() {
                Some(name) if !scope.env.contains_key(name) => {
                    let known = scope.env.keys().map(String::as_str);
                    let help = suggest(name, known)
                        .unwrap_or_else(|| "`env` has `name`, `stack`, `account`, `region` and `regions`".into());
                    Err(ExpressionError::new(format!("there is no `env.{name}`"), &code.text).help(help))
                }
                _ => Ok(true),
            },
            "each" if scope.each.is_some() => Ok(true),
            "each" => error("`each` can be used only inside a `forEach`".into()),
            root if self.registry.get(root).is_some() => Ok(true),
            root => {
                let known = self.registry.kinds().chain(["params", "env", "each"]);
                let dashed = code.text.contains('-') && code.uses.iter().any(|u| self.registry.get(&u.root).is_some());
                let help = match dashed {
                    true => "write a name with a dash in brackets: `Kind[\"some-name\"].id`".into(),
                    false => suggest(root, known)
                        .unwrap_or_else(|| "expressions can read `params`, `env`, `each` and kinds".into()),
                };
                Err(ExpressionError::new(format!("unknown name `{root}`"), &code.text).help(help))
            }
        }
    }

    /// Evaluates all strings of a tree; none after an error was reported.
    pub(crate) fn untyped(&mut self, node: &Node, scope: &Scope) -> Option<Value> {
        Some(match &node.tree {
            Tree::Text(text) if !node.plain => match self.evaluate(text, &node.at, scope) {
                Evaluated::Same => Value::Text(text.clone()),
                Evaluated::Value(value, _) => value,
                Evaluated::Refused => return None,
            },
            Tree::List(list) => {
                let values: Vec<_> = list.iter().map(|item| self.untyped(item, scope)).collect();
                Value::List(values.into_iter().collect::<Option<_>>()?)
            }
            Tree::Map(entries) => {
                let pairs: Vec<_> =
                    entries.iter().map(|(k, v)| Some((k.name.clone(), self.untyped(v, scope)?))).collect();
                Value::Map(pairs.into_iter().collect::<Option<_>>()?)
            }
            _ => node.value(),
        })
    }

    /// Returns a node with its own string evaluated, and the component in which its names are resolved; none after an
    /// error was reported.
    pub(crate) fn evaluated(&mut self, node: &Node, scope: &Scope, namespace: &str) -> Option<(Node, String)> {
        if let (Tree::Text(text), false) = (&node.tree, node.plain) {
            match self.evaluate(text, &node.at, scope) {
                Evaluated::Same => {}
                Evaluated::Value(value, namespace) => return Some((Node::plain(&value, &node.at), namespace)),
                Evaluated::Refused => return None,
            }
        }
        Some((node.clone(), namespace.to_owned()))
    }
}
