//! What looks find: as much as their scope asks for, and as far as the lag lets them see.

use std::collections::BTreeMap;

use holdfast_core::observed::{Observed, Opaque, Phase};
use holdfast_core::schema::{Claim, Replace, Schema};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use tokio::time::Instant;

use crate::account::{Thing, Version};
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
            let mut status = BTreeMap::from([("arn".to_owned(), Value::Text(thing.arn()))]);
            let phase = version.phase(seen);
            if let (Some(attribute), true) = (behaviour.when_ready, matches!(phase, Phase::Ready | Phase::Updating)) {
                status.insert(attribute.into(), Value::Text(format!("{}.example.com", thing.id)));
            }
            if let Replace::Revision { .. } = schema.replace {
                status.insert("revision".into(), Value::Integer(thing.revision));
                let family = state.things.iter().filter(here).filter(|t| t.revision < thing.revision);
                let mut older: Vec<&Thing> =
                    family.filter(|t| t.at(seen).is_some_and(|v| v.name == version.name)).collect();
                older.sort_by_key(|t| std::cmp::Reverse(t.revision));
                status.insert("revisions".into(), Value::List(older.iter().map(|t| t.id.clone().into()).collect()));
                found.retain(|o| o.name != version.name);
            }
            found.push(Observed {
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
            });
        }
        found
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
