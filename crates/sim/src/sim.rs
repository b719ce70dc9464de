//! The port: calls come in, take their time, go wrong as ordered, are counted, and have their effect.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use holdfast_core::observed::Observed;
use holdfast_core::schema::Registry;
use holdfast_engine::budget::{Budget, Counts, Outcome};
use holdfast_engine::cloud::{Class, Cloud, Done, Failure, Op, Scope};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::account::Thing;
use crate::behaviour::Behaviour;
use crate::fault::{Call, Fault, Rule, Side};

/// How long a call takes: short, and never nothing, so that whoever calls in a loop sees time pass.
const LATENCY: Duration = Duration::from_millis(20);

/// The account that a caller is in unless somebody says otherwise.
const ACCOUNT: &str = "123456789012";

/// A cloud in memory. Clones share it.
#[derive(Clone)]
pub struct Sim {
    pub(crate) registry: Registry,
    behaviours: &'static [Behaviour],
    pub(crate) state: Arc<Mutex<State>>,
    budget: Budget,
    died: Arc<Notify>,
    start: Instant,
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) things: Vec<Thing>,
    pub(crate) numbers: BTreeMap<String, u64>,
    /// Every call that had or may have had an effect, in order: `CreateVpc vpc-1`.
    pub(crate) log: Vec<String>,
    rules: Vec<(Rule, u64)>,
    account: String,
    mutations: u64,
    death: Option<(u64, Side)>,
    dead: bool,
    /// Set when reads lag by chance, up to their kind's lag.
    flicker: Option<StdRng>,
}

impl Sim {
    /// An empty account. Kinds that nothing is said of are prompt, and their names are their ids.
    pub fn new(registry: Registry, behaviours: &'static [Behaviour]) -> Sim {
        let state = State {
            things: vec![],
            numbers: BTreeMap::new(),
            log: vec![],
            rules: vec![],
            account: ACCOUNT.into(),
            mutations: 0,
            death: None,
            dead: false,
            flicker: None,
        };
        Sim {
            registry,
            behaviours,
            state: Arc::new(Mutex::new(state)),
            budget: Budget::default(),
            died: Arc::default(),
            start: Instant::now(),
        }
    }

    /// The same account once more, on its own from now on.
    pub fn fork(&self) -> Sim {
        let state = Arc::new(Mutex::new(self.lock().clone()));
        Sim { state, budget: Budget::default(), died: Arc::default(), ..self.clone() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn behaviour(&self, kind: &'static str) -> Behaviour {
        let known = self.behaviours.iter().copied().find(|b| b.kind == kind);
        known.unwrap_or(Behaviour::prompt(kind, ""))
    }

    /// A wall clock that goes with the virtual time.
    pub fn clock(&self) -> Arc<dyn Fn() -> SystemTime + Send + Sync> {
        let start = self.start;
        Arc::new(move || UNIX_EPOCH + Duration::from_secs(1_800_000_000) + start.elapsed())
    }

    /// Lets calls go wrong.
    pub fn fault(&self, rule: Rule) {
        self.lock().rules.push((rule, 0));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.lock().rules.clear();
    }

    /// Puts the caller into another account.
    pub fn set_account(&self, account: &str) {
        self.lock().account = account.into();
    }

    /// From now on each read lags by chance, from nothing to its kind's lag: what was seen may be gone
    /// again at the next look.
    pub fn flicker(&self, seed: u64) {
        self.lock().flicker = Some(StdRng::seed_from_u64(seed));
    }

    /// Lets the process die at the `n`-th mutating call from now on, counted from 1: that call and all
    /// later ones never return. [`Sim::death`] tells when.
    pub fn die_at(&self, n: u64, side: Side) {
        let mut state = self.lock();
        state.death = Some((state.mutations + n, side));
    }

    /// Returns once the process died.
    pub async fn death(&self) {
        self.died.notified().await;
    }

    /// Answers calls again: those of the next process.
    pub fn revive(&self) {
        let mut state = self.lock();
        state.death = None;
        state.dead = false;
    }

    /// Every call that had an effect so far, in order: `CreateVpc vpc-1`.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// How many mutating calls arrived so far, whatever became of them.
    pub fn mutations(&self) -> u64 {
        self.lock().mutations
    }

    /// The fault that strikes a call, if any does.
    fn struck(&self, kind: &str, region: &str, call: Call) -> Option<Fault> {
        let mut struck = None;
        for (rule, count) in &mut self.lock().rules {
            if rule.is_about(kind, region, call) {
                *count += 1;
                if struck.is_none() && rule.when.strikes(*count) {
                    struck = Some(rule.fault.clone());
                }
            }
        }
        struck
    }

    async fn while_alive(&self) {
        if self.lock().dead {
            pending::<()>().await;
        }
    }

    /// Dies here, when it is time to.
    async fn maybe_die(&self, number: u64, side: Side) {
        let due = {
            let mut state = self.lock();
            let due = state.death == Some((number, side));
            state.dead |= due;
            due
        };
        if due {
            self.died.notify_one();
        }
        self.while_alive().await;
    }

    fn record(&self, kind: &str, operation: &str, outcome: Outcome) {
        self.budget.record(ACCOUNT, &kind.to_lowercase(), operation, outcome);
    }

    /// How far behind the truth a read of this kind is right now.
    pub(crate) fn lag(&self, kind: &'static str) -> Duration {
        let lag = self.behaviour(kind).lag;
        match &mut self.lock().flicker {
            Some(random) => lag.mul_f64(random.random()),
            None => lag,
        }
    }
}

pub(crate) fn failure(
    operation: &str,
    class: Class,
    ambiguous: bool,
    code: &str,
    message: impl Into<String>,
) -> Failure {
    let code = (!code.is_empty()).then(|| code.to_owned());
    Failure { class, ambiguous, operation: operation.into(), code, message: message.into() }
}

/// What a fault tells the caller, when it tells of a failure.
fn told(fault: &Fault, operation: &str) -> Option<(Outcome, Failure)> {
    Some(match fault {
        Fault::Throttle => {
            (Outcome::Throttled, failure(operation, Class::Throttled, false, "Throttling", "rate exceeded"))
        }
        Fault::Gone => (Outcome::Error, failure(operation, Class::NotYet, false, "NotFound", "it does not exist")),
        Fault::FailBefore | Fault::FailAfter => (
            Outcome::Error,
            failure(operation, Class::Transient, true, "InternalFailure", "an internal error has occurred"),
        ),
        Fault::NoReply { patience, .. } => {
            let message = format!("no reply within {} s", patience.as_secs());
            (Outcome::NoReply, failure(operation, Class::Transient, true, "", message))
        }
        Fault::Refuse(message) => (Outcome::Error, failure(operation, Class::Terminal, false, "AccessDenied", message)),
        Fault::Drop | Fault::Undo(_) => return None,
    })
}

#[async_trait]
impl Cloud for Sim {
    fn registry(&self) -> Registry {
        self.registry
    }

    async fn account(&self) -> Result<String, Failure> {
        self.while_alive().await;
        self.record("sts", "GetCallerIdentity", Outcome::Ok);
        Ok(self.lock().account.clone())
    }

    async fn observe(&self, kind: &str, scope: &Scope) -> Result<Vec<Observed>, Failure> {
        self.while_alive().await;
        let operation = format!("Describe{kind}s");
        sleep(LATENCY).await;
        if let Some((outcome, failure)) =
            self.struck(kind, &scope.region, Call::Observe).and_then(|fault| told(&fault, &operation))
        {
            self.record(kind, &operation, outcome);
            return Err(failure);
        }
        self.record(kind, &operation, Outcome::Ok);
        let schema = self.registry.get(kind).ok_or_else(|| Failure::terminal(&operation, "no such kind"))?;
        Ok(self.look(schema, scope))
    }

    async fn apply(&self, kind: &str, region: &str, op: &Op) -> Result<Done, Failure> {
        self.while_alive().await;
        let (verb, call) = match op {
            Op::Create(_) => ("Create", Call::Create),
            Op::Update { .. } => ("Modify", Call::Update),
            Op::Delete { .. } => ("Delete", Call::Delete),
            Op::Tag { .. } => ("Tag", Call::Tag),
        };
        let operation = format!("{verb}{kind}");
        let number = {
            let mut state = self.lock();
            state.mutations += 1;
            state.mutations
        };
        sleep(LATENCY).await;
        self.maybe_die(number, Side::Before).await;
        let fault = self.struck(kind, region, call);
        let happens = match &fault {
            None | Some(Fault::FailAfter | Fault::Undo(_)) => true,
            Some(Fault::NoReply { effect, .. }) => *effect,
            Some(_) => false,
        };
        let schema = self.registry.get(kind).ok_or_else(|| Failure::terminal(&operation, "no such kind"))?;
        let mut result = Ok(Done::default());
        if happens {
            result = self.effect(schema, region, op, &operation);
            if let (Ok(_), Some(Fault::Undo(later))) = (&result, &fault) {
                self.undo(op, *later);
            }
        }
        self.maybe_die(number, Side::After).await;
        if let Some(Fault::NoReply { patience, .. }) = &fault {
            sleep(*patience).await;
        }
        let outcome = match fault.as_ref().and_then(|fault| told(fault, &operation)) {
            Some((outcome, failure)) => {
                result = Err(failure);
                outcome
            }
            None if result.is_ok() => Outcome::Ok,
            None => Outcome::Error,
        };
        self.record(kind, &operation, outcome);
        result
    }

    fn calls(&self) -> Counts {
        self.budget.counts()
    }
}
