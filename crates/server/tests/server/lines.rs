//! The log lines: the JSON form, which is used if stderr is not a terminal.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use expect_test::{Expect, expect};
use holdfast_core::observed::KindRegion;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause};
use holdfast_engine::cloud::Failure;
use holdfast_engine::event::{Event, EventSink, StepOutcome};
use holdfast_engine::pass::PassError;
use holdfast_server::Metrics;
use tracing_subscriber::filter::LevelFilter;

use crate::test_plan::{TestPlan, change, metrics, run_step};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A global subscriber that accepts every event: tracing disables an event for the whole process if no subscriber
/// accepts its first occurrence, and that may be in the test of another thread.
static SUBSCRIBER: LazyLock<()> = LazyLock::new(|| {
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).expect("no other global subscriber");
});

/// Compares the lines that a series of events leaves.
fn check(events: impl FnOnce(&Metrics), expected: Expect) {
    LazyLock::force(&SUBSCRIBER);
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_max_level(LevelFilter::INFO)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || events(&metrics()));
    let bytes = buffer.0.lock().unwrap().clone();
    expected.assert_eq(&String::from_utf8(bytes).unwrap());
}

fn converged() -> TestPlan {
    TestPlan::of(&["Subnet/a", "Service/web"])
}

fn drifted() -> TestPlan {
    converged().differs(
        "Subnet/a",
        Cause::Drift,
        vec![change("mapPublicIpOnLaunch", true, false), change("tags.team", "x", "y")],
    )
}

#[test]
fn a_drift_event_has_one_line_when_it_opens_and_one_when_it_ends() {
    check(
        |log| {
            drifted().begins_pass(log);
            let done = run_step(log, "Subnet/a", Action::Update, Cause::Drift, StepOutcome::Done);
            converged().continues_pass(log);
            converged().ends_pass(log, vec![done]);
        },
        expect![[r#"
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Subnet/a","kind":"Subnet","tier":"network","fields":"mapPublicIpOnLaunch,tags.team","from":"{\"mapPublicIpOnLaunch\":true,\"tags.team\":\"x\"}","to":"{\"mapPublicIpOnLaunch\":false,\"tags.team\":\"y\"}","cause":"drift","done":"found","target":"holdfast::drift"}
            {"level":"INFO","message":"step","stack":"mashroom","env":"prod","address":"Subnet/a","action":"update","cause":"drift","outcome":"done","seconds":0.3,"target":"holdfast::step"}
            {"level":"INFO","message":"drift","stack":"mashroom","env":"prod","address":"Subnet/a","kind":"Subnet","tier":"network","fields":"mapPublicIpOnLaunch,tags.team","from":"{\"mapPublicIpOnLaunch\":true,\"tags.team\":\"x\"}","to":"{\"mapPublicIpOnLaunch\":false,\"tags.team\":\"y\"}","cause":"drift","done":"corrected","target":"holdfast::drift"}
            {"level":"INFO","message":"pass","stack":"mashroom","env":"prod","result":"converged","seconds":3.5,"plans":2,"steps":1,"holds":0,"awsCalls":45,"target":"holdfast::pass"}
        "#]],
    );
}

#[test]
fn drift_that_is_held_or_ignored_has_one_line() {
    check(
        |log| {
            let plan = || {
                converged()
                    .only_differs("Subnet/a", Cause::Drift, vec![change("cidrBlock", "10.0.0.0/24", "10.0.1.0/24")])
                    .holds("Subnet/a", Reason::ReplaceNotAllowed)
                    .only_differs("Service/web", Cause::Missing, vec![])
                    .holds("Service/web", Reason::DriftIgnored)
            };
            plan().begins_pass(log);
            plan().begins_pass(log);
        },
        expect![[r#"
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Subnet/a","kind":"Subnet","tier":"network","fields":"cidrBlock","from":"{\"cidrBlock\":\"10.0.0.0/24\"}","to":"{\"cidrBlock\":\"10.0.1.0/24\"}","cause":"drift","done":"held","reason":"ReplaceNotAllowed","target":"holdfast::drift"}
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Service/web","kind":"Service","tier":"compute","fields":"","from":"{}","to":"{}","cause":"missing","done":"ignored","target":"holdfast::drift"}
            {"level":"WARN","stack":"mashroom","env":"prod","address":"Subnet/a","reason":"ReplaceNotAllowed","message":"a message","target":"holdfast::hold"}
            {"level":"INFO","stack":"mashroom","env":"prod","address":"Service/web","reason":"DriftIgnored","message":"a message","target":"holdfast::hold"}
        "#]],
    );
}

#[test]
fn failures_have_their_cause() {
    check(
        |log| {
            run_step(log, "Subnet/a", Action::Update, Cause::Edit, StepOutcome::Retry);
            let failed = run_step(log, "Subnet/a", Action::Update, Cause::Edit, StepOutcome::Failed);
            converged().holds("Service/web", Reason::ProvisioningFailed).ends_pass(log, vec![failed]);
            log.ended(Err(&PassError::ObservationFailed("ec2.DescribeVpcs: no route to host".into())));
            log.on(&Event::Reloaded { error: Some("stack.yaml:3:5: unknown field `cidr`") });
        },
        expect![[r#"
            {"level":"WARN","message":"step","stack":"mashroom","env":"prod","address":"Subnet/a","action":"update","cause":"edit","outcome":"retry","seconds":0.3,"error":"ec2.ModifySubnetAttribute: an internal error has occurred (InternalError)","target":"holdfast::step"}
            {"level":"ERROR","message":"step","stack":"mashroom","env":"prod","address":"Subnet/a","action":"update","cause":"edit","outcome":"failed","seconds":0.3,"error":"ec2.ModifySubnetAttribute: an internal error has occurred (InternalError)","target":"holdfast::step"}
            {"level":"WARN","message":"pass","stack":"mashroom","env":"prod","result":"failed","seconds":3.5,"plans":2,"steps":1,"holds":1,"awsCalls":45,"target":"holdfast::pass"}
            {"level":"ERROR","message":"pass","stack":"mashroom","env":"prod","result":"error","error":"nothing could be observed, so nothing was done: ec2.DescribeVpcs: no route to host","target":"holdfast::pass"}
            {"level":"ERROR","message":"the document changed and has errors; the last valid document remains in force","stack":"mashroom","env":"prod","error":"stack.yaml:3:5: unknown field `cidr`","target":"holdfast::document"}
        "#]],
    );
}

#[test]
fn an_outage_of_a_kind_and_a_document_with_errors_have_a_line_when_they_begin_and_when_they_end() {
    check(
        |log| {
            let kind_region = KindRegion { kind: "Cluster", region: "us-east-1".to_owned() };
            let failure = Failure::terminal("ecs.ListClusters", "access denied");
            for failure in [None, Some(&failure), Some(&failure), None, None] {
                log.on(&Event::Observed { kind_region: &kind_region, failure });
            }
            for error in [None, Some("stack.yaml:3:5: unknown field `cidr`"), None] {
                log.on(&Event::Reloaded { error });
            }
        },
        expect![[r#"
            {"level":"WARN","message":"a kind cannot be observed, and its resources are held","stack":"mashroom","env":"prod","kind":"Cluster","region":"us-east-1","error":"ecs.ListClusters: access denied","target":"holdfast::observation"}
            {"level":"INFO","message":"a kind is observed again","stack":"mashroom","env":"prod","kind":"Cluster","region":"us-east-1","target":"holdfast::observation"}
            {"level":"INFO","message":"the document changed and was reloaded","stack":"mashroom","env":"prod","target":"holdfast::document"}
            {"level":"ERROR","message":"the document changed and has errors; the last valid document remains in force","stack":"mashroom","env":"prod","error":"stack.yaml:3:5: unknown field `cidr`","target":"holdfast::document"}
            {"level":"INFO","message":"the document has no errors any more, and is in force","stack":"mashroom","env":"prod","target":"holdfast::document"}
        "#]],
    );
}

#[test]
fn long_values_are_cut() {
    check(
        |log| {
            let long = "p".repeat(600);
            converged()
                .differs("Service/web", Cause::Unattributed, vec![change("policy", long.as_str(), "short")])
                .begins_pass(log);
        },
        expect![[r#"
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Service/web","kind":"Service","tier":"compute","fields":"policy","from":"{\"policy\":\"\\\"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp… (602 characters)\"}","to":"{\"policy\":\"short\"}","cause":"unattributed","done":"found","target":"holdfast::drift"}
        "#]],
    );
}
