//! Deletions: superseded generations, orphans and old revisions, and everything when the stack is destroyed.

use std::collections::BTreeSet;

use super::context::{PlanContext, Readiness};
use super::deletion_limit::hold_beyond_limit;
use super::deletion_order::{add_deletion, is_progressing, order_deletions};
use super::hold::{Hold, Reason};
use super::orphans::{RETAINED_TAG, deletable_orphans, granted_orphans, refusal, unproven};
use super::protection::hold_protected;
use super::users::Deletion;
use crate::address::Address;
use crate::document::{OnDelete, Resource};
use crate::inventory::Orphan;
use crate::observed::{Observed, Phase};
use crate::schema::Replacement;
use crate::value::Value;

/// The end of the holds of protected resources.
const UNPROTECT: &str = "protected; remove `lifecycle: { protect: true }` to allow its deletion";

/// The end of the holds of retained resources.
const DELETE_DATA: &str = "delete it with `--delete-data`";

/// Deletes superseded generations, orphans and old revisions, each after its last user.
pub(super) fn prune(context: &mut PlanContext<'_>) {
    let mut deletions = superseded(context);
    deletions.extend(orphans(context));
    let deletions = hold_protected(context, deletions.into_iter().map(|one| (one, None)).collect());
    let deletions = hold_beyond_limit(context, deletions);
    order_deletions(context, deletions);
    for address in context.inventory.active.keys() {
        if context.readiness.get(address) == Some(&Readiness::Ready) {
            delete_revisions(context, address, true);
        }
    }
}

/// Returns the superseded generations and duplicates to delete.
fn superseded<'a>(context: &mut PlanContext<'a>) -> Vec<Deletion<'a>> {
    let mut deletions = vec![];
    for (address, older) in &context.inventory.superseded {
        let Some(resource) = context.document.resources.get(address) else { continue };
        if context.readiness.get(address) != Some(&Readiness::Ready) {
            continue;
        }
        for observed in older.iter().copied().filter(|o| o.phase != Phase::Deleting) {
            if resource.lifecycle.protect {
                let message = format!("{} was replaced and is kept, because it is {UNPROTECT}", observed.id);
                context.hold(address, Reason::Protected, message, None);
            } else if is_retained(context, resource) {
                let why = why_retained(resource);
                let message = format!("{} was replaced and is kept, because {why}; {DELETE_DATA}", observed.id);
                context.hold(address, Reason::Retained, message, None);
            } else {
                let after = unready_dependents(context, address);
                deletions.push(Deletion { address: address.clone(), schema: resource.schema, observed, after });
            }
        }
    }
    deletions
}

/// Returns the dependents of an address that may not refer to its newest generation yet.
fn unready_dependents(context: &PlanContext<'_>, address: &Address) -> BTreeSet<Address> {
    let dependents = context.prepared.dependents(address).iter();
    let unready = dependents.filter(|r| context.readiness.get(&r.address) != Some(&Readiness::Ready));
    unready.map(|r| r.address.clone()).collect()
}

/// True when the resource is retained, and the deletion of data is not granted.
fn is_retained(context: &PlanContext<'_>, resource: &Resource) -> bool {
    resource.on_delete() == OnDelete::Retain && !context.policy.delete_data
}

/// Deletes old revisions. With `keep_recent` the kind's number of revisions is kept; otherwise all revisions but
/// the newest are deleted.
fn delete_revisions<'a>(context: &mut PlanContext<'a>, address: &Address, keep_recent: bool) {
    let (Some(resource), Some(live)) = (context.document.resources.get(address), context.inventory.active.get(address))
    else {
        return;
    };
    let (Replacement::Revision { keep }, Some(Value::List(revisions))) =
        (resource.schema.replacement, live.status.get("revisions"))
    else {
        return;
    };
    // The list begins with the newest revision, or with the one before it.
    let older = revisions.iter().filter_map(Value::text).filter(|id| *id != live.id);
    let after = if keep_recent { unready_dependents(context, address) } else { BTreeSet::new() };
    let surplus: Vec<&str> = older.skip(if keep_recent { keep.saturating_sub(1) } else { 0 }).collect();
    // A service that was rolled back may run an older revision.
    let is_kept = |id: &&str| match keep_recent {
        true => is_run(context, resource, id),
        false => is_run_by_kept(context, resource, id),
    };
    let surplus: Vec<&str> = surplus.into_iter().filter(|id| !is_kept(id)).collect();
    for id in surplus {
        let old = Observed { id: id.to_owned(), ..(*live).clone() };
        add_deletion(context, resource.schema, address, &old, after.clone());
    }
}

/// True when a resource that no step changes runs this revision.
fn is_run(context: &PlanContext<'_>, revisions: &Resource, id: &str) -> bool {
    let live = context.live_users();
    live.referring(revisions.schema.kind, id).iter().any(|user| !is_progressing(context, user.address))
}

/// True when a resource that no step deletes runs this revision.
fn is_run_by_kept(context: &PlanContext<'_>, revisions: &Resource, id: &str) -> bool {
    let users = context.live_users().referring(revisions.schema.kind, id);
    users.iter().any(|user| context.plan.steps.iter().all(|step| step.address != *user.address))
}

/// Returns the orphans whose deletion is granted, and holds the others.
fn orphans<'a>(context: &mut PlanContext<'a>) -> Vec<Deletion<'a>> {
    for orphan in deletable_orphans(context).collect::<Vec<_>>() {
        if let Some((reason, message)) = refusal(context, orphan) {
            context.hold(&orphan.address, reason, message, None);
        }
    }
    granted_orphans(context).map(deletion).collect()
}

/// Deletes everything that the stack owns, except what is protected or retained, and what such a resource needs.
///
/// A protected resource also keeps the resources that it contains: see [`hold_protected`].
pub(super) fn destroy<'a>(context: &mut PlanContext<'a>, order: &[Address]) {
    let mut deletions = vec![];
    for address in order {
        let Some(resource) = context.document.resources.get(address).filter(|r| !r.is_lookup()) else { continue };
        let is_unknown = |h: &&Hold| matches!(h.reason, Reason::ObservationFailed | Reason::OwnershipAmbiguous);
        let unobserved = context.inventory.holds.get(address).filter(is_unknown);
        let transient = context.policy.holds.get(address).filter(|h| h.reason.is_transient());
        if let Some(hold) = unobserved.or(transient) {
            context.plan.holds.push(hold.clone());
        }
        if let Some(deleting) = context.inventory.deleting.get(address) {
            context.hold(address, Reason::Deleting, format!("{} is being deleted", deleting.id), None);
        }
        let live = context.inventory.active.get(address).into_iter().chain(context.inventory.replacement.get(address));
        let older = context.inventory.superseded.get(address).into_iter().flatten();
        for observed in live.chain(older).copied() {
            if is_retained(context, resource) && !resource.lifecycle.protect {
                let message = format!("{} is kept, because {}; {DELETE_DATA}", observed.id, why_retained(resource));
                context.hold(address, Reason::Retained, message, None);
                continue;
            }
            let after = BTreeSet::new();
            let one = Deletion { address: address.clone(), schema: resource.schema, observed, after };
            let protection = resource.lifecycle.protect.then(|| format!("{} is {UNPROTECT}", observed.id));
            deletions.push((one, protection));
        }
    }
    for orphan in &context.inventory.orphans {
        if !orphan.proven {
            let message = unproven(orphan);
            context.hold(&orphan.address, Reason::OwnershipAmbiguous, message, None);
        } else if orphan.retained && !context.policy.delete_data {
            let message = format!("{} is kept, because {RETAINED_TAG}; {DELETE_DATA}", orphan.observed.id);
            context.hold(&orphan.address, Reason::Retained, message, None);
        } else {
            deletions.push((deletion(orphan), None));
        }
    }
    let deletions = hold_protected(context, deletions);
    order_deletions(context, deletions);
    let deleted: BTreeSet<Address> = context.plan.steps.iter().map(|step| step.address.clone()).collect();
    for address in &deleted {
        delete_revisions(context, address, false);
    }
}

/// Returns the reason why a resource is retained.
fn why_retained(resource: &Resource) -> &'static str {
    match resource.lifecycle.on_delete {
        Some(_) => "it has `onDelete: retain`",
        None => "it holds data",
    }
}

fn deletion<'a>(orphan: &Orphan<'a>) -> Deletion<'a> {
    Deletion {
        address: orphan.address.clone(),
        schema: orphan.schema,
        observed: orphan.observed,
        after: BTreeSet::new(),
    }
}
