//! Deletions: of superseded generations, of orphans and old revisions, and of everything when the stack is destroyed.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::{Hold, Reason};
use super::planner::{Planner, Readiness};
use super::{Action, Cause, Step};
use crate::address::Address;
use crate::document::{OnDelete, Resource};
use crate::graph::{can_refer, live_references};
use crate::inventory::Orphan;
use crate::observed::{Observed, Phase};
use crate::operation::{Mutation, Operation};
use crate::schema::{Replacement, Schema};
use crate::value::Value;

/// The end of the holds of protected resources.
const UNPROTECT: &str = "protected; remove `lifecycle: { protect: true }` to allow its deletion";

/// The end of the holds of retained resources.
const DELETE_DATA: &str = "delete it with `--delete-data`";
const DELETE_ORPHANED_DATA: &str = "delete it with `--prune --delete-data`";

/// The reason why an orphan is retained.
const RETAINED_TAG: &str = "its tag `holdfast:retained` says so";

/// A live resource to delete.
struct Deletion<'a> {
    address: Address,
    schema: &'static Schema,
    observed: &'a Observed,
    /// The addresses whose steps come first, in addition to those that follow from the live specs.
    after: BTreeSet<Address>,
}

impl<'a> Planner<'a> {
    /// Deletes superseded generations, orphans and old revisions, each after its last user.
    pub(super) fn prune(&mut self) {
        let mut deletions = self.superseded();
        deletions.extend(self.orphans());
        self.delete(deletions);
        let active: Vec<Address> = self.inventory.active.keys().cloned().collect();
        for address in active {
            if self.readiness.get(&address) == Some(&Readiness::Ready) {
                self.delete_revisions(&address, true);
            }
        }
    }

    /// Returns the superseded generations and duplicates to delete.
    fn superseded(&mut self) -> Vec<Deletion<'a>> {
        let mut deletions = vec![];
        for (address, older) in &self.inventory.superseded {
            let Some(resource) = self.document.resources.get(address) else { continue };
            if self.readiness.get(address) != Some(&Readiness::Ready) {
                continue;
            }
            for observed in older.iter().copied().filter(|o| o.phase != Phase::Deleting) {
                if resource.lifecycle.protect {
                    let message = format!("{} was replaced and is kept, because it is {UNPROTECT}", observed.id);
                    self.hold(address, Reason::Protected, message, None);
                } else if self.is_retained(resource) {
                    let why = why_retained(resource);
                    let message = format!("{} was replaced and is kept, because {why}; {DELETE_DATA}", observed.id);
                    self.hold(address, Reason::Retained, message, None);
                } else {
                    let after = self.unready_dependents(address);
                    deletions.push(Deletion { address: address.clone(), schema: resource.schema, observed, after });
                }
            }
        }
        deletions
    }

    /// Returns the dependents of an address that may not refer to its newest generation yet.
    fn unready_dependents(&self, address: &Address) -> BTreeSet<Address> {
        let dependents = self.prepared.dependents(address).iter();
        let unready = dependents.filter(|r| self.readiness.get(&r.address) != Some(&Readiness::Ready));
        unready.map(|r| r.address.clone()).collect()
    }

    /// True when the resource is retained, and the deletion of data is not granted.
    fn is_retained(&self, resource: &Resource) -> bool {
        resource.on_delete() == OnDelete::Retain && !self.policy.delete_data
    }

    /// Deletes old revisions. With `keep_recent` the kind's number of revisions is kept; otherwise all revisions but
    /// the newest are deleted.
    fn delete_revisions(&mut self, address: &Address, keep_recent: bool) {
        let (Some(resource), Some(live)) = (self.document.resources.get(address), self.inventory.active.get(address))
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
        let after = if keep_recent { self.unready_dependents(address) } else { BTreeSet::new() };
        let surplus: Vec<&str> = older.skip(if keep_recent { keep.saturating_sub(1) } else { 0 }).collect();
        // A service that was rolled back may run an older revision.
        let is_kept = |id: &&str| keep_recent && self.is_run(resource, id);
        let surplus: Vec<&str> = surplus.into_iter().filter(|id| !is_kept(id)).collect();
        for id in surplus {
            let old = Observed { id: id.to_owned(), ..(*live).clone() };
            self.push_delete(resource.schema, address, &old, after.clone());
        }
    }

    /// True when a resource that no step changes runs this revision.
    fn is_run(&self, revisions: &Resource, id: &str) -> bool {
        let kind = revisions.schema.kind;
        let mut others = self.live().filter(|(address, ..)| !self.is_progressing(address));
        others.any(|(_, schema, live)| {
            live_references(schema.record, &live.spec).iter().any(|(of, identity)| *of == kind && identity == id)
        })
    }

    /// Returns the orphans whose deletion is granted, and holds the others.
    fn orphans(&mut self) -> Vec<Deletion<'a>> {
        let mut deletions = vec![];
        // A bound resource cannot be deleted by a call. An old child is deleted after the child that replaces it is
        // ready.
        let awaits_new_child = |orphan: &&Orphan<'_>| {
            let is_child = !orphan.schema.ownership.is_own() && self.document.resources.contains_key(&orphan.address);
            is_child && self.readiness.get(&orphan.address) != Some(&Readiness::Ready)
        };
        let orphans =
            self.inventory.orphans.iter().filter(|orphan| !orphan.observed.bound && !awaits_new_child(orphan));
        for orphan in orphans.collect::<Vec<_>>() {
            let id = &orphan.observed.id;
            let held = match () {
                () if orphan.retained && !self.policy.delete_data => {
                    let message =
                        format!("{id} left the document and is kept, because {RETAINED_TAG}; {DELETE_ORPHANED_DATA}");
                    Some((Reason::Retained, message))
                }
                () if self.document.resources.is_empty() => {
                    let message = format!("{id} is not deleted, because the document is empty; use `holdfast destroy`");
                    Some((Reason::EmptyDocument, message))
                }
                () if !self.policy.prune && !self.document.policy.prune => {
                    let way_out = "grant its deletion with `--prune` or `policy: { prune: true }`";
                    Some((Reason::PruneNotAllowed, format!("{id} left the document; {way_out}")))
                }
                () if orphan.schema.stateful && !self.policy.delete_data => {
                    let message =
                        format!("{id} left the document and holds data; grant its deletion with `--delete-data`");
                    Some((Reason::PruneNotAllowed, message))
                }
                () => None,
            };
            match held {
                Some((reason, message)) => self.hold(&orphan.address, reason, message, None),
                None => deletions.push(deletion(orphan)),
            }
        }
        let (count, max) = (deletions.len(), self.document.policy.max_deletions);
        if count > max {
            for deletion in deletions.drain(..) {
                let way_out = "raise `policy.maxDeletions`";
                let message = format!("{count} resources would be deleted, and one pass may delete {max}; {way_out}");
                self.hold(&deletion.address, Reason::DeletionLimitExceeded, message, None);
            }
        }
        deletions
    }

    /// Deletes everything that the stack owns.
    pub(super) fn destroy(&mut self, order: &[Address]) {
        let mut deletions = vec![];
        for address in order {
            let Some(resource) = self.document.resources.get(address).filter(|r| !r.is_lookup()) else { continue };
            let unobserved = self.inventory.holds.get(address).filter(|h| h.reason == Reason::ObservationFailed);
            let transient = self.policy.holds.get(address).filter(|h| h.reason.is_transient());
            if let Some(hold) = unobserved.or(transient) {
                self.plan.holds.push(hold.clone());
            }
            if let Some(deleting) = self.inventory.deleting.get(address) {
                self.hold(address, Reason::Deleting, format!("{} is being deleted", deleting.id), None);
            }
            let live = self.inventory.active.get(address).into_iter().chain(self.inventory.replacement.get(address));
            let older = self.inventory.superseded.get(address).into_iter().flatten();
            for observed in live.chain(older).copied() {
                if resource.lifecycle.protect {
                    self.hold(address, Reason::Protected, format!("{} is {UNPROTECT}", observed.id), None);
                } else if self.is_retained(resource) {
                    let message = format!("{} is kept, because {}; {DELETE_DATA}", observed.id, why_retained(resource));
                    self.hold(address, Reason::Retained, message, None);
                } else {
                    let after = BTreeSet::new();
                    deletions.push(Deletion { address: address.clone(), schema: resource.schema, observed, after });
                    self.delete_revisions(address, false);
                }
            }
        }
        for orphan in &self.inventory.orphans {
            if orphan.retained && !self.policy.delete_data {
                let message = format!("{} is kept, because {RETAINED_TAG}; {DELETE_DATA}", orphan.observed.id);
                self.hold(&orphan.address, Reason::Retained, message, None);
            } else {
                deletions.push(deletion(orphan));
            }
        }
        self.delete(deletions);
    }

    /// Orders the deletions: each resource is deleted after the resources that refer to it.
    ///
    /// # Expected flow
    /// 1. Bound resources are left out, and keep no other resource: they end with the resource that they refer to.
    /// 2. A resource is held (`ObservationFailed`) if a kind that could not be observed in its region may refer to it.
    /// 3. A resource is held (`DependencyNotReady`) while a resource that is not deleted, and that no step changes,
    ///    refers to it. This repeats until no such resource is left, because a held resource keeps the resources that
    ///    it refers to.
    /// 4. The other resources become steps. Each step waits for the deletion of its users, for the steps of the users
    ///    that stop referring to it, and for the users that AWS is deleting already. The latter are held (`Deleting`).
    ///
    /// # Guarantees
    /// - A resource is not deleted while a resource that is not bound to it is known to refer to it, so AWS does not
    ///   refuse the deletion.
    /// - The references come from the live specs, so the order is right although the document may contain neither
    ///   resource any more. The `dependsOn` of the document counts as a reference between the active resources of both
    ///   addresses.
    /// - The steps do not wait for each other in a cycle. Of resources that refer to each other, one is deleted first.
    ///
    /// # Assumptions
    /// The driver of a kind whose resources can refer to each other removes those references before it deletes a
    /// resource.
    ///
    /// # Caveats
    /// References from resources of kinds that Holdfast does not observe are not known. AWS refuses such a deletion,
    /// and the step is retried.
    fn delete(&mut self, deletions: Vec<Deletion<'a>>) {
        // Unknown is not absent: a resource that could not be observed may refer to this one.
        let inventory = self.inventory;
        let unobserved_user = |one: &Deletion<'_>| {
            let may_refer =
                |schema: &Schema, region| schema.global || one.schema.global || region == one.observed.region;
            let mut unobserved = inventory.unobserved.iter().filter(|(schema, region)| may_refer(schema, *region));
            unobserved.find(|(schema, _)| can_refer(schema.record, one.schema.kind)).map(|(schema, _)| schema.kind)
        };
        let deletions = deletions.into_iter().filter(|one| !one.observed.bound);
        let (blocked, mut deletions): (Vec<_>, Vec<_>) = deletions.partition(|one| unobserved_user(one).is_some());
        for one in blocked {
            let kind = unobserved_user(&one).unwrap_or_default();
            let message =
                format!("{} is not deleted while {kind}, which may refer to it, cannot be observed", one.observed.id);
            self.hold(&one.address, Reason::ObservationFailed, message, None);
        }
        while let Some((blocked, user)) = self.blocked(&deletions) {
            let one = deletions.remove(blocked);
            let message = format!("{} is not deleted while {user} refers to it", one.observed.id);
            self.hold(&one.address, Reason::DependencyNotReady, message, Some(user));
        }
        let mut edges: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for one in &deletions {
            let users = deletions.iter().filter(|other| {
                refers(other.schema, other.observed, one) || self.depends(&other.address, other.observed, one)
            });
            let changing = self.live().filter(|(address, schema, live)| {
                !is_deleted(&deletions, live) && refers(schema, live, one) && self.is_progressing(address)
            });
            let users = users.map(|other| other.address.clone()).chain(changing.map(|(address, ..)| address.clone()));
            // A resource that is being deleted needs the resources that it refers to until its deletion is complete.
            let deleting = self.deleting_users(one).into_iter().map(|(address, _)| address.clone());
            let users = users.chain(deleting);
            for user in users.chain(one.after.iter().cloned()).filter(|user| *user != one.address) {
                // Resources that refer to each other are deleted one after the other: an edge that closes a cycle is
                // left out.
                if !reaches(&edges, &user, &one.address) {
                    edges.entry(one.address.clone()).or_default().insert(user);
                }
            }
        }
        for (address, id) in deletions.iter().flat_map(|one| self.deleting_users(one)).collect::<BTreeMap<_, _>>() {
            let is_held = |hold: &Hold| hold.address == *address && hold.reason == Reason::Deleting;
            if !self.plan.holds.iter().any(is_held) {
                self.hold(address, Reason::Deleting, format!("{id} is being deleted"), None);
            }
        }
        for one in deletions {
            let after = edges.get(&one.address).cloned().unwrap_or_default();
            self.push_delete(one.schema, &one.address, one.observed, after);
        }
    }

    /// Returns the resources that are being deleted and still refer to a resource to delete, by address and id. A
    /// revision is only a description, and may be deleted before the resources that run it.
    fn deleting_users(&self, one: &Deletion<'_>) -> Vec<(&'a Address, &'a str)> {
        let users = self.inventory.all_deleting.iter().filter(|users| refers(users.schema, users.observed, one));
        let users = users.filter(|users| users.address != one.address);
        match one.schema.replacement {
            Replacement::Revision { .. } => vec![],
            _ => users.map(|users| (&users.address, users.observed.id.as_str())).collect(),
        }
    }

    /// Returns the index of a deletion that is blocked by a user which is not deleted and which no step changes, and
    /// the address of the user.
    fn blocked(&self, deletions: &[Deletion<'a>]) -> Option<(usize, Address)> {
        deletions.iter().enumerate().find_map(|(at, one)| {
            let user = self.live().find(|(address, schema, live)| {
                let needs = !live.bound && (refers(schema, live, one) || self.depends(address, live, one));
                needs && !is_deleted(deletions, live) && !self.is_progressing(address)
            });
            user.map(|(address, ..)| (at, address.clone()))
        })
    }

    /// True when the `dependsOn` of the document orders two live resources. It applies to the active resources of both
    /// addresses, and not to older generations or resources in other regions.
    fn depends(&self, address: &Address, live: &Observed, on: &Deletion<'_>) -> bool {
        let is_active = |address: &Address, live| {
            self.inventory.active.get(address).is_some_and(|active| std::ptr::eq(*active, live))
        };
        let stated = self.document.resources.get(address).is_some_and(|r| r.depends_on.contains(&on.address));
        stated && is_active(address, live) && is_active(&on.address, on.observed)
    }

    /// Returns all live resources: those of the document, their older and newer generations, and orphans.
    fn live(&self) -> impl Iterator<Item = (&'a Address, &'static Schema, &'a Observed)> {
        let inventory = self.inventory;
        let document = self.document;
        let single = inventory.active.iter().chain(&inventory.replacement).map(|(address, live)| (address, *live));
        let older =
            inventory.superseded.iter().flat_map(|(address, older)| older.iter().map(move |live| (address, *live)));
        let known = single
            .chain(older)
            .filter_map(move |(address, live)| Some((address, document.resources.get(address)?.schema, live)));
        known.chain(inventory.orphans.iter().map(|orphan| (&orphan.address, orphan.schema, orphan.observed)))
    }

    /// True when a step or AWS is changing the resource, so that its references may change.
    fn is_progressing(&self, address: &Address) -> bool {
        self.readiness.get(address) == Some(&Readiness::Progressing)
    }

    fn push_delete(
        &mut self,
        schema: &'static Schema,
        address: &Address,
        observed: &Observed,
        after: BTreeSet<Address>,
    ) {
        if observed.phase == Phase::Deleting {
            return;
        }
        let mutation = Mutation::Delete { live: Box::new(observed.clone()) };
        self.plan.steps.push(Step {
            address: address.clone(),
            tier: schema.tier,
            action: Action::Delete,
            cause: Cause::Edit,
            changes: vec![],
            after,
            operation: Some(Operation { kind: schema.kind, region: observed.region.clone(), mutation }),
        });
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

fn is_deleted(deletions: &[Deletion<'_>], live: &Observed) -> bool {
    deletions.iter().any(|one| std::ptr::eq(one.observed, live))
}

/// True when a live resource refers to a resource to delete.
fn refers(schema: &Schema, live: &Observed, to: &Deletion<'_>) -> bool {
    if std::ptr::eq(live, to.observed) || !(to.schema.global || schema.global || live.region == to.observed.region) {
        return false;
    }
    let identities = ["id", "arn", "name"].map(|attribute| to.observed.attribute(attribute));
    live_references(schema.record, &live.spec).into_iter().any(|(kind, identity)| {
        kind == to.schema.kind && identities.iter().flatten().any(|i| i.text() == Some(&identity))
    })
}

/// True when `from` waits for `to`, directly or through others.
fn reaches(edges: &BTreeMap<Address, BTreeSet<Address>>, from: &Address, to: &Address) -> bool {
    let mut visited = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if visited.insert(at) {
            open.extend(edges.get(at).into_iter().flatten());
        }
    }
    false
}
