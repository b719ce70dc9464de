//! Creates: decides about a resource that has no live resource.

use std::collections::BTreeSet;

use super::hold::Reason;
use super::planner::{Planner, Readiness, UnreadyDependencies, change};
use super::{Action, Cause};
use crate::diff::Change;
use crate::document::{Drift, Resource};
use crate::observed::Phase;
use crate::operation::Mutation;
use crate::resolve::without_after_create;
use crate::value::Value;

impl Planner<'_> {
    /// Creates or adopts a resource, or holds it.
    pub(super) fn create(
        &mut self,
        resource: &Resource,
        resolved: &Value,
        dependencies: UnreadyDependencies,
    ) -> Readiness {
        let address = &resource.address;
        let cause = self.cause_of_absence(resource);
        self.report_difference(resource, cause, vec![]);
        if let Some(deleting) = self.inventory.deleting.get(address) {
            return self.await_deletion(address, deleting);
        }
        if let Some(blocked) = dependencies.blocked {
            return self.wait_for(resource, blocked);
        }
        if let Some(foreign) = self.inventory.adoptable.get(address) {
            if foreign.phase == Phase::Updating {
                self.await_ready(address, foreign, "the adoption", None);
                return Readiness::Progressing;
            }
            let set = self.adopted_tags(resource);
            let changes = vec![change("tags.holdfast:address", Value::Null, address.to_string().into())];
            let mutation = Mutation::Tag { live: Box::new((*foreign).clone()), set, remove: BTreeSet::new() };
            // An adoption changes only tags, so it waits for no dependency.
            return self.step(resource, Action::Adopt, Cause::Edit, changes, BTreeSet::new(), Some(mutation));
        }
        if cause == Cause::Missing && self.drift_policy(resource) != Drift::Correct {
            return self.hold_missing(resource);
        }
        let is_lost = cause == Cause::Missing && self.owns_something || self.is_elsewhere(resource);
        if is_lost && resource.schema.stateful && !self.may_replace(resource) {
            let way_out = format!("restore it, or create an empty one with `--allow-replace {address}`");
            let message = format!("it holds data and does not exist; {way_out}");
            self.hold(address, Reason::ReplaceNotAllowed, message, None);
            return Readiness::Blocked;
        }
        let spec = without_after_create(resource.schema.record, resolved);
        let changes: Vec<Change> =
            spec.map().into_iter().flatten().map(|(k, v)| change(k, Value::Null, v.clone())).collect();
        if self.waits_for_replacement(resource, &changes) {
            return Readiness::Blocked;
        }
        let unknown = spec.unknown().map(|unknown| unknown.waits_for.clone());
        let mutation = unknown.is_none().then(|| self.create_mutation(resource, &spec));
        let after = dependencies.progressing.into_iter().chain(unknown).collect();
        self.step(resource, Action::Create, cause, changes, after, mutation)
    }

    /// Holds a missing resource that the drift policy does not create again. The hold remains when drift is ignored,
    /// because the dependents of the resource need it.
    fn hold_missing(&mut self, resource: &Resource) -> Readiness {
        let reason = match self.drift_policy(resource) {
            Drift::Ignore => "the drift policy is `ignore`; resources that refer to it wait for it",
            _ => "the drift policy is `warn`",
        };
        let way_out = "set the policy to `correct` to create it";
        let message = format!("it is missing and is not created again, because {reason}; {way_out}");
        self.hold(&resource.address, Reason::DriftIgnored, message, None);
        Readiness::Blocked
    }
}
