//! The frame of a component instance: the names that its expressions can read.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::expression::{Template, Use};
use crate::value::Value;

/// The names that an expression can read.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// The component: `a.b`, empty for the stack.
    pub(super) component: String,
    /// The parameters that have a value.
    pub(super) params: Rc<BTreeMap<String, Value>>,
    /// For each parameter, the component in which names in its text are resolved.
    pub(super) namespaces: Rc<BTreeMap<String, String>>,
    /// The refused parameters. Errors of expressions that read them are not reported.
    pub(super) refused: Rc<BTreeSet<String>>,
    /// `env`: name, stack, account, region, regions.
    pub(super) env: BTreeMap<String, Value>,
    /// `each`: key and value, inside a forEach.
    pub(super) each: Option<Value>,
}

impl Frame {
    /// Returns the region of resources in this frame.
    pub(super) fn region(&self) -> &str {
        self.env.get("region").and_then(Value::text).unwrap_or_default()
    }

    /// Returns the frame with another region.
    pub(super) fn in_region(&self, region: &str) -> Frame {
        let mut frame = self.clone();
        frame.env.insert("region".into(), region.into());
        frame
    }

    /// Returns the frame for one element of a forEach.
    pub(super) fn of_each(&self, key: &str, value: &Value) -> Frame {
        let each = Value::Map(BTreeMap::from([("key".into(), key.into()), ("value".into(), value.clone())]));
        Frame { each: Some(each), ..self.clone() }
    }

    /// Returns the component in which names in a template's result are resolved: the component of the first parameter
    /// that the template reads, else this one.
    pub(super) fn namespace(&self, template: &Template) -> String {
        let through = template.uses().filter(|used| used.root == "params").filter_map(|used| used.steps.first());
        through.filter_map(|name| self.namespaces.get(name)).next().unwrap_or(&self.component).clone()
    }

    /// Returns the part of a root that a path names; none when it does not exist.
    fn part(&self, root: &str, step: &str) -> Option<&Value> {
        match root {
            "params" => self.params.get(step),
            "env" => self.env.get(step),
            "each" => self.each.as_ref()?.get(step),
            _ => None,
        }
    }

    /// Returns the whole value of a root, which copies it.
    fn root(&self, name: &str) -> Option<Value> {
        match name {
            "params" => Some(Value::Map(self.params.as_ref().clone())),
            "env" => Some(Value::Map(self.env.clone())),
            "each" => self.each.clone(),
            _ => None,
        }
    }

    /// Returns the value of `params.a.b` when it exists without evaluating an expression.
    pub(super) fn at(&self, path: &Use) -> Option<Value> {
        let Some((first, steps)) = path.steps.split_first() else { return self.root(&path.root) };
        let mut value = self.part(&path.root, first)?;
        for step in steps {
            value = value.get(step)?;
        }
        Some(value.clone())
    }

    /// Adds the part of a root that a use reads to the bindings: the whole root when the use has no steps.
    pub(super) fn bind(&self, used: &Use, bindings: &mut BTreeMap<String, Value>) {
        if !["params", "env", "each"].contains(&used.root.as_str()) || used.root == "each" && self.each.is_none() {
            return;
        }
        let bound = bindings.entry(used.root.clone()).or_insert_with(|| Value::Map(BTreeMap::new()));
        let Some(step) = used.steps.first() else {
            *bound = self.root(&used.root).unwrap_or_default();
            return;
        };
        // A name that does not exist: CEL reports that, or `has` and `default` handle it.
        let Some(value) = self.part(&used.root, step) else { return };
        if let Value::Map(bound) = bound {
            bound.entry(step.clone()).or_insert_with(|| value.clone());
        }
    }
}
