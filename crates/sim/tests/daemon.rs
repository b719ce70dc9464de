//! The daemon, in virtual time: when it looks, what it does with a changed document, and how it stops.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::plan::Policy;
use holdfast_core::value::Value;
use holdfast_engine::cloud::Cloud;
use holdfast_engine::daemon::{Reload, Schedule, run};
use holdfast_sim::fault::{Call, Fault, Rule, When};
use holdfast_sim::{Sim, World, kinds, stack};
use tokio::time::{Instant, sleep, timeout};

const ONE: &str = "resources:\n  Role/a: { tags: { team: one } }\n";
const TWO: &str = "resources:\n  Role/a: { tags: { team: two } }\n";

/// What the test hands to the daemon as the next document.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Option<Result<Document, String>>>>);

impl Reload for Desk {
    fn changed(&mut self) -> Option<Result<Document, String>> {
        self.0.lock().expect("nobody panicked").take()
    }
}

impl Desk {
    fn lay(&self, document: Result<Document, String>) {
        *self.0.lock().expect("nobody panicked") = Some(document);
    }
}

fn document(spec: &str) -> Document {
    stack::stack(spec, "here", kinds::REGISTRY).expect("a document")
}

const SCHEDULE: Schedule = Schedule { interval: Duration::from_secs(300), everywhere_every: 0 };

/// Runs a daemon on `world` beside `test`; returns when each pass ended.
async fn beside(world: &World, desk: &Desk, first: &str, test: impl Future<Output = ()>) -> Vec<Instant> {
    let mut ends = vec![];
    let options = world.options(Policy::default(), false, Duration::from_secs(60));
    let mut reload = desk.clone();
    let daemon = run(&world.engine, document(first), &options, SCHEDULE, &mut reload, |_| ends.push(Instant::now()));
    tokio::select! {
        () = daemon => {}
        () = test => {}
    }
    ends
}

fn team(sim: &Sim) -> Option<String> {
    sim.things().first().and_then(|thing| thing.tags.get("team").cloned())
}

#[tokio::test(start_paused = true)]
async fn passes_follow_each_other_after_the_interval_and_a_little_chance() {
    let world = World::new(Sim::of_test_kinds());
    let ends = beside(&world, &Desk::default(), ONE, sleep(Duration::from_secs(3600))).await;
    assert!(ends.len() >= 11, "{} passes in an hour", ends.len());
    let pauses: Vec<f64> = ends.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    assert!(pauses.iter().all(|pause| (285.0..316.0).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| (pause - pauses[0]).abs() > 1.0), "no two daemons keep in step: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn drift_is_mended_at_the_next_pass() {
    let world = World::new(Sim::of_test_kinds());
    beside(&world, &Desk::default(), ONE, async {
        sleep(Duration::from_secs(60)).await;
        world.sim.set_tag("Role/a", "team", Some("theirs"));
        sleep(Duration::from_secs(320)).await;
        assert_eq!(team(&world.sim).as_deref(), Some("one"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_document_is_applied_within_seconds_and_a_bad_one_is_not() {
    let world = World::new(Sim::of_test_kinds());
    let desk = Desk::default();
    beside(&world, &desk, ONE, async {
        sleep(Duration::from_secs(30)).await;
        desk.lay(Ok(document(TWO)));
        sleep(Duration::from_secs(3)).await;
        assert_eq!(team(&world.sim).as_deref(), Some("two"));
        let mutations = world.sim.mutations();
        desk.lay(Err("line 3: this is no YAML".into()));
        sleep(Duration::from_secs(700)).await;
        assert_eq!(world.sim.mutations(), mutations, "the last good one stays in force, and it is held");
        world.sim.set_tag("Role/a", "team", Some("theirs"));
        sleep(Duration::from_secs(320)).await;
        assert_eq!(team(&world.sim).as_deref(), Some("two"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_sees_nothing_is_not_the_last() {
    let world = World::new(Sim::of_test_kinds());
    world.sim.fault(Rule {
        kind: None,
        region: None,
        call: Call::Observe,
        when: When::First(1),
        fault: Fault::Refuse("no".into()),
    });
    beside(&world, &Desk::default(), ONE, sleep(Duration::from_secs(400))).await;
    assert_eq!(team(&world.sim).as_deref(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn it_stops_at_once_between_passes() {
    let world = World::new(Sim::of_test_kinds());
    world.stop_after(Duration::from_secs(100));
    let began = Instant::now();
    beside(&world, &Desk::default(), ONE, std::future::pending()).await;
    assert_eq!(began.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn it_stops_within_thirty_seconds_of_a_call_that_does_not_answer() {
    let world = World::new(Sim::of_test_kinds());
    let silent = Fault::NoReply { patience: Duration::from_secs(600), effect: true };
    world.sim.fault(Rule { kind: None, region: None, call: Call::Create, when: When::Always, fault: silent });
    world.stop_after(Duration::from_secs(5));
    let began = Instant::now();
    beside(&world, &Desk::default(), ONE, std::future::pending()).await;
    assert!(began.elapsed() < Duration::from_secs(5 + 30), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stop_begins_no_further_step() {
    let many: String = (0..80).map(|n| format!("  Role/r{n}: {{}}\n")).collect();
    let (desk, many) = (Desk::default(), format!("resources:\n{many}"));
    let world = World::new(Sim::of_test_kinds());
    world.stop_after(Duration::from_millis(50));
    let daemon = beside(&world, &desk, &many, std::future::pending());
    timeout(Duration::from_secs(30), daemon).await.expect("it stops");
    let made = world.sim.things().len();
    assert!(made > 0 && made <= 32, "{made} of 80 were made: those under way end, and no more begin");
}

#[tokio::test(start_paused = true)]
async fn a_pass_without_changes_calls_once_for_each_kind() {
    let world = World::new(Sim::of_test_kinds());
    beside(&world, &Desk::default(), ONE, sleep(Duration::from_secs(30))).await;
    let before = world.sim.calls().total();
    let mut again = World::new(world.sim.clone());
    again.declare(ONE).expect("a document");
    let options = again.options(Policy::default(), false, Duration::ZERO);
    let look = again.engine.look(again.document.as_ref().expect("a document"), &options).await.expect("a look");
    assert_eq!(look.calls, world.sim.calls().total() - before);
    assert_eq!(look.calls, 2, "who we are, and the roles");
    assert_eq!(look.observation.found.values().flatten().next().map(|o| o.spec.clone()), Some(Value::Map([].into())));
}
