//! Resources: the typed resource of an instance, from its spec and the keys in addition to the spec.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::diagnostic::Diagnostic;
use crate::document::{Lifecycle, Lookup, Resource};
use crate::expression::is_deferred;
use crate::load::file::RESOURCE_WORDS;
use crate::load::node::{Key, Node, Tree};
use crate::render::RenderContext;
use crate::render::evaluate::evaluate_node;
use crate::render::expand::Instance;
use crate::render::frame::Frame;
use crate::render::lifecycle::read_lifecycle;
use crate::render::name::physical_name;
use crate::render::names::find_addresses;
use crate::render::position::Position;
use crate::render::reference::known_string;
use crate::render::tags::read_tags;
use crate::render::walk::convert_record;
use crate::schema::with_article;
use crate::value::Value;

/// Returns the resource of an instance; none after its errors were reported.
pub(super) fn render_resource(
    ctx: &mut RenderContext<'_>,
    instance: &Instance,
    stack_tags: &BTreeMap<String, Value>,
) -> Option<Resource> {
    let Instance { address, schema, body, frame, at } = instance;
    let before = ctx.out.len();
    let words: BTreeMap<&str, &Node> = body
        .entries()
        .iter()
        .filter(|(key, _)| RESOURCE_WORDS.contains(&key.name.as_str()))
        .map(|(k, v)| (k.name.as_str(), v))
        .collect();
    let mut lifecycle = match words.get("lifecycle") {
        Some(node) => read_lifecycle(ctx, node, instance),
        None => Lifecycle::default(),
    };
    let observed = lifecycle.lookup.is_some();
    let what = format!("`{address}`");
    let position = Position {
        frame,
        namespace: &frame.component,
        field: &what,
        lookup: observed,
        accept: &lifecycle.accept,
        accepted: false,
    };
    let fields: Vec<(Key, Node)> =
        body.entries().iter().filter(|(key, _)| !RESOURCE_WORDS.contains(&key.name.as_str())).cloned().collect();
    let spec = convert_record(ctx, schema.record, &fields, at, position);
    let no_tags = BTreeMap::new();
    let inherited = if observed { &no_tags } else { stack_tags };
    let tags = read_tags(ctx, words.get("tags").copied(), instance, inherited);
    let given =
        words.get("name").filter(|n| !matches!(n.tree, Tree::Null)).and_then(|node| read_name(ctx, node, instance));
    let depends_on = words.get("dependsOn").map(|node| read_depends_on(ctx, node, frame)).unwrap_or_default();
    if let Some(node) = words.get("id") {
        match known_string(ctx, node, frame) {
            Some(id) if observed => lifecycle.lookup = Some(Lookup::Id(id)),
            Some(_) => {
                let message = "`id` names an existing resource, but this resource is managed";
                let help = "to observe the resource, add `lifecycle: { manage: observe }`; to adopt it, write `lifecycle: { adopt: … }`";
                ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            }
            None => {}
        }
    }
    let Value::Map(mut spec) = spec? else { return None };
    spec.extend(tags.map(|tags| ("tags".to_owned(), tags)));
    if observed {
        check_lookup(ctx, &lifecycle, &spec, given.is_some(), instance);
    }
    let named = given.is_some();
    let name = match given {
        Some(name) => name,
        None if observed => String::new(),
        None => physical_name(&ctx.loaded.stack.name, &ctx.loaded.env, &address.name, &schema.naming),
    };
    let region = if schema.global { String::new() } else { frame.region().to_owned() };
    let spec = Value::Map(spec);
    if !observed && ctx.out.len() == before {
        for (path, message) in (schema.check)(&name, &spec) {
            let location = body.locate(path).unwrap_or(at);
            ctx.out.push(Diagnostic::new(location, format!("`{address}`: {message}")));
        }
        for violation in schema.relations.iter().flat_map(|relation| relation.violations(schema.record, &spec)) {
            let location = body.locate(&violation.path).unwrap_or(at);
            ctx.out.push(Diagnostic::new(location, format!("`{address}`: {}", violation.message)));
        }
    }
    let resource = Resource {
        address: address.clone(),
        schema,
        name,
        named,
        region,
        spec,
        lifecycle,
        depends_on,
        at: at.to_string(),
    };
    (ctx.out.len() == before).then_some(resource)
}

/// Returns an explicit physical name; none after its error was reported.
fn read_name(ctx: &mut RenderContext<'_>, node: &Node, instance: &Instance) -> Option<String> {
    let name = known_string(ctx, node, &instance.frame)?;
    let naming = &instance.schema.naming;
    let kind = with_article(instance.schema.kind);
    let length = name.chars().count();
    let message = if name.is_empty() {
        "the name is empty".to_owned()
    } else if length > naming.limit {
        format!("the name of {kind} has at most {} characters, but this one has {length}", naming.limit)
    } else if naming.lowercase && name != name.to_lowercase() {
        format!("the name of {kind} must be in lower case")
    } else if !matches_whole(naming.form.0, &name) {
        format!("the name of {kind} {}, but this is `{name}`", naming.form.1)
    } else if let Some(reserved) = naming.reserved.iter().find(|reserved| name.to_lowercase().starts_with(*reserved)) {
        format!("AWS reserves the names of {kind} that begin with `{reserved}`")
    } else {
        return Some(naming.stored(&name));
    };
    let help = "change `name`, or remove it: the default name is built from stack, environment and address";
    ctx.out.push(Diagnostic::new(&node.at, message).help(help));
    None
}

/// True when a regular expression matches a whole text. The empty expression matches every text.
fn matches_whole(pattern: &str, text: &str) -> bool {
    pattern.is_empty() || Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(text))
}

fn read_depends_on(ctx: &mut RenderContext<'_>, node: &Node, frame: &Frame) -> BTreeSet<crate::address::Address> {
    let found = evaluate_node(ctx, node, frame, &frame.component);
    let Some((node, namespace)) = found else { return BTreeSet::new() };
    let Tree::List(list) = &node.tree else {
        let message = format!("`dependsOn` must be a list of addresses, but this is {}", node.describe());
        ctx.out.push(Diagnostic::new(&node.at, message).help("write, for example, `dependsOn: [Role/task]`"));
        return BTreeSet::new();
    };
    let mut addresses = BTreeSet::new();
    for item in list {
        let Some((item, namespace)) = evaluate_node(ctx, item, frame, &namespace) else { continue };
        // A nested list is flattened: `[Role/task, "${params.more}"]`.
        let items = match &item.tree {
            Tree::List(inner) if item.plain => inner.as_slice(),
            Tree::Null if item.plain => &[],
            _ => std::slice::from_ref(&item),
        };
        for item in items {
            if let Some(text) = known_string(ctx, item, frame) {
                addresses.extend(find_addresses(ctx, &text, &namespace, &item.at).unwrap_or_default());
            }
        }
    }
    addresses
}

fn check_lookup(
    ctx: &mut RenderContext<'_>,
    lifecycle: &Lifecycle,
    spec: &BTreeMap<String, Value>,
    named: bool,
    instance: &Instance,
) {
    if lifecycle.adopt.is_some() || lifecycle.moved_from.is_some() {
        let message = format!("`{}` is only observed, so it cannot be adopted or moved", instance.address);
        let help = "remove `adopt` and `movedFrom`, or remove `manage: observe`";
        ctx.out.push(Diagnostic::new(&instance.at, message).help(help));
    }
    if matches!(lifecycle.lookup, Some(Lookup::Id(_))) {
        return;
    }
    if spec.is_empty() && !named {
        let message = format!("`{}` is observed, but has nothing by which it can be found", instance.address);
        let help = "add an `id`, a `name`, or fields that match only this resource";
        ctx.out.push(Diagnostic::new(&instance.at, message).help(help));
    }
    for (key, value) in spec {
        let mut plain = !is_deferred(value);
        value.walk(&mut |v| plain &= !matches!(v, Value::Reference(_)));
        if !plain {
            let at = instance.body.entries().iter().find(|(k, _)| k.name == *key).map_or(&instance.at, |(k, _)| &k.at);
            let message = format!("`{key}` reads another resource, but an observed resource is found by plain values");
            let help = "write the value itself, or find the resource by `id` or `tags`";
            ctx.out.push(Diagnostic::new(at, message).help(help));
        }
    }
}
