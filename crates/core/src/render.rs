//! Render: turns loaded files into the flat map of an environment's desired resources.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics, Location, suggest};
use crate::document::{Document, Resource, Target};
use crate::expression::{ExpressionError, Template};
use crate::load::node::{Key, Node, Tree};
use crate::load::reader::Reader;
use crate::load::{FileSource, Loaded, Request, load_all};
use crate::schema::Registry;
use crate::value::Value;

mod constraint;
mod cycle;
pub(crate) mod expand;
mod name;
pub(crate) mod names;
pub(crate) mod parameters;
mod reference;
mod resource;
pub(crate) mod scope;
pub(crate) mod target;
mod walk;

pub use name::physical_name;

use expand::Instance;
use names::Names;
use parameters::Given;
use scope::Scope;

/// A rendered document and its files.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The document.
    pub document: Document,
    /// The paths of all files that were requested: a change of one can change the document.
    pub files: BTreeSet<String>,
}

/// Loads and renders a document. The commands and the daemon call this function.
///
/// # Errors
/// When the document is invalid: all errors at once.
pub fn document(source: &dyn FileSource, request: &Request<'_>, registry: &Registry) -> Result<Rendered, Diagnostics> {
    let loaded = load_all(source, request, registry)?;
    let document = render(&loaded, registry)?;
    Ok(Rendered { document, files: loaded.files })
}

/// Renders a loaded document.
///
/// # Errors
/// When the document is invalid: all errors at once.
pub fn render(loaded: &Loaded, registry: &Registry) -> Result<Document, Diagnostics> {
    let mut renderer = Renderer {
        loaded,
        registry,
        out: loaded.out.clone(),
        templates: HashMap::new(),
        target: Target::default(),
        stack_tags: BTreeMap::new(),
        names: Names::default(),
        names_known: false,
        instances: Vec::new(),
        pending: Vec::new(),
        lookups: BTreeMap::new(),
    };
    let document = renderer.document();
    if renderer.out.is_empty() { Ok(document) } else { Err(renderer.out) }
}

/// The state of rendering one document.
pub(crate) struct Renderer<'l> {
    pub(crate) loaded: &'l Loaded,
    pub(crate) registry: &'l Registry,
    pub(crate) out: Diagnostics,
    /// The parsed templates, by text: each element of a forEach has the same templates.
    pub(crate) templates: HashMap<String, Result<Rc<Template>, ExpressionError>>,
    pub(crate) target: Target,
    pub(crate) stack_tags: BTreeMap<String, Value>,
    pub(crate) names: Names,
    /// True once all names are known, and expressions that read resources can be checked.
    pub(crate) names_known: bool,
    pub(crate) instances: Vec<Instance>,
    /// Values that read resources and were evaluated before all names were known.
    pub(crate) pending: Vec<(Value, Location)>,
    /// The lookups of other stacks' resources, from references.
    pub(crate) lookups: BTreeMap<Address, Resource>,
}

impl Renderer<'_> {
    fn document(&mut self) -> Document {
        let loaded = self.loaded;
        self.target = self.read_target();
        let policy = self.read_policy();
        let scope = self.top();
        self.expand(&loaded.stack.body, &scope, 0);
        self.index();
        self.check_patches();
        for (value, at) in std::mem::take(&mut self.pending) {
            self.with_reads(&value, Some(&at));
        }
        self.read_tags(&scope);
        let mut resources = BTreeMap::new();
        let instances = std::mem::take(&mut self.instances);
        for instance in &instances {
            if let Some(resource) = self.resource(instance) {
                resources.insert(resource.address.clone(), resource);
            }
        }
        self.instances = instances;
        resources.append(&mut self.lookups);
        self.check_cycles(&resources);
        if resources.is_empty() && self.out.is_empty() {
            // A document that is empty by mistake must never delete all resources.
            let diagnostic = Diagnostic::new(&loaded.stack.at, "this document has no resources");
            self.out.push(diagnostic.help("to delete all resources of the stack, run `holdfast destroy`"));
        }
        Document {
            stack: loaded.stack.name.clone(),
            env: loaded.env.clone(),
            source: loaded.source.clone(),
            target: self.target.clone(),
            resources,
            policy,
        }
    }

    /// Returns the scope of the stack itself.
    fn top(&mut self) -> Scope {
        let loaded = self.loaded;
        let text = |text: &str| Value::Text(text.to_owned());
        let regions = self.target.regions.iter().map(|(alias, region)| (alias.clone(), text(region))).collect();
        let env = BTreeMap::from([
            ("name".to_owned(), text(&loaded.env)),
            ("stack".to_owned(), text(&loaded.stack.name)),
            ("account".to_owned(), self.target.account.as_deref().map_or(Value::Null, text)),
            ("region".to_owned(), text(self.target.regions.get("main").map_or("", String::as_str))),
            ("regions".to_owned(), Value::Map(regions)),
        ]);
        let scope = Scope { env, ..Scope::default() };
        let mut entries: Vec<(Key, Node)> = loaded
            .environment
            .parameters
            .as_ref()
            .map(|node| Reader { out: &mut self.out }.map(node, "`parameters`").to_vec())
            .unwrap_or_default();
        let declared = &loaded.stack.body.parameters;
        for (name, raw, node) in &loaded.set {
            entries.retain(|(key, _)| key.name != *name);
            // A parameter of the type string takes the text unchanged: `--set tag=1.20`.
            let text = declared.iter().any(|p| p.name == *name && p.ty == crate::load::file::Kind::Text);
            let tree = if text && node.text().is_none() { Tree::Text(raw.clone()) } else { node.tree.clone() };
            entries.push((Key { name: name.clone(), at: node.at.clone() }, Node { tree, ..node.clone() }));
        }
        let (at, what) = match &loaded.environment.parameters {
            Some(node) => (node.at.clone(), format!("the environment `{}`", loaded.env)),
            None if loaded.env.is_empty() => (loaded.stack.at.clone(), format!("the stack `{}`", loaded.stack.name)),
            None => (Location::file(&loaded.environment_file), format!("the environment `{}`", loaded.env)),
        };
        let help = match loaded.env.is_empty() {
            true => "choose an environment, or pass the parameter with `--set`",
            false => "set it under `parameters`",
        };
        let given = Given { entries: &entries, scope: &scope, at, what, help };
        self.bind(&loaded.stack.body, &given, scope.clone())
    }

    /// Indexes the names of all resources; two resources with the same address are an error.
    fn index(&mut self) {
        let mut locations: BTreeMap<Address, Location> = BTreeMap::new();
        for instance in &self.instances {
            if let Some(first) = locations.insert(instance.address.clone(), instance.at.clone()) {
                let message = format!("`{}` is declared twice", instance.address);
                self.out.push(
                    Diagnostic::new(&instance.at, message)
                        .help(format!("the other declaration is at {first}; rename one of them")),
                );
            }
            self.names.resources.insert(instance.address.clone(), instance.schema);
        }
        self.names_known = true;
    }

    /// Reports patches of resources that do not exist.
    fn check_patches(&mut self) {
        for (key, _) in &self.loaded.environment.patches {
            if self.names.patched.contains(&key.name) || !self.names.broken.is_empty() {
                continue;
            }
            let known: Vec<String> =
                self.names.resources.keys().chain(&self.names.groups).map(ToString::to_string).collect();
            let help = suggest(&key.name, known.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| "`holdfast render` lists the addresses".into());
            self.out.push(
                Diagnostic::new(&key.at, format!("this patch is for `{}`, which the stack does not have", key.name))
                    .help(help),
            );
        }
    }

    /// Reads the stack's tags, which every resource that can have tags gets.
    fn read_tags(&mut self, scope: &Scope) {
        let Some(node) = &self.loaded.stack.tags else { return };
        let entries = Reader { out: &mut self.out }.map(node, "`tags`");
        for (key, node) in entries {
            if let Some(value) = self.tag(key, node, scope).filter(|value| *value != Value::Null) {
                self.stack_tags.insert(key.name.clone(), value);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
