//! Deletions: what a newer generation replaced, what left the document, and everything, when asked.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::{Hold, Reason};
use super::planner::{Planner, Standing};
use super::{Action, Cause, Deed, Step};
use crate::address::Address;
use crate::document::{OnDelete, Resource};
use crate::graph::{can_refer, live_references};
use crate::observed::{Observed, Phase};
use crate::op::Op;
use crate::schema::{Replace, Schema};
use crate::situation::Orphan;
use crate::value::Value;

/// Something to delete.
struct Doomed<'a> {
    address: Address,
    schema: &'static Schema,
    observed: &'a Observed,
    /// What has to be done first, besides what the live specs tell.
    after: BTreeSet<Address>,
}

impl<'a> Planner<'a> {
    /// Deletes what a newer generation replaced and what left the document, each when nobody needs it any more.
    pub(super) fn prune(&mut self) {
        let mut doomed = self.superseded();
        doomed.extend(self.orphans());
        self.delete(doomed);
        let current: Vec<Address> = self.situation.current.keys().cloned().collect();
        for address in current {
            if self.standing.get(&address) == Some(&Standing::Settled) {
                self.delete_revisions(&address, true);
            }
        }
    }

    fn superseded(&mut self) -> Vec<Doomed<'a>> {
        let mut doomed = vec![];
        for (address, older) in &self.situation.superseded {
            let Some(resource) = self.document.resources.get(address) else { continue };
            if self.standing.get(address) != Some(&Standing::Settled) {
                continue;
            }
            for observed in older.iter().copied().filter(|o| o.phase != Phase::Deleting) {
                if resource.lifecycle.protect {
                    self.hold(
                        address,
                        Reason::Protected,
                        format!("{} was replaced and is protected", observed.id),
                        None,
                    );
                } else if self.keeps_data(resource) {
                    let message =
                        format!("{} was replaced and holds data; delete it with `--delete-data`", observed.id);
                    self.hold(address, Reason::Retained, message, None);
                } else {
                    let after = self.moving(address);
                    doomed.push(Doomed { address: address.clone(), schema: resource.schema, observed, after });
                }
            }
        }
        doomed
    }

    /// The referrers of an address that have not moved to its newest generation yet.
    fn moving(&self, address: &Address) -> BTreeSet<Address> {
        let referrers = self.document.resources.values().filter(|r| r.references().contains_key(address));
        let moving = referrers.filter(|r| self.standing.get(&r.address) != Some(&Standing::Settled));
        moving.map(|r| r.address.clone()).collect()
    }

    /// True when deleting it would lose data that nobody gave up.
    fn keeps_data(&self, resource: &Resource) -> bool {
        resource.on_delete() == OnDelete::Retain && !self.policy.delete_data
    }

    /// Deletes the revisions past those that stay; all but the live one when everything goes.
    fn delete_revisions(&mut self, address: &Address, keeping: bool) {
        let (Some(resource), Some(live)) = (self.document.resources.get(address), self.situation.current.get(address))
        else {
            return;
        };
        let (Replace::Revision { keep }, Some(Value::List(revisions))) =
            (resource.schema.replace, live.status.get("revisions"))
        else {
            return;
        };
        // Newest first; the newest itself may or may not be among them.
        let older = revisions.iter().filter_map(Value::text).filter(|id| *id != live.id);
        let after = if keeping { self.moving(address) } else { BTreeSet::new() };
        let beyond: Vec<&str> = older.skip(if keeping { keep.saturating_sub(1) } else { 0 }).collect();
        // What was rolled back runs an older one, for as long as it takes.
        let stays = |id: &&str| keeping && self.is_run(resource, id);
        let beyond: Vec<&str> = beyond.into_iter().filter(|id| !stays(id)).collect();
        for id in beyond {
            let old = Observed { id: id.to_owned(), ..(*live).clone() };
            self.push_delete(resource.schema, address, &old, after.clone());
        }
    }

    /// True when something that stays as it is runs this revision.
    fn is_run(&self, revisions: &Resource, id: &str) -> bool {
        let kind = revisions.schema.kind;
        let mut others = self.live().filter(|(address, ..)| !self.is_moving(address));
        others.any(|(_, schema, live)| {
            live_references(schema.record, &live.spec).iter().any(|(of, identity)| *of == kind && identity == id)
        })
    }

    /// What is ours by its tags and not in the document, where its deletion is granted.
    fn orphans(&mut self) -> Vec<Doomed<'a>> {
        let mut doomed = vec![];
        // Nobody can delete what is bound to something else, and what another took the place of goes after that.
        let replaced = |orphan: &&Orphan<'_>| {
            let is_child = !orphan.schema.claim.is_own() && self.document.resources.contains_key(&orphan.address);
            is_child && self.standing.get(&orphan.address) != Some(&Standing::Settled)
        };
        let going = self.situation.orphans.iter().filter(|orphan| !orphan.observed.bound && !replaced(orphan));
        for orphan in going.collect::<Vec<_>>() {
            let id = &orphan.observed.id;
            let held = match () {
                () if orphan.retained && !self.policy.delete_data => {
                    Some((Reason::Retained, format!("{id} left the document and stays, as it is marked to")))
                }
                () if self.document.resources.is_empty() => {
                    let message = format!("{id} is not deleted because of an empty document; use `destroy`");
                    Some((Reason::EmptyDocument, message))
                }
                () if !self.policy.prune && !self.document.policy.prune => {
                    let way = "grant its deletion with `--prune` or `policy: { prune: true }`";
                    Some((Reason::PruneNotGranted, format!("{id} left the document; {way}")))
                }
                () if orphan.schema.data && !self.policy.delete_data => {
                    let message = format!("{id} holds data; grant its deletion with `--delete-data`");
                    Some((Reason::PruneNotGranted, message))
                }
                () => None,
            };
            match held {
                Some((reason, message)) => self.hold(&orphan.address, reason, message, None),
                None => doomed.push(doom(orphan)),
            }
        }
        let (many, most) = (doomed.len(), self.document.policy.max_deletions);
        if many > most {
            for one in doomed.drain(..) {
                let way = "raise `policy.maxDeletions`";
                let message = format!("{many} resources would be deleted and one pass may delete {most}; {way}");
                self.hold(&one.address, Reason::TooManyDeletions, message, None);
            }
        }
        doomed
    }

    /// Deletes everything that is ours.
    pub(super) fn destroy(&mut self, order: &[Address]) {
        let mut doomed = vec![];
        for address in order {
            let Some(resource) = self.document.resources.get(address).filter(|r| !r.is_lookup()) else { continue };
            let unseen = self.situation.holds.get(address).filter(|h| h.reason == Reason::Unobserved);
            let passing = self.policy.holds.get(address).filter(|h| h.reason.passes());
            if let Some(hold) = unseen.or(passing) {
                self.plan.holds.push(hold.clone());
            }
            if let Some(leaving) = self.situation.leaving.get(address) {
                self.hold(address, Reason::Deleting, format!("{} is on its way out", leaving.id), None);
            }
            let live = self.situation.current.get(address).into_iter().chain(self.situation.coming.get(address));
            let older = self.situation.superseded.get(address).into_iter().flatten();
            for observed in live.chain(older).copied() {
                if resource.lifecycle.protect {
                    self.hold(address, Reason::Protected, format!("{} is protected", observed.id), None);
                } else if self.keeps_data(resource) {
                    let message = format!("{} stays; delete it too with `--delete-data`", observed.id);
                    self.hold(address, Reason::Retained, message, None);
                } else {
                    let after = BTreeSet::new();
                    doomed.push(Doomed { address: address.clone(), schema: resource.schema, observed, after });
                    self.delete_revisions(address, false);
                }
            }
        }
        for orphan in &self.situation.orphans {
            if orphan.retained && !self.policy.delete_data {
                let message = format!("{} stays, as it is marked to", orphan.observed.id);
                self.hold(&orphan.address, Reason::Retained, message, None);
            } else {
                doomed.push(doom(orphan));
            }
        }
        self.delete(doomed);
    }

    /// Deletes in the opposite order of references, read from the live specs, since the document may know neither side
    /// any more, and of the document's `dependsOn`. What something that stays refers to, stays too.
    fn delete(&mut self, doomed: Vec<Doomed<'a>>) {
        // Unknown is not absent: what cannot be seen may refer to it.
        let situation = self.situation;
        let hidden = |one: &Doomed<'_>| {
            let near = |schema: &Schema, region| schema.global || one.schema.global || region == one.observed.region;
            let mut unseen = situation.unseen.iter().filter(|(schema, region)| near(schema, *region));
            unseen.find(|(schema, _)| can_refer(schema.record, one.schema.kind)).map(|(schema, _)| schema.kind)
        };
        let doomed = doomed.into_iter().filter(|one| !one.observed.bound);
        let (spared, mut doomed): (Vec<_>, Vec<_>) = doomed.partition(|one| hidden(one).is_some());
        for one in spared {
            let kind = hidden(&one).unwrap_or_default();
            let message = format!("{} is not deleted while {kind} cannot be seen", one.observed.id);
            self.hold(&one.address, Reason::Unobserved, message, None);
        }
        while let Some((spared, user)) = self.spared(&doomed) {
            let one = doomed.remove(spared);
            let message = format!("{} is not deleted while {user} refers to it", one.observed.id);
            self.hold(&one.address, Reason::WaitsFor, message, Some(user));
        }
        let mut edges: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for one in &doomed {
            let users = doomed.iter().filter(|other| {
                refers(other.schema, other.observed, one) || self.depends(&other.address, other.observed, one)
            });
            let moving = self.live().filter(|(address, schema, live)| {
                !is_doomed(&doomed, live) && refers(schema, live, one) && self.is_moving(address)
            });
            let users = users.map(|other| other.address.clone()).chain(moving.map(|(address, ..)| address.clone()));
            // What is on its way out needs it until it is gone.
            let going = self.going(one).into_iter().map(|(address, _)| address.clone());
            let users = users.chain(going);
            for user in users.chain(one.after.iter().cloned()).filter(|user| *user != one.address) {
                // Those that name each other go one after the other; whatever closes the circle is not waited for.
                if !leads(&edges, &user, &one.address) {
                    edges.entry(one.address.clone()).or_default().insert(user);
                }
            }
        }
        for (address, id) in doomed.iter().flat_map(|one| self.going(one)).collect::<BTreeMap<_, _>>() {
            let told = |hold: &Hold| hold.address == *address && hold.reason == Reason::Deleting;
            if !self.plan.holds.iter().any(told) {
                self.hold(address, Reason::Deleting, format!("{id} is on its way out"), None);
            }
        }
        for one in doomed {
            let after = edges.get(&one.address).cloned().unwrap_or_default();
            self.push_delete(one.schema, &one.address, one.observed, after);
        }
    }

    /// What is on its way out and still refers to one of the doomed, by address and id. A revision is only a
    /// description of what could run, and may go before what runs it.
    fn going(&self, one: &Doomed<'_>) -> Vec<(&'a Address, &'a str)> {
        let going = self.situation.going.iter().filter(|going| refers(going.schema, going.observed, one));
        let going = going.filter(|going| going.address != one.address);
        match one.schema.replace {
            Replace::Revision { .. } => vec![],
            _ => going.map(|going| (&going.address, going.observed.id.as_str())).collect(),
        }
    }

    /// One of the doomed that something refers to which stays as it is, and the address of that.
    fn spared(&self, doomed: &[Doomed<'a>]) -> Option<(usize, Address)> {
        doomed.iter().enumerate().find_map(|(at, one)| {
            let user = self.live().find(|(address, schema, live)| {
                let needs = !live.bound && (refers(schema, live, one) || self.depends(address, live, one));
                needs && !is_doomed(doomed, live) && !self.is_moving(address)
            });
            user.map(|(address, ..)| (at, address.clone()))
        })
    }

    /// True when the document says that one has to be there before the other, which is what it is about and not an
    /// older generation or one elsewhere.
    fn depends(&self, address: &Address, live: &Observed, on: &Doomed<'_>) -> bool {
        let is_current = |address: &Address, live| {
            self.situation.current.get(address).is_some_and(|current| std::ptr::eq(*current, live))
        };
        let stated = self.document.resources.get(address).is_some_and(|r| r.depends_on.contains(&on.address));
        stated && is_current(address, live) && is_current(&on.address, on.observed)
    }

    /// All that is live and known: the document's, older and newer generations, and orphans.
    fn live(&self) -> impl Iterator<Item = (&'a Address, &'static Schema, &'a Observed)> {
        let situation = self.situation;
        let document = self.document;
        let single = situation.current.iter().chain(&situation.coming).map(|(address, live)| (address, *live));
        let older =
            situation.superseded.iter().flat_map(|(address, older)| older.iter().map(move |live| (address, *live)));
        let known = single
            .chain(older)
            .filter_map(move |(address, live)| Some((address, document.resources.get(address)?.schema, live)));
        known.chain(situation.orphans.iter().map(|orphan| (&orphan.address, orphan.schema, orphan.observed)))
    }

    /// True when a step or AWS is at work on it, so that it may stop referring to what it refers to.
    fn is_moving(&self, address: &Address) -> bool {
        self.standing.get(address) == Some(&Standing::Coming)
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
        let op = Op::Delete { live: Box::new(observed.clone()) };
        self.plan.steps.push(Step {
            address: address.clone(),
            tier: schema.tier,
            action: Action::Delete,
            cause: Cause::Edit,
            changes: vec![],
            after,
            deed: Some(Deed { kind: schema.kind, region: observed.region.clone(), op }),
        });
    }
}

fn doom<'a>(orphan: &Orphan<'a>) -> Doomed<'a> {
    Doomed { address: orphan.address.clone(), schema: orphan.schema, observed: orphan.observed, after: BTreeSet::new() }
}

fn is_doomed(doomed: &[Doomed<'_>], live: &Observed) -> bool {
    doomed.iter().any(|one| std::ptr::eq(one.observed, live))
}

/// True when a live resource refers to one of the doomed.
fn refers(schema: &Schema, live: &Observed, to: &Doomed<'_>) -> bool {
    if std::ptr::eq(live, to.observed) || !(to.schema.global || schema.global || live.region == to.observed.region) {
        return false;
    }
    let identities = ["id", "arn", "name"].map(|attribute| to.observed.attribute(attribute));
    live_references(schema.record, &live.spec).into_iter().any(|(kind, identity)| {
        kind == to.schema.kind && identities.iter().flatten().any(|i| i.text() == Some(&identity))
    })
}

/// True when `from` waits for `to`, itself or over others.
fn leads(edges: &BTreeMap<Address, BTreeSet<Address>>, from: &Address, to: &Address) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(edges.get(at).into_iter().flatten());
        }
    }
    false
}
