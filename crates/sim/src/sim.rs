//! The simulated cloud: each call takes time, is counted, can fail as injected, and has its effect.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use holdfast_core::observed::Observed;
use holdfast_core::schema::Registry;
use holdfast_engine::budget::{CallBudget, CallOutcome, Counts};
use holdfast_engine::cloud::{Cloud, Failure, FailureClass, Mutation, Operation, OperationResult, Scope};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::account::SimResource;
use crate::behaviour::Behaviour;
use crate::fault::{Call, CrashSide, Fault, FaultRule};

/// The duration of a call. It is not zero, so that time passes for a caller that loops.
const LATENCY: Duration = Duration::from_millis(20);

/// The account of the caller, unless a test sets another.
const ACCOUNT: &str = "123456789012";

/// A cloud in memory. Clones share it.
#[derive(Clone)]
pub struct Sim {
    pub(crate) registry: Registry,
    behaviours: &'static [Behaviour],
    pub(crate) state: Arc<Mutex<State>>,
    budget: CallBudget,
    crashed: Arc<Notify>,
    start: Instant,
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) resources: Vec<SimResource>,
    pub(crate) numbers: BTreeMap<String, u64>,
    /// Every call that had an effect, in order: `CreateVpc vpc-1`.
    pub(crate) log: Vec<String>,
    /// The injected faults, each with the number of calls that it matched.
    rules: Vec<(FaultRule, u64)>,
    account: String,
    mutations: u64,
    /// The number of the mutating call at which the process crashes, and the side of its effect.
    crash: Option<(u64, CrashSide)>,
    is_crashed: bool,
    /// Set when each read has a random lag, up to the lag of its kind.
    random_lag: Option<StdRng>,
}

impl Sim {
    /// Returns an empty account. The changes of a kind without a behaviour complete at once, and its names are its ids.
    pub fn new(registry: Registry, behaviours: &'static [Behaviour]) -> Sim {
        let state = State {
            resources: vec![],
            numbers: BTreeMap::new(),
            log: vec![],
            rules: vec![],
            account: ACCOUNT.into(),
            mutations: 0,
            crash: None,
            is_crashed: false,
            random_lag: None,
        };
        Sim {
            registry,
            behaviours,
            state: Arc::new(Mutex::new(state)),
            budget: CallBudget::default(),
            crashed: Arc::default(),
            start: Instant::now(),
        }
    }

    /// Returns an independent copy of the account.
    pub fn fork(&self) -> Sim {
        let state = Arc::new(Mutex::new(self.lock().clone()));
        Sim { state, budget: CallBudget::default(), crashed: Arc::default(), ..self.clone() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn behaviour(&self, kind: &'static str) -> Behaviour {
        let behaviour = self.behaviours.iter().copied().find(|b| b.kind == kind);
        behaviour.unwrap_or(Behaviour::immediate(kind, ""))
    }

    /// Returns a wall clock that follows the virtual time.
    pub fn clock(&self) -> Arc<dyn Fn() -> SystemTime + Send + Sync> {
        let start = self.start;
        Arc::new(move || UNIX_EPOCH + Duration::from_secs(1_800_000_000) + start.elapsed())
    }

    /// Injects a fault.
    pub fn inject(&self, rule: FaultRule) {
        self.lock().rules.push((rule, 0));
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.lock().rules.clear();
    }

    /// Moves the caller to another account.
    pub fn set_account(&self, account: &str) {
        self.lock().account = account.into();
    }

    /// Gives each read a random lag, from zero to the lag of its kind: a resource that one observation shows may be
    /// absent from the next.
    pub fn randomize_lag(&self, seed: u64) {
        self.lock().random_lag = Some(StdRng::seed_from_u64(seed));
    }

    /// Lets the process crash at the `n`-th mutating call from now on, counted from 1: that call and all later calls
    /// never return. [`Sim::crashed`] returns then.
    pub fn crash_at(&self, n: u64, side: CrashSide) {
        let mut state = self.lock();
        state.crash = Some((state.mutations + n, side));
    }

    /// Returns once the process crashed.
    pub async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// Accepts calls again: those of the next process.
    pub fn recover(&self) {
        let mut state = self.lock();
        state.crash = None;
        state.is_crashed = false;
    }

    /// Returns every call that had an effect so far, in order: `CreateVpc vpc-1`.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Returns the number of mutating calls so far, with or without an effect.
    pub fn mutations(&self) -> u64 {
        self.lock().mutations
    }

    /// Counts a call, and returns its fault, if there is one.
    fn fault(&self, kind: &str, region: &str, call: Call) -> Option<Fault> {
        let mut fault = None;
        for (rule, count) in &mut self.lock().rules {
            if rule.matches(kind, region, call) {
                *count += 1;
                if fault.is_none() && rule.when.applies(*count) {
                    fault = Some(rule.fault.clone());
                }
            }
        }
        fault
    }

    /// Never returns once the process crashed.
    async fn unless_crashed(&self) {
        if self.lock().is_crashed {
            pending::<()>().await;
        }
    }

    /// Crashes the process at the call and side that a test chose.
    async fn crash_if_due(&self, number: u64, side: CrashSide) {
        let is_due = {
            let mut state = self.lock();
            let is_due = state.crash == Some((number, side));
            state.is_crashed |= is_due;
            is_due
        };
        if is_due {
            self.crashed.notify_one();
        }
        self.unless_crashed().await;
    }

    fn record(&self, kind: &str, operation: &str, outcome: CallOutcome) {
        self.budget.record(ACCOUNT, &kind.to_lowercase(), operation, outcome);
    }

    /// Returns the lag of a read of this kind.
    pub(crate) fn lag(&self, kind: &'static str) -> Duration {
        let lag = self.behaviour(kind).lag;
        match &mut self.lock().random_lag {
            Some(random) => lag.mul_f64(random.random()),
            None => lag,
        }
    }
}

pub(crate) fn failure(
    operation: &str,
    class: FailureClass,
    ambiguous: bool,
    code: &str,
    message: impl Into<String>,
) -> Failure {
    let code = (!code.is_empty()).then(|| code.to_owned());
    Failure { class, ambiguous, operation: operation.into(), code, message: message.into() }
}

/// Returns the failure that the caller gets for a fault; none when the call succeeds.
fn reported_failure(fault: &Fault, operation: &str) -> Option<(CallOutcome, Failure)> {
    Some(match fault {
        Fault::Throttle => {
            (CallOutcome::Throttled, failure(operation, FailureClass::Throttled, false, "Throttling", "rate exceeded"))
        }
        Fault::NotFound => {
            (CallOutcome::Error, failure(operation, FailureClass::NotYet, false, "NotFound", "it does not exist"))
        }
        Fault::FailBefore | Fault::FailAfter => (
            CallOutcome::Error,
            failure(operation, FailureClass::Transient, true, "InternalFailure", "an internal error has occurred"),
        ),
        Fault::NoReply { timeout, .. } => {
            let message = format!("no reply within {} s", timeout.as_secs());
            (CallOutcome::NoReply, failure(operation, FailureClass::Transient, true, "", message))
        }
        Fault::Refuse(message) => {
            (CallOutcome::Error, failure(operation, FailureClass::Terminal, false, "AccessDenied", message))
        }
        Fault::NoEffect | Fault::Undo(_) => return None,
    })
}

#[async_trait]
impl Cloud for Sim {
    fn registry(&self) -> Registry {
        self.registry
    }

    async fn account(&self) -> Result<String, Failure> {
        self.unless_crashed().await;
        self.record("sts", "GetCallerIdentity", CallOutcome::Ok);
        Ok(self.lock().account.clone())
    }

    async fn observe(&self, kind: &str, scope: &Scope) -> Result<Vec<Observed>, Failure> {
        self.unless_crashed().await;
        let operation = format!("Describe{kind}s");
        sleep(LATENCY).await;
        if let Some((outcome, failure)) =
            self.fault(kind, &scope.region, Call::Observe).and_then(|fault| reported_failure(&fault, &operation))
        {
            self.record(kind, &operation, outcome);
            return Err(failure);
        }
        self.record(kind, &operation, CallOutcome::Ok);
        let schema = self.registry.get(kind).ok_or_else(|| Failure::terminal(&operation, "no such kind"))?;
        Ok(self.read(schema, scope))
    }

    async fn apply(&self, operation: &Operation) -> Result<OperationResult, Failure> {
        let Operation { kind, region, mutation } = operation;
        self.unless_crashed().await;
        let (verb, call) = match mutation {
            Mutation::Create(_) => ("Create", Call::Create),
            Mutation::Update { .. } => ("Modify", Call::Update),
            Mutation::Delete { .. } => ("Delete", Call::Delete),
            Mutation::Tag { .. } => ("Tag", Call::Tag),
        };
        let operation = format!("{verb}{kind}");
        let number = {
            let mut state = self.lock();
            state.mutations += 1;
            state.mutations
        };
        sleep(LATENCY).await;
        self.crash_if_due(number, CrashSide::Before).await;
        let fault = self.fault(kind, region, call);
        let has_effect = match &fault {
            None | Some(Fault::FailAfter | Fault::Undo(_)) => true,
            Some(Fault::NoReply { effect, .. }) => *effect,
            Some(_) => false,
        };
        let schema = self.registry.get(kind).ok_or_else(|| Failure::terminal(&operation, "no such kind"))?;
        let mut result = Ok(OperationResult::default());
        if has_effect {
            result = self.effect(schema, region, mutation, &operation);
            if let (Ok(_), Some(Fault::Undo(later))) = (&result, &fault) {
                self.undo(mutation, *later);
            }
        }
        self.crash_if_due(number, CrashSide::After).await;
        if let Some(Fault::NoReply { timeout, .. }) = &fault {
            sleep(*timeout).await;
        }
        let outcome = match fault.as_ref().and_then(|fault| reported_failure(fault, &operation)) {
            Some((outcome, failure)) => {
                result = Err(failure);
                outcome
            }
            None if result.is_ok() => CallOutcome::Ok,
            None => CallOutcome::Error,
        };
        self.record(kind, &operation, outcome);
        result
    }

    fn calls(&self) -> Counts {
        self.budget.counts()
    }
}
