//! The cost of planning and of passes: documents of any size, and the CPU time of a thread.

use std::fmt::Write;
use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::observed::Observation;
use holdfast_core::plan::PlanPolicy;
use holdfast_engine::cloud::Cloud;
use rustix::time::{ClockId, clock_gettime};

use crate::world::World;

/// The number of rounds after which an account must be converged: the longest chain of references has two resources.
const ROUNDS: usize = 8;

/// Returns the `spec` of a stack of at most this many resources: a third of them with owner tags and references, a third
/// with embedded markers, and a third global.
pub fn mixed(resources: usize) -> String {
    let mut spec = "policy: { maxMutations: 1000000 }\nresources:\n  Vpc/main: { cidrBlock: 10.0.0.0/16 }\n".to_owned();
    spec += "  Zone/main: { name: example.com }\n";
    for i in 0..resources.saturating_sub(2) / 3 {
        let port = i % 65_535 + 1;
        let _ =
            writeln!(spec, "  SecurityGroup/g{i}: {{ vpc: main, ingress: [{{ port: {port}, cidr: 10.0.0.0/8 }}] }}");
        let _ = writeln!(spec, "  Record/r{i}: {{ zone: main, recordName: h{i}.example.com, value: 10.0.0.1 }}");
        let _ =
            writeln!(spec, "  Role/r{i}: {{ policy: {{ Statement: [{{ Effect: Allow, Action: \"s3:Get{i}\" }}] }} }}");
    }
    spec
}

/// Returns the policy of a destroy that deletes data as well.
pub fn destroy_policy() -> PlanPolicy {
    PlanPolicy { destroy: true, delete_data: true, ..PlanPolicy::default() }
}

/// Returns an observation of the account.
///
/// # Panics
/// Panics when nothing can be observed.
pub async fn observation(world: &World, document: &Document) -> Observation {
    let options = world.options(PlanPolicy::default(), true, Duration::ZERO);
    holdfast_engine::pass::dry_run(&world.engine, document, &options).await.expect("a dry run").observation
}

/// Converges the account with few plans: all operations of a plan are carried out before the next plan. A pass plans more
/// often, which takes minutes for ten thousand resources.
///
/// # Panics
/// Panics when an operation fails, or when the account is not converged after a few plans.
pub async fn converge(world: &World) {
    for _ in 0..ROUNDS {
        let plan = world.plan(PlanPolicy::default()).await.expect("a plan");
        if plan.is_converged() {
            return;
        }
        for (_, operation) in plan.startable() {
            world.sim.apply(operation).await.expect("the operation succeeds");
        }
        // The reads of the test kinds lag.
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    panic!("the account is not converged after {ROUNDS} plans");
}

/// Returns the CPU time of this thread, in user and system mode.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}
