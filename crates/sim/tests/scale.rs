//! The cost of planning: it grows with the number of resources, and not with its square.

use std::fmt::Write;
use std::time::{Duration, Instant};

use holdfast_core::plan::{Plan, PlanPolicy, plan};
use holdfast_engine::pass;
use holdfast_sim::{Sim, World, kinds};

/// Four times the resources may cost at most this many times the time. A linear plan costs 4 times as much, a quadratic
/// plan 16 times. The margin covers a busy machine.
const MAX_RATIO: f64 = 7.0;

/// Returns a stack of about this many resources: a third of them with owner tags and references, a third with embedded
/// markers, and a third global.
fn spec(resources: usize) -> String {
    let mut spec = "policy: { maxMutations: 1000000 }\nresources:\n  Vpc/main: { cidrBlock: 10.0.0.0/16 }\n".to_owned();
    spec += "  Zone/main: { name: example.com }\n";
    for i in 0..resources / 3 {
        let _ =
            writeln!(spec, "  SecurityGroup/g{i}: {{ vpc: main, ingress: [{{ port: {}, cidr: 10.0.0.0/8 }}] }}", i + 1);
        let _ = writeln!(spec, "  Record/r{i}: {{ zone: main, recordName: h{i}.example.com, value: 10.0.0.1 }}");
        let _ =
            writeln!(spec, "  Role/r{i}: {{ policy: {{ Statement: [{{ Effect: Allow, Action: \"s3:Get{i}\" }}] }} }}");
    }
    spec
}

/// Returns the shortest time of several plans, and the last plan.
fn measure(mut make: impl FnMut() -> Plan) -> (Duration, Plan) {
    let mut times = vec![];
    let mut last = None;
    for _ in 0..7 {
        let began = Instant::now();
        last = Some(make());
        times.push(began.elapsed());
    }
    (times.into_iter().min().unwrap_or_default(), last.expect("a plan"))
}

/// Returns the times to plan the creation and to plan without changes.
async fn times(resources: usize) -> [Duration; 2] {
    let mut world = World::new(Sim::of_test_kinds());
    world.declare(&spec(resources)).expect("a valid document");
    let document = world.document.clone().expect("a document");
    let policy = PlanPolicy::default();
    let options = world.options(policy.clone(), true, Duration::ZERO);
    let empty = pass::dry_run(&world.engine, &document, &options).await.expect("a dry run").observation;
    let (create, planned) = measure(|| plan(&document, &empty, &policy, kinds::REGISTRY.0));
    assert_eq!(planned.steps.len(), document.resources.len());

    let report = world.reconcile(policy.clone()).await.expect("a pass");
    assert!(report.converged, "{:?}", report.plan.holds);
    let live = pass::dry_run(&world.engine, &document, &options).await.expect("a dry run").observation;
    let (unchanged, planned) = measure(|| plan(&document, &live, &policy, kinds::REGISTRY.0));
    assert_eq!((planned.steps.len(), planned.unchanged), (0, document.resources.len()));
    [create, unchanged]
}

#[tokio::test(start_paused = true)]
async fn four_times_the_resources_cost_about_four_times_as_much_to_plan() {
    let (small, large) = (times(300).await, times(1200).await);
    for (name, small, large) in [("create", small[0], large[0]), ("unchanged", small[1], large[1])] {
        let ratio = large.as_secs_f64() / small.as_secs_f64();
        println!("{name}: {small:?} for 300, {large:?} for 1,200 resources: {ratio:.1} times");
        assert!(ratio <= MAX_RATIO, "{name}: {small:?} for 300, {large:?} for 1,200 resources: {ratio:.1} times");
    }
}
