//! One pass under way: plan, start what can start, look again at what that touched, wait for what is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::{Observation, Place};
use holdfast_core::op::Op;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Deed, Plan, Step};
use holdfast_core::schema::CreateClass;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::cloud::{Class, Done, Failure};
use crate::event::{Event, Outcome, StepResult};
use crate::ledger::Verdict;
use crate::observe::ids;
use crate::pass::{Engine, Options};
use crate::store::Memory;
use crate::timing::Timing;

/// How many steps run at once. The budget slows calls down; this bounds what a stop has to wait for.
const AT_ONCE: usize = 8;

/// How often a throttled call is made again within its step. Looking in between as well would make more calls, and
/// the same number between two attempts each time, which a service that throttles by count never lets through.
const THROTTLED: u32 = 3;

/// One pass under way.
pub(crate) struct Run<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) document: &'a Document,
    pub(crate) options: &'a Options,
    account: String,
    pub(crate) memory: Memory,
    pub(crate) observation: Observation,
    /// In how many complete observations each id was seen: a deletion needs two.
    sightings: BTreeMap<(Place, String), u32>,
    /// How often each place that cannot be seen for the moment was looked at in vain.
    in_vain: BTreeMap<Place, u32>,
    pub(crate) results: Vec<StepResult>,
    mutations: usize,
    /// True when the stack owned nothing when the pass began.
    pub(crate) fresh: bool,
}

/// What can be done about a plan right now.
#[derive(Default)]
struct Turn<'p> {
    start: Vec<(&'p Step, &'p Deed)>,
    /// The shortest pause after which something may start, and whether there is anything to wait for.
    wait: Option<Duration>,
    /// Deletions that need a second sighting.
    unconfirmed: bool,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        document: &'a Document,
        options: &'a Options,
        account: String,
        memory: Memory,
        observation: Observation,
        failures: &BTreeMap<Place, Failure>,
    ) -> Run<'a> {
        let mut run = Run {
            engine,
            document,
            options,
            account,
            memory,
            observation,
            sightings: BTreeMap::new(),
            in_vain: BTreeMap::new(),
            results: vec![],
            mutations: 0,
            fresh: false,
        };
        run.memory.regions.extend(document.target.regions.values().cloned());
        let places = run.observation.found.keys().chain(failures.keys()).cloned().collect();
        run.sight(&places, failures);
        run
    }

    /// Goes on until nothing can start and nothing is worth waiting for.
    pub(crate) async fn converge(&mut self, began: Instant) -> (Plan, usize) {
        let engine = self.engine;
        let mut rounds = 0;
        let mut looks = 0;
        loop {
            self.see_the_unseen();
            let plan = engine.plan(self.document, &self.observation, self.options, &self.memory, self.fresh).await;
            rounds += 1;
            if rounds == 1 && !plan.owns_something {
                self.begin_fresh();
            }
            self.learn(&plan);
            let event = if rounds == 1 { Event::Found { plan: &plan } } else { Event::Planned { plan: &plan } };
            engine.watcher.on(&event);
            if self.is_stopped() {
                return (plan, rounds);
            }
            let turn = self.turn(&plan).await;
            if !turn.start.is_empty() {
                looks = 0;
                let touched = self.apply(&plan, &turn.start).await;
                // What cannot be seen, a region that is gone say, costs its timeouts at every look: no step that could
                // start waits for that.
                self.observe(&touched.union(&self.passing(&plan)).cloned().collect()).await;
                continue;
            }
            if turn.unconfirmed {
                self.observe(&places_of_steps(&plan)).await;
                continue;
            }
            let Some(pause) = turn.wait else { return (plan, rounds) };
            let pause = pause.max(engine.timing.poll(looks));
            if began.elapsed() + pause > self.options.patience {
                return (plan, rounds);
            }
            looks += 1;
            let waits = plan.holds.iter().filter(|h| h.reason.passes() || h.reason == Reason::Unobserved);
            let addresses: Vec<Address> = waits.map(|h| h.address.clone()).collect();
            engine.watcher.on(&Event::Waiting { addresses: &addresses, pause });
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(self.options.stop.clone()) => return (plan, rounds),
            }
            let mut places = self.waiting(&plan);
            places.extend(places_of_steps(&plan));
            self.observe(&places).await;
        }
    }

    fn is_stopped(&self) -> bool {
        *self.options.stop.borrow()
    }

    /// Which steps start now, and what there is to wait for if none does.
    async fn turn<'p>(&self, plan: &'p Plan) -> Turn<'p> {
        let ledger = self.engine.ledger.lock().await;
        let mut turn = Turn::default();
        let most = self.document.policy.max_mutations;
        for (step, deed) in plan.startable() {
            let verdict = ledger.verdict(step);
            if let (Op::Delete { live }, Verdict::Go) = (&deed.op, &verdict)
                && self.sightings.get(&(place_of(deed), live.id.clone())).copied().unwrap_or_default() < 2
            {
                turn.unconfirmed = true;
                continue;
            }
            match verdict {
                Verdict::Go if self.mutations + turn.start.len() < most => turn.start.push((step, deed)),
                Verdict::Go | Verdict::Never => {}
                Verdict::Later(pause) => turn.wait = Some(turn.wait.map_or(pause, |w| w.min(pause))),
            }
        }
        // A place that could not be seen because of a fault of the moment is looked at again, though not for ever.
        let unseen = self.in_vain(plan).any(|(_, looks)| *looks < Timing::ATTEMPTS);
        if plan.holds.iter().any(|hold| hold.reason.passes() || hold.reason == Reason::Unobserved && unseen) {
            turn.wait = Some(turn.wait.unwrap_or_default());
        }
        turn
    }

    /// Looks again at these places, unless the process is to stop.
    async fn observe(&mut self, places: &BTreeSet<Place>) {
        let failures = tokio::select! {
            biased;
            () = stopped(self.options.stop.clone()) => return,
            failures = self.engine.observe(self.document, &self.account, places, &mut self.observation) => failures,
        };
        self.sight(places, &failures);
    }

    /// Counts what was seen at these places, and what could not be.
    fn sight(&mut self, places: &BTreeSet<Place>, failures: &BTreeMap<Place, Failure>) {
        for place in places {
            match failures.get(place).map(|failure| failure.class) {
                Some(Class::Throttled | Class::Transient) => *self.in_vain.entry(place.clone()).or_default() += 1,
                _ => drop(self.in_vain.remove(place)),
            }
        }
        for (place, found) in self.observation.found.iter().filter(|(place, _)| places.contains(place)) {
            for id in ids(found) {
                *self.sightings.entry((place.clone(), id.to_owned())).or_default() += 1;
            }
        }
    }

    /// The places that have something pending or unseen.
    fn waiting(&self, plan: &Plan) -> BTreeSet<Place> {
        let held = plan.holds.iter().filter(|h| h.reason == Reason::Unobserved);
        let waited_for = held.flat_map(|hold| [Some(&hold.address), hold.waits_for.as_ref()]).flatten();
        let unseen =
            waited_for.flat_map(|address| self.places(address)).chain(self.in_vain(plan).map(|(p, _)| p.clone()));
        self.passing(plan).into_iter().chain(unseen).collect()
    }

    /// The places that have something pending.
    fn passing(&self, plan: &Plan) -> BTreeSet<Place> {
        let held = plan.holds.iter().filter(|h| h.reason.passes());
        let waited_for = held.flat_map(|hold| [Some(&hold.address), hold.waits_for.as_ref()]).flatten();
        waited_for.flat_map(|address| self.places(address)).collect()
    }

    /// The places that were looked at in vain and are worth another look: what only a search for what left the
    /// document needs is, when a deletion waits for it.
    fn in_vain(&self, plan: &Plan) -> impl Iterator<Item = (&Place, &u32)> {
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
    fn places(&self, address: &Address) -> Vec<Place> {
        match self.place(address) {
            Some(place) => vec![place],
            None => self.observation.found.keys().filter(|place| *place.kind == *address.kind).cloned().collect(),
        }
    }

    pub(crate) fn place(&self, address: &Address) -> Option<Place> {
        let resource = self.document.resources.get(address)?;
        Some(Place { kind: resource.schema.kind, region: resource.region.clone() })
    }

    /// Carries out these steps, several at once, and returns the places that they touched. After a stop none
    /// begins, and what is under way has [`Timing::stop`] to end.
    async fn apply(&mut self, plan: &Plan, start: &[(&Step, &Deed)]) -> BTreeSet<Place> {
        self.mutations += start.len();
        self.intend(plan, start).await;
        let (engine, options) = (self.engine, self.options);
        let ops: Vec<Op> = start.iter().map(|(step, deed)| self.with_nonce(&deed.op, step)).collect();
        let running = start.iter().zip(&ops).map(|((step, deed), op)| async move {
            if *options.stop.borrow() {
                return None;
            }
            let began = Instant::now();
            engine.watcher.on(&Event::StepBegan { step });
            let mut result = engine.cloud.apply(deed.kind, &deed.region, op).await;
            for attempt in 0..THROTTLED {
                // A throttled call did nothing, so it is safe to make at once what a new look would lead to as well.
                let throttled = result.as_ref().is_err_and(|f| f.class == Class::Throttled && !f.ambiguous);
                if !throttled || *options.stop.borrow() {
                    break;
                }
                sleep(engine.timing.retry(attempt)).await;
                result = engine.cloud.apply(deed.kind, &deed.region, op).await;
            }
            Some((*step, *deed, began.elapsed(), result))
        });
        let mut running = std::pin::pin!(stream::iter(running).buffer_unordered(AT_ONCE));
        let mut late = std::pin::pin!(async {
            stopped(options.stop.clone()).await;
            sleep(engine.timing.stop()).await;
        });
        let mut touched = BTreeSet::new();
        loop {
            let ended = tokio::select! {
                ended = running.next() => ended,
                () = &mut late => None,
            };
            match ended {
                None => break,
                Some(None) => {}
                Some(Some((step, deed, took, result))) => {
                    touched.insert(place_of(deed));
                    touched.extend(self.place(&step.address));
                    self.record(step, deed, took, result).await;
                }
            }
        }
        self.save();
        touched
    }

    async fn record(&mut self, step: &Step, deed: &Deed, took: Duration, result: Result<Done, Failure>) {
        let engine = self.engine;
        let schema = engine.cloud.schema(deed.kind);
        let lag = engine.timing.lag(schema.map_or(0, |s| s.lag_seconds));
        let mut ledger = engine.ledger.lock().await;
        let name = step.address.to_string();
        let (outcome, failure) = match result {
            Ok(done) => {
                ledger.done(step, lag);
                match (&deed.op, done.id) {
                    (Op::Create(_), Some(id)) => {
                        // The intent stays until reads surely show it: this process may not live to see that.
                        if let Some(intent) = self.memory.intents.get_mut(&name) {
                            intent.made = Some(id.clone());
                        }
                        ledger.made(&step.address, place_of(deed), id, lag);
                    }
                    (Op::Delete { live }, _) => {
                        ledger.deleted(place_of(deed), live.id.clone(), lag);
                        if !self.document.resources.contains_key(&step.address) {
                            self.memory.converged.remove(&name);
                        }
                    }
                    _ => {}
                }
                (Outcome::Done, None)
            }
            Err(failure) => {
                if let (Op::Create(_), Some(intent)) = (&deed.op, self.memory.intents.get(&name)) {
                    // A token makes the second attempt the first; without one it has to be looked for.
                    let token = schema.is_some_and(|s| s.class == CreateClass::Token);
                    if failure.ambiguous && !token {
                        ledger.doubt(&step.address, place_of(deed), intent.known.clone(), lag);
                    } else if !failure.ambiguous {
                        self.memory.intents.remove(&name);
                    }
                }
                let again = ledger.failed(step, &failure, engine.timing);
                (if again { Outcome::Retry } else { Outcome::Failed }, Some(failure))
            }
        };
        drop(ledger);
        engine.watcher.on(&Event::StepEnded { step, outcome, took, failure: failure.as_ref() });
        // Of an attempt that is made again only the last is told.
        self.results.retain(|r| r.address != step.address || r.action != step.action || r.outcome == Outcome::Done);
        self.results.push(StepResult {
            address: step.address.clone(),
            action: step.action,
            outcome,
            seconds: took.as_secs_f64(),
            error: failure.map(|f| f.to_string()),
        });
    }
}

/// Returns once a stop is asked for, and never when nobody is left who could ask.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        pending::<()>().await;
    }
}

fn places_of_steps(plan: &Plan) -> BTreeSet<Place> {
    plan.steps.iter().filter_map(|step| step.deed.as_ref()).map(place_of).collect()
}

pub(crate) fn place_of(deed: &Deed) -> Place {
    Place { kind: deed.kind, region: deed.region.clone() }
}
