//! The pass: observe, plan, apply what can start, and again, until nothing can start.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::stream::{self, StreamExt};
use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::{Observation, Place};
use holdfast_core::op::Op;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Deed, Plan, Policy, Step, plan};
use holdfast_core::schema::CreateClass;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::cloud::{Class, Cloud, Failure};
use crate::event::{Event, Outcome, StepResult, Watcher};
use crate::ledger::{Ledger, Verdict};
use crate::observe::{ids, look, places};
use crate::store::{Intent, Memory, Store};
use crate::timing::Timing;

/// How many steps run at once. The budget slows calls down; this bounds what a stop has to wait for.
const AT_ONCE: usize = 8;

/// What drives one cloud.
pub struct Engine {
    cloud: Arc<dyn Cloud>,
    store: Arc<dyn Store>,
    watcher: Arc<dyn Watcher>,
    timing: Timing,
    ledger: Mutex<Ledger>,
    random: Mutex<StdRng>,
    sweep: std::sync::atomic::AtomicU64,
    now: fn() -> SystemTime,
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
    #[error("these credentials are for account {actual}, and the environment is for account {wanted}; nothing was changed")]
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
    /// How often it was observed, planned and applied.
    pub passes: usize,
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
    pub fn new(cloud: Arc<dyn Cloud>, store: Arc<dyn Store>, watcher: Arc<dyn Watcher>, timing: Timing, seed: u64) -> Engine {
        Engine {
            cloud,
            store,
            watcher,
            timing,
            ledger: Mutex::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            sweep: Default::default(),
            now: SystemTime::now,
        }
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
        let places = places(document, self.cloud.registry(), options.everywhere || options.policy.destroy);
        self.observe(document, &account, &places, &mut observation).await?;
        let plan = self.plan(document, &observation, options, &memory).await;
        Ok(Look { plan, observation, calls: self.cloud.calls().total() - before })
    }

    /// Brings everything to what the document says, as far as it goes.
    ///
    /// # Errors
    /// When the account is wrong or unknown, or nothing can be seen. Failed steps are in the report.
    pub async fn pass(&self, document: &Document, options: &Options) -> Result<Report, PassError> {
        self.watcher.on(&Event::PassBegan);
        let began = Instant::now();
        let before = self.cloud.calls().total();
        let account = self.right_account(document).await?;
        let memory = self.store.load().map_err(PassError::Store)?;
        self.ledger.lock().await.begin_pass();
        let places = places(document, self.cloud.registry(), options.everywhere || options.policy.destroy);
        let mut run = Run {
            engine: self,
            document,
            options,
            account,
            memory,
            observation: Observation::default(),
            sightings: BTreeMap::new(),
            results: vec![],
            mutations: 0,
        };
        run.doubt_old_intents().await;
        run.observe(&places).await?;
        let (plan, passes) = run.converge(began).await?;
        run.remember(&plan)?;
        let stopped = *options.stop.borrow();
        let report = Report {
            stack: document.stack.clone(),
            env: document.env.clone(),
            converged: plan.is_converged() && !stopped,
            stopped,
            passes,
            results: run.results,
            plan,
            calls: self.cloud.calls().total() - before,
            seconds: began.elapsed().as_secs_f64(),
        };
        self.watcher.on(&Event::PassEnded { report: &report });
        Ok(report)
    }

    async fn right_account(&self, document: &Document) -> Result<String, PassError> {
        let actual = self.cloud.account().await.map_err(|failure| PassError::Identity(Box::new(failure)))?;
        match &document.target.account {
            Some(wanted) if *wanted != actual => Err(PassError::WrongAccount { wanted: wanted.clone(), actual }),
            _ => Ok(actual),
        }
    }

    async fn observe(
        &self,
        document: &Document,
        account: &str,
        places: &BTreeSet<Place>,
        observation: &mut Observation,
    ) -> Result<(), PassError> {
        let sweep = self.sweep.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        look(&*self.cloud, document, account, places, sweep, observation).await;
        match observation.unknown.values().next() {
            Some(why) if observation.found.is_empty() => Err(PassError::Blind(why.clone())),
            _ => Ok(()),
        }
    }

    /// Plans with what the ledger knows.
    async fn plan(&self, document: &Document, observation: &Observation, options: &Options, memory: &Memory) -> Plan {
        let kinds = self.cloud.registry().0;
        let mut policy = options.policy.clone();
        policy.memory = (!memory.converged.is_empty()).then(|| {
            memory.converged.iter().filter_map(|(a, digest)| Some((a.parse().ok()?, digest.clone()))).collect()
        });
        let mut ledger = self.ledger.lock().await;
        policy.holds.extend(ledger.holds(observation));
        let first = plan(document, observation, &policy, kinds);
        let learned = ledger.learn(&first);
        if learned.is_empty() {
            return first;
        }
        policy.holds.extend(learned);
        plan(document, observation, &policy, kinds)
    }
}

/// One pass under way.
struct Run<'a> {
    engine: &'a Engine,
    document: &'a Document,
    options: &'a Options,
    account: String,
    memory: Memory,
    observation: Observation,
    /// In how many complete observations each id was seen: a deletion needs two.
    sightings: BTreeMap<String, u32>,
    results: Vec<StepResult>,
    mutations: usize,
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

impl Run<'_> {
    async fn converge(&mut self, began: Instant) -> Result<(Plan, usize), PassError> {
        let mut rounds = 0;
        let mut looks_in_vain = 0;
        loop {
            let plan = self.engine.plan(self.document, &self.observation, self.options, &self.memory).await;
            rounds += 1;
            let event = if rounds == 1 { Event::Found { plan: &plan } } else { Event::Planned { plan: &plan } };
            self.engine.watcher.on(&event);
            if *self.options.stop.borrow() {
                return Ok((plan, rounds));
            }
            let turn = self.turn(&plan).await;
            if !turn.start.is_empty() {
                looks_in_vain = 0;
                let touched = self.apply(&turn.start).await;
                self.observe(&touched.union(&self.waiting(&plan)).cloned().collect()).await?;
                continue;
            }
            if turn.unconfirmed {
                self.observe(&self.places_of_steps(&plan)).await?;
                continue;
            }
            let Some(pause) = turn.wait else { return Ok((plan, rounds)) };
            let pause = pause.max(self.engine.timing.poll(looks_in_vain));
            if began.elapsed() + pause > self.options.patience {
                return Ok((plan, rounds));
            }
            looks_in_vain += 1;
            let addresses: Vec<Address> =
                plan.holds.iter().filter(|h| h.reason.passes()).map(|h| h.address.clone()).collect();
            self.engine.watcher.on(&Event::Waiting { addresses: &addresses, pause });
            let mut stop = self.options.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return Ok((plan, rounds)),
            }
            let mut places = self.waiting(&plan);
            places.extend(self.places_of_steps(&plan));
            self.observe(&places).await?;
        }
    }

    /// Which steps start now, and what there is to wait for if none does.
    async fn turn<'p>(&self, plan: &'p Plan) -> Turn<'p> {
        let ledger = self.engine.ledger.lock().await;
        let mut turn = Turn::default();
        let most = self.document.policy.max_mutations;
        for (step, deed) in plan.startable() {
            if let Op::Delete { live } = &deed.op
                && self.sightings.get(&live.id).copied().unwrap_or_default() < 2
            {
                turn.unconfirmed = true;
                continue;
            }
            match ledger.verdict(step) {
                Verdict::Go if self.mutations + turn.start.len() < most => turn.start.push((step, deed)),
                Verdict::Go | Verdict::Never => {}
                Verdict::Later(pause) => turn.wait = Some(turn.wait.map_or(pause, |w| w.min(pause))),
            }
        }
        if plan.holds.iter().any(|hold| hold.reason.passes()) {
            turn.wait = Some(turn.wait.unwrap_or_default());
        }
        turn
    }

    async fn observe(&mut self, places: &BTreeSet<Place>) -> Result<(), PassError> {
        self.engine.observe(self.document, &self.account, places, &mut self.observation).await?;
        for (place, ids) in ids(&self.observation) {
            if places.contains(place) {
                for id in ids {
                    *self.sightings.entry(id.to_owned()).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    /// The places that have something pending or unseen.
    fn waiting(&self, plan: &Plan) -> BTreeSet<Place> {
        let held = plan.holds.iter().filter(|h| h.reason.passes() || h.reason == Reason::Unobserved);
        held.filter_map(|hold| self.place(&hold.address)).collect()
    }

    fn places_of_steps(&self, plan: &Plan) -> BTreeSet<Place> {
        let deeds = plan.steps.iter().filter_map(|step| step.deed.as_ref());
        deeds.map(|deed| Place { kind: deed.kind, region: deed.region.clone() }).collect()
    }

    fn place(&self, address: &Address) -> Option<Place> {
        let resource = self.document.resources.get(address)?;
        Some(Place { kind: resource.schema.kind, region: resource.region.clone() })
    }

    /// Carries out these steps, several at once, and returns the places that they touched.
    async fn apply(&mut self, start: &[(&Step, &Deed)]) -> BTreeSet<Place> {
        self.mutations += start.len();
        self.intend(start).await;
        let (engine, memory) = (self.engine, &self.memory);
        let running = start.iter().map(|(step, deed)| async move {
            let began = Instant::now();
            engine.watcher.on(&Event::StepBegan { step });
            let op = with_nonce(&deed.op, step, memory);
            let result = engine.cloud.apply(deed.kind, &deed.region, &op).await;
            (*step, *deed, began.elapsed(), result)
        });
        let ended: Vec<_> = stream::iter(running).buffer_unordered(AT_ONCE).collect().await;
        let mut touched = BTreeSet::new();
        for (step, deed, took, result) in ended {
            touched.insert(Place { kind: deed.kind, region: deed.region.clone() });
            touched.extend(self.place(&step.address));
            self.record(step, deed, took, result).await;
        }
        self.save();
        touched
    }

    async fn record(&mut self, step: &Step, deed: &Deed, took: Duration, result: Result<crate::cloud::Done, Failure>) {
        let timing = self.engine.timing;
        let schema = self.engine.cloud.schema(deed.kind);
        let lag = timing.lag(schema.map_or(0, |s| s.lag_seconds));
        let mut ledger = self.engine.ledger.lock().await;
        let creates = matches!(deed.op, Op::Create(_));
        let (outcome, failure) = match result {
            Ok(done) => {
                ledger.succeeded(&step.address);
                self.memory.intents.remove(&step.address.to_string());
                match done.id {
                    Some(id) => ledger.made(&step.address, Place { kind: deed.kind, region: deed.region.clone() }, id, lag),
                    None if step.action != Action::Delete => ledger.changed(step, lag, timing),
                    None => {}
                }
                (Outcome::Done, None)
            }
            Err(failure) => {
                if creates && failure.ambiguous && schema.is_some_and(|s| s.class == CreateClass::Lookup) {
                    ledger.doubt(&step.address, lag);
                } else if creates && !failure.ambiguous {
                    self.memory.intents.remove(&step.address.to_string());
                }
                // A throttled or broken call says nothing about the step itself.
                let again = ledger.failed(step, &failure, timing);
                let outcome = if again { Outcome::Retry } else { Outcome::Failed };
                (outcome, Some(failure))
            }
        };
        drop(ledger);
        self.engine.watcher.on(&Event::StepEnded { step, outcome, took, failure: failure.as_ref() });
        self.results.retain(|r| r.address != step.address || r.action != step.action || r.outcome == Outcome::Done);
        self.results.push(StepResult {
            address: step.address.clone(),
            action: step.action,
            outcome,
            seconds: took.as_secs_f64(),
            error: failure.map(|f| f.to_string()),
        });
    }

    /// Writes down which creates begin, before they do.
    async fn intend(&mut self, start: &[(&Step, &Deed)]) {
        let began = (self.engine.now)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        for (step, _) in start.iter().filter(|(_, deed)| matches!(deed.op, Op::Create(_))) {
            let nonce = format!("{:016x}", self.engine.random.lock().await.random::<u64>());
            let intent = self.memory.intents.entry(step.address.to_string()).or_insert(Intent { nonce, began });
            intent.began = began;
        }
        self.save();
    }

    /// After an unclean end: what was being created is looked for until its window is past.
    async fn doubt_old_intents(&self) {
        let now = (self.engine.now)();
        let mut ledger = self.engine.ledger.lock().await;
        for (address, intent) in &self.memory.intents {
            let Ok(address) = address.parse::<Address>() else { continue };
            let Some(resource) = self.document.resources.get(&address) else { continue };
            let lag = self.engine.timing.lag(resource.schema.lag_seconds);
            if resource.schema.class == CreateClass::Lookup && intent.age(now) < lag {
                ledger.doubt(&address, lag - intent.age(now));
            }
        }
    }

    /// Remembers what is converged now.
    fn remember(&mut self, plan: &Plan) -> Result<(), PassError> {
        let there: BTreeSet<String> = plan.live.keys().map(ToString::to_string).collect();
        self.memory.intents.retain(|address, _| !there.contains(address));
        if self.options.policy.destroy {
            self.memory.converged.retain(|address, _| there.contains(address));
        }
        let converged = plan.live.iter().filter(|(_, live)| live.converged);
        self.memory.converged.extend(converged.map(|(address, live)| (address.to_string(), live.digest.clone())));
        self.engine.store.save(&self.memory).map_err(PassError::Store)
    }

    fn save(&self) {
        // The store is an aid: a pass goes on without it, and says so.
        if let Err(error) = self.engine.store.save(&self.memory) {
            tracing::warn!(%error, "the store cannot be written");
        }
    }
}

/// The operation with its client token made this intent's own.
fn with_nonce(op: &Op, step: &Step, memory: &Memory) -> Op {
    let mut op = op.clone();
    if let (Op::Create(wanted), Some(intent)) = (&mut op, memory.intents.get(&step.address.to_string())) {
        wanted.token = holdfast_core::digest::token(&format!("{} {}", wanted.token, intent.nonce));
    }
    op
}

/// True for failures that a later attempt may not meet.
pub fn is_passing(failure: &Failure) -> bool {
    failure.class != Class::Terminal
}
