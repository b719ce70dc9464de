//! The order of deletions: each resource is deleted after the resources that refer to it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ptr;

use super::context::{PlanContext, Readiness};
use super::hold::{Hold, Reason};
use super::users::{Deletion, LiveUsers, User, UsersOf};
use super::{Action, Cause, Step};
use crate::address::Address;
use crate::graph::{can_refer, has_documents};
use crate::observed::{Observed, Phase};
use crate::operation::{Mutation, Operation};
use crate::schema::{Replacement, Schema};

/// Orders the deletions: each resource is deleted after the resources that refer to it.
///
/// # Expected flow
/// 1. Bound resources are left out, and keep no other resource: they end with the resource that they refer to.
/// 2. A resource is held (`ObservationFailed`) if a kind that could not be observed in its region may refer to it.
/// 3. A resource is held (`DependencyNotReady`) while a resource that is not deleted, and that no step changes,
///    refers to it: in a reference field, in a policy or another text, or in an expression of the document. This repeats
///    until no such resource is left, because a held resource keeps the resources that it refers to.
/// 4. The other resources become steps. Each step waits for the deletion of its users, for the steps of the users
///    that stop referring to it, and for the users that AWS is deleting already. The latter are held (`Deleting`).
///
/// # Guarantees
/// - A resource is not deleted while a resource that is not bound to it is known to refer to it, so AWS does not
///   refuse the deletion.
/// - The references come from the live specs, so the order is right although the document may contain neither
///   resource any more. The `dependsOn` of the document counts as a reference between the active resources of both
///   addresses.
/// - The steps do not wait for each other in a cycle. Of resources that refer to each other, one is deleted first. AWS
///   does not check a reference in a text, so such a reference gives way to those that AWS checks.
///
/// # Assumptions
/// The driver of a kind whose resources can refer to each other removes those references before it deletes a
/// resource.
///
/// # Caveats
/// References from resources of kinds that Holdfast does not observe are not known. AWS refuses such a deletion,
/// and the step is retried.
pub(super) fn order_deletions<'a>(context: &mut PlanContext<'a>, deletions: Vec<Deletion<'a>>) {
    let deletions = hold_unobserved(context, deletions);
    if deletions.is_empty() {
        return;
    }
    let deletions = hold_used(context, deletions);
    let deleting = deleting_users(context, &deletions);
    let edges = edges(context, &deletions, &deleting);
    let ids: BTreeMap<&Address, &str> =
        deleting.iter().flatten().map(|user| (user.address, user.observed.id.as_str())).collect();
    let is_deleting = |hold: &&Hold| hold.reason == Reason::Deleting;
    let held: HashSet<Address> =
        context.plan.holds.iter().filter(is_deleting).map(|hold| hold.address.clone()).collect();
    for (address, id) in ids.into_iter().filter(|(address, _)| !held.contains(address)) {
        context.hold(address, Reason::Deleting, format!("{id} is being deleted"), None);
    }
    for (one, _) in deletions {
        let after = edges.get(&one.address).cloned().unwrap_or_default();
        add_deletion(context, one.schema, &one.address, one.observed, after);
    }
}

/// Holds the resources to which a kind that could not be observed may refer, and returns the others. Unknown is not
/// absent. Bound resources are left out.
fn hold_unobserved<'a>(context: &mut PlanContext<'a>, deletions: Vec<Deletion<'a>>) -> Vec<Deletion<'a>> {
    let declared: HashSet<(&str, &str)> = match context.inventory.unobserved.is_empty() {
        true => HashSet::new(),
        false => context.document.resources.values().map(|r| (r.schema.kind, r.region.as_str())).collect(),
    };
    let mut others = vec![];
    for one in deletions.into_iter().filter(|one| !one.observed.bound) {
        let can_see = |schema: &Schema, region| schema.global || one.schema.global || region == one.observed.region;
        let unobserved = context.inventory.unobserved.iter().filter(|(schema, region)| can_see(schema, *region));
        // The document says what its own resources refer to. A resource that left it may be named in any document.
        let can_name = |schema: &Schema, region: &str| {
            !context.document.resources.contains_key(&one.address)
                && declared.contains(&(schema.kind, region))
                && has_documents(schema.record)
        };
        let mut users = unobserved.map(|(schema, region)| (*schema, *region));
        let is_user = |(schema, region): &(&'static Schema, &str)| {
            can_refer(schema.record, one.schema.kind) || can_name(schema, region)
        };
        let Some((user, _)) = users.find(is_user) else {
            others.push(one);
            continue;
        };
        let (id, kind) = (&one.observed.id, user.kind);
        let message = format!("{id} is not deleted while {kind}, which may refer to it, cannot be observed");
        context.hold(&one.address, Reason::ObservationFailed, message, None);
    }
    others
}

/// Holds the resources that have a user which is not deleted and which no step changes. Returns the others, with their
/// users.
///
/// A held resource keeps the resources that it refers to, so these are checked again.
fn hold_used<'a>(context: &mut PlanContext<'a>, deletions: Vec<Deletion<'a>>) -> Vec<(Deletion<'a>, UsersOf)> {
    let live = context.live_users();
    let users = live.of(context.prepared, &deletions);
    let mut deletions: Vec<Option<(Deletion<'a>, UsersOf)>> = deletions.into_iter().zip(users).map(Some).collect();
    let mut left: HashSet<*const Observed> =
        deletions.iter().flatten().map(|(one, _)| ptr::from_ref(one.observed)).collect();
    // For each deletion, the deletions of the resources that it refers to.
    let mut kept_by: HashMap<*const Observed, Vec<usize>> = HashMap::new();
    for (at, (_, users)) in deletions.iter().flatten().enumerate() {
        for user in users.all().into_iter().map(|user| ptr::from_ref(live.users[user].observed)) {
            if left.contains(&user) {
                kept_by.entry(user).or_default().push(at);
            }
        }
    }
    let keeper = |users: &UsersOf, left: &HashSet<*const Observed>| {
        let mut users = users.all().into_iter().map(|user| live.users[user]);
        users.find(|user| {
            let is_deleted = user.observed.bound || left.contains(&ptr::from_ref(user.observed));
            !is_deleted && !is_progressing(context, user.address)
        })
    };
    let is_used = |(_, (_, users)): &(usize, &(Deletion<'_>, UsersOf))| keeper(users, &left).is_some();
    let mut used: BTreeSet<usize> = deletions.iter().flatten().enumerate().filter(is_used).map(|(at, _)| at).collect();
    let mut holds = vec![];
    while let Some(at) = used.pop_first() {
        let Some((one, users)) = deletions[at].take() else { continue };
        let Some(user) = keeper(&users, &left) else { continue };
        left.remove(&ptr::from_ref(one.observed));
        for kept in kept_by.get(&ptr::from_ref(one.observed)).into_iter().flatten() {
            if deletions[*kept].as_ref().is_some_and(|(_, users)| keeper(users, &left).is_some()) {
                used.insert(*kept);
            }
        }
        let message = format!("{} is not deleted while {} refers to it", one.observed.id, user.address);
        holds.push((one.address, message, user.address.clone()));
    }
    for (address, message, user) in holds {
        context.hold(&address, Reason::DependencyNotReady, message, Some(user));
    }
    deletions.into_iter().flatten().collect()
}

/// Returns for each deletion the resources that AWS is deleting and that still refer to it. They need it until their
/// deletion is complete. A revision is only a description, and may be deleted before the resources that run it.
fn deleting_users<'a>(context: &PlanContext<'a>, deletions: &[(Deletion<'a>, UsersOf)]) -> Vec<Vec<User<'a>>> {
    let deleting = LiveUsers::of_orphans(&context.inventory.all_deleting);
    let users = |(one, _): &(Deletion<'_>, UsersOf)| match one.schema.replacement {
        Replacement::Revision { .. } => vec![],
        _ => {
            let users = deleting.referring_to(one).into_iter().map(|at| deleting.users[at]);
            users.filter(|user| *user.address != one.address).collect()
        }
    };
    deletions.iter().map(users).collect()
}

/// Returns for each address the addresses whose deletions or changes its deletion waits for.
///
/// Resources that refer to each other are deleted one after the other: an edge that closes a cycle is left out.
fn edges(
    context: &PlanContext<'_>,
    deletions: &[(Deletion<'_>, UsersOf)],
    deleting: &[Vec<User<'_>>],
) -> BTreeMap<Address, BTreeSet<Address>> {
    let live = context.live_users();
    let deleted: HashMap<*const Observed, usize> =
        deletions.iter().enumerate().map(|(at, (one, _))| (ptr::from_ref(one.observed), at)).collect();
    let position = |user: &usize| deleted.get(&ptr::from_ref(live.users[*user].observed)).copied();
    let deleted_at = |users: BTreeSet<usize>| users.into_iter().map(|at| &deletions[at].0.address);
    let mut pairs: Vec<(&Address, &Address)> = vec![];
    // The references that AWS does not check come last, so that they give way if they close a cycle.
    let mut unchecked: Vec<(&Address, &Address)> = vec![];
    for ((one, users), deleting) in deletions.iter().zip(deleting) {
        let first = deleted_at(users.referring.union(&users.depending).filter_map(position).collect());
        let others = users.referring.union(&users.naming).filter(|user| position(user).is_none());
        let changing = others.map(|user| live.users[*user].address).filter(|user| is_progressing(context, user));
        let deleting = deleting.iter().map(|user| user.address);
        let waits_for = first.chain(changing).chain(deleting).chain(&one.after);
        pairs.extend(waits_for.filter(|user| **user != one.address).map(|user| (&one.address, user)));
        let naming = deleted_at(users.naming.iter().filter_map(position).collect());
        unchecked.extend(naming.filter(|user| **user != one.address).map(|user| (&one.address, user)));
    }
    pairs.extend(unchecked);
    let cyclic = cyclic(&pairs);
    let mut edges: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for (one, user) in pairs {
        let may_close_a_cycle = cyclic.contains(one) && cyclic.contains(user);
        if !may_close_a_cycle || !reaches(&edges, &cyclic, user, one) {
            edges.entry(one.clone()).or_default().insert(user.clone());
        }
    }
    edges
}

/// Returns the addresses that wait for a cycle, directly or through others. An edge between other addresses closes none.
fn cyclic<'p>(pairs: &[(&'p Address, &'p Address)]) -> HashSet<&'p Address> {
    let mut waits: HashMap<&Address, usize> = HashMap::new();
    let mut waiting: HashMap<&Address, Vec<&Address>> = HashMap::new();
    for (one, user) in pairs {
        *waits.entry(one).or_default() += 1;
        waits.entry(user).or_default();
        waiting.entry(user).or_default().push(one);
    }
    let mut free: Vec<&Address> = waits.iter().filter(|(_, count)| **count == 0).map(|(address, _)| *address).collect();
    while let Some(address) = free.pop() {
        for one in waiting.get(address).into_iter().flatten() {
            if let Some(count) = waits.get_mut(one) {
                *count -= 1;
                if *count == 0 {
                    free.push(one);
                }
            }
        }
    }
    waits.into_iter().filter(|(_, count)| *count > 0).map(|(address, _)| address).collect()
}

/// True when `from` waits for `to`, directly or through other addresses of cycles.
fn reaches(
    edges: &BTreeMap<Address, BTreeSet<Address>>,
    cyclic: &HashSet<&Address>,
    from: &Address,
    to: &Address,
) -> bool {
    let mut visited = HashSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if visited.insert(at) {
            open.extend(edges.get(at).into_iter().flatten().filter(|next| cyclic.contains(*next)));
        }
    }
    false
}

/// True when a step or AWS is changing the resource, so that its references may change.
pub(super) fn is_progressing(context: &PlanContext<'_>, address: &Address) -> bool {
    context.readiness.get(address) == Some(&Readiness::Progressing)
}

/// Adds the step that deletes a live resource, unless AWS is deleting it already.
pub(super) fn add_deletion(
    context: &mut PlanContext<'_>,
    schema: &'static Schema,
    address: &Address,
    observed: &Observed,
    after: BTreeSet<Address>,
) {
    if observed.phase == Phase::Deleting {
        return;
    }
    let mutation = Mutation::Delete { live: Box::new(observed.clone()) };
    context.plan.steps.push(Step {
        address: address.clone(),
        tier: schema.tier,
        action: Action::Delete,
        cause: Cause::Edit,
        changes: vec![],
        after,
        operation: Some(Operation { kind: schema.kind, region: observed.region.clone(), mutation }),
    });
}
