//! A fake engine: plans, steps and reports that a test puts together, and the samples of a page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::observed::{Condition, ConditionType, Observed, Phase};
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Cause, Difference, LiveSummary, Plan, Step};
use holdfast_core::schema::{Registry, Tier};
use holdfast_core::value::Value;
use holdfast_engine::budget::{CallOutcome, Counts};
use holdfast_engine::cloud::{Cloud, Failure, FailureClass, Operation, OperationResult, Scope};
use holdfast_engine::event::{Event, EventSink, StepOutcome, StepResult};
use holdfast_engine::pass::PassReport;
use holdfast_server::{Format, Metrics, page};

/// A cloud with fixed counts of calls.
struct IdleCloud;

#[async_trait]
impl Cloud for IdleCloud {
    fn registry(&self) -> Registry {
        Registry(&[])
    }

    async fn account(&self) -> Result<String, Failure> {
        Ok("123456789012".into())
    }

    async fn observe(&self, _: &str, _: &Scope) -> Result<Vec<Observed>, Failure> {
        Ok(vec![])
    }

    async fn apply(&self, _: &Operation) -> Result<OperationResult, Failure> {
        Err(Failure::terminal("ec2.CreateVpc", "this cloud is idle"))
    }

    fn calls(&self) -> Counts {
        let call = |service: &str, operation: &str, outcome| (service.to_owned(), operation.to_owned(), outcome);
        Counts {
            calls: BTreeMap::from([
                (call("ec2", "DescribeVpcs", CallOutcome::Ok), 40),
                (call("ec2", "DescribeVpcs", CallOutcome::Throttled), 2),
                (call("ec2", "CreateVpc", CallOutcome::NoReply), 1),
                (call("iam", "GetRole", CallOutcome::Error), 3),
            ]),
            waits: 5,
            waited: Duration::from_millis(2500),
        }
    }
}

/// Returns the metrics of mashroom/prod over an idle cloud, at a fixed wall time.
pub(crate) fn metrics() -> Arc<Metrics> {
    metrics_at(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

/// Returns the metrics of mashroom/prod over an idle cloud, with this wall clock.
pub(crate) fn metrics_at(now: fn() -> SystemTime) -> Arc<Metrics> {
    Arc::new(Metrics::with_clock("mashroom", "prod", Arc::new(IdleCloud), Duration::from_secs(60), now))
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn tier(address: &Address) -> Tier {
    match &*address.kind {
        "Service" | "TargetGroup" => Tier::Compute,
        "LogGroup" => Tier::Operations,
        _ => Tier::Network,
    }
}

pub(crate) fn change(path: &str, from: impl Into<Value>, to: impl Into<Value>) -> Change {
    Change { path: path.into(), from: from.into(), to: to.into(), immutable: false, unknown: None }
}

/// A plan that a test puts together, and the events of a pass that has it.
#[derive(Default)]
pub(crate) struct TestPlan(pub(crate) Plan);

impl TestPlan {
    /// Creates a plan with live and converged resources.
    pub(crate) fn of(addresses: &[&str]) -> TestPlan {
        let mut plan = TestPlan(Plan { stack: "mashroom".into(), env: "prod".into(), ..Plan::default() });
        for text in addresses {
            let address = address(text);
            let (id, tier) = (format!("id-{}", address.name), tier(&address));
            let live = LiveSummary {
                id,
                name: String::new(),
                generation: 1,
                phase: Phase::Ready,
                tier,
                digest: "d".into(),
                converged: true,
            };
            plan.0.live.insert(address, live);
        }
        plan
    }

    /// Adds a difference and a step for it.
    pub(crate) fn differs(mut self, text: &str, cause: Cause, changes: Vec<Change>) -> TestPlan {
        let action = if changes.is_empty() { Action::Create } else { Action::Update };
        self.0.steps.push(step(text, action, cause));
        self.only_differs(text, cause, changes)
    }

    /// Adds a difference without a step.
    pub(crate) fn only_differs(mut self, text: &str, cause: Cause, changes: Vec<Change>) -> TestPlan {
        let address = address(text);
        match (changes.is_empty(), self.0.live.get_mut(&address)) {
            (true, _) => drop(self.0.live.remove(&address)),
            (false, Some(live)) => live.converged = false,
            (false, None) => {}
        }
        self.0.differences.push(Difference { tier: tier(&address), address, cause, changes });
        self
    }

    pub(crate) fn holds(mut self, text: &str, reason: Reason) -> TestPlan {
        let address = address(text);
        if let Some(live) = self.0.live.get_mut(&address) {
            live.converged = false;
        }
        self.0.holds.push(Hold { address, reason, message: "a message".into(), waits_for: None });
        self
    }

    pub(crate) fn conditions(mut self, text: &str, reason: &str) -> TestPlan {
        self.0.conditions.push((
            address(text),
            Condition { ty: ConditionType::Degraded, reason: reason.into(), message: "a condition".into() },
        ));
        self
    }

    pub(crate) fn phase(mut self, text: &str, phase: Phase) -> TestPlan {
        self.0.live.get_mut(&address(text)).expect("a live resource").phase = phase;
        self
    }

    /// Begins a pass with this as its first plan.
    pub(crate) fn begins_pass(&self, event_sink: &dyn EventSink) {
        event_sink.on(&Event::PassBegan);
        event_sink.on(&Event::Planned { plan: &self.0, first: true });
    }

    /// Makes this the next plan of a pass.
    pub(crate) fn continues_pass(&self, event_sink: &dyn EventSink) {
        event_sink.on(&Event::Planned { plan: &self.0, first: false });
    }

    /// Ends a pass with this as its last plan.
    pub(crate) fn ends_pass(&self, event_sink: &dyn EventSink, results: Vec<StepResult>) {
        event_sink.on(&Event::PassEnded { report: &self.report(results) });
    }

    pub(crate) fn report(&self, results: Vec<StepResult>) -> PassReport {
        PassReport {
            unobserved: Default::default(),
            stack: "mashroom".into(),
            env: "prod".into(),
            converged: self.0.is_converged(),
            stopped: false,
            plans: 2,
            results,
            plan: self.0.clone(),
            calls: 45,
            seconds: 3.5,
        }
    }
}

fn step(text: &str, action: Action, cause: Cause) -> Step {
    let address = address(text);
    Step { tier: tier(&address), address, action, cause, changes: vec![], after: BTreeSet::new(), operation: None }
}

/// Begins and ends a step.
pub(crate) fn run_step(
    event_sink: &dyn EventSink,
    text: &str,
    action: Action,
    cause: Cause,
    outcome: StepOutcome,
) -> StepResult {
    let step = step(text, action, cause);
    event_sink.on(&Event::StepBegan { step: &step });
    let failure = (outcome != StepOutcome::Done).then(|| Failure {
        class: FailureClass::Transient,
        ambiguous: false,
        operation: "ec2.ModifySubnetAttribute".into(),
        code: Some("InternalError".into()),
        message: "an internal error has occurred".into(),
    });
    let duration = Duration::from_millis(300);
    event_sink.on(&Event::StepEnded { step: &step, outcome, duration, failure: failure.as_ref() });
    let error = failure.map(|failure| failure.to_string());
    StepResult { address: step.address, action, outcome, seconds: duration.as_secs_f64(), error }
}

/// Returns the series of this name with a value other than zero, without the labels `stack` and `env`.
pub(crate) fn series(metrics: &Metrics, name: &str) -> Vec<String> {
    let page = page(metrics, Format::Text).expect("a page");
    let lines = page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
    let lines = lines.filter(|line| !line.ends_with(" 0"));
    lines.map(|line| line[name.len()..].replace(r#"stack="mashroom",env="prod""#, "").replace("{,", "{")).collect()
}
