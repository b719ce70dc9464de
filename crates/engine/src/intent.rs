//! What a pass writes down for a process that may come after it: intents before creates, digests after them.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use holdfast_core::address::Address;
use holdfast_core::digest;
use holdfast_core::document::{Document, Resource};
use holdfast_core::observed::{Observed, Place};
use holdfast_core::op::Op;
use holdfast_core::plan::{Action, Deed, Plan, Step};
use holdfast_core::schema::CreateClass;
use rand::Rng;

use crate::pass::PassError;
use crate::run::{Run, place_of};
use crate::store::Intent;

impl Run<'_> {
    /// Writes down which creates and replacements begin, before they do.
    pub(crate) async fn intend(&mut self, plan: &Plan, start: &[(Step, Deed)]) {
        let began = (self.engine.now)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        for (step, deed) in start {
            let name = step.address.to_string();
            match deed.op {
                Op::Create(_) => {
                    let nonce = format!("{:016x}", self.engine.random.lock().await.random::<u64>());
                    let found = self.observation.found.get(&place_of(deed)).into_iter().flatten();
                    let ours =
                        found.filter(|o| o.owner().is_some_and(|owner| owner.address == name)).map(|o| o.id.clone());
                    let known = ours.chain(plan.live.get(&step.address).map(|live| live.id.clone())).collect();
                    let fresh = Intent { nonce, began, known, made: None };
                    let intent = self.memory.intents.entry(name).or_insert_with(|| fresh.clone());
                    if intent.made.is_some() {
                        // What that one made is gone again, or this would not begin.
                        *intent = fresh;
                    }
                    intent.began = began;
                }
                Op::Delete { .. } if step.action == Action::Replace => {
                    // From here on that it is not there is our doing, also for a process that comes after this one.
                    self.engine.ledger.lock().await.at_work(&step.address);
                    self.memory.converged.remove(&name);
                }
                _ => {}
            }
        }
        self.save();
    }

    /// After an unclean end: what was being created is looked for until its window is past.
    pub(crate) async fn doubt_old_intents(&self) {
        let now = (self.engine.now)();
        let mut ledger = self.engine.ledger.lock().await;
        for (address, intent) in &self.memory.intents {
            let Ok(address) = address.parse::<Address>() else { continue };
            let (Some(resource), Some(place)) = (self.document.resources.get(&address), self.place(&address)) else {
                continue;
            };
            let Some(left) = self.lag(resource).checked_sub(intent.age(now)).filter(|left| !left.is_zero()) else {
                continue;
            };
            match &intent.made {
                Some(id) => ledger.made(&address, place, id.clone(), None, left),
                None if resource.schema.class == CreateClass::Token => {}
                None => ledger.doubt(&address, place, intent.known.clone(), left),
            }
        }
    }

    /// Remembers what a plan found converged.
    pub(crate) fn learn(&mut self, plan: &Plan) {
        let converged = plan.live.iter().filter(|(_, live)| live.converged);
        self.memory.converged.extend(converged.map(|(address, live)| (address.to_string(), live.digest.clone())));
        // A create is over once what it made was seen, and reads can no more lag so far that it is gone again.
        let now = (self.engine.now)();
        let over = |name: &String, intent: &Intent| {
            let address = name.parse::<Address>().ok()?;
            let resource = self.document.resources.get(&address)?;
            let seen = plan.live.get(&address).is_some_and(|live| !intent.known.contains(&live.id));
            Some(seen && intent.age(now) >= self.lag(resource))
        };
        let over: Vec<String> =
            self.memory.intents.iter().filter(|(n, i)| over(n, i) != Some(false)).map(|(n, _)| n.clone()).collect();
        self.memory.intents.retain(|name, _| !over.contains(name));
    }

    /// Nothing of ours was seen. The stack begins anew, also where something cannot be seen, unless there was something
    /// before; what turns up there later ends that.
    pub(crate) fn begin_fresh(&mut self) {
        let unknown = &self.observation.unknown;
        if unknown.is_empty() || self.memory.converged.is_empty() && self.memory.intents.is_empty() {
            (self.fresh, self.memory.complete) = (true, true);
            self.memory.unseen = unknown.keys().map(named).collect();
        }
    }

    /// Looks whether there is something of ours where nothing could be seen when the stack began.
    pub(crate) fn see_the_unseen(&mut self) {
        let (unseen, document) = (&mut self.memory.unseen, self.document);
        for (place, found) in &self.observation.found {
            if unseen.remove(&named(place)) && found.iter().any(|o| is_ours(document, o)) {
                unseen.clear();
                (self.fresh, self.memory.complete) = (false, false);
                return;
            }
        }
    }

    fn lag(&self, resource: &Resource) -> Duration {
        self.engine.timing.lag(resource.schema.lag_seconds)
    }

    /// Forgets the regions that the document has no more, once all kinds were looked at there and nothing is ours.
    fn forget_regions(&mut self) {
        let kinds = self.engine.cloud.registry().0.iter().filter(|schema| !schema.global);
        let is_left = |region: &String| {
            kinds.clone().any(|schema| match self.observation.at(schema.kind, region) {
                Some(found) => found.iter().any(|o| is_ours(self.document, o)),
                None => true,
            })
        };
        let configured = |region: &String| self.document.target.regions.values().any(|r| r == region);
        let regions = self.memory.regions.iter().filter(|region| configured(region) || is_left(region));
        self.memory.regions = regions.cloned().collect();
    }

    /// Writes down how a pass ended.
    pub(crate) fn remember(&mut self, plan: &Plan, converged: bool) -> Result<(), PassError> {
        self.forget_regions();
        if self.options.policy.destroy {
            let there: BTreeSet<String> = plan.live.keys().map(ToString::to_string).collect();
            self.memory.converged.retain(|address, _| there.contains(address));
        }
        if converged {
            // Nothing is missing: what comes into the document from now on is new.
            self.memory.complete = true;
            self.memory.unseen.clear();
        }
        self.engine.store.save(&self.memory).map_err(PassError::Store)
    }

    pub(crate) fn save(&self) {
        // The store is an aid: a pass goes on without it, and says so.
        if let Err(error) = self.engine.store.save(&self.memory) {
            tracing::warn!(%error, "the store cannot be written");
        }
    }

    /// The operation with its client token made this intent's own.
    pub(crate) fn with_nonce(&self, op: &Op, step: &Step) -> Op {
        let mut op = op.clone();
        if let (Op::Create(wanted), Some(intent)) = (&mut op, self.memory.intents.get(&step.address.to_string())) {
            wanted.token = digest::token(&format!("{} {}", wanted.token, intent.nonce));
        }
        op
    }
}

fn is_ours(document: &Document, observed: &Observed) -> bool {
    observed.owner().is_some_and(|owner| owner.stack == document.stack && owner.env == document.env)
}

fn named(place: &Place) -> String {
    format!("{} {}", place.kind, place.region)
}
