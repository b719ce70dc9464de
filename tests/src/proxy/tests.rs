//! The proxy against a small upstream that answers with what it was asked.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::*;
use crate::exchange::{Answer, connect, receive, send};

/// Longer than anything takes here; what waits for it in vain has failed.
const LONG: Duration = Duration::from_secs(20);

/// An upstream that echoes bodies, counts connections and remembers what it was sent.
struct Upstream {
    endpoint: String,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Upstream {
    fn start() -> Upstream {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        listener.set_nonblocking(true).expect("non-blocking");
        let (connections, seen) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (counter, notes) = (connections.clone(), Arc::clone(&seen));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let notes = Arc::clone(&notes);
                let service = service_fn(move |request| echo(request, Arc::clone(&notes)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Upstream { endpoint, connections, seen, _runtime: runtime }
    }

    /// The bodies that arrived, which is what took effect.
    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

async fn echo(request: Request<Incoming>, seen: Arc<Mutex<Vec<String>>>) -> hyper::Result<Response<Full<Bytes>>> {
    let host = request.headers()["host"].clone();
    let path = request.uri().to_string();
    let body = request.into_body().collect().await?.to_bytes();
    seen.lock().expect("no panic").push(String::from_utf8_lossy(&body).into_owned());
    let body = if body.is_empty() { Bytes::from(path) } else { body };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("x-seen-host", host);
    Ok(response)
}

fn bench() -> (Upstream, Proxy) {
    let upstream = Upstream::start();
    let proxy = Proxy::start(&upstream.endpoint).expect("a proxy");
    (upstream, proxy)
}

fn ask_on(stream: &mut TcpStream, service: &str, operation: &str) -> io::Result<Answer> {
    let scope = format!("AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, Signature=0");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let target = format!("Prefix.{operation}");
    let (path, extra, body) = match service {
        "ecs" => ("/".to_owned(), ("x-amz-target", &*target), "{}".to_owned()),
        "monitoring" => {
            (format!("/service/X/operation/{operation}"), ("smithy-protocol", "rpc-v2-cbor"), String::new())
        }
        _ => ("/".to_owned(), form, format!("Action={operation}&Name=a+b")),
    };
    send(stream, "POST", &path, &[("authorization", &scope), extra], body.as_bytes())?;
    receive(stream)
}

/// Calls `service.Operation` on a connection of its own.
fn ask(proxy: &Proxy, call: &str) -> io::Result<Answer> {
    let (service, operation) = call.split_once('.').expect("service.Operation");
    ask_on(&mut connect(&proxy.endpoint())?, service, operation)
}

fn rule(proxy: &Proxy, calls: &str, effect: Effect) -> RuleId {
    proxy.add_rule(Rule::new(Match::calls(calls), effect))
}

#[test]
fn calls_are_recorded_and_counted() {
    let (upstream, proxy) = bench();
    for call in
        ["ec2.CreateVpc", "ec2.DescribeVpcs", "ec2.DescribeVpcs", "ecs.CreateCluster", "monitoring.PutMetricAlarm"]
    {
        assert_eq!(ask(&proxy, call).expect("an answer").status, 200);
    }
    let counts: Vec<(String, usize)> = proxy.counts_by_operation().into_iter().collect();
    let wanted =
        [("ec2.CreateVpc", 1), ("ec2.DescribeVpcs", 2), ("ecs.CreateCluster", 1), ("monitoring.PutMetricAlarm", 1)];
    assert_eq!(counts, wanted.map(|(name, n)| (name.to_owned(), n)));
    let mutating: Vec<String> = proxy.mutating().iter().map(Call::name).collect();
    assert_eq!(mutating, ["ec2.CreateVpc", "ecs.CreateCluster", "monitoring.PutMetricAlarm"]);

    let first = &proxy.calls()[0];
    assert_eq!((first.seq, &*first.region, &*first.access_key, &*first.line), (1, "eu-west-1", "AKID", "POST /"));
    assert_eq!((first.status, first.outcome, first.forwarded), (Some(200), Outcome::Answered, true));
    assert_eq!(first.reply.as_deref(), Some("Action=CreateVpc&Name=a+b"));
    assert_eq!(first.parameter("Name").as_deref(), Some("a b"));
    assert!(first.took.is_some());
    assert_eq!(
        proxy.table(),
        "     1  ec2.CreateVpc              mutating\n\
         \x20    2  ec2.DescribeVpcs\n\
         \x20    1  ecs.CreateCluster          mutating\n\
         \x20    1  monitoring.PutMetricAlarm  mutating\n\
         \x20    5  in all                     3 mutating, 0 failed\n"
    );
    assert_eq!(proxy.log().lines().count(), 5);
    assert!(proxy.log().contains("! ec2.CreateVpc (eu-west-1) 200"));

    proxy.clear();
    assert_eq!((proxy.count(), upstream.seen().len()), (0, 5));
    ask(&proxy, "ec2.DescribeVpcs").expect("an answer");
    assert_eq!(proxy.calls()[0].seq, 6);
}

#[test]
fn connections_are_kept_on_both_sides_and_headers_pass() {
    let (upstream, proxy) = bench();
    let mut stream = connect(&proxy.endpoint()).expect("a connection");
    for _ in 0..5 {
        let answer = ask_on(&mut stream, "ec2", "DescribeVpcs").expect("an answer");
        assert_eq!(answer.header("x-seen-host"), Some(proxy.endpoint().trim_start_matches("http://")));
    }
    assert_eq!((proxy.count(), upstream.connections.load(Ordering::SeqCst)), (5, 1));
    // What the test asks of the emulator itself passes and is no call.
    send(&mut stream, "POST", "/holdfast/reset?a=b", &[], b"").expect("sent");
    assert_eq!(receive(&mut stream).expect("an answer").text(), "/holdfast/reset?a=b");
    assert_eq!(proxy.count(), 5);
}

#[test]
fn a_throttle_speaks_each_protocol_and_changes_nothing() {
    let (upstream, proxy) = bench();
    proxy.add_rule(Rule::new(Match::all(), Effect::Throttle));
    for (call, status, code) in [
        ("ec2.CreateVpc", 503, "<Code>RequestLimitExceeded</Code>"),
        ("iam.CreateRole", 400, "<Code>Throttling</Code>"),
        ("ecs.CreateCluster", 400, "\"__type\":\"ThrottlingException\""),
        ("monitoring.PutMetricAlarm", 400, "f__typesThrottlingExceptiongmessagemRate exceeded"),
    ] {
        let answer = ask(&proxy, call).expect("an answer");
        assert_eq!(answer.status, status, "{call}");
        assert!(answer.text().contains(code), "{call}: {}", answer.text());
        assert!(answer.header("x-amzn-requestid").is_some());
    }
    assert!(upstream.seen().is_empty());
    let calls = proxy.calls();
    assert!(calls.iter().all(|call| !call.forwarded && call.outcome == Outcome::Answered));
    assert_eq!(calls[0].status, Some(503));
    assert!(proxy.table().ends_with("4 mutating, 4 failed\n"));
}

#[test]
fn a_failure_comes_before_the_effect_or_after_it() {
    let (upstream, proxy) = bench();
    rule(&proxy, "ec2.*", Effect::fail(403, "UnauthorizedOperation"));
    rule(&proxy, "ecs.*", Effect::fail_after());
    let before = ask(&proxy, "ec2.CreateVpc").expect("an answer");
    assert_eq!(before.status, 403);
    assert!(before.text().contains("<Code>UnauthorizedOperation</Code>"));
    assert!(upstream.seen().is_empty());
    let after = ask(&proxy, "ecs.CreateCluster").expect("an answer");
    assert_eq!((after.status, after.header("x-amzn-errortype")), (500, Some("InternalFailure")));
    assert_eq!(upstream.seen(), ["{}"]);
    assert_eq!(proxy.calls().iter().map(|call| call.forwarded).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_connection_is_cut_before_the_effect_or_after_it() {
    let (upstream, proxy) = bench();
    rule(&proxy, "ec2.CreateVpc", Effect::Cut);
    rule(&proxy, "ec2.CreateSubnet", Effect::CutAfter);
    // Over a connection that has served before, as a client with a pool does it.
    let mut stream = connect(&proxy.endpoint()).expect("a connection");
    ask_on(&mut stream, "ec2", "DescribeVpcs").expect("an answer");
    assert!(ask_on(&mut stream, "ec2", "CreateVpc").is_err());
    assert_eq!(upstream.seen().len(), 1);
    assert!(ask(&proxy, "ec2.CreateSubnet").is_err());
    assert_eq!(upstream.seen().len(), 2);
    let ends: Vec<_> = proxy.calls().iter().map(|call| (call.outcome, call.status, call.forwarded)).collect();
    assert_eq!(ends[1..], [(Outcome::Cut, None, false), (Outcome::Cut, None, true)]);
    assert!(proxy.log().contains("cut, not forwarded"));
}

#[test]
fn an_answer_is_withheld_until_the_client_gives_up() {
    let (upstream, proxy) = bench();
    rule(&proxy, "ec2.CreateVpc", Effect::Withhold);
    rule(&proxy, "ec2.CreateSubnet", Effect::WithholdBefore);
    for (operation, effects) in [("CreateVpc", 1), ("CreateSubnet", 1)] {
        proxy.clear();
        let mut stream = connect(&proxy.endpoint()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        let error = ask_on(&mut stream, "ec2", operation).expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let is_held = |calls: &[Call]| calls.last().is_some_and(|call| call.outcome == Outcome::Withheld);
        proxy.wait_until(LONG, is_held).expect("held");
        let held = proxy.calls().pop().expect("a call");
        assert_eq!((held.outcome, held.status, held.took), (Outcome::Withheld, None, None));
        assert_eq!(upstream.seen().len(), effects, "{operation}");
        drop(stream);
        proxy.wait_until(LONG, |calls| calls.last().is_some_and(|call| call.took.is_some())).expect("given up");
    }
}

#[test]
fn a_delay_comes_before_the_effect() {
    let (_upstream, proxy) = bench();
    rule(&proxy, "ec2.*", Effect::Delay(Duration::from_millis(60)));
    rule(&proxy, "ec2.*", Effect::Delay(Duration::from_millis(60)));
    rule(&proxy, "ec2.*", Effect::Throttle);
    let start = Instant::now();
    assert_eq!(ask(&proxy, "ec2.DescribeVpcs").expect("an answer").status, 503);
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert!(proxy.calls()[0].took.expect("over") >= Duration::from_millis(120));
}

#[test]
fn a_reply_is_replaced_or_rewritten() {
    let (upstream, proxy) = bench();
    rule(&proxy, "ec2.DescribeVpcs", Effect::replace(200, "<none/>"));
    rule(
        &proxy,
        "ec2.DescribeSubnets",
        Effect::replace_with(|call| Reply::new(404, call.operation.clone()).header("x-own", "1")),
    );
    rule(&proxy, "ecs.*", Effect::rewrite(|_, reply| Reply { body: format!("was {}", reply.text()).into(), ..reply }));
    let fixed = ask(&proxy, "ec2.DescribeVpcs").expect("an answer");
    assert_eq!((fixed.status, &*fixed.text(), fixed.header("content-type")), (200, "<none/>", Some("text/xml")));
    let made = ask(&proxy, "ec2.DescribeSubnets").expect("an answer");
    assert_eq!((made.status, &*made.text(), made.header("x-own")), (404, "DescribeSubnets", Some("1")));
    assert!(upstream.seen().is_empty());
    let rewritten = ask(&proxy, "ecs.ListClusters").expect("an answer");
    assert_eq!((rewritten.status, &*rewritten.text()), (200, "was {}"));
    assert_eq!(upstream.seen(), ["{}"]);
}

#[test]
fn a_hook_is_called_before_the_effect_or_after_it() {
    let (upstream, proxy) = bench();
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = |word: &'static str, then| {
        let (notes, seen) = (notes.clone(), upstream.seen.clone());
        move |call: &Call| {
            let effects = seen.lock().expect("no panic").len();
            notes.lock().expect("no panic").push(format!("{word} {} {effects}", call.operation));
            then
        }
    };
    rule(&proxy, "ec2.*", Effect::before(note("before", Then::Go)));
    rule(&proxy, "ec2.*", Effect::after(note("after", Then::Go)));
    assert_eq!(ask(&proxy, "ec2.CreateVpc").expect("an answer").status, 200);
    assert_eq!(*notes.lock().expect("no panic"), ["before CreateVpc 0", "after CreateVpc 1"]);

    proxy.clear_rules();
    let id = rule(&proxy, "ec2.*", Effect::before(|_| Then::Cut));
    assert!(ask(&proxy, "ec2.CreateVpc").is_err());
    assert_eq!((proxy.hits(id), upstream.seen().len()), (1, 1));
    proxy.remove_rule(id);
    let id = rule(&proxy, "ec2.*", Effect::after(|_| Then::Cut));
    assert!(ask(&proxy, "ec2.CreateVpc").is_err());
    assert_eq!((proxy.hits(id), upstream.seen().len()), (1, 2));
    proxy.remove_rule(id);
    assert_eq!(proxy.hits(id), 0);
    assert_eq!(ask(&proxy, "ec2.CreateVpc").expect("an answer").status, 200);
}

#[test]
fn a_victim_dies_before_the_effect_or_after_it() {
    let (upstream, proxy) = bench();
    let shell = crate::Holdfast::new(&proxy.env()).binary("/bin/sh").folder("/");
    for (when, effects) in [(When::Before, 0), (When::After, 1)] {
        let daemon = shell.spawn(["-c", "exec sleep 60"]).expect("a daemon");
        let changes = Match::changes().only(1);
        let id = proxy.add_rule(Rule::new(changes, Effect::kill(&daemon.victim(), when)));
        ask(&proxy, "ec2.DescribeVpcs").expect("an answer");
        assert!(daemon.is_running());
        let before = upstream.seen().len();
        assert!(ask(&proxy, "ec2.CreateVpc").is_err());
        assert!(!daemon.is_running());
        assert_eq!((proxy.hits(id), upstream.seen().len() - before), (1, effects));
        proxy.clear_rules();
    }
}

#[test]
fn what_was_received_runs_to_its_end_when_the_client_is_gone() {
    let (upstream, proxy) = bench();
    rule(&proxy, "ec2.*", Effect::Delay(Duration::from_millis(100)));
    let mut stream = connect(&proxy.endpoint()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a limit");
    assert!(ask_on(&mut stream, "ec2", "CreateVpc").is_err());
    proxy.wait_until(LONG, |calls| !calls.is_empty()).expect("received");
    drop(stream);
    proxy.wait_until(LONG, |calls| calls[0].took.is_some()).expect("over");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_rule_counts_the_calls_that_fit() {
    let statuses = |matches: Match, calls: &[&str]| -> Vec<u16> {
        let (_upstream, proxy) = bench();
        proxy.add_rule(Rule::new(matches, Effect::replace(418, "")));
        calls.iter().map(|call| ask(&proxy, call).expect("an answer").status).collect()
    };
    let (hit, pass) = (418, 200);
    let reads = ["ec2.DescribeVpcs"; 5];
    assert_eq!(statuses(Match::all().only(3), &reads), [pass, pass, hit, pass, pass]);
    assert_eq!(statuses(Match::all().from(3), &reads), [pass, pass, hit, hit, hit]);
    assert_eq!(statuses(Match::all().every(2), &reads), [pass, hit, pass, hit, pass]);
    let mixed = ["ec2.CreateVpc", "ec2.DescribeVpcs", "ecs.CreateCluster", "ecs.ListClusters", "ec2.DeleteVpc"];
    assert_eq!(statuses(Match::changes().only(2), &mixed), [pass, pass, hit, pass, pass]);
    assert_eq!(statuses(Match::reads(), &mixed), [pass, hit, pass, hit, pass]);
    assert_eq!(statuses(Match::calls("ec2.*Vpc").from(2), &mixed), [pass, pass, pass, pass, hit]);
    assert_eq!(statuses(Match::calls("ecs"), &mixed), [pass, pass, hit, hit, pass]);
    let many = ["ec2.DescribeVpcs"; 40];
    let drawn = statuses(Match::all().random(0.5, 7), &many);
    assert_eq!(drawn, statuses(Match::all().random(0.5, 7), &many));
    assert!(drawn.contains(&hit) && drawn.contains(&pass));
    assert_eq!(statuses(Match::all().random(1.0, 7), &reads), [hit; 5]);
}

#[test]
fn of_two_rules_that_decide_the_first_does() {
    let (_upstream, proxy) = bench();
    let first = proxy.add_rule(Rule::new(Match::all().from(2), Effect::replace(418, "")));
    let second = rule(&proxy, "ec2.*", Effect::Throttle);
    assert_eq!(ask(&proxy, "ec2.DescribeVpcs").expect("an answer").status, 503);
    assert_eq!(ask(&proxy, "ec2.DescribeVpcs").expect("an answer").status, 418);
    assert_eq!((proxy.hits(first), proxy.hits(second)), (1, 1));
}

#[test]
fn an_emulator_that_is_gone_is_told_from_an_error_of_its_own() {
    let proxy = Proxy::start("http://127.0.0.1:1").expect("a proxy");
    let answer = ask(&proxy, "ec2.DescribeVpcs").expect("an answer");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("the emulator failed to answer"), "{}", answer.text());
    assert_eq!(proxy.calls()[0].outcome, Outcome::Lost);
}

#[tokio::test]
async fn it_starts_and_stops_in_an_asynchronous_test_too() {
    let proxy = Proxy::start("http://127.0.0.1:1").expect("a proxy");
    let endpoint = proxy.endpoint();
    assert!(connect(&endpoint).is_ok());
    drop(proxy);
}
