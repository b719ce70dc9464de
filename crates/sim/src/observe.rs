//! Observations: the resources of their scope, as of the time that the lag of the kind allows.

use std::collections::BTreeMap;

use holdfast_core::observed::{Observed, Opaque, Phase};
use holdfast_core::schema::{Ownership, Replacement, Schema};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use tokio::time::Instant;

use crate::account::{ResourceVersion, SimResource};
use crate::behaviour::Behaviour;
use crate::sim::{Sim, State};

impl Sim {
    /// Returns the resources of a scope, as of the time that the lag allows.
    pub(crate) fn read(&self, schema: &'static Schema, scope: &Scope) -> Vec<Observed> {
        let now = Instant::now();
        let lag = self.lag(schema.kind);
        let as_of = now.checked_sub(lag).unwrap_or(now);
        let behaviour = self.behaviour(schema.kind);
        let state = self.lock();
        let is_local = |resource: &&SimResource| {
            resource.schema.kind == schema.kind && (schema.global || resource.region == scope.region)
        };
        let mut found: Vec<Observed> = vec![];
        for resource in state.resources.iter().filter(is_local) {
            let version = resource.at(as_of);
            let Some(version) =
                version.filter(|version| is_in_scope(&state, (behaviour, resource), version, scope, now))
            else {
                continue;
            };
            if let Replacement::Revision { .. } = schema.replacement {
                found.retain(|o| o.name != version.name);
            }
            found.push(observed(&state, behaviour, resource, version, as_of));
        }
        found
    }

    /// Returns the resource with that id now, as a response contains it.
    pub(crate) fn response(
        &self,
        state: &State,
        schema: &'static Schema,
        region: &str,
        id: &str,
        now: Instant,
    ) -> Option<Observed> {
        let resource = state.resources.iter().find(|r| {
            let is_local = r.schema.kind == schema.kind && (schema.global || r.region == region);
            is_local && r.id == id
        })?;
        Some(observed(state, self.behaviour(schema.kind), resource, resource.at(now)?, now))
    }
}

/// Returns a resource as it was at a time.
fn observed(
    state: &State,
    behaviour: Behaviour,
    resource: &SimResource,
    version: &ResourceVersion,
    as_of: Instant,
) -> Observed {
    let schema = resource.schema;
    let mut status = BTreeMap::from([("arn".to_owned(), Value::Text(resource.arn()))]);
    let phase = version.phase(as_of);
    if let (Some(attribute), true) = (behaviour.status_when_ready, matches!(phase, Phase::Ready | Phase::Updating)) {
        status.insert(attribute.into(), Value::Text(format!("{}.example.com", resource.id)));
    }
    if let Replacement::Revision { .. } = schema.replacement {
        status.insert("revision".into(), Value::Integer(resource.revision));
        let is_older = |r: &&SimResource| {
            let is_local = r.schema.kind == schema.kind && (schema.global || r.region == resource.region);
            is_local && r.revision < resource.revision && r.at(as_of).is_some_and(|v| v.name == version.name)
        };
        let mut older: Vec<&SimResource> = state.resources.iter().filter(is_older).collect();
        older.sort_by_key(|r| std::cmp::Reverse(r.revision));
        status.insert("revisions".into(), Value::List(older.iter().map(|r| r.id.clone().into()).collect()));
    }
    Observed {
        region: if schema.global { String::new() } else { resource.region.clone() },
        id: resource.id.clone(),
        name: version.name.clone(),
        spec: version.spec.clone().without_nulls(),
        status: Value::Map(status),
        phase,
        conditions: vec![],
        tags: version.tags.clone(),
        scheduled: version.scheduled.clone(),
        bound: false,
        opaque: Opaque::default(),
    }
}

/// True when a scope contains the resource. The scope is as narrow as that of the narrowest driver, so that no resource
/// is observed by chance.
fn is_in_scope(
    state: &State,
    (behaviour, resource): (Behaviour, &SimResource),
    version: &ResourceVersion,
    scope: &Scope,
    now: Instant,
) -> bool {
    let is_listed = !behaviour.listed_by_name || scope.from_index || scope.is_candidate(&version.name);
    let owned = match resource.schema.ownership {
        Ownership::TagOnCreate | Ownership::CallerReference | Ownership::EmbeddedMarker { .. } => {
            is_listed && scope.is_owned(&version.tags)
        }
        Ownership::ViaParent { field, .. } => version.spec.get(field).and_then(Value::text).is_some_and(|parent| {
            let parents = state.resources.iter().filter(|r| r.has_identity(parent, now));
            parents.filter_map(|r| r.at(now)).any(|v| scope.is_owned(&v.tags))
        }),
    };
    let key = resource.schema.ownership.identity().iter().filter_map(|field| version.spec.get(field)?.text());
    let key: Vec<&str> = key.filter(|text| !text.starts_with("zone-")).collect();
    let named = match resource.schema.ownership.identity() {
        [] => !resource.schema.naming.tag && scope.is_candidate(&version.name),
        _ => scope.names.contains(&key.join("_")),
    };
    let by_id = scope.ids.contains(&resource.id) || scope.ids.contains(&resource.arn());
    owned || named || by_id || !scope.lookups.is_empty()
}
