//! Resources: the typed resource of an instance, from its spec and the keys in addition to the spec.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::document::{Lifecycle, Lookup, OnDelete, Resource};
use crate::expression::{is_deferred, plain_text};
use crate::load::file::RESOURCE_WORDS;
use crate::load::node::{Key, Node, Tree};
use crate::load::reader::{QUOTE, Reader};
use crate::observed::tag;
use crate::render::Renderer;
use crate::render::expand::Instance;
use crate::render::name::physical_name;
use crate::render::parameters::describe;
use crate::render::scope::Scope;
use crate::render::target::{DRIFTS, drift};
use crate::render::walk::Walk;
use crate::schema::{Record, Type, with_article};
use crate::value::Value;

const LIFECYCLE: [&str; 8] = ["manage", "onDelete", "replace", "ignore", "adopt", "protect", "movedFrom", "drift"];
/// AWS's limit on the key of a tag, in characters.
const TAG_KEY: usize = 128;
/// AWS's limit on the value of a tag, in characters.
const TAG_VALUE: usize = 256;

impl Renderer<'_> {
    /// Returns the resource of an instance; none after its errors were reported.
    pub(crate) fn resource(&mut self, instance: &Instance) -> Option<Resource> {
        let Instance { address, schema, body, scope, at } = instance;
        let before = self.out.len();
        let words: BTreeMap<&str, &Node> = body
            .entries()
            .iter()
            .filter(|(key, _)| RESOURCE_WORDS.contains(&key.name.as_str()))
            .map(|(k, v)| (k.name.as_str(), v))
            .collect();
        let mut lifecycle = match words.get("lifecycle") {
            Some(node) => self.lifecycle(node, instance),
            None => Lifecycle::default(),
        };
        let observed = lifecycle.lookup.is_some();
        let what = format!("`{address}`");
        let walk = Walk { scope, namespace: &scope.component, field: &what, lookup: observed };
        let fields: Vec<(Key, Node)> =
            body.entries().iter().filter(|(key, _)| !RESOURCE_WORDS.contains(&key.name.as_str())).cloned().collect();
        let spec = self.record(schema.record, &fields, at, walk);
        let tags = self.tags(words.get("tags").copied(), instance, observed);
        let given =
            words.get("name").filter(|n| !matches!(n.tree, Tree::Null)).and_then(|node| self.name(node, instance));
        let depends_on = words.get("dependsOn").map(|node| self.depends_on(node, scope)).unwrap_or_default();
        if let Some(node) = words.get("id") {
            match self.string(node, scope) {
                Some(id) if observed => lifecycle.lookup = Some(Lookup::Id(id)),
                Some(_) => {
                    let message = "`id` names an existing resource, but this resource is managed";
                    let help = "to observe the resource, add `lifecycle: { manage: observe }`; to adopt it, write `lifecycle: { adopt: … }`";
                    self.out.push(Diagnostic::new(&node.at, message).help(help));
                }
                None => {}
            }
        }
        let Value::Map(mut spec) = spec? else { return None };
        spec.extend(tags.map(|tags| ("tags".to_owned(), tags)));
        if observed {
            self.check_lookup(&lifecycle, &spec, given.is_some(), instance);
        }
        let named = given.is_some();
        let name = match given {
            Some(name) => name,
            None if observed => String::new(),
            None => physical_name(&self.loaded.stack.name, &self.loaded.env, &address.name, &schema.naming),
        };
        let region = if schema.global { String::new() } else { scope.region().to_owned() };
        let spec = Value::Map(spec);
        if !observed && self.out.len() == before {
            for (path, message) in (schema.check)(&name, &spec) {
                let location = location(body, path).unwrap_or(at);
                self.out.push(Diagnostic::new(location, format!("`{address}`: {message}")));
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
        (self.out.len() == before).then_some(resource)
    }

    /// Returns an explicit physical name; none after its error was reported.
    fn name(&mut self, node: &Node, instance: &Instance) -> Option<String> {
        let name = self.string(node, &instance.scope)?;
        let naming = &instance.schema.naming;
        let kind = with_article(instance.schema.kind);
        let length = name.chars().count();
        let message = if name.is_empty() {
            "the name is empty".to_owned()
        } else if length > naming.limit {
            format!("the name of {kind} has at most {} characters, but this one has {length}", naming.limit)
        } else if naming.lowercase && name != name.to_lowercase() {
            format!("the name of {kind} must be in lower case")
        } else {
            return Some(name);
        };
        let help = "change `name`, or remove it: the default name is built from stack, environment and address";
        self.out.push(Diagnostic::new(&node.at, message).help(help));
        None
    }

    /// Returns the tags: the stack's, overridden by the resource's own; none when neither sets any.
    fn tags(&mut self, node: Option<&Node>, instance: &Instance, observed: bool) -> Option<Value> {
        if !instance.schema.ownership.takes_tags() {
            if let Some(node) = node {
                let message = format!("{} cannot have tags", with_article(instance.schema.kind));
                self.out.push(Diagnostic::new(&node.at, message).help("tag the resource that it belongs to"));
            }
            return None;
        }
        let mut tags = if observed { BTreeMap::new() } else { self.stack_tags.clone() };
        let Some(node) = node else {
            return (!tags.is_empty()).then_some(Value::Map(tags));
        };
        let (node, _) = self.evaluated(node, &instance.scope, "")?;
        match &node.tree {
            Tree::Null => return Some(Value::Null),
            Tree::Map(entries) if entries.is_empty() => return Some(Value::Map(BTreeMap::new())),
            Tree::Map(entries) => {
                for (key, node) in entries {
                    match self.tag(key, node, &instance.scope) {
                        Some(Value::Null) => drop(tags.remove(&key.name)),
                        Some(value) => drop(tags.insert(key.name.clone(), value)),
                        None => {}
                    }
                }
            }
            _ => self
                .out
                .push(Diagnostic::new(&node.at, format!("`tags` must be a map, but this is {}", node.describe()))),
        }
        Some(Value::Map(tags))
    }

    /// Returns the value of one tag; null removes the stack's tag.
    pub(crate) fn tag(&mut self, key: &Key, node: &Node, scope: &Scope) -> Option<Value> {
        if key.name.starts_with(tag::PREFIX) || key.name.to_lowercase().starts_with("aws:") {
            let message = format!("the tag key `{}` is reserved", key.name);
            let help = format!("use a key that does not begin with `{}` or `aws:`", tag::PREFIX);
            self.out.push(Diagnostic::new(&key.at, message).help(help));
            return None;
        }
        if key.name.is_empty() || key.name.chars().count() > TAG_KEY {
            let message = format!("the key of a tag has 1 to {TAG_KEY} characters");
            self.out.push(Diagnostic::new(&key.at, message));
            return None;
        }
        let plain = node.plain;
        match self.untyped(node, scope)? {
            Value::Text(text) if text.chars().count() > TAG_VALUE => {
                let message = format!("the value of a tag has at most {TAG_VALUE} characters");
                self.out.push(Diagnostic::new(&node.at, message));
                None
            }
            value @ (Value::Text(_) | Value::Null) => Some(value),
            value @ Value::Deferred(_) => Some(self.defer(&value, &node.at)),
            value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_)) if plain || node.text().is_some() => {
                Some(Value::Text(plain_text(&value)))
            }
            value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_)) => {
                let message = format!("a tag's value must be a string, but this is {}", describe(&value));
                self.out.push(Diagnostic::new(&node.at, message).help(QUOTE));
                None
            }
            other => {
                let message = format!("a tag's value must be a string, but this is {}", describe(&other));
                self.out.push(Diagnostic::new(&node.at, message));
                None
            }
        }
    }

    fn depends_on(&mut self, node: &Node, scope: &Scope) -> BTreeSet<crate::address::Address> {
        let found = self.evaluated(node, scope, &scope.component);
        let Some((node, namespace)) = found else { return BTreeSet::new() };
        let Tree::List(list) = &node.tree else {
            let message = format!("`dependsOn` must be a list of addresses, but this is {}", node.describe());
            self.out.push(Diagnostic::new(&node.at, message).help("write, for example, `dependsOn: [Role/task]`"));
            return BTreeSet::new();
        };
        let mut addresses = BTreeSet::new();
        for item in list {
            let Some((item, namespace)) = self.evaluated(item, scope, &namespace) else { continue };
            // A nested list is flattened: `[Role/task, "${params.more}"]`.
            let items = match &item.tree {
                Tree::List(inner) if item.plain => inner.as_slice(),
                Tree::Null if item.plain => &[],
                _ => std::slice::from_ref(&item),
            };
            for item in items {
                if let Some(text) = self.string(item, scope) {
                    addresses.extend(self.find_address(&text, &namespace, &item.at).unwrap_or_default());
                }
            }
        }
        addresses
    }

    fn lifecycle(&mut self, node: &Node, instance: &Instance) -> Lifecycle {
        let scope = &instance.scope;
        let mut lifecycle = Lifecycle::default();
        let Some((node, _)) = self.evaluated(node, scope, "") else { return lifecycle };
        let fields = Reader { out: &mut self.out }.fields(&node, "`lifecycle`", &LIFECYCLE);
        for (word, value) in fields {
            let Some((value, _)) = self.evaluated(value, scope, "") else { continue };
            if matches!(value.tree, Tree::Null) {
                continue;
            }
            let mut reader = Reader { out: &mut self.out };
            match word {
                "manage" => {
                    let observe = reader.choice(&value, "`manage`", &["full", "observe"]) == Some("observe");
                    lifecycle.lookup = observe.then_some(Lookup::Fields);
                }
                "onDelete" => {
                    let on_delete = reader.choice(&value, "`onDelete`", &["delete", "retain"]);
                    lifecycle.on_delete =
                        on_delete.map(|w| if w == "retain" { OnDelete::Retain } else { OnDelete::Delete });
                }
                "replace" => {
                    lifecycle.replace = reader.choice(&value, "`replace`", &["allow", "refuse"]) == Some("allow")
                }
                "protect" => lifecycle.protect = reader.boolean(&value, "`protect`").unwrap_or_default(),
                "drift" => lifecycle.drift = reader.choice(&value, "`drift`", &DRIFTS).map(drift),
                "adopt" => lifecycle.adopt = self.string(&value, scope),
                "movedFrom" => lifecycle.moved_from = self.moved_from(&value, instance),
                "ignore" => lifecycle.ignore = self.ignore(&value, instance),
                _ => {}
            }
        }
        lifecycle
    }

    fn moved_from(&mut self, node: &Node, instance: &Instance) -> Option<crate::address::Address> {
        let text = self.string(node, &instance.scope)?;
        let kind = instance.schema.kind;
        match text.parse::<crate::address::Address>() {
            Ok(address) if address == instance.address => {
                let message = format!("`movedFrom` is `{address}`, which is the resource's own address");
                let help = "write the address that the resource had before, or remove `movedFrom`";
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                None
            }
            Ok(address) if &*address.kind == kind => Some(address),
            Ok(address) => {
                let (before, now) = (with_article(&address.kind), with_article(kind));
                let message = format!("{before} cannot become {now}");
                let help = format!("write `{kind}/…`, the address that the resource had before");
                self.out.push(Diagnostic::new(&node.at, message).help(help));
                None
            }
            Err(error) => {
                self.out.push(Diagnostic::new(&node.at, error.to_string()));
                None
            }
        }
    }

    fn ignore(&mut self, node: &Node, instance: &Instance) -> Vec<String> {
        let Tree::List(list) = &node.tree else {
            let message = format!("`ignore` must be a list of paths, but this is {}", node.describe());
            self.out.push(Diagnostic::new(&node.at, message).help("write, for example, `ignore: [desiredCount]`"));
            return Vec::new();
        };
        let mut paths = Vec::new();
        for item in list {
            let Some(path) = self.string(item, &instance.scope) else { continue };
            if let Err((step, known)) = check_path(instance.schema.record, &path) {
                let kind = with_article(instance.schema.kind);
                let message = format!("`{path}` is not a path in {kind}: there is no field `{step}`");
                self.out.push(Diagnostic::new(&item.at, message).help_if(suggest(&step, known)));
                continue;
            }
            paths.push(path);
        }
        paths
    }

    fn check_lookup(
        &mut self,
        lifecycle: &Lifecycle,
        spec: &BTreeMap<String, Value>,
        named: bool,
        instance: &Instance,
    ) {
        if lifecycle.adopt.is_some() || lifecycle.moved_from.is_some() {
            let message = format!("`{}` is only observed, so it cannot be adopted or moved", instance.address);
            let help = "remove `adopt` and `movedFrom`, or remove `manage: observe`";
            self.out.push(Diagnostic::new(&instance.at, message).help(help));
        }
        if matches!(lifecycle.lookup, Some(Lookup::Id(_))) {
            return;
        }
        if spec.is_empty() && !named {
            let message = format!("`{}` is observed, but has nothing by which it can be found", instance.address);
            let help = "add an `id`, a `name`, or fields that match only this resource";
            self.out.push(Diagnostic::new(&instance.at, message).help(help));
        }
        for (key, value) in spec {
            let mut plain = !is_deferred(value);
            value.walk(&mut |v| plain &= !matches!(v, Value::Reference(_)));
            if !plain {
                let at =
                    instance.body.entries().iter().find(|(k, _)| k.name == *key).map_or(&instance.at, |(k, _)| &k.at);
                let message =
                    format!("`{key}` reads another resource, but an observed resource is found by plain values");
                let help = "write the value itself, or find the resource by `id` or `tags`";
                self.out.push(Diagnostic::new(at, message).help(help));
            }
        }
    }
}

/// Returns the location of a field, or of the longest part of its path that exists; none when no part exists.
fn location<'n>(body: &'n Node, path: &str) -> Option<&'n Location> {
    let mut at = None;
    let mut node = body;
    for step in path.split('.') {
        let next = match &node.tree {
            Tree::Map(entries) => entries.iter().find(|(key, _)| key.name == step).map(|(key, node)| (&key.at, node)),
            Tree::List(list) => step.parse::<usize>().ok().and_then(|i| list.get(i)).map(|node| (&node.at, node)),
            _ => None,
        };
        let Some((location, below)) = next else { break };
        (at, node) = (Some(location), below);
    }
    at
}

/// Checks a dotted path against a record. The error is the step that does not exist, and the fields that do.
fn check_path(record: &'static Record, path: &str) -> Result<(), (String, Vec<&'static str>)> {
    let mut ty = Type::Record(record);
    for (at, step) in path.split('.').enumerate() {
        ty = match ty {
            Type::Record(_) if at == 0 && step == "tags" => Type::Map(&Type::Text),
            Type::Record(record) => match record.field(step) {
                Some(field) => field.ty,
                None => return Err((step.to_owned(), record.fields.iter().map(|field| field.name).collect())),
            },
            Type::Map(of) | Type::List(of) | Type::Set(of) => *of,
            // A policy or other JSON can contain any path.
            Type::Canonical { .. } => return Ok(()),
            _ => return Err((step.to_owned(), Vec::new())),
        };
    }
    Ok(())
}
