//! Creates: decides about a resource that has no live resource.

use std::collections::BTreeSet;

use super::context::{PlanContext, Readiness, UnreadyDependencies};
use super::difference::{cause_of_absence, changes_after_adoption, is_elsewhere};
use super::hold::Reason;
use super::operation::{adopted_tags, create_mutation};
use super::radius::may_replace;
use super::replace::waits_for_replacement;
use super::unique::{Clash, find_clash};
use super::{Action, Cause};
use crate::diff::Change;
use crate::document::{Drift, Resource};
use crate::observed::Phase;
use crate::operation::Mutation;
use crate::resolve::without_after_create;
use crate::value::Value;

/// Creates or adopts a resource, or holds it.
pub(super) fn create_or_adopt(
    context: &mut PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    dependencies: UnreadyDependencies,
) -> Readiness {
    let address = &resource.address;
    let cause = cause_of_absence(context, resource);
    context.report_difference(resource, cause, vec![]);
    if let Some(deleting) = context.inventory.deleting.get(address) {
        return context.await_deletion(address, deleting);
    }
    if let Some(blocked) = dependencies.blocked {
        return context.wait_for(resource, blocked);
    }
    if let Some(foreign) = context.inventory.adoptable.get(address) {
        if foreign.phase == Phase::Updating {
            context.await_ready(address, foreign, "the adoption", None);
            return Readiness::Progressing;
        }
        let set = adopted_tags(context, resource);
        let mut changes = vec![Change::new("tags.holdfast:address", Value::Null, address.to_string().into())];
        changes.extend(changes_after_adoption(context, resource, resolved, foreign));
        let mutation = Mutation::Tag { live: Box::new((*foreign).clone()), set, remove: BTreeSet::new() };
        // An adoption changes only tags, so it waits for no dependency.
        return context.add_step(resource, Action::Adopt, Cause::Edit, changes, BTreeSet::new(), Some(mutation));
    }
    if cause == Cause::Missing && context.drift_policy(resource) != Drift::Correct {
        return hold_missing(context, resource);
    }
    let is_lost = cause == Cause::Missing && context.owns_something || is_elsewhere(context, resource);
    if is_lost && resource.schema.stateful && !may_replace(context, resource) {
        let restore = match context.inventory.contested.get(address).and_then(|copies| copies.first()) {
            Some(copy) => format!("adopt {0} with `lifecycle: {{ adopt: {0} }}`", copy.id),
            None => "restore it".to_owned(),
        };
        let way_out = format!("{restore}, or create an empty one with `--allow-replace {address}`");
        let message = format!("it holds data and does not exist; {way_out}");
        context.hold(address, Reason::ReplaceNotAllowed, message, None);
        return Readiness::Blocked;
    }
    let spec = without_after_create(resource.schema.record, resolved);
    let changes: Vec<Change> =
        spec.map().into_iter().flatten().map(|(k, v)| Change::new(k, Value::Null, v.clone())).collect();
    if waits_for_replacement(context, resource, &changes) {
        return Readiness::Blocked;
    }
    if let Some(Clash::Held(hold)) = find_clash(context, resource, &spec) {
        let waits = hold.reason == Reason::DependencyNotReady;
        context.plan.holds.push(hold);
        return if waits { Readiness::Progressing } else { Readiness::Blocked };
    }
    let unknown = spec.unknown().map(|unknown| unknown.waits_for.clone());
    let mutation = unknown.is_none().then(|| create_mutation(context, resource, &spec));
    let after = dependencies.progressing.into_iter().chain(unknown).collect();
    context.add_step(resource, Action::Create, cause, changes, after, mutation)
}

/// Holds a missing resource that the drift policy does not create again. The hold remains when drift is ignored,
/// because the dependents of the resource need it.
fn hold_missing(context: &mut PlanContext<'_>, resource: &Resource) -> Readiness {
    let reason = match context.drift_policy(resource) {
        Drift::Ignore => "the drift policy is `ignore`; resources that refer to it wait for it",
        _ => "the drift policy is `warn`",
    };
    let way_out = "set the policy to `correct` to create it";
    let message = format!("it is missing and is not created again, because {reason}; {way_out}");
    context.hold(&resource.address, Reason::DriftIgnored, message, None);
    Readiness::Blocked
}
