//! One pass under way: starts each step as soon as what it needs is seen, looks again at what steps touched, and waits
//! for what is pending, all at the same time.

mod looks;
mod steps;

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
use holdfast_core::plan::{Deed, Plan, Step};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::agenda::Agenda;
use crate::cloud::{Done, Failure};
use crate::event::{Event, StepResult};
use crate::ledger::Verdict;
use crate::observe::{self, Seen};
use crate::pass::{Engine, Options};
use crate::store::Memory;

/// How many steps run at once. The budget slows calls down; this bounds what a stop has to wait for.
const AT_ONCE: usize = 16;

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
    /// What this pass made and was told of, with when it was told last; none when only a look can tell.
    told: BTreeMap<(Place, String), Option<Instant>>,
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
            told: BTreeMap::new(),
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

    pub(crate) fn place(&self, address: &Address) -> Option<Place> {
        let resource = self.document.resources.get(address)?;
        Some(Place { kind: resource.schema.kind, region: resource.region.clone() })
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
