//! The process and the network: proxies of the environment, and a stop while AWS does not respond.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use holdfast_tests::{Effect, Match, Rule, TestEnv};
use serde_json::json;

/// Accepts one connection, refuses its request, and returns the first line of the request.
fn proxy() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let task = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = [0; 512];
        let length = stream.read(&mut head).expect("a request");
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned()
    });
    (address, task)
}

#[test]
fn calls_use_the_proxy_of_the_environment() {
    let test_env = TestEnv::start().expect("a test environment");
    let path = test_env.stack("network", &json!({"Queue/q": {}})).expect("a stack");
    for (variable, endpoint, request) in [
        ("HTTP_PROXY", "http://aws.example.invalid", "POST http://aws.example.invalid/ HTTP/1.1"),
        ("HTTPS_PROXY", "https://aws.example.invalid", "CONNECT aws.example.invalid:443 HTTP/1.1"),
    ] {
        let (address, task) = proxy();
        let holdfast = test_env.holdfast().set(variable, &address).set("AWS_ENDPOINT_URL", endpoint);
        let run = holdfast.run(["plan", &path, "-e", "test"]).expect("a run").expect(1);
        assert_eq!(task.join().expect("no panic"), request, "{run}");
    }
}

#[test]
fn local_hosts_and_those_of_no_proxy_are_reached_directly() {
    let test_env = TestEnv::start().expect("a test environment");
    let path = test_env.stack("network", &json!({"Queue/q": {}})).expect("a stack");
    // No process listens at this address. The endpoint of the sandbox is on loopback.
    let unused = "http://127.0.0.1:9";
    let holdfast = test_env.holdfast().set("HTTP_PROXY", unused).set("HTTPS_PROXY", unused);
    holdfast.run(["plan", &path, "-e", "test"]).expect("a run").expect(2);
    let excepted = holdfast.set("NO_PROXY", ".invalid").set("AWS_ENDPOINT_URL", "http://aws.example.invalid");
    let run = excepted.run(["plan", &path, "-e", "test"]).expect("a run").expect(1);
    assert!(!run.stderr.contains("127.0.0.1:9"), "{run}");
}

#[test]
fn a_daemon_stops_in_time_while_the_account_is_unknown() {
    let test_env = TestEnv::start().expect("a test environment");
    let path = test_env.stack("network", &json!({"Queue/q": {}})).expect("a stack");
    test_env.proxy.add_rule(Rule::new(Match::calls("sts.GetCallerIdentity"), Effect::Withhold));
    let holdfast = test_env.holdfast().set("HOLDFAST_CALL_TIMEOUT", "60s").set("HOLDFAST_TIME_SCALE", "1");
    let daemon = holdfast.spawn(["reconcile", &path, "-e", "test", "--listen", "127.0.0.1:0"]).expect("a start");
    test_env.proxy.wait_until(Duration::from_secs(30), |calls| !calls.is_empty()).expect("the account is asked");
    let began = Instant::now();
    daemon.stop(Duration::from_secs(30)).expect("a stop").expect(0);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
