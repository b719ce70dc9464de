//! The pass: observes, plans, applies what can start and looks again, until nothing can start.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use holdfast_core::document::Document;
use holdfast_core::observed::{Observation, Place};
use holdfast_core::plan::{Plan, Policy, plan};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};

use crate::cloud::{Class, Cloud, Failure};
use crate::event::{Event, Outcome, StepResult, Watcher};
use crate::ledger::Ledger;
use crate::observe::{Seen, Sweep, look, merge, places};
use crate::run::Run;
use crate::store::{Memory, Store};
use crate::timing::Timing;

/// How often a first look is tried when it is throttled: with its pauses half a minute.
const FIRST_LOOKS: u32 = 5;

/// What drives one cloud.
pub struct Engine {
    pub(crate) cloud: Arc<dyn Cloud>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) watcher: Arc<dyn Watcher>,
    pub(crate) timing: Timing,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) random: Mutex<StdRng>,
    sweep: std::sync::atomic::AtomicU64,
    pub(crate) now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

/// How to go about a pass.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is granted.
    pub policy: Policy,
    /// True to look at every kind in every configured region: finds orphans of kinds that left the document.
    pub everywhere: bool,
    /// How long to wait for what is pending; zero ends the pass as soon as nothing can start.
    pub patience: Duration,
    /// Turns true when the process is to stop.
    pub stop: watch::Receiver<bool>,
}

/// Why nothing could be looked at or done.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The caller could not be identified.
    #[error("cannot tell which account this is: {0}")]
    Identity(#[source] Box<Failure>),
    /// The credentials are for another account.
    #[error(
        "these credentials are for account {actual}, and the environment is for account {wanted}; nothing was changed"
    )]
    WrongAccount {
        /// The account that the document is for.
        wanted: String,
        /// The account that the credentials are for.
        actual: String,
    },
    /// The store is there and cannot be used.
    #[error("the store cannot be used: {0}; move it away to go on without what it remembers")]
    Store(#[source] io::Error),
    /// Nothing at all could be seen.
    #[error("nothing could be observed, so nothing was done: {0}")]
    Blind(String),
}

/// How a pass ended.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub env: String,
    /// True when everything is as the document has it.
    pub converged: bool,
    /// True when it was cut short by a stop.
    pub stopped: bool,
    /// How often it was planned anew, with what was seen meanwhile.
    pub plans: usize,
    /// What each step came to, in order of their ends.
    pub results: Vec<StepResult>,
    /// What is left to do.
    #[serde(skip)]
    pub plan: Plan,
    /// How many calls it took.
    #[serde(rename = "awsCalls")]
    pub calls: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Report {
    /// True when a step failed for good.
    pub fn failed(&self) -> bool {
        self.results.iter().any(|result| result.outcome == Outcome::Failed)
    }
}

/// A look without a touch.
#[derive(Debug)]
pub struct Look {
    /// What would be done.
    pub plan: Plan,
    /// What was seen.
    pub observation: Observation,
    /// How many calls it took.
    pub calls: u64,
}

impl Engine {
    /// An engine for a cloud.
    pub fn new(
        cloud: Arc<dyn Cloud>,
        store: Arc<dyn Store>,
        watcher: Arc<dyn Watcher>,
        timing: Timing,
        seed: u64,
    ) -> Engine {
        Engine {
            cloud,
            store,
            watcher,
            timing,
            ledger: Mutex::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            sweep: Default::default(),
            now: Arc::new(SystemTime::now),
        }
    }

    /// The same with another wall clock, which says how old intents of an earlier process are.
    pub fn with_clock(self, now: Arc<dyn Fn() -> SystemTime + Send + Sync>) -> Engine {
        Engine { now, ..self }
    }

    /// The cloud that it drives.
    pub fn cloud(&self) -> &dyn Cloud {
        &*self.cloud
    }

    pub(crate) fn watcher(&self) -> &dyn Watcher {
        &*self.watcher
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }

    /// A number between 0 and 1, for jitter.
    pub(crate) async fn chance(&self) -> f64 {
        self.random.lock().await.random()
    }

    /// Looks and plans, and changes nothing.
    ///
    /// # Errors
    /// When the account is wrong or unknown, or nothing can be seen.
    pub async fn look(&self, document: &Document, options: &Options) -> Result<Look, PassError> {
        let before = self.cloud.calls().total();
        let account = self.right_account(document).await?;
        let memory = self.store.load().map_err(PassError::Store)?;
        let mut observation = Observation::default();
        let options = &self.wide(document, options);
        self.first_look(document, &account, options, &memory, true, &mut observation).await?;
        let plan = self.plan(document, &observation, options, &memory, false).await;
        Ok(Look { plan, observation, calls: self.cloud.calls().total() - before })
    }

    /// Brings everything to what the document says, as far as it goes.
    ///
    /// # Errors
    /// When the account is wrong or unknown, or nothing can be seen. Failed steps are in the report.
    pub async fn pass(&self, document: &Document, options: &Options) -> Result<Report, PassError> {
        self.narrow_pass(document, &self.wide(document, options)).await
    }

    /// What left the document can be deleted only where it is looked for.
    fn wide(&self, document: &Document, options: &Options) -> Options {
        Options { everywhere: options.everywhere || document.policy.prune, ..options.clone() }
    }

    /// The same, looking everywhere only where the options say so: of a daemon's passes not every one does.
    pub(crate) async fn narrow_pass(&self, document: &Document, options: &Options) -> Result<Report, PassError> {
        self.watcher.on(&Event::PassBegan);
        let began = Instant::now();
        let before = self.cloud.calls().total();
        let account = self.right_account(document).await?;
        let memory = self.store.load().map_err(PassError::Store)?;
        self.ledger.lock().await.begin_pass(self.timing);
        let mut observation = Observation::default();
        let failures = self.first_look(document, &account, options, &memory, false, &mut observation).await?;
        let mut run = Run::new(self, document, options, account, memory, observation, &failures);
        run.doubt_old_intents().await;
        let (plan, plans) = run.converge(began).await;
        let stopped = *options.stop.borrow();
        // What cannot be seen cannot be known to be gone.
        let all_seen = !options.policy.destroy || run.observation.unknown.is_empty();
        let converged = plan.is_converged() && !stopped && all_seen;
        run.remember(&plan, converged)?;
        let report = Report {
            stack: document.stack.clone(),
            env: document.env.clone(),
            converged,
            stopped,
            plans,
            results: run.results,
            plan,
            calls: self.cloud.calls().total() - before,
            seconds: began.elapsed().as_secs_f64(),
        };
        self.watcher.on(&Event::PassEnded { report: &report });
        Ok(report)
    }

    pub(crate) async fn right_account(&self, document: &Document) -> Result<String, PassError> {
        let actual = self.cloud.account().await.map_err(|failure| PassError::Identity(Box::new(failure)))?;
        match &document.target.account {
            Some(wanted) if *wanted != actual => Err(PassError::WrongAccount { wanted: wanted.clone(), actual }),
            _ => Ok(actual),
        }
    }

    /// Looks at everything, and returns what could not be seen. That nothing at all can be seen is an error.
    /// What is throttled is looked at again: by a plan, which has no later look, always; by a pass, which goes on
    /// with what it sees, only when it sees nothing.
    async fn first_look(
        &self,
        document: &Document,
        account: &str,
        options: &Options,
        memory: &Memory,
        patient: bool,
        observation: &mut Observation,
    ) -> Result<BTreeMap<Place, Failure>, PassError> {
        let everywhere = options.everywhere || options.policy.destroy;
        let mut places = places(document, self.cloud.registry(), everywhere, &memory.regions);
        for attempt in 0.. {
            let failures = self.observe(document, account, &places, observation).await;
            let throttled = failures.iter().filter(|(_, failure)| failure.class == Class::Throttled);
            let throttled: BTreeSet<Place> = throttled.map(|(place, _)| place.clone()).collect();
            let blind = observation.found.is_empty() && !failures.is_empty();
            let again = !throttled.is_empty() && (patient || throttled.len() == failures.len() && blind);
            if !again || attempt + 1 >= FIRST_LOOKS || *options.stop.borrow() {
                return match failures.values().next().filter(|_| blind) {
                    Some(failure) => Err(PassError::Blind(failure.to_string())),
                    None => Ok(failures),
                };
            }
            places = throttled;
            sleep(self.timing.poll(attempt)).await;
        }
        Ok(BTreeMap::new())
    }

    /// Looks at these places, and returns which of them could not be seen.
    pub(crate) async fn observe(
        &self,
        document: &Document,
        account: &str,
        places: &BTreeSet<Place>,
        observation: &mut Observation,
    ) -> BTreeMap<Place, Failure> {
        let sweep = Sweep { hints: observation.found.is_empty(), ..self.next_sweep() };
        let mut failures = BTreeMap::new();
        for seen in look(&*self.cloud, document, account, places, sweep).await {
            let place = seen.place.clone();
            failures.extend(self.take_in(seen, observation).await.map(|failure| (place, failure)));
        }
        failures
    }

    /// A look of its own, later than the first of a pass.
    pub(crate) fn next_sweep(&self) -> Sweep {
        let number = self.sweep.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        Sweep { number, hints: false }
    }

    /// Takes in what was seen of a place, and returns why nothing could be.
    pub(crate) async fn take_in(&self, seen: Seen, observation: &mut Observation) -> Option<Failure> {
        let (place, at) = (seen.place.clone(), seen.at);
        let failure = merge(seen, observation);
        self.ledger.lock().await.seen(place, at, observation);
        failure
    }

    /// Plans with what the ledger knows. `fresh`: the stack owned nothing when the pass began.
    pub(crate) async fn plan(
        &self,
        document: &Document,
        observation: &Observation,
        options: &Options,
        memory: &Memory,
        fresh: bool,
    ) -> Plan {
        let kinds = self.cloud.registry().0;
        let mut ledger = self.ledger.lock().await;
        let mut policy = options.policy.clone();
        policy.memory = (memory.complete || !memory.converged.is_empty()).then(|| {
            memory.converged.iter().filter_map(|(a, digest)| Some((a.parse().ok()?, digest.clone()))).collect()
        });
        policy.remembers_all = memory.complete;
        policy.fresh = fresh;
        policy.at_work = ledger.working();
        policy.holds.extend(ledger.holds(observation));
        policy.made = ledger.unseen(observation);
        let mut first = plan(document, observation, &policy, kinds);
        if ledger.found(&first) {
            policy.holds = options.policy.holds.clone();
            policy.holds.extend(ledger.holds(observation));
            first = plan(document, observation, &policy, kinds);
        }
        let learned = ledger.learn(&first);
        if learned.is_empty() {
            return ledger.give_up(first);
        }
        policy.holds.extend(learned);
        ledger.give_up(plan(document, observation, &policy, kinds))
    }
}
