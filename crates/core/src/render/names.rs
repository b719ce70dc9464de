//! Names: what the document has, and what a name in a reference or an expression means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location, nearest};
use crate::expression::{Template, locate, outward, within};
use crate::render::Renderer;
use crate::schema::Schema;
use crate::value::{Deferred, Value};

/// Whose names a text means: those of the component that a parameter brought it from, then those of the component
/// whose file it stands in (`${params.size > 0 ? 'monitoring' : null}` reads a parameter, and brings nothing from there).
pub(crate) type Origins<'a> = [&'a str; 2];

fn namespaces([brought, stands]: Origins<'_>) -> impl Iterator<Item = &str> {
    outward(brought).chain(outward(stands))
}

/// What the document has, and what it has not and why.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The resources.
    pub(crate) resources: BTreeMap<Address, &'static Schema>,
    /// What `when` left out.
    pub(crate) left_out: BTreeSet<Address>,
    /// The components that `when` left out.
    pub(crate) left_out_components: BTreeSet<String>,
    /// Declarations with a forEach: not resources themselves.
    pub(crate) groups: BTreeSet<Address>,
    /// Names that were refused; what refers to them is not reported again.
    pub(crate) broken: BTreeSet<String>,
    /// The patches that found their resource.
    pub(crate) patched: BTreeSet<String>,
}

impl Names {
    /// True when a name, or the component or forEach that it belongs to, was refused.
    fn is_broken(&self, name: &str) -> bool {
        self.broken.iter().any(|broken| {
            name.strip_prefix(broken.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
        }) || self.broken.contains("")
    }

    fn is_left_out(&self, address: &Address) -> bool {
        let inside = |component: &String| {
            address.name.strip_prefix(component.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        self.left_out.contains(address) || self.left_out_components.iter().any(inside)
    }
}

/// True when `text` fits a pattern in which `*` stands for anything within one component.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => match text.strip_prefix(before) {
            Some(rest) => {
                let reach = rest.find('.').unwrap_or(rest.len());
                (0..=reach).filter(|end| rest.is_char_boundary(*end)).any(|end| fits(after, &rest[end..]))
            }
            None => false,
        },
    }
}

impl Renderer<'_> {
    /// The resource of a kind that a bare name means; none after the error was reported.
    pub(crate) fn find(&mut self, kind: &str, name: &str, from: Origins<'_>, at: &Location) -> Option<Address> {
        let candidates: Vec<Address> = namespaces(from).map(|ns| Address::new(kind, &within(ns, name))).collect();
        if let Some(found) = candidates.iter().find(|address| self.names.resources.contains_key(address)) {
            return Some(found.clone());
        }
        if candidates.iter().any(|address| self.names.is_broken(&address.name)) {
            return None;
        }
        self.out.push_within(name, self.missing(kind, name, &candidates, from[0], at));
        None
    }

    /// All resources of a kind whose names fit a pattern, in the nearest namespace that has any.
    pub(crate) fn find_all(
        &mut self,
        kind: &str,
        pattern: &str,
        from: Origins<'_>,
        at: &Location,
    ) -> Option<Vec<Address>> {
        for namespace in namespaces(from) {
            let pattern = within(namespace, pattern);
            let of_kind = self.names.resources.keys().filter(|address| &*address.kind == kind);
            let found: Vec<Address> = of_kind.filter(|address| fits(&pattern, &address.name)).cloned().collect();
            if !found.is_empty() {
                return Some(found);
            }
        }
        if self.names.broken.is_empty() {
            let names = self.names.resources.keys().filter(|address| &*address.kind == kind).map(|a| &*a.name);
            let known: Vec<&str> = names.take(5).collect();
            let help = match known.is_empty() {
                true => format!("there is no {kind} at all"),
                false => format!("there are {}", known.join(", ")),
            };
            self.out.push_within(pattern, Diagnostic::new(at, format!("no {kind} fits `{pattern}`")).help(help));
        }
        None
    }

    /// Why there is no such resource.
    fn missing(&self, kind: &str, name: &str, candidates: &[Address], component: &str, at: &Location) -> Diagnostic {
        if let Some(group) = candidates.iter().find(|address| self.names.groups.contains(address)) {
            let prefix = format!("{}-", group.name);
            let mut members = self.names.resources.keys().filter(|a| &*a.kind == kind && a.name.starts_with(&prefix));
            let help = match members.next() {
                Some(first) => format!("write `{name}-*` for all of them in a list, or one of them: `{}`", first.name),
                None => "it has no elements here".to_owned(),
            };
            return Diagnostic::new(at, format!("`{group}` has a `forEach` and is not one resource")).help(help);
        }
        if let Some(left_out) = candidates.iter().find(|address| self.names.is_left_out(address)) {
            return Diagnostic::new(at, format!("`{left_out}` is left out by its `when`"))
                .help("leave this out by the same condition, or declare the other one always");
        }
        let others = || self.names.resources.keys();
        for namespace in outward(component) {
            let full = within(namespace, name);
            if let Some(other) = others().find(|address| *address.name == *full) {
                let message = format!("`{name}` is a {}, and this takes a {kind}", other.kind);
                let of_kind = others().filter(|address| &*address.kind == kind).map(|address| &*address.name);
                let help = nearest(name, of_kind.clone()).or_else(|| of_kind.clone().next());
                let help = help.map_or_else(
                    || format!("there is no {kind} in this document"),
                    |n| format!("there is `{kind}/{n}`"),
                );
                return Diagnostic::new(at, message).help(help);
            }
        }
        let of_kind = others().filter(|address| &*address.kind == kind).map(|address| &*address.name);
        // A name from within a component is as near as the full one.
        let short = of_kind.clone().map(|full| component_relative(full, component));
        let help = match nearest(name, short.chain(of_kind)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write `{ id: … }` for something that no document declares".to_owned(),
        };
        Diagnostic::new(at, format!("there is no `{kind}/{name}`")).help(help)
    }

    /// A resource by address text, `Kind/name`, or several by `Kind/pattern-*`.
    pub(crate) fn find_address(&mut self, text: &str, component: &str, at: &Location) -> Option<Vec<Address>> {
        let Ok(address) = text.parse::<Address>() else {
            let message = format!("`{text}` is not an address; one looks like `SecurityGroup/web`");
            self.out.push(Diagnostic::new(at, message));
            return None;
        };
        if self.registry.get(&address.kind).is_none() {
            let help = nearest(&address.kind, self.registry.kinds()).map(|kind| format!("did you mean `{kind}`?"));
            self.out.push(Diagnostic::new(at, format!("there is no kind `{}`", address.kind)).help_if(help));
            return None;
        }
        match address.name.contains('*') {
            true => self.find_all(&address.kind, &address.name, [component, component], at),
            false => self.find(&address.kind, &address.name, [component, component], at).map(|found| vec![found]),
        }
    }

    /// Fills in which resources the deferred parts of a value read. Before all names are known, they are kept for later.
    pub(crate) fn settle(&mut self, value: &Value, at: &Location) -> Value {
        if !self.names_known {
            self.pending.push((value.clone(), at.clone()));
            return value.clone();
        }
        self.settled(value, Some(at))
    }

    pub(crate) fn settled(&mut self, value: &Value, at: Option<&Location>) -> Value {
        match value {
            Value::List(list) => Value::List(list.iter().map(|v| self.settled(v, at)).collect()),
            Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), self.settled(v, at))).collect()),
            Value::Deferred(deferred) => Value::Deferred(Arc::new(self.settle_one(deferred, at))),
            other => other.clone(),
        }
    }

    fn settle_one(&mut self, deferred: &Deferred, at: Option<&Location>) -> Deferred {
        let mut reads = BTreeSet::new();
        let mut bindings = BTreeMap::new();
        for (root, bound) in &deferred.bindings {
            // What is bound was reported where it was written.
            let bound = self.settled(bound, None);
            bound.walk(&mut |v| {
                if let Value::Deferred(inner) = v {
                    reads.extend(inner.reads.iter().cloned());
                }
            });
            bindings.insert(root.clone(), bound);
        }
        if let Ok(Some(template)) = Template::parse(&deferred.source) {
            for code in template.codes() {
                for used in code.reads(&bindings) {
                    if self.registry.get(&used.root).is_none() {
                        continue;
                    }
                    match self.read(&used.root, &used.steps, &deferred.component) {
                        Ok(address) => reads.extend(address),
                        Err(diagnostic) => {
                            if let Some(at) = at {
                                self.out.push_within(&code.text, Diagnostic { at: at.clone(), ..diagnostic });
                            }
                        }
                    }
                }
            }
        }
        Deferred { reads: reads.into_iter().collect(), bindings, ..deferred.clone() }
    }

    /// The resource that `Kind.step.step` reads, after a check of the attribute; none when its error is known.
    fn read(&self, kind: &str, steps: &[String], component: &str) -> Result<Option<Address>, Diagnostic> {
        let nowhere = Location::file("");
        let found = locate(kind, steps, component, |address| self.names.resources.contains_key(address));
        let Some((address, used)) = found else {
            // Attributes have no dots: the name is all but the last step, or a single one.
            let name =
                steps.split_last().map(|(last, name)| if name.is_empty() { last.clone() } else { name.join(".") });
            let Some(name) = name else {
                let message = format!("`{kind}` alone reads nothing");
                return Err(Diagnostic::new(&nowhere, message).help(format!("write `{kind}.<name>.<attribute>`")));
            };
            let short = steps.first().map_or("", String::as_str);
            for name in [name.as_str(), short] {
                let candidates: Vec<Address> =
                    outward(component).map(|ns| Address::new(kind, &within(ns, name))).collect();
                if candidates.iter().any(|address| self.names.is_broken(&address.name)) {
                    return Ok(None);
                }
                let known = candidates.iter().any(|a| self.names.groups.contains(a) || self.names.is_left_out(a));
                if known || name == short {
                    let mut missing = self.missing(kind, name, &candidates, component, &nowhere);
                    if missing.help.as_deref().is_some_and(|help| help.contains("{ id: … }")) {
                        missing.help = Some("expressions read resources of this document only".into());
                    }
                    return Err(missing);
                }
            }
            return Ok(None);
        };
        let Some(schema) = self.names.resources.get(&address) else { return Ok(None) };
        let Some(attribute) = steps.get(used) else {
            let message = format!("`{address}` alone is no value");
            return Err(Diagnostic::new(&nowhere, message)
                .help("say which attribute: `.id`, `.name`, `.arn`, or a field of its spec"));
        };
        let fields = schema.record.fields.iter().map(|field| field.name);
        let status = schema.status.fields.iter().map(|field| field.name);
        let mut known = ["id", "name"].into_iter().chain(status).chain(fields);
        if known.clone().any(|known| known == attribute) {
            return Ok(Some(address));
        }
        let help = match nearest(attribute, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", known.by_ref().take(12).collect::<Vec<_>>().join(", ")),
        };
        Err(Diagnostic::new(&nowhere, format!("a {kind} has no attribute `{attribute}`")).help(help))
    }
}

/// A full name as it would be written in a component.
fn component_relative<'n>(full: &'n str, component: &str) -> &'n str {
    full.strip_prefix(component).and_then(|rest| rest.strip_prefix('.')).unwrap_or(full)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything_within_one_component() {
        assert!(fits("network.private-*", "network.private-a"));
        assert!(fits("*", "main"));
        assert!(fits("a-*-c", "a-b-c"));
        assert!(fits("*.main", "eu.main"));
        assert!(!fits("*", "eu.main"));
        assert!(!fits("private-*", "network.private-a"));
        assert!(!fits("network.private-*", "network.public-a"));
    }
}
