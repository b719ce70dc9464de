//! One pass under way: starts each step as soon as what it needs is seen, looks again at what steps touched, and waits
//! for what is pending, all at the same time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::{Observation, Place};
use holdfast_core::op::Op;
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Deed, Plan, Step};
use holdfast_core::schema::CreateClass;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::agenda::Agenda;
use crate::cloud::{Class, Done, Failure};
use crate::event::{Event, Outcome, StepResult};
use crate::ledger::Verdict;
use crate::observe::{self, Seen, ids, look_at};
use crate::pass::{Engine, Options};
use crate::store::Memory;
use crate::timing::Timing;

/// How many steps run at once. The budget slows calls down; this bounds what a stop has to wait for.
const AT_ONCE: usize = 16;

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
    agenda: Agenda,
    pub(crate) results: Vec<StepResult>,
    mutations: usize,
    /// True when the stack owned nothing when the pass began.
    pub(crate) fresh: bool,
}

/// The plan in force, with what of it is still to be done.
struct Turn {
    plan: Plan,
    /// What may start, those with the longest chain behind them first.
    queue: VecDeque<(Step, Deed)>,
    /// Where a step may start again later.
    later: Vec<(Place, Instant)>,
    /// Where something is to be deleted that was seen only once.
    unconfirmed: BTreeSet<Place>,
    /// The addresses that a step or a hold waits for.
    needed: BTreeSet<Address>,
}

/// A step that ended.
struct Ended {
    step: Step,
    deed: Deed,
    took: Duration,
    result: Result<Done, Failure>,
}

type Steps<'a> = FuturesUnordered<BoxFuture<'a, Ended>>;
type Looks<'a> = FuturesUnordered<BoxFuture<'a, Seen>>;

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
            agenda: Agenda::new(engine.timing),
            results: vec![],
            mutations: 0,
            fresh: false,
        };
        run.memory.regions.extend(document.target.regions.values().cloned());
        let places = run.observation.found.keys().chain(failures.keys()).cloned().collect();
        run.sight(&places, failures);
        run
    }

    /// Goes on until nothing can start and nothing is worth waiting for. Returns the last plan, and how often it was
    /// planned.
    pub(crate) async fn converge(&mut self, began: Instant) -> (Plan, usize) {
        let engine = self.engine;
        let (mut steps, mut looks) = (Steps::new(), Looks::new());
        let at_once = Arc::new(Semaphore::new(observe::AT_ONCE));
        let mut turn = self.plan(true).await;
        let mut plans = 1;
        let mut stopping = self.is_stopped();
        let mut too_late = std::pin::pin!(async {
            stopped(self.options.stop.clone()).await;
            sleep(engine.timing.stop()).await;
        });
        loop {
            let mut wake = None;
            if !stopping {
                self.start(&mut turn, &mut steps).await;
                let due = self.due(&turn, began);
                let idle = steps.is_empty() && looks.is_empty();
                let places = self.to_look_at(&turn, &due, idle);
                self.look(&places, &at_once, &mut looks);
                wake = due.into_values().filter(|at| *at > Instant::now()).min();
                if let (true, true, Some(at)) = (steps.is_empty(), looks.is_empty(), wake) {
                    let addresses: Vec<Address> = self.awaited(&turn.plan).map(|hold| hold.address.clone()).collect();
                    let pause = at.saturating_duration_since(Instant::now());
                    engine.watcher.on(&Event::Waiting { addresses: &addresses, pause });
                }
            }
            if steps.is_empty() && stopping {
                return (self.plan(false).await.plan, plans + 1);
            }
            if steps.is_empty() && looks.is_empty() && wake.is_none() {
                return (turn.plan, plans);
            }
            tokio::select! {
                biased;
                () = stopped(self.options.stop.clone()), if !stopping => stopping = true,
                () = &mut too_late => return (turn.plan, plans),
                Some(ended) = steps.next() => {
                    let mut made = self.ended(ended).await;
                    while let Some(Some(ended)) = steps.next().now_or_never() {
                        made |= self.ended(ended).await;
                    }
                    self.save();
                    if made {
                        turn = self.plan(false).await;
                        plans += 1;
                    }
                }
                Some(seen) = looks.next(), if !stopping => {
                    self.seen(seen).await;
                    while let Some(Some(seen)) = looks.next().now_or_never() {
                        self.seen(seen).await;
                    }
                    turn = self.plan(false).await;
                    plans += 1;
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    fn is_stopped(&self) -> bool {
        *self.options.stop.borrow()
    }

    /// Plans, and finds what can be done about it.
    async fn plan(&mut self, first: bool) -> Turn {
        let engine = self.engine;
        self.see_the_unseen();
        let plan = engine.plan(self.document, &self.observation, self.options, &self.memory, self.fresh).await;
        if first && !plan.owns_something {
            self.begin_fresh();
        }
        self.learn(&plan);
        let event = if first { Event::Found { plan: &plan } } else { Event::Planned { plan: &plan } };
        engine.watcher.on(&event);

        let outdated = self.agenda.outdated();
        let ledger = engine.ledger.lock().await;
        let (mut queue, mut later, mut unconfirmed) = (VecDeque::new(), vec![], BTreeSet::new());
        for (step, deed) in plan.startable() {
            if outdated.contains(&step.address) {
                continue;
            }
            match ledger.verdict(step) {
                Verdict::Go if self.is_seen_enough(deed) => queue.push_back((step.clone(), deed.clone())),
                Verdict::Go => unconfirmed = places_of_steps(&plan),
                Verdict::Later(pause) => later.push((place_of(deed), Instant::now() + pause)),
                Verdict::Never => {}
            }
        }
        drop(ledger);
        let waited_for = plan.holds.iter().filter_map(|hold| hold.waits_for.as_ref());
        let needed = plan.steps.iter().flat_map(|step| &step.after).chain(waited_for).cloned().collect();
        Turn { plan, queue, later, unconfirmed, needed }
    }

    /// A deletion needs two sightings.
    fn is_seen_enough(&self, deed: &Deed) -> bool {
        match &deed.op {
            Op::Delete { live } => self.sightings.get(&(place_of(deed), live.id.clone())).is_some_and(|n| *n >= 2),
            _ => true,
        }
    }

    /// When the places are to be looked at that something is waited for at; those beyond the patience are left out.
    fn due(&self, turn: &Turn, began: Instant) -> BTreeMap<Place, Instant> {
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
    fn awaited<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p Hold> {
        let unseen = self.is_unseen_for_now(plan);
        plan.holds.iter().filter(move |hold| hold.reason.passes() || hold.reason == Reason::Unobserved && unseen)
    }

    /// A place that could not be seen because of a fault of the moment is looked at again, though not for ever.
    fn is_unseen_for_now(&self, plan: &Plan) -> bool {
        plan.holds.iter().any(|hold| hold.reason == Reason::Unobserved)
            && self.in_vain(plan).any(|(_, looks)| *looks < Timing::ATTEMPTS)
    }

    /// Where to look now: where something is due, where the effect of a step is needed by another, where a deletion
    /// needs its second sighting; and when nothing else is left to do, wherever a step had an effect.
    fn to_look_at(&self, turn: &Turn, due: &BTreeMap<Place, Instant>, idle: bool) -> BTreeSet<Place> {
        let now = Instant::now();
        let is_needed = |addresses: &BTreeSet<Address>| addresses.iter().any(|address| turn.needed.contains(address));
        let needed = self.agenda.touched().filter(|(_, addresses)| idle || is_needed(addresses));
        let due = due.iter().filter(|(_, at)| **at <= now).map(|(place, _)| place);
        let places = needed.map(|(place, _)| place).chain(due).chain(&turn.unconfirmed);
        places.filter(|place| self.agenda.is_free(place)).cloned().collect()
    }

    /// Begins to look at these places. What they share is asked once.
    fn look(&mut self, places: &BTreeSet<Place>, at_once: &Arc<Semaphore>, looks: &mut Looks<'a>) {
        self.agenda.look_begins(places);
        let (engine, document, sweep) = (self.engine, self.document, self.engine.next_sweep());
        for place in places.iter().cloned() {
            let (account, at_once) = (self.account.clone(), at_once.clone());
            looks.push(Box::pin(async move {
                let _turn = at_once.acquire().await;
                look_at(&*engine.cloud, document, &account, place, sweep).await
            }));
        }
    }

    /// Takes in what was seen at a place.
    async fn seen(&mut self, seen: Seen) {
        let place = seen.place.clone();
        let failure = self.engine.take_in(seen, &mut self.observation).await;
        self.agenda.look_ended(&place);
        self.sight(&BTreeSet::from([place.clone()]), &failure.map(|failure| (place, failure)).into_iter().collect());
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

    /// Begins the steps that can start, several at once.
    async fn start(&mut self, turn: &mut Turn, steps: &mut Steps<'a>) {
        let left = self.document.policy.max_mutations.saturating_sub(self.mutations);
        let free = AT_ONCE.saturating_sub(steps.len()).min(left).min(turn.queue.len());
        let start: Vec<(Step, Deed)> = turn.queue.drain(..free).collect();
        if start.is_empty() {
            return;
        }
        self.mutations += start.len();
        self.intend(&turn.plan, &start).await;
        for (step, deed) in start {
            let touches = [Some(place_of(&deed)), self.place(&step.address)].into_iter().flatten();
            self.agenda.step_begins(&step.address, touches);
            let op = self.with_nonce(&deed.op, &step);
            steps.push(Box::pin(carry_out(self.engine, self.options, step, deed, op)));
        }
    }

    /// Takes in what came of a step. Returns true when others can go on because of that alone, without a look.
    async fn ended(&mut self, ended: Ended) -> bool {
        let Ended { step, deed, took, result } = ended;
        let early = self.engine.cloud.schema(deed.kind).is_some_and(|schema| schema.early);
        let made = early && result.is_ok() && matches!(deed.op, Op::Create(_));
        self.agenda.step_ended(&step.address);
        self.record(&step, &deed, took, result).await;
        made
    }

    async fn record(&mut self, step: &Step, deed: &Deed, took: Duration, result: Result<Done, Failure>) {
        let engine = self.engine;
        let schema = engine.cloud.schema(deed.kind);
        let lag = engine.timing.lag(schema.map_or(0, |s| s.lag_seconds));
        let mut ledger = engine.ledger.lock().await;
        let name = step.address.to_string();
        let (outcome, failure) = match result {
            Ok(done) => {
                ledger.done(step, place_of(deed), lag);
                match (&deed.op, done.id) {
                    (Op::Create(wanted), Some(id)) => {
                        // The intent stays until reads surely show it: this process may not live to see that.
                        if let Some(intent) = self.memory.intents.get_mut(&name) {
                            intent.made = Some(id.clone());
                        }
                        ledger.made(&step.address, place_of(deed), id, Some(&wanted.name), lag);
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

/// Carries out a step.
async fn carry_out(engine: &Engine, options: &Options, step: Step, deed: Deed, op: Op) -> Ended {
    let began = Instant::now();
    engine.watcher.on(&Event::StepBegan { step: &step });
    let mut result = engine.cloud.apply(deed.kind, &deed.region, &op).await;
    for attempt in 0..THROTTLED {
        // A throttled call did nothing, so it is safe to make at once what a new look would lead to as well.
        let throttled = result.as_ref().is_err_and(|f| f.class == Class::Throttled && !f.ambiguous);
        if !throttled || *options.stop.borrow() {
            break;
        }
        sleep(engine.timing.retry(attempt)).await;
        result = engine.cloud.apply(deed.kind, &deed.region, &op).await;
    }
    Ended { step, deed, took: began.elapsed(), result }
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
