//! Deletions: superseded generations, orphans and old revisions, and everything when the stack is destroyed.

use std::collections::BTreeSet;

use super::context::{PlanContext, Readiness};
use super::deletion_order::{add_deletion, is_progressing, order_deletions};
use super::hold::{Hold, Reason};
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
const DELETE_ORPHANED_DATA: &str = "delete it with `--prune --delete-data`";

/// The reason why an orphan is retained.
const RETAINED_TAG: &str = "its tag `holdfast:retained` says so";

/// Deletes superseded generations, orphans and old revisions, each after its last user.
pub(super) fn prune(context: &mut PlanContext<'_>) {
    let mut deletions = superseded(context);
    deletions.extend(orphans(context));
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
    let is_kept = |id: &&str| keep_recent && is_run(context, resource, id);
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

/// Returns the orphans whose deletion is granted, and holds the others.
fn orphans<'a>(context: &mut PlanContext<'a>) -> Vec<Deletion<'a>> {
    let mut deletions = vec![];
    // A bound resource cannot be deleted by a call. An old child is deleted after the child that replaces it is
    // ready.
    let awaits_new_child = |orphan: &&Orphan<'_>| {
        let is_child = !orphan.schema.ownership.is_own() && context.document.resources.contains_key(&orphan.address);
        is_child && context.readiness.get(&orphan.address) != Some(&Readiness::Ready)
    };
    let orphans = context.inventory.orphans.iter().filter(|orphan| !orphan.observed.bound && !awaits_new_child(orphan));
    for orphan in orphans.collect::<Vec<_>>() {
        let id = &orphan.observed.id;
        let held = match () {
            () if !orphan.proven => Some((Reason::OwnershipAmbiguous, unproven(orphan))),
            () if orphan.retained && !context.policy.delete_data => {
                let message =
                    format!("{id} left the document and is kept, because {RETAINED_TAG}; {DELETE_ORPHANED_DATA}");
                Some((Reason::Retained, message))
            }
            () if context.document.resources.is_empty() => {
                let message = format!("{id} is not deleted, because the document is empty; use `holdfast destroy`");
                Some((Reason::EmptyDocument, message))
            }
            () if !context.policy.prune && !context.document.policy.prune => {
                let way_out = "grant its deletion with `--prune` or `policy: { prune: true }`";
                Some((Reason::PruneNotAllowed, format!("{id} left the document; {way_out}")))
            }
            () if orphan.schema.stateful && !context.policy.delete_data => {
                let message = format!("{id} left the document and holds data; grant its deletion with `--delete-data`");
                Some((Reason::PruneNotAllowed, message))
            }
            () => None,
        };
        match held {
            Some((reason, message)) => context.hold(&orphan.address, reason, message, None),
            None => deletions.push(deletion(orphan)),
        }
    }
    let (count, max) = (deletions.len(), context.document.policy.max_deletions);
    if count > max {
        for deletion in deletions.drain(..) {
            let way_out = "raise `policy.maxDeletions`";
            let message = format!("{count} resources would be deleted, and one pass may delete {max}; {way_out}");
            context.hold(&deletion.address, Reason::DeletionLimitExceeded, message, None);
        }
    }
    deletions
}

/// Deletes everything that the stack owns.
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
            if resource.lifecycle.protect {
                context.hold(address, Reason::Protected, format!("{} is {UNPROTECT}", observed.id), None);
            } else if is_retained(context, resource) {
                let message = format!("{} is kept, because {}; {DELETE_DATA}", observed.id, why_retained(resource));
                context.hold(address, Reason::Retained, message, None);
            } else {
                let after = BTreeSet::new();
                deletions.push(Deletion { address: address.clone(), schema: resource.schema, observed, after });
                delete_revisions(context, address, false);
            }
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
            deletions.push(deletion(orphan));
        }
    }
    order_deletions(context, deletions);
}

/// Returns the reason why a resource is retained.
fn why_retained(resource: &Resource) -> &'static str {
    match resource.lifecycle.on_delete {
        Some(_) => "it has `onDelete: retain`",
        None => "it holds data",
    }
}

/// Returns the message of a resource that may have only a copy of our tags.
fn unproven(orphan: &Orphan<'_>) -> String {
    format!(
        "{} has the owner tags of this address, and nothing proves that this stack made it; tags can be copied, so it is \
         not deleted; delete it manually, or remove its tag `holdfast:address`",
        orphan.observed.id
    )
}

fn deletion<'a>(orphan: &Orphan<'a>) -> Deletion<'a> {
    Deletion {
        address: orphan.address.clone(),
        schema: orphan.schema,
        observed: orphan.observed,
        after: BTreeSet::new(),
    }
}
