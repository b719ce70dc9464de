//! Orphans: the grants that their deletion needs.

use super::context::{PlanContext, Readiness};
use super::hold::Reason;
use crate::inventory::Orphan;

/// The reason why an orphan is retained.
pub(super) const RETAINED_TAG: &str = "its tag `holdfast:retained` says so";

/// The end of the holds of retained orphans.
const DELETE_ORPHANED_DATA: &str = "delete it with `--prune --delete-data`";

/// Returns the orphans whose deletion is granted.
pub(super) fn granted_orphans<'c, 'a>(
    context: &'c PlanContext<'a>,
) -> impl Iterator<Item = &'a Orphan<'a>> + use<'c, 'a> {
    deletable_orphans(context).filter(|orphan| refusal(context, orphan).is_none())
}

/// Returns the orphans that a call can delete now, with or without a grant.
pub(super) fn deletable_orphans<'c, 'a>(
    context: &'c PlanContext<'a>,
) -> impl Iterator<Item = &'a Orphan<'a>> + use<'c, 'a> {
    // A bound resource cannot be deleted by a call. An old child is deleted after the child that replaces it is
    // ready.
    let awaits_new_child = |orphan: &Orphan<'_>| {
        let is_child = !orphan.schema.ownership.is_own() && context.document.resources.contains_key(&orphan.address);
        is_child && context.readiness.get(&orphan.address) != Some(&Readiness::Ready)
    };
    context.inventory.orphans.iter().filter(move |orphan| !orphan.observed.bound && !awaits_new_child(orphan))
}

/// Returns the reason why the deletion of an orphan is not granted.
pub(super) fn refusal(context: &PlanContext<'_>, orphan: &Orphan<'_>) -> Option<(Reason, String)> {
    if !orphan.proven {
        return Some((Reason::OwnershipAmbiguous, unproven(orphan)));
    }
    let id = &orphan.observed.id;
    if orphan.retained && !context.policy.delete_data {
        let message = format!("{id} left the document and is kept, because {RETAINED_TAG}; {DELETE_ORPHANED_DATA}");
        return Some((Reason::Retained, message));
    }
    if context.document.resources.is_empty() {
        let message = format!("{id} is not deleted, because the document is empty; use `holdfast destroy`");
        return Some((Reason::EmptyDocument, message));
    }
    if !context.policy.prune && !context.document.policy.prune {
        let way_out = "grant its deletion with `--prune` or `policy: { prune: true }`";
        return Some((Reason::PruneNotAllowed, format!("{id} left the document; {way_out}")));
    }
    if orphan.schema.stateful && !context.policy.delete_data {
        let message = format!("{id} left the document and holds data; grant its deletion with `--delete-data`");
        return Some((Reason::PruneNotAllowed, message));
    }
    unconfirmed(context).map(|why| (Reason::DocumentUnconfirmed, format!("{id} left the document; {why}")))
}

/// Returns why the document may lack resources by mistake, and the way out; none when it is confirmed.
fn unconfirmed(context: &PlanContext<'_>) -> Option<String> {
    match &context.document.incomplete {
        Some(file) => Some(format!(
            "`{file}` does not end with a line end and may be cut short: end its last line to allow the deletion"
        )),
        None if context.policy.keep_removed => {
            Some("it is deleted in the next pass, unless the document changes before".to_owned())
        }
        None => None,
    }
}

/// Returns the message of a resource that may have only a copy of our tags.
pub(super) fn unproven(orphan: &Orphan<'_>) -> String {
    format!(
        "{} has the owner tags of this address, and nothing proves that this stack made it; tags can be copied, so it is \
         not deleted; delete it manually, or remove its tag `holdfast:address`",
        orphan.observed.id
    )
}
