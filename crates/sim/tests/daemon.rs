//! The daemon, in virtual time: the interval of its passes, a changed document, and a stop.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::plan::PlanPolicy;
use holdfast_core::value::Value;
use holdfast_engine::cloud::Cloud;
use holdfast_engine::daemon::{DaemonSchedule, Reload, run};
use holdfast_engine::pass;
use holdfast_sim::fault::{Call, Fault, FaultRule, When};
use holdfast_sim::{Sim, World, kinds, stack};
use tokio::time::{Instant, sleep, timeout};

const ONE: &str = "resources:\n  Role/a: { tags: { team: one } }\n";
const TWO: &str = "resources:\n  Role/a: { tags: { team: two } }\n";

/// The next document, which the test gives to the daemon.
#[derive(Clone, Default)]
struct NextDocument(Arc<Mutex<Option<Result<Document, String>>>>);

impl Reload for NextDocument {
    fn changed(&mut self) -> Option<Result<Document, String>> {
        self.0.lock().expect("no thread panicked").take()
    }
}

impl NextDocument {
    fn set(&self, document: Result<Document, String>) {
        *self.0.lock().expect("no thread panicked") = Some(document);
    }
}

fn document(spec: &str) -> Document {
    stack::stack(spec, "here", kinds::REGISTRY).expect("a document")
}

const SCHEDULE: DaemonSchedule = DaemonSchedule { interval: Duration::from_secs(300), full_scan_every: 0 };

/// Runs a daemon on `world` until `test` ends. Returns the end of each pass.
async fn run_daemon(world: &World, next: &NextDocument, first: &str, test: impl Future<Output = ()>) -> Vec<Instant> {
    let mut ends = vec![];
    let options = world.options(PlanPolicy::default(), false, Duration::from_secs(60));
    let mut reload = next.clone();
    let daemon = run(&world.engine, document(first), &options, SCHEDULE, &mut reload, |_| ends.push(Instant::now()));
    tokio::select! {
        () = daemon => {}
        () = test => {}
    }
    ends
}

fn team(sim: &Sim) -> Option<String> {
    sim.resources().first().and_then(|resource| resource.tags.get("team").cloned())
}

#[tokio::test(start_paused = true)]
async fn passes_follow_each_other_after_the_interval_with_jitter() {
    let world = World::new(Sim::of_test_kinds());
    let ends = run_daemon(&world, &NextDocument::default(), ONE, sleep(Duration::from_secs(3600))).await;
    assert!(ends.len() >= 11, "{} passes in an hour", ends.len());
    let pauses: Vec<f64> = ends.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    assert!(pauses.iter().all(|pause| (285.0..316.0).contains(pause)), "{pauses:?}");
    assert!(
        pauses.iter().any(|pause| (pause - pauses[0]).abs() > 1.0),
        "the jitter separates the passes of two daemons: {pauses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn drift_is_corrected_by_the_next_pass() {
    let world = World::new(Sim::of_test_kinds());
    run_daemon(&world, &NextDocument::default(), ONE, async {
        sleep(Duration::from_secs(60)).await;
        world.sim.set_tag("Role/a", "team", Some("other"));
        sleep(Duration::from_secs(320)).await;
        assert_eq!(team(&world.sim).as_deref(), Some("one"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_document_is_applied_within_seconds_and_an_invalid_one_is_not() {
    let world = World::new(Sim::of_test_kinds());
    let next = NextDocument::default();
    run_daemon(&world, &next, ONE, async {
        sleep(Duration::from_secs(30)).await;
        next.set(Ok(document(TWO)));
        sleep(Duration::from_secs(3)).await;
        assert_eq!(team(&world.sim).as_deref(), Some("two"));
        let mutations = world.sim.mutations();
        next.set(Err("line 3: this is not YAML".into()));
        sleep(Duration::from_secs(700)).await;
        assert_eq!(
            world.sim.mutations(),
            mutations,
            "the last valid document stays in force, and the account matches it"
        );
        world.sim.set_tag("Role/a", "team", Some("other"));
        sleep(Duration::from_secs(320)).await;
        assert_eq!(team(&world.sim).as_deref(), Some("two"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_document_of_another_stack_or_account_is_not_taken_up() {
    let changes: [fn(&mut Document); 4] = [
        |document| document.stack = "other".into(),
        |document| document.env = "other".into(),
        |document| document.target.account = Some("999999999999".into()),
        |document| document.target.role = Some("arn:aws:iam::123456789012:role/other".into()),
    ];
    for change in changes {
        let world = World::new(Sim::of_test_kinds());
        let next = NextDocument::default();
        run_daemon(&world, &next, ONE, async {
            sleep(Duration::from_secs(30)).await;
            let mut other = document(TWO);
            change(&mut other);
            next.set(Ok(other));
            sleep(Duration::from_secs(700)).await;
            assert_eq!(team(&world.sim).as_deref(), Some("one"), "the document before it remains in force");
            assert_eq!(world.sim.resources().len(), 1);
            next.set(Ok(document(TWO)));
            sleep(Duration::from_secs(3)).await;
            assert_eq!(team(&world.sim).as_deref(), Some("two"), "a later document is taken up");
        })
        .await;
    }
}

const PRUNED: &str = "policy: { prune: true }\nresources:\n  Role/a: {}\n";
const WHOLE: &str =
    "policy: { prune: true }\nresources:\n  Role/a: {}\n  Role/b: {}\n  Vpc/c: { cidrBlock: 10.0.0.0/16 }\n";

#[tokio::test(start_paused = true)]
async fn a_resource_that_left_the_document_is_deleted_in_the_second_pass() {
    let world = World::new(Sim::of_test_kinds());
    let next = NextDocument::default();
    run_daemon(&world, &next, WHOLE, async {
        sleep(Duration::from_secs(250)).await;
        assert_eq!(world.sim.resources().len(), 3);
        next.set(Ok(document(PRUNED)));
        sleep(Duration::from_secs(200)).await;
        assert_eq!(world.sim.resources().len(), 3, "the first pass keeps them");
        sleep(Duration::from_secs(300)).await;
        assert_eq!(world.sim.resources().len(), 1, "the second pass deletes them, also a kind that left the document");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_corrected_before_the_second_pass_deletes_nothing() {
    let world = World::new(Sim::of_test_kinds());
    let next = NextDocument::default();
    run_daemon(&world, &next, WHOLE, async {
        sleep(Duration::from_secs(250)).await;
        let mutations = world.sim.mutations();
        for _ in 0..5 {
            next.set(Ok(document(PRUNED)));
            sleep(Duration::from_secs(100)).await;
            next.set(Ok(document(WHOLE)));
            sleep(Duration::from_secs(100)).await;
        }
        sleep(Duration::from_secs(700)).await;
        assert_eq!(world.sim.mutations(), mutations);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_document_that_may_be_cut_short_deletes_nothing() {
    let world = World::new(Sim::of_test_kinds());
    let next = NextDocument::default();
    run_daemon(&world, &next, WHOLE, async {
        sleep(Duration::from_secs(250)).await;
        next.set(Ok(Document { incomplete: Some("stack.yaml".into()), ..document(PRUNED) }));
        sleep(Duration::from_secs(2000)).await;
        assert_eq!(world.sim.resources().len(), 3);
        next.set(Ok(document(PRUNED)));
        sleep(Duration::from_secs(2000)).await;
        assert_eq!(world.sim.resources().len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_daemon_continues_after_a_pass_that_observes_nothing() {
    let world = World::new(Sim::of_test_kinds());
    world.sim.inject(FaultRule {
        kind: None,
        region: None,
        call: Call::Observe,
        when: When::First(1),
        fault: Fault::Refuse("no".into()),
    });
    run_daemon(&world, &NextDocument::default(), ONE, sleep(Duration::from_secs(400))).await;
    assert_eq!(team(&world.sim).as_deref(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_passes_takes_effect_at_once() {
    let world = World::new(Sim::of_test_kinds());
    world.stop_after(Duration::from_secs(100));
    let began = Instant::now();
    run_daemon(&world, &NextDocument::default(), ONE, std::future::pending()).await;
    assert_eq!(began.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_call_without_a_reply_takes_less_than_thirty_seconds() {
    let world = World::new(Sim::of_test_kinds());
    let no_reply = Fault::NoReply { timeout: Duration::from_secs(600), effect: true };
    world.sim.inject(FaultRule { kind: None, region: None, call: Call::Create, when: When::Always, fault: no_reply });
    world.stop_after(Duration::from_secs(5));
    let began = Instant::now();
    run_daemon(&world, &NextDocument::default(), ONE, std::future::pending()).await;
    assert!(began.elapsed() < Duration::from_secs(5 + 30), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_reads_without_a_reply() {
    let world = World::new(Sim::of_test_kinds());
    let no_reply = Fault::NoReply { timeout: Duration::from_secs(600), effect: false };
    world.sim.inject(FaultRule { kind: None, region: None, call: Call::Observe, when: When::Always, fault: no_reply });
    world.stop_after(Duration::from_secs(5));
    let began = Instant::now();
    run_daemon(&world, &NextDocument::default(), ONE, std::future::pending()).await;
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_stop_starts_no_further_step() {
    let many: String = (0..80).map(|n| format!("  Role/r{n}: {{}}\n")).collect();
    let document = format!("resources:\n{many}");
    let world = World::new(Sim::of_test_kinds());
    world.stop_after(Duration::from_millis(50));
    let next = NextDocument::default();
    let daemon = run_daemon(&world, &next, &document, std::future::pending());
    timeout(Duration::from_secs(30), daemon).await.expect("the daemon stops");
    let created = world.sim.resources().len();
    assert!(created > 0 && created <= 32, "{created} of 80 were created: started steps end, and no others start");
}

#[tokio::test(start_paused = true)]
async fn a_pass_without_changes_makes_one_call_for_each_kind() {
    let world = World::new(Sim::of_test_kinds());
    run_daemon(&world, &NextDocument::default(), ONE, sleep(Duration::from_secs(30))).await;
    let before = world.sim.calls().total();
    let mut again = World::new(world.sim.clone());
    again.declare(ONE).expect("a document");
    let options = again.options(PlanPolicy::default(), false, Duration::ZERO);
    let dry_run =
        pass::dry_run(&again.engine, again.document.as_ref().expect("a document"), &options).await.expect("a dry run");
    assert_eq!(dry_run.calls, world.sim.calls().total() - before);
    assert_eq!(dry_run.calls, 2, "the account of the caller, and the roles");
    assert_eq!(
        dry_run.observation.found.values().flatten().next().map(|o| o.spec.clone()),
        Some(Value::Map([].into()))
    );
}
