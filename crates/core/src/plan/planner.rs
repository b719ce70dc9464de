//! Decides about one resource after the other, in the order of their references.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::{Hold, Reason};
use super::{Action, Cause, Deed, Difference, Live, Plan, Policy, Step};
use crate::address::Address;
use crate::diff::Change;
use crate::digest;
use crate::document::{Document, Drift, Resource};
use crate::observed::{Observed, Phase};
use crate::op::Op;
use crate::resolve::{Known, resolve, without_late};
use crate::rollback::{Pin, pin};
use crate::schema::Replace;
use crate::situation::Situation;
use crate::value::Value;

/// How far a resource is, for those that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Live, usable, and as the document has it (or left so on purpose).
    Settled,
    /// A step or AWS is at work on it.
    Coming,
    /// Held: it will not come without a person, or is unknown.
    Held,
}

pub(super) struct Planner<'a> {
    pub(super) document: &'a Document,
    pub(super) policy: &'a Policy,
    pub(super) situation: &'a Situation<'a>,
    pub(super) standing: BTreeMap<Address, Standing>,
    /// Those that are no more than there, which is all that what refers to them needs.
    there: BTreeSet<Address>,
    pub(super) plan: Plan,
    /// What references resolve to: what is live, apart from what a step will give another identity.
    identities: BTreeMap<Address, &'a Observed>,
    pub(super) owns_something: bool,
    /// What stays as it is although it should be replaced, or waits for such a one, and what would change by it.
    pub(super) kept: BTreeMap<Address, Vec<Change>>,
    /// Of the resource that is considered: why an edit is held back, and what it would change.
    kept_back: Option<(String, Option<Change>)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(document: &'a Document, policy: &'a Policy, situation: &'a Situation<'a>) -> Self {
        let plan = Plan { stack: document.stack.clone(), env: document.env.clone(), ..Plan::default() };
        let owned = |address: &Address| document.resources.get(address).is_some_and(|r| !r.is_lookup());
        let owns_something = situation.current.keys().any(owned) || !situation.orphans.is_empty();
        let plan = Plan { owns_something, ..plan };
        let owns_something = owns_something && !policy.fresh;
        let identities = situation.current.clone();
        Planner {
            document,
            policy,
            situation,
            standing: BTreeMap::new(),
            there: BTreeSet::new(),
            plan,
            identities,
            owns_something,
            kept: BTreeMap::new(),
            kept_back: None,
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

    pub(super) fn consider(&mut self, address: &Address) {
        let Some(resource) = self.document.resources.get(address) else { return };
        if let Some(live) = self.situation.current.get(address) {
            let live = Live {
                id: live.id.clone(),
                phase: live.phase,
                tier: resource.schema.tier,
                digest: digest::of(resource),
                converged: false,
            };
            self.plan.live.insert(address.clone(), live);
            let remarks = self.situation.current[address].remarks.iter().map(|r| (address.clone(), r.clone()));
            self.plan.remarks.extend(remarks);
        }
        let standing = self.decide(resource);
        let told = self.plan.differences.iter().map(|d| &d.address).chain(self.plan.holds.iter().map(|h| &h.address));
        let converged = standing == Standing::Settled && told.into_iter().all(|about| about != address);
        if let Some(live) = self.plan.live.get_mut(address) {
            live.converged = converged;
        }
        // What was rolled back is as it should be for now, and told all the same.
        if let Some((message, change)) = self.kept_back.take() {
            self.hold(address, Reason::RolledBack, message, None);
            if let Some(change) = change {
                self.differ(resource, Cause::Edit, vec![change]);
            }
        }
        self.standing.insert(address.clone(), standing);
    }

    fn decide(&mut self, resource: &'a Resource) -> Standing {
        let address = &resource.address;
        if let Some(hold) = self.situation.holds.get(address) {
            self.plan.holds.push(hold.clone());
            return Standing::Held;
        }
        if resource.is_lookup() {
            return self.look_up(address);
        }
        let (coming, held) = self.needs(resource);
        let known = Known { live: &self.identities, made: &self.policy.made };
        let mut resolved = match resolve(&resource.address, resource.schema.record, &resource.spec, known) {
            Ok(resolved) => resolved,
            // What is still being made may lack the attribute that the expression reads.
            Err(error) => match coming.into_iter().next().or_else(|| self.unready(resource)) {
                Some(waits_for) => {
                    self.hold(address, Reason::WaitsFor, "it reads what is not known yet", Some(waits_for));
                    return Standing::Coming;
                }
                None => {
                    self.hold(address, Reason::Expression, error.to_string(), None);
                    return Standing::Held;
                }
            },
        };
        let live = self.situation.current.get(address).copied();
        if let Some(live) = live {
            self.keep_back(resource, &mut resolved, live);
        }
        if let Some(hold) = self.policy.holds.get(address) {
            return self.hold_back(resource, &resolved, live, hold);
        }
        if let Some(coming) = self.situation.coming.get(address) {
            if coming.phase == Phase::Failed {
                let message = format!("AWS gave up on {}; delete it by hand and it is made again", coming.id);
                self.hold(address, Reason::Failed, message, None);
                return Standing::Held;
            }
            self.hold(address, Reason::Pending, format!("its replacement {} is not ready yet", coming.id), None);
            return Standing::Coming;
        }
        match live {
            None => self.create(resource, &resolved, coming, held),
            Some(live) => self.compare(resource, &resolved, live, coming, held),
        }
    }

    /// Keeps a resource at the revision that it was rolled back to: that one is what is wanted now, and everything
    /// else goes on.
    fn keep_back(&mut self, resource: &Resource, resolved: &mut Value, live: &Observed) {
        let Some(pin) = pin(self.document, resource, live, &self.situation.current) else { return };
        let Value::Map(spec) = resolved else { return };
        let Some(newer) = spec.insert(pin.field.to_owned(), pin.to.clone()).filter(|newer| *newer != pin.to) else {
            return;
        };
        let there = live.spec.get(pin.field).cloned().unwrap_or_default();
        let known = newer.unknown().is_none() && there != newer;
        let held = known.then(|| change(pin.field, there, newer));
        let Pin { revision, of, .. } = pin;
        let way = format!("change {of} in the document, or `holdfast rollback … {} --release`", resource.address);
        let message = format!("it was rolled back to revision {revision} of {of}; to go forward, {way}");
        self.kept_back = Some((message, held));
    }

    fn look_up(&mut self, address: &Address) -> Standing {
        if let Some(live) = self.situation.current.get(address).filter(|live| live.phase == Phase::Pending) {
            self.hold(address, Reason::Pending, format!("{} is not ready yet", live.id), None);
            return Standing::Coming;
        }
        self.settle()
    }

    /// Holds what the engine holds. What differs is told all the same, unless waiting may be all it takes.
    fn hold_back(&mut self, resource: &Resource, resolved: &Value, live: Option<&Observed>, hold: &Hold) -> Standing {
        self.plan.holds.push(hold.clone());
        if hold.reason.passes() {
            if live.is_none() && resource.schema.early && self.policy.made.contains_key(&resource.address) {
                self.there.insert(resource.address.clone());
            }
            return Standing::Coming;
        }
        let Some(live) = live else {
            self.differ(resource, self.cause_of_absence(resource), vec![]);
            return Standing::Held;
        };
        let mut changes = self.changes(resource, resolved, live);
        changes.retain(|change| change.unknown.is_none() && !live.scheduled.contains(&change.path));
        if !changes.is_empty() {
            let cause = self.cause(resource, resolved, live);
            self.differ(resource, cause, changes);
        }
        if hold.reason == Reason::Stalled { Standing::Settled } else { Standing::Held }
    }

    /// What it refers to that is not settled: what is coming, and the first that is held.
    fn needs(&self, resource: &Resource) -> (BTreeSet<Address>, Option<Address>) {
        let mut coming = BTreeSet::new();
        let mut held = None;
        for (address, late) in resource.references() {
            match self.standing.get(&address) {
                _ if late => {}
                _ if self.there.contains(&address) && !resource.depends_on.contains(&address) => {}
                Some(Standing::Settled) => {}
                Some(Standing::Coming) => {
                    coming.insert(address);
                }
                Some(Standing::Held) | None => held = held.or(Some(address)),
            }
        }
        (coming, held)
    }

    /// The first that it refers to and that is no more than there.
    fn unready(&self, resource: &Resource) -> Option<Address> {
        let references = resource.references().into_keys();
        references.filter(|a| self.standing.get(a) == Some(&Standing::Coming)).find(|a| self.there.contains(a))
    }

    fn wait_for(&mut self, resource: &Resource, held: Address) -> Standing {
        self.hold(&resource.address, Reason::WaitsFor, format!("it refers to {held}, which is held"), Some(held));
        Standing::Held
    }

    fn create(
        &mut self,
        resource: &Resource,
        resolved: &Value,
        coming: BTreeSet<Address>,
        held: Option<Address>,
    ) -> Standing {
        let address = &resource.address;
        let cause = self.cause_of_absence(resource);
        self.differ(resource, cause, vec![]);
        if let Some(leaving) = self.situation.leaving.get(address) {
            self.hold(address, Reason::Deleting, format!("{} has to be gone first", leaving.id), None);
            return Standing::Coming;
        }
        if let Some(held) = held {
            return self.wait_for(resource, held);
        }
        if let Some(foreign) = self.situation.adoptable.get(address) {
            if foreign.phase == Phase::Updating {
                self.await_ready(address, foreign, "taking it over", None);
                return Standing::Coming;
            }
            let set = self.adopted_tags(resource);
            let changes = vec![change("tags.holdfast:address", Value::Null, address.to_string().into())];
            let op = Op::Tag { live: Box::new((*foreign).clone()), set, remove: BTreeSet::new() };
            // Taking it over changes nothing about it, so it waits for nothing.
            return self.step(resource, Action::Adopt, Cause::Edit, changes, BTreeSet::new(), Some(op));
        }
        if cause == Cause::Missing && self.leaves_drift(resource) {
            self.hold(address, Reason::DriftLeft, "it is missing, and the document says to leave drift", None);
            return Standing::Held;
        }
        let lost = cause == Cause::Missing && self.owns_something || self.is_elsewhere(resource);
        if lost && resource.schema.data && !self.may_replace(resource) {
            let message = format!(
                "it holds data and is not there; restore it, or have an empty one made with `--allow-replace {address}`"
            );
            self.hold(address, Reason::ReplaceNotGranted, message, None);
            return Standing::Held;
        }
        let spec = without_late(resource.schema.record, resolved);
        let changes: Vec<Change> =
            spec.map().into_iter().flatten().map(|(k, v)| change(k, Value::Null, v.clone())).collect();
        if self.is_for_later(resource, &changes) {
            return Standing::Held;
        }
        let unknown = spec.unknown().map(|unknown| unknown.waits_for.clone());
        let op = unknown.is_none().then(|| self.first(resource, &spec));
        let after = coming.into_iter().chain(unknown).collect();
        self.step(resource, Action::Create, cause, changes, after, op)
    }

    fn compare(
        &mut self,
        resource: &'a Resource,
        resolved: &Value,
        live: &'a Observed,
        coming: BTreeSet<Address>,
        held: Option<Address>,
    ) -> Standing {
        let address = &resource.address;
        // What is to be changed is waited for: others may be meant to come after that.
        let new = live.phase == Phase::Pending || self.policy.at_work.contains(address);
        if resource.schema.early && new && !matches!(live.phase, Phase::Failed | Phase::Deleting) {
            self.there.insert(address.clone());
        }
        match live.phase {
            Phase::Pending => {
                self.hold(address, Reason::Pending, format!("{} is not ready yet", live.id), None);
                return Standing::Coming;
            }
            Phase::Failed => {
                let message = format!("AWS gave up on {}; delete it by hand and it is made again", live.id);
                self.hold(address, Reason::Failed, message, None);
                return Standing::Held;
            }
            Phase::Deleting => {
                self.hold(address, Reason::Deleting, format!("{} has to be gone first", live.id), None);
                return Standing::Coming;
            }
            Phase::Ready | Phase::Updating => {}
        }
        let mut changes = self.changes(resource, resolved, live);
        let before = changes.len();
        changes.retain(|change| !live.scheduled.contains(&change.path));
        if changes.len() < before {
            self.hold(address, Reason::Scheduled, "AWS accepted the change for its maintenance window", None);
        }
        if changes.is_empty() {
            return self.record(resource, resolved, live);
        }
        let cause = self.cause(resource, resolved, live);
        let known: Vec<Change> = changes.iter().filter(|c| c.unknown.is_none()).cloned().collect();
        if !known.is_empty() {
            self.differ(resource, cause, known);
        }
        let unseen = changes.iter().filter_map(|c| c.to.unknown()).map(|u| &u.waits_for);
        let unseen = unseen.into_iter().find(|address| self.situation.holds.contains_key(*address)).cloned();
        if let Some(held) = held.or(unseen) {
            return self.wait_for(resource, held);
        }
        if cause != Cause::Edit && self.leaves_drift(resource) {
            self.hold(address, Reason::DriftLeft, "it drifted, and the document says to leave it", None);
            return Standing::Settled;
        }
        if live.phase == Phase::Updating {
            self.await_ready(address, live, "the change", None);
            return Standing::Coming;
        }
        let in_tags = changes.iter().all(|c| c.field() == "tags");
        if matches!(resource.schema.replace, Replace::Revision { .. }) && !in_tags {
            self.identities.remove(address);
            self.there.remove(address);
            let spec = without_late(resource.schema.record, resolved);
            let op =
                spec.unknown().is_none().then(|| Op::Create(self.wanted(resource, resource.name.clone(), &spec, 1)));
            return self.step(resource, Action::Update, cause, changes, coming, op);
        }
        if changes.iter().any(|c| c.immutable) {
            self.there.remove(address);
            return self.replace(resource, resolved, live, cause, changes, coming);
        }
        if let Some(replaced) = self.replaced_first(resource, &changes, false) {
            return self.await_replacement(resource, &replaced, changes);
        }
        // Nothing is sent while a part of it is unknown: a set sent without it would take it away.
        let unknown: BTreeSet<Address> =
            changes.iter().filter_map(|c| c.to.unknown()).map(|u| u.waits_for.clone()).collect();
        // What waits for nothing but a late reference counts as settled, or the two would wait for each other.
        let late = coming.is_empty() && !unknown.is_empty();
        let after = if coming.is_empty() { unknown } else { coming };
        let op = after.is_empty().then(|| self.update(resource, resolved, live, &changes));
        let standing = self.step(resource, Action::Update, cause, changes, after, op);
        if late { Standing::Settled } else { standing }
    }

    /// Holds what AWS would refuse while it is at work on something: it is looked at until it is ready, not tried.
    pub(super) fn await_ready(&mut self, address: &Address, live: &Observed, what: &str, holder: Option<Address>) {
        let message = format!("AWS is at work on {}, which refuses changes for now; {what} waits until then", live.id);
        self.hold(address, Reason::Pending, message, holder);
    }

    pub(super) fn settle(&mut self) -> Standing {
        self.plan.unchanged += 1;
        Standing::Settled
    }

    fn differ(&mut self, resource: &Resource, cause: Cause, changes: Vec<Change>) {
        let (address, tier) = (resource.address.clone(), resource.schema.tier);
        self.plan.differences.push(Difference { address, tier, cause, changes });
    }

    fn leaves_drift(&self, resource: &Resource) -> bool {
        let drift = self.policy.drift.or(resource.lifecycle.drift).unwrap_or(self.document.policy.drift);
        drift != Drift::Mend
    }

    pub(super) fn step(
        &mut self,
        resource: &Resource,
        action: Action,
        cause: Cause,
        changes: Vec<Change>,
        after: BTreeSet<Address>,
        op: Option<Op>,
    ) -> Standing {
        if action == Action::Replace {
            self.identities.remove(&resource.address);
        }
        let deed = op.map(|op| Deed { kind: resource.schema.kind, region: resource.region.clone(), op });
        let (address, tier) = (resource.address.clone(), resource.schema.tier);
        self.plan.steps.push(Step { address, tier, action, cause, changes, after, deed });
        Standing::Coming
    }
}

pub(super) fn change(path: &str, from: Value, to: Value) -> Change {
    Change { path: path.to_owned(), from, to, immutable: false, unknown: None }
}
