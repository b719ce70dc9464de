//! What looks find: as much as their scope asks for, and as far as the lag lets them see.

use std::collections::BTreeMap;

use holdfast_core::observed::{Observed, Opaque, Phase};
use holdfast_core::schema::{Claim, Replace, Schema};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use tokio::time::Instant;

use crate::account::{Thing, Version};
use crate::behaviour::Behaviour;
use crate::sim::{Sim, State};

impl Sim {
    /// What a look of this scope finds, as far as the lag lets it see.
    pub(crate) fn look(&self, schema: &'static Schema, scope: &Scope) -> Vec<Observed> {
        let now = Instant::now();
        let lag = self.lag(schema.kind);
        let seen = now.checked_sub(lag).unwrap_or(now);
        let behaviour = self.behaviour(schema.kind);
        let state = self.lock();
        let here = |thing: &&Thing| thing.schema.kind == schema.kind && (schema.global || thing.region == scope.region);
        let mut found: Vec<Observed> = vec![];
        for thing in state.things.iter().filter(here) {
            let Some(version) = thing.at(seen).filter(|version| asked(&state, thing, version, scope, now)) else {
                continue;
            };
            if let Replace::Revision { .. } = schema.replace {
                found.retain(|o| o.name != version.name);
            }
            found.push(observed(&state, behaviour, thing, version, seen));
        }
        found
    }

    /// What there is by that id now, as an answer tells it.
    pub(crate) fn there(
        &self,
        state: &State,
        schema: &'static Schema,
        region: &str,
        id: &str,
        now: Instant,
    ) -> Option<Observed> {
        let thing = state.things.iter().find(|t| {
            let here = t.schema.kind == schema.kind && (schema.global || t.region == region);
            here && t.id == id
        })?;
        Some(observed(state, self.behaviour(schema.kind), thing, thing.at(now)?, now))
    }
}

/// A thing as it was at a moment.
fn observed(state: &State, behaviour: Behaviour, thing: &Thing, version: &Version, seen: Instant) -> Observed {
    let schema = thing.schema;
    let mut status = BTreeMap::from([("arn".to_owned(), Value::Text(thing.arn()))]);
    let phase = version.phase(seen);
    if let (Some(attribute), true) = (behaviour.when_ready, matches!(phase, Phase::Ready | Phase::Updating)) {
        status.insert(attribute.into(), Value::Text(format!("{}.example.com", thing.id)));
    }
    if let Replace::Revision { .. } = schema.replace {
        status.insert("revision".into(), Value::Integer(thing.revision));
        let is_older = |t: &&Thing| {
            let here = t.schema.kind == schema.kind && (schema.global || t.region == thing.region);
            here && t.revision < thing.revision && t.at(seen).is_some_and(|v| v.name == version.name)
        };
        let mut older: Vec<&Thing> = state.things.iter().filter(is_older).collect();
        older.sort_by_key(|t| std::cmp::Reverse(t.revision));
        status.insert("revisions".into(), Value::List(older.iter().map(|t| t.id.clone().into()).collect()));
    }
    Observed {
        region: if schema.global { String::new() } else { thing.region.clone() },
        id: thing.id.clone(),
        name: version.name.clone(),
        spec: version.spec.clone().without_nulls(),
        status: Value::Map(status),
        phase,
        remarks: vec![],
        tags: version.tags.clone(),
        scheduled: version.scheduled.clone(),
        bound: false,
        opaque: Opaque::default(),
    }
}

/// True when a scope asks for it: as narrowly as the narrowest driver, so that nothing is seen by luck.
fn asked(state: &State, thing: &Thing, version: &Version, scope: &Scope, now: Instant) -> bool {
    let owned = match thing.schema.claim {
        Claim::AtCreate | Claim::Intent | Claim::Mark { .. } => scope.is_owned(&version.tags),
        Claim::Parent { field, .. } => version.spec.get(field).and_then(Value::text).is_some_and(|parent| {
            let parents = state.things.iter().filter(|t| t.is(parent, now));
            parents.filter_map(|t| t.at(now)).any(|v| scope.is_owned(&v.tags))
        }),
    };
    let key = thing.schema.claim.identity().iter().filter_map(|field| version.spec.get(field)?.text());
    let key: Vec<&str> = key.filter(|text| !text.starts_with("zone-")).collect();
    let named = match thing.schema.claim.identity() {
        [] => !thing.schema.naming.tag && scope.is_candidate(&version.name),
        _ => scope.names.contains(&key.join("_")),
    };
    let by_id = scope.ids.contains(&thing.id) || scope.ids.contains(&thing.arn());
    owned || named || by_id || !scope.lookups.is_empty()
}
