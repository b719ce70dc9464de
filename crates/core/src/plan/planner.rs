//! The planner: decides about one resource after another, in the order of their references.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::{Hold, Reason};
use super::{Action, Cause, Difference, LiveSummary, Plan, PlanPolicy, PreparedDocument, Step};
use crate::address::Address;
use crate::diff::Change;
use crate::document::{Document, Drift, Resource};
use crate::inventory::Inventory;
use crate::observed::{Observed, Phase};
use crate::operation::{Mutation, Operation};
use crate::resolve::{ResolveContext, resolve};
use crate::rollback::{Pin, pin};
use crate::value::Value;

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

pub(super) struct Planner<'a> {
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
    /// Resources whose drift is ignored. They count as ready, but not as converged.
    ignored_drift: BTreeSet<Address>,
    /// The rollback of the resource under consideration: the message of its hold, and the change that waits.
    rolled_back: Option<(String, Option<Change>)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        prepared: &'a PreparedDocument<'a>,
        policy: &'a PlanPolicy,
        inventory: &'a Inventory<'a>,
    ) -> Self {
        let document = prepared.document;
        let plan = Plan { stack: document.stack.clone(), env: document.env.clone(), ..Plan::default() };
        let is_owned = |address: &Address| document.resources.get(address).is_some_and(|r| !r.is_lookup());
        let owns_something = inventory.active.keys().any(is_owned) || !inventory.orphans.is_empty();
        let plan = Plan { owns_something, ..plan };
        let owns_something = owns_something && !policy.is_initial;
        let identities = inventory.active.clone();
        Planner {
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
            ignored_drift: BTreeSet::new(),
            rolled_back: None,
        }
    }

    pub(super) fn finish(self) -> Plan {
        self.plan
    }

    pub(super) fn hold(
        &mut self,
        address: &Address,
        reason: Reason,
        message: impl Into<String>,
        waits_for: Option<Address>,
    ) {
        self.plan.holds.push(Hold { address: address.clone(), reason, message: message.into(), waits_for });
    }

    /// Decides the steps and holds of a resource. The resources that it refers to must have been considered before.
    pub(super) fn consider(&mut self, address: &Address) {
        let Some(resource) = self.document.resources.get(address) else { return };
        if let Some(live) = self.inventory.active.get(address) {
            let summary = LiveSummary {
                id: live.id.clone(),
                phase: live.phase,
                tier: resource.schema.tier,
                digest: self.prepared.digest(resource),
                converged: false,
            };
            self.plan.live.insert(address.clone(), summary);
            let conditions = live.conditions.iter().map(|condition| (address.clone(), condition.clone()));
            self.plan.conditions.extend(conditions);
        }
        // A decision adds differences and holds of its own resource only.
        let (differences, holds) = (self.plan.differences.len(), self.plan.holds.len());
        let readiness = self.decide(resource);
        let different = self.plan.differences[differences..].iter().map(|d| &d.address);
        let held = self.plan.holds[holds..].iter().map(|h| &h.address);
        let is_unchanged = different.chain(held).all(|other| other != address) && !self.ignored_drift.contains(address);
        if let Some(live) = self.plan.live.get_mut(address) {
            live.converged = readiness == Readiness::Ready && is_unchanged;
        }
        // A resource that was rolled back counts as converged, and its waiting change is reported all the same.
        if let Some((message, change)) = self.rolled_back.take() {
            self.hold(address, Reason::RolledBack, message, None);
            if let Some(change) = change {
                self.report_difference(resource, Cause::Edit, vec![change]);
            }
        }
        self.readiness.insert(address.clone(), readiness);
    }

    fn decide(&mut self, resource: &'a Resource) -> Readiness {
        let address = &resource.address;
        if let Some(hold) = self.inventory.holds.get(address) {
            self.plan.holds.push(hold.clone());
            return Readiness::Blocked;
        }
        if resource.is_lookup() {
            return self.look_up(address);
        }
        let dependencies = self.unready_dependencies(resource);
        let context = ResolveContext { live: &self.identities, created: &self.policy.created };
        let mut resolved = match resolve(&resource.address, resource.schema.record, &resource.spec, context) {
            Ok(resolved) => resolved,
            // A resource that is still being created may lack the attribute that the expression reads.
            Err(error) => {
                let progressing = dependencies.progressing.into_iter().next();
                return match progressing.or_else(|| self.first_referenceable(resource)) {
                    Some(waits_for) => {
                        let message = format!("it reads an attribute of {waits_for} that is not known yet");
                        self.hold(address, Reason::DependencyNotReady, message, Some(waits_for));
                        Readiness::Progressing
                    }
                    None => {
                        self.hold(address, Reason::InvalidExpression, error.to_string(), None);
                        Readiness::Blocked
                    }
                };
            }
        };
        let live = self.inventory.active.get(address).copied();
        if let Some(live) = live {
            self.pin_revision(resource, &mut resolved, live);
        }
        if let Some(hold) = self.policy.holds.get(address) {
            return self.apply_hold(resource, &resolved, live, hold);
        }
        if let Some(replacement) = self.inventory.replacement.get(address) {
            if replacement.phase == Phase::Failed {
                return self.hold_failed(address, replacement);
            }
            let message = format!("its replacement {} is not ready yet", replacement.id);
            self.hold(address, Reason::Pending, message, None);
            return Readiness::Progressing;
        }
        match live {
            None => self.create(resource, &resolved, dependencies),
            Some(live) => self.compare(resource, &resolved, live, dependencies),
        }
    }

    /// Keeps a resource at the revision of its rollback: that revision becomes the desired one. All other fields are
    /// handled as usual.
    fn pin_revision(&mut self, resource: &Resource, resolved: &mut Value, live: &Observed) {
        let Some(pin) = pin(self.document, resource, live, &self.inventory.active) else { return };
        let Value::Map(spec) = resolved else { return };
        let Some(newer) = spec.insert(pin.field.to_owned(), pin.to.clone()).filter(|newer| *newer != pin.to) else {
            return;
        };
        let live_value = live.spec.get(pin.field).cloned().unwrap_or_default();
        let is_change = newer.unknown().is_none() && live_value != newer;
        let change = is_change.then(|| change(pin.field, live_value, newer));
        let Pin { revision, of, .. } = pin;
        let address = &resource.address;
        let way_out = format!("change {of} in the document, or run `holdfast rollback … {address} --release`");
        let message = format!("it was rolled back to revision {revision} of {of}; to go forward, {way_out}");
        self.rolled_back = Some((message, change));
    }

    fn look_up(&mut self, address: &Address) -> Readiness {
        if let Some(live) = self.inventory.active.get(address).filter(|live| live.phase == Phase::Pending) {
            self.hold(address, Reason::Pending, format!("{} is not ready yet", live.id), None);
            return Readiness::Progressing;
        }
        self.ready()
    }

    /// Applies a hold of the engine. The differences of the resource are reported all the same, unless the hold is
    /// transient.
    fn apply_hold(&mut self, resource: &Resource, resolved: &Value, live: Option<&Observed>, hold: &Hold) -> Readiness {
        self.plan.holds.push(hold.clone());
        if hold.reason.is_transient() {
            if live.is_none()
                && resource.schema.referenceable_on_create
                && self.policy.created.contains_key(&resource.address)
            {
                self.referenceable.insert(resource.address.clone());
            }
            return Readiness::Progressing;
        }
        let Some(live) = live else {
            self.report_difference(resource, self.cause_of_absence(resource), vec![]);
            return Readiness::Blocked;
        };
        let mut changes = self.changes(resource, resolved, live);
        changes.retain(|change| change.unknown.is_none() && !live.scheduled.contains(&change.path));
        if !changes.is_empty() {
            let cause = self.cause(resource, resolved, live);
            self.report_difference(resource, cause, changes);
        }
        if hold.reason == Reason::Stalled { Readiness::Ready } else { Readiness::Blocked }
    }

    fn unready_dependencies(&self, resource: &Resource) -> UnreadyDependencies {
        let mut progressing = BTreeSet::new();
        let mut blocked = None;
        for (address, after_create) in self.prepared.references(resource) {
            match self.readiness.get(address) {
                _ if after_create => {}
                _ if self.referenceable.contains(address) && !resource.depends_on.contains(address) => {}
                Some(Readiness::Ready) => {}
                Some(Readiness::Progressing) => {
                    progressing.insert(address.clone());
                }
                Some(Readiness::Blocked) | None => blocked = blocked.or_else(|| Some(address.clone())),
            }
        }
        UnreadyDependencies { progressing, blocked }
    }

    /// Returns the first dependency that exists and is not ready.
    fn first_referenceable(&self, resource: &Resource) -> Option<Address> {
        let references = self.prepared.references(resource).map(|(address, _)| address);
        references
            .filter(|a| self.readiness.get(*a) == Some(&Readiness::Progressing))
            .find(|a| self.referenceable.contains(*a))
            .cloned()
    }

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

    pub(super) fn step(
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

pub(super) fn change(path: &str, from: Value, to: Value) -> Change {
    Change { path: path.to_owned(), from, to, immutable: false, unknown: None }
}
