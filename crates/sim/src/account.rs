//! The account: every resource with its past and future versions, so that reads can lag and changes can take effect
//! later.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::observed::{Phase, tag};
use holdfast_core::schema::{Ownership, Schema};
use holdfast_core::value::Value;
use tokio::time::Instant;

/// One resource, from its first version to its last.
#[derive(Clone, Debug)]
pub(crate) struct SimResource {
    pub(crate) schema: &'static Schema,
    pub(crate) region: String,
    pub(crate) id: String,
    pub(crate) token: String,
    /// The number of the revision within its family; 0 for a kind without revisions.
    pub(crate) revision: i64,
    /// Ordered by time. The last version may be in the future.
    versions: Vec<ResourceVersion>,
}

/// The state of a resource from some time on.
#[derive(Clone, Debug)]
pub(crate) struct ResourceVersion {
    pub(crate) at: Instant,
    pub(crate) name: String,
    pub(crate) spec: Value,
    pub(crate) tags: BTreeMap<String, String>,
    /// The time until which the resource is Pending.
    pub(crate) ready: Instant,
    /// The time until which the resource is Updating.
    pub(crate) updating: Instant,
    /// The time at which the deletion completes; none while the resource is not being deleted.
    pub(crate) deleted_at: Option<Instant>,
    /// The paths that change in the maintenance window.
    pub(crate) scheduled: BTreeSet<String>,
    pub(crate) failed: bool,
}

impl ResourceVersion {
    pub(crate) fn phase(&self, at: Instant) -> Phase {
        match () {
            () if self.deleted_at.is_some() => Phase::Deleting,
            () if self.failed => Phase::Failed,
            () if at < self.ready => Phase::Pending,
            () if at < self.updating => Phase::Updating,
            () => Phase::Ready,
        }
    }
}

impl SimResource {
    pub(crate) fn new(schema: &'static Schema, region: &str, id: String, first: ResourceVersion) -> SimResource {
        SimResource { schema, region: region.to_owned(), id, token: String::new(), revision: 0, versions: vec![first] }
    }

    /// Returns the version at that time; none before the create and after the deletion.
    pub(crate) fn at(&self, at: Instant) -> Option<&ResourceVersion> {
        let version = self.versions.iter().rev().find(|version| version.at <= at)?;
        version.deleted_at.is_none_or(|deleted_at| at < deleted_at).then_some(version)
    }

    /// Changes the resource from that time on, and discards its later versions.
    pub(crate) fn change(&mut self, at: Instant, change: impl FnOnce(&mut ResourceVersion)) {
        self.versions.retain(|version| version.at <= at);
        self.add(at, change);
    }

    /// Adds a later version, based on the last one.
    pub(crate) fn add(&mut self, at: Instant, change: impl FnOnce(&mut ResourceVersion)) {
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

    /// True when a reference by this identity means the resource.
    pub(crate) fn has_identity(&self, identity: &str, at: Instant) -> bool {
        let has_arn = || identity.starts_with("arn:") && self.arn() == identity;
        self.id == identity || has_arn() || self.at(at).is_some_and(|v| v.name == identity)
    }

    /// True when the resource with this identity is the parent.
    pub(crate) fn is_child_of(&self, identity: &str, at: Instant) -> bool {
        let Ownership::ViaParent { field, .. } = self.schema.ownership else { return false };
        self.at(at).and_then(|v| v.spec.get(field)).and_then(Value::text) == Some(identity)
    }

    /// True when the owner tags name this address.
    pub(crate) fn has_address(&self, address: &str, at: Instant) -> bool {
        self.at(at).is_some_and(|v| v.tags.get(tag::ADDRESS).is_some_and(|a| a == address))
    }
}
