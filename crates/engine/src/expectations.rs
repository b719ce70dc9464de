//! Expectations: the changes that this process made and has not observed yet, like a Kubernetes controller's
//! expectations.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::observed::{KindRegion, Observation, Observed, Phase};
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Plan, Step};
use holdfast_core::resolve;
use holdfast_core::value::Value;
use tokio::time::Instant;

use crate::flapping::Flapping;
use crate::retry::{Retries, StepKey};
use crate::timing::Timing;

/// The changes of this process that reads may not show yet. They outlive a pass.
///
/// # Expected flow
/// 1. Each change is recorded with its consistency window: how long reads of that kind may lag behind a write.
/// 2. Each observation is recorded with the time at which it began.
/// 3. A plan receives a hold for each address whose change a read may not show yet, so that no change is made twice.
/// 4. A window ends with the first observation of its kind in its region that began after the end of the window.
///
/// # Guarantees
/// Within its window, a created resource that a read does not show still exists (`Propagating`), a changed resource is
/// not changed in the same way again (`Propagating`), a deleted resource that a read shows is being deleted, and an
/// unconfirmed create is not repeated (`CreateUnconfirmed`).
///
/// # Assumptions
/// Reads show a change once the consistency window of its kind has passed.
///
/// # Caveats
/// The expectations are lost with the process. The intents in the store replace those of creates: see
/// [`crate::store::Intent`].
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    /// When the last observation of each kind in each region began. An observation shows nothing that happened later,
    /// so this time ends the windows, and not the clock.
    observed_at: BTreeMap<KindRegion, Instant>,
    created: BTreeMap<Address, ConfirmedCreate>,
    unconfirmed: BTreeMap<Address, UnconfirmedCreate>,
    deleted: BTreeMap<(KindRegion, String), Instant>,
    changed: BTreeMap<StepKey, ConfirmedChange>,
    in_progress: BTreeSet<Address>,
    /// The steps that failed in this pass.
    pub(crate) retries: Retries,
    /// The steps that succeeded within the last hour.
    pub(crate) flapping: Flapping,
}

/// A resource that this process created. A read within the window that does not show it does not prove its absence.
#[derive(Debug)]
struct ConfirmedCreate {
    id: String,
    name: Option<String>,
    kind_region: KindRegion,
    until: Instant,
}

/// A create that failed ambiguously: the resource may exist.
#[derive(Debug)]
struct UnconfirmedCreate {
    kind_region: KindRegion,
    /// The ids that belonged to the address before the create.
    ids_before: BTreeSet<String>,
    until: Instant,
}

/// A step that succeeded. A read within the window may show the state before it.
#[derive(Debug)]
struct ConfirmedChange {
    kind_region: KindRegion,
    until: Instant,
}

impl Expectations {
    /// Begins a pass: forgets the failures, and the successes that are more than an hour old.
    pub(crate) fn begin_pass(&mut self, timing: Timing) {
        self.retries.begin_pass();
        self.flapping.begin_pass(timing);
        let flapping = &self.flapping;
        self.changed.retain(|key, _| flapping.contains(key));
    }

    /// Records a create that succeeded.
    pub(crate) fn record_create(
        &mut self,
        address: &Address,
        kind_region: KindRegion,
        id: String,
        name: Option<&str>,
        window: Duration,
    ) {
        self.unconfirmed.remove(address);
        self.in_progress.insert(address.clone());
        // A kind whose id is a name gets the same id again.
        self.deleted.remove(&(kind_region.clone(), id.clone()));
        let until = Instant::now() + window;
        let created = ConfirmedCreate { id, name: name.map(str::to_owned), kind_region, until };
        self.created.insert(address.clone(), created);
    }

    /// Records a create that failed ambiguously. It is not repeated before the resource is observed or the window has
    /// passed.
    pub(crate) fn record_unconfirmed_create(
        &mut self,
        address: &Address,
        kind_region: KindRegion,
        ids_before: BTreeSet<String>,
        window: Duration,
    ) {
        self.in_progress.insert(address.clone());
        let until = Instant::now() + window;
        self.unconfirmed.insert(address.clone(), UnconfirmedCreate { kind_region, ids_before, until });
    }

    /// Records a deletion that succeeded. Reads within the window may still show the resource.
    pub(crate) fn record_deletion(&mut self, kind_region: KindRegion, id: String, window: Duration) {
        self.deleted.insert((kind_region, id), Instant::now() + window);
    }

    /// Records that a resource is being replaced: its differences are not drift.
    pub(crate) fn record_replacement(&mut self, address: &Address) {
        self.in_progress.insert(address.clone());
    }

    /// Records a step that succeeded.
    pub(crate) fn record_success(&mut self, step: &Step, kind_region: KindRegion, window: Duration) {
        let key = StepKey::of(step);
        self.retries.record_success(&key);
        self.flapping.record_success(key.clone());
        self.changed.insert(key, ConfirmedChange { kind_region, until: Instant::now() + window });
    }

    /// Returns the addresses that this process created or is replacing, and has not observed converged.
    pub(crate) fn in_progress(&self) -> BTreeSet<Address> {
        self.in_progress.clone()
    }

    /// Records that a kind was observed in a region. A resource that this process deleted and that the observation
    /// still shows gets the phase `Deleting`.
    pub(crate) fn record_observation(&mut self, kind_region: KindRegion, at: Instant, observation: &mut Observation) {
        self.observed_at.insert(kind_region, at);
        let observed_at = &self.observed_at;
        self.deleted.retain(|(kind_region, _), until| is_open(observed_at, kind_region, *until));
        for (kind_region, id) in self.deleted.keys() {
            for observed in observation.found.get_mut(kind_region).into_iter().flatten() {
                if observed.id == *id {
                    observed.phase = Phase::Deleting;
                }
                if let Value::Map(status) = &mut observed.status
                    && let Some(Value::List(revisions)) = status.get_mut("revisions")
                {
                    revisions.retain(|revision| revision.text() != Some(id));
                }
            }
        }
    }

    /// Returns the kinds and regions whose next observations end the open windows of an address. A step may change
    /// another resource than that of its address: the record of a child is a tag of its parent.
    pub(crate) fn propagating(&self, address: &Address) -> impl Iterator<Item = &KindRegion> {
        let of_address =
            self.changed.range(StepKey::first_of(address)..).take_while(|(key, _)| key.address == *address);
        let open = of_address.filter(|(_, change)| is_open(&self.observed_at, &change.kind_region, change.until));
        open.map(|(_, change)| &change.kind_region)
    }

    /// Returns the holds for a plan of this observation: the created resources that it does not show, and the
    /// unconfirmed creates.
    pub(crate) fn holds(&mut self, observation: &Observation) -> BTreeMap<Address, Hold> {
        let observed_at = &self.observed_at;
        self.created.retain(|_, created| is_open(observed_at, &created.kind_region, created.until));
        self.unconfirmed.retain(|_, create| is_open(observed_at, &create.kind_region, create.until));
        let found =
            self.unconfirmed.iter().filter_map(|(a, create)| Some((a.clone(), find_created(observation, a, create)?)));
        found.collect::<Vec<_>>().into_iter().for_each(|(address, id)| self.confirm(&address, id));
        let unobserved = self.unobserved_creates(observation).map(|(address, created)| {
            let message =
                format!("{} was created a moment ago and is not visible yet (eventual consistency)", created.id);
            (address, Reason::Propagating, message)
        });
        let unconfirmed = self.unconfirmed.keys().map(|address| {
            let message = "a create call had no clear result; Holdfast searches for the resource until its consistency \
                           window has passed, and creates it then if it does not exist";
            (address, Reason::CreateUnconfirmed, message.to_owned())
        });
        unobserved.chain(unconfirmed).map(|(a, reason, message)| (a.clone(), hold(a, reason, message))).collect()
    }

    /// Returns the created resources that the observation does not show yet.
    fn unobserved_creates<'a>(
        &'a self,
        observation: &'a Observation,
    ) -> impl Iterator<Item = (&'a Address, &'a ConfirmedCreate)> {
        let mut ids: BTreeMap<&KindRegion, HashSet<&str>> = BTreeMap::new();
        for kind_region in self.created.values().map(|created| &created.kind_region) {
            ids.entry(kind_region).or_insert_with(|| {
                let found = observation.found.get(kind_region).into_iter().flatten();
                found.map(|observed| observed.id.as_str()).collect()
            });
        }
        let is_observed = move |created: &ConfirmedCreate| ids[&created.kind_region].contains(created.id.as_str());
        self.created.iter().filter(move |(_, created)| !is_observed(created))
    }

    /// Returns the ids and names of the created resources that the observation does not show yet, for references to
    /// them.
    pub(crate) fn created_identities(&self, observation: &Observation) -> BTreeMap<Address, resolve::CreatedIdentity> {
        let identity =
            |created: &ConfirmedCreate| resolve::CreatedIdentity { id: created.id.clone(), name: created.name.clone() };
        self.unobserved_creates(observation).map(|(address, created)| (address.clone(), identity(created))).collect()
    }

    /// Confirms the unconfirmed creates whose resource a plan matched to their address. This covers kinds without owner
    /// tags. Returns true when there was one.
    pub(crate) fn confirm_creates(&mut self, plan: &Plan) -> bool {
        let new_id = |(address, create): (&Address, &UnconfirmedCreate)| {
            let id = &plan.live.get(address)?.id;
            (!create.ids_before.contains(id)).then(|| (address.clone(), id.clone()))
        };
        let confirmed: Vec<_> = self.unconfirmed.iter().filter_map(new_id).collect();
        let any = !confirmed.is_empty();
        confirmed.into_iter().for_each(|(address, id)| self.confirm(&address, id));
        any
    }

    /// Turns an unconfirmed create into a confirmed one. The next observation may miss the resource, like that of every
    /// other created resource.
    fn confirm(&mut self, address: &Address, id: String) {
        if let Some(UnconfirmedCreate { kind_region, until, .. }) = self.unconfirmed.remove(address) {
            self.created.insert(address.clone(), ConfirmedCreate { id, name: None, kind_region, until });
        }
    }

    /// Updates the expectations from a plan: converged resources are no longer in progress. Returns holds for the steps
    /// that must not be made again, because reads may not show their effect yet or because they are flapping. The plan
    /// has to be made again with these holds.
    pub(crate) fn update_from_plan(&mut self, plan: &Plan) -> BTreeMap<Address, Hold> {
        for (address, _) in plan.live.iter().filter(|(_, live)| live.converged) {
            self.in_progress.remove(address);
            self.flapping.record_converged(address);
        }
        let mut holds = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| step.action != Action::Delete) {
            // Most addresses have no recent change, and a key is costly to build.
            let mut of_address = self.changed.range(StepKey::first_of(&step.address)..);
            if of_address.next().is_none_or(|(key, _)| key.address != step.address) {
                continue;
            }
            let key = StepKey::of(step);
            let Some(change) = self.changed.get(&key) else { continue };
            let (reason, message) = if is_open(&self.observed_at, &change.kind_region, change.until) {
                let message =
                    "it was changed a moment ago, and reads may still show the old state (eventual consistency)";
                (Reason::Propagating, message.to_owned())
            } else if let Some(message) = self.flapping.stalled(&key) {
                (Reason::Stalled, message)
            } else {
                continue;
            };
            holds.insert(step.address.clone(), hold(&step.address, reason, message));
        }
        holds
    }
}

/// True while the last observation of a kind in a region may not show a change whose window ends at `until`.
fn is_open(observed_at: &BTreeMap<KindRegion, Instant>, kind_region: &KindRegion, until: Instant) -> bool {
    observed_at.get(kind_region).is_none_or(|at| *at < until)
}

/// Returns the id of an observed resource that belongs to the address and did not before the create.
fn find_created(observation: &Observation, address: &Address, create: &UnconfirmedCreate) -> Option<String> {
    let is_of = |o: &&Observed| o.owner().is_some_and(|owner| owner.address == address.to_string());
    let mut found = observation.found.get(&create.kind_region).into_iter().flatten().filter(is_of);
    found.find(|o| !create.ids_before.contains(&o.id)).map(|o| o.id.clone())
}

fn hold(address: &Address, reason: Reason, message: String) -> Hold {
    Hold { address: address.clone(), reason, message, waits_for: None }
}

#[cfg(test)]
pub(crate) mod tests;
