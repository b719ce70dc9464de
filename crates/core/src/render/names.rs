//! Names: the resources of a document, and the resolution of names in references and expressions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location, nearest};
use crate::expression::{Template, locate, outward, within};
use crate::render::Renderer;
use crate::schema::{Schema, with_article};
use crate::value::{Deferred, Value};

/// The two components in which a name is resolved, in this order: the component that a parameter passed the name from,
/// and the component in which the name is written. (`${params.size > 0 ? 'monitoring' : null}` reads a parameter, but
/// the parameter does not pass the name.)
pub(crate) type Namespaces<'a> = [&'a str; 2];

fn namespaces([passed_from, written_in]: Namespaces<'_>) -> impl Iterator<Item = &str> {
    outward(passed_from).chain(outward(written_in))
}

/// The names of a document: its resources, and the names that it does not have, by reason.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The resources.
    pub(crate) resources: BTreeMap<Address, &'static Schema>,
    /// The resources that `when` left out.
    pub(crate) left_out: BTreeSet<Address>,
    /// The components that `when` left out.
    pub(crate) left_out_components: BTreeSet<String>,
    /// The declarations with a forEach, which are not resources themselves.
    pub(crate) groups: BTreeSet<Address>,
    /// The names of refused declarations. Errors of references to them are not reported.
    pub(crate) broken: BTreeSet<String>,
    /// The addresses of patches whose resource exists.
    pub(crate) patched: BTreeSet<String>,
}

impl Names {
    /// True when the declaration of a name, or of its component or forEach, was refused.
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

/// True when `text` matches a pattern, in which `*` matches any text within one component.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => match text.strip_prefix(before) {
            Some(rest) => {
                let reach = rest.find('.').unwrap_or(rest.len());
                (0..=reach).filter(|end| rest.is_char_boundary(*end)).any(|end| matches(after, &rest[end..]))
            }
            None => false,
        },
    }
}

impl Renderer<'_> {
    /// Returns the resource of a kind that a name without kind means; none after the error was reported.
    pub(crate) fn find(&mut self, kind: &str, name: &str, from: Namespaces<'_>, at: &Location) -> Option<Address> {
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

    /// Returns all resources of a kind whose names match a pattern, from the innermost namespace that has any.
    pub(crate) fn find_all(
        &mut self,
        kind: &str,
        pattern: &str,
        from: Namespaces<'_>,
        at: &Location,
    ) -> Option<Vec<Address>> {
        for namespace in namespaces(from) {
            let pattern = within(namespace, pattern);
            let of_kind = self.names.resources.keys().filter(|address| &*address.kind == kind);
            let found: Vec<Address> = of_kind.filter(|address| matches(&pattern, &address.name)).cloned().collect();
            if !found.is_empty() {
                return Some(found);
            }
        }
        if self.names.broken.is_empty() {
            let names = self.names.resources.keys().filter(|address| &*address.kind == kind).map(|a| &*a.name);
            let known: Vec<&str> = names.take(5).collect();
            let help = match known.is_empty() {
                true => format!("the document has no {kind}"),
                false => format!("names of this kind are: {}", known.join(", ")),
            };
            self.out.push_within(pattern, Diagnostic::new(at, format!("no {kind} matches `{pattern}`")).help(help));
        }
        None
    }

    /// Returns the error for a resource that does not exist, with the reason.
    fn missing(&self, kind: &str, name: &str, candidates: &[Address], component: &str, at: &Location) -> Diagnostic {
        if let Some(group) = candidates.iter().find(|address| self.names.groups.contains(address)) {
            let prefix = format!("{}-", group.name);
            let mut members = self.names.resources.keys().filter(|a| &*a.kind == kind && a.name.starts_with(&prefix));
            let help = match members.next() {
                Some(first) => {
                    format!("in a list, write `{name}-*` for all of them; or name one, as in `{}`", first.name)
                }
                None => "the `forEach` has no elements here".to_owned(),
            };
            return Diagnostic::new(at, format!("`{group}` has a `forEach`, so it is not a single resource"))
                .help(help);
        }
        if let Some(left_out) = candidates.iter().find(|address| self.names.is_left_out(address)) {
            return Diagnostic::new(at, format!("`{left_out}` is left out by its `when`"))
                .help("use the same `when` here, or remove the `when` of the other resource");
        }
        let others = || self.names.resources.keys();
        for namespace in outward(component) {
            let full = within(namespace, name);
            if let Some(other) = others().find(|address| *address.name == *full) {
                let (found, expected) = (with_article(&other.kind), with_article(kind));
                let message = format!("`{name}` is {found}, not {expected}");
                let of_kind = others().filter(|address| &*address.kind == kind).map(|address| &*address.name);
                let help = nearest(name, of_kind.clone()).or_else(|| of_kind.clone().next());
                let help = help.map_or_else(
                    || format!("the document has no {kind}"),
                    |n| format!("the document has `{kind}/{n}`"),
                );
                return Diagnostic::new(at, message).help(help);
            }
        }
        let of_kind = others().filter(|address| &*address.kind == kind).map(|address| &*address.name);
        // The name within the component is as good a suggestion as the full name.
        let short = of_kind.clone().map(|full| component_relative(full, component));
        let help = match nearest(name, short.chain(of_kind)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "for a resource that no document declares, write `{ id: … }`".to_owned(),
        };
        Diagnostic::new(at, format!("there is no `{kind}/{name}`")).help(help)
    }

    /// Returns the resource of an address, `Kind/name`, or the resources that match `Kind/pattern-*`.
    pub(crate) fn find_address(&mut self, text: &str, component: &str, at: &Location) -> Option<Vec<Address>> {
        let Ok(address) = text.parse::<Address>() else {
            let message = format!("`{text}` is not an address; an example is `SecurityGroup/web`");
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

    /// Returns the value with the resources that its deferred parts read. Before all names are known, the value is
    /// returned unchanged and checked later.
    pub(crate) fn defer(&mut self, value: &Value, at: &Location) -> Value {
        if !self.names_known {
            self.pending.push((value.clone(), at.clone()));
            return value.clone();
        }
        self.with_reads(value, Some(at))
    }

    /// Returns the value with the resources that its deferred parts read. With `at`, errors are reported there.
    pub(crate) fn with_reads(&mut self, value: &Value, at: Option<&Location>) -> Value {
        match value {
            Value::List(list) => Value::List(list.iter().map(|v| self.with_reads(v, at)).collect()),
            Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), self.with_reads(v, at))).collect()),
            Value::Deferred(deferred) => Value::Deferred(Arc::new(self.deferred_with_reads(deferred, at))),
            other => other.clone(),
        }
    }

    fn deferred_with_reads(&mut self, deferred: &Deferred, at: Option<&Location>) -> Deferred {
        let mut reads = BTreeSet::new();
        let mut bindings = BTreeMap::new();
        for (root, bound) in &deferred.bindings {
            // Errors in a bound value are reported where the value is written.
            let bound = self.with_reads(bound, None);
            bound.walk(&mut |v| {
                if let Value::Deferred(inner) = v {
                    reads.extend(inner.reads.iter().cloned());
                }
            });
            bindings.insert(root.clone(), bound);
        }
        if let Ok(template) = Template::of(&deferred.source) {
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

    /// Returns the resource that `Kind.step.step` reads, after a check of the attribute; none when its error is already
    /// reported.
    fn read(&self, kind: &str, steps: &[String], component: &str) -> Result<Option<Address>, Diagnostic> {
        let nowhere = Location::file("");
        let found = locate(kind, steps, component, |address| self.names.resources.contains_key(address));
        let Some((address, used)) = found else {
            // Attributes have no dots: the name is everything before the last step, or the only step.
            let name =
                steps.split_last().map(|(last, name)| if name.is_empty() { last.clone() } else { name.join(".") });
            let Some(name) = name else {
                let message = format!("`{kind}` alone has no value");
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
                        missing.help = Some("expressions can read only resources of this document".into());
                    }
                    return Err(missing);
                }
            }
            return Ok(None);
        };
        let Some(schema) = self.names.resources.get(&address) else { return Ok(None) };
        let Some(attribute) = steps.get(used) else {
            let message = format!("`{address}` alone has no value");
            return Err(Diagnostic::new(&nowhere, message)
                .help("add an attribute: `.id`, `.name`, `.arn`, or a field of its spec"));
        };
        let fields = schema.record.fields.iter().map(|field| field.name);
        let status = schema.status.fields.iter().map(|field| field.name);
        let mut known = ["id", "name"].into_iter().chain(status).chain(fields);
        if known.clone().any(|known| known == attribute) {
            return Ok(Some(address));
        }
        let help = match nearest(attribute, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its attributes are: {}", known.by_ref().take(12).collect::<Vec<_>>().join(", ")),
        };
        let message = format!("{} has no attribute `{attribute}`", with_article(kind));
        Err(Diagnostic::new(&nowhere, message).help(help))
    }
}

/// Returns a full name as it is written in a component.
fn component_relative<'n>(full: &'n str, component: &str) -> &'n str {
    full.strip_prefix(component).and_then(|rest| rest.strip_prefix('.')).unwrap_or(full)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_matches_any_text_within_one_component() {
        assert!(matches("network.private-*", "network.private-a"));
        assert!(matches("*", "main"));
        assert!(matches("a-*-c", "a-b-c"));
        assert!(matches("*.main", "eu.main"));
        assert!(!matches("*", "eu.main"));
        assert!(!matches("private-*", "network.private-a"));
        assert!(!matches("network.private-*", "network.public-a"));
    }
}
