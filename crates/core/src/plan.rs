//! The plan: a pure function of the document, the observation, and the grants. Planning cannot fail.

mod context;
mod create;
mod decide;
mod delete;
mod deletion_limit;
mod deletion_order;
mod difference;
mod fingerprint;
pub mod hold;
mod operation;
mod orphans;
mod protection;
mod radius;
mod release;
mod replace;
mod text_references;
mod unique;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::address::Address;
use crate::diff::Change;
use crate::digest;
use crate::document::{Document, Drift, Resource};
use crate::graph::Graph;
use crate::inventory::proof::{Records, ResourceRecord};
use crate::inventory::{Inventory, match_resources};
use crate::observed::{Condition, Observation, Observed, Phase};
use crate::operation::{Mutation, Operation};
use crate::resolve::CreatedIdentity;
use crate::schema::{Schema, Tier};
use context::PlanContext;
use hold::Hold;

/// The steps to make, and the changes that are held.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub env: String,
    /// The digest of the document.
    pub document: String,
    /// The steps. Steps with the longest chain of dependents come first, and deletions come last.
    pub steps: Vec<Step>,
    /// The changes that are not made now, and why.
    pub holds: Vec<Hold>,
    /// The differences between the document and the account, with or without a step. Drift with the policy `ignore` is
    /// left out.
    pub differences: Vec<Difference>,
    /// How many resources need no change.
    pub unchanged: usize,
    /// True when the stack owns a live resource.
    pub owns_something: bool,
    /// The conditions of live resources.
    pub conditions: Vec<(Address, Condition)>,
    /// The live resources of the document, by address.
    pub live: BTreeMap<Address, LiveSummary>,
    /// The resources that have only a copy of an address's owner tags. No step changes them.
    pub copies: Vec<(Address, ResourceRecord)>,
}

/// The summary of a live resource of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveSummary {
    /// The id.
    pub id: String,
    /// The physical name; empty when the resource has none.
    pub name: String,
    /// The generation.
    pub generation: u32,
    /// The phase.
    pub phase: Phase,
    /// The tier.
    pub tier: Tier,
    /// The digest of the desired spec.
    pub digest: String,
    /// True when the live resource matches the document.
    pub converged: bool,
}

/// One action on one resource.
#[derive(Clone, Debug)]
pub struct Step {
    /// The address of the resource.
    pub address: Address,
    /// The tier of the resource.
    pub tier: Tier,
    /// The action.
    pub action: Action,
    /// The cause of the step.
    pub cause: Cause,
    /// The changes that the step makes. For an adoption, also those that the pass makes once it owns the resource.
    pub changes: Vec<Change>,
    /// The addresses whose steps or phases the step waits for. A step that waits for none can start.
    pub after: BTreeSet<Address>,
    /// The exact operation; none while a value that it needs is not known.
    pub operation: Option<Operation>,
}

impl Step {
    /// Returns the live resource that the step deletes: its operation is a deletion, also the first half of a
    /// replacement that destroys before it creates.
    pub fn deleted(&self) -> Option<&Observed> {
        match &self.operation.as_ref()?.mutation {
            Mutation::Delete { live } => Some(live),
            Mutation::Create(_) | Mutation::Update { .. } | Mutation::Tag { .. } => None,
        }
    }
}

/// A resource that differs from the document.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The address of the resource.
    pub address: Address,
    /// The tier of the resource.
    pub tier: Tier,
    /// The cause of the difference.
    pub cause: Cause,
    /// The fields that differ; empty for a resource that does not exist.
    pub changes: Vec<Change>,
}

/// The action of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Creates a resource.
    Create,
    /// Changes a live resource in place.
    Update,
    /// Replaces a live resource that cannot be changed in place.
    Replace,
    /// Deletes a live resource.
    Delete,
    /// Starts owning a live resource that the stack did not own, or owned under another address.
    Adopt,
    /// Stops owning a live resource without deleting it.
    Release,
}

impl Action {
    /// All actions.
    pub const ALL: [Action; 6] =
        [Action::Create, Action::Update, Action::Replace, Action::Delete, Action::Adopt, Action::Release];

    /// Returns the verb, as in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
            Action::Adopt => "adopt",
            Action::Release => "release",
        }
    }
}

/// The cause of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The live resource changed out of band after it was converged.
    Drift,
    /// The document changed, and the change is not applied yet.
    Edit,
    /// The resource existed before, or must be assumed to have existed, and does not exist.
    Missing,
    /// Neither the tags nor the history record the last converged spec.
    Unattributed,
}

impl Cause {
    /// True when the account changed, and not the document.
    pub fn is_drift(self) -> bool {
        matches!(self, Cause::Drift | Cause::Missing | Cause::Unattributed)
    }
}

/// The grants of a plan, and the facts besides the document and the observation.
#[derive(Clone, Debug, Default)]
pub struct PlanPolicy {
    /// True when resources that left the document may be deleted.
    pub prune: bool,
    /// True when data stores and retained resources may be deleted too.
    pub delete_data: bool,
    /// The addresses that may be replaced.
    pub replace: Grant,
    /// True when everything that the stack owns is to be deleted.
    pub destroy: bool,
    /// Overrides the drift policies of the document.
    pub drift: Option<Drift>,
    /// The history in the store: the last converged digest of each address. None when there is no store.
    pub history: Option<BTreeMap<Address, String>>,
    /// The resources that the store records: a proof of ownership besides tags.
    pub records: Records,
    /// True when the history covers every create since the first: an address that it does not contain is new.
    pub history_is_complete: bool,
    /// True when the stack owned nothing when the pass began: its data stores are created without a grant.
    pub is_initial: bool,
    /// The addresses that this process created, adopted or is replacing, and has not observed converged. Their
    /// differences are not drift.
    pub in_progress: BTreeSet<Address>,
    /// The identities of the resources that this process created and has not observed yet.
    pub created: BTreeMap<Address, CreatedIdentity>,
    /// True while resources that left the document are kept, because the daemon has just begun to use the document.
    pub keep_removed: bool,
    /// The holds of the engine, which result from earlier steps of this process.
    pub holds: BTreeMap<Address, Hold>,
    /// The resources whose deletion this pass has begun, by kind and id. They count towards `maxDeletions`.
    pub deleted: BTreeSet<(&'static str, String)>,
}

/// The addresses for which a permission is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// No address.
    #[default]
    None,
    /// These addresses.
    Some(BTreeSet<Address>),
    /// All addresses.
    All,
}

impl Grant {
    /// True when the permission is granted for this address.
    pub fn allows(&self, address: &Address) -> bool {
        match self {
            Grant::None => false,
            Grant::Some(addresses) => addresses.contains(address),
            Grant::All => true,
        }
    }
}

/// A document with its order, digests and dependents. A pass prepares its document once and plans many times.
#[derive(Debug)]
pub struct PreparedDocument<'d> {
    /// The document.
    pub document: &'d Document,
    order: Vec<Address>,
    critical_path_lengths: BTreeMap<Address, usize>,
    graph: Graph,
    digests: BTreeMap<Address, String>,
    document_digest: String,
    dependents: BTreeMap<Address, Vec<&'d Resource>>,
}

impl<'d> PreparedDocument<'d> {
    /// Prepares a document.
    pub fn new(document: &'d Document) -> Self {
        let graph = Graph::of(document);
        let mut dependents: BTreeMap<Address, Vec<&Resource>> = BTreeMap::new();
        for (address, references) in &graph.edges {
            for to in references.keys() {
                dependents.entry(to.clone()).or_default().extend(document.resources.get(address));
            }
        }
        let digests = document.resources.values().map(|r| (r.address.clone(), digest::of(r)));
        let digests: BTreeMap<Address, String> = digests.collect();
        PreparedDocument {
            document,
            order: graph.order(),
            critical_path_lengths: graph.critical_path_lengths(),
            document_digest: digest::document(document, &digests),
            digests,
            dependents,
            graph,
        }
    }

    /// Returns the digest of a resource of the document: see [`digest::of`].
    pub(crate) fn digest(&self, resource: &Resource) -> String {
        self.digests.get(&resource.address).cloned().unwrap_or_else(|| digest::of(resource))
    }

    /// Returns the addresses that a resource refers to, each with whether only its update needs the reference.
    pub(super) fn references(&self, resource: &Resource) -> impl Iterator<Item = (&Address, bool)> {
        self.graph.edges.get(&resource.address).into_iter().flatten().map(|(to, after_create)| (to, *after_create))
    }

    /// Returns the resources that refer to an address, in the order of their addresses.
    pub(super) fn dependents(&self, address: &Address) -> &[&'d Resource] {
        self.dependents.get(address).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Decides all steps and holds.
///
/// # Expected flow
/// 1. [`match_resources`] assigns the live resources to addresses.
/// 2. Each resource of the document is considered after the resources that it refers to. It is created, compared with
///    its live resource, or held.
/// 3. Superseded generations, orphans and old revisions are deleted, each after its last user. With
///    [`PlanPolicy::destroy`] everything that the stack owns is deleted instead, and step 2 is left out.
/// 4. The steps are sorted: deletions last, and before that the longest chain of dependents first, then by tier.
///
/// # Guarantees
/// - The same arguments give the same plan.
/// - A step changes only resources that the stack owns or that the document adopts. The operation of a step is exact,
///   so its execution makes no decision.
/// - A replacement, a deletion of an orphan, and a deletion of data each need a grant. Without the grant, the resource
///   is held.
/// - Unknown is not absent: a resource that could not be observed is neither created nor deleted, and a resource that
///   it may refer to is not deleted.
/// - Steps do not wait for each other in a cycle.
///
/// # Assumptions
/// `kinds` contains every kind of the observation. Rendering has refused documents with cycles.
///
/// # Caveats
/// An operation is unknown while it needs a value of a resource that an earlier step changes. A later plan of the same
/// pass contains the operation.
pub fn plan(document: &Document, observation: &Observation, policy: &PlanPolicy, kinds: &[&'static Schema]) -> Plan {
    plan_prepared(&PreparedDocument::new(document), observation, policy, kinds)
}

/// Decides all steps and holds of a prepared document: see [`plan`].
pub fn plan_prepared(
    prepared: &PreparedDocument<'_>,
    observation: &Observation,
    policy: &PlanPolicy,
    kinds: &[&'static Schema],
) -> Plan {
    let inventory = match_resources(prepared.document, observation, &prepared.order, kinds, &policy.records);
    let mut plan = match policy.destroy {
        true => {
            let mut context = PlanContext::new(prepared, policy, &inventory);
            delete::destroy(&mut context, &prepared.order);
            context.plan
        }
        false => decide_all(prepared, policy, &inventory),
    };
    plan.document = prepared.document_digest.clone();
    plan.copies = inventory.copies().map(|(address, record)| (address.clone(), record)).collect();
    plan.steps.sort_by_cached_key(|step| {
        let length = prepared.critical_path_lengths.get(&step.address).copied().unwrap_or_default();
        (step.action == Action::Delete, std::cmp::Reverse(length), step.tier, step.address.clone())
    });
    plan.holds.sort_by(|a, b| a.address.cmp(&b.address));
    plan
}

/// Decides about each resource of the document, and about the resources to delete.
///
/// If the pass would delete more resources than it may, all replacements are held instead of begun.
fn decide_all<'a>(prepared: &'a PreparedDocument<'a>, policy: &'a PlanPolicy, inventory: &'a Inventory<'a>) -> Plan {
    let mut context = PlanContext::new(prepared, policy, inventory);
    prepared.order.iter().for_each(|address| decide::consider(&mut context, address));
    if let Some(message) = deletion_limit::exceeded_by_replacements(&context) {
        context = PlanContext::new(prepared, policy, inventory);
        context.deletion_limit = Some(message);
        prepared.order.iter().for_each(|address| decide::consider(&mut context, address));
    }
    delete::prune(&mut context);
    context.plan
}

impl Plan {
    /// True when there is no step, and no hold keeps the document from being converged.
    pub fn is_converged(&self) -> bool {
        self.steps.is_empty() && !self.holds.iter().any(|hold| hold.reason.blocks())
    }

    /// Returns the steps that can start now.
    pub fn startable(&self) -> impl Iterator<Item = (&Step, &Operation)> {
        self.steps.iter().filter(|step| step.after.is_empty()).filter_map(|step| Some((step, step.operation.as_ref()?)))
    }

    /// Returns the number of steps with this action.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }

    /// Returns the differences that the document did not cause.
    pub fn drift(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.cause.is_drift())
    }
}
