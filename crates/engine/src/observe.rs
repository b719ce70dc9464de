//! The look: which places to see, what to ask of each, all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use holdfast_core::diff::normal;
use holdfast_core::document::{Document, Lookup, Resource};
use holdfast_core::graph::can_refer;
use holdfast_core::observed::{Observation, Observed, Place};
use holdfast_core::schema::{Registry, Schema, Type};
use holdfast_core::value::Value;
use tokio::time::Instant;

use crate::cloud::{Cloud, Failure, Known, Scope};

/// How many places are looked at at once: all of most documents. The budget keeps each service's calls apart.
pub(crate) const AT_ONCE: usize = 32;

/// One look at several places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// Its number: calls that several kinds need are made once in a sweep.
    pub(crate) number: u64,
    /// True for the first of a pass, which may read tags from an index that lags behind.
    pub(crate) hints: bool,
}

/// The places that a document needs to be seen.
///
/// With `everywhere`, every kind in every configured region: that finds what left the document
/// together with the last of its kind.
/// `past` names regions that the document had before: something may be left there.
pub(crate) fn places(
    document: &Document,
    registry: Registry,
    everywhere: bool,
    past: &BTreeSet<String>,
) -> BTreeSet<Place> {
    let mut places: BTreeSet<Place> =
        document.resources.values().map(|r| Place { kind: r.schema.kind, region: r.region.clone() }).collect();
    if everywhere {
        let regions: BTreeSet<&String> = document.target.regions.values().chain(past).collect();
        for schema in registry.0 {
            let regions: Vec<String> = match schema.global {
                true => vec![String::new()],
                false => regions.iter().map(|region| (*region).clone()).collect(),
            };
            places.extend(regions.into_iter().map(|region| Place { kind: schema.kind, region }));
        }
    }
    places
}

/// What was seen at a place, or why nothing could be.
pub(crate) struct Seen {
    pub(crate) place: Place,
    /// When the look began: it shows nothing that is younger.
    pub(crate) at: Instant,
    pub(crate) found: Result<Vec<Observed>, Failure>,
}

/// Looks at one place.
pub(crate) async fn look_at(
    cloud: &dyn Cloud,
    document: &Document,
    account: &str,
    place: Place,
    known: Known,
    sweep: Sweep,
) -> Seen {
    let at = Instant::now();
    let scope = Scope { known, ..scope(document, account, &place, cloud.schema(place.kind), sweep) };
    let found = cloud.observe(place.kind, &scope).await;
    Seen { place, at, found }
}

/// Looks at these places, many at once.
pub(crate) async fn look(
    cloud: &dyn Cloud,
    document: &Document,
    account: &str,
    places: &BTreeSet<Place>,
    sweep: Sweep,
) -> Vec<Seen> {
    let looks = places.iter().map(|place| look_at(cloud, document, account, place.clone(), Known::default(), sweep));
    stream::iter(looks).buffer_unordered(AT_ONCE).collect().await
}

/// Puts what was seen in the place of what was known. Returns why nothing could be seen, if so.
pub(crate) fn merge(seen: Seen, observation: &mut Observation) -> Option<Failure> {
    let Seen { place, found, .. } = seen;
    match found {
        Ok(found) => {
            observation.unknown.remove(&place);
            observation.found.insert(place, found);
            None
        }
        Err(failure) => {
            // Unknown is not absent: what was found before does not stand for now.
            observation.found.remove(&place);
            observation.unknown.insert(place, failure.to_string());
            Some(failure)
        }
    }
}

fn scope(document: &Document, account: &str, place: &Place, schema: Option<&'static Schema>, sweep: Sweep) -> Scope {
    let here = |r: &&Resource| r.schema.kind == place.kind && r.region == place.region;
    let resources: Vec<&Resource> = document.resources.values().filter(here).collect();
    let naming = schema.map(|schema| schema.naming.prefix).unwrap_or_default();
    let own = (document.stack.clone(), document.env.clone());
    let others = document.resources.values().filter_map(|r| match &r.lifecycle.lookup {
        Some(Lookup::Owner { stack, env, .. }) => Some((stack.clone(), env.clone())),
        _ => None,
    });
    let mut scope = Scope {
        account: account.to_owned(),
        region: place.region.clone(),
        owners: BTreeSet::from([own.clone()]),
        all_owners: others.chain([own]).collect(),
        prefixes: BTreeSet::from([
            format!("{}-{}-", document.stack, document.env),
            format!("{naming}{}-{}-", document.stack, document.env),
        ]),
        sweep: sweep.number,
        hints: sweep.hints,
        ..Scope::default()
    };
    if resources.iter().all(|r| r.lifecycle.lookup.is_none() && r.lifecycle.adopt.is_none()) {
        scope.fields = Some(fields(&resources));
    }
    if resources.is_empty() {
        // All of them left the document: what is left of them may be under anything that they could refer to.
        let could = |parent: &&Resource| schema.is_some_and(|schema| can_refer(schema.record, parent.schema.kind));
        scope.parents.extend(document.resources.values().filter(could).map(parent));
    }
    for resource in resources {
        let literal = resource.schema.record.fields.iter().filter_map(|field| match field.ty {
            Type::Reference { kind, .. } => Some((kind, resource.spec.get(field.name)?.text()?.to_owned())),
            _ => None,
        });
        scope.parents.extend(literal);
        let parents = resource.references();
        scope.parents.extend(parents.keys().filter_map(|address| document.resources.get(address)).map(parent));
        match &resource.lifecycle.lookup {
            None => {
                scope.names.insert(resource.name.clone());
                scope.names.extend(identity(resource));
            }
            Some(Lookup::Id(id)) => {
                scope.ids.insert(id.clone());
            }
            Some(Lookup::Owner { stack, env, .. }) => {
                scope.owners.insert((stack.clone(), env.clone()));
                scope.prefixes.insert(format!("{naming}{stack}-{env}-"));
            }
            Some(Lookup::Fields) => {
                if resource.named {
                    scope.names.insert(resource.name.clone());
                }
                scope.lookups.push(resource.spec.clone());
            }
        }
        if let Some(adopt) = &resource.lifecycle.adopt {
            scope.ids.insert(adopt.clone());
            scope.names.insert(adopt.clone());
        }
    }
    scope
}

/// The top-level fields that each states, by its address; what moved may still have its old address in its tags.
fn fields(resources: &[&Resource]) -> BTreeMap<String, BTreeSet<String>> {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in resources {
        for address in [Some(&resource.address), resource.lifecycle.moved_from.as_ref()].into_iter().flatten() {
            let stated = resource.spec.map().into_iter().flatten().map(|(field, _)| field.clone());
            fields.entry(address.to_string()).or_default().extend(stated);
        }
    }
    fields
}

/// A resource as others are found under it: its kind, and its name or id.
fn parent(parent: &Resource) -> (&'static str, String) {
    let identity = match &parent.lifecycle.lookup {
        None | Some(Lookup::Fields) => parent.name.clone(),
        Some(Lookup::Id(id)) => id.clone(),
        // Its own name may have been stated over there, so that this says too little.
        Some(Lookup::Owner { .. }) => String::new(),
    };
    (parent.schema.kind, identity)
}

/// What the document says of an identity of several fields; none while a part of it is not known.
fn identity(resource: &Resource) -> Option<String> {
    let record = resource.schema.record;
    let fields = resource.schema.claim.identity().iter().filter_map(|name| record.field(name));
    let own = fields.filter(|field| !matches!(field.ty, Type::Reference { .. }));
    let stated = own.filter_map(|field| Some(normal(&field.ty, resource.spec.get(field.name)?)));
    let stated = stated.filter(|value| *value != Value::Null);
    let texts: Vec<String> = stated.map(|value| value.text().map(str::to_owned)).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| texts.join("_"))
}

/// Which ids were found at a place, older revisions included: for the second sighting before a deletion.
pub(crate) fn ids(found: &[Observed]) -> BTreeSet<&str> {
    let revisions = found.iter().filter_map(|o| match o.status.get("revisions") {
        Some(Value::List(revisions)) => Some(revisions),
        _ => None,
    });
    found.iter().map(|o| o.id.as_str()).chain(revisions.flatten().filter_map(Value::text)).collect()
}
