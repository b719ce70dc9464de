//! Differences: the fields of a live resource that differ from the document, and their cause.

use std::collections::BTreeMap;

use super::Cause;
use super::context::PlanContext;
use super::operation::{desired_tags, user_tags};
use crate::diff::{Change, diff, diff_tags};
use crate::digest::is_secret_version;
use crate::document::Resource;
use crate::observed::Observed;
use crate::rollback::pin::pin;
use crate::schema::{Replacement, Type};
use crate::value::Value;

/// Returns the changes of all fields and tags. A count does not differ within the range of its autoscaler. Outside the
/// range it moves to the nearest limit.
pub(super) fn find_changes(
    context: &PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    live: &Observed,
) -> Vec<Change> {
    let schema = resource.schema;
    let ignore = &resource.lifecycle.ignore;
    let mut changes = diff(schema.record, resolved, &live.spec, ignore);
    changes.retain(|change| !schema.write_only.iter().any(|(field, _)| *field == change.field()));
    changes = changes.into_iter().filter_map(|change| within_autoscaling(context, resource, change)).collect();
    changes.extend(write_only_changes(context, resource, resolved));
    if schema.ownership.takes_tags() {
        changes.extend(diff_tags(&desired_tags(resource, resolved, live), &user_tags(live), ignore));
    }
    let is_named = !schema.naming.tag && resource.named && !live.name.is_empty();
    // The fields of a record set identify it, and it has no name besides them.
    let has_own_name =
        !matches!(schema.replacement, Replacement::Revision { .. }) && schema.ownership.identity().is_empty();
    if is_named && live.name != resource.name && has_own_name {
        let renamed = Change::new("name", live.name.clone().into(), resource.name.clone().into());
        changes.push(Change { immutable: true, ..renamed });
    }
    changes
}

/// Returns the write-only fields as changes after an edit of the document. AWS never returns these fields, so they
/// are sent with every edit, and never as drift.
fn write_only_changes(context: &PlanContext<'_>, resource: &Resource, resolved: &Value) -> Vec<Change> {
    match resource.schema.write_only.is_empty() || is_edited(context, resource) != Some(true) {
        true => vec![],
        false => stated_write_only(resource, resolved),
    }
}

/// Returns the changes that an adoption leads to, which the pass makes once it owns the resource.
pub(super) fn changes_after_adoption(
    context: &PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    foreign: &Observed,
) -> Vec<Change> {
    let mut changes = find_changes(context, resource, resolved, foreign);
    let is_write_only = |change: &Change| resource.schema.write_only.iter().any(|(name, _)| *name == change.field());
    if !changes.iter().any(is_write_only) {
        changes.extend(stated_write_only(resource, resolved));
    }
    changes
}

/// Returns the write-only fields that the document states, as changes.
fn stated_write_only(resource: &Resource, resolved: &Value) -> Vec<Change> {
    let fields = resource.schema.write_only.iter().filter_map(|(name, _)| resource.schema.record.field(name));
    let mutable = fields.filter(|field| !field.immutable && !resource.lifecycle.ignore.iter().any(|i| i == field.name));
    let stated = mutable.filter_map(|field| Some((field.name, resolved.get(field.name)?)));
    stated
        .map(|(name, to)| Change {
            unknown: to.unknown().map(|u| u.waits_for.clone()),
            ..Change::new(name, Value::Null, to.clone())
        })
        .collect()
}

/// Returns the change of a count that an autoscaler of the document controls: none while the live count is within the
/// range, else the nearest limit of the range. Another change is returned as it is.
fn within_autoscaling(context: &PlanContext<'_>, resource: &Resource, change: Change) -> Option<Change> {
    let Some(count) = change.from.integer() else { return Some(change) };
    let ranges = scalers(context, resource, &change).filter_map(|(scaler, min, max)| range(&scaler.spec, min, max));
    let nearest = ranges.map(|(min, max)| count.clamp(min, max)).min_by_key(|limit| limit.abs_diff(count));
    match nearest {
        Some(limit) if limit == count => None,
        Some(limit) => Some(Change { to: limit.into(), ..change }),
        None => Some(change),
    }
}

/// Returns the autoscalers of the document that control the count, with the names of the fields for its limits.
fn scalers<'a>(
    context: &'a PlanContext<'_>,
    resource: &Resource,
    change: &Change,
) -> impl Iterator<Item = (&'a Resource, &'static str, &'static str)> {
    let of = match resource.schema.record.field(&change.path).map(|field| field.ty) {
        Some(Type::AutoscaledCount { by, min, max }) => Some((by, min, max)),
        _ => None,
    };
    let dependents = context.prepared.dependents(&resource.address).iter();
    dependents.filter_map(move |scaler| of.filter(|of| scaler.schema.kind == of.0).map(|of| (&**scaler, of.1, of.2)))
}

/// Returns the limits of an autoscaler.
fn range(spec: &Value, min: &str, max: &str) -> Option<(i64, i64)> {
    let (min, max) = (spec.get(min)?.integer()?, spec.get(max)?.integer()?);
    (min <= max).then_some((min, max))
}

/// True when the document narrowed the range of the autoscaler, and the live count is within the live range.
fn is_narrowed(context: &PlanContext<'_>, resource: &Resource, change: &Change) -> bool {
    let Some(count) = change.from.integer() else { return false };
    scalers(context, resource, change).any(|(scaler, min, max)| {
        let live = context.inventory.active.get(&scaler.address).and_then(|live| range(&live.spec, min, max));
        live.is_some_and(|(min, max)| min <= count && count <= max)
    })
}

/// Returns the cause of a resource's absence. See [`cause_of_difference`] for the rules.
pub(super) fn cause_of_absence(context: &PlanContext<'_>, resource: &Resource) -> Cause {
    let history = context.policy.history.as_ref();
    match () {
        () if context.policy.in_progress.contains(&resource.address) => Cause::Edit,
        () if is_elsewhere(context, resource) || has_new_parent(context, resource) => Cause::Edit,
        () if history.is_some_and(|history| history.contains_key(&resource.address)) => Cause::Missing,
        () if !context.owns_something || context.policy.history_is_complete => Cause::Edit,
        () => Cause::Missing,
    }
}

/// True when the resource exists in another region, which the document named before.
pub(super) fn is_elsewhere(context: &PlanContext<'_>, resource: &Resource) -> bool {
    context.inventory.orphans_of(&resource.address).next().is_some()
}

/// True when the resource is a child that belonged to an older generation of its parent.
fn has_new_parent(context: &PlanContext<'_>, resource: &Resource) -> bool {
    let parent = context.inventory.parent(resource);
    parent.is_some_and(|(address, _)| context.inventory.superseded.contains_key(&address))
}

/// Returns the cause of a difference: whether the account or the document changed.
///
/// # Expected flow
/// 1. When a resource is converged, the digest of its desired spec is recorded: in the owner tags, in a tag of the
///    parent for a child without tags, and in the history of the store.
/// 2. A resource that this process created, adopted or is replacing differs because of an edit, until it is
///    observed converged.
/// 3. If the recorded digest is not the digest of the document, the document changed: [`Cause::Edit`].
/// 4. If all differences are counts that only the new range of an autoscaler excludes, the document changed:
///    [`Cause::Edit`].
/// 5. If all differences are references to a resource that has a newer generation or revision, the resource only
///    follows that change of the document: [`Cause::Edit`].
/// 6. If all differences are secret values, and Holdfast wrote each live value, the source of the value changed, such
///    as an environment variable of the run: [`Cause::Edit`].
/// 7. If the digests are equal, the account changed: [`Cause::Drift`].
/// 8. If no digest is recorded, the cause is not known: [`Cause::Unattributed`].
///
/// A resource that does not exist is [`Cause::Missing`] if the history contains it. It is an edit if the history is
/// complete, or if the stack owns nothing, because it never existed then. Otherwise it counts as missing. A
/// resource that exists in another region, which the document named before, is an edit, and so is a child of a parent
/// that was replaced.
///
/// # Guarantees
/// The cause depends only on the tags, the history, the document and the observation, so a restart does not change
/// it. The exception is rule 2, which needs the memory of the process.
///
/// # Assumptions
/// Only Holdfast writes the digest tags.
///
/// # Caveats
/// - The digest covers the whole resource. If the document and the account both changed, every difference of the
///   resource counts as an edit.
/// - Without digest tags and without a store, an edit is `Unattributed` too and is handled like drift. With the
///   drift policy `warn` or `ignore` it is held and reported, and not applied.
pub(super) fn cause_of_difference(
    context: &PlanContext<'_>,
    resource: &Resource,
    resolved: &Value,
    live: &Observed,
) -> Cause {
    match is_edited(context, resource) {
        _ if context.policy.in_progress.contains(&resource.address) => Cause::Edit,
        Some(true) => Cause::Edit,
        // The resource only has to follow the resources that it refers to.
        _ if only_follows(context, resource, resolved, live) => Cause::Edit,
        _ if find_changes(context, resource, resolved, live).iter().all(|c| is_narrowed(context, resource, c)) => {
            Cause::Edit
        }
        _ if has_new_secret_values(context, resource, resolved, live) => Cause::Edit,
        Some(false) => Cause::Drift,
        None => Cause::Unattributed,
    }
}

/// True when all differences are secret values whose sources changed: the live versions are versions that Holdfast
/// wrote.
fn has_new_secret_values(context: &PlanContext<'_>, resource: &Resource, resolved: &Value, live: &Observed) -> bool {
    let changes = find_changes(context, resource, resolved, live);
    let is_new_value = |change: &Change| match (&change.from, &change.to) {
        (from, Value::Secret(secret)) => {
            secret.version.is_some() && from.get("version").and_then(Value::text).is_some_and(is_secret_version)
        }
        _ => false,
    };
    !changes.is_empty() && changes.iter().all(is_new_value)
}

/// True when all differences are references to resources that a newer generation or revision has replaced or will
/// replace.
fn only_follows(context: &PlanContext<'_>, resource: &Resource, resolved: &Value, live: &Observed) -> bool {
    let references = context.prepared.references(resource);
    let newer = references.filter_map(|(address, _)| Some((address, *context.inventory.active.get(address)?)));
    let mut moved: BTreeMap<&str, Value> = BTreeMap::new();
    // A rollback may be incomplete: the hold is recorded, and the resource still runs the revision that it leaves.
    let pin = pin(context.prepared, resource, live, &context.inventory.active);
    for (address, newer) in newer {
        let older = context.inventory.superseded.get(address).into_iter().flatten();
        for (older, attribute) in older.flat_map(|o| ["id", "arn", "name"].map(|a| (*o, a))) {
            if let (Some(from), Some(to)) = (identity(older, attribute), newer.attribute(attribute)) {
                moved.insert(from, to);
            }
        }
        if let Some(pin) = pin.as_ref().filter(|pin| pin.of == *address) {
            moved.insert(&newer.id, pin.to.clone());
        } else if let Some(Value::List(revisions)) = newer.status.get("revisions") {
            moved.extend(revisions.iter().filter_map(Value::text).map(|old| (old, newer.id.clone().into())));
        }
    }
    let followed = Observed { spec: substitute(&live.spec, &moved), ..live.clone() };
    find_changes(context, resource, resolved, &followed).iter().all(|change| change.unknown.is_some())
}

/// True when the document changed since the resource was last converged; none when no digest is recorded.
pub(super) fn is_edited(context: &PlanContext<'_>, resource: &Resource) -> Option<bool> {
    let from_history = context.policy.history.as_ref().and_then(|history| history.get(&resource.address).cloned());
    let converged = Some(context.inventory.digest(resource)).filter(|d| !d.is_empty()).or(from_history)?;
    Some(converged != context.prepared.digest(resource))
}

fn identity<'a>(observed: &'a Observed, attribute: &str) -> Option<&'a str> {
    match attribute {
        "id" => Some(&observed.id),
        "name" => Some(&observed.name),
        other => observed.status.get(other).and_then(Value::text),
    }
}

/// Returns the value with these texts replaced.
fn substitute(value: &Value, by: &BTreeMap<&str, Value>) -> Value {
    match value {
        Value::Text(text) => by.get(text.as_str()).unwrap_or(value).clone(),
        Value::List(list) => Value::List(list.iter().map(|v| substitute(v, by)).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), substitute(v, by))).collect()),
        other => other.clone(),
    }
}
