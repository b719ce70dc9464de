//! The observations of a pass after its initial refresh: which are due, and how their results are recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::address::Address;
use holdfast_core::observed::{KindRegion, Observed};
use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::plan::Plan;
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::schema::Replacement;
use holdfast_core::value::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{PassRun, PlannedWork, RunningObservations, kind_region_of};
use crate::cloud::{Confirmed, Failure, FailureClass, OperationResult};
use crate::observe::{KindObservation, ids, observe_kind_region};
use crate::timing::Timing;

impl<'a> PassRun<'a> {
    /// Returns the kinds and regions of the resources that the pass waits for, with the time of their next poll. Polls
    /// after the wait timeout are left out.
    pub(super) fn next_polls(&self, work: &PlannedWork, began: Instant) -> BTreeMap<KindRegion, Instant> {
        let mut kind_regions: BTreeSet<KindRegion> = BTreeSet::new();
        let outdated = self.poll_schedule.outdated();
        let awaited = self.awaited_holds(&work.plan).filter(|hold| !outdated.contains(&hold.address));
        kind_regions.extend(
            awaited
                .flat_map(|hold| [Some(&hold.address), hold.waits_for.as_ref()])
                .flatten()
                .flat_map(|a| self.kind_regions(a)),
        );
        if self.has_retryable_observation(&work.plan) {
            kind_regions.extend(self.failed_observations(&work.plan).map(|(kind_region, _)| kind_region.clone()));
        }
        let mut polls: BTreeMap<KindRegion, Instant> = kind_regions
            .into_iter()
            .map(|kind_region| (kind_region.clone(), self.poll_schedule.next_poll(&kind_region)))
            .collect();
        for (kind_region, at) in &work.retries {
            let at = self.poll_schedule.next_poll(kind_region).max(*at);
            let earliest = polls.entry(kind_region.clone()).or_insert(at);
            *earliest = at.min(*earliest);
        }
        polls.retain(|kind_region, at| {
            self.poll_schedule.is_idle(kind_region) && at.duration_since(began) <= self.options.wait_timeout
        });
        polls
    }

    /// Returns the holds that an observation may end.
    pub(super) fn awaited_holds<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p Hold> {
        let is_retryable = self.has_retryable_observation(plan);
        plan.holds
            .iter()
            .filter(move |hold| hold.reason.is_transient() || hold.reason == Reason::ObservationFailed && is_retryable)
    }

    /// True when a hold waits for an observation that failed temporarily, and the observation has attempts left.
    pub(super) fn has_retryable_observation(&self, plan: &Plan) -> bool {
        plan.holds.iter().any(|hold| hold.reason == Reason::ObservationFailed)
            && self.failed_observations(plan).any(|(_, attempts)| *attempts < Timing::ATTEMPTS)
    }

    /// Returns the kinds and regions to observe now: their poll is due, a step changed a resource there that another
    /// step or hold waits for, or a deletion needs its second sighting. When the pass is idle, all kinds and regions
    /// that steps changed are included.
    pub(super) fn due_observations(
        &self,
        work: &PlannedWork,
        polls: &BTreeMap<KindRegion, Instant>,
        idle: bool,
    ) -> BTreeSet<KindRegion> {
        let now = Instant::now();
        let is_waited_for =
            |addresses: &BTreeSet<Address>| addresses.iter().any(|address| work.waited_for.contains(address));
        let changed = self.poll_schedule.changed().filter(|(_, addresses)| idle || is_waited_for(addresses));
        let due = polls.iter().filter(|(_, at)| **at <= now).map(|(kind_region, _)| kind_region);
        let kind_regions = changed.map(|(kind_region, _)| kind_region).chain(due).chain(&work.second_sightings);
        kind_regions.filter(|kind_region| self.poll_schedule.is_idle(kind_region)).cloned().collect()
    }

    /// Starts observations of these kinds and regions, as one refresh: calls that they share are made once.
    pub(super) fn start_observations(
        &mut self,
        kind_regions: &BTreeSet<KindRegion>,
        permits: &Arc<Semaphore>,
        observations: &mut RunningObservations<'a>,
    ) {
        self.poll_schedule.observation_began(kind_regions);
        let (engine, document, refresh) = (self.engine, self.document, self.engine.next_refresh());
        for kind_region in kind_regions.iter().cloned() {
            let (account, permits, confirmed) = (self.account.clone(), permits.clone(), self.confirmed(&kind_region));
            observations.push(Box::pin(async move {
                let _permit = permits.acquire().await;
                observe_kind_region(&*engine.cloud, document, &account, kind_region, confirmed, refresh).await
            }));
        }
    }

    /// Returns the resources of a kind in a region that this pass created.
    fn confirmed(&self, kind_region: &KindRegion) -> Confirmed {
        let found = self.observation.found.get(kind_region).map(Vec::as_slice).unwrap_or_default();
        let is_confirmed = |o: &&Observed| self.confirmed_at.contains_key(&(kind_region.clone(), o.id.clone()));
        let names = |o: &Observed| [Some(o.id.clone()), o.status.get("arn").and_then(Value::text).map(str::to_owned)];
        let tags = |o| names(o).into_iter().flatten().map(|name| (name, o.tags.clone()));
        Confirmed {
            tags: found.iter().filter(is_confirmed).flat_map(tags).collect(),
            all: found.iter().all(|o| is_confirmed(&o)),
        }
    }

    /// Records an observation. A response that arrived after the observation began is newer, and remains in force.
    pub(super) async fn record_observation(&mut self, observed: KindObservation) {
        let (kind_region, began) = (observed.kind_region.clone(), observed.at);
        let is_newer = |o: &&Observed| {
            self.confirmed_at.get(&(kind_region.clone(), o.id.clone())).is_some_and(|at| *at >= Some(began))
        };
        let known = self.observation.found.get(&kind_region).into_iter().flatten();
        let newer: Vec<Observed> = known.filter(is_newer).cloned().collect();
        let failure = self.engine.record_observation(observed, &mut self.observation).await;
        if let Some(found) = self.observation.found.get_mut(&kind_region) {
            newer.into_iter().for_each(|live| replace(found, live));
        }
        self.poll_schedule.observation_ended(&kind_region);
        self.count_sightings(
            &BTreeSet::from([kind_region.clone()]),
            &failure.map(|failure| (kind_region, failure)).into_iter().collect(),
        );
    }

    /// Records the response to a step's call. Returns false when the resource has to be observed.
    ///
    /// The response to a create counts as an observation, and the updates that complete a created resource are known
    /// from their requests. A resource that existed before the pass is observed after each change, because another
    /// process may undo the change.
    pub(super) fn record_response(&mut self, operation: &Operation, output: &mut OperationResult) -> bool {
        let kind_region = kind_region_of(operation);
        if let Some(id) = &output.id {
            self.confirmed_at.insert((kind_region.clone(), id.clone()), Some(Instant::now()));
        }
        let Some(live) = output.live.take() else { return false };
        let key = (kind_region.clone(), live.id.clone());
        let Some(found) = self.observation.found.get_mut(&kind_region) else { return false };
        let schema = self.engine.cloud.schema(operation.kind);
        let has_revisions = schema.is_some_and(|schema| matches!(schema.replacement, Replacement::Revision { .. }));
        let confirmed = match operation.mutation {
            // The newest revision also represents the older ones, which only an observation lists.
            Mutation::Create(_) => !has_revisions || found.iter().all(|older| older.name != live.name),
            // The response of another step in the meantime is not part of this one, nor the other way around.
            Mutation::Update { live: ref before, .. } | Mutation::Tag { live: ref before, .. } => {
                self.confirmed_at.contains_key(&key) && found.contains(before)
            }
            Mutation::Delete { .. } => false,
        };
        if confirmed {
            replace(found, live);
            self.confirmed_at.insert(key, Some(Instant::now()));
        } else if let Some(at) = self.confirmed_at.get_mut(&key) {
            *at = None;
        }
        confirmed
    }

    /// Counts the sightings of these kinds and regions, and their failed observations.
    pub(super) fn count_sightings(
        &mut self,
        kind_regions: &BTreeSet<KindRegion>,
        failures: &BTreeMap<KindRegion, Failure>,
    ) {
        for kind_region in kind_regions {
            match failures.get(kind_region).map(|failure| failure.class) {
                // A temporary failure may be a race: a listed resource was deleted before its details were read.
                Some(class) if class != FailureClass::Terminal => {
                    *self.failed_observations.entry(kind_region.clone()).or_default() += 1
                }
                _ => drop(self.failed_observations.remove(kind_region)),
            }
        }
        for (kind_region, found) in
            self.observation.found.iter().filter(|(kind_region, _)| kind_regions.contains(kind_region))
        {
            for id in ids(found) {
                *self.sightings.entry((kind_region.clone(), id.to_owned())).or_default() += 1;
            }
        }
    }

    /// Returns the kinds and regions whose observation failed and is worth repeating. A kind that is observed only to
    /// find orphans is included when a deletion waits for it.
    pub(super) fn failed_observations(&self, plan: &Plan) -> impl Iterator<Item = (&KindRegion, &u32)> {
        let is_observed =
            |address: &Address| self.kind_regions(address).iter().any(|p| self.observation.found.contains_key(p));
        let mut unobserved = plan.holds.iter().filter(|hold| hold.reason == Reason::ObservationFailed);
        let all = self.options.policy.destroy || unobserved.any(|hold| is_observed(&hold.address));
        let declared = |kind_region: &KindRegion| {
            let mut resources = self.document.resources.values();
            resources.any(|r| r.schema.kind == kind_region.kind && r.region == kind_region.region)
        };
        self.failed_observations.iter().filter(move |(kind_region, _)| all || declared(kind_region))
    }

    /// Returns where an address is observed: in the region that the document states, or in every observed region of its
    /// kind when it left the document.
    pub(super) fn kind_regions(&self, address: &Address) -> Vec<KindRegion> {
        match self.kind_region(address) {
            Some(kind_region) => vec![kind_region],
            None => self
                .observation
                .found
                .keys()
                .filter(|kind_region| *kind_region.kind == *address.kind)
                .cloned()
                .collect(),
        }
    }
}

/// Replaces what is known of a live resource.
fn replace(found: &mut Vec<Observed>, live: Observed) {
    found.retain(|o| o.id != live.id);
    found.push(live);
}
