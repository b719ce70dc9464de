//! Out-of-band changes of the account, and its actual content.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::observed::{Owner, Phase};
use holdfast_core::schema::Schema;
use holdfast_core::value::Value;
use tokio::time::Instant;

use crate::account::{ResourceVersion, SimResource};
use crate::sim::Sim;

/// The actual state of a resource, without lag.
#[derive(Clone, Debug, PartialEq)]
pub struct ActualResource {
    /// The kind.
    pub kind: &'static str,
    /// The region.
    pub region: String,
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The spec.
    pub spec: Value,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The phase.
    pub phase: Phase,
}

impl ActualResource {
    /// Returns the owner, if the tags name one.
    pub fn owner(&self) -> Option<Owner> {
        Owner::from_tags(&self.tags)
    }
}

impl Sim {
    /// Returns all existing resources of the account, in the order of their creation.
    pub fn resources(&self) -> Vec<ActualResource> {
        let now = Instant::now();
        let state = self.lock();
        let existing = state.resources.iter().filter_map(|r| Some((r, r.at(now)?)));
        existing
            .map(|(resource, version)| ActualResource {
                kind: resource.schema.kind,
                region: resource.region.clone(),
                id: resource.id.clone(),
                name: version.name.clone(),
                spec: version.spec.clone().without_nulls(),
                tags: version.tags.clone(),
                phase: version.phase(now),
            })
            .collect()
    }

    /// Creates a resource out of band. Returns its id.
    pub fn create_unowned(
        &self,
        schema: &'static Schema,
        region: &str,
        name: &str,
        spec: Value,
        tags: BTreeMap<String, String>,
    ) -> String {
        let now = Instant::now();
        let prefix = self.behaviour(schema.kind).prefix;
        let mut state = self.lock();
        let id = match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}-{}", state.next(schema.kind)),
        };
        let mut tags = tags;
        if schema.naming.tag && !name.is_empty() {
            tags.insert("Name".into(), name.into());
        }
        let version = ResourceVersion {
            at: now,
            name: name.into(),
            spec,
            tags,
            ready: now,
            updating: now,
            deleted_at: None,
            scheduled: BTreeSet::new(),
            failed: false,
        };
        let region = if schema.global { "" } else { region };
        state.resources.push(SimResource::new(schema, region, id.clone(), version));
        id
    }

    /// Sets a top-level field out of band. `which` is an id, or the address in the owner tags. False when no such
    /// resource exists.
    pub fn set(&self, which: &str, field: &str, value: Value) -> bool {
        self.change(which, |version| {
            if let Value::Map(spec) = &mut version.spec {
                spec.insert(field.to_owned(), value.clone());
            }
        })
    }

    /// Sets or removes a tag out of band.
    pub fn set_tag(&self, which: &str, key: &str, value: Option<&str>) -> bool {
        self.change(which, |version| match value {
            Some(value) => drop(version.tags.insert(key.into(), value.into())),
            None => drop(version.tags.remove(key)),
        })
    }

    /// Deletes a resource and its children at once, out of band, even if others refer to it.
    pub fn remove(&self, which: &str) -> bool {
        let now = Instant::now();
        for child in self.lock().resources.iter_mut().filter(|r| r.is_child_of(which, now)) {
            child.change(now, |version| version.deleted_at = Some(now));
        }
        self.change(which, |version| version.deleted_at = Some(now))
    }

    /// Lets AWS fail to provision a resource.
    pub fn fail(&self, which: &str) -> bool {
        self.change(which, |version| version.failed = true)
    }

    fn change(&self, which: &str, change: impl Fn(&mut ResourceVersion)) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let is_meant =
            |r: &&mut SimResource| r.at(now).is_some() && (has_short_id(r, which) || r.has_address(which, now));
        let mut any = false;
        for resource in state.resources.iter_mut().filter(is_meant) {
            resource.change(now, &change);
            any = true;
        }
        any
    }
}

/// True for the id of a resource, or the last part of an id that is an ARN.
fn has_short_id(resource: &SimResource, which: &str) -> bool {
    resource.id == which || resource.id.rsplit('/').next() == Some(which)
}
