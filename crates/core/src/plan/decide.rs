//! Decisions: what happens to each resource of the document. The resources that it refers to come first.

use std::collections::BTreeSet;

use super::context::{PlanContext, Readiness, UnreadyDependencies};
use super::create::create_or_adopt;
use super::difference::{cause_of_absence, cause_of_difference, find_changes};
use super::hold::{Hold, Reason};
use super::operation::{desired_resource, record_digest, update_mutation};
use super::release::release_or_ready;
use super::replace::{await_replacement, keep_unchanged, replace_or_hold, replacement_in_the_way};
use super::unique::{Clash, find_clash, mark_freed};
use super::{Action, Cause, LiveSummary};
use crate::address::Address;
use crate::diff::Change;
use crate::document::{Drift, Resource};
use crate::inventory::proof::generation;
use crate::observed::{Observed, Phase};
use crate::operation::Mutation;
use crate::resolve::{ResolveContext, resolve, without_after_create};
use crate::rollback::pin::{Pin, pin};
use crate::schema::Replacement;
use crate::value::Value;

/// Decides the steps and holds of a resource. The resources that it refers to must have been considered before.
pub(super) fn consider<'a>(context: &mut PlanContext<'a>, address: &Address) {
    let Some(resource) = context.document.resources.get(address) else { return };
    if let Some(live) = context.inventory.active.get(address) {
        let summary = LiveSummary {
            id: live.id.clone(),
            name: live.name.clone(),
            generation: generation(resource, live),
            phase: live.phase,
            tier: resource.schema.tier,
            digest: context.prepared.digest(resource),
            converged: false,
        };
        context.plan.live.insert(address.clone(), summary);
        let conditions = live.conditions.iter().map(|condition| (address.clone(), condition.clone()));
        context.plan.conditions.extend(conditions);
    }
    let copied = context.inventory.copied_tags(address).into_iter();
    context.plan.conditions.extend(copied.map(|condition| (address.clone(), condition)));
    // A decision adds differences and holds of its own resource only.
    let (differences, holds) = (context.plan.differences.len(), context.plan.holds.len());
    let readiness = decide(context, resource);
    let different = context.plan.differences[differences..].iter().map(|d| &d.address);
    let held = context.plan.holds[holds..].iter().map(|h| &h.address);
    let is_unchanged = different.chain(held).all(|other| other != address) && !context.ignored_drift.contains(address);
    if let Some(live) = context.plan.live.get_mut(address) {
        live.converged = readiness == Readiness::Ready && is_unchanged;
    }
    // A resource that was rolled back counts as converged, and its waiting change is reported all the same.
    if let Some((message, change)) = context.rolled_back.take() {
        context.hold(address, Reason::RolledBack, message, None);
        if let Some(change) = change {
            context.report_difference(resource, Cause::Edit, vec![change]);
        }
    }
    context.readiness.insert(address.clone(), readiness);
}

fn decide<'a>(context: &mut PlanContext<'a>, resource: &'a Resource) -> Readiness {
    let address = &resource.address;
    if let Some(hold) = context.inventory.holds.get(address) {
        context.plan.holds.push(hold.clone());
        return Readiness::Blocked;
    }
    if resource.is_lookup() {
        return look_up(context, resource);
    }
    let dependencies = unready_dependencies(context, resource);
    let identities = ResolveContext { live: &context.identities, created: &context.policy.created };
    let mut resolved = match resolve(&resource.address, resource.schema.record, &resource.spec, identities) {
        Ok(resolved) => resolved,
        // A resource that is still being created may lack the attribute that the expression reads.
        Err(error) => {
            let progressing = dependencies.progressing.into_iter().next();
            return match progressing.or_else(|| first_referenceable(context, resource)) {
                Some(waits_for) => {
                    let message = format!("it reads an attribute of {waits_for} that is not known yet");
                    context.hold(address, Reason::DependencyNotReady, message, Some(waits_for));
                    Readiness::Progressing
                }
                None => {
                    context.hold(address, Reason::InvalidExpression, error.to_string(), None);
                    Readiness::Blocked
                }
            };
        }
    };
    set_whole_identity(resource, &mut resolved);
    let live = context.inventory.active.get(address).copied();
    if let Some(live) = live {
        pin_revision(context, resource, &mut resolved, live);
    }
    if let Some(hold) = context.policy.holds.get(address) {
        return apply_hold(context, resource, &resolved, live, hold);
    }
    if let Some(replacement) = context.inventory.replacement.get(address) {
        if replacement.phase == Phase::Failed {
            return context.hold_failed(address, replacement);
        }
        let message = format!("its replacement {} is not ready yet", replacement.id);
        context.hold(address, Reason::Pending, message, None);
        return Readiness::Progressing;
    }
    match live {
        None => create_or_adopt(context, resource, &resolved, dependencies),
        Some(live) => compare(context, resource, &resolved, live, dependencies),
    }
}

/// Sets the absent fields of an identity to null. The document states an identity as a whole: a record without a set
/// identifier is another record than one with a set identifier.
fn set_whole_identity(resource: &Resource, resolved: &mut Value) {
    let Value::Map(spec) = resolved else { return };
    for field in resource.schema.ownership.identity() {
        spec.entry((*field).to_owned()).or_default();
    }
}

/// Keeps a resource at the revision of its rollback: that revision becomes the desired one. All other fields are
/// handled as usual.
fn pin_revision(context: &mut PlanContext<'_>, resource: &Resource, resolved: &mut Value, live: &Observed) {
    let Some(pin) = pin(context.prepared, resource, live, &context.inventory.active) else { return };
    let Value::Map(spec) = resolved else { return };
    let Some(newer) = spec.insert(pin.field.to_owned(), pin.to.clone()).filter(|newer| *newer != pin.to) else {
        return;
    };
    let live_value = live.spec.get(pin.field).cloned().unwrap_or_default();
    let is_change = newer.unknown().is_none() && live_value != newer;
    let change = is_change.then(|| Change::new(pin.field, live_value, newer));
    let Pin { revision, of, .. } = pin;
    let address = &resource.address;
    let way_out = format!("change {of} in the document, or run `holdfast rollback … {address} --release`");
    let message = format!("it was rolled back to revision {revision} of {of}; to go forward, {way_out}");
    context.rolled_back = Some((message, change));
}

fn look_up(context: &mut PlanContext<'_>, resource: &Resource) -> Readiness {
    let address = &resource.address;
    if let Some(live) = context.inventory.active.get(address).filter(|live| live.phase == Phase::Pending) {
        context.hold(address, Reason::Pending, format!("{} is not ready yet", live.id), None);
        return Readiness::Progressing;
    }
    release_or_ready(context, resource)
}

/// Applies a hold of the engine. The differences of the resource are reported all the same, unless the hold is
/// transient.
fn apply_hold(
    context: &mut PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    live: Option<&Observed>,
    hold: &Hold,
) -> Readiness {
    context.plan.holds.push(hold.clone());
    if hold.reason.is_transient() {
        if live.is_none()
            && resource.schema.referenceable_on_create
            && context.policy.created.contains_key(&resource.address)
        {
            context.referenceable.insert(resource.address.clone());
        }
        return Readiness::Progressing;
    }
    let Some(live) = live else {
        context.report_difference(resource, cause_of_absence(context, resource), vec![]);
        return Readiness::Blocked;
    };
    let mut changes = find_changes(context, resource, resolved, live);
    changes.retain(|change| change.unknown.is_none() && !live.scheduled.contains(&change.path));
    if !changes.is_empty() {
        let cause = cause_of_difference(context, resource, resolved, live);
        context.report_difference(resource, cause, changes);
    }
    if hold.reason == Reason::Stalled { Readiness::Ready } else { Readiness::Blocked }
}

fn unready_dependencies(context: &PlanContext<'_>, resource: &Resource) -> UnreadyDependencies {
    let mut progressing = BTreeSet::new();
    let mut blocked = None;
    for (address, after_create) in context.prepared.references(resource) {
        match context.readiness.get(address) {
            _ if after_create => {}
            _ if context.referenceable.contains(address) && !resource.depends_on.contains(address) => {}
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
fn first_referenceable(context: &PlanContext<'_>, resource: &Resource) -> Option<Address> {
    let references = context.prepared.references(resource).map(|(address, _)| address);
    references
        .filter(|a| context.readiness.get(*a) == Some(&Readiness::Progressing))
        .find(|a| context.referenceable.contains(*a))
        .cloned()
}

/// Updates or replaces a live resource that differs from the document, or holds it.
pub(super) fn compare<'a>(
    context: &mut PlanContext<'a>,
    resource: &'a Resource,
    resolved: &Value,
    live: &'a Observed,
    dependencies: UnreadyDependencies,
) -> Readiness {
    let UnreadyDependencies { progressing, blocked } = dependencies;
    let address = &resource.address;
    // Dependents wait for a resource that a step changes, because they may be meant to follow the change. Only a
    // new resource can be referred to before it is ready.
    let is_new = live.phase == Phase::Pending || context.policy.in_progress.contains(address);
    if resource.schema.referenceable_on_create && is_new && !matches!(live.phase, Phase::Failed | Phase::Deleting) {
        context.referenceable.insert(address.clone());
    }
    match live.phase {
        Phase::Pending => {
            context.hold(address, Reason::Pending, format!("{} is not ready yet", live.id), None);
            return Readiness::Progressing;
        }
        Phase::Failed => return context.hold_failed(address, live),
        Phase::Deleting => return context.await_deletion(address, live),
        Phase::Ready | Phase::Updating | Phase::Stopped => {}
    }
    let mut changes = find_changes(context, resource, resolved, live);
    let before = changes.len();
    changes.retain(|change| !live.scheduled.contains(&change.path));
    if changes.len() < before {
        let message = "AWS accepted the change and applies it in the next maintenance window";
        context.hold(address, Reason::PendingMaintenanceWindow, message, None);
    }
    if changes.is_empty() {
        return record_digest(context, resource, resolved, live);
    }
    let cause = cause_of_difference(context, resource, resolved, live);
    let known: Vec<Change> = changes.iter().filter(|c| c.unknown.is_none()).cloned().collect();
    if !known.is_empty() {
        context.report_difference(resource, cause, known);
    }
    if context.ignores(resource, cause) {
        return context.ready();
    }
    let unknown = changes.iter().filter_map(|c| c.to.unknown()).map(|u| &u.waits_for);
    let unobserved = unknown.into_iter().find(|address| context.inventory.holds.contains_key(*address)).cloned();
    if let Some(blocked) = blocked.or(unobserved) {
        return context.wait_for(resource, blocked);
    }
    if cause.is_drift() && context.drift_policy(resource) != Drift::Correct {
        let message = match context.drift_policy(resource) {
            Drift::Ignore => {
                "it differs, no run recorded whether by drift or by an edit, and the drift policy is \
                              `ignore`; set the policy to `correct` to apply the document"
            }
            _ => {
                "it drifted and is not corrected, because the drift policy is `warn`; set the policy to `correct` \
                  to correct it"
            }
        };
        context.hold(address, Reason::DriftIgnored, message, None);
        return Readiness::Ready;
    }
    if live.phase == Phase::Updating {
        context.await_ready(address, live, "the change", None);
        return Readiness::Progressing;
    }
    let in_tags = changes.iter().all(|c| c.field() == "tags");
    if live.phase == Phase::Stopped && !in_tags {
        let message = format!("{} is stopped, and AWS refuses to change it; start it to apply the change", live.id);
        context.hold(address, Reason::Stopped, message, None);
        return Readiness::Blocked;
    }
    if matches!(resource.schema.replacement, Replacement::Revision { .. }) && !in_tags {
        context.identities.remove(address);
        context.referenceable.remove(address);
        let spec = without_after_create(resource.schema.record, resolved);
        let mutation = spec
            .unknown()
            .is_none()
            .then(|| Mutation::Create(desired_resource(context, resource, resource.name.clone(), &spec, 1)));
        return context.add_step(resource, Action::Update, cause, changes, progressing, mutation);
    }
    let needed =
        if changes.iter().all(|c| c.unknown.is_none()) { find_clash(context, resource, resolved) } else { None };
    match needed {
        Some(Clash::Freed(fields)) => mark_freed(&mut changes, fields),
        Some(Clash::Held(hold)) if !changes.iter().any(|c| c.immutable) => {
            let waits = hold.reason == Reason::DependencyNotReady;
            context.plan.holds.push(hold);
            return if waits { Readiness::Progressing } else { keep_unchanged(context, address, changes) };
        }
        _ => {}
    }
    if changes.iter().any(|c| c.immutable) {
        context.referenceable.remove(address);
        return replace_or_hold(context, resource, resolved, live, cause, changes, progressing);
    }
    if let Some(replaced) = replacement_in_the_way(context, resource, &changes, false) {
        return await_replacement(context, resource, &replaced, changes);
    }
    // Nothing is sent while a part of a value is unknown: a set that is sent without an element would remove it.
    let unknown: BTreeSet<Address> =
        changes.iter().filter_map(|c| c.to.unknown()).map(|u| u.waits_for.clone()).collect();
    // A resource that waits only for a reference that its update needs counts as ready. Otherwise two resources
    // that refer to each other would wait for each other.
    let only_after_create = progressing.is_empty() && !unknown.is_empty();
    let after = if progressing.is_empty() { unknown } else { progressing };
    let mutation = after.is_empty().then(|| update_mutation(context, resource, resolved, live, &changes));
    let readiness = context.add_step(resource, Action::Update, cause, changes, after, mutation);
    if only_after_create { Readiness::Ready } else { readiness }
}
