//! The three kinds of files: stack, environment, component.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, either, suggest};
use crate::load::PARAMETER_TYPES;
use crate::load::node::{Key, Node, Tree};
use crate::load::reader::Reader;
use crate::schema::{Registry, Schema, with_article};
use crate::value::Value;

/// The common part of a stack and a component: parameters, components and resources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) uses: Vec<Use>,
    pub(crate) resources: Vec<Declaration>,
    /// The names of refused declarations. Errors of references to them are not reported.
    pub(crate) broken: Vec<String>,
    /// The names of parameters with refused declarations. Errors of expressions that read them are not reported.
    pub(crate) refused: Vec<String>,
}

/// A declared parameter.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ty: Kind,
    pub(crate) default: Option<Node>,
    pub(crate) description: String,
    pub(crate) allowed: Vec<Value>,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Number,
    Bool,
    List,
    Map,
}

impl Kind {
    fn of(name: &str) -> Kind {
        match name {
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Bool,
            "list" => Kind::List,
            "map" => Kind::Map,
            _ => Kind::Text,
        }
    }

    /// Returns the type in words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Kind::Text => "a string",
            Kind::Integer => "an integer",
            Kind::Number => "a number",
            Kind::Bool => "a boolean",
            Kind::List => "a list",
            Kind::Map => "a map",
        }
    }

    /// True when a literal has this type. An expression is accepted too; only rendering knows its type.
    fn accepts(self, node: &Node) -> bool {
        match (&node.tree, self) {
            (Tree::Text(text), kind) => kind == Kind::Text || text.contains("${"),
            (Tree::Integer(_), kind) => matches!(kind, Kind::Integer | Kind::Number),
            (Tree::Number(_), kind) => kind == Kind::Number,
            (Tree::Bool(_), kind) => kind == Kind::Bool,
            (Tree::List(_), kind) => kind == Kind::List,
            (Tree::Map(_), kind) => kind == Kind::Map,
            (Tree::Null | Tree::Deferred(_), _) => true,
        }
    }
}

/// The use of a component.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) name: String,
    pub(crate) at: Location,
    /// The component's file; none until it is loaded.
    pub(crate) file: Option<Arc<str>>,
    /// The text of `from` and its location.
    pub(crate) from: Option<(String, Location)>,
    pub(crate) with: Option<Node>,
    pub(crate) when: Option<Node>,
    pub(crate) for_each: Option<Node>,
    pub(crate) region: Option<Node>,
}

/// The declaration of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Declaration {
    pub(crate) schema: &'static Schema,
    pub(crate) name: String,
    pub(crate) at: Location,
    pub(crate) body: Node,
}

/// The file of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) regions: Option<Node>,
    pub(crate) tags: Option<Node>,
    pub(crate) policy: Option<Node>,
    pub(crate) body: Body,
    pub(crate) at: Location,
}

/// The file of an environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) target: Option<Node>,
    /// `store`.
    pub(crate) store: Option<Node>,
    pub(crate) regions: Option<Node>,
    pub(crate) policy: Option<Node>,
    pub(crate) parameters: Option<Node>,
    pub(crate) patches: Vec<(Key, Node)>,
}

/// The keys of a resource in addition to its spec.
pub(crate) const RESOURCE_WORDS: [&str; 8] =
    ["name", "tags", "lifecycle", "forEach", "when", "region", "dependsOn", "id"];

impl Reader<'_> {
    /// Checks `apiVersion`, `kind` and `metadata`. Returns the name, its location and the `spec`.
    fn head<'n>(&mut self, node: &'n Node, kind: &str) -> (String, Location, Option<&'n Node>) {
        let fields =
            self.fields(node, &format!("a document of kind {kind}"), &["apiVersion", "kind", "metadata", "spec"]);
        match fields.get("apiVersion") {
            Some(version) if version.text() == Some("holdfast/v1") => {}
            Some(version) => self.error(
                Diagnostic::new(&version.at, "this `apiVersion` is not supported")
                    .help("write `apiVersion: holdfast/v1`"),
            ),
            None => self.error(
                Diagnostic::new(&node.at, "`apiVersion` is missing")
                    .help("begin the document with `apiVersion: holdfast/v1`"),
            ),
        }
        match fields.get("kind") {
            Some(found) if found.text() == Some(kind) => {}
            Some(found) => {
                let message = format!(
                    "expected {}, but this file is {}",
                    with_article(kind),
                    with_article(&found.value().to_string())
                );
                self.error(
                    Diagnostic::new(&found.at, message).help(format!("write `kind: {kind}`, or use another file")),
                );
            }
            None => {
                self.error(Diagnostic::new(&node.at, "`kind` is missing").help(format!("write `kind: {kind}`")));
            }
        }
        let mut name = (String::new(), node.at.clone());
        match fields.get("metadata") {
            Some(metadata) => {
                let fields = self.fields(metadata, "metadata", &["name", "description"]);
                if let Some(found) = fields.get("name") {
                    if let Some(text) = self.text(found, "the name") {
                        self.name(&text, &found.at, &with_article(kind));
                        name = (text, found.at.clone());
                    }
                } else {
                    let missing = Diagnostic::new(&metadata.at, "`metadata` has no `name`");
                    self.error(missing.help("write `metadata: { name: … }`"));
                }
            }
            None => {
                self.error(Diagnostic::new(&node.at, "`metadata` is missing").help("write `metadata: { name: … }`"))
            }
        }
        (name.0, name.1, fields.get("spec").copied())
    }

    /// Reads the file of a stack.
    pub(crate) fn stack(&mut self, node: &Node, registry: &Registry) -> Stack {
        let (name, at, spec) = self.head(node, "Stack");
        let known = ["regions", "tags", "policy", "parameters", "components", "resources"];
        let mut stack = Stack { name, regions: None, tags: None, policy: None, body: Body::default(), at };
        let Some(spec) = spec else {
            self.error(
                Diagnostic::new(&node.at, "the stack has no `spec`").help("declare resources under `spec.resources`"),
            );
            return stack;
        };
        let fields = self.fields(spec, "a stack's spec", &known);
        stack.regions = fields.get("regions").map(|n| (*n).clone());
        stack.tags = fields.get("tags").map(|n| (*n).clone());
        stack.policy = fields.get("policy").map(|n| (*n).clone());
        stack.body = self.body(&fields, registry);
        stack
    }

    /// Reads the file of a component. A component without resources is an error: a file that is cut short must not
    /// remove the resources that it declares.
    pub(crate) fn component(&mut self, node: &Node, registry: &Registry) -> Body {
        let (_, at, spec) = self.head(node, "Component");
        let Some(spec) = spec else {
            let help = "declare resources under `spec.resources`; if the file is cut short, restore it";
            self.error(Diagnostic::new(&at, "the component has no `spec`").help(help));
            return Body::default();
        };
        let fields = self.fields(spec, "a component's spec", &["parameters", "components", "resources"]);
        let is_empty = |name: &str| fields.get(name).is_none_or(|node| node.value().is_empty());
        if is_empty("resources") && is_empty("components") {
            let help = "declare resources under `spec.resources`, or remove the uses of the component; if the file is cut short, restore it";
            self.error(Diagnostic::new(&at, "the component has neither resources nor components").help(help));
        }
        self.body(&fields, registry)
    }

    /// Reads the file of an environment; `env` is the name of the file without `.yaml`, `stack` the name of the stack.
    pub(crate) fn environment(&mut self, node: &Node, env: &str, stack: &str) -> Environment {
        let (name, at, spec) = self.head(node, "Environment");
        if !name.is_empty() && name != env {
            let message = format!("the file is named `{env}.yaml`, but the environment is named `{name}`");
            self.error(Diagnostic::new(&at, message).help(format!("write `name: {env}`, or rename the file")));
        }
        let Some(spec) = spec else {
            let help = format!("write `spec: {{ stack: {stack} }}`; if the file is cut short, restore it");
            self.error(Diagnostic::new(&at, "the environment has no `spec`").help(help));
            return Environment::default();
        };
        let known = ["stack", "target", "store", "regions", "parameters", "patches", "policy"];
        let fields = self.fields(spec, "an environment's spec", &known);
        match fields.get("stack") {
            Some(of) => {
                if let Some(of_stack) = self.text(of, "`stack`")
                    && of_stack != stack
                    && !stack.is_empty()
                {
                    let message = format!("the environment belongs to the stack `{of_stack}`, but this is `{stack}`");
                    self.error(
                        Diagnostic::new(&of.at, message).help(format!("write `stack: {stack}`, or move the file")),
                    );
                }
            }
            None => self.error(
                Diagnostic::new(&spec.at, "the environment does not name its stack")
                    .help(format!("write `stack: {stack}` under `spec`")),
            ),
        }
        let clone = |name: &str| fields.get(name).map(|n| (*n).clone());
        let patches = fields.get("patches").map(|n| self.map(n, "`patches`").to_vec()).unwrap_or_default();
        for (key, patch) in &patches {
            self.patch(key, patch);
        }
        Environment {
            target: clone("target"),
            store: clone("store"),
            regions: clone("regions"),
            policy: clone("policy"),
            parameters: clone("parameters"),
            patches,
        }
    }

    /// Checks a patch. An empty patch, and an empty key that every kind has, are errors: null would remove what the
    /// stack states, such as the resource's name or its protection.
    fn patch(&mut self, key: &Key, patch: &Node) {
        let entries = self.map(patch, &format!("the patch of `{}`", key.name));
        if patch.value().is_empty() {
            let message = format!("the patch of `{}` is empty", key.name);
            self.error(Diagnostic::new(&key.at, message).help("state the fields that it changes, or remove the patch"));
        }
        for (word, value) in entries {
            if RESOURCE_WORDS.contains(&word.name.as_str()) && matches!(value.tree, Tree::Null) {
                let message = format!("`{}` is empty in the patch of `{}`", word.name, key.name);
                self.error(Diagnostic::new(&word.at, message).help("state its value, or remove the line"));
            }
        }
    }

    fn body(&mut self, fields: &std::collections::BTreeMap<&str, &Node>, registry: &Registry) -> Body {
        let mut body = Body::default();
        for (key, node) in fields.get("parameters").map(|n| self.map(n, "`parameters`")).unwrap_or_default() {
            match self.parameter(key, node) {
                Some(parameter) => body.parameters.push(parameter),
                None => body.refused.push(key.name.clone()),
            }
        }
        for (key, node) in fields.get("components").map(|n| self.map(n, "`components`")).unwrap_or_default() {
            body.uses.extend(self.component_use(key, node));
        }
        for (key, node) in fields.get("resources").map(|n| self.map(n, "`resources`")).unwrap_or_default() {
            match self.declaration(key, node, registry) {
                Some(declaration) => body.resources.push(declaration),
                None => body.broken.push(key.name.rsplit('/').next().unwrap_or_default().to_owned()),
            }
        }
        body
    }

    fn parameter(&mut self, key: &Key, node: &Node) -> Option<Parameter> {
        let identifier = key.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            let message = format!("`{}` cannot be the name of a parameter", key.name);
            let help = "expressions read `params.<name>`: a name is a letter or `_`, then letters, digits and `_`";
            self.error(Diagnostic::new(&key.at, message).help(help));
        }
        let what = format!("the parameter `{}`", key.name);
        let fields = self.fields(node, &what, &["type", "default", "description", "allowed"]);
        let ty = match fields.get("type") {
            Some(ty) => self.choice(ty, "a parameter's type", &PARAMETER_TYPES).map(Kind::of),
            None => {
                let help = format!("add a `type`: {}", either(&PARAMETER_TYPES));
                self.error(Diagnostic::new(&key.at, format!("{what} has no type")).help(help));
                None
            }
        };
        let description = fields.get("description").and_then(|n| self.text(n, "a description")).unwrap_or_default();
        let allowed = fields.get("allowed").map(|n| match &n.tree {
            Tree::List(list) => list.iter().map(Node::value).collect(),
            _ => {
                self.error(Diagnostic::new(&n.at, "`allowed` must be a list of values"));
                Vec::new()
            }
        });
        let (ty, default, allowed) = (ty?, fields.get("default").map(|n| (*n).clone()), allowed.unwrap_or_default());
        if let Some(default) = default.as_ref().filter(|default| !ty.accepts(default)) {
            let message = format!("{what} is {}, but its default is {}", ty.describe(), default.describe());
            self.error(Diagnostic::new(&default.at, message));
        }
        Some(Parameter { name: key.name.clone(), ty, default, description, allowed })
    }

    fn component_use(&mut self, key: &Key, node: &Node) -> Option<Use> {
        self.name(&key.name, &key.at, "a component");
        let what = format!("the component `{}`", key.name);
        let fields = self.fields(node, &what, &["from", "with", "when", "forEach", "region"]);
        let from = match fields.get("from") {
            Some(from) => self.text(from, "`from`").map(|text| (text, from.at.clone())),
            None => {
                let help = "add `from` with the path of the component's file, relative to this file";
                self.error(Diagnostic::new(&key.at, format!("{what} has no `from`")).help(help));
                None
            }
        };
        if let Some(with) = fields.get("with") {
            self.map(with, "`with`");
        }
        let clone = |name: &str| fields.get(name).map(|n| (*n).clone());
        Some(Use {
            name: key.name.clone(),
            at: key.at.clone(),
            file: None,
            from,
            with: clone("with"),
            when: clone("when"),
            for_each: clone("forEach"),
            region: clone("region"),
        })
    }

    fn declaration(&mut self, key: &Key, node: &Node, registry: &Registry) -> Option<Declaration> {
        let Some((kind, name)) = key.name.split_once('/') else {
            let message = format!("`{}` is not an address", key.name);
            let help = match registry.get(&key.name) {
                Some(_) => format!("an address is `Kind/name`: write `{}/main`", key.name),
                None => "an address is `Kind/name`, for example `SecurityGroup/web`".into(),
            };
            self.error(Diagnostic::new(&key.at, message).help(help));
            return None;
        };
        let named = self.name(name, &key.at, &with_article(kind));
        let Some(schema) = registry.get(kind) else {
            let help = suggest(kind, registry.kinds());
            let help = help.unwrap_or_else(|| "`holdfast explain` lists the kinds".into());
            self.error(Diagnostic::new(&key.at, format!("there is no kind `{kind}`")).help(help));
            return None;
        };
        self.map(node, &format!("`{}`", key.name));
        let named = named && matches!(node.tree, Tree::Map(_) | Tree::Null);
        named.then(|| Declaration { schema, name: name.to_owned(), at: key.at.clone(), body: node.clone() })
    }
}
