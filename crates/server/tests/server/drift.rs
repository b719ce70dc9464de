//! What counts as a drift event, when it is over, and what it never is: an edit.

use expect_test::{Expect, expect};
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause};
use holdfast_engine::event::Outcome;
use holdfast_server::Metrics;

use crate::story::{Story, address, change, did, metrics, series};

const SUBNET: &str = "Subnet/public-a";
const SERVICE: &str = "Service/web";

fn check(metrics: &Metrics, expected: Expect) {
    let names = [
        "holdfast_drifted_resources",
        "holdfast_drifted_fields",
        "holdfast_drift_found_total",
        "holdfast_drift_mended_total",
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

fn calm() -> Story {
    Story::of(&[SUBNET, SERVICE])
}

fn drifted() -> Story {
    calm().differs(
        SUBNET,
        Cause::Drift,
        vec![change("mapPublicIpOnLaunch", false, true), change("tags.team", "x", "y")],
    )
}

#[test]
fn drift_is_found_once_and_mended_by_a_step() {
    let metrics = metrics();
    drifted().found(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="network",kind="Subnet"} 1
        drifted_fields{tier="network",kind="Subnet"} 2
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 1
    "#]],
    );
    did(&*metrics, SUBNET, Action::Update, Cause::Drift, Outcome::Retry);
    drifted().planned(&*metrics);
    drifted().found(&*metrics);
    did(&*metrics, SUBNET, Action::Update, Cause::Drift, Outcome::Done);
    calm().planned(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 1
        drift_mended_total{tier="network",kind="Subnet"} 1
    "#]],
    );
    drifted().found(&*metrics);
    calm().planned(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 2
        drift_mended_total{tier="network",kind="Subnet"} 1
        drift_resolved_total{tier="network",kind="Subnet"} 1
    "#]],
    );
}

#[test]
fn a_field_that_drifts_later_is_an_event_of_its_own() {
    let metrics = metrics();
    let one = vec![change("tags.team", "x", "y")];
    calm().differs(SUBNET, Cause::Drift, one.clone()).holds(SUBNET, Reason::DriftLeft).found(&*metrics);
    drifted().holds(SUBNET, Reason::DriftLeft).found(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="network",kind="Subnet"} 1
        drifted_fields{tier="network",kind="Subnet"} 2
        drift_found_total{tier="network",kind="Subnet",cause="drift"} 2
    "#]],
    );
    calm().differs(SUBNET, Cause::Drift, one).found(&*metrics);
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
fn a_missing_resource_has_no_fields_and_is_mended_by_its_create() {
    let metrics = metrics();
    calm().differs(SERVICE, Cause::Missing, vec![]).found(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="compute",kind="Service"} 1
        drift_found_total{tier="compute",kind="Service",cause="missing"} 1
    "#]],
    );
    did(&*metrics, SERVICE, Action::Create, Cause::Missing, Outcome::Done);
    Story::of(&[SUBNET]).holds(SERVICE, Reason::Settling).planned(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drifted_resources{tier="compute",kind="Service"} 1
        drift_found_total{tier="compute",kind="Service",cause="missing"} 1
    "#]],
    );
    calm().planned(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="compute",kind="Service",cause="missing"} 1
        drift_mended_total{tier="compute",kind="Service"} 1
    "#]],
    );
}

#[test]
fn what_cannot_be_seen_or_is_stalled_stays_drifted() {
    for reason in [Reason::Unobserved, Reason::Stalled, Reason::Settling] {
        let metrics = metrics();
        drifted().found(&*metrics);
        did(&*metrics, SUBNET, Action::Update, Cause::Drift, Outcome::Done);
        calm().holds(SUBNET, reason).planned(&*metrics);
        calm().holds(SUBNET, reason).found(&*metrics);
        let now = series(&metrics, "holdfast_drifted_resources");
        assert_eq!(now, [r#"{tier="network",kind="Subnet"} 1"#], "{reason:?}");
    }
}

#[test]
fn an_edit_is_never_drift() {
    let metrics = metrics();
    let edit = || calm().differs(SUBNET, Cause::Edit, vec![change("tags.team", "x", "y")]);
    edit().differs(SERVICE, Cause::Edit, vec![]).found(&*metrics);
    check(
        &metrics,
        expect![[r#"
        edits_pending{tier="network",kind="Subnet"} 1
        edits_pending{tier="compute",kind="Service"} 1
    "#]],
    );
    // What is left of it after the step carries the new digest, and would look like drift.
    did(&*metrics, SUBNET, Action::Update, Cause::Edit, Outcome::Done);
    did(&*metrics, SERVICE, Action::Create, Cause::Edit, Outcome::Done);
    drifted().differs(SERVICE, Cause::Drift, vec![change("desiredCount", 1, 2)]).found(&*metrics);
    check(
        &metrics,
        expect![[r#"
        edits_pending{tier="network",kind="Subnet"} 1
        edits_pending{tier="compute",kind="Service"} 1
    "#]],
    );
    // Once it was converged, it is drift.
    calm().planned(&*metrics);
    drifted().found(&*metrics);
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
fn drift_that_the_document_takes_over_is_resolved_and_not_mended() {
    let metrics = metrics();
    drifted().found(&*metrics);
    calm().differs(SUBNET, Cause::Edit, vec![change("tags.team", "x", "z")]).found(&*metrics);
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
fn what_cannot_be_told_yet_is_not_drift() {
    let metrics = metrics();
    let mut unknown = change("vpc", "vpc-1", "?");
    unknown.unknown = Some(address("Vpc/main"));
    calm().differs(SUBNET, Cause::Drift, vec![unknown]).found(&*metrics);
    check(&metrics, expect![[""]]);
}

#[test]
fn what_follows_from_a_mended_resource_is_not_drift_of_its_own() {
    let metrics = metrics();
    let mut route = change("routes", "nat-1", "?");
    route.unknown = Some(address("NatGateway/a"));
    let plan = Story::of(&["RouteTable/a"]).differs("NatGateway/a", Cause::Missing, vec![]);
    plan.differs("RouteTable/a", Cause::Drift, vec![route]).found(&*metrics);
    did(&*metrics, "NatGateway/a", Action::Create, Cause::Missing, Outcome::Done);
    let late = || Story::of(&["NatGateway/a", "RouteTable/a"]);
    late().differs("RouteTable/a", Cause::Drift, vec![change("routes", "nat-1", "nat-2")]).found(&*metrics);
    check(
        &metrics,
        expect![[r#"
        drift_found_total{tier="network",kind="NatGateway",cause="missing"} 1
        drift_mended_total{tier="network",kind="NatGateway"} 1
    "#]],
    );
    late().planned(&*metrics);
    late().differs("RouteTable/a", Cause::Drift, vec![change("routes", "nat-2", "nat-1")]).found(&*metrics);
    assert_eq!(series(&metrics, "holdfast_drifted_resources"), [r#"{tier="network",kind="RouteTable"} 1"#]);
}

#[test]
fn what_differs_in_the_middle_of_a_pass_follows_from_its_own_steps() {
    let metrics = metrics();
    calm().found(&*metrics);
    drifted().planned(&*metrics);
    check(&metrics, expect![[""]]);
}
