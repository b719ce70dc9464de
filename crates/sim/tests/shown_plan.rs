//! A plan that is shown is the plan that is made: approvals, and random passes whose steps the first plan explains.

use std::time::Duration;

use holdfast_core::address::Address;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Plan, PlanPolicy};
use holdfast_core::value::Value;
use holdfast_engine::pass::{self, ApprovedPlan, PassError, PassReport};
use holdfast_sim::{Sim, World};

const BEFORE: &str = "resources:\n  Vpc/main: { cidrBlock: 10.0.0.0/16, enableDnsHostnames: false }\n";
const AFTER: &str = "resources:\n  Vpc/main: { cidrBlock: 10.0.0.0/16, enableDnsHostnames: true }\n";

/// Runs a pass with an approval.
async fn reconcile(world: &World, approved: ApprovedPlan) -> Result<PassReport, PassError> {
    let mut options = world.options(PlanPolicy::default(), true, Duration::from_secs(3600));
    options.approved = Some(approved);
    pass::run(&world.engine, world.document.as_ref().expect("a document"), &options).await
}

async fn converged(spec: &str) -> World {
    let mut world = World::new(Sim::of_test_kinds());
    world.declare(spec).expect("a document");
    let plan = world.plan(PlanPolicy::default()).await.expect("a plan");
    let report = reconcile(&world, ApprovedPlan::of(&plan)).await.expect("the plan is the approved one");
    assert!(report.converged && !report.results.is_empty());
    tokio::time::sleep(Duration::from_secs(120)).await;
    world
}

#[tokio::test(start_paused = true)]
async fn an_approved_plan_is_made_while_nothing_changes() {
    let mut world = converged(BEFORE).await;
    world.declare(AFTER).expect("a document");
    let approved = ApprovedPlan::of(&world.plan(PlanPolicy::default()).await.expect("a plan"));
    let report = reconcile(&world, approved.clone()).await.expect("the plan is the approved one");
    assert!(report.converged);
    // The steps of an approved plan are made once.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let error = reconcile(&world, approved).await.expect_err("the plan is outdated");
    assert!(matches!(error, PassError::PlanOutdated("the account")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_approved_plan_is_refused_after_a_change_of_the_account_or_the_document() {
    let mut world = converged(BEFORE).await;
    world.declare(AFTER).expect("a document");
    let approved = ApprovedPlan::of(&world.plan(PlanPolicy::default()).await.expect("a plan"));
    let mutations = world.sim.mutations();

    world.sim.set_tag("Vpc/main", "team", Some("other"));
    let error = reconcile(&world, approved.clone()).await.expect_err("the account changed");
    assert_eq!(
        error.to_string(),
        "the account changed since the plan was made, so the plan is outdated; nothing was changed; make a new plan"
    );
    world.sim.set_tag("Vpc/main", "team", None);
    world.declare(BEFORE).expect("a document");
    let error = reconcile(&world, approved).await.expect_err("the document changed");
    assert!(matches!(error, PassError::PlanOutdated("the document")), "{error}");
    assert_eq!(world.sim.mutations(), mutations, "nothing was changed");
}

/// Returns the steps of a pass that its first plan does not explain.
fn unexplained(plan: &Plan, report: &PassReport) -> Vec<String> {
    let explains = |address: &Address, action: Action| {
        let step = |shown: Action| plan.steps.iter().any(|step| step.address == *address && step.action == shown);
        // A hold of this kind names the resource, and says that its step follows.
        let is_awaited = plan.holds.iter().any(|hold| {
            hold.address == *address && (hold.reason.is_transient() || hold.reason == Reason::DependencyNotReady)
        });
        let follows = match action {
            // The fields that a create or an adoption leaves over are in its own lines.
            Action::Update => step(Action::Create) || step(Action::Adopt) || step(Action::Replace),
            Action::Create | Action::Delete => step(Action::Replace),
            Action::Replace | Action::Adopt | Action::Release => false,
        };
        step(action) || follows || is_awaited
    };
    let results = report.results.iter().filter(|result| !explains(&result.address, result.action));
    results.map(|result| format!("{} {}", result.action.word(), result.address)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_plan_explains_adoptions_cascades_and_deletions() {
    let vpc = "Vpc/main: { cidrBlock: 10.0.0.0/16, enableDnsHostnames: true, lifecycle: { adopt: vpc-1 } }";
    let system = |block: &str, image: &str| {
        format!(
            "policy: {{ prune: true }}\nresources:\n  {vpc}\n  Subnet/a: {{ vpc: main, cidrBlock: {block}, lifecycle: \
             {{ replace: allow }} }}\n  Gateway/g: {{ subnet: a, lifecycle: {{ replace: allow }} }}\n  Role/task: {{}}\n  \
             TaskDefinition/web: {{ image: \"{image}\", role: task }}\n  SecurityGroup/g: {{ vpc: main, description: d }}\n  \
             Service/web: {{ taskDefinition: web, groups: [g], launchType: EC2, desiredCount: 1 }}\n"
        )
    };
    let without_service = "policy: { prune: true }\nresources:\n  Role/task: {}\n".to_owned();
    let mut world = World::new(Sim::of_test_kinds());
    let schema = holdfast_sim::kinds::REGISTRY.get("Vpc").expect("a kind");
    let spec = [("cidrBlock".to_owned(), "10.0.0.0/16".into()), ("enableDnsHostnames".to_owned(), Value::Bool(false))];
    world.sim.create_unowned(schema, "us-east-1", "legacy", Value::Map(spec.into()), Default::default());
    let mut steps = vec![];
    for spec in [system("10.0.1.0/24", "web:1"), system("10.0.2.0/24", "web:2"), without_service] {
        world.declare(&spec).expect("a document");
        let plan = world.plan(PlanPolicy::default()).await.expect("a plan");
        let report = world.reconcile(PlanPolicy::default()).await.expect("a report");
        assert!(report.converged, "{:?}", report.plan.holds);
        assert_eq!(unexplained(&plan, &report), Vec::<String>::new(), "{:?}", plan.steps);
        steps.extend(report.results.into_iter().map(|result| result.action));
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    for action in [Action::Create, Action::Adopt, Action::Update, Action::Replace, Action::Delete] {
        assert!(steps.contains(&action), "the systems have a step of each kind: {action:?}");
    }
}
