//! What the ledger holds back, and for how long.

use std::collections::BTreeMap;

use holdfast_core::diff::Change;
use holdfast_core::observed::{Observed, Opaque, tag};
use holdfast_core::plan::{Cause, Live};
use holdfast_core::schema::Tier;
use tokio::time::sleep;

use super::*;

const LAG: Duration = Duration::from_secs(10);
const TIMING: Timing = Timing { scale: 1.0 };

fn main() -> Address {
    Address::new("Vpc", "main")
}

fn place() -> Place {
    Place { kind: "Vpc", region: "r".into() }
}

fn step(action: Action, to: &str) -> Step {
    let change = Change { path: "size".into(), from: Value::Null, to: to.into(), immutable: false, unknown: None };
    Step {
        address: main(),
        tier: Tier::Network,
        action,
        cause: Cause::Drift,
        changes: vec![change],
        after: BTreeSet::new(),
        deed: None,
    }
}

fn plan_with(step: Step) -> Plan {
    Plan { steps: vec![step], ..Plan::default() }
}

fn converged(id: &str) -> Plan {
    let live = Live { id: id.into(), phase: Phase::Ready, tier: Tier::Network, digest: String::new(), converged: true };
    Plan { live: BTreeMap::from([(main(), live)]), ..Plan::default() }
}

fn seen(ids: &[&str]) -> Observation {
    let observed = ids.iter().map(|id| Observed {
        region: "r".into(),
        id: (*id).to_owned(),
        name: String::new(),
        spec: Value::Null,
        status: Value::from([("revisions", Value::List(vec!["old-1".into(), "old-2".into()]))]),
        phase: Phase::Ready,
        remarks: vec![],
        tags: [(tag::STACK, "s"), (tag::ENV, "e"), (tag::ADDRESS, "Vpc/main")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        scheduled: BTreeSet::new(),
        bound: false,
        opaque: Opaque::default(),
    });
    Observation { found: BTreeMap::from([(place(), observed.collect())]), ..Observation::default() }
}

/// A look, now.
fn look(ledger: &mut Ledger, ids: &[&str]) -> Observation {
    let mut observation = seen(ids);
    ledger.seen(place(), Instant::now(), &mut observation);
    observation
}

/// What is held after a look.
fn held(ledger: &mut Ledger, ids: &[&str]) -> Vec<Reason> {
    let observation = look(ledger, ids);
    reasons(&ledger.holds(&observation))
}

fn reasons(holds: &BTreeMap<Address, Hold>) -> Vec<Reason> {
    holds.values().map(|hold| hold.reason).collect()
}

fn failure(class: Class) -> Failure {
    Failure { class, ..Failure::terminal("ec2.X", "no") }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_is_not_made_again_while_reads_may_lag() {
    let mut ledger = Ledger::default();
    ledger.made(&main(), place(), "vpc-1".into(), None, LAG);
    assert_eq!(held(&mut ledger, &[]), [Reason::Settling]);
    assert_eq!(held(&mut ledger, &["vpc-1"]), []);
    assert_eq!(held(&mut ledger, &[]), [Reason::Settling], "seen once, and not at the next look");
    let early = seen(&[]);
    sleep(LAG).await;
    assert_eq!(reasons(&ledger.holds(&early)), [Reason::Settling], "the last look was within the window");
    assert_eq!(held(&mut ledger, &[]), [], "past the window it is gone");
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_create_is_looked_for_until_it_is_seen_or_its_window_is_past() {
    let mut ledger = Ledger::default();
    ledger.doubt(&main(), place(), BTreeSet::from(["vpc-1".into()]), LAG);
    assert_eq!(held(&mut ledger, &["vpc-1"]), [Reason::AmbiguousCreate], "that one was there before");
    assert_eq!(held(&mut ledger, &["vpc-1", "vpc-2"]), []);
    ledger.doubt(&main(), place(), BTreeSet::new(), LAG);
    assert!(!ledger.found(&Plan::default()));
    assert!(ledger.found(&converged("vpc-3")), "without owner tags the plan tells");
    ledger.doubt(&main(), place(), BTreeSet::new(), LAG);
    sleep(LAG).await;
    assert_eq!(held(&mut ledger, &[]), []);
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_is_on_its_way_out_while_reads_may_lag() {
    let mut ledger = Ledger::default();
    ledger.deleted(place(), "vpc-1".into(), LAG);
    ledger.deleted(place(), "old-2".into(), LAG);
    let observation = look(&mut ledger, &["vpc-1", "vpc-2"]);
    let phases: Vec<Phase> = observation.found[&place()].iter().map(|o| o.phase).collect();
    assert_eq!(phases, [Phase::Deleting, Phase::Ready]);
    let left = observation.found[&place()][1].status.get("revisions").cloned();
    assert_eq!(left, Some(Value::List(vec!["old-1".into()])));
    sleep(LAG).await;
    let observation = look(&mut ledger, &["vpc-1"]);
    assert_eq!(observation.found[&place()][0].phase, Phase::Ready, "it is still there: the deletion did not take");
}

#[tokio::test(start_paused = true)]
async fn the_same_change_twice_in_vain_is_stalled_for_an_hour() {
    let mut ledger = Ledger::default();
    let step = step(Action::Update, "big");
    for _ in 0..2 {
        assert!(ledger.learn(&plan_with(step.clone())).is_empty());
        ledger.done(&step, place(), LAG);
        assert_eq!(reasons(&ledger.learn(&plan_with(step.clone()))), [Reason::Settling]);
        sleep(LAG).await;
        look(&mut ledger, &[]);
    }
    assert_eq!(reasons(&ledger.learn(&plan_with(step.clone()))), [Reason::Stalled]);
    let other = self::step(Action::Update, "small");
    assert!(ledger.learn(&plan_with(other)).is_empty(), "another change is another matter");
    sleep(TIMING.fight_window()).await;
    ledger.begin_pass(TIMING);
    assert!(ledger.learn(&plan_with(step)).is_empty(), "after an hour it is tried again");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_holds_and_comes_back_five_times_an_hour_is_a_fight() {
    let mut ledger = Ledger::default();
    let step = step(Action::Update, "big");
    for _ in 0..Timing::MENDS_AN_HOUR {
        sleep(Duration::from_secs(300)).await;
        ledger.begin_pass(TIMING);
        look(&mut ledger, &["vpc-1"]);
        assert!(ledger.learn(&plan_with(step.clone())).is_empty());
        ledger.done(&step, place(), LAG);
        ledger.learn(&converged("vpc-1"));
    }
    sleep(Duration::from_secs(300)).await;
    look(&mut ledger, &["vpc-1"]);
    assert_eq!(reasons(&ledger.learn(&plan_with(step.clone()))), [Reason::Stalled]);
    sleep(Duration::from_secs(2400)).await;
    ledger.begin_pass(TIMING);
    assert!(ledger.learn(&plan_with(step)).is_empty(), "the first of them is more than an hour ago");
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_with_pauses_and_not_for_ever() {
    let mut ledger = Ledger::default();
    let step = step(Action::Create, "big");
    assert_eq!(ledger.verdict(&step), Verdict::Go);
    assert!(ledger.failed(&step, &failure(Class::NotYet), TIMING));
    assert_eq!(ledger.verdict(&step), Verdict::Later(Duration::from_secs(1)));
    assert_eq!(ledger.verdict(&self::step(Action::Create, "small")), Verdict::Go, "another step of the same address");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ledger.verdict(&step), Verdict::Go);
    for attempt in 1..Timing::ATTEMPTS {
        assert_eq!(ledger.failed(&step, &failure(Class::NotYet), TIMING), attempt + 1 < Timing::ATTEMPTS);
    }
    sleep(Duration::from_secs(600)).await;
    assert_eq!(ledger.verdict(&step), Verdict::Never);
    ledger.begin_pass(TIMING);
    assert_eq!(ledger.verdict(&step), Verdict::Go, "a new pass tries again");
    assert!(!ledger.failed(&step, &failure(Class::Terminal), TIMING));
    assert_eq!(ledger.verdict(&step), Verdict::Never);
}

#[tokio::test(start_paused = true)]
async fn what_is_at_work_is_so_until_it_is_seen_converged() {
    let mut ledger = Ledger::default();
    ledger.made(&main(), place(), "vpc-1".into(), None, LAG);
    ledger.learn(&plan_with(step(Action::Update, "big")));
    assert_eq!(ledger.working(), BTreeSet::from([main()]));
    ledger.learn(&converged("vpc-1"));
    assert!(ledger.working().is_empty());
}
