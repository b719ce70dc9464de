//! The cost of planning: it grows with the number of resources, and not with its square.

use std::time::Duration;

use holdfast_core::plan::{Plan, PlanPolicy, PreparedDocument, plan_prepared};
use holdfast_sim::cost::{converge, cpu_time, destroy_policy, mixed, observation};
use holdfast_sim::{Sim, World, kinds};

/// Four times the resources may cost at most this many times the CPU. A linear plan costs 4 times as much, a quadratic
/// plan 16 times.
const MAX_RATIO: f64 = 4.6;

/// The numbers of resources. A plan of the smaller document takes some milliseconds, so that the clock and the
/// scheduler have no influence.
const SMALL: usize = 1_000;
const LARGE: usize = 4 * SMALL;

/// The number of plans of which the shortest counts: the least disturbed one.
const REPETITIONS: usize = 9;

/// The attempts to measure the two sizes. The ratio of the least disturbed attempt counts.
const ATTEMPTS: usize = 4;

/// A plan that is measured.
struct Case {
    name: &'static str,
    /// True when the account is converged; false when it is empty.
    converged: bool,
    policy: PlanPolicy,
}

fn cases() -> [Case; 3] {
    let policy = PlanPolicy::default();
    [
        Case { name: "create", converged: false, policy: policy.clone() },
        Case { name: "unchanged", converged: true, policy },
        Case { name: "destroy", converged: true, policy: destroy_policy() },
    ]
}

/// A stack, in an empty account or in a converged one.
async fn world(resources: usize, converged: bool) -> World {
    let mut world = World::new(Sim::of_test_kinds());
    world.declare(&mixed(resources)).expect("a valid document");
    if converged {
        converge(&world).await;
    }
    world
}

/// Returns the CPU time of the shortest of several plans, and the last plan.
async fn measure(world: &World, policy: &PlanPolicy) -> (Duration, Plan) {
    let document = world.document.as_ref().expect("a document");
    let observation = observation(world, document).await;
    let mut last = Plan::default();
    let times = (0..REPETITIONS).map(|_| {
        let began = cpu_time();
        let prepared = PreparedDocument::new(document);
        last = plan_prepared(&prepared, &observation, policy, kinds::REGISTRY.0);
        cpu_time() - began
    });
    let shortest = times.min().unwrap_or_default();
    (shortest, last)
}

#[tokio::test(start_paused = true)]
async fn four_times_the_resources_cost_about_four_times_the_cpu_to_plan() {
    for Case { name, converged, policy } in cases() {
        let (small, large) = (world(SMALL, converged).await, world(LARGE, converged).await);
        let mut ratios = vec![];
        for _ in 0..ATTEMPTS {
            let ((short, _), (long, planned)) = (measure(&small, &policy).await, measure(&large, &policy).await);
            let resources = large.document.as_ref().map_or(0, |document| document.resources.len());
            assert_eq!(planned.steps.len() + planned.unchanged, resources, "every resource is planned: {name}");
            let ratio = long.as_secs_f64() / short.as_secs_f64();
            println!("{name}: {short:?} for {SMALL}, {long:?} for {LARGE} resources: {ratio:.2} times");
            ratios.push(ratio);
            if ratio <= MAX_RATIO {
                break;
            }
        }
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(least <= MAX_RATIO, "{name}: four times the resources cost {ratios:.2?} times the CPU");
    }
}
