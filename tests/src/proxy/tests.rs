//! Tests of the proxy against a small upstream that echoes requests.

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
use crate::exchange::{HttpResponse, connect, receive, send};

/// The timeout of waits: longer than any successful wait takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An upstream that echoes request bodies, counts connections and records the bodies.
struct Upstream {
    endpoint: String,
    connections: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Upstream {
    fn start() -> Upstream {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        listener.set_nonblocking(true).expect("non-blocking");
        let (connections, received) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (counter, bodies) = (connections.clone(), Arc::clone(&received));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let bodies = Arc::clone(&bodies);
                let service = service_fn(move |request| echo(request, Arc::clone(&bodies)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Upstream { endpoint, connections, received, _runtime: runtime }
    }

    /// Returns the received bodies: the calls that took effect.
    fn received(&self) -> Vec<String> {
        self.received.lock().expect("no panic").clone()
    }
}

async fn echo(request: Request<Incoming>, received: Arc<Mutex<Vec<String>>>) -> hyper::Result<Response<Full<Bytes>>> {
    let host = request.headers()["host"].clone();
    let path = request.uri().to_string();
    let body = request.into_body().collect().await?.to_bytes();
    received.lock().expect("no panic").push(String::from_utf8_lossy(&body).into_owned());
    let body = if body.is_empty() { Bytes::from(path) } else { body };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("x-received-host", host);
    Ok(response)
}

fn start() -> (Upstream, Proxy) {
    let upstream = Upstream::start();
    let proxy = Proxy::start(&upstream.endpoint).expect("a proxy");
    (upstream, proxy)
}

fn call_on(stream: &mut TcpStream, service: &str, operation: &str) -> io::Result<HttpResponse> {
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

/// Calls `service.Operation` on a new connection.
fn call(proxy: &Proxy, call: &str) -> io::Result<HttpResponse> {
    let (service, operation) = call.split_once('.').expect("service.Operation");
    call_on(&mut connect(&proxy.endpoint())?, service, operation)
}

fn rule(proxy: &Proxy, calls: &str, effect: Effect) -> RuleId {
    proxy.add_rule(Rule::new(Match::calls(calls), effect))
}

#[test]
fn calls_are_recorded_and_counted() {
    let (upstream, proxy) = start();
    for name in
        ["ec2.CreateVpc", "ec2.DescribeVpcs", "ec2.DescribeVpcs", "ecs.CreateCluster", "monitoring.PutMetricAlarm"]
    {
        assert_eq!(call(&proxy, name).expect("a response").status, 200);
    }
    let counts: Vec<(String, usize)> = proxy.counts_by_operation().into_iter().collect();
    let expected =
        [("ec2.CreateVpc", 1), ("ec2.DescribeVpcs", 2), ("ecs.CreateCluster", 1), ("monitoring.PutMetricAlarm", 1)];
    assert_eq!(counts, expected.map(|(name, n)| (name.to_owned(), n)));
    let mutating: Vec<String> = proxy.mutating().iter().map(Call::name).collect();
    assert_eq!(mutating, ["ec2.CreateVpc", "ecs.CreateCluster", "monitoring.PutMetricAlarm"]);

    let first = &proxy.calls()[0];
    assert_eq!((first.seq, &*first.region, &*first.access_key, &*first.line), (1, "eu-west-1", "AKID", "POST /"));
    assert_eq!((first.status, first.outcome, first.forwarded), (Some(200), CallOutcome::Answered, true));
    assert_eq!(first.reply.as_deref(), Some("Action=CreateVpc&Name=a+b"));
    assert_eq!(first.parameter("Name").as_deref(), Some("a b"));
    assert!(first.duration.is_some());
    assert_eq!(
        proxy.table(),
        "     1  ec2.CreateVpc              mutating\n\
         \x20    2  ec2.DescribeVpcs\n\
         \x20    1  ecs.CreateCluster          mutating\n\
         \x20    1  monitoring.PutMetricAlarm  mutating\n\
         \x20    5  total                      3 mutating, 0 failed\n"
    );
    assert_eq!(proxy.log().lines().count(), 5);
    assert!(proxy.log().contains("! ec2.CreateVpc (eu-west-1) 200"));

    proxy.clear();
    assert_eq!((proxy.count(), upstream.received().len()), (0, 5));
    call(&proxy, "ec2.DescribeVpcs").expect("a response");
    assert_eq!(proxy.calls()[0].seq, 6);
}

#[test]
fn connections_are_reused_on_both_sides_and_headers_are_forwarded() {
    let (upstream, proxy) = start();
    let mut stream = connect(&proxy.endpoint()).expect("a connection");
    for _ in 0..5 {
        let response = call_on(&mut stream, "ec2", "DescribeVpcs").expect("a response");
        assert_eq!(response.header("x-received-host"), Some(proxy.endpoint().trim_start_matches("http://")));
    }
    assert_eq!((proxy.count(), upstream.connections.load(Ordering::SeqCst)), (5, 1));
    // A request to the emulator's own API is forwarded, and not recorded as a call.
    send(&mut stream, "POST", "/holdfast/reset?a=b", &[], b"").expect("sent");
    assert_eq!(receive(&mut stream).expect("a response").text(), "/holdfast/reset?a=b");
    assert_eq!(proxy.count(), 5);
}

#[test]
fn a_throttled_call_gets_the_error_of_its_protocol_and_takes_no_effect() {
    let (upstream, proxy) = start();
    proxy.add_rule(Rule::new(Match::all(), Effect::Throttle));
    for (name, status, code) in [
        ("ec2.CreateVpc", 503, "<Code>RequestLimitExceeded</Code>"),
        ("iam.CreateRole", 400, "<Code>Throttling</Code>"),
        ("ecs.CreateCluster", 400, "\"__type\":\"ThrottlingException\""),
        ("monitoring.PutMetricAlarm", 400, "f__typesThrottlingExceptiongmessagemRate exceeded"),
    ] {
        let response = call(&proxy, name).expect("a response");
        assert_eq!(response.status, status, "{name}");
        assert!(response.text().contains(code), "{name}: {}", response.text());
        assert!(response.header("x-amzn-requestid").is_some());
    }
    assert!(upstream.received().is_empty());
    let calls = proxy.calls();
    assert!(calls.iter().all(|call| !call.forwarded && call.outcome == CallOutcome::Answered));
    assert_eq!(calls[0].status, Some(503));
    assert!(proxy.table().ends_with("4 mutating, 4 failed\n"));
}

#[test]
fn a_call_fails_before_its_effect_or_after_it() {
    let (upstream, proxy) = start();
    rule(&proxy, "ec2.*", Effect::fail(403, "UnauthorizedOperation"));
    rule(&proxy, "ecs.*", Effect::fail_after());
    let before = call(&proxy, "ec2.CreateVpc").expect("a response");
    assert_eq!(before.status, 403);
    assert!(before.text().contains("<Code>UnauthorizedOperation</Code>"));
    assert!(upstream.received().is_empty());
    let after = call(&proxy, "ecs.CreateCluster").expect("a response");
    assert_eq!((after.status, after.header("x-amzn-errortype")), (500, Some("InternalFailure")));
    assert_eq!(upstream.received(), ["{}"]);
    assert_eq!(proxy.calls().iter().map(|call| call.forwarded).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_connection_is_cut_before_the_effect_or_after_it() {
    let (upstream, proxy) = start();
    rule(&proxy, "ec2.CreateVpc", Effect::Cut);
    rule(&proxy, "ec2.CreateSubnet", Effect::CutAfter);
    // Over a connection that was used before, as by a client with a connection pool.
    let mut stream = connect(&proxy.endpoint()).expect("a connection");
    call_on(&mut stream, "ec2", "DescribeVpcs").expect("a response");
    assert!(call_on(&mut stream, "ec2", "CreateVpc").is_err());
    assert_eq!(upstream.received().len(), 1);
    assert!(call(&proxy, "ec2.CreateSubnet").is_err());
    assert_eq!(upstream.received().len(), 2);
    let ends: Vec<_> = proxy.calls().iter().map(|call| (call.outcome, call.status, call.forwarded)).collect();
    assert_eq!(ends[1..], [(CallOutcome::Cut, None, false), (CallOutcome::Cut, None, true)]);
    assert!(proxy.log().contains("cut, not forwarded"));
}

#[test]
fn a_reply_is_withheld_until_the_client_closes_the_connection() {
    let (upstream, proxy) = start();
    rule(&proxy, "ec2.CreateVpc", Effect::Withhold);
    rule(&proxy, "ec2.CreateSubnet", Effect::WithholdBefore);
    for (operation, effects) in [("CreateVpc", 1), ("CreateSubnet", 1)] {
        proxy.clear();
        let mut stream = connect(&proxy.endpoint()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        let error = call_on(&mut stream, "ec2", operation).expect_err("no response");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let is_withheld = |calls: &[Call]| calls.last().is_some_and(|call| call.outcome == CallOutcome::Withheld);
        proxy.wait_until(TIMEOUT, is_withheld).expect("a withheld reply");
        let withheld = proxy.calls().pop().expect("a call");
        assert_eq!((withheld.outcome, withheld.status, withheld.duration), (CallOutcome::Withheld, None, None));
        assert_eq!(upstream.received().len(), effects, "{operation}");
        drop(stream);
        proxy
            .wait_until(TIMEOUT, |calls| calls.last().is_some_and(|call| call.duration.is_some()))
            .expect("the end of the call");
    }
}

#[test]
fn delays_add_up_before_the_effect() {
    let (_upstream, proxy) = start();
    rule(&proxy, "ec2.*", Effect::Delay(Duration::from_millis(60)));
    rule(&proxy, "ec2.*", Effect::Delay(Duration::from_millis(60)));
    rule(&proxy, "ec2.*", Effect::Throttle);
    let start = Instant::now();
    assert_eq!(call(&proxy, "ec2.DescribeVpcs").expect("a response").status, 503);
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert!(proxy.calls()[0].duration.expect("a duration") >= Duration::from_millis(120));
}

#[test]
fn a_reply_is_replaced_or_rewritten() {
    let (upstream, proxy) = start();
    rule(&proxy, "ec2.DescribeVpcs", Effect::replace(200, "<none/>"));
    rule(
        &proxy,
        "ec2.DescribeSubnets",
        Effect::replace_with(|call| Reply::new(404, call.operation.clone()).header("x-own", "1")),
    );
    rule(&proxy, "ecs.*", Effect::rewrite(|_, reply| Reply { body: format!("was {}", reply.text()).into(), ..reply }));
    let fixed = call(&proxy, "ec2.DescribeVpcs").expect("a response");
    assert_eq!((fixed.status, &*fixed.text(), fixed.header("content-type")), (200, "<none/>", Some("text/xml")));
    let created = call(&proxy, "ec2.DescribeSubnets").expect("a response");
    assert_eq!((created.status, &*created.text(), created.header("x-own")), (404, "DescribeSubnets", Some("1")));
    assert!(upstream.received().is_empty());
    let rewritten = call(&proxy, "ecs.ListClusters").expect("a response");
    assert_eq!((rewritten.status, &*rewritten.text()), (200, "was {}"));
    assert_eq!(upstream.received(), ["{}"]);
}

#[test]
fn a_hook_is_called_before_the_effect_or_after_it() {
    let (upstream, proxy) = start();
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = |word: &'static str, result| {
        let (notes, received) = (notes.clone(), upstream.received.clone());
        move |call: &Call| {
            let effects = received.lock().expect("no panic").len();
            notes.lock().expect("no panic").push(format!("{word} {} {effects}", call.operation));
            result
        }
    };
    rule(&proxy, "ec2.*", Effect::before(note("before", HookResult::Continue)));
    rule(&proxy, "ec2.*", Effect::after(note("after", HookResult::Continue)));
    assert_eq!(call(&proxy, "ec2.CreateVpc").expect("a response").status, 200);
    assert_eq!(*notes.lock().expect("no panic"), ["before CreateVpc 0", "after CreateVpc 1"]);

    proxy.clear_rules();
    let id = rule(&proxy, "ec2.*", Effect::before(|_| HookResult::Cut));
    assert!(call(&proxy, "ec2.CreateVpc").is_err());
    assert_eq!((proxy.hits(id), upstream.received().len()), (1, 1));
    proxy.remove_rule(id);
    let id = rule(&proxy, "ec2.*", Effect::after(|_| HookResult::Cut));
    assert!(call(&proxy, "ec2.CreateVpc").is_err());
    assert_eq!((proxy.hits(id), upstream.received().len()), (1, 2));
    proxy.remove_rule(id);
    assert_eq!(proxy.hits(id), 0);
    assert_eq!(call(&proxy, "ec2.CreateVpc").expect("a response").status, 200);
}

#[test]
fn a_process_is_killed_before_the_effect_or_after_it() {
    let (upstream, proxy) = start();
    let shell = crate::Holdfast::new(&proxy.env()).binary("/bin/sh").folder("/");
    for (when, effects) in [(When::Before, 0), (When::After, 1)] {
        let daemon = shell.spawn(["-c", "exec sleep 60"]).expect("a daemon");
        let changes = Match::changes().only(1);
        let id = proxy.add_rule(Rule::new(changes, Effect::kill(&daemon.kill_target(), when)));
        call(&proxy, "ec2.DescribeVpcs").expect("a response");
        assert!(daemon.is_running());
        let before = upstream.received().len();
        assert!(call(&proxy, "ec2.CreateVpc").is_err());
        assert!(!daemon.is_running());
        assert_eq!((proxy.hits(id), upstream.received().len() - before), (1, effects));
        proxy.clear_rules();
    }
}

#[test]
fn a_received_call_completes_after_the_client_disconnects() {
    let (upstream, proxy) = start();
    rule(&proxy, "ec2.*", Effect::Delay(Duration::from_millis(100)));
    let mut stream = connect(&proxy.endpoint()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a limit");
    assert!(call_on(&mut stream, "ec2", "CreateVpc").is_err());
    proxy.wait_until(TIMEOUT, |calls| !calls.is_empty()).expect("a received call");
    drop(stream);
    proxy.wait_until(TIMEOUT, |calls| calls[0].duration.is_some()).expect("the end of the call");
    assert_eq!(upstream.received().len(), 1);
}

#[test]
fn a_rule_counts_the_matching_calls() {
    let statuses = |matches: Match, calls: &[&str]| -> Vec<u16> {
        let (_upstream, proxy) = start();
        proxy.add_rule(Rule::new(matches, Effect::replace(418, "")));
        calls.iter().map(|name| call(&proxy, name).expect("a response").status).collect()
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
    let selected = statuses(Match::all().random(0.5, 7), &many);
    assert_eq!(selected, statuses(Match::all().random(0.5, 7), &many));
    assert!(selected.contains(&hit) && selected.contains(&pass));
    assert_eq!(statuses(Match::all().random(1.0, 7), &reads), [hit; 5]);
}

#[test]
fn of_two_exclusive_effects_the_first_applies() {
    let (_upstream, proxy) = start();
    let first = proxy.add_rule(Rule::new(Match::all().from(2), Effect::replace(418, "")));
    let second = rule(&proxy, "ec2.*", Effect::Throttle);
    assert_eq!(call(&proxy, "ec2.DescribeVpcs").expect("a response").status, 503);
    assert_eq!(call(&proxy, "ec2.DescribeVpcs").expect("a response").status, 418);
    assert_eq!((proxy.hits(first), proxy.hits(second)), (1, 1));
}

#[test]
fn an_unreachable_emulator_gives_status_502() {
    let proxy = Proxy::start("http://127.0.0.1:1").expect("a proxy");
    let response = call(&proxy, "ec2.DescribeVpcs").expect("a response");
    assert_eq!(response.status, 502);
    assert!(response.text().contains("the emulator did not respond"), "{}", response.text());
    assert_eq!(proxy.calls()[0].outcome, CallOutcome::BadGateway);
}

#[tokio::test]
async fn the_proxy_starts_and_stops_in_an_asynchronous_test() {
    let proxy = Proxy::start("http://127.0.0.1:1").expect("a proxy");
    let endpoint = proxy.endpoint();
    assert!(connect(&endpoint).is_ok());
    drop(proxy);
}
