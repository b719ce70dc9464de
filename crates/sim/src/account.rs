//! The account: every resource with its past and near future, so that a read can lag and an actor can come later.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::observed::{Phase, tag};
use holdfast_core::schema::{Claim, Schema};
use holdfast_core::value::Value;
use tokio::time::Instant;

/// One resource, from its first version to its last.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) schema: &'static Schema,
    pub(crate) region: String,
    pub(crate) id: String,
    pub(crate) token: String,
    /// Its number within its family, for a kind that has revisions.
    pub(crate) revision: i64,
    /// Ordered by time; the last may lie in the future.
    versions: Vec<Version>,
}

/// What a resource is from some moment on.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) at: Instant,
    pub(crate) name: String,
    pub(crate) spec: Value,
    pub(crate) tags: BTreeMap<String, String>,
    /// Pending until then.
    pub(crate) ready: Instant,
    /// Updating until then.
    pub(crate) updating: Instant,
    /// On its way out, and gone at that moment.
    pub(crate) gone: Option<Instant>,
    /// Paths that change in the maintenance window.
    pub(crate) scheduled: BTreeSet<String>,
    pub(crate) failed: bool,
}

impl Version {
    pub(crate) fn phase(&self, at: Instant) -> Phase {
        match () {
            () if self.gone.is_some() => Phase::Deleting,
            () if self.failed => Phase::Failed,
            () if at < self.ready => Phase::Pending,
            () if at < self.updating => Phase::Updating,
            () => Phase::Ready,
        }
    }
}

impl Thing {
    pub(crate) fn new(schema: &'static Schema, region: &str, id: String, first: Version) -> Thing {
        Thing { schema, region: region.to_owned(), id, token: String::new(), revision: 0, versions: vec![first] }
    }

    /// What it is at that moment; none before it was made and once it is gone.
    pub(crate) fn at(&self, at: Instant) -> Option<&Version> {
        let version = self.versions.iter().rev().find(|version| version.at <= at)?;
        version.gone.is_none_or(|gone| at < gone).then_some(version)
    }

    /// Changes it from that moment on: all that it was going to be is forgotten.
    pub(crate) fn change(&mut self, at: Instant, change: impl FnOnce(&mut Version)) {
        self.versions.retain(|version| version.at <= at);
        self.add(at, change);
    }

    /// Adds a later version, made from the last one.
    pub(crate) fn add(&mut self, at: Instant, change: impl FnOnce(&mut Version)) {
        if let Some(mut next) = self.versions.last().cloned() {
            next.at = at;
            change(&mut next);
            self.versions.push(next);
        }
    }

    pub(crate) fn arn(&self) -> String {
        if self.id.starts_with("arn:") {
            return self.id.clone();
        }
        let kind = self.schema.kind.to_lowercase();
        format!("arn:aws:sim:{}:123456789012:{kind}/{}", self.region, self.id)
    }

    /// True when it answers to this identity in a reference.
    pub(crate) fn is(&self, identity: &str, at: Instant) -> bool {
        self.id == identity || self.arn() == identity || self.at(at).is_some_and(|v| v.name == identity)
    }

    /// True when it cannot live without what has this identity.
    pub(crate) fn is_child_of(&self, identity: &str, at: Instant) -> bool {
        let Claim::Parent { field, .. } = self.schema.claim else { return false };
        self.at(at).and_then(|v| v.spec.get(field)).and_then(Value::text) == Some(identity)
    }

    /// True when its owner tags name this address.
    pub(crate) fn has_address(&self, address: &str, at: Instant) -> bool {
        self.at(at).is_some_and(|v| v.tags.get(tag::ADDRESS).is_some_and(|a| a == address))
    }
}
