//! The listener over HTTP, on a free port.

use std::net::SocketAddr;
use std::time::Duration;

use holdfast_core::plan::Cause;
use holdfast_engine::pass::PassError;
use holdfast_server::{ListenError, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::page::{every_event, lint};
use crate::test_plan::{TestPlan, change, metrics};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

struct Response {
    status: u16,
    content_type: String,
    body: String,
}

async fn get(address: SocketAddr, path: &str, accept: &str) -> Response {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let header = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, content_type: header.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn the_pages_follow_the_events() {
    let metrics = metrics();
    let (stop, stopping) = watch::channel(false);
    let server = Server::listen(ANY, metrics.clone(), stopping).await.unwrap();
    let address = server.address();

    let health = get(address, "/healthz", "*/*").await;
    assert_eq!((health.status, &*health.body), (200, "alive: the loop made progress 0 s ago\n"));
    let ready = get(address, "/readyz", "*/*").await;
    assert_eq!((ready.status, &*ready.body), (503, "not ready: the first pass has not ended\n"));
    metrics.ended(Err(&PassError::ObservationFailed("no route to host".into())));
    let ready = get(address, "/readyz", "*/*").await;
    assert_eq!(ready.status, 503);
    assert!(
        ready.body.ends_with("nothing could be observed, so nothing was done: no route to host\n"),
        "{}",
        ready.body
    );

    every_event(&metrics);
    assert_eq!(get(address, "/readyz", "*/*").await.body, "ready\n");
    let index = get(address, "/", "*/*").await;
    assert!(index.status == 200 && index.body.contains("mashroom/prod") && index.body.contains("/metrics"));
    assert_eq!(get(address, "/nothing", "*/*").await.status, 404);

    let page = get(address, "/metrics", "*/*").await;
    assert_eq!((page.status, &*page.content_type), (200, "text/plain; version=0.0.4; charset=utf-8"));
    lint(&page.body);
    let open = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    let page = get(address, "/metrics", open).await;
    assert_eq!(page.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(page.body.ends_with("# EOF\n"));

    let drift = TestPlan::of(&["Subnet/a"]).differs("Subnet/a", Cause::Drift, vec![change("tags.team", "x", "y")]);
    drift.begins_pass(&*metrics);
    let page = get(address, "/metrics", "").await.body;
    let line = r#"holdfast_drifted_resources{stack="mashroom",env="prod",tier="network",kind="Subnet"} 1"#;
    assert!(page.lines().any(|l| l == line), "{page}");

    stop.send(true).unwrap();
    server.stopped().await;
    assert!(TcpStream::connect(address).await.is_err(), "the listener has ended");
}

#[tokio::test]
async fn a_stop_does_not_wait_forever_for_a_slow_client() {
    let (stop, stopping) = watch::channel(false);
    let server = Server::listen(ANY, metrics(), stopping).await.unwrap();
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let read = slow.read(&mut [0; 1024]).await.unwrap();
    assert!(read > 0, "the connection is accepted");
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server.stopped()).await.expect("a stop within its grace period");
}

/// Opens a connection whose request never ends.
async fn half_request(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nX-a: ").await.unwrap();
    stream
}

#[tokio::test]
async fn slow_clients_do_not_keep_others_from_a_response() {
    let (_stop, stopping) = watch::channel(false);
    let server = Server::listen(ANY, metrics(), stopping).await.unwrap();
    let mut slow = vec![];
    for _ in 0..100 {
        slow.push(half_request(server.address()).await);
    }
    let response = tokio::time::timeout(Duration::from_secs(10), get(server.address(), "/healthz", "*/*")).await;
    assert_eq!(response.expect("a response").status, 200);
    let mut closed = 0;
    for mut stream in slow.drain(..69) {
        let end = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut [0; 64])).await;
        closed += usize::from(matches!(end, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 69, "the oldest of the connections beyond the limit are closed");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_whole_request_is_closed() {
    let (_stop, stopping) = watch::channel(false);
    let server = Server::listen(ANY, metrics(), stopping).await.unwrap();
    let mut half = half_request(server.address()).await;
    let began = tokio::time::Instant::now();
    let mut response = vec![];
    half.read_to_end(&mut response).await.expect("the listener closes the connection");
    assert!(began.elapsed() <= Duration::from_secs(21), "{:?}", began.elapsed());

    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let mut response = vec![];
    idle.read_to_end(&mut response).await.expect("the listener closes an idle connection");
    assert!(response.starts_with(b"HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_port_that_is_already_in_use_is_one_clear_error() {
    let (_stop, stopping) = watch::channel(false);
    let first = Server::listen(ANY, metrics(), stopping.clone()).await.unwrap();
    let second = Server::listen(first.address(), metrics(), stopping).await;
    let error @ ListenError::Bind { .. } = second.expect_err("an error");
    let address = first.address();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {address} for metrics; choose another address with `--listen`")
    );
    assert!(std::error::Error::source(&error).is_some());
}
