//! Unique values: changes and creates that need values which another live resource still has.

use std::collections::BTreeSet;

use super::context::PlanContext;
use super::hold::{Hold, Reason};
use super::radius::{list, may_replace, overlaps};
use crate::address::Address;
use crate::diff::Change;
use crate::document::Resource;
use crate::resolve::{ResolveContext, resolve};
use crate::value::Value;

/// The obstacle between a resource and its unique values.
pub(super) enum Clash {
    /// Another resource of the document has the values. The hold says whether it gives them up.
    Held(Hold),
    /// Resources wait for one another's values in a circle, and the replacement of this one is granted: these fields are
    /// freed by its deletion.
    Freed(&'static [&'static str]),
}

/// Finds another live resource of the document that has the unique values which a change or a create needs. AWS would
/// refuse the call.
///
/// # Expected flow
/// 1. If the other resource keeps the values, both want the same: a person has to decide (`AlreadyExists`).
/// 2. If the other resource changes its values, this one waits for it (`DependencyNotReady`).
/// 3. If the resources wait for one another in a circle, no order of updates works. The first one whose replacement is
///    granted is replaced, which frees its values. Without a grant, all are held (`AlreadyExists`).
pub(super) fn find_clash(context: &PlanContext<'_>, resource: &Resource, resolved: &Value) -> Option<Clash> {
    let fields = resource.schema.unique.iter().copied();
    let (fields, holder) = fields.into_iter().find_map(|f| Some((f, holder(context, resource, f, resolved)?)))?;
    let named = fields.join("`, `");
    let hold = |reason, message: String, waits_for: &Address| {
        let (address, waits_for) = (resource.address.clone(), Some(waits_for.clone()));
        Some(Clash::Held(Hold { address, reason, message, waits_for }))
    };
    let mut circle: Vec<&Resource> = vec![resource];
    let mut open = Some(holder);
    while let Some(next) = open {
        if circle.iter().any(|member| member.address == next.address) {
            break;
        }
        circle.push(next);
        let Some(desired) = desired(context, next) else { break };
        if next.address == holder.address && excludes(fields, &desired, resolved) {
            let message = format!("{} has the same `{named}`; change one of them", holder.address);
            return hold(Reason::AlreadyExists, message, &holder.address);
        }
        open = next.schema.unique.iter().find_map(|fields| self::holder(context, next, fields, &desired));
    }
    if open.is_none_or(|last| last.address != resource.address) {
        let message = format!("its new `{named}` is free once {} has changed", holder.address);
        return hold(Reason::DependencyNotReady, message, &holder.address);
    }
    let mut granted: BTreeSet<&Address> =
        circle.iter().filter(|r| may_replace(context, r)).map(|r| &r.address).collect();
    match granted.pop_first() {
        Some(first) if *first == resource.address => Some(Clash::Freed(fields)),
        Some(first) => {
            let message = format!("its new `{named}` is free once {first} is replaced");
            hold(Reason::DependencyNotReady, message, first)
        }
        None => {
            let others = list(circle.iter().skip(1).map(|member| &member.address));
            let way_out = format!(
                "change one of them to free values first, or grant the replacement of one: `--allow-replace {}`",
                resource.address
            );
            let message = format!("it and {others} exchange their `{named}`, and AWS refuses each change; {way_out}");
            hold(Reason::AlreadyExists, message, &holder.address)
        }
    }
}

/// Marks the changes of the fields that the deletion of the resource frees.
pub(super) fn mark_freed(changes: &mut [Change], fields: &[&str]) {
    for change in changes.iter_mut().filter(|change| fields.contains(&change.path.as_str())) {
        change.immutable = true;
    }
}

/// Returns the resource of the document whose live resource has these unique values.
fn holder<'a>(
    context: &PlanContext<'a>,
    resource: &Resource,
    fields: &[&str],
    desired: &Value,
) -> Option<&'a Resource> {
    let is_other = |other: &&Resource| {
        let same_place = other.schema.kind == resource.schema.kind && other.region == resource.region;
        same_place && other.address != resource.address && !other.is_lookup()
    };
    let live = context.inventory.active.iter().filter(|(address, _)| *address.kind == *resource.schema.kind);
    let mut holders = live.filter(|(_, live)| excludes(fields, &live.spec, desired));
    holders.find_map(|(address, _)| context.document.resources.get(address).filter(is_other))
}

/// Returns the desired spec of a resource that exists and is not replaced now.
fn desired(context: &PlanContext<'_>, resource: &Resource) -> Option<Value> {
    let identities = ResolveContext { live: &context.identities, created: &context.policy.created };
    resolve(&resource.address, resource.schema.record, &resource.spec, identities).ok()
}

/// True when two specs cannot exist at the same time, because each of the fields is stated in both and overlaps.
fn excludes(fields: &[&str], one: &Value, other: &Value) -> bool {
    fields.iter().all(|field| match (one.get(field), other.get(field)) {
        (Some(one), Some(other)) => !one.is_empty() && other.unknown().is_none() && overlaps(one, other),
        _ => false,
    })
}
