//! Observations: which kinds to observe in which regions, with which scope, many at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use holdfast_core::diff::normal;
use holdfast_core::document::{Document, Lookup, Resource};
use holdfast_core::graph::can_refer;
use holdfast_core::observed::{KindRegion, Observation, Observed};
use holdfast_core::schema::{Registry, Schema, Type};
use holdfast_core::value::Value;
use tokio::time::Instant;

use crate::cloud::{Cloud, Confirmed, Failure, Scope};

/// The number of concurrent observations: enough for all kinds of most documents. The call budget limits the calls of
/// each service.
pub(crate) const MAX_CONCURRENT_OBSERVATIONS: usize = 32;

/// A refresh: observations that begin together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refresh {
    /// The number of the refresh: a call whose response several kinds need is made once in a refresh.
    pub(crate) number: u64,
    /// True for the initial refresh of a pass, which may read tags from an index that lags behind.
    pub(crate) from_index: bool,
}

/// Returns the kinds and regions to observe for a document.
///
/// With `full_scan`, these are all kinds in all configured regions, which finds a resource that left the document
/// together with the last one of its kind. `past_regions` has regions that the document had before: resources may be
/// left there.
pub(crate) fn kind_regions(
    document: &Document,
    registry: Registry,
    full_scan: bool,
    past_regions: &BTreeSet<String>,
) -> BTreeSet<KindRegion> {
    let mut kind_regions: BTreeSet<KindRegion> =
        document.resources.values().map(|r| KindRegion { kind: r.schema.kind, region: r.region.clone() }).collect();
    if full_scan {
        let regions: BTreeSet<&String> = document.target.regions.values().chain(past_regions).collect();
        for schema in registry.0 {
            let regions: Vec<String> = match schema.global {
                true => vec![String::new()],
                false => regions.iter().map(|region| (*region).clone()).collect(),
            };
            kind_regions.extend(regions.into_iter().map(|region| KindRegion { kind: schema.kind, region }));
        }
    }
    kind_regions
}

/// The result of observing one kind in one region.
pub(crate) struct KindObservation {
    pub(crate) kind_region: KindRegion,
    /// When the observation began. It shows nothing that happened later.
    pub(crate) at: Instant,
    pub(crate) found: Result<Vec<Observed>, Failure>,
}

/// Observes one kind in one region.
pub(crate) async fn observe_kind_region(
    cloud: &dyn Cloud,
    document: &Document,
    account: &str,
    kind_region: KindRegion,
    confirmed: Confirmed,
    refresh: Refresh,
) -> KindObservation {
    let at = Instant::now();
    let scope = Scope { confirmed, ..scope(document, account, &kind_region, cloud.schema(kind_region.kind), refresh) };
    let found = cloud.observe(kind_region.kind, &scope).await;
    KindObservation { kind_region, at, found }
}

/// Observes these kinds and regions, many at once.
pub(crate) async fn observe_all(
    cloud: &dyn Cloud,
    document: &Document,
    account: &str,
    kind_regions: &BTreeSet<KindRegion>,
    refresh: Refresh,
) -> Vec<KindObservation> {
    let observations = kind_regions.iter().map(|kind_region| {
        observe_kind_region(cloud, document, account, kind_region.clone(), Confirmed::default(), refresh)
    });
    stream::iter(observations).buffer_unordered(MAX_CONCURRENT_OBSERVATIONS).collect().await
}

/// Replaces what the observation has of a kind in a region. Returns the failure when it could not be observed.
pub(crate) fn merge(observed: KindObservation, observation: &mut Observation) -> Option<Failure> {
    let KindObservation { kind_region, found, .. } = observed;
    match found {
        Ok(found) => {
            observation.unknown.remove(&kind_region);
            observation.found.insert(kind_region, found);
            None
        }
        Err(failure) => {
            // Unknown is not absent: the resources that were found before may have changed.
            observation.found.remove(&kind_region);
            observation.unknown.insert(kind_region, failure.to_string());
            Some(failure)
        }
    }
}

fn scope(
    document: &Document,
    account: &str,
    kind_region: &KindRegion,
    schema: Option<&'static Schema>,
    refresh: Refresh,
) -> Scope {
    let is_of = |r: &&Resource| r.schema.kind == kind_region.kind && r.region == kind_region.region;
    let resources: Vec<&Resource> = document.resources.values().filter(is_of).collect();
    let kind_prefix = schema.map(|schema| schema.naming.prefix).unwrap_or_default();
    let own = (document.stack.clone(), document.env.clone());
    let others = document.resources.values().filter_map(|r| match &r.lifecycle.lookup {
        Some(Lookup::Owner { stack, env, .. }) => Some((stack.clone(), env.clone())),
        _ => None,
    });
    let mut scope = Scope {
        account: account.to_owned(),
        region: kind_region.region.clone(),
        owners: BTreeSet::from([own.clone()]),
        all_owners: others.chain([own]).collect(),
        prefixes: BTreeSet::from([
            format!("{}-{}-", document.stack, document.env),
            format!("{kind_prefix}{}-{}-", document.stack, document.env),
        ]),
        refresh: refresh.number,
        from_index: refresh.from_index,
        ..Scope::default()
    };
    if resources.iter().all(|r| r.lifecycle.lookup.is_none() && r.lifecycle.adopt.is_none()) {
        scope.fields = Some(stated_fields(&resources));
    }
    if resources.is_empty() {
        // No resource of the kind is left in the document: orphans may be children of any resource that the kind can
        // refer to.
        let can_be_parent =
            |parent: &&Resource| schema.is_some_and(|schema| can_refer(schema.record, parent.schema.kind));
        scope.parents.extend(document.resources.values().filter(can_be_parent).map(parent));
    }
    for resource in resources {
        let literal_parents = resource.schema.record.fields.iter().filter_map(|field| match field.ty {
            Type::Reference { kind, .. } => Some((kind, resource.spec.get(field.name)?.text()?.to_owned())),
            _ => None,
        });
        scope.parents.extend(literal_parents);
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
                scope.prefixes.insert(format!("{kind_prefix}{stack}-{env}-"));
            }
            Some(Lookup::Fields) => {
                if resource.named {
                    scope.names.insert(resource.name.clone());
                    // The fields of this one resource are read, whoever owns it.
                    scope.ids.insert(resource.name.clone());
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

/// Returns the top-level fields that each resource states, by address. A moved resource also has its old address, which
/// its tags may still name.
fn stated_fields(resources: &[&Resource]) -> BTreeMap<String, BTreeSet<String>> {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in resources {
        for address in [Some(&resource.address), resource.lifecycle.moved_from.as_ref()].into_iter().flatten() {
            let stated = resource.spec.map().into_iter().flatten().map(|(field, _)| field.clone());
            fields.entry(address.to_string()).or_default().extend(stated);
        }
    }
    fields
}

/// Returns the kind and the name or id of a resource, by which its children are found.
fn parent(parent: &Resource) -> (&'static str, String) {
    let identity = match &parent.lifecycle.lookup {
        None | Some(Lookup::Fields) => parent.name.clone(),
        Some(Lookup::Id(id)) => id.clone(),
        // The other stack may state an explicit name, so the generated name is not enough.
        Some(Lookup::Owner { .. }) => String::new(),
    };
    (parent.schema.kind, identity)
}

/// Returns the identity of a resource whose identity consists of several fields, or `None` while a field is not known.
fn identity(resource: &Resource) -> Option<String> {
    let record = resource.schema.record;
    let fields = resource.schema.ownership.identity().iter().filter_map(|name| record.field(name));
    let own = fields.filter(|field| !matches!(field.ty, Type::Reference { .. }));
    let stated = own.filter_map(|field| Some(normal(&field.ty, resource.spec.get(field.name)?)));
    let stated = stated.filter(|value| *value != Value::Null);
    let texts: Vec<String> = stated.map(|value| value.text().map(str::to_owned)).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| texts.join("_"))
}

/// Returns the ids that were found, older revisions included: each counts as a sighting, and a deletion needs two.
pub(crate) fn ids(found: &[Observed]) -> BTreeSet<&str> {
    let revisions = found.iter().filter_map(|o| match o.status.get("revisions") {
        Some(Value::List(revisions)) => Some(revisions),
        _ => None,
    });
    found.iter().map(|o| o.id.as_str()).chain(revisions.flatten().filter_map(Value::text)).collect()
}
