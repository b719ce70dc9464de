//! What an expression can see where it stands, and the evaluation of whole trees there.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::expression::{Code, ExpressionError, Template, Use, is_deferred, run};
use crate::load::node::{Node, Tree};
use crate::render::Renderer;
use crate::value::{Deferred, Value};

/// What an expression can see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The component it stands in: `a.b`, empty at the top.
    pub(crate) component: String,
    /// The parameters, as far as they are known.
    pub(crate) params: Rc<BTreeMap<String, Value>>,
    /// For each parameter, the component whose names its text means.
    pub(crate) origins: Rc<BTreeMap<String, String>>,
    /// Parameters that were refused: what reads them is not reported again.
    pub(crate) refused: Rc<BTreeSet<String>>,
    /// `env`: name, stack, account, region, regions.
    pub(crate) env: BTreeMap<String, Value>,
    /// `each`: key and value, inside a forEach.
    pub(crate) each: Option<Value>,
}

impl Scope {
    /// The region that resources here are in.
    pub(crate) fn region(&self) -> &str {
        self.env.get("region").and_then(Value::text).unwrap_or_default()
    }

    /// The same in a region.
    pub(crate) fn in_region(&self, region: &str) -> Scope {
        let mut scope = self.clone();
        scope.env.insert("region".into(), region.into());
        scope
    }

    /// The same for one element of a forEach.
    pub(crate) fn of_each(&self, key: &str, value: &Value) -> Scope {
        let each = Value::Map(BTreeMap::from([("key".into(), key.into()), ("value".into(), value.clone())]));
        Scope { each: Some(each), ..self.clone() }
    }

    /// The component whose names a text means that an expression gave: that of the parameter it came through.
    pub(crate) fn origin(&self, template: &Template) -> String {
        let through = template.uses().filter(|used| used.root == "params").filter_map(|used| used.steps.first());
        through.filter_map(|name| self.origins.get(name)).next().unwrap_or(&self.component).clone()
    }

    fn root(&self, name: &str) -> Option<Value> {
        match name {
            "params" => Some(Value::Map(self.params.as_ref().clone())),
            "env" => Some(Value::Map(self.env.clone())),
            "each" => self.each.clone(),
            _ => None,
        }
    }

    /// The value of `params.a.b`, when it can be had without evaluating anything.
    fn at(&self, path: &Use) -> Option<Value> {
        let mut value = &self.root(&path.root)?;
        for step in &path.steps {
            value = value.get(step)?;
        }
        Some(value.clone())
    }

    /// The part of a root that a use reads: the whole root when that is not said.
    fn bind(&self, used: &Use, bindings: &mut BTreeMap<String, Value>) {
        let Some(root) = self.root(&used.root) else { return };
        let part = match (used.steps.first(), &root) {
            (Some(step), Value::Map(map)) => map.get(step).map(|value| (step.clone(), value.clone())),
            _ => None,
        };
        match (part, bindings.entry(used.root.clone()).or_insert_with(|| Value::Map(BTreeMap::new()))) {
            (Some((step, value)), Value::Map(bound)) => drop(bound.insert(step, value)),
            // Nothing is there under that name: CEL says so, or `has` and `default` expect it.
            (None, _) if !used.steps.is_empty() => {}
            (_, bound) => *bound = root,
        }
    }
}

/// What became of a string.
pub(crate) enum Evaluated {
    /// There was nothing to evaluate.
    Same,
    /// A value, which may have deferred parts, and the component whose names it means.
    Value(Value, String),
    /// An error, which has been reported.
    Refused,
}

impl Renderer<'_> {
    /// Evaluates the templates of a string, as far as that can be done now.
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
        let origin = scope.origin(&template);
        if let Some(value) = template.single().and_then(Code::path).and_then(|path| scope.at(&path)) {
            return Evaluated::Value(value, origin);
        }
        let mut bindings = BTreeMap::new();
        template.uses().for_each(|used| scope.bind(used, &mut bindings));
        let is_kind = |used: &Use| self.registry.get(&used.root).is_some();
        if template.uses().any(is_kind) || bindings.values().any(is_deferred) {
            // What a decided condition leaves out is neither read nor waited for.
            let reads: Vec<Use> = template.codes().flat_map(|code| code.reads(&bindings)).collect();
            let mut needed = BTreeMap::new();
            reads.iter().for_each(|used| scope.bind(used, &mut needed));
            bindings = needed;
            if !reads.iter().any(is_kind) && !bindings.values().any(is_deferred) {
                return self.evaluate_now(&template, &bindings, origin, at);
            }
            let component = scope.component.clone();
            let deferred = Deferred { source: text.to_owned(), reads: Vec::new(), bindings, component };
            let value = self.settle(&Value::Deferred(Arc::new(deferred)), at);
            return Evaluated::Value(value, origin);
        }
        self.evaluate_now(&template, &bindings, origin, at)
    }

    fn evaluate_now(
        &mut self,
        template: &Template,
        bindings: &BTreeMap<String, Value>,
        origin: String,
        at: &Location,
    ) -> Evaluated {
        match run(template, bindings, &|_| false, &|_, _| None, &|_| None) {
            Ok(value) => Evaluated::Value(value, origin),
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

    /// Checks that a root and its first step exist. False when that was reported elsewhere.
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
                        .unwrap_or_else(|| "`env` has name, stack, account, region and regions".into());
                    Err(ExpressionError::new(format!("there is no `env.{name}`"), &code.text).help(help))
                }
                _ => Ok(true),
            },
            "each" if scope.each.is_some() => Ok(true),
            "each" => error("`each` is known only where there is a `forEach`".into()),
            root if self.registry.get(root).is_some() => Ok(true),
            root => {
                let known = self.registry.kinds().chain(["params", "env", "each"]);
                let dashed = code.text.contains('-') && code.uses.iter().any(|u| self.registry.get(&u.root).is_some());
                let help = match dashed {
                    true => "a name with a dash goes in brackets: `Kind[\"some-name\"].id`".into(),
                    false => suggest(root, known)
                        .unwrap_or_else(|| "expressions know `params`, `env`, `each` and kinds".into()),
                };
                Err(ExpressionError::new(format!("there is no `{root}`"), &code.text).help(help))
            }
        }
    }

    /// Evaluates all strings of a tree; none when something was refused.
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

    /// A node with its own string evaluated, and the component whose names it means; none when refused.
    pub(crate) fn evaluated(&mut self, node: &Node, scope: &Scope, origin: &str) -> Option<(Node, String)> {
        if let (Tree::Text(text), false) = (&node.tree, node.plain) {
            match self.evaluate(text, &node.at, scope) {
                Evaluated::Same => {}
                Evaluated::Value(value, origin) => return Some((Node::plain(&value, &node.at), origin)),
                Evaluated::Refused => return None,
            }
        }
        Some((node.clone(), origin.to_owned()))
    }
}
