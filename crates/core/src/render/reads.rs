//! Deferred values: the resources that they read, resolved once all names are known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Location, nearest};
use crate::expression::{Template, locate, outward, within};
use crate::render::RenderContext;
use crate::render::names::missing_resource;
use crate::schema::{Type, with_article};
use crate::value::{Deferred, Value};

/// Returns the value with the resources that its deferred parts read. Before all names are known, the value is
/// returned unchanged and checked later.
pub(super) fn defer(ctx: &mut RenderContext<'_>, value: &Value, at: &Location) -> Value {
    if !ctx.names.complete {
        ctx.pending.push((value.clone(), at.clone()));
        return value.clone();
    }
    with_reads(ctx, value, Some(at))
}

/// Returns the value with the resources that its deferred parts read. With `at`, errors are reported there.
pub(super) fn with_reads(ctx: &mut RenderContext<'_>, value: &Value, at: Option<&Location>) -> Value {
    match value {
        Value::List(list) => Value::List(list.iter().map(|v| with_reads(ctx, v, at)).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), with_reads(ctx, v, at))).collect()),
        Value::Deferred(deferred) => Value::Deferred(Arc::new(deferred_with_reads(ctx, deferred, at))),
        other => other.clone(),
    }
}

fn deferred_with_reads(ctx: &mut RenderContext<'_>, deferred: &Deferred, at: Option<&Location>) -> Deferred {
    let mut reads = BTreeSet::new();
    let mut bindings = BTreeMap::new();
    for (root, bound) in &deferred.bindings {
        // Errors in a bound value are reported where the value is written.
        let bound = with_reads(ctx, bound, None);
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
                if ctx.registry.get(&used.root).is_none() {
                    continue;
                }
                match resolve_read(ctx, &used.root, &used.steps, &deferred.component) {
                    Ok(address) => reads.extend(address),
                    Err(diagnostic) => {
                        if let Some(at) = at {
                            ctx.out.push_within(&code.text, Diagnostic { at: at.clone(), ..diagnostic });
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
fn resolve_read(
    ctx: &RenderContext<'_>,
    kind: &str,
    steps: &[String],
    component: &str,
) -> Result<Option<Address>, Diagnostic> {
    let nowhere = Location::file("");
    let found = locate(kind, steps, component, |address| ctx.names.resources.contains_key(address));
    let Some((address, used)) = found else {
        // Attributes have no dots: the name is everything before the last step, or the only step.
        let name = steps.split_last().map(|(last, name)| if name.is_empty() { last.clone() } else { name.join(".") });
        let Some(name) = name else {
            let message = format!("`{kind}` alone has no value");
            return Err(Diagnostic::new(&nowhere, message).help(format!("write `{kind}.<name>.<attribute>`")));
        };
        let short = steps.first().map_or("", String::as_str);
        for name in [name.as_str(), short] {
            let candidates: Vec<Address> = outward(component).map(|ns| Address::new(kind, &within(ns, name))).collect();
            if candidates.iter().any(|address| ctx.names.is_broken(&address.name)) {
                return Ok(None);
            }
            let known = candidates.iter().any(|a| ctx.names.groups.contains(a) || ctx.names.is_left_out(a));
            if known || name == short {
                let mut missing = missing_resource(ctx, kind, name, &candidates, component, &nowhere);
                if missing.help.as_deref().is_some_and(|help| help.contains("{ id: … }")) {
                    missing.help = Some("expressions can read only resources of this document".into());
                }
                return Err(missing);
            }
        }
        return Ok(None);
    };
    let Some(schema) = ctx.names.resources.get(&address) else { return Ok(None) };
    let Some(attribute) = steps.get(used) else {
        let message = format!("`{address}` alone has no value");
        return Err(
            Diagnostic::new(&nowhere, message).help("add an attribute: `.id`, `.name`, `.arn`, or a field of its spec")
        );
    };
    let fields = schema.record.fields.iter().map(|field| field.name);
    let status = schema.status.fields.iter().map(|field| field.name);
    let mut known = ["id", "name"].into_iter().chain(status).chain(fields);
    if known.clone().any(|known| known == attribute) {
        let field = schema.status.field(attribute).or_else(|| schema.record.field(attribute));
        let ty = field.map_or(Type::Text, |field| field.ty);
        return check_steps(ty, attribute, &steps[used + 1..]).map(|()| Some(address));
    }
    let help = match nearest(attribute, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its attributes are: {}", known.by_ref().take(12).collect::<Vec<_>>().join(", ")),
    };
    let message = format!("{} has no attribute `{attribute}`", with_article(kind));
    Err(Diagnostic::new(&nowhere, message).help(help))
}

/// Checks the steps below an attribute: `DbInstance.main.endpoint.port`. The keys of a map are not known.
fn check_steps(ty: Type, attribute: &str, steps: &[String]) -> Result<(), Diagnostic> {
    let (mut ty, mut path) = (ty, attribute.to_owned());
    for step in steps {
        let record = match ty {
            Type::Record(record) => record,
            Type::Map(_) | Type::List(_) | Type::Set(_) | Type::Canonical { .. } | Type::Secret => return Ok(()),
            _ => {
                let message = format!("`{path}` is {}, which has no `{step}`", ty.describe());
                return Err(Diagnostic::new(&Location::file(""), message).help(format!("remove `.{step}`")));
            }
        };
        let Some(field) = record.field(step) else {
            let names = record.fields.iter().map(|field| field.name);
            let help = nearest(step, names.clone()).map(|near| format!("did you mean `{near}`?"));
            let help = help.unwrap_or_else(|| format!("its fields are: {}", names.collect::<Vec<_>>().join(", ")));
            return Err(Diagnostic::new(&Location::file(""), format!("`{path}` has no `{step}`")).help(help));
        };
        (ty, path) = (field.ty, format!("{path}.{step}"));
    }
    Ok(())
}
