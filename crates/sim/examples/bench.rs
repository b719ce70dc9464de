//! Measures plans and passes on the cloud in memory: `bench MEASUREMENT RESOURCES`. `cargo xtask bench` prints the table.
//!
//! The output is one line with tabs: the CPU time in seconds, the work, and the peak memory of the process in KiB. Each
//! measurement is a process of its own, so that the peak memory belongs to it.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use holdfast_core::plan::{PlanPolicy, PreparedDocument, plan_prepared};
use holdfast_sim::cost::{converge, cpu_time, destroy_policy, mixed, observation};
use holdfast_sim::{Sim, World, kinds};

/// The number of repetitions of a plan. The shortest one counts.
const REPETITIONS: usize = 5;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [measurement, resources] = &arguments[..] else { return usage() };
    let Ok(resources) = resources.parse() else { return usage() };
    let mut world = World::new(Sim::of_test_kinds());
    world.declare(&mixed(resources)).expect("the document is valid");
    if matches!(measurement.as_str(), "plan-unchanged" | "plan-destroy" | "destroy") {
        converge(&world).await;
    }
    let (cpu, work) = match measurement.as_str() {
        "prepare" => prepare(&world),
        "plan-create" | "plan-unchanged" => plans(&world, PlanPolicy::default()).await,
        "plan-destroy" => plans(&world, destroy_policy()).await,
        "converge" => pass(&world, PlanPolicy::default()).await,
        "destroy" => pass(&world, destroy_policy()).await,
        _ => return usage(),
    };
    println!("{:.6}\t{work}\t{}", cpu.as_secs_f64(), peak_memory().unwrap_or_default());
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: bench prepare|plan-create|plan-unchanged|plan-destroy|converge|destroy RESOURCES");
    ExitCode::FAILURE
}

/// Returns the CPU time to prepare a document, which a pass does once.
fn prepare(world: &World) -> (Duration, String) {
    let document = world.document.as_ref().expect("a document");
    let began = cpu_time();
    let prepared = PreparedDocument::new(document);
    (cpu_time() - began, format!("{} resources", prepared.document.resources.len()))
}

/// Returns the CPU time of the shortest of several plans, and the number of steps.
async fn plans(world: &World, policy: PlanPolicy) -> (Duration, String) {
    let document = world.document.as_ref().expect("a document");
    let observation = observation(world, document).await;
    let prepared = PreparedDocument::new(document);
    let plan = || {
        let began = cpu_time();
        let plan = plan_prepared(&prepared, &observation, &policy, kinds::REGISTRY.0);
        (cpu_time() - began, plan.steps.len())
    };
    let (shortest, steps) = (0..REPETITIONS).map(|_| plan()).min().unwrap_or_default();
    (shortest, format!("{steps} steps"))
}

/// Returns the CPU time, the plans and the calls of a pass that converges.
async fn pass(world: &World, policy: PlanPolicy) -> (Duration, String) {
    let began = cpu_time();
    let report = world.reconcile(policy).await.expect("a pass");
    let cpu = cpu_time() - began;
    assert!(report.converged, "{:?}", report.plan.holds);
    (cpu, format!("{} plans, {} calls", report.plans, report.calls))
}

/// Returns the peak resident memory of this process in KiB; none where `/proc` does not exist.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}
