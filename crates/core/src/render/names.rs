//! Names: the resources of a document, and the resolution of names in references and expressions.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location, nearest};
use crate::expression::{outward, within};
use crate::render::RenderContext;
use crate::schema::{Schema, with_article};

/// The two components in which a name is resolved, in this order: the component that a parameter passed the name from,
/// and the component in which the name is written. (`${params.size > 0 ? 'monitoring' : null}` reads a parameter, but
/// the parameter does not pass the name.)
pub(super) type Namespaces<'a> = [&'a str; 2];

fn namespaces([passed_from, written_in]: Namespaces<'_>) -> impl Iterator<Item = &str> {
    outward(passed_from).chain(outward(written_in))
}

/// The names of a document: its resources, and the names that it does not have, by reason.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The resources.
    pub(super) resources: BTreeMap<Address, &'static Schema>,
    /// The resources that `when` left out.
    pub(super) left_out: BTreeSet<Address>,
    /// The components that `when` left out.
    pub(super) left_out_components: BTreeSet<String>,
    /// The declarations with a forEach, which are not resources themselves.
    pub(super) groups: BTreeSet<Address>,
    /// The names of refused declarations. Errors of references to them are not reported.
    pub(super) broken: BTreeSet<String>,
    /// True once all resources are expanded: then expressions that read resources can be checked.
    pub(super) complete: bool,
    /// The addresses of patches whose resource exists.
    pub(super) patched: BTreeSet<String>,
}

impl Names {
    /// True when the declaration of a name, or of its component or forEach, was refused.
    pub(super) fn is_broken(&self, name: &str) -> bool {
        self.broken.iter().any(|broken| {
            name.strip_prefix(broken.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
        }) || self.broken.contains("")
    }

    pub(super) fn is_left_out(&self, address: &Address) -> bool {
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

/// Returns the resource of a kind that a name without kind means; none after the error was reported.
pub(super) fn find_resource(
    ctx: &mut RenderContext<'_>,
    kind: &str,
    name: &str,
    from: Namespaces<'_>,
    at: &Location,
) -> Option<Address> {
    let candidates: Vec<Address> = namespaces(from).map(|ns| Address::new(kind, &within(ns, name))).collect();
    if let Some(found) = candidates.iter().find(|address| ctx.names.resources.contains_key(address)) {
        return Some(found.clone());
    }
    if candidates.iter().any(|address| ctx.names.is_broken(&address.name)) {
        return None;
    }
    ctx.out.push_within(name, missing_resource(ctx, kind, name, &candidates, from[0], at));
    None
}

/// Returns all resources of a kind whose names match a pattern, from the innermost namespace that has any.
pub(super) fn find_resources(
    ctx: &mut RenderContext<'_>,
    kind: &str,
    pattern: &str,
    from: Namespaces<'_>,
    at: &Location,
) -> Option<Vec<Address>> {
    for namespace in namespaces(from) {
        let pattern = within(namespace, pattern);
        let of_kind = ctx.names.resources.keys().filter(|address| &*address.kind == kind);
        let found: Vec<Address> = of_kind.filter(|address| matches(&pattern, &address.name)).cloned().collect();
        if !found.is_empty() {
            return Some(found);
        }
    }
    if ctx.names.broken.is_empty() {
        let names = ctx.names.resources.keys().filter(|address| &*address.kind == kind).map(|a| &*a.name);
        let known: Vec<&str> = names.take(5).collect();
        let help = match known.is_empty() {
            true => format!("the document has no {kind}"),
            false => format!("names of this kind are: {}", known.join(", ")),
        };
        ctx.out.push_within(pattern, Diagnostic::new(at, format!("no {kind} matches `{pattern}`")).help(help));
    }
    None
}

/// Returns the error for a resource that does not exist, with the reason.
pub(super) fn missing_resource(
    ctx: &RenderContext<'_>,
    kind: &str,
    name: &str,
    candidates: &[Address],
    component: &str,
    at: &Location,
) -> Diagnostic {
    if let Some(group) = candidates.iter().find(|address| ctx.names.groups.contains(address)) {
        let prefix = format!("{}-", group.name);
        let mut members = ctx.names.resources.keys().filter(|a| &*a.kind == kind && a.name.starts_with(&prefix));
        let help = match members.next() {
            Some(first) => {
                format!("in a list, write `{name}-*` for all of them; or name one, as in `{}`", first.name)
            }
            None => "the `forEach` has no elements here".to_owned(),
        };
        return Diagnostic::new(at, format!("`{group}` has a `forEach`, so it is not a single resource")).help(help);
    }
    if let Some(left_out) = candidates.iter().find(|address| ctx.names.is_left_out(address)) {
        return Diagnostic::new(at, format!("`{left_out}` is left out by its `when`"))
            .help("use the same `when` here, or remove the `when` of the other resource");
    }
    let others = || ctx.names.resources.keys();
    for namespace in outward(component) {
        let full = within(namespace, name);
        if let Some(other) = others().find(|address| *address.name == *full) {
            let (found, expected) = (with_article(&other.kind), with_article(kind));
            let message = format!("`{name}` is {found}, not {expected}");
            let of_kind = others().filter(|address| &*address.kind == kind).map(|address| &*address.name);
            let help = nearest(name, of_kind.clone()).or_else(|| of_kind.clone().next());
            let help = help
                .map_or_else(|| format!("the document has no {kind}"), |n| format!("the document has `{kind}/{n}`"));
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
pub(super) fn find_addresses(
    ctx: &mut RenderContext<'_>,
    text: &str,
    component: &str,
    at: &Location,
) -> Option<Vec<Address>> {
    let Ok(address) = text.parse::<Address>() else {
        let message = format!("`{text}` is not an address; an example is `SecurityGroup/web`");
        ctx.out.push(Diagnostic::new(at, message));
        return None;
    };
    if ctx.registry.get(&address.kind).is_none() {
        let help = nearest(&address.kind, ctx.registry.kinds()).map(|kind| format!("did you mean `{kind}`?"));
        ctx.out.push(Diagnostic::new(at, format!("there is no kind `{}`", address.kind)).help_if(help));
        return None;
    }
    match address.name.contains('*') {
        true => find_resources(ctx, &address.kind, &address.name, [component, component], at),
        false => find_resource(ctx, &address.kind, &address.name, [component, component], at).map(|found| vec![found]),
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
