//! Properties of every plan, for random documents, accounts and grants.
//!
//! An account is converged to one random document, changed out of band at random, and planned for another document.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::inventory::proof::Records;
use holdfast_core::observed::{Observation, Observed};
use holdfast_core::operation::Mutation;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Grant, Plan, PlanPolicy, Step, plan};
use holdfast_core::schema::Ownership;
use holdfast_core::value::Value;
use holdfast_engine::pass;
use holdfast_sim::{ActualResource, Sim, World, kinds};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[path = "properties/copies.rs"]
mod copies;

/// A sequence of random choices. After the end of the sequence, every choice is the first option.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    /// Returns a number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % n)
    }

    /// Returns a subset of the numbers below `n`.
    fn subset(&mut self, n: usize) -> Vec<usize> {
        (0..n).filter(|_| self.below(2) == 1).collect()
    }
}

/// Returns a random document: networks, groups that refer to each other, roles, a service with its scaling, and a
/// table.
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
        let named = c.subset(groups).into_iter().map(|other| format!("{{ port: {other}, group: g{other} }}"));
        let open = (0..c.below(2)).map(|n| format!("{{ port: 9{n}, cidr: 10.0.0.0/8 }}"));
        let rules: Vec<String> = named.chain(open).collect();
        let (vpc, description) = (c.below(vpcs), c.below(2));
        let rules = rules.join(", ");
        let _ =
            writeln!(out, "  SecurityGroup/g{g}: {{ vpc: v{vpc}, description: d{description}, ingress: [{rules}] }}");
    }
    for s in c.subset(3) {
        let _ = writeln!(out, "  Subnet/s{s}: {{ vpc: v{}, cidrBlock: 10.0.{s}.0/24 }}", c.below(vpcs));
        if c.below(3) == 1 {
            let _ = writeln!(out, "  Gateway/s{s}: {{ subnet: s{s} }}");
        }
    }
    for r in c.subset(2) {
        let _ = writeln!(out, "  Role/r{r}: {{ path: /p{}/, tags: {{ team: t{} }} }}", c.below(2), c.below(2));
    }
    if c.below(4) > 0 {
        let _ = writeln!(out, "  Role/task: {{}}");
        let _ = writeln!(out, "  TaskDefinition/web: {{ image: \"web:{}\", role: task }}", c.below(3));
        let used: Vec<String> = c.subset(groups).into_iter().map(|g| format!("g{g}")).collect();
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
            for p in c.subset(2) {
                let _ = writeln!(out, "  ScalingPolicy/p{p}: {{ target: web, targetValue: {} }}", 50 + c.below(3));
            }
        }
    }
    if c.below(2) == 1 {
        let _ = writeln!(out, "  Table/t: {{ key: k{}, groups: [g{}] }}", c.below(2), c.below(groups));
    }
    out
}

/// The names that foreign resources get.
const NAMES: [(&str, &str); 3] = [("Vpc", "shop-test-v0"), ("Role", "shop-test-r0"), ("Role", "shop-test-r1")];

/// Changes, deletes and creates resources out of band.
fn change_out_of_band(sim: &Sim, choices: &[u8]) {
    let mut c = Choices(choices.iter());
    let taken = c.subset(NAMES.len());
    for resource in sim.resources() {
        match (c.below(9), resource.kind) {
            (0, _) => drop(sim.remove(&resource.id)),
            (1, "SecurityGroup") => drop(sim.set(&resource.id, "ingress", Value::List(vec![]))),
            (2, "Service") => drop(sim.set(&resource.id, "desiredCount", Value::Integer(7))),
            (2, "ScalingPolicy") => drop(sim.set(&resource.id, "targetValue", Value::Integer(1))),
            (3, "Role" | "Vpc") => drop(sim.set_tag(&resource.id, "team", Some("other"))),
            (4, "Role" | "Vpc" | "Subnet") => drop(sim.set_tag(&resource.id, "holdfast:stack", Some("other"))),
            (5, "Role" | "Vpc" | "Subnet") => drop(sim.set_tag(&resource.id, "holdfast:address", None)),
            (6, _) => drop(sim.fail(&resource.id)),
            (7 | 8, _) => copies::copy_out_of_band(sim, &resource, &mut c),
            _ => {}
        }
    }
    for (kind, name) in taken.into_iter().map(|n| NAMES[n]) {
        if !sim.resources().iter().any(|resource| resource.kind == kind && resource.name == name) {
            let schema = kinds::REGISTRY.get(kind).expect("a kind");
            sim.create_unowned(schema, "us-east-1", name, Value::Map(BTreeMap::new()), BTreeMap::new());
        }
    }
}

fn policy(choices: u8) -> PlanPolicy {
    let bit = |n: u8| choices >> n & 1 == 1;
    PlanPolicy {
        prune: bit(0),
        delete_data: bit(1),
        replace: if bit(2) { Grant::All } else { Grant::None },
        destroy: choices >> 3 & 7 == 7,
        ..PlanPolicy::default()
    }
}

/// A document with an observation of an account.
struct PlanCase {
    world: World,
    /// The ids of the resources that the stack made.
    made: BTreeSet<String>,
    records: Records,
    document: Document,
    observation: Observation,
}

async fn plan_case(first: &[u8], second: &[u8], out_of_band: &[u8]) -> PlanCase {
    let mut world = World::new(Sim::of_test_kinds());
    world.declare(&spec(first)).expect("a document");
    let report = world.reconcile(PlanPolicy::default()).await.expect("a report");
    assert!(report.converged, "{:?}", report.plan.holds);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let made = world.sim.resources().into_iter().map(|resource| resource.id).collect();
    change_out_of_band(&world.sim, out_of_band);
    world.declare(&spec(second)).expect("a document");
    let document = world.document.clone().expect("a document");
    let options = world.options(PlanPolicy::default(), true, Duration::ZERO);
    let dry_run = pass::dry_run(&world.engine, &document, &options).await.expect("a dry run");
    PlanCase { world, made, records: dry_run.records, document, observation: dry_run.observation }
}

fn planned(case: &PlanCase, policy: &PlanPolicy) -> Plan {
    plan(&case.document, &case.observation, policy, kinds::REGISTRY.0)
}

/// Returns the live resource that a step changes.
fn changed_resource(step: &Step) -> Option<&Observed> {
    match &step.operation.as_ref()?.mutation {
        Mutation::Create(_) => None,
        Mutation::Update { live, .. } | Mutation::Delete { live } | Mutation::Tag { live, .. } => Some(live),
    }
}

/// True when the stack owns a live resource by its own tags or those of its parent.
fn is_owned(case: &PlanCase, step: &Step, live: &Observed) -> bool {
    let has_owner = |o: &Observed| o.owner().is_some_and(|owner| owner.stack == "shop" && owner.env == "test");
    let kind = step.operation.as_ref().map_or("", |operation| operation.kind);
    match kinds::REGISTRY.get(kind).expect("a kind").ownership {
        Ownership::TagOnCreate | Ownership::CallerReference | Ownership::EmbeddedMarker { .. } => has_owner(live),
        Ownership::ViaParent { field, .. } => {
            let parent = live.spec.get(field).and_then(Value::text).unwrap_or_default();
            case.observation.found.values().flatten().any(|o| o.id == parent && has_owner(o))
        }
    }
}

fn check(case: &PlanCase, policy: &PlanPolicy) -> Result<(), TestCaseError> {
    let plan = planned(case, policy);
    let again = planned(case, policy);
    prop_assert_eq!(format!("{plan:?}"), format!("{again:?}"), "planning is deterministic");
    for step in &plan.steps {
        if let Some(live) = changed_resource(step) {
            prop_assert!(is_owned(case, step, live), "a step changes a resource that is not owned: {:?}", step);
        }
        if let Some(Mutation::Create(desired) | Mutation::Update { desired, .. }) =
            step.operation.as_ref().map(|operation| &operation.mutation)
        {
            prop_assert!(desired.spec.unknown().is_none(), "the operation has an unknown value: {:?}", step);
        }
        let is_held = plan.holds.iter().any(|hold| hold.address == step.address && hold.reason.is_transient());
        prop_assert!(!is_held || step.action == Action::Delete, "a step for a held resource: {:?}", step);
        if step.action == Action::Replace {
            prop_assert!(policy.replace.allows(&step.address), "a replacement without a grant: {:?}", step);
        }
        if step.action == Action::Delete && !policy.prune && !policy.destroy {
            prop_assert!(case.document.resources.contains_key(&step.address), "pruned without a grant: {:?}", step);
        }
    }
    prop_assert!(is_acyclic(&plan.steps), "steps wait for each other: {:?}", plan.steps);
    Ok(())
}

/// True when the steps do not wait for each other in a cycle.
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

fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime starts").block_on(test)
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..48)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn plans_change_only_owned_resources_and_need_grants(
        first in choices(), second in choices(), out_of_band in choices(), grants in any::<u8>(),
    ) {
        let case = block_on(plan_case(&first, &second, &out_of_band));
        check(&case, &policy(grants))?;
    }

    #[test]
    fn unobserved_resources_are_not_changed(
        first in choices(), second in choices(), out_of_band in choices(), grants in any::<u8>(),
        hidden in any::<u16>(),
    ) {
        let mut case = block_on(plan_case(&first, &second, &out_of_band));
        let kind_regions: Vec<_> = case.observation.found.keys().cloned().collect();
        for (n, kind_region) in kind_regions.into_iter().enumerate().filter(|(n, _)| hidden >> n & 1 == 1) {
            prop_assert!(n < 16);
            case.observation.found.remove(&kind_region);
            case.observation.unknown.insert(kind_region, "throttled".into());
        }
        let policy = policy(grants);
        check(&case, &policy)?;
        let hidden: BTreeSet<&str> = case.observation.unknown.keys().map(|kind_region| kind_region.kind).collect();
        for step in planned(&case, &policy).steps {
            prop_assert!(!hidden.contains(&*step.address.kind), "a step for an unobserved kind: {:?}", step);
            if let (Some(resource), false) = (case.document.resources.get(&step.address), policy.destroy) {
                let refers = resource.references().keys().any(|to| hidden.contains(&*to.kind));
                let creates = matches!(step.action, Action::Create | Action::Replace);
                prop_assert!(!refers || !creates, "created although a dependency is unobserved: {:?}", step);
            }
        }
    }
}

/// A pass with all grants converges the account, unless a foreign resource has a name that the document needs.
/// Then the pass does the rest, and converges once the name is free. In both cases nothing more is to be done afterwards.
#[test]
fn a_pass_with_all_grants_does_all_that_it_can() {
    let (names_free, names_taken) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(config());
    let result = runner.run(&(choices(), choices(), choices()), |(first, second, out_of_band)| {
        block_on(async {
            let mut world = drifted_world(&first, &second, &out_of_band).await;
            let unowned = unowned(&world);
            let report = world.reconcile(all_grants()).await.expect("a report");
            let taken = taken_names(&report.plan);
            check_nothing_to_do(&mut world, taken.is_empty()).await?;
            for resource in &unowned {
                let is_unchanged = world.sim.resources().contains(resource);
                prop_assert!(is_unchanged, "an unowned resource was changed: {:?}", resource);
            }
            if taken.is_empty() {
                names_free.set(names_free.get() + 1);
                return Ok(());
            }
            names_taken.set(names_taken.get() + 1);
            for resource in &unowned {
                prop_assert!(world.sim.remove(&resource.id), "it exists: {:?}", resource);
            }
            world.reconcile(all_grants()).await.expect("a report");
            check_nothing_to_do(&mut world, true).await
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (free, taken) = (names_free.get(), names_taken.get());
    println!("{free} cases with free names, {taken} cases with taken names");
    assert!(free > 0 && taken > 0, "one of the two cases was never checked: {free} and {taken}");
}

fn all_grants() -> PlanPolicy {
    PlanPolicy { prune: true, delete_data: true, replace: Grant::All, ..PlanPolicy::default() }
}

/// Returns a world that is to become the second document. Failed resources and changed owners need a person, so the
/// out-of-band changes are limited to the others.
async fn drifted_world(first: &[u8], second: &[u8], out_of_band: &[u8]) -> World {
    let out_of_band: Vec<u8> = out_of_band.iter().map(|byte| byte % 8 % 4).collect();
    plan_case(first, second, &out_of_band).await.world
}

/// Returns the resources that the stack does not own. A scaling policy is owned through its parent.
fn unowned(world: &World) -> Vec<ActualResource> {
    let is_unowned = |r: &ActualResource| r.owner().is_none() && r.kind != "ScalingPolicy";
    world.sim.resources().into_iter().filter(is_unowned).collect()
}

/// Returns the addresses whose name a foreign resource has.
fn taken_names(plan: &Plan) -> Vec<&Address> {
    let taken = plan.holds.iter().filter(|hold| hold.reason == Reason::AlreadyExists);
    taken.map(|hold| &hold.address).collect()
}

/// Checks that a pass has no step left, with the store and without it.
async fn check_nothing_to_do(world: &mut World, is_converged: bool) -> Result<(), TestCaseError> {
    tokio::time::sleep(Duration::from_secs(120)).await;
    let before = world.sim.mutations();
    for without_store in [false, true] {
        if without_store {
            world.restart(true);
        }
        let plan = world.plan(all_grants()).await.expect("a plan");
        let state = format!("without the store: {without_store}: {:?} {:?}", plan.steps, plan.holds);
        prop_assert!(plan.steps.is_empty(), "steps are left, {}", state);
        prop_assert_eq!(plan.is_converged(), is_converged, "{}", state);
        prop_assert_eq!(taken_names(&plan).is_empty(), is_converged, "{}", state);
    }
    world.reconcile(all_grants()).await.expect("a report");
    prop_assert_eq!(world.sim.mutations(), before, "a pass over an account without differences changes it");
    Ok(())
}
