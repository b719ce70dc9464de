//! Drift events: what opens and ends one. An edit never does.

use expect_test::{Expect, expect};
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause};
use holdfast_engine::event::StepOutcome;
use holdfast_server::Metrics;

use crate::test_plan::{TestPlan, address, change, metrics, run_step, series};

const SUBNET: &str = "Subnet/public-a";
const SERVICE: &str = "Service/web";

fn check(metrics: &Metrics, expected: Expect) {
    let names = [
        "holdfast_drifted_resources",
        "holdfast_drifted_fields",
        "holdfast_drift_found_total",
        "holdfast_drift_corrected_total",
        "holdfast_drift_resolved_total",
        "holdfast_edits_pending",
    ];
    let mut text = String::new();
    for name in names {
        for line in series(metrics, name) {
            text.push_str(&format!("{}{line}\n", name.trim_start_matches("holdfast_")));
        }
    }
    expected.assert_eq(&text);
}

fn converged() -> TestPlan {
    TestPlan::of(&[SUBNET, SERVICE])
}

fn drifted() -> TestPlan {
    converged().differs(
        SUBNET,
        Cause::Drift,
        vec![change("mapPublicIpOnLaunch", false, true), change("tags.team", "x", "y")],
    )
}

#[test]
fn drift_is_found_once_and_corrected_by_a_step() {
    let metrics = metrics();
    drifted().begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="network",kind="Subnet"} 1
        drifted_fields{tier="network",kind="Subnet"} 2
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 1
    "#]],
    );
    run_step(&*metrics, SUBNET, Action::Update, Cause::Drift, StepOutcome::Retry);
    drifted().continues_pass(&*metrics);
    drifted().begins_pass(&*metrics);
    run_step(&*metrics, SUBNET, Action::Update, Cause::Drift, StepOutcome::Done);
    converged().continues_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 1
        drift_corrected_total{tier="network",kind="Subnet"} 1
    "#]],
    );
    drifted().begins_pass(&*metrics);
    converged().continues_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 2
        drift_corrected_total{tier="network",kind="Subnet"} 1
        drift_resolved_total{tier="network",kind="Subnet"} 1
    "#]],
    );
}

#[test]
fn a_field_that_drifts_later_is_a_separate_event() {
    let metrics = metrics();
    let one = vec![change("tags.team", "x", "y")];
    converged().differs(SUBNET, Cause::Drift, one.clone()).holds(SUBNET, Reason::DriftIgnored).begins_pass(&*metrics);
    drifted().holds(SUBNET, Reason::DriftIgnored).begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="network",kind="Subnet"} 1
        drifted_fields{tier="network",kind="Subnet"} 2
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 2
    "#]],
    );
    converged().differs(SUBNET, Cause::Drift, one).begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="network",kind="Subnet"} 1
        drifted_fields{tier="network",kind="Subnet"} 1
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 2
        drift_resolved_total{tier="network",kind="Subnet"} 1
    "#]],
    );
}

#[test]
fn a_missing_resource_has_no_fields_and_is_corrected_by_its_create() {
    let metrics = metrics();
    converged().differs(SERVICE, Cause::Missing, vec![]).begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="compute",kind="Service"} 1
        drift_found_total{tier="compute",kind="Service",cause="missing"} 1
    "#]],
    );
    run_step(&*metrics, SERVICE, Action::Create, Cause::Missing, StepOutcome::Done);
    TestPlan::of(&[SUBNET]).holds(SERVICE, Reason::Propagating).continues_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="compute",kind="Service"} 1
        drift_found_total{tier="compute",kind="Service",cause="missing"} 1
    "#]],
    );
    converged().continues_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="compute",kind="Service",cause="missing"} 1
        drift_corrected_total{tier="compute",kind="Service"} 1
    "#]],
    );
}

#[test]
fn a_resource_that_cannot_be_observed_or_is_stalled_remains_drifted() {
    for reason in [Reason::ObservationFailed, Reason::Stalled, Reason::Propagating] {
        let metrics = metrics();
        drifted().begins_pass(&*metrics);
        run_step(&*metrics, SUBNET, Action::Update, Cause::Drift, StepOutcome::Done);
        converged().holds(SUBNET, reason).continues_pass(&*metrics);
        converged().holds(SUBNET, reason).begins_pass(&*metrics);
        let now = series(&metrics, "holdfast_drifted_resources");
        assert_eq!(now, [r#"{tier="network",kind="Subnet"} 1"#], "{reason:?}");
    }
}

#[test]
fn an_edit_is_never_drift() {
    let metrics = metrics();
    let edit = || converged().differs(SUBNET, Cause::Edit, vec![change("tags.team", "x", "y")]);
    edit().differs(SERVICE, Cause::Edit, vec![]).begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        edits_pending{tier="network",kind="Subnet"} 1
        edits_pending{tier="compute",kind="Service"} 1
    "#]],
    );
    // The differences that are left after the step have the new digest, like drift.
    run_step(&*metrics, SUBNET, Action::Update, Cause::Edit, StepOutcome::Done);
    run_step(&*metrics, SERVICE, Action::Create, Cause::Edit, StepOutcome::Done);
    drifted().differs(SERVICE, Cause::Drift, vec![change("desiredCount", 1, 2)]).begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        edits_pending{tier="network",kind="Subnet"} 1
        edits_pending{tier="compute",kind="Service"} 1
    "#]],
    );
    // After the resource was converged, a difference is drift.
    converged().continues_pass(&*metrics);
    drifted().begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="network",kind="Subnet"} 1
        drifted_fields{tier="network",kind="Subnet"} 2
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 1
    "#]],
    );
}

#[test]
fn drift_that_the_document_adopts_is_resolved_and_not_corrected() {
    let metrics = metrics();
    drifted().begins_pass(&*metrics);
    converged().differs(SUBNET, Cause::Edit, vec![change("tags.team", "x", "z")]).begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 1
        drift_resolved_total{tier="network",kind="Subnet"} 1
        edits_pending{tier="network",kind="Subnet"} 1
    "#]],
    );
}

#[test]
fn a_field_whose_value_is_not_known_yet_is_not_drift() {
    let metrics = metrics();
    let mut unknown = change("vpc", "vpc-1", "?");
    unknown.unknown = Some(address("Vpc/main"));
    converged().differs(SUBNET, Cause::Drift, vec![unknown]).begins_pass(&*metrics);
    check(&metrics, expect![[""]]);
}

#[test]
fn a_difference_that_follows_from_a_corrected_resource_is_not_drift() {
    let metrics = metrics();
    let mut route = change("routes", "nat-1", "?");
    route.unknown = Some(address("NatGateway/a"));
    let plan = TestPlan::of(&["RouteTable/a"]).differs("NatGateway/a", Cause::Missing, vec![]);
    plan.differs("RouteTable/a", Cause::Drift, vec![route]).begins_pass(&*metrics);
    run_step(&*metrics, "NatGateway/a", Action::Create, Cause::Missing, StepOutcome::Done);
    let late = || TestPlan::of(&["NatGateway/a", "RouteTable/a"]);
    late().differs("RouteTable/a", Cause::Drift, vec![change("routes", "nat-1", "nat-2")]).begins_pass(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="network",kind="NatGateway",cause="missing"} 1
        drift_corrected_total{tier="network",kind="NatGateway"} 1
    "#]],
    );
    late().continues_pass(&*metrics);
    late().differs("RouteTable/a", Cause::Drift, vec![change("routes", "nat-2", "nat-1")]).begins_pass(&*metrics);
    assert_eq!(series(&metrics, "holdfast_drifted_resources"), [r#"{tier="network",kind="RouteTable"} 1"#]);
}

#[test]
fn a_difference_in_a_later_plan_of_a_pass_is_not_drift() {
    let metrics = metrics();
    converged().begins_pass(&*metrics);
    drifted().continues_pass(&*metrics);
    check(&metrics, expect![[""]]);
}
