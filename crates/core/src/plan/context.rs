//! The context of one plan: its arguments, and the decisions so far.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::hold::{Hold, Reason};
use super::users::LiveUsers;
use super::{Action, Cause, Difference, Plan, PlanPolicy, PreparedDocument, Step};
use crate::address::Address;
use crate::diff::Change;
use crate::document::{Document, Drift, Resource};
use crate::inventory::Inventory;
use crate::observed::Observed;
use crate::operation::{Mutation, Operation};

/// The readiness of a resource for the resources that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The resource is live, usable, and matches the document or is left different on purpose.
    Ready,
    /// A step or AWS is creating or changing the resource.
    Progressing,
    /// The resource is held: a person has to act, or the state of the resource is not known.
    Blocked,
}

/// The references of a resource that are not ready.
#[derive(Debug)]
pub(super) struct UnreadyDependencies {
    /// The dependencies that a step or AWS is creating or changing.
    pub(super) progressing: BTreeSet<Address>,
    /// The first dependency that is held.
    pub(super) blocked: Option<Address>,
}

/// The generation that exists alone for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// The new generation is created, dependents move to it, and the old generation is deleted.
    CreateFirst,
    /// The old generation is deleted before the new one can be created.
    DestroyFirst,
}

/// A replacement that was granted together with the replacement of a resource that this one is in.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) order: Order,
    /// True when the resource is deleted now, because the resource that it is in has to be deleted.
    pub(super) now: bool,
    /// The steps that the deletion waits for.
    pub(super) after: BTreeSet<Address>,
}

/// The arguments of a plan, and the decisions so far. The functions of the other files read and extend it.
pub(super) struct PlanContext<'a> {
    pub(super) prepared: &'a PreparedDocument<'a>,
    pub(super) document: &'a Document,
    pub(super) policy: &'a PlanPolicy,
    pub(super) inventory: &'a Inventory<'a>,
    pub(super) readiness: BTreeMap<Address, Readiness>,
    /// Resources that exist but are not ready. Dependents that need only the id may proceed.
    pub(super) referenceable: BTreeSet<Address>,
    pub(super) plan: Plan,
    /// The live resources to which references resolve: all but those that a step gives another identity.
    pub(super) identities: BTreeMap<Address, &'a Observed>,
    pub(super) owns_something: bool,
    /// Resources that are kept unchanged because their replacement, or the replacement of a resource that they refer
    /// to, is held; with the changes that wait.
    pub(super) unreplaced: BTreeMap<Address, Vec<Change>>,
    /// The replacements that are granted together with the replacement of a resource that they are in.
    pub(super) replacing: BTreeMap<Address, Granted>,
    /// Resources whose drift is ignored. They count as ready, but not as converged.
    pub(super) ignored_drift: BTreeSet<Address>,
    /// The rollback of the resource under consideration: the message of its hold, and the change that waits.
    pub(super) rolled_back: Option<(String, Option<Change>)>,
    /// The message of the hold of every replacement, if the pass would delete more resources than it may.
    pub(super) deletion_limit: Option<String>,
    /// The index of the references between live resources, once a deletion needs it.
    users: OnceCell<Rc<LiveUsers<'a>>>,
}

impl<'a> PlanContext<'a> {
    pub(super) fn new(
        prepared: &'a PreparedDocument<'a>,
        policy: &'a PlanPolicy,
        inventory: &'a Inventory<'a>,
    ) -> Self {
        let document = prepared.document;
        let plan = Plan { stack: document.stack.clone(), env: document.env.clone(), ..Plan::default() };
        let is_owned = |address: &Address| document.resources.get(address).is_some_and(|r| !r.is_lookup());
        let owns_something =
            inventory.active.keys().any(is_owned) || !inventory.orphans.is_empty() || !inventory.contested.is_empty();
        let plan = Plan { owns_something, ..plan };
        let owns_something = owns_something && !policy.is_initial;
        let identities = inventory.active.clone();
        PlanContext {
            prepared,
            document,
            policy,
            inventory,
            readiness: BTreeMap::new(),
            referenceable: BTreeSet::new(),
            plan,
            identities,
            owns_something,
            unreplaced: BTreeMap::new(),
            replacing: BTreeMap::new(),
            ignored_drift: BTreeSet::new(),
            rolled_back: None,
            deletion_limit: None,
            users: OnceCell::new(),
        }
    }

    /// Returns the index of the references between live resources. It is made at the first call.
    pub(super) fn live_users(&self) -> Rc<LiveUsers<'a>> {
        self.users.get_or_init(|| Rc::new(LiveUsers::new(self.document, self.inventory))).clone()
    }

    /// Adds a hold.
    pub(super) fn hold(
        &mut self,
        address: &Address,
        reason: Reason,
        message: impl Into<String>,
        waits_for: Option<Address>,
    ) {
        self.plan.holds.push(Hold { address: address.clone(), reason, message: message.into(), waits_for });
    }

    /// Holds a resource that refers to a held one.
    pub(super) fn wait_for(&mut self, resource: &Resource, blocked: Address) -> Readiness {
        let message = format!("it refers to {blocked}, which is held");
        self.hold(&resource.address, Reason::DependencyNotReady, message, Some(blocked));
        Readiness::Blocked
    }

    /// Holds a change that AWS would refuse while it is changing `live`. The resource is observed until it is ready.
    pub(super) fn await_ready(&mut self, address: &Address, live: &Observed, what: &str, holder: Option<Address>) {
        let message =
            format!("AWS is changing {}, which refuses other changes for now; {what} waits until then", live.id);
        self.hold(address, Reason::Pending, message, holder);
    }

    /// Holds a resource that AWS failed to provision.
    pub(super) fn hold_failed(&mut self, address: &Address, failed: &Observed) -> Readiness {
        let message = format!("AWS failed to provision {}; delete it manually, and it is created again", failed.id);
        self.hold(address, Reason::ProvisioningFailed, message, None);
        Readiness::Blocked
    }

    /// Holds a resource whose live resource is being deleted.
    pub(super) fn await_deletion(&mut self, address: &Address, deleting: &Observed) -> Readiness {
        let message = format!("{} is being deleted; it is created again once the deletion is complete", deleting.id);
        self.hold(address, Reason::Deleting, message, None);
        Readiness::Progressing
    }

    /// Counts a resource that needs no change.
    pub(super) fn ready(&mut self) -> Readiness {
        self.plan.unchanged += 1;
        Readiness::Ready
    }

    /// Reports a difference, unless it is drift that the drift policy ignores.
    pub(super) fn report_difference(&mut self, resource: &Resource, cause: Cause, changes: Vec<Change>) {
        let (address, tier) = (resource.address.clone(), resource.schema.tier);
        if self.ignores(resource, cause) {
            self.ignored_drift.insert(address);
            return;
        }
        self.plan.differences.push(Difference { address, tier, cause, changes });
    }

    /// True when the drift policy leaves a difference of this cause unreported. An unattributed difference may be an edit,
    /// so it is always reported.
    pub(super) fn ignores(&self, resource: &Resource, cause: Cause) -> bool {
        matches!(cause, Cause::Drift | Cause::Missing) && self.drift_policy(resource) == Drift::Ignore
    }

    /// Returns the drift policy of a resource: the override of the pass, or the policy of its lifecycle, or the policy
    /// of the stack.
    pub(super) fn drift_policy(&self, resource: &Resource) -> Drift {
        self.policy.drift.or(resource.lifecycle.drift).unwrap_or(self.document.policy.drift)
    }

    /// Adds a step. A replacement gives the resource another identity.
    pub(super) fn add_step(
        &mut self,
        resource: &Resource,
        action: Action,
        cause: Cause,
        changes: Vec<Change>,
        after: BTreeSet<Address>,
        mutation: Option<Mutation>,
    ) -> Readiness {
        if action == Action::Replace {
            self.identities.remove(&resource.address);
        }
        let operation = mutation.map(|mutation| Operation {
            kind: resource.schema.kind,
            region: resource.region.clone(),
            mutation,
        });
        let (address, tier) = (resource.address.clone(), resource.schema.tier);
        self.plan.steps.push(Step { address, tier, action, cause, changes, after, operation });
        Readiness::Progressing
    }
}
