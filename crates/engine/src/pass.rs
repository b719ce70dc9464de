//! The pass: observes, plans and applies, again and again until no step can start.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use holdfast_core::document::Document;
use holdfast_core::observed::{KindRegion, Observation};
use holdfast_core::plan::{Plan, PlanPolicy, PreparedDocument, plan_prepared};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};

use crate::cloud::{Cloud, Failure, FailureClass};
use crate::event::{Event, EventSink, StepOutcome, StepResult};
use crate::expectations::Expectations;
use crate::observe::{KindObservation, Refresh, kind_regions, merge, observe_all};
use crate::run::PassRun;
use crate::store::{History, Store};
use crate::timing::Timing;

/// The number of attempts at a throttled initial refresh. With the pauses between them they take a quarter of a minute.
const INITIAL_REFRESH_ATTEMPTS: u32 = 5;

/// An engine that drives one cloud.
pub struct Engine {
    pub(crate) cloud: Arc<dyn Cloud>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) event_sink: Arc<dyn EventSink>,
    pub(crate) timing: Timing,
    pub(crate) expectations: Mutex<Expectations>,
    pub(crate) random: Mutex<StdRng>,
    last_refresh: std::sync::atomic::AtomicU64,
    pub(crate) now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

/// The options of a pass.
#[derive(Clone, Debug)]
pub struct PassOptions {
    /// The grants, and the policy of the plan.
    pub policy: PlanPolicy,
    /// True for a full scan: the pass observes every kind in every configured region, which finds orphans of kinds that
    /// left the document.
    pub full_scan: bool,
    /// How long to wait for pending resources, from the beginning of the pass. Zero ends the pass as soon as no step
    /// can start.
    pub wait_timeout: Duration,
    /// Turns true when the pass is to stop.
    pub stop: watch::Receiver<bool>,
}

/// The error of a pass: it changed nothing, or it could not write the history.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The account of the credentials is unknown.
    #[error("cannot determine the account of these credentials: {0}")]
    Identity(#[source] Box<Failure>),
    /// The credentials are for another account than the environment's.
    #[error(
        "these credentials are for account {actual}, and the environment is for account {desired}; nothing was changed"
    )]
    WrongAccount {
        /// The account of the environment.
        desired: String,
        /// The account of the credentials.
        actual: String,
    },
    /// The history exists and cannot be read, or the history cannot be written.
    #[error("the store cannot be used: {0}; move its file away to continue without the history")]
    Store(#[source] io::Error),
    /// No kind could be observed in any region.
    #[error("nothing could be observed, so nothing was done: {0}")]
    ObservationFailed(String),
}

/// The report of a pass.
#[derive(Clone, Debug, Serialize)]
pub struct PassReport {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub env: String,
    /// True when the live resources match the document, apart from holds that do not block.
    pub converged: bool,
    /// True when a stop ended the pass early.
    pub stopped: bool,
    /// The number of plans that the pass made.
    pub plans: usize,
    /// The results of the steps, in the order in which they ended.
    pub results: Vec<StepResult>,
    /// The last plan: the steps and holds that are left.
    #[serde(skip)]
    pub plan: Plan,
    /// The number of calls to AWS.
    #[serde(rename = "awsCalls")]
    pub calls: u64,
    /// The duration of the pass, in seconds.
    pub seconds: f64,
}

impl PassReport {
    /// True when a step failed and was not retried.
    pub fn failed(&self) -> bool {
        self.results.iter().any(|result| result.outcome == StepOutcome::Failed)
    }
}

/// The result of a dry run.
#[derive(Debug)]
pub struct DryRun {
    /// The plan: the steps that a pass would make.
    pub plan: Plan,
    /// The observation that the plan is made from.
    pub observation: Observation,
    /// The number of calls to AWS.
    pub calls: u64,
}

impl Engine {
    /// Creates an engine for a cloud. `seed` is the seed of its random numbers.
    pub fn new(
        cloud: Arc<dyn Cloud>,
        store: Arc<dyn Store>,
        event_sink: Arc<dyn EventSink>,
        timing: Timing,
        seed: u64,
    ) -> Engine {
        Engine {
            cloud,
            store,
            event_sink,
            timing,
            expectations: Mutex::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            last_refresh: Default::default(),
            now: Arc::new(SystemTime::now),
        }
    }

    /// Replaces the wall clock, which determines the age of the intents of an earlier process.
    pub fn with_clock(self, now: Arc<dyn Fn() -> SystemTime + Send + Sync>) -> Engine {
        Engine { now, ..self }
    }

    /// Returns the cloud that the engine drives.
    pub fn cloud(&self) -> &dyn Cloud {
        &*self.cloud
    }

    pub(crate) fn event_sink(&self) -> &dyn EventSink {
        &*self.event_sink
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }

    /// Returns a random number between 0 and 1, for jitter.
    pub(crate) async fn jitter(&self) -> f64 {
        self.random.lock().await.random()
    }

    /// Observes and plans, and changes nothing.
    ///
    /// # Errors
    /// Returns an error when the account is wrong or unknown, the store cannot be read, or nothing can be observed.
    pub async fn dry_run(&self, document: &Document, options: &PassOptions) -> Result<DryRun, PassError> {
        let before = self.cloud.calls().total();
        let account = self.check_account(document).await?;
        let history = self.store.load().map_err(PassError::Store)?;
        let mut observation = Observation::default();
        let options = &with_full_scan_for_prune(document, options);
        self.initial_refresh(document, &account, options, &history, true, &mut observation).await?;
        let plan =
            self.plan_with_expectations(&PreparedDocument::new(document), &observation, options, &history, false).await;
        Ok(DryRun { plan, observation, calls: self.cloud.calls().total() - before })
    }

    /// Converges the account to the document, as far as it can be converged now.
    ///
    /// # Expected flow
    /// 1. Check that the credentials are for the account of the environment.
    /// 2. Read the history from the store.
    /// 3. Observe every kind of the document in its regions. A full scan, and a document that grants `prune`, observe
    ///    every kind in every configured region.
    /// 4. Resume the intents of an earlier process, whose creates may have happened.
    /// 5. Plan, start each step that can start, and observe the resources that the steps changed, until no step can
    ///    start and no resource is worth waiting for. The loop is `PassRun::converge`.
    /// 6. Write the history and return the report.
    ///
    /// # Guarantees
    /// A wrong account, an unreadable history or a failed observation of everything changes nothing. A create is not
    /// repeated while its resource may exist. A deletion starts only after two observations of this pass found the
    /// resource. Resources that cannot be observed are held, and everything else continues. The pass starts at most
    /// `policy.maxMutations` steps.
    ///
    /// # Assumptions
    /// One process at a time reconciles a stack in an environment.
    ///
    /// # Caveats
    /// `converged` relies on responses for the resources that this pass created: the next pass observes them. After a
    /// stop the steps that have begun may finish for up to 25 s; then the pass returns its last plan.
    ///
    /// # Errors
    /// Returns an error when the account is wrong or unknown, the store cannot be used, or nothing can be observed.
    /// Failed steps are in the report.
    pub async fn pass(&self, document: &Document, options: &PassOptions) -> Result<PassReport, PassError> {
        self.pass_with_options(document, &with_full_scan_for_prune(document, options)).await
    }

    /// Runs one pass that is a full scan only if the options say so. A daemon's schedule decides this for its passes.
    pub(crate) async fn pass_with_options(
        &self,
        document: &Document,
        options: &PassOptions,
    ) -> Result<PassReport, PassError> {
        self.event_sink.on(&Event::PassBegan);
        let began = Instant::now();
        let before = self.cloud.calls().total();
        let account = self.check_account(document).await?;
        let history = self.store.load().map_err(PassError::Store)?;
        self.expectations.lock().await.begin_pass(self.timing);
        let mut observation = Observation::default();
        let failures = self.initial_refresh(document, &account, options, &history, false, &mut observation).await?;
        let mut run = PassRun::new(self, document, options, account, history, observation, &failures);
        run.resume_intents().await;
        let (plan, plans) = run.converge(began).await;
        let stopped = *options.stop.borrow();
        // A resource that cannot be observed may still exist.
        let all_observed = !options.policy.destroy || run.observation.unknown.is_empty();
        let converged = plan.is_converged() && !stopped && all_observed;
        run.save_outcome(&plan, converged)?;
        let report = PassReport {
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
        self.event_sink.on(&Event::PassEnded { report: &report });
        Ok(report)
    }

    pub(crate) async fn check_account(&self, document: &Document) -> Result<String, PassError> {
        let actual = self.cloud.account().await.map_err(|failure| PassError::Identity(Box::new(failure)))?;
        match &document.target.account {
            Some(desired) if *desired != actual => Err(PassError::WrongAccount { desired: desired.clone(), actual }),
            _ => Ok(actual),
        }
    }

    /// Observes everything, and returns the failures by kind and region.
    ///
    /// A throttled observation is repeated after a pause: always for a dry run, which makes no later observation
    /// (`retry_any`), and for a pass only when it observed nothing at all, because a pass observes again anyway.
    ///
    /// # Errors
    /// Returns an error when no kind could be observed in any region.
    async fn initial_refresh(
        &self,
        document: &Document,
        account: &str,
        options: &PassOptions,
        history: &History,
        retry_any: bool,
        observation: &mut Observation,
    ) -> Result<BTreeMap<KindRegion, Failure>, PassError> {
        let full_scan = options.full_scan || options.policy.destroy;
        let mut kind_regions = kind_regions(document, self.cloud.registry(), full_scan, &history.regions);
        for attempt in 0.. {
            let failures = self.observe(document, account, &kind_regions, observation).await;
            let throttled = failures.iter().filter(|(_, failure)| failure.class == FailureClass::Throttled);
            let throttled: BTreeSet<KindRegion> = throttled.map(|(kind_region, _)| kind_region.clone()).collect();
            let nothing_observed = observation.found.is_empty() && !failures.is_empty();
            let again = !throttled.is_empty() && (retry_any || throttled.len() == failures.len() && nothing_observed);
            if !again || attempt + 1 >= INITIAL_REFRESH_ATTEMPTS || *options.stop.borrow() {
                return match failures.values().next().filter(|_| nothing_observed) {
                    Some(failure) => Err(PassError::ObservationFailed(failure.to_string())),
                    None => Ok(failures),
                };
            }
            kind_regions = throttled;
            sleep(self.timing.poll(attempt)).await;
        }
        Ok(BTreeMap::new())
    }

    /// Observes these kinds and regions, and returns the failures.
    pub(crate) async fn observe(
        &self,
        document: &Document,
        account: &str,
        kind_regions: &BTreeSet<KindRegion>,
        observation: &mut Observation,
    ) -> BTreeMap<KindRegion, Failure> {
        let refresh = Refresh { from_index: observation.found.is_empty(), ..self.next_refresh() };
        let mut failures = BTreeMap::new();
        for observed in observe_all(&*self.cloud, document, account, kind_regions, refresh).await {
            let kind_region = observed.kind_region.clone();
            failures.extend(self.record_observation(observed, observation).await.map(|failure| (kind_region, failure)));
        }
        failures
    }

    /// Returns a new refresh that does not read the tag index: every refresh of a pass after the initial one.
    pub(crate) fn next_refresh(&self) -> Refresh {
        let number = self.last_refresh.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        Refresh { number, from_index: false }
    }

    /// Adds the result of one observation to the observation of the pass, and returns its failure.
    pub(crate) async fn record_observation(
        &self,
        observed: KindObservation,
        observation: &mut Observation,
    ) -> Option<Failure> {
        let (kind_region, at) = (observed.kind_region.clone(), observed.at);
        let failure = merge(observed, observation);
        self.expectations.lock().await.record_observation(kind_region, at, observation);
        failure
    }

    /// Plans with the history and the expectations. With `is_initial`, the stack owned nothing when the pass began.
    pub(crate) async fn plan_with_expectations(
        &self,
        prepared: &PreparedDocument<'_>,
        observation: &Observation,
        options: &PassOptions,
        history: &History,
        is_initial: bool,
    ) -> Plan {
        let kinds = self.cloud.registry().0;
        let mut expectations = self.expectations.lock().await;
        let mut policy = options.policy.clone();
        policy.history = (history.complete || !history.converged.is_empty()).then(|| {
            history.converged.iter().filter_map(|(a, digest)| Some((a.parse().ok()?, digest.clone()))).collect()
        });
        policy.history_is_complete = history.complete;
        policy.is_initial = is_initial;
        policy.in_progress = expectations.in_progress();
        policy.holds.extend(expectations.holds(observation));
        policy.created = expectations.created_identities(observation);
        let mut first = plan_prepared(prepared, observation, &policy, kinds);
        if expectations.confirm_creates(&first) {
            policy.holds = options.policy.holds.clone();
            policy.holds.extend(expectations.holds(observation));
            first = plan_prepared(prepared, observation, &policy, kinds);
        }
        let repeated = expectations.update_from_plan(&first);
        if repeated.is_empty() {
            return expectations.flapping.hold_stuck_deletions(first);
        }
        policy.holds.extend(repeated);
        expectations.flapping.hold_stuck_deletions(plan_prepared(prepared, observation, &policy, kinds))
    }
}

/// Makes a pass or dry run a full scan when the document grants `prune`: an orphan can only be deleted after it was
/// observed.
fn with_full_scan_for_prune(document: &Document, options: &PassOptions) -> PassOptions {
    PassOptions { full_scan: options.full_scan || document.policy.prune, ..options.clone() }
}
