//! The log lines, as they are off a terminal.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use expect_test::{Expect, expect};
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause};
use holdfast_engine::event::{Event, Outcome, Watcher};
use holdfast_engine::pass::PassError;
use holdfast_server::Log;
use tracing_subscriber::filter::LevelFilter;

use crate::story::{Story, change, did};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Somebody who listens to everything, for as long as the process lives: an event that nobody listens to at its first
/// time is switched off for all, and another thread's test may be the first.
static LISTENER: LazyLock<()> = LazyLock::new(|| {
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).expect("it is the first");
});

/// The lines that a story leaves.
fn check(story: impl FnOnce(&Log), expected: Expect) {
    LazyLock::force(&LISTENER);
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_max_level(LevelFilter::INFO)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || story(&Log::new("mashroom", "prod")));
    let bytes = sink.0.lock().unwrap().clone();
    expected.assert_eq(&String::from_utf8(bytes).unwrap());
}

fn calm() -> Story {
    Story::of(&["Subnet/a", "Service/web"])
}

fn drifted() -> Story {
    calm().differs(
        "Subnet/a",
        Cause::Drift,
        vec![change("mapPublicIpOnLaunch", true, false), change("tags.team", "x", "y")],
    )
}

#[test]
fn a_drift_event_is_one_line_when_it_is_found_and_one_when_it_is_over() {
    check(
        |log| {
            drifted().found(log);
            let done = did(log, "Subnet/a", Action::Update, Cause::Drift, Outcome::Done);
            calm().planned(log);
            calm().ended(log, vec![done]);
        },
        expect![[r#"
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Subnet/a","kind":"Subnet","tier":"network","fields":"mapPublicIpOnLaunch,tags.team","from":"{\"mapPublicIpOnLaunch\":true,\"tags.team\":\"x\"}","to":"{\"mapPublicIpOnLaunch\":false,\"tags.team\":\"y\"}","cause":"drift","done":"found","target":"holdfast::drift"}
            {"level":"INFO","message":"step","stack":"mashroom","env":"prod","address":"Subnet/a","action":"update","cause":"drift","outcome":"done","seconds":0.3,"target":"holdfast::step"}
            {"level":"INFO","message":"drift","stack":"mashroom","env":"prod","address":"Subnet/a","kind":"Subnet","tier":"network","fields":"mapPublicIpOnLaunch,tags.team","from":"{\"mapPublicIpOnLaunch\":true,\"tags.team\":\"x\"}","to":"{\"mapPublicIpOnLaunch\":false,\"tags.team\":\"y\"}","cause":"drift","done":"mended","target":"holdfast::drift"}
            {"level":"INFO","message":"pass","stack":"mashroom","env":"prod","result":"converged","seconds":3.5,"plans":2,"steps":1,"holds":0,"awsCalls":45,"target":"holdfast::pass"}
        "#]],
    );
}

#[test]
fn drift_that_is_held_or_left_says_so_once() {
    check(
        |log| {
            let plan = || {
                calm()
                    .only_differs("Subnet/a", Cause::Drift, vec![change("cidrBlock", "10.0.0.0/24", "10.0.1.0/24")])
                    .holds("Subnet/a", Reason::ReplaceNotGranted)
                    .only_differs("Service/web", Cause::Missing, vec![])
                    .holds("Service/web", Reason::DriftLeft)
            };
            plan().found(log);
            plan().found(log);
        },
        expect![[r#"
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Subnet/a","kind":"Subnet","tier":"network","fields":"cidrBlock","from":"{\"cidrBlock\":\"10.0.0.0/24\"}","to":"{\"cidrBlock\":\"10.0.1.0/24\"}","cause":"drift","done":"held","reason":"ReplaceNotGranted","target":"holdfast::drift"}
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Service/web","kind":"Service","tier":"compute","fields":"","from":"{}","to":"{}","cause":"missing","done":"left","target":"holdfast::drift"}
            {"level":"INFO","stack":"mashroom","env":"prod","address":"Subnet/a","reason":"ReplaceNotGranted","message":"a reason in words","target":"holdfast::hold"}
            {"level":"INFO","stack":"mashroom","env":"prod","address":"Service/web","reason":"DriftLeft","message":"a reason in words","target":"holdfast::hold"}
        "#]],
    );
}

#[test]
fn failures_say_why() {
    check(
        |log| {
            did(log, "Subnet/a", Action::Update, Cause::Edit, Outcome::Retry);
            let failed = did(log, "Subnet/a", Action::Update, Cause::Edit, Outcome::Failed);
            calm().holds("Service/web", Reason::Failed).ended(log, vec![failed]);
            log.ended(Err(&PassError::Blind("ec2.DescribeVpcs: no route to host".into())));
            log.on(&Event::Reloaded { error: Some("stack.yaml:3:5: unknown field `cidr`") });
        },
        expect![[r#"
            {"level":"WARN","message":"step","stack":"mashroom","env":"prod","address":"Subnet/a","action":"update","cause":"edit","outcome":"retry","seconds":0.3,"error":"ec2.ModifySubnetAttribute: an internal error has occurred (InternalError)","target":"holdfast::step"}
            {"level":"ERROR","message":"step","stack":"mashroom","env":"prod","address":"Subnet/a","action":"update","cause":"edit","outcome":"failed","seconds":0.3,"error":"ec2.ModifySubnetAttribute: an internal error has occurred (InternalError)","target":"holdfast::step"}
            {"level":"WARN","message":"pass","stack":"mashroom","env":"prod","result":"failed","seconds":3.5,"plans":2,"steps":1,"holds":1,"awsCalls":45,"target":"holdfast::pass"}
            {"level":"ERROR","message":"pass","stack":"mashroom","env":"prod","result":"error","error":"nothing could be observed, so nothing was done: ec2.DescribeVpcs: no route to host","target":"holdfast::pass"}
            {"level":"ERROR","message":"the document changed and cannot be used; the last good one stays","stack":"mashroom","env":"prod","error":"stack.yaml:3:5: unknown field `cidr`","target":"holdfast::document"}
        "#]],
    );
}

#[test]
fn long_values_are_cut() {
    check(
        |log| {
            let long = "p".repeat(600);
            calm()
                .differs("Service/web", Cause::Unattributed, vec![change("policy", long.as_str(), "short")])
                .found(log);
        },
        expect![[r#"
            {"level":"WARN","message":"drift","stack":"mashroom","env":"prod","address":"Service/web","kind":"Service","tier":"compute","fields":"policy","from":"{\"policy\":\"\\\"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp… (602 characters)\"}","to":"{\"policy\":\"short\"}","cause":"unattributed","done":"found","target":"holdfast::drift"}
        "#]],
    );
}
