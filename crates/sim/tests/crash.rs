//! A process dies at every mutating call, before and after its effect; the next one converges, with one of each.
//!
//! Reads lag by chance, up to what the schemas admit, so that what the dead process made is seen late, and what was
//! seen may be gone again at the next look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::observed::Phase;
use holdfast_core::plan::{Grant, Policy};
use holdfast_sim::fault::{Call, Fault, Rule, Side, When};
use holdfast_sim::{Sim, World};

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

/// A group is replaced, new first; the service, old first; a revision is registered; a role and a gateway go.
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

fn policy() -> Policy {
    Policy { replace: Grant::All, ..Policy::default() }
}

/// One live resource behind each address, nothing else that is ours; of a task definition the last two revisions.
fn check_one_of_each(world: &World, case: &str) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for thing in world.sim.things().iter().filter(|thing| thing.phase != Phase::Deleting) {
        let address = match (thing.kind, thing.owner()) {
            (_, Some(owner)) => owner.address,
            ("ScalingPolicy", None) => "ScalingPolicy/cpu".to_owned(),
            (kind, None) => panic!("{case}: a {kind} without an owner"),
        };
        *seen.entry(address).or_default() += 1;
    }
    let document = world.document.as_ref().expect("a document");
    let wanted: BTreeSet<String> = document.resources.keys().map(ToString::to_string).collect();
    assert_eq!(seen.keys().cloned().collect::<BTreeSet<_>>(), wanted, "{case}");
    for (address, count) in seen {
        let most = if address.starts_with("TaskDefinition") { 2 } else { 1 };
        assert!(count <= most, "{case}: {count} of {address}\n{}", world.sim.log().join("\n"));
    }
}

/// Passes until one ends converged; a few may be needed where what the dead process made was seen late.
async fn converge(world: &World, case: &str) {
    for _ in 0..4 {
        let report = world.reconcile(policy()).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        // What a lost store leaves to be seen late is seen after this.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let plan = world.plan(policy()).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        if report.converged && plan.is_converged() {
            check_one_of_each(world, case);
            return;
        }
    }
    let plan = world.plan(policy()).await.expect("a plan");
    panic!("{case}: does not converge: {:?} {:?}\n{}", plan.steps, plan.holds, world.sim.log().join("\n"));
}

/// Lets the process die at the `n`-th mutating call of bringing the account to `document`. False when there is no
/// such call.
async fn crash(world: &mut World, document: &str, n: u64, side: Side, lose_store: bool) -> bool {
    world.declare(document).expect("a document");
    world.sim.die_at(n, side);
    let died = tokio::select! {
        report = world.reconcile(policy()) => {
            report.expect("a report");
            false
        }
        () = world.sim.death() => true,
    };
    world.sim.revive();
    world.restart(lose_store);
    died
}

fn play(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime starts").block_on(test);
}

/// The account that a case begins with: empty, or brought to the first document.
async fn account(second: bool) -> Sim {
    let mut world = World::new(Sim::of_lagging_kinds());
    if second {
        world.declare(FIRST).expect("a document");
        converge(&world, "before").await;
    }
    world.sim
}

async fn at_every_call(second: bool, lose_store: bool) {
    let account = account(second).await;
    for side in [Side::Before, Side::After] {
        for n in 1.. {
            let case = format!("dies {side:?} call {n}, store lost: {lose_store}, second: {second}");
            let mut world = World::new(account.fork());
            world.sim.flicker(n);
            let died = crash(&mut world, if second { SECOND } else { FIRST }, n, side, lose_store).await;
            converge(&world, &case).await;
            if !second && !lose_store {
                // A second create with the same token is the first one once more.
                let made = world.sim.log().into_iter().filter(|call| call.starts_with("Create"));
                let made = made.collect::<BTreeSet<_>>().len();
                let wanted = world.document.as_ref().map_or(0, |document| document.resources.len());
                assert_eq!(made, wanted, "{case}: with the store each is made once\n{}", world.sim.log().join("\n"));
            }
            if !died {
                assert!(n > 10, "{case}: there are few calls");
                break;
            }
        }
    }
}

#[test]
fn from_nothing_with_the_store() {
    play(at_every_call(false, false));
}

#[test]
fn from_nothing_without_the_store() {
    play(at_every_call(false, true));
}

#[test]
fn from_one_document_to_the_next_with_the_store() {
    play(at_every_call(true, false));
}

#[test]
fn from_one_document_to_the_next_without_the_store() {
    play(at_every_call(true, true));
}

/// Twice in a row, at calls that the seed picks, with every third call throttled.
#[test]
fn twice_and_throttled() {
    play(async {
        for seed in 1..12u64 {
            let case = format!("seed {seed}");
            let mut world = World::new(Sim::of_lagging_kinds());
            world.sim.flicker(seed);
            world.sim.fault(Rule {
                kind: None,
                region: None,
                call: Call::Any,
                when: When::Every(3),
                fault: Fault::Throttle,
            });
            let side = if seed % 2 == 0 { Side::Before } else { Side::After };
            crash(&mut world, FIRST, seed * 7 % 11 + 1, side, seed % 3 == 0).await;
            crash(&mut world, FIRST, seed * 5 % 13 + 1, side, seed % 4 == 0).await;
            converge(&world, &case).await;
        }
    });
}
