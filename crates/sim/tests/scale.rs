//! The cost of planning: it grows with the number of resources, and not with its square.

use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::observed::Observation;
use holdfast_core::plan::{PlanPolicy, PreparedDocument, plan_prepared};
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

/// The attempts to measure both sizes. One within the limit is enough: other work on the machine can only add CPU time.
const ATTEMPTS: usize = 5;

/// A stack, and an observation of its account.
struct Account {
    document: Document,
    observation: Observation,
}

/// Returns a stack of this many resources in an empty account, and in a converged account.
async fn accounts(resources: usize) -> [Account; 2] {
    let mut world = World::new(Sim::of_test_kinds());
    world.declare(&mixed(resources)).expect("a valid document");
    let document = world.document.clone().expect("a document");
    let empty = Account { observation: observation(&world, &document).await, document: document.clone() };
    converge(&world).await;
    let converged = Account { observation: observation(&world, &document).await, document };
    [empty, converged]
}

/// Returns the CPU time of one plan, without its release.
fn measure(account: &Account, policy: &PlanPolicy) -> Duration {
    let began = cpu_time();
    let prepared = PreparedDocument::new(&account.document);
    let plan = plan_prepared(&prepared, &account.observation, policy, kinds::REGISTRY.0);
    let time = cpu_time() - began;
    let planned = plan.steps.len() + plan.unchanged;
    assert_eq!(planned, account.document.resources.len(), "every resource is planned");
    time
}

/// Checks that a plan of the large account costs at most [`MAX_RATIO`] times that of the small one.
///
/// Plans of both sizes alternate, so that a change of the processor's speed affects both.
fn check(name: &str, small: &Account, large: &Account, policy: &PlanPolicy) {
    let mut ratios = vec![];
    while ratios.len() < ATTEMPTS {
        let times = || (measure(small, policy), measure(large, policy));
        let (short, long): (Vec<_>, Vec<_>) = (0..REPETITIONS).map(|_| times()).unzip();
        let [short, long] = [short, long].map(|times| times.into_iter().min().unwrap_or_default());
        let ratio = long.as_secs_f64() / short.as_secs_f64();
        println!("{name}: {short:?} for {SMALL}, {long:?} for {LARGE} resources: {ratio:.2} times");
        if ratio <= MAX_RATIO {
            return;
        }
        ratios.push(ratio);
    }
    panic!("{name}: four times the resources cost {ratios:.2?} times the CPU");
}

#[tokio::test(start_paused = true)]
async fn four_times_the_resources_cost_about_four_times_the_cpu_to_plan() {
    let ([small_empty, small], [large_empty, large]) = (accounts(SMALL).await, accounts(LARGE).await);
    check("create", &small_empty, &large_empty, &PlanPolicy::default());
    check("unchanged", &small, &large, &PlanPolicy::default());
    check("destroy", &small, &large, &destroy_policy());
}
