//! Resources: the words beside a spec, and the spec itself, to what the engine reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::document::{Lifecycle, Lookup, OnDelete, Resource};
use crate::expression::{is_deferred, plain_text};
use crate::load::file::RESOURCE_WORDS;
use crate::load::node::{Key, Node, Tree};
use crate::load::reader::Reader;
use crate::observed::tag;
use crate::render::Renderer;
use crate::render::expand::Instance;
use crate::render::name::physical_name;
use crate::render::parameters::describe;
use crate::render::scope::Scope;
use crate::render::target::{DRIFTS, drift};
use crate::render::walk::Walk;
use crate::schema::{Record, Type};
use crate::value::Value;

const LIFECYCLE: [&str; 8] = ["manage", "onDelete", "replace", "ignore", "adopt", "protect", "movedFrom", "drift"];
/// AWS's limits on a tag's key and value, in characters.
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;

impl Renderer<'_> {
    /// The resource that an instance becomes; none after its errors were reported.
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
        let looked_up = lifecycle.lookup.is_some();
        let what = format!("`{address}`");
        let walk = Walk { scope, origin: &scope.component, field: &what, lookup: looked_up };
        let fields: Vec<(Key, Node)> =
            body.entries().iter().filter(|(key, _)| !RESOURCE_WORDS.contains(&key.name.as_str())).cloned().collect();
        let spec = self.record(schema.record, &fields, at, walk);
        let tags = self.tags(words.get("tags").copied(), instance, looked_up);
        let given =
            words.get("name").filter(|n| !matches!(n.tree, Tree::Null)).and_then(|node| self.name(node, instance));
        let depends_on = words.get("dependsOn").map(|node| self.depends_on(node, scope)).unwrap_or_default();
        if let Some(node) = words.get("id") {
            match self.string(node, scope) {
                Some(id) if looked_up => lifecycle.lookup = Some(Lookup::Id(id)),
                Some(_) => {
                    let help = "write `lifecycle: { manage: observe }` to look it up, or `lifecycle: { adopt: … }` to take it over";
                    self.out.push(Diagnostic::new(&node.at, "`id` names something that is there already").help(help));
                }
                None => {}
            }
        }
        let Value::Map(mut spec) = spec? else { return None };
        spec.extend(tags.map(|tags| ("tags".to_owned(), tags)));
        if looked_up {
            self.check_lookup(&lifecycle, &spec, given.is_some(), instance);
        }
        let named = given.is_some();
        let name = match given {
            Some(name) => name,
            None if looked_up => String::new(),
            None => physical_name(&self.loaded.stack.name, &self.loaded.env, &address.name, &schema.naming),
        };
        let region = if schema.global { String::new() } else { scope.region().to_owned() };
        let spec = Value::Map(spec);
        if !looked_up && self.out.len() == before {
            for (path, message) in (schema.check)(&name, &spec) {
                let place = place(body, path).unwrap_or(at);
                self.out.push(Diagnostic::new(place, format!("`{address}`: {message}")));
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

    /// An explicit physical name.
    fn name(&mut self, node: &Node, instance: &Instance) -> Option<String> {
        let name = self.string(node, &instance.scope)?;
        let naming = &instance.schema.naming;
        let kind = instance.schema.kind;
        let length = name.chars().count();
        let wrong = if name.is_empty() {
            "the name is empty".to_owned()
        } else if length > naming.limit {
            format!("the name of a {kind} has at most {} characters, and this has {length}", naming.limit)
        } else if naming.lowercase && name != name.to_lowercase() {
            format!("the name of a {kind} is in lower case")
        } else {
            return Some(name);
        };
        self.out.push(
            Diagnostic::new(&node.at, wrong).help("without `name` it is made from stack, environment and address"),
        );
        None
    }

    /// The tags, the stack's below the resource's own; none when nobody states any.
    fn tags(&mut self, node: Option<&Node>, instance: &Instance, looked_up: bool) -> Option<Value> {
        let kind = instance.schema.kind;
        if !instance.schema.claim.takes_tags() {
            if let Some(node) = node {
                let message = format!("a {kind} has no tags");
                self.out.push(Diagnostic::new(&node.at, message).help("tag what it belongs to"));
            }
            return None;
        }
        let mut tags = if looked_up { BTreeMap::new() } else { self.stack_tags.clone() };
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
            _ => self.out.push(Diagnostic::new(&node.at, format!("`tags` is a map, and this is {}", node.describe()))),
        }
        Some(Value::Map(tags))
    }

    /// One tag; null takes the stack's away.
    pub(crate) fn tag(&mut self, key: &Key, node: &Node, scope: &Scope) -> Option<Value> {
        if key.name.starts_with(tag::PREFIX) || key.name.to_lowercase().starts_with("aws:") {
            let message = format!("the tag `{}` is not yours to give", key.name);
            let help = format!("keys that begin with `{}` and `aws:` are taken", tag::PREFIX);
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
            value @ Value::Deferred(_) => Some(self.settle(&value, &node.at)),
            value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_)) if plain || node.text().is_some() => {
                Some(Value::Text(plain_text(&value)))
            }
            value @ (Value::Integer(_) | Value::Number(_) | Value::Bool(_)) => {
                let message = format!("a tag's value is a string, and this is {}", describe(&value));
                self.out.push(Diagnostic::new(&node.at, message).help("put it in quotes"));
                None
            }
            other => {
                let message = format!("a tag's value is a string, and this is {}", describe(&other));
                self.out.push(Diagnostic::new(&node.at, message));
                None
            }
        }
    }

    fn depends_on(&mut self, node: &Node, scope: &Scope) -> BTreeSet<crate::address::Address> {
        let found = self.evaluated(node, scope, &scope.component);
        let Some((node, origin)) = found else { return BTreeSet::new() };
        let Tree::List(list) = &node.tree else {
            let message = format!("`dependsOn` is a list of addresses, and this is {}", node.describe());
            self.out.push(Diagnostic::new(&node.at, message).help("as in `dependsOn: [Role/task]`"));
            return BTreeSet::new();
        };
        let mut addresses = BTreeSet::new();
        for item in list {
            let Some((item, origin)) = self.evaluated(item, scope, &origin) else { continue };
            // A list inside the list is laid out flat: `[Role/task, "${params.more}"]`.
            let items = match &item.tree {
                Tree::List(inner) if item.plain => inner.as_slice(),
                Tree::Null if item.plain => &[],
                _ => std::slice::from_ref(&item),
            };
            for item in items {
                if let Some(text) = self.string(item, scope) {
                    addresses.extend(self.find_address(&text, &origin, &item.at).unwrap_or_default());
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
                let message = format!("`{address}` cannot have moved from itself");
                self.out.push(Diagnostic::new(&node.at, message));
                None
            }
            Ok(address) if &*address.kind == kind => Some(address),
            Ok(address) => {
                let message = format!("a {} cannot become a {kind}", address.kind);
                self.out.push(
                    Diagnostic::new(&node.at, message).help(format!("write `{kind}/…`, the address it had before")),
                );
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
            let message = format!("`ignore` is a list of paths, and this is {}", node.describe());
            self.out.push(Diagnostic::new(&node.at, message).help("as in `ignore: [desiredCount]`"));
            return Vec::new();
        };
        let mut paths = Vec::new();
        for item in list {
            let Some(path) = self.string(item, &instance.scope) else { continue };
            if let Err((step, known)) = check_path(instance.schema.record, &path) {
                let message = format!("`{path}` is no path in a {}: there is no `{step}`", instance.schema.kind);
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
            let message = format!("`{}` is only observed: there is nothing to adopt or to move", instance.address);
            self.out.push(Diagnostic::new(&instance.at, message));
        }
        if matches!(lifecycle.lookup, Some(Lookup::Id(_))) {
            return;
        }
        if spec.is_empty() && !named {
            let message = format!("nothing says how `{}` is found", instance.address);
            self.out.push(
                Diagnostic::new(&instance.at, message).help("give it an `id`, a `name`, or fields that only it has"),
            );
        }
        for (key, value) in spec {
            let mut plain = !is_deferred(value);
            value.walk(&mut |v| plain &= !matches!(v, Value::Reference(_)));
            if !plain {
                let at =
                    instance.body.entries().iter().find(|(k, _)| k.name == *key).map_or(&instance.at, |(k, _)| &k.at);
                let message = format!("`{key}` reads another resource, and a lookup goes by plain values");
                self.out
                    .push(Diagnostic::new(at, message).help("write the value itself, or look it up by `id` or `tags`"));
            }
        }
    }
}

/// Where a field stands, or as much of its path as there is; none when nothing of it is there.
fn place<'n>(body: &'n Node, path: &str) -> Option<&'n Location> {
    let mut at = None;
    let mut node = body;
    for step in path.split('.') {
        let next = match &node.tree {
            Tree::Map(entries) => entries.iter().find(|(key, _)| key.name == step).map(|(key, node)| (&key.at, node)),
            Tree::List(list) => step.parse::<usize>().ok().and_then(|i| list.get(i)).map(|node| (&node.at, node)),
            _ => None,
        };
        let Some((place, below)) = next else { break };
        (at, node) = (Some(place), below);
    }
    at
}

/// Checks a dotted path against a record; else the step that is wrong, and what could stand there.
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
            // Inside a policy or other JSON anything may stand.
            Type::Canonical { .. } => return Ok(()),
            _ => return Err((step.to_owned(), Vec::new())),
        };
    }
    Ok(())
}
