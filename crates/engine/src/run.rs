//! A running pass: starts each step as soon as its dependencies are ready, observes the resources that steps changed,
//! and waits for pending resources, all concurrently.

mod observations;
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
use holdfast_core::observed::{KindRegion, Observation};
use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::plan::{Plan, PreparedDocument, Step};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::cloud::{Failure, OperationResult};
use crate::event::{Event, StepResult};
use crate::observe::{self, KindObservation};
use crate::pass::{Engine, PassOptions};
use crate::poll_schedule::PollSchedule;
use crate::retry::RetryDecision;
use crate::store::History;

/// The number of concurrent steps. The call budget limits the calls; this number limits the steps that a stop waits
/// for.
const MAX_CONCURRENT_STEPS: usize = 16;

/// A running pass.
pub(crate) struct PassRun<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) document: &'a Document,
    prepared: PreparedDocument<'a>,
    pub(crate) options: &'a PassOptions,
    account: String,
    pub(crate) history: History,
    pub(crate) observation: Observation,
    /// The number of complete observations that found each id. A deletion needs two.
    sightings: BTreeMap<(KindRegion, String), u32>,
    /// The number of consecutive observations that failed, by kind and region, unless the failure is terminal.
    failed_observations: BTreeMap<KindRegion, u32>,
    poll_schedule: PollSchedule,
    /// The resources that this pass created, with the time of the last response that confirmed their state. `None` when
    /// only an observation can show the state.
    confirmed_at: BTreeMap<(KindRegion, String), Option<Instant>>,
    pub(crate) results: Vec<StepResult>,
    mutations: usize,
    /// True when the stack owned no resource when the pass began.
    pub(crate) is_initial: bool,
}

/// The share of planning in the time of a pass: a plan is used at least four times as long as it took to make, while it
/// has steps that may start. A pass of many resources plans less often, so planning does not dominate its cost.
const PLAN_REUSE: u32 = 4;

/// The current plan, with the work that is left of it.
struct PlannedWork {
    plan: Plan,
    /// When the plan was made, and how long that took.
    planned_at: Instant,
    planning_time: Duration,
    /// The steps that may start, in the order of the plan: the longest chain of dependents comes first.
    queue: VecDeque<(Step, Operation)>,
    /// The kinds and regions of the steps that wait for a retry, and when each may start.
    retries: Vec<(KindRegion, Instant)>,
    /// The kinds and regions to observe again because a deletion needs its second sighting.
    second_sightings: BTreeSet<KindRegion>,
    /// The addresses that a step or a hold waits for.
    waited_for: BTreeSet<Address>,
}

impl PlannedWork {
    /// True when a response needs a new plan now: no step runs or may start, or the plan was used long enough.
    fn is_plan_due(&self, is_idle: bool) -> bool {
        is_idle || self.queue.is_empty() || self.planned_at.elapsed() >= self.planning_time * PLAN_REUSE
    }
}

/// A step that ended, with its result.
struct EndedStep {
    step: Step,
    operation: Operation,
    duration: Duration,
    result: Result<OperationResult, Failure>,
}

type RunningSteps<'a> = FuturesUnordered<BoxFuture<'a, EndedStep>>;
type RunningObservations<'a> = FuturesUnordered<BoxFuture<'a, KindObservation>>;

impl<'a> PassRun<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        document: &'a Document,
        options: &'a PassOptions,
        account: String,
        history: History,
        observation: Observation,
        failures: &BTreeMap<KindRegion, Failure>,
    ) -> PassRun<'a> {
        let mut run = PassRun {
            engine,
            document,
            prepared: PreparedDocument::new(document),
            options,
            account,
            history,
            observation,
            sightings: BTreeMap::new(),
            failed_observations: BTreeMap::new(),
            poll_schedule: PollSchedule::new(engine.timing),
            confirmed_at: BTreeMap::new(),
            results: vec![],
            mutations: 0,
            is_initial: false,
        };
        run.history.regions.extend(document.target.regions.values().cloned());
        let kind_regions = run.observation.found.keys().chain(failures.keys()).cloned().collect();
        run.count_sightings(&kind_regions, failures);
        run
    }

    /// Runs the loop of the pass. Returns the last plan, and the number of plans.
    ///
    /// # Expected flow
    /// 1. Plan with everything that is known.
    /// 2. Start each step that can start, up to 16 at once.
    /// 3. Observe the kinds that are due in their regions: a resource is pending there, a step changed a resource that
    ///    others wait for, or a deletion needs its second sighting. If nothing else is left to do, observe everything
    ///    that steps changed.
    /// 4. Wait for the end of a step or an observation, or for the next poll.
    /// 5. Plan again after each observation, before any other step starts, and after a step whose result is known from
    ///    its response. In the latter case a plan with steps that may start is used for at least four times its planning
    ///    time. Continue at 2.
    /// 6. End when no step runs, no observation runs, and no poll is due within the wait timeout.
    ///
    /// # Guarantees
    /// A step starts as soon as its own dependencies are ready: it does not wait for unrelated steps. No step starts
    /// for an address whose last step runs, or whose last effect was not observed. A deletion starts only after two
    /// complete observations of this pass found the resource.
    ///
    /// # Caveats
    /// In a large document, a step that a response made ready may wait for up to four times the planning time while
    /// other steps start.
    ///
    /// After a stop no step and no observation starts. The steps that run may finish for up to 25 s, and their results
    /// are saved.
    pub(crate) async fn converge(&mut self, began: Instant) -> (Plan, usize) {
        let engine = self.engine;
        let (mut steps, mut observations) = (RunningSteps::new(), RunningObservations::new());
        let permits = Arc::new(Semaphore::new(observe::MAX_CONCURRENT_OBSERVATIONS));
        let mut work = self.plan_work(true).await;
        let mut plans = 1;
        // True when the response to a step changed the known state since the last plan.
        let mut outdated = false;
        let mut stopping = self.is_stopped();
        let mut stop_timeout = std::pin::pin!(async {
            stopped(self.options.stop.clone()).await;
            sleep(engine.timing.stop()).await;
        });
        loop {
            let mut wake = None;
            if outdated && (stopping || work.is_plan_due(steps.is_empty())) {
                work = self.plan_work(false).await;
                plans += 1;
                outdated = false;
            }
            if !stopping {
                self.start_steps(&mut work, &mut steps).await;
                let polls = self.next_polls(&work, began);
                let idle = steps.is_empty() && observations.is_empty();
                let kind_regions = self.due_observations(&work, &polls, idle);
                self.start_observations(&kind_regions, &permits, &mut observations);
                wake = polls.into_values().filter(|at| *at > Instant::now()).min();
                if let (true, true, Some(at)) = (steps.is_empty(), observations.is_empty(), wake) {
                    let addresses: Vec<Address> =
                        self.awaited_holds(&work.plan).map(|hold| hold.address.clone()).collect();
                    let pause = at.saturating_duration_since(Instant::now());
                    engine.event_sink.on(&Event::Waiting { addresses: &addresses, pause });
                }
            }
            if steps.is_empty() && stopping {
                return (self.plan_work(false).await.plan, plans + 1);
            }
            if steps.is_empty() && observations.is_empty() && wake.is_none() {
                return (work.plan, plans);
            }
            tokio::select! {
                biased;
                () = stopped(self.options.stop.clone()), if !stopping => stopping = true,
                () = &mut stop_timeout => return (work.plan, plans),
                Some(ended) = steps.next() => {
                    let mut confirmed = self.end_step(ended).await;
                    while let Some(Some(ended)) = steps.next().now_or_never() {
                        confirmed |= self.end_step(ended).await;
                    }
                    self.save();
                    outdated |= confirmed;
                }
                Some(observed) = observations.next(), if !stopping => {
                    self.record_observation(observed).await;
                    while let Some(Some(observed)) = observations.next().now_or_never() {
                        self.record_observation(observed).await;
                    }
                    // An observation may show that a step must not start, so no step of the old plan starts after it.
                    work = self.plan_work(false).await;
                    plans += 1;
                    outdated = false;
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    fn is_stopped(&self) -> bool {
        *self.options.stop.borrow()
    }

    /// Plans, and sorts the steps of the plan into those that may start and those that wait.
    async fn plan_work(&mut self, first: bool) -> PlannedWork {
        let (engine, began) = (self.engine, Instant::now());
        self.check_unobserved();
        let plan = engine
            .plan_with_expectations(&self.prepared, &self.observation, self.options, &self.history, self.is_initial)
            .await;
        if first && !plan.owns_something {
            self.begin_initial();
        }
        self.record_converged(&plan);
        engine.event_sink.on(&Event::Planned { plan: &plan, first });

        let outdated = self.poll_schedule.outdated();
        let expectations = engine.expectations.lock().await;
        let (mut queue, mut retries, mut second_sightings) = (VecDeque::new(), vec![], BTreeSet::new());
        for (step, operation) in plan.startable() {
            if outdated.contains(&step.address) {
                continue;
            }
            match expectations.retries.decision(step) {
                RetryDecision::Now if self.has_sightings(operation) => {
                    queue.push_back((step.clone(), operation.clone()))
                }
                RetryDecision::Now => second_sightings = kind_regions_of_steps(&plan),
                RetryDecision::Later(pause) => retries.push((kind_region_of(operation), Instant::now() + pause)),
                RetryDecision::Never => {}
            }
        }
        drop(expectations);
        let by_holds = plan.holds.iter().filter_map(|hold| hold.waits_for.as_ref());
        let waited_for = plan.steps.iter().flat_map(|step| &step.after).chain(by_holds).cloned().collect();
        let (planned_at, planning_time) = (Instant::now(), began.elapsed());
        PlannedWork { plan, planned_at, planning_time, queue, retries, second_sightings, waited_for }
    }

    /// True when an operation has the sightings that it needs: two for a deletion, none for the others.
    fn has_sightings(&self, operation: &Operation) -> bool {
        match &operation.mutation {
            Mutation::Delete { live } => {
                self.sightings.get(&(kind_region_of(operation), live.id.clone())).is_some_and(|n| *n >= 2)
            }
            _ => true,
        }
    }

    pub(crate) fn kind_region(&self, address: &Address) -> Option<KindRegion> {
        let resource = self.document.resources.get(address)?;
        Some(KindRegion { kind: resource.schema.kind, region: resource.region.clone() })
    }
}

/// Returns once a stop is requested. Never returns when the sender no longer exists.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        pending::<()>().await;
    }
}

fn kind_regions_of_steps(plan: &Plan) -> BTreeSet<KindRegion> {
    plan.steps.iter().filter_map(|step| step.operation.as_ref()).map(kind_region_of).collect()
}

pub(crate) fn kind_region_of(operation: &Operation) -> KindRegion {
    KindRegion { kind: operation.kind, region: operation.region.clone() }
}
