//! The limit `policy.maxDeletions`: all deletions of a pass count, also those of replacements.
//!
//! Old revisions do not count, because a revision is only a description. The deletions of `destroy` do not count, because
//! its confirmation grants all of them.

use std::collections::BTreeSet;

use super::Action;
use super::context::PlanContext;
use super::hold::Reason;
use super::orphans::granted_orphans;
use super::users::Deletion;
use crate::observed::{Observed, Phase};

/// A resource to delete: its kind and its id.
type Key<'a> = (&'static str, &'a str);

/// Returns the message of the hold of all replacements, if the pass would delete more resources than it may, and a
/// replacement is among the causes.
///
/// A replacement counts before it begins, because its old resource would otherwise remain beside the new one.
pub(super) fn exceeded_by_replacements(context: &PlanContext<'_>) -> Option<String> {
    let replacements = context.plan.steps.iter().filter(|step| step.action == Action::Replace);
    let mut keys: BTreeSet<Key<'_>> = BTreeSet::new();
    for address in replacements.map(|step| &step.address) {
        let resource = context.document.resources.get(address)?;
        keys.extend(context.inventory.active.get(address).map(|live| (resource.schema.kind, live.id.as_str())));
    }
    if keys.is_empty() {
        return None;
    }
    for (address, older) in &context.inventory.superseded {
        let Some(resource) = context.document.resources.get(address) else { continue };
        let older = older.iter().filter(|o| o.phase != Phase::Deleting);
        keys.extend(older.map(|o| (resource.schema.kind, o.id.as_str())));
    }
    keys.extend(granted_orphans(context).map(|orphan| (orphan.schema.kind, orphan.observed.id.as_str())));
    keys.extend(begun(context));
    let (count, max) = (keys.len(), context.document.policy.max_deletions);
    (count > max).then(|| message("deleted or replaced", count, max))
}

/// Holds the deletions that exceed the limit, and returns the others.
///
/// The old resources of replacements are deleted first, up to the limit, because their deletion was granted with the
/// replacement; the next pass continues. Of the others, none is deleted if one of them exceeds the limit: a document that
/// lost a component has to be corrected.
pub(super) fn hold_beyond_limit<'a>(context: &mut PlanContext<'a>, deletions: Vec<Deletion<'a>>) -> Vec<Deletion<'a>> {
    let begun: BTreeSet<Key<'_>> = begun(context).collect();
    let is_new = |one: &Deletion<'_>| !begun.contains(&(one.schema.kind, one.observed.id.as_str()));
    let is_superseded = |one: &Deletion<'_>| {
        let older = context.inventory.superseded.get(&one.address).into_iter().flatten();
        older.copied().any(|observed: &Observed| std::ptr::eq(observed, one.observed))
    };
    let max = context.document.policy.max_deletions;
    let mut left = max.saturating_sub(begun.len());
    let count = begun.len() + deletions.iter().filter(|one| is_new(one)).count();
    let (superseded, others): (Vec<_>, Vec<_>) = deletions.into_iter().partition(is_superseded);
    let (mut allowed, mut held) = (vec![], vec![]);
    for one in superseded {
        match is_new(&one) {
            true if left == 0 => held.push(one),
            true => {
                left -= 1;
                allowed.push(one);
            }
            false => allowed.push(one),
        }
    }
    let (new, continued): (Vec<_>, Vec<_>) = others.into_iter().partition(is_new);
    if new.len() > left {
        held.extend(new)
    } else {
        allowed.extend(new)
    }
    allowed.extend(continued);
    for one in held {
        context.hold(&one.address, Reason::DeletionLimitExceeded, message("deleted", count, max), None);
    }
    allowed
}

/// Returns the resources whose deletion this pass has begun.
fn begun<'a>(context: &PlanContext<'a>) -> impl Iterator<Item = Key<'a>> + use<'a> {
    context.policy.deleted.iter().map(|(kind, id)| (*kind, id.as_str()))
}

fn message(verb: &str, count: usize, max: usize) -> String {
    format!("{count} resources would be {verb}, and one pass may delete {max}; raise `policy.maxDeletions`")
}
