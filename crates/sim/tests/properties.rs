//! What is true of every plan, whatever the document, the account and the grants.
//!
//! An account is brought to one random document, changed from outside at random, and planned for another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::{Observation, Observed};
use holdfast_core::op::Op;
use holdfast_core::plan::{Action, Grant, Plan, Policy, Step, plan};
use holdfast_core::schema::Claim;
use holdfast_core::value::Value;
use holdfast_sim::{Sim, World, kinds};
use proptest::prelude::*;

/// Choices, one after the other; when they run out, the first of everything.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % n)
    }

    fn some(&mut self, n: usize) -> Vec<usize> {
        (0..n).filter(|_| self.below(2) == 1).collect()
    }
}

/// A random document: a network, groups that name each other, roles, a service with what belongs to it, a table.
fn spec(choices: &[u8]) -> String {
    let mut c = Choices(choices.iter());
    let mut out = String::from("policy: { maxDeletions: 100 }\nresources:\n");
    let vpcs = 1 + c.below(2);
    for v in 0..vpcs {
        let (block, names) = (2 * v + c.below(2), c.below(2) == 1);
        let _ = writeln!(out, "  Vpc/v{v}: {{ cidrBlock: 10.{block}.0.0/16, enableDnsHostnames: {names} }}");
    }
    let groups = 1 + c.below(3);
    for g in 0..groups {
        let named = c.some(groups).into_iter().map(|other| format!("{{ port: {other}, group: g{other} }}"));
        let open = (0..c.below(2)).map(|n| format!("{{ port: 9{n}, cidr: 10.0.0.0/8 }}"));
        let rules: Vec<String> = named.chain(open).collect();
        let (vpc, description) = (c.below(vpcs), c.below(2));
        let rules = rules.join(", ");
        let _ =
            writeln!(out, "  SecurityGroup/g{g}: {{ vpc: v{vpc}, description: d{description}, ingress: [{rules}] }}");
    }
    for s in c.some(3) {
        let _ = writeln!(out, "  Subnet/s{s}: {{ vpc: v{}, cidrBlock: 10.0.{s}.0/24 }}", c.below(vpcs));
        if c.below(3) == 1 {
            let _ = writeln!(out, "  Gateway/s{s}: {{ subnet: s{s} }}");
        }
    }
    for r in c.some(2) {
        let _ = writeln!(out, "  Role/r{r}: {{ path: /p{}/, tags: {{ team: t{} }} }}", c.below(2), c.below(2));
    }
    if c.below(4) > 0 {
        let _ = writeln!(out, "  Role/task: {{}}");
        let _ = writeln!(out, "  TaskDefinition/web: {{ image: \"web:{}\", role: task }}", c.below(3));
        let used: Vec<String> = c.some(groups).into_iter().map(|g| format!("g{g}")).collect();
        let launch = ["EC2", "FARGATE"][c.below(2)];
        let (used, count) = (used.join(", "), c.below(5));
        let _ = writeln!(
            out,
            "  Service/web: {{ taskDefinition: web, groups: [{used}], launchType: {launch}, desiredCount: {count} }}"
        );
        if c.below(2) == 1 {
            let _ = writeln!(
                out,
                "  ScalableTarget/web: {{ service: web, minCapacity: 1, maxCapacity: {} }}",
                2 + c.below(3)
            );
            for p in c.some(2) {
                let _ = writeln!(out, "  ScalingPolicy/p{p}: {{ target: web, targetValue: {} }}", 50 + c.below(3));
            }
        }
    }
    if c.below(2) == 1 {
        let _ = writeln!(out, "  Table/t: {{ key: k{}, groups: [g{}] }}", c.below(2), c.below(groups));
    }
    out
}

/// Somebody changes, deletes and plants things.
fn disturb(sim: &Sim, choices: &[u8]) {
    let mut c = Choices(choices.iter());
    for thing in sim.things() {
        match (c.below(8), thing.kind) {
            (0, _) => drop(sim.remove(&thing.id)),
            (1, "SecurityGroup") => drop(sim.set(&thing.id, "ingress", Value::List(vec![]))),
            (2, "Service") => drop(sim.set(&thing.id, "desiredCount", Value::Integer(7))),
            (2, "ScalingPolicy") => drop(sim.set(&thing.id, "targetValue", Value::Integer(1))),
            (3, "Role" | "Vpc") => drop(sim.set_tag(&thing.id, "team", Some("other"))),
            (4, "Role" | "Vpc" | "Subnet") => drop(sim.set_tag(&thing.id, "holdfast:stack", Some("theirs"))),
            (5, "Role" | "Vpc" | "Subnet") => drop(sim.set_tag(&thing.id, "holdfast:address", None)),
            (6, _) => drop(sim.fail(&thing.id)),
            _ => {}
        }
    }
    for (kind, name) in [("Vpc", "shop-test-v0"), ("Role", "shop-test-r0"), ("Role", "shop-test-r1")] {
        if c.below(3) == 1 && !sim.things().iter().any(|thing| thing.kind == kind && thing.name == name) {
            let schema = kinds::REGISTRY.get(kind).expect("a kind");
            sim.plant(schema, "us-east-1", name, Value::Map(BTreeMap::new()), BTreeMap::new());
        }
    }
}

fn policy(choices: u8) -> Policy {
    let bit = |n: u8| choices >> n & 1 == 1;
    Policy {
        prune: bit(0),
        delete_data: bit(1),
        replace: if bit(2) { Grant::All } else { Grant::None },
        destroy: choices >> 3 & 7 == 7,
        ..Policy::default()
    }
}

/// A moment of an account: what a document says, and what was seen.
struct Moment {
    world: World,
    document: Document,
    observation: Observation,
}

async fn moment(first: &[u8], second: &[u8], outside: &[u8]) -> Moment {
    let mut world = World::new(Sim::of_test_kinds());
    world.declare(&spec(first)).expect("a document");
    let report = world.reconcile(Policy::default()).await.expect("a report");
    assert!(report.converged, "{:?}", report.plan.holds);
    tokio::time::sleep(Duration::from_secs(60)).await;
    disturb(&world.sim, outside);
    world.declare(&spec(second)).expect("a document");
    let document = world.document.clone().expect("a document");
    let options = world.options(Policy::default(), true, Duration::ZERO);
    let observation = world.engine.look(&document, &options).await.expect("a look").observation;
    Moment { world, document, observation }
}

fn planned(moment: &Moment, policy: &Policy) -> Plan {
    plan(&moment.document, &moment.observation, policy, kinds::REGISTRY.0)
}

/// The live resource that a step would touch.
fn touched(step: &Step) -> Option<&Observed> {
    match &step.deed.as_ref()?.op {
        Op::Create(_) => None,
        Op::Update { live, .. } | Op::Delete { live } | Op::Tag { live, .. } => Some(live),
    }
}

/// True when it is ours by its own tags, or lives under something that is.
fn is_ours(moment: &Moment, step: &Step, live: &Observed) -> bool {
    let ours = |o: &Observed| o.owner().is_some_and(|owner| owner.stack == "shop" && owner.env == "test");
    let kind = step.deed.as_ref().map_or("", |deed| deed.kind);
    match kinds::REGISTRY.get(kind).expect("a kind").claim {
        Claim::AtCreate | Claim::Intent | Claim::Mark { .. } => ours(live),
        Claim::Parent { field, .. } => {
            let parent = live.spec.get(field).and_then(Value::text).unwrap_or_default();
            moment.observation.found.values().flatten().any(|o| o.id == parent && ours(o))
        }
    }
}

fn check(moment: &Moment, policy: &Policy) -> Result<(), TestCaseError> {
    let one = planned(moment, policy);
    let other = planned(moment, policy);
    prop_assert_eq!(format!("{one:?}"), format!("{other:?}"), "planning is deterministic");
    for step in &one.steps {
        if let Some(live) = touched(step) {
            prop_assert!(is_ours(moment, step, live), "a step touches what is not ours: {:?}", step);
        }
        if let Some(Op::Create(wanted) | Op::Update { wanted, .. }) = step.deed.as_ref().map(|deed| &deed.op) {
            prop_assert!(wanted.spec.unknown().is_none(), "something is left open: {:?}", step);
        }
        let held = one.holds.iter().any(|hold| hold.address == step.address && hold.reason.passes());
        prop_assert!(!held || step.action == Action::Delete, "a step for what is held: {:?}", step);
        if step.action == Action::Replace {
            prop_assert!(policy.replace.allows(&step.address), "a replacement without a grant: {:?}", step);
        }
        if step.action == Action::Delete && !policy.prune && !policy.destroy {
            prop_assert!(moment.document.resources.contains_key(&step.address), "pruned without a grant: {:?}", step);
        }
    }
    prop_assert!(is_acyclic(&one.steps), "steps wait for each other: {:?}", one.steps);
    Ok(())
}

/// True when the steps can be done one after the other.
fn is_acyclic(steps: &[Step]) -> bool {
    let mut waiting: Vec<(&Address, &BTreeSet<Address>)> = steps.iter().map(|s| (&s.address, &s.after)).collect();
    loop {
        let open: BTreeSet<&Address> = waiting.iter().map(|(address, _)| *address).collect();
        let before = waiting.len();
        waiting.retain(|(address, after)| after.iter().any(|other| other != *address && open.contains(other)));
        if waiting.len() == before {
            return waiting.is_empty();
        }
    }
}

fn play<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime starts").block_on(test)
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plans_are_sound(first in choices(), second in choices(), outside in choices(), grants in any::<u8>()) {
        let moment = play(moment(&first, &second, &outside));
        check(&moment, &policy(grants))?;
    }

    #[test]
    fn what_cannot_be_seen_is_left_alone(
        first in choices(), second in choices(), outside in choices(), grants in any::<u8>(), hidden in any::<u16>(),
    ) {
        let mut moment = play(moment(&first, &second, &outside));
        let places: Vec<_> = moment.observation.found.keys().cloned().collect();
        for (n, place) in places.into_iter().enumerate().filter(|(n, _)| hidden >> n & 1 == 1) {
            prop_assert!(n < 16);
            moment.observation.found.remove(&place);
            moment.observation.unknown.insert(place, "throttled".into());
        }
        let policy = policy(grants);
        check(&moment, &policy)?;
        let hidden: BTreeSet<&str> = moment.observation.unknown.keys().map(|place| place.kind).collect();
        for step in planned(&moment, &policy).steps {
            prop_assert!(!hidden.contains(&*step.address.kind), "a step for what cannot be seen: {:?}", step);
            if let (Some(resource), false) = (moment.document.resources.get(&step.address), policy.destroy) {
                let refers = resource.references().keys().any(|to| hidden.contains(&*to.kind));
                let creates = matches!(step.action, Action::Create | Action::Replace);
                prop_assert!(!refers || !creates, "made although what it refers to cannot be seen: {:?}", step);
            }
        }
    }

    #[test]
    fn what_was_reached_needs_nothing_more(first in choices(), second in choices(), outside in choices()) {
        let policy = Policy { prune: true, delete_data: true, replace: Grant::All, ..Policy::default() };
        play(async {
            // What failed or is somebody else's takes a person; the rest is mended.
            let outside: Vec<u8> = outside.iter().map(|byte| byte % 8 % 4).collect();
            let moment = moment(&first, &second, &outside).await;
            let mut world = moment.world;
            let foreign: Vec<_> = world.sim.things().into_iter().filter(|t| t.owner().is_none() && t.kind != "ScalingPolicy").collect();
            let report = world.reconcile(policy.clone()).await.expect("a report");
            let taken = report.plan.holds.iter().any(|hold| format!("{:?}", hold.reason) == "NameTaken");
            prop_assert!(taken || report.converged, "{:?}\n{:?}\n{:#?}", report.results, report.plan.holds, report.plan.steps);
            tokio::time::sleep(Duration::from_secs(120)).await;
            let before = world.sim.mutations();
            let plan = world.plan(policy.clone()).await.expect("a plan");
            prop_assert!(taken || plan.is_converged(), "{:?} {:?}", plan.steps, plan.holds);
            world.restart(true);
            let plan = world.plan(policy.clone()).await.expect("a plan");
            prop_assert!(taken || plan.is_converged(), "without the store: {:?} {:?}", plan.steps, plan.holds);
            world.reconcile(policy).await.expect("a report");
            prop_assert!(taken || world.sim.mutations() == before, "a pass over what was reached changes something");
            for thing in foreign {
                prop_assert!(world.sim.things().contains(&thing), "what is not ours was touched: {:?}", thing);
            }
            Ok(())
        })?;
    }
}
