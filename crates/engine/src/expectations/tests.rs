//! The holds of the expectations, and how long they last.

use std::collections::BTreeMap;

use holdfast_core::diff::Change;
use holdfast_core::observed::{Observed, Opaque, tag};
use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::plan::{Cause, LiveSummary};
use holdfast_core::schema::Tier;
use tokio::time::sleep;

use super::*;

pub(crate) const WINDOW: Duration = Duration::from_secs(10);
pub(crate) const TIMING: Timing = Timing { scale: 1.0 };

fn main_vpc() -> Address {
    Address::new("Vpc", "main")
}

pub(crate) fn kind_region() -> KindRegion {
    KindRegion { kind: "Vpc", region: "r".into() }
}

pub(crate) fn step(action: Action, to: &str) -> Step {
    let change = Change { path: "size".into(), from: Value::Null, to: to.into(), immutable: false, unknown: None };
    Step {
        address: main_vpc(),
        tier: Tier::Network,
        action,
        cause: Cause::Drift,
        changes: vec![change],
        after: BTreeSet::new(),
        operation: None,
    }
}

/// Returns the step that deletes the resource with this id.
pub(crate) fn deletion(id: &str) -> Step {
    let mutation = Mutation::Delete { live: Box::new(observed(id)) };
    let operation = Operation { kind: "Vpc", region: "r".into(), mutation };
    Step { changes: vec![], operation: Some(operation), ..step(Action::Delete, "") }
}

pub(crate) fn plan_with(step: Step) -> Plan {
    Plan { steps: vec![step], ..Plan::default() }
}

pub(crate) fn converged(id: &str) -> Plan {
    let live = LiveSummary {
        id: id.into(),
        name: String::new(),
        generation: 1,
        phase: Phase::Ready,
        tier: Tier::Network,
        digest: String::new(),
        converged: true,
    };
    Plan { live: BTreeMap::from([(main_vpc(), live)]), ..Plan::default() }
}

fn observed(id: &str) -> Observed {
    Observed {
        region: "r".into(),
        id: id.to_owned(),
        name: String::new(),
        spec: Value::Null,
        status: Value::from([("revisions", Value::List(vec!["old-1".into(), "old-2".into()]))]),
        phase: Phase::Ready,
        conditions: vec![],
        tags: [(tag::STACK, "s"), (tag::ENV, "e"), (tag::ADDRESS, "Vpc/main")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        scheduled: BTreeSet::new(),
        bound: false,
        opaque: Opaque::default(),
    }
}

fn observation_of(ids: &[&str]) -> Observation {
    let observed = ids.iter().map(|id| observed(id)).collect();
    Observation { found: BTreeMap::from([(kind_region(), observed)]), ..Observation::default() }
}

/// Records an observation of these ids that begins now.
pub(crate) fn observe(expectations: &mut Expectations, ids: &[&str]) -> Observation {
    let mut observation = observation_of(ids);
    expectations.record_observation(kind_region(), Instant::now(), &mut observation);
    observation
}

/// Returns the reasons of the holds after an observation of these ids.
fn held(expectations: &mut Expectations, ids: &[&str]) -> Vec<Reason> {
    let observation = observe(expectations, ids);
    reasons(&expectations.holds(&observation))
}

pub(crate) fn reasons(holds: &BTreeMap<Address, Hold>) -> Vec<Reason> {
    holds.values().map(|hold| hold.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn a_created_resource_is_not_created_again_within_its_consistency_window() {
    let mut expectations = Expectations::default();
    expectations.record_create(&main_vpc(), kind_region(), "vpc-1".into(), None, WINDOW);
    assert_eq!(held(&mut expectations, &[]), [Reason::Propagating]);
    assert_eq!(held(&mut expectations, &["vpc-1"]), []);
    assert_eq!(held(&mut expectations, &[]), [Reason::Propagating], "observed once, and not by the next observation");
    let early = observation_of(&[]);
    sleep(WINDOW).await;
    let holds = expectations.holds(&early);
    assert_eq!(reasons(&holds), [Reason::Propagating], "the last observation began within the window");
    assert_eq!(held(&mut expectations, &[]), [], "after the window it no longer exists");
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_create_is_held_until_it_is_observed_or_its_window_has_passed() {
    let mut expectations = Expectations::default();
    expectations.record_unconfirmed_create(&main_vpc(), kind_region(), BTreeSet::from(["vpc-1".into()]), WINDOW);
    let before = held(&mut expectations, &["vpc-1"]);
    assert_eq!(before, [Reason::CreateUnconfirmed], "vpc-1 existed before the create");
    assert_eq!(held(&mut expectations, &["vpc-1", "vpc-2"]), []);
    expectations.record_unconfirmed_create(&main_vpc(), kind_region(), BTreeSet::new(), WINDOW);
    assert!(!expectations.confirm_creates(&Plan::default()));
    assert!(expectations.confirm_creates(&converged("vpc-3")), "without owner tags, the plan confirms it");
    expectations.record_unconfirmed_create(&main_vpc(), kind_region(), BTreeSet::new(), WINDOW);
    sleep(WINDOW).await;
    assert_eq!(held(&mut expectations, &[]), []);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_resource_that_reads_still_show_is_being_deleted() {
    let mut expectations = Expectations::default();
    expectations.record_deletion(kind_region(), "vpc-1".into(), WINDOW);
    expectations.record_deletion(kind_region(), "old-2".into(), WINDOW);
    let observation = observe(&mut expectations, &["vpc-1", "vpc-2"]);
    let phases: Vec<Phase> = observation.found[&kind_region()].iter().map(|o| o.phase).collect();
    assert_eq!(phases, [Phase::Deleting, Phase::Ready]);
    let left = observation.found[&kind_region()][1].status.get("revisions").cloned();
    assert_eq!(left, Some(Value::List(vec!["old-1".into()])));
    sleep(WINDOW).await;
    let observation = observe(&mut expectations, &["vpc-1"]);
    let phase = observation.found[&kind_region()][0].phase;
    assert_eq!(phase, Phase::Ready, "it still exists after the window: the deletion had no effect");
}

#[tokio::test(start_paused = true)]
async fn a_created_resource_is_in_progress_until_it_is_observed_converged() {
    let mut expectations = Expectations::default();
    expectations.record_create(&main_vpc(), kind_region(), "vpc-1".into(), None, WINDOW);
    expectations.update_from_plan(&plan_with(step(Action::Update, "big")));
    assert_eq!(expectations.in_progress(), BTreeSet::from([main_vpc()]));
    expectations.update_from_plan(&converged("vpc-1"));
    assert!(expectations.in_progress().is_empty());
}
