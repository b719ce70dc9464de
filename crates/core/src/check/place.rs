//! Places and names: zones and regions that AWS requires, and names that another resource defines.

use std::collections::BTreeMap;

use super::{Declared, target, values};
use crate::address::Address;
use crate::diagnostic::{Diagnostic, either, suggest, words};
use crate::document::Resource;
use crate::schema::DocumentRelation;
use crate::value::Value;

/// Reports zones of other regions, resources outside the region that AWS requires, and names that do not exist.
pub(super) fn check(declared: &[Declared<'_>], all: &BTreeMap<Address, Resource>) -> Vec<Diagnostic> {
    let mut errors = vec![];
    for one in declared {
        for relation in one.resource.schema.document_relations {
            match *relation {
                DocumentRelation::ZoneInRegion(field) if !one.accepts(field) => errors.extend(zones(one, field)),
                DocumentRelation::InRegion { field, value, region } if !one.accepts(field) => {
                    errors.extend(in_region(one, field, value, region));
                }
                DocumentRelation::ReferenceInRegion { field, region } if !one.accepts(field) => {
                    errors.extend(reference_in_region(one, field, region, all));
                }
                DocumentRelation::NamedIn { field, reference, names } if !one.accepts(field) => {
                    errors.extend(named_in(one, field, reference, names, all));
                }
                _ => {}
            }
        }
    }
    errors
}

/// A zone is the name of its region and a suffix: `us-east-1a`, `us-west-2-lax-1a`.
fn zones(one: &Declared<'_>, field: &str) -> Vec<Diagnostic> {
    let region = one.resource.region.as_str();
    let found = values(&one.resource.spec, field).into_iter();
    let texts = found.flat_map(|value| match value {
        Value::List(list) => list.iter().filter_map(Value::text).collect(),
        value => value.text().into_iter().collect::<Vec<_>>(),
    });
    let is_elsewhere = |zone: &&str| {
        let suffix = zone.strip_prefix(region);
        !suffix.is_some_and(|suffix| suffix.starts_with(|c: char| c.is_ascii_lowercase() || c == '-'))
    };
    let wrong = texts.filter(|zone| !region.is_empty() && is_elsewhere(zone));
    wrong
        .map(|zone| {
            let message = format!("`{field}` is `{zone}`, which is not a zone of the region {region}");
            let help = format!("write a zone such as `{region}a`, or the resource's `region`");
            Diagnostic::new(one.locate(field), message).help(help)
        })
        .collect()
}

fn in_region(one: &Declared<'_>, field: &str, value: &str, region: &str) -> Option<Diagnostic> {
    let Resource { spec, region: own, address, .. } = one.resource;
    if spec.at(field)?.text()? != value || own == region {
        return None;
    }
    let message = format!("`{field}: {value}` needs the region {region}, but `{address}` is in {own}");
    Some(Diagnostic::new(one.locate(field), message).help(format!("write `region: {region}` in `{address}`")))
}

fn reference_in_region(
    one: &Declared<'_>,
    field: &str,
    region: &str,
    all: &BTreeMap<Address, Resource>,
) -> Vec<Diagnostic> {
    let elsewhere = values(&one.resource.spec, field).into_iter().filter_map(|value| match target(value) {
        Some((address, _)) => {
            let found = all.get(address).filter(|found| found.region != region && !found.region.is_empty())?;
            Some((format!("`{address}`"), found.region.clone(), format!("write `region: {region}` in `{address}`")))
        }
        None => {
            let text = value.text()?;
            let of = text.strip_prefix("arn:")?.split(':').nth(2)?;
            let found = (of != region && !of.is_empty()).then(|| of.to_owned())?;
            Some((format!("`{text}`"), found, format!("use a resource of the region {region}")))
        }
    });
    elsewhere
        .map(|(target, found, help)| {
            let message = format!("`{field}` needs a resource of the region {region}, but {target} is in {found}");
            Diagnostic::new(one.locate(field), message).help(help)
        })
        .collect()
}

fn named_in(
    one: &Declared<'_>,
    field: &str,
    reference: &str,
    names: &str,
    all: &BTreeMap<Address, Resource>,
) -> Vec<Diagnostic> {
    let spec = &one.resource.spec;
    let defined_in = spec.at(reference).and_then(target).and_then(|(address, _)| all.get(address));
    let Some(defined_in) = defined_in.filter(|resource| !resource.is_lookup()) else { return vec![] };
    // A name that is not known yet may be the one that is used.
    let known: Option<Vec<&str>> = values(&defined_in.spec, names).into_iter().map(Value::text).collect();
    let Some(known) = known.filter(|known| !known.is_empty()) else { return vec![] };
    let used = values(spec, field).into_iter().filter_map(Value::text);
    let wrong = used.filter(|name| !known.contains(name));
    wrong
        .map(|name| {
            let message =
                format!("`{field}` is `{name}`, but `{}` has {} in `{names}`", defined_in.address, words(&known));
            let help = suggest(name, known.iter().copied());
            let help = help.unwrap_or_else(|| format!("write {}", either(&known)));
            Diagnostic::new(one.locate(field), message).help(help)
        })
        .collect()
}
