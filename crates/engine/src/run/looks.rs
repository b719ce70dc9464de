//! Where a pass looks next: for what is pending, for what steps did, for a second sighting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::address::Address;
use holdfast_core::observed::{Observed, Place};
use holdfast_core::op::Op;
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Deed, Plan};
use holdfast_core::schema::Replace;
use holdfast_core::value::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Looks, Run, Turn, place_of};
use crate::cloud::{Class, Done, Failure, Known};
use crate::observe::{Seen, ids, look_at};
use crate::timing::Timing;

impl<'a> Run<'a> {
    /// When the places are to be looked at that something is waited for at; those beyond the patience are left out.
    pub(super) fn due(&self, turn: &Turn, began: Instant) -> BTreeMap<Place, Instant> {
        let mut places: BTreeSet<Place> = BTreeSet::new();
        let outdated = self.agenda.outdated();
        let awaited = self.awaited(&turn.plan).filter(|hold| !outdated.contains(&hold.address));
        places.extend(
            awaited
                .flat_map(|hold| [Some(&hold.address), hold.waits_for.as_ref()])
                .flatten()
                .flat_map(|a| self.places(a)),
        );
        if self.is_unseen_for_now(&turn.plan) {
            places.extend(self.in_vain(&turn.plan).map(|(place, _)| place.clone()));
        }
        let mut due: BTreeMap<Place, Instant> =
            places.into_iter().map(|place| (place.clone(), self.agenda.due(&place))).collect();
        for (place, at) in &turn.later {
            let at = self.agenda.due(place).max(*at);
            let earliest = due.entry(place.clone()).or_insert(at);
            *earliest = at.min(*earliest);
        }
        due.retain(|place, at| self.agenda.is_free(place) && at.duration_since(began) <= self.options.patience);
        due
    }

    /// The holds that a look may end.
    pub(super) fn awaited<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p Hold> {
        let unseen = self.is_unseen_for_now(plan);
        plan.holds.iter().filter(move |hold| hold.reason.passes() || hold.reason == Reason::Unobserved && unseen)
    }

    /// A place that could not be seen because of a fault of the moment is looked at again, though not for ever.
    pub(super) fn is_unseen_for_now(&self, plan: &Plan) -> bool {
        plan.holds.iter().any(|hold| hold.reason == Reason::Unobserved)
            && self.in_vain(plan).any(|(_, looks)| *looks < Timing::ATTEMPTS)
    }

    /// Where to look now: where something is due, where the effect of a step is needed by another, where a deletion
    /// needs its second sighting; and when nothing else is left to do, wherever a step had an effect.
    pub(super) fn to_look_at(&self, turn: &Turn, due: &BTreeMap<Place, Instant>, idle: bool) -> BTreeSet<Place> {
        let now = Instant::now();
        let is_needed = |addresses: &BTreeSet<Address>| addresses.iter().any(|address| turn.needed.contains(address));
        let needed = self.agenda.touched().filter(|(_, addresses)| idle || is_needed(addresses));
        let due = due.iter().filter(|(_, at)| **at <= now).map(|(place, _)| place);
        let places = needed.map(|(place, _)| place).chain(due).chain(&turn.unconfirmed);
        places.filter(|place| self.agenda.is_free(place)).cloned().collect()
    }

    /// Begins to look at these places. What they share is asked once.
    pub(super) fn look(&mut self, places: &BTreeSet<Place>, at_once: &Arc<Semaphore>, looks: &mut Looks<'a>) {
        self.agenda.look_begins(places);
        let (engine, document, sweep) = (self.engine, self.document, self.engine.next_sweep());
        for place in places.iter().cloned() {
            let (account, at_once, known) = (self.account.clone(), at_once.clone(), self.known(&place));
            looks.push(Box::pin(async move {
                let _turn = at_once.acquire().await;
                look_at(&*engine.cloud, document, &account, place, known, sweep).await
            }));
        }
    }

    /// What this pass made at a place.
    fn known(&self, place: &Place) -> Known {
        let found = self.observation.found.get(place).map(Vec::as_slice).unwrap_or_default();
        let is_told = |o: &&Observed| self.told.contains_key(&(place.clone(), o.id.clone()));
        let names = |o: &Observed| [Some(o.id.clone()), o.status.get("arn").and_then(Value::text).map(str::to_owned)];
        let tags = |o| names(o).into_iter().flatten().map(|name| (name, o.tags.clone()));
        Known { tags: found.iter().filter(is_told).flat_map(tags).collect(), all: found.iter().all(|o| is_told(&o)) }
    }

    /// Takes in what was seen at a place. What was told since the look began is younger, and stands.
    pub(super) async fn seen(&mut self, seen: Seen) {
        let (place, began) = (seen.place.clone(), seen.at);
        let is_younger =
            |o: &&Observed| self.told.get(&(place.clone(), o.id.clone())).is_some_and(|at| *at >= Some(began));
        let known = self.observation.found.get(&place).into_iter().flatten();
        let younger: Vec<Observed> = known.filter(is_younger).cloned().collect();
        let failure = self.engine.take_in(seen, &mut self.observation).await;
        if let Some(found) = self.observation.found.get_mut(&place) {
            younger.into_iter().for_each(|observed| put(found, observed));
        }
        self.agenda.look_ended(&place);
        self.sight(&BTreeSet::from([place.clone()]), &failure.map(|failure| (place, failure)).into_iter().collect());
    }

    /// Takes in what a step told of what it touched. Returns false when that has to be looked at.
    ///
    /// An answer to a create says what was made, and what completes it is known by what was asked for. What was there
    /// before is looked at after a change: somebody may undo it.
    pub(super) fn is_told(&mut self, deed: &Deed, done: &mut Done) -> bool {
        let place = place_of(deed);
        if let Some(id) = &done.id {
            self.told.insert((place.clone(), id.clone()), Some(Instant::now()));
        }
        let Some(live) = done.live.take() else { return false };
        let key = (place.clone(), live.id.clone());
        let Some(found) = self.observation.found.get_mut(&place) else { return false };
        let schema = self.engine.cloud.schema(deed.kind);
        let has_revisions = schema.is_some_and(|schema| matches!(schema.replace, Replace::Revision { .. }));
        let known = match deed.op {
            // A revision stands for the older ones as well.
            Op::Create(_) => !has_revisions || found.iter().all(|older| older.name != live.name),
            // What another step told of it meanwhile is not in this, nor this in that.
            Op::Update { live: ref before, .. } | Op::Tag { live: ref before, .. } => {
                self.told.contains_key(&key) && found.contains(before)
            }
            Op::Delete { .. } => false,
        };
        if known {
            put(found, live);
            self.told.insert(key, Some(Instant::now()));
        } else if let Some(at) = self.told.get_mut(&key) {
            *at = None;
        }
        known
    }

    /// Counts what was seen at these places, and what could not be.
    pub(super) fn sight(&mut self, places: &BTreeSet<Place>, failures: &BTreeMap<Place, Failure>) {
        for place in places {
            match failures.get(place).map(|failure| failure.class) {
                // One that is refused for now may have lost a race: what it listed was gone when it asked for more.
                Some(class) if class != Class::Terminal => *self.in_vain.entry(place.clone()).or_default() += 1,
                _ => drop(self.in_vain.remove(place)),
            }
        }
        for (place, found) in self.observation.found.iter().filter(|(place, _)| places.contains(place)) {
            for id in ids(found) {
                *self.sightings.entry((place.clone(), id.to_owned())).or_default() += 1;
            }
        }
    }

    /// The places that were looked at in vain and are worth another look: what only a search for what left the
    /// document needs is, when a deletion waits for it.
    pub(super) fn in_vain(&self, plan: &Plan) -> impl Iterator<Item = (&Place, &u32)> {
        let is_seen = |address: &Address| self.places(address).iter().any(|p| self.observation.found.contains_key(p));
        let mut unobserved = plan.holds.iter().filter(|hold| hold.reason == Reason::Unobserved);
        let all = self.options.policy.destroy || unobserved.any(|hold| is_seen(&hold.address));
        let declared = |place: &Place| {
            let mut resources = self.document.resources.values();
            resources.any(|r| r.schema.kind == place.kind && r.region == place.region)
        };
        self.in_vain.iter().filter(move |(place, _)| all || declared(place))
    }

    /// Where an address is: where the document says, or wherever its kind is looked at when it left the document.
    pub(super) fn places(&self, address: &Address) -> Vec<Place> {
        match self.place(address) {
            Some(place) => vec![place],
            None => self.observation.found.keys().filter(|place| *place.kind == *address.kind).cloned().collect(),
        }
    }
}

/// Puts one in the place of what was known of it.
fn put(found: &mut Vec<Observed>, observed: Observed) {
    found.retain(|o| o.id != observed.id);
    found.push(observed);
}
