//! A rendered document: the flat map of resources that one environment of a stack is to have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::address::Address;
use crate::schema::Schema;
use crate::value::Value;

/// What one environment of a stack is to have.
#[derive(Clone, Debug)]
pub struct Document {
    /// The stack's name.
    pub stack: String,
    /// The environment's name.
    pub env: String,
    /// Which repository or bucket it came from; empty when nobody said.
    pub origin: String,
    /// Where it is to be.
    pub target: Target,
    /// The resources, by address.
    pub resources: BTreeMap<Address, Resource>,
    /// What the stack grants and wants as a whole.
    pub policy: StackPolicy,
}

/// The account and region that a document is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The account that the caller must be in; none means any.
    pub account: Option<String>,
    /// The regions by alias; `main` is where resources are that say nothing.
    pub regions: BTreeMap<String, String>,
    /// A role to assume.
    pub role: Option<String>,
    /// The external id that the role wants.
    pub external_id: Option<String>,
}

/// What a stack grants and wants as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackPolicy {
    /// True when what left the document may be deleted without a flag.
    pub prune: bool,
    /// What to do about drift.
    pub drift: Drift,
    /// The most deletions in one pass.
    pub max_deletions: usize,
    /// The most mutations in one pass.
    pub max_mutations: usize,
}

impl Default for StackPolicy {
    fn default() -> Self {
        // Ten deletions is more than an ordinary change makes and less than a lost component;
        // a thousand mutations is six times the largest of the five systems.
        StackPolicy { prune: false, drift: Drift::Mend, max_deletions: 10, max_mutations: 1000 }
    }
}

/// What to do about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// Put it back.
    #[default]
    Mend,
    /// Tell, as an alert, and leave it.
    Alert,
    /// Tell, and leave it.
    Observe,
}

/// One resource of a rendered document.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its address.
    pub address: Address,
    /// Its kind.
    pub schema: &'static Schema,
    /// Its physical name, before a generation's suffix.
    pub name: String,
    /// True when the document gave the name: then two generations cannot be there at once.
    pub named: bool,
    /// Its region; empty when the kind is global.
    pub region: String,
    /// Its spec: defaults filled in, references as [`Value::Reference`], templates as [`Value::Deferred`].
    pub spec: Value,
    /// How it is to be treated.
    pub lifecycle: Lifecycle,
    /// Further resources that have to be there first.
    pub depends_on: BTreeSet<Address>,
    /// File, line and column of its definition, for errors about it.
    pub at: String,
}

/// How a resource is to be treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// `manage: observe`: looked up, never changed. Holds how it is found.
    pub lookup: Option<Lookup>,
    /// What happens when it leaves the document; none means the kind's own default.
    pub on_delete: Option<OnDelete>,
    /// True when it may be replaced without a flag.
    pub replace: bool,
    /// Paths that belong to somebody else.
    pub ignore: Vec<String>,
    /// A live resource to take over: its id or its name.
    pub adopt: Option<String>,
    /// True when it is never deleted nor replaced, whatever is granted.
    pub protect: bool,
    /// The address that it had before.
    pub moved_from: Option<Address>,
    /// What to do about its drift; none means the stack's.
    pub drift: Option<Drift>,
}

/// How a looked-up resource is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By its id.
    Id(String),
    /// By its fields: exactly one live resource must have what the spec states.
    Fields,
    /// By the owner tags of another stack.
    Owner {
        /// That stack.
        stack: String,
        /// That environment.
        env: String,
        /// The address there.
        address: Address,
    },
}

/// What happens to a resource that leaves the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// It is deleted, once pruning is granted.
    Delete,
    /// It stays, tagged as retained.
    Retain,
}

impl Resource {
    /// What happens when it leaves the document.
    pub fn on_delete(&self) -> OnDelete {
        self.lifecycle.on_delete.unwrap_or(match self.schema.data {
            true => OnDelete::Retain,
            false => OnDelete::Delete,
        })
    }

    /// True when it is only looked up.
    pub fn is_lookup(&self) -> bool {
        self.lifecycle.lookup.is_some()
    }

    /// The resources that it refers to, with whether only an update needs them.
    ///
    /// A resource that is needed both ways counts as needed by the create.
    pub fn references(&self) -> BTreeMap<Address, bool> {
        let mut found: BTreeMap<Address, bool> = BTreeMap::new();
        let mut add = |address: &Address, late: bool| {
            let entry = found.entry(address.clone()).or_insert(late);
            *entry &= late;
        };
        for (name, value) in self.spec.map().into_iter().flatten() {
            let late = self.schema.record.field(name).is_some_and(|field| field.late);
            value.walk(&mut |value| match value {
                Value::Reference(reference) => add(&reference.address, reference.late),
                Value::Deferred(deferred) => deferred.reads.iter().for_each(|address| add(address, late)),
                _ => {}
            });
        }
        self.depends_on.iter().for_each(|address| add(address, false));
        found.remove(&self.address);
        found
    }
}
