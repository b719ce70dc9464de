//! A rendered document: the desired resources of one environment of a stack, as a flat map.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::address::Address;
use crate::schema::Schema;
use crate::value::Value;

/// The desired state of one environment of a stack.
#[derive(Clone, Debug)]
pub struct Document {
    /// The stack's name.
    pub stack: String,
    /// The environment's name.
    pub env: String,
    /// The repository or bucket that the document came from; empty when the source is not known.
    pub source: String,
    /// The account and regions.
    pub target: Target,
    /// The store that the environment names: a folder, or `s3://bucket/prefix`.
    pub store: Option<String>,
    /// The resources, by address.
    pub resources: BTreeMap<Address, Resource>,
    /// The policy of the stack.
    pub policy: StackPolicy,
    /// A file of the document that does not end with a line end, as a file that is cut short. Nothing that left the
    /// document is deleted then.
    pub incomplete: Option<String>,
}

/// The account and regions that a document is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The id of the account that the caller must be in; none accepts any account.
    pub account: Option<String>,
    /// The regions by alias. `main` is the default region of all resources.
    pub regions: BTreeMap<String, String>,
    /// The role to assume.
    pub role: Option<String>,
    /// The external id that the role's trust policy requires.
    pub external_id: Option<String>,
}

/// The policy of a stack: what is allowed without a flag, how drift is handled, and the limits of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackPolicy {
    /// True when resources that left the document may be deleted without a flag.
    pub prune: bool,
    /// How drift is handled.
    pub drift: Drift,
    /// The maximum number of deletions in one pass.
    pub max_deletions: usize,
    /// The maximum number of mutating calls in one pass.
    pub max_mutations: usize,
}

impl Default for StackPolicy {
    fn default() -> Self {
        // An ordinary change makes fewer than ten deletions; the accidental loss of a component makes more.
        // A thousand mutations is six times the number of the largest of the five systems.
        StackPolicy { prune: false, drift: Drift::Correct, max_deletions: 10, max_mutations: 1000 }
    }
}

/// How drift is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// Report the drift and correct it.
    #[default]
    Correct,
    /// Report the drift and leave it.
    Warn,
    /// Leave the drift and do not report it.
    Ignore,
}

/// One resource of a rendered document.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The address.
    pub address: Address,
    /// The schema of the kind.
    pub schema: &'static Schema,
    /// The physical name, without the suffix of a generation.
    pub name: String,
    /// True when the document sets the name. Two generations cannot exist at once then.
    pub named: bool,
    /// The region; empty when the kind is global.
    pub region: String,
    /// The spec, with defaults filled in, references as [`Value::Reference`] and templates as [`Value::Deferred`].
    pub spec: Value,
    /// How the resource is managed.
    pub lifecycle: Lifecycle,
    /// Further resources that must be ready first.
    pub depends_on: BTreeSet<Address>,
    /// The file, line and column of the declaration, for errors about the resource.
    pub at: String,
}

/// How a resource is managed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// For `manage: observe`, which reads the resource and never changes it: how the resource is found.
    pub lookup: Option<Lookup>,
    /// The action when the resource leaves the document; none means the kind's default.
    pub on_delete: Option<OnDelete>,
    /// True when the resource may be replaced without a flag.
    pub replace: bool,
    /// The paths of fields that another process or a person controls.
    pub ignore: Vec<String>,
    /// The paths of fields whose values pass although this build knows that AWS refuses them.
    pub accept: Vec<String>,
    /// The id or name of a live resource to adopt.
    pub adopt: Option<String>,
    /// True when the resource is never deleted or replaced, whatever is granted.
    pub protect: bool,
    /// The address that the resource had before.
    pub moved_from: Option<Address>,
    /// How the resource's drift is handled; none means the stack's policy.
    pub drift: Option<Drift>,
}

/// How an observed resource (`manage: observe`) is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By its id.
    Id(String),
    /// By its fields: exactly one live resource must match the spec.
    Fields,
    /// By the owner tags of another stack.
    Owner {
        /// The other stack.
        stack: String,
        /// The environment of the other stack.
        env: String,
        /// The address in the other stack.
        address: Address,
    },
}

/// The action on a resource that leaves the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The resource is deleted, when pruning is granted.
    Delete,
    /// The resource is kept and tagged as retained.
    Retain,
}

impl Resource {
    /// Returns the action when the resource leaves the document.
    pub fn on_delete(&self) -> OnDelete {
        self.lifecycle.on_delete.unwrap_or(match self.schema.stateful {
            true => OnDelete::Retain,
            false => OnDelete::Delete,
        })
    }

    /// True for `manage: observe`: the resource is read and never changed.
    pub fn is_lookup(&self) -> bool {
        self.lifecycle.lookup.is_some()
    }

    /// Returns the resources that this resource refers to, each with true when only the update after the create needs
    /// it.
    ///
    /// A resource that both the create and the update need counts as needed by the create.
    pub fn references(&self) -> BTreeMap<Address, bool> {
        let mut found: BTreeMap<Address, bool> = BTreeMap::new();
        let mut add = |address: &Address, after_create: bool| {
            let entry = found.entry(address.clone()).or_insert(after_create);
            *entry &= after_create;
        };
        for (name, value) in self.spec.map().into_iter().flatten() {
            let after_create = self.schema.record.field(name).is_some_and(|field| field.after_create);
            value.walk(&mut |value| match value {
                Value::Reference(reference) => add(&reference.address, reference.after_create),
                Value::Deferred(deferred) => deferred.reads.iter().for_each(|address| add(address, after_create)),
                _ => {}
            });
        }
        self.depends_on.iter().for_each(|address| add(address, false));
        found.remove(&self.address);
        found
    }
}
