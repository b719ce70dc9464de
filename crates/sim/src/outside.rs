//! What somebody else does to the account, and what is really in it.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::observed::{Owner, Phase};
use holdfast_core::schema::Schema;
use holdfast_core::value::Value;
use tokio::time::Instant;

use crate::account::{Thing, Version};
use crate::sim::Sim;

/// A resource as it really is, past all lag.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its kind.
    pub kind: &'static str,
    /// Its region.
    pub region: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: Value,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Where it is in its life.
    pub phase: Phase,
}

impl Shown {
    /// Who owns it.
    pub fn owner(&self) -> Option<Owner> {
        Owner::from_tags(&self.tags)
    }
}

impl Sim {
    /// Everything in the account, gone resources apart, in order of creation.
    pub fn things(&self) -> Vec<Shown> {
        let now = Instant::now();
        let state = self.lock();
        let there = state.things.iter().filter_map(|t| Some((t, t.at(now)?)));
        there
            .map(|(thing, version)| Shown {
                kind: thing.schema.kind,
                region: thing.region.clone(),
                id: thing.id.clone(),
                name: version.name.clone(),
                spec: version.spec.clone().without_nulls(),
                tags: version.tags.clone(),
                phase: version.phase(now),
            })
            .collect()
    }

    /// Somebody makes a resource. Returns its id.
    pub fn plant(
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
        let version = Version {
            at: now,
            name: name.into(),
            spec,
            tags,
            ready: now,
            updating: now,
            gone: None,
            scheduled: BTreeSet::new(),
            failed: false,
        };
        let region = if schema.global { "" } else { region };
        state.things.push(Thing::new(schema, region, id.clone(), version));
        id
    }

    /// Somebody sets a top-level field. `which` is an id, or the address in the owner tags. False when
    /// there is no such resource.
    pub fn set(&self, which: &str, field: &str, value: Value) -> bool {
        self.change(which, |version| {
            if let Value::Map(spec) = &mut version.spec {
                spec.insert(field.to_owned(), value.clone());
            }
        })
    }

    /// Somebody sets a tag, or removes it.
    pub fn set_tag(&self, which: &str, key: &str, value: Option<&str>) -> bool {
        self.change(which, |version| match value {
            Some(value) => drop(version.tags.insert(key.into(), value.into())),
            None => drop(version.tags.remove(key)),
        })
    }

    /// Somebody deletes it, whatever refers to it, and it is gone at once, with what cannot live without it.
    pub fn remove(&self, which: &str) -> bool {
        let now = Instant::now();
        for child in self.lock().things.iter_mut().filter(|t| t.is_child_of(which, now)) {
            child.change(now, |version| version.gone = Some(now));
        }
        self.change(which, |version| version.gone = Some(now))
    }

    /// AWS gives up on it.
    pub fn fail(&self, which: &str) -> bool {
        self.change(which, |version| version.failed = true)
    }

    fn change(&self, which: &str, change: impl Fn(&mut Version)) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let meant = |t: &&mut Thing| t.at(now).is_some() && (is(t, which) || t.has_address(which, now));
        let mut any = false;
        for thing in state.things.iter_mut().filter(meant) {
            thing.change(now, &change);
            any = true;
        }
        any
    }
}

/// True for its id, or the last part of an id that is an ARN.
fn is(thing: &Thing, which: &str) -> bool {
    thing.id == which || thing.id.rsplit('/').next() == Some(which)
}
