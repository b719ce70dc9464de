//! Crashes: a process crashes at each mutating call, before and after its effect. The next process converges, without
//! duplicates.
//!
//! Each read has a random lag, up to the consistency window of the schemas: a resource of the crashed process appears
//! late, and a resource that one observation shows may be absent from the next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::observed::Phase;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Grant, Plan, PlanPolicy};
use holdfast_sim::fault::{Call, CrashSide, Fault, FaultRule, When};
use holdfast_sim::{ActualResource, Sim, World};

const FIRST: &str = r#"
policy: { prune: true }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16, enableDnsHostnames: true }
  Subnet/a: { vpc: main, cidrBlock: 10.0.1.0/24 }
  Gateway/out: { subnet: a }
  SecurityGroup/web: { vpc: main, description: old, ingress: [{ port: 80, cidr: 0.0.0.0/0 }, { port: 1, group: db }] }
  SecurityGroup/db: { vpc: main, ingress: [{ port: 5432, group: web }] }
  Role/task: { policy: { Version: "2012-10-17", Statement: [] } }
  TaskDefinition/web: { image: "web:1", role: task }
  Service/web: { taskDefinition: web, groups: [web], launchType: EC2 }
  ScalableTarget/web: { service: web, minCapacity: 1, maxCapacity: 4 }
  ScalingPolicy/cpu: { target: web, targetValue: 70 }
  Table/orders: { key: id, groups: [db] }
"#;

/// A group is replaced create before destroy, and the service destroy before create; a revision is registered; a role
/// and a gateway are deleted.
const SECOND: &str = r#"
policy: { prune: true }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16, enableDnsHostnames: false }
  Subnet/a: { vpc: main, cidrBlock: 10.0.1.0/24 }
  SecurityGroup/web: { vpc: main, description: new, ingress: [{ port: 80, cidr: 0.0.0.0/0 }, { port: 1, group: db }] }
  SecurityGroup/db: { vpc: main, ingress: [{ port: 5432, group: web }] }
  Role/worker: {}
  TaskDefinition/web: { image: "web:2", role: worker }
  Service/web: { taskDefinition: web, groups: [web], launchType: FARGATE }
  ScalableTarget/web: { service: web, minCapacity: 1, maxCapacity: 4 }
  ScalingPolicy/cpu: { target: web, targetValue: 60 }
  Table/orders: { key: id, groups: [db] }
"#;

fn policy() -> PlanPolicy {
    PlanPolicy { replace: Grant::All, ..PlanPolicy::default() }
}

/// Checks that each address has one live resource, or the last two revisions of a task definition, and that the stack
/// owns nothing else.
fn check_one_of_each(world: &World, case: &str) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for resource in world.sim.resources().iter().filter(|resource| resource.phase != Phase::Deleting) {
        let address = match (resource.kind, resource.owner()) {
            (_, Some(owner)) => owner.address,
            ("ScalingPolicy", None) => "ScalingPolicy/cpu".to_owned(),
            (kind, None) => panic!("{case}: a {kind} without an owner"),
        };
        *counts.entry(address).or_default() += 1;
    }
    let document = world.document.as_ref().expect("a document");
    let desired: BTreeSet<String> = document.resources.keys().map(ToString::to_string).collect();
    assert_eq!(counts.keys().cloned().collect::<BTreeSet<_>>(), desired, "{case}");
    for (address, count) in counts {
        let max = if address.starts_with("TaskDefinition") { 2 } else { 1 };
        assert!(count <= max, "{case}: {count} of {address}\n{}", world.sim.log().join("\n"));
    }
}

/// Runs passes until one ends converged. More than one can be needed when resources of the crashed process appear late.
/// With the store lost, nothing proves which of two duplicates is ours: a person decides.
async fn converge(world: &World, case: &str, store_lost: bool) {
    for _ in 0..4 {
        let report = world.reconcile(policy()).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        // If the store is lost, resources of the crashed process can appear until this time has passed.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let plan = world.plan(policy()).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        if store_lost && !plan.copies.is_empty() {
            // The crashed process created these, and the lost store would have proven it. A condition names each.
            for (_, copy) in &plan.copies {
                let is_named = plan.conditions.iter().any(|(_, condition)| condition.message.contains(&copy.id));
                assert!(is_named && world.sim.remove(&copy.id), "{case}: {copy:?}");
            }
            continue;
        }
        if report.converged && plan.is_converged() {
            check_one_of_each(world, case);
            return;
        }
        if store_lost {
            delete_duplicates(world, &plan, case);
        }
    }
    let plan = world.plan(policy()).await.expect("a plan");
    panic!("{case}: does not converge: {:?} {:?}\n{}", plan.steps, plan.holds, world.sim.log().join("\n"));
}

/// Deletes the unused one of two duplicates as a person does, as their hold says. Holdfast must not have changed either.
fn delete_duplicates(world: &World, plan: &Plan, case: &str) {
    for hold in plan.holds.iter().filter(|hold| hold.reason == Reason::OwnershipAmbiguous) {
        let resources = world.sim.resources();
        let is_of = |r: &&ActualResource| r.owner().is_some_and(|owner| owner.address == hold.address.to_string());
        let duplicates: Vec<&ActualResource> = resources.iter().filter(is_of).collect();
        assert!(duplicates.len() > 1, "{case}: {hold:?}");
        assert!(duplicates.iter().all(|duplicate| hold.message.contains(&duplicate.id)), "{case}: {hold:?}");
        let is_used = |id: &str| resources.iter().any(|other| other.spec.to_string().contains(&format!("\"{id}\"")));
        let unused: Vec<_> = duplicates.iter().filter(|duplicate| !is_used(&duplicate.id)).collect();
        let kept = if unused.len() == duplicates.len() { 1 } else { 0 };
        unused.into_iter().skip(kept).for_each(|duplicate| assert!(world.sim.remove(&duplicate.id)));
    }
}

/// Lets the process crash at the `n`-th mutating call while it converges the account to `document`. Returns false when
/// it makes fewer calls.
async fn crash(world: &mut World, document: &str, n: u64, side: CrashSide, lose_store: bool) -> bool {
    world.declare(document).expect("a document");
    world.sim.crash_at(n, side);
    let crashed = tokio::select! {
        report = world.reconcile(policy()) => {
            report.expect("a report");
            false
        }
        () = world.sim.crashed() => true,
    };
    world.sim.recover();
    world.restart(lose_store);
    crashed
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime starts").block_on(test);
}

/// Returns the account at the start of a case: empty, or converged to the first document.
async fn account(second: bool) -> Sim {
    let mut world = World::new(Sim::of_lagging_kinds());
    if second {
        world.declare(FIRST).expect("a document");
        converge(&world, "before", false).await;
    }
    world.sim
}

async fn at_every_call(second: bool, lose_store: bool) {
    let account = account(second).await;
    for side in [CrashSide::Before, CrashSide::After] {
        for n in 1.. {
            let case = format!("crashes {side:?} call {n}, store lost: {lose_store}, second: {second}");
            let mut world = World::new(account.fork());
            world.sim.randomize_lag(n);
            let crashed = crash(&mut world, if second { SECOND } else { FIRST }, n, side, lose_store).await;
            converge(&world, &case, lose_store).await;
            if !second && !lose_store {
                // A repeated create with the same client token is logged twice, with the same id.
                let creates = world.sim.log().into_iter().filter(|call| call.starts_with("Create"));
                let created = creates.collect::<BTreeSet<_>>().len();
                let desired = world.document.as_ref().map_or(0, |document| document.resources.len());
                assert_eq!(
                    created,
                    desired,
                    "{case}: with the store each resource is created once\n{}",
                    world.sim.log().join("\n")
                );
            }
            if !crashed {
                assert!(n > 10, "{case}: the test makes too few calls");
                break;
            }
        }
    }
}

#[test]
fn a_crash_while_creating_everything_with_the_store() {
    block_on(at_every_call(false, false));
}

#[test]
fn a_crash_while_creating_everything_without_the_store() {
    block_on(at_every_call(false, true));
}

#[test]
fn a_crash_while_applying_an_edit_with_the_store() {
    block_on(at_every_call(true, false));
}

#[test]
fn a_crash_while_applying_an_edit_without_the_store() {
    block_on(at_every_call(true, true));
}

/// The seed chooses the calls.
#[test]
fn two_crashes_in_a_row_while_every_third_call_is_throttled() {
    block_on(async {
        for seed in 1..12u64 {
            let case = format!("seed {seed}");
            let mut world = World::new(Sim::of_lagging_kinds());
            world.sim.randomize_lag(seed);
            world.sim.inject(FaultRule {
                kind: None,
                region: None,
                call: Call::Any,
                when: When::Every(3),
                fault: Fault::Throttle,
            });
            let side = if seed % 2 == 0 { CrashSide::Before } else { CrashSide::After };
            crash(&mut world, FIRST, seed * 7 % 11 + 1, side, seed % 3 == 0).await;
            crash(&mut world, FIRST, seed * 5 % 13 + 1, side, seed % 4 == 0).await;
            converge(&world, &case, seed % 3 == 0 || seed % 4 == 0).await;
        }
    });
}
