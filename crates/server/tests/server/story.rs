//! A faked engine: plans, steps and reports by hand, and what a page says of a metric.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::observed::{Observed, Phase, Remark};
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Cause, Difference, Live, Plan, Step};
use holdfast_core::schema::{Registry, Tier};
use holdfast_core::value::Value;
use holdfast_engine::budget::{Counts, Outcome as CallOutcome};
use holdfast_engine::cloud::{Class, Cloud, Done, Failure, Op, Scope};
use holdfast_engine::event::{Event, Outcome, StepResult, Watcher};
use holdfast_engine::pass::Report;
use holdfast_server::{Format, Metrics};

/// A cloud that has made some calls and makes no more.
struct Idle;

#[async_trait]
impl Cloud for Idle {
    fn registry(&self) -> Registry {
        Registry(&[])
    }

    async fn account(&self) -> Result<String, Failure> {
        Ok("123456789012".into())
    }

    async fn observe(&self, _: &str, _: &Scope) -> Result<Vec<Observed>, Failure> {
        Ok(vec![])
    }

    async fn apply(&self, _: &str, _: &str, _: &Op) -> Result<Done, Failure> {
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

/// Metrics of mashroom/prod over an idle cloud, at a fixed wall time.
pub(crate) fn metrics() -> Arc<Metrics> {
    let now = || SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Arc::new(Metrics::with_clock("mashroom", "prod", Arc::new(Idle), Duration::from_secs(60), now))
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

/// A plan, put together word by word.
#[derive(Default)]
pub(crate) struct Story(pub(crate) Plan);

impl Story {
    /// A plan for a live and converged resource each.
    pub(crate) fn of(addresses: &[&str]) -> Story {
        let mut story = Story(Plan { stack: "mashroom".into(), env: "prod".into(), ..Plan::default() });
        for text in addresses {
            let address = address(text);
            let (id, tier) = (format!("id-{}", address.name), tier(&address));
            let live = Live { id, phase: Phase::Ready, tier, digest: "d".into(), converged: true };
            story.0.live.insert(address, live);
        }
        story
    }

    /// Something differs, with a step for it.
    pub(crate) fn differs(mut self, text: &str, cause: Cause, changes: Vec<Change>) -> Story {
        let action = if changes.is_empty() { Action::Create } else { Action::Update };
        self.0.steps.push(step(text, action, cause));
        self.only_differs(text, cause, changes)
    }

    /// Something differs, without a step for it.
    pub(crate) fn only_differs(mut self, text: &str, cause: Cause, changes: Vec<Change>) -> Story {
        let address = address(text);
        match (changes.is_empty(), self.0.live.get_mut(&address)) {
            (true, _) => drop(self.0.live.remove(&address)),
            (false, Some(live)) => live.converged = false,
            (false, None) => {}
        }
        self.0.differences.push(Difference { tier: tier(&address), address, cause, changes });
        self
    }

    pub(crate) fn holds(mut self, text: &str, reason: Reason) -> Story {
        let address = address(text);
        if let Some(live) = self.0.live.get_mut(&address) {
            live.converged = false;
        }
        self.0.holds.push(Hold { address, reason, message: "a reason in words".into(), waits_for: None });
        self
    }

    pub(crate) fn remarks(mut self, text: &str, reason: &str) -> Story {
        self.0.remarks.push((address(text), Remark { reason: reason.into(), message: "a remark".into() }));
        self
    }

    pub(crate) fn phase(mut self, text: &str, phase: Phase) -> Story {
        self.0.live.get_mut(&address(text)).expect("a live resource").phase = phase;
        self
    }

    pub(crate) fn found(&self, watcher: &dyn Watcher) {
        watcher.on(&Event::PassBegan);
        watcher.on(&Event::Found { plan: &self.0 });
    }

    pub(crate) fn planned(&self, watcher: &dyn Watcher) {
        watcher.on(&Event::Planned { plan: &self.0 });
    }

    /// The end of a pass that this was the last plan of.
    pub(crate) fn ended(&self, watcher: &dyn Watcher, results: Vec<StepResult>) {
        watcher.on(&Event::PassEnded { report: &self.report(results) });
    }

    pub(crate) fn report(&self, results: Vec<StepResult>) -> Report {
        Report {
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
    Step { tier: tier(&address), address, action, cause, changes: vec![], after: BTreeSet::new(), deed: None }
}

/// A step that began and ended.
pub(crate) fn did(watcher: &dyn Watcher, text: &str, action: Action, cause: Cause, outcome: Outcome) -> StepResult {
    let step = step(text, action, cause);
    watcher.on(&Event::StepBegan { step: &step });
    let failure = (outcome != Outcome::Done).then(|| Failure {
        class: Class::Transient,
        ambiguous: false,
        operation: "ec2.ModifySubnetAttribute".into(),
        code: Some("InternalError".into()),
        message: "an internal error has occurred".into(),
    });
    let took = Duration::from_millis(300);
    watcher.on(&Event::StepEnded { step: &step, outcome, took, failure: failure.as_ref() });
    let error = failure.map(|failure| failure.to_string());
    StepResult { address: step.address, action, outcome, seconds: took.as_secs_f64(), error }
}

/// The series of a page that have samples of this name other than zero, without stack and env.
pub(crate) fn series(metrics: &Metrics, name: &str) -> Vec<String> {
    let page = metrics.page(Format::Text).expect("a page");
    let lines = page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
    let lines = lines.filter(|line| !line.ends_with(" 0"));
    lines.map(|line| line[name.len()..].replace(r#"stack="mashroom",env="prod""#, "").replace("{,", "{")).collect()
}
