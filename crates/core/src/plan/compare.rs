//! Comparison: decides about a resource that has a live resource.

use std::collections::BTreeSet;

use super::Action;
use super::hold::Reason;
use super::planner::{Planner, Readiness, UnreadyDependencies};
use crate::address::Address;
use crate::diff::Change;
use crate::document::{Drift, Resource};
use crate::observed::{Observed, Phase};
use crate::operation::Mutation;
use crate::resolve::without_after_create;
use crate::schema::Replacement;
use crate::value::Value;

impl<'a> Planner<'a> {
    /// Updates or replaces a live resource that differs from the document, or holds it.
    pub(super) fn compare(
        &mut self,
        resource: &'a Resource,
        resolved: &Value,
        live: &'a Observed,
        dependencies: UnreadyDependencies,
    ) -> Readiness {
        let UnreadyDependencies { progressing, blocked } = dependencies;
        let address = &resource.address;
        // Dependents wait for a resource that a step changes, because they may be meant to follow the change. Only a
        // new resource can be referred to before it is ready.
        let is_new = live.phase == Phase::Pending || self.policy.in_progress.contains(address);
        if resource.schema.referenceable_on_create && is_new && !matches!(live.phase, Phase::Failed | Phase::Deleting) {
            self.referenceable.insert(address.clone());
        }
        match live.phase {
            Phase::Pending => {
                self.hold(address, Reason::Pending, format!("{} is not ready yet", live.id), None);
                return Readiness::Progressing;
            }
            Phase::Failed => return self.hold_failed(address, live),
            Phase::Deleting => return self.await_deletion(address, live),
            Phase::Ready | Phase::Updating => {}
        }
        let mut changes = self.changes(resource, resolved, live);
        let before = changes.len();
        changes.retain(|change| !live.scheduled.contains(&change.path));
        if changes.len() < before {
            let message = "AWS accepted the change and applies it in the next maintenance window";
            self.hold(address, Reason::PendingMaintenanceWindow, message, None);
        }
        if changes.is_empty() {
            return self.record_digest(resource, resolved, live);
        }
        let cause = self.cause(resource, resolved, live);
        let known: Vec<Change> = changes.iter().filter(|c| c.unknown.is_none()).cloned().collect();
        if !known.is_empty() {
            self.report_difference(resource, cause, known);
        }
        if self.ignores(resource, cause) {
            return self.ready();
        }
        let unknown = changes.iter().filter_map(|c| c.to.unknown()).map(|u| &u.waits_for);
        let unobserved = unknown.into_iter().find(|address| self.inventory.holds.contains_key(*address)).cloned();
        if let Some(blocked) = blocked.or(unobserved) {
            return self.wait_for(resource, blocked);
        }
        if cause.is_drift() && self.drift_policy(resource) != Drift::Correct {
            let message = match self.drift_policy(resource) {
                Drift::Ignore => {
                    "it differs, no run recorded whether by drift or by an edit, and the drift policy is \
                                  `ignore`; set the policy to `correct` to apply the document"
                }
                _ => {
                    "it drifted and is not corrected, because the drift policy is `warn`; set the policy to `correct` \
                      to correct it"
                }
            };
            self.hold(address, Reason::DriftIgnored, message, None);
            return Readiness::Ready;
        }
        if live.phase == Phase::Updating {
            self.await_ready(address, live, "the change", None);
            return Readiness::Progressing;
        }
        let in_tags = changes.iter().all(|c| c.field() == "tags");
        if matches!(resource.schema.replacement, Replacement::Revision { .. }) && !in_tags {
            self.identities.remove(address);
            self.referenceable.remove(address);
            let spec = without_after_create(resource.schema.record, resolved);
            let mutation = spec
                .unknown()
                .is_none()
                .then(|| Mutation::Create(self.desired_resource(resource, resource.name.clone(), &spec, 1)));
            return self.step(resource, Action::Update, cause, changes, progressing, mutation);
        }
        if changes.iter().any(|c| c.immutable) {
            self.referenceable.remove(address);
            return self.replace(resource, resolved, live, cause, changes, progressing);
        }
        if let Some(replaced) = self.replacement_in_the_way(resource, &changes, false) {
            return self.await_replacement(resource, &replaced, changes);
        }
        // Nothing is sent while a part of a value is unknown: a set that is sent without an element would remove it.
        let unknown: BTreeSet<Address> =
            changes.iter().filter_map(|c| c.to.unknown()).map(|u| u.waits_for.clone()).collect();
        // A resource that waits only for a reference that its update needs counts as ready. Otherwise two resources
        // that refer to each other would wait for each other.
        let only_after_create = progressing.is_empty() && !unknown.is_empty();
        let after = if progressing.is_empty() { unknown } else { progressing };
        let mutation = after.is_empty().then(|| self.update_mutation(resource, resolved, live, &changes));
        let readiness = self.step(resource, Action::Update, cause, changes, after, mutation);
        if only_after_create { Readiness::Ready } else { readiness }
    }
}
