//! Render: turns loaded files into the flat map of an environment's desired resources.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::address::Address;
use crate::check::{Declared, check};
use crate::diagnostic::{Diagnostic, Diagnostics, Location, suggest};
use crate::document::{Document, Resource, Target};
use crate::expression::{ExpressionError, Template};
use crate::load::node::{Key, Node};
use crate::load::reader::Reader;
use crate::load::{FileSource, Loaded, Request, load_all};
use crate::render::budget::RenderBudget;
use crate::render::cycle::check_cycles;
use crate::render::expand::{Instance, expand_body};
use crate::render::frame::Frame;
use crate::render::names::Names;
use crate::render::parameters::{Given, bind_parameters};
use crate::render::reads::with_reads;
use crate::render::resource::render_resource;
use crate::render::tags::read_stack_tags;
use crate::render::target::{read_policy, read_store, read_target};
use crate::schema::Registry;
use crate::value::Value;

mod budget;
mod constraint;
mod cycle;
mod evaluate;
mod expand;
mod frame;
mod lifecycle;
pub(crate) mod name;
mod names;
mod parameters;
mod position;
mod reads;
mod reference;
mod resource;
mod tags;
mod target;
mod walk;

pub use name::physical_name;

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
    let mut ctx = RenderContext::new(&loaded, registry);
    let document = render_document(&mut ctx);
    for (path, at) in std::mem::take(&mut ctx.secret_files) {
        if let Err(reason) = source.permit(&path) {
            ctx.out.push(Diagnostic::new(&at, format!("`{path}` cannot be read: {reason}")));
        }
    }
    if ctx.out.is_empty() { Ok(Rendered { document, files: loaded.files }) } else { Err(ctx.out) }
}

/// Renders a loaded document.
///
/// # Errors
/// When the document is invalid: all errors at once.
pub fn render(loaded: &Loaded, registry: &Registry) -> Result<Document, Diagnostics> {
    let mut ctx = RenderContext::new(loaded, registry);
    let document = render_document(&mut ctx);
    if ctx.out.is_empty() { Ok(document) } else { Err(ctx.out) }
}

/// The state of rendering one document, which the functions of the modules below share.
struct RenderContext<'l> {
    loaded: &'l Loaded,
    registry: &'l Registry,
    out: Diagnostics,
    /// The parsed templates, by text: each element of a forEach has the same templates.
    templates: HashMap<String, Result<Rc<Template>, ExpressionError>>,
    budget: RenderBudget,
    target: Target,
    names: Names,
    /// The resources of the components expanded so far.
    instances: Vec<Instance>,
    /// Values that read resources and were evaluated before all names were known.
    pending: Vec<(Value, Location)>,
    /// The lookups of other stacks' resources, from references.
    lookups: BTreeMap<Address, Resource>,
    /// The files that secret values are read from.
    secret_files: Vec<(String, Location)>,
}

impl<'l> RenderContext<'l> {
    fn new(loaded: &'l Loaded, registry: &'l Registry) -> Self {
        RenderContext {
            loaded,
            registry,
            out: loaded.out.clone(),
            templates: HashMap::new(),
            budget: RenderBudget::default(),
            target: Target::default(),
            names: Names::default(),
            instances: Vec::new(),
            pending: Vec::new(),
            lookups: BTreeMap::new(),
            secret_files: Vec::new(),
        }
    }
}

fn render_document(ctx: &mut RenderContext<'_>) -> Document {
    let loaded = ctx.loaded;
    ctx.target = read_target(ctx);
    let policy = read_policy(ctx);
    let store = read_store(ctx);
    let frame = stack_frame(ctx);
    expand_body(ctx, &loaded.stack.body, &frame, 0);
    let instances = std::mem::take(&mut ctx.instances);
    index_names(ctx, &instances);
    check_patches(ctx);
    for (value, at) in std::mem::take(&mut ctx.pending) {
        with_reads(ctx, &value, Some(&at));
    }
    let stack_tags = read_stack_tags(ctx, &frame);
    let mut resources = BTreeMap::new();
    for instance in &instances {
        if let Some(resource) = render_resource(ctx, instance, &stack_tags) {
            resources.insert(resource.address.clone(), resource);
        }
    }
    resources.append(&mut ctx.lookups);
    check_cycles(ctx, &instances, &resources);
    check_relations(ctx, &instances, &resources);
    if resources.is_empty() && ctx.out.is_empty() {
        // A document that is empty by mistake must never delete all resources.
        let diagnostic = Diagnostic::new(&loaded.stack.at, "this document has no resources");
        ctx.out.push(diagnostic.help("to delete all resources of the stack, run `holdfast destroy`"));
    }
    Document {
        stack: loaded.stack.name.clone(),
        env: loaded.env.clone(),
        source: loaded.source.clone(),
        target: ctx.target.clone(),
        store,
        resources,
        policy,
        incomplete: loaded.incomplete.clone(),
    }
}

/// Reports the errors that no resource has alone.
fn check_relations(ctx: &mut RenderContext<'_>, instances: &[Instance], resources: &BTreeMap<Address, Resource>) {
    let declared = instances.iter().filter_map(|Instance { address, body, at, .. }| {
        let resource = resources.get(address).filter(|resource| resource.at == at.to_string())?;
        Some(Declared { resource, body, at })
    });
    let declared: Vec<Declared<'_>> = declared.collect();
    check(&declared, resources).into_iter().for_each(|error| ctx.out.push(error));
}

/// Returns the frame of the stack itself.
fn stack_frame(ctx: &mut RenderContext<'_>) -> Frame {
    let loaded = ctx.loaded;
    let text = |text: &str| Value::Text(text.to_owned());
    let regions = ctx.target.regions.iter().map(|(alias, region)| (alias.clone(), text(region))).collect();
    let env = BTreeMap::from([
        ("name".to_owned(), text(&loaded.env)),
        ("stack".to_owned(), text(&loaded.stack.name)),
        ("account".to_owned(), ctx.target.account.as_deref().map_or(Value::Null, text)),
        ("region".to_owned(), text(ctx.target.regions.get("main").map_or("", String::as_str))),
        ("regions".to_owned(), Value::Map(regions)),
    ]);
    let frame = Frame { env, ..Frame::default() };
    let mut entries: Vec<(Key, Node)> = loaded
        .environment
        .parameters
        .as_ref()
        .map(|node| Reader { out: &mut ctx.out }.map(node, "`parameters`").to_vec())
        .unwrap_or_default();
    for (name, node) in &loaded.set {
        entries.retain(|(key, _)| key.name != *name);
        entries.push((Key { name: name.clone(), at: node.at.clone() }, node.clone()));
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
    let given = Given { entries: &entries, frame: &frame, at, what, help };
    bind_parameters(ctx, &loaded.stack.body, &given, frame.clone())
}

/// Indexes the names of all resources; two resources with the same address are an error.
fn index_names(ctx: &mut RenderContext<'_>, instances: &[Instance]) {
    let mut locations: BTreeMap<Address, Location> = BTreeMap::new();
    for instance in instances {
        if let Some(first) = locations.insert(instance.address.clone(), instance.at.clone()) {
            let message = format!("`{}` is declared twice", instance.address);
            ctx.out.push(
                Diagnostic::new(&instance.at, message)
                    .help(format!("the other declaration is at {first}; rename one of them")),
            );
        }
        ctx.names.resources.insert(instance.address.clone(), instance.schema);
    }
    ctx.names.complete = true;
}

/// Reports patches of resources that do not exist.
fn check_patches(ctx: &mut RenderContext<'_>) {
    for (key, _) in &ctx.loaded.environment.patches {
        if ctx.names.patched.contains(&key.name) || !ctx.names.broken.is_empty() {
            continue;
        }
        let known: Vec<String> = ctx.names.resources.keys().chain(&ctx.names.groups).map(ToString::to_string).collect();
        let help = suggest(&key.name, known.iter().map(String::as_str));
        let help = help.unwrap_or_else(|| "`holdfast render` lists the addresses".into());
        ctx.out.push(
            Diagnostic::new(&key.at, format!("this patch is for `{}`, which the stack does not have", key.name))
                .help(help),
        );
    }
}

#[cfg(test)]
pub(crate) mod tests;
