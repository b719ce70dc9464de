//! The records of a pass in the store, for a later process: intents before creates, digests after them.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use holdfast_core::address::Address;
use holdfast_core::digest;
use holdfast_core::document::{Document, Resource};
use holdfast_core::observed::{KindRegion, Observed, tag};
use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::plan::{Action, Plan, Step};
use holdfast_core::schema::Idempotency;
use rand::Rng;

use crate::pass::PassError;
use crate::run::{PassRun, kind_region_of};
use crate::store::Intent;

impl PassRun<'_> {
    /// Records the creates and replacements that are about to begin, so that each resource is created exactly once.
    ///
    /// # Expected flow
    /// 1. Before a create, an [`Intent`] is written to the store: a random nonce, the time, and the ids that already
    ///    belong to the address. An intent of an earlier attempt keeps its nonce, so that the attempt has the same
    ///    client token ([`PassRun::with_nonce`]).
    /// 2. The step makes one mutating call, with the owner in it. The SDK does not retry it.
    /// 3. A response with an id is recorded in the intent and in the expectations. A failure that is not ambiguous
    ///    removes the intent.
    /// 4. After an ambiguous failure, a kind with client tokens is created again with the same token, and AWS returns
    ///    the same resource. The address of any other kind is held (`CreateUnconfirmed`) until its resource is observed
    ///    or its consistency window has passed; then the create is sent again.
    /// 5. The intent is removed once its resource was observed and its consistency window has passed
    ///    ([`PassRun::record_converged`]).
    /// 6. A process that finds an intent of an earlier process continues at step 4 ([`PassRun::resume_intents`]).
    ///
    /// # Guarantees
    /// A lost response or a crash at any point leaves no duplicate, as long as the next process has the same store.
    ///
    /// # Assumptions
    /// Reads show a created resource once the consistency window of its kind has passed.
    ///
    /// # Caveats
    /// If the store is lost within the window, a kind whose id AWS generates can have a duplicate. A later plan deletes
    /// the unused one.
    ///
    /// # Errors
    /// None: a store that cannot be written is logged as a warning, and the pass continues.
    pub(crate) async fn record_intents(&mut self, plan: &Plan, start: &[(Step, Operation)]) {
        let began = (self.engine.now)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        for (step, operation) in start {
            let name = step.address.to_string();
            match operation.mutation {
                Mutation::Create(_) => {
                    let nonce = format!("{:016x}", self.engine.random.lock().await.random::<u64>());
                    let found = self.observation.found.get(&kind_region_of(operation)).into_iter().flatten();
                    let is_of = |o: &&Observed| o.tags.get(tag::ADDRESS) == Some(&name) && o.owner().is_some();
                    let owned = found.filter(is_of).map(|o| o.id.clone());
                    let ids_before = owned.chain(plan.live.get(&step.address).map(|live| live.id.clone())).collect();
                    let new = Intent { nonce, began, ids_before, created: None };
                    let intent = self.history.intents.entry(name).or_insert_with(|| new.clone());
                    if intent.created.is_some() {
                        // The resource of the earlier create no longer exists, because the plan creates it again.
                        *intent = new;
                    }
                    intent.began = began;
                }
                Mutation::Delete { .. } if step.action == Action::Replace => {
                    // This step deletes the resource, so it does not count as missing, in a later process neither.
                    self.engine.expectations.lock().await.record_replacement(&step.address);
                    self.history.converged.remove(&name);
                }
                _ => {}
            }
        }
        self.save();
    }

    /// Resumes the intents of an earlier process: their resources may exist, although reads may not show them yet. See
    /// [`PassRun::record_intents`].
    pub(crate) async fn resume_intents(&self) {
        let now = (self.engine.now)();
        let mut expectations = self.engine.expectations.lock().await;
        for (address, intent) in &self.history.intents {
            let Ok(address) = address.parse::<Address>() else { continue };
            let (Some(resource), Some(kind_region)) =
                (self.document.resources.get(&address), self.kind_region(&address))
            else {
                continue;
            };
            let left = self.consistency_window(resource).checked_sub(intent.age(now));
            let Some(left) = left.filter(|left| !left.is_zero()) else { continue };
            match &intent.created {
                Some(id) => expectations.record_create(&address, kind_region, id.clone(), None, left),
                None if resource.schema.idempotency == Idempotency::ClientToken => {}
                None => {
                    expectations.record_unconfirmed_create(&address, kind_region, intent.ids_before.clone(), left);
                }
            }
        }
    }

    /// Records the digests of the resources that a plan found converged, and removes the intents that have ended: their
    /// resource was observed, and their consistency window has passed.
    pub(crate) fn record_converged(&mut self, plan: &Plan) {
        let converged = plan.live.iter().filter(|(_, live)| live.converged);
        self.history.converged.extend(converged.map(|(address, live)| (address.to_string(), live.digest.clone())));
        let now = (self.engine.now)();
        let has_ended = |name: &String, intent: &Intent| {
            let Ok(address) = name.parse::<Address>() else { return true };
            let Some(resource) = self.document.resources.get(&address) else { return true };
            let is_observed = plan.live.get(&address).is_some_and(|live| !intent.ids_before.contains(&live.id));
            is_observed && intent.age(now) >= self.consistency_window(resource)
        };
        let intents = self.history.intents.iter().filter(|(name, intent)| !has_ended(name, intent));
        self.history.intents = intents.map(|(name, intent)| (name.clone(), intent.clone())).collect();
    }

    /// Marks the stack as initial and its history as complete: the first plan of the pass found no owned resource.
    ///
    /// Kinds that could not be observed do not prevent this, unless the history has earlier resources. If an owned
    /// resource of such a kind is observed later, [`PassRun::check_unobserved`] reverts the mark.
    pub(crate) fn begin_initial(&mut self) {
        let unknown = &self.observation.unknown;
        if unknown.is_empty() || self.history.converged.is_empty() && self.history.intents.is_empty() {
            (self.is_initial, self.history.complete) = (true, true);
            self.history.unobserved = unknown.keys().map(text_of).collect();
        }
    }

    /// Reverts the mark of an initial stack when an owned resource is observed whose kind could not be observed before.
    pub(crate) fn check_unobserved(&mut self) {
        let (unobserved, document) = (&mut self.history.unobserved, self.document);
        for (kind_region, found) in &self.observation.found {
            if unobserved.remove(&text_of(kind_region)) && found.iter().any(|o| is_owned(document, o)) {
                unobserved.clear();
                (self.is_initial, self.history.complete) = (false, false);
                return;
            }
        }
    }

    fn consistency_window(&self, resource: &Resource) -> Duration {
        self.engine.timing.consistency_window(resource.schema.consistency_window)
    }

    /// Removes the regions that the document no longer has, once every kind was observed there and no owned resource is
    /// left.
    fn remove_former_regions(&mut self) {
        let kinds = self.engine.cloud.registry().0.iter().filter(|schema| !schema.global);
        let is_left = |region: &String| {
            kinds.clone().any(|schema| match self.observation.at(schema.kind, region) {
                Some(found) => found.iter().any(|o| is_owned(self.document, o)),
                None => true,
            })
        };
        let configured = |region: &String| self.document.target.regions.values().any(|r| r == region);
        let regions = self.history.regions.iter().filter(|region| configured(region) || is_left(region));
        self.history.regions = regions.cloned().collect();
    }

    /// Writes the history at the end of a pass.
    ///
    /// # Errors
    /// Returns an error when the store cannot be written.
    pub(crate) fn save_outcome(&mut self, plan: &Plan, converged: bool) -> Result<(), PassError> {
        self.remove_former_regions();
        if self.options.policy.destroy {
            let live: BTreeSet<String> = plan.live.keys().map(ToString::to_string).collect();
            self.history.converged.retain(|address, _| live.contains(address));
        }
        if converged {
            // No resource is missing: an address that the document gets from now on is new.
            self.history.complete = true;
            self.history.unobserved.clear();
        }
        self.engine.store.save(&self.history).map_err(PassError::Store)
    }

    /// Writes the history. The store is an aid, so the pass continues with a warning when this fails.
    pub(crate) fn save(&self) {
        if let Err(error) = self.engine.store.save(&self.history) {
            tracing::warn!(%error, "the store cannot be written; the pass continues without it");
        }
    }

    /// Combines the client token of a create with the nonce of its intent: a second attempt has the same token, and a
    /// later create of the same address has another one.
    pub(crate) fn with_nonce(&self, mut operation: Operation, step: &Step) -> Operation {
        let intent = self.history.intents.get(&step.address.to_string());
        if let (Mutation::Create(desired), Some(intent)) = (&mut operation.mutation, intent) {
            desired.token = digest::token(&format!("{} {}", desired.token, intent.nonce));
        }
        operation
    }
}

/// True when the stack of the document owns the resource.
fn is_owned(document: &Document, observed: &Observed) -> bool {
    observed.owner().is_some_and(|owner| owner.stack == document.stack && owner.env == document.env)
}

/// Returns a kind and a region as text, for the store.
fn text_of(kind_region: &KindRegion) -> String {
    format!("{} {}", kind_region.kind, kind_region.region)
}
