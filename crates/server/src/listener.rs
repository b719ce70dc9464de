//! The HTTP listener: `/metrics`, `/healthz`, `/readyz` and an index.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;
use crate::page::Format;
use crate::samples;

/// How long open requests may take after a stop. Responses are computed at once, so this time is for slow clients. It
/// is far below the 30 s of the whole stop.
const GRACE_PERIOD: Duration = Duration::from_secs(2);

/// The largest number of open connections: enough for two Prometheus servers, the probes of an orchestrator and some
/// people, and a small part of the 1024 descriptors that a process has by default, because calls to AWS need the rest.
/// One more connection closes the oldest one. A response takes milliseconds, so the oldest connection is idle or slow.
const MAX_CONNECTIONS: usize = 32;

/// How long a connection may take to send the headers of a request, and how long it may be idle between two requests.
/// The value is no usual scrape interval, so a connection rarely ends at the moment of a scrape.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);

/// The pause after a connection could not be accepted, for example because the process has no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

const PLAIN: &str = "text/plain; charset=utf-8";

/// The error of the listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is not available, for example because its port is already in use.
    #[error("cannot listen on {address} for metrics; choose another address with `--listen`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// The HTTP listener, which serves requests until it is stopped. It has no authentication.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on an address until `stop` turns true. Port 0 selects a free port.
    ///
    /// # Errors
    /// Returns an error when the address is not available.
    pub async fn listen(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        stop: watch::Receiver<bool>,
    ) -> Result<Server, ListenError> {
        let bind = |source| ListenError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        if !address.ip().is_loopback() {
            tracing::warn!(target: "holdfast::listener", %address, "the listener is reachable from other hosts, and has no authentication");
        }
        let task = tokio::spawn(serve(listener, router(metrics), stop));
        Ok(Server { address, task })
    }

    /// Returns the address of the listener, with its actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the listener has ended, at most two seconds after the stop.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(target: "holdfast::listener", %error, "the listener ended");
        }
    }
}

/// Accepts connections until `stop` turns true, and then waits for the open ones.
async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    let mut connections: VecDeque<JoinHandle<()>> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(stop.clone()) => break,
            accepted = listener.accept() => accepted,
        };
        connections.retain(|connection| !connection.is_finished());
        match accepted {
            Ok((stream, _)) => {
                if connections.len() >= MAX_CONNECTIONS
                    && let Some(oldest) = connections.pop_front()
                {
                    oldest.abort();
                }
                connections.push_back(tokio::spawn(serve_connection(stream, router.clone(), stop.clone())));
            }
            Err(error) => {
                tracing::debug!(target: "holdfast::listener", %error, "a connection could not be accepted");
                // The oldest connection may be what uses the last descriptor.
                connections.pop_front().into_iter().for_each(|oldest| oldest.abort());
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ends = async {
        for connection in &mut connections {
            let _ = connection.await;
        }
    };
    let _ = timeout(GRACE_PERIOD, ends).await;
    connections.iter().for_each(JoinHandle::abort);
}

/// Serves the requests of one connection. After a stop, the request that has begun is the last one.
async fn serve_connection(stream: TcpStream, router: Router, stop: watch::Receiver<bool>) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A connection that a client breaks off is no error of the listener.
        _ = &mut connection => return,
        () = stopped(stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender no longer exists, which counts as a stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn router(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(page))
        .route("/healthz", get(async |State(metrics): State<Arc<Metrics>>| respond(metrics.alive())))
        .route("/readyz", get(async |State(metrics): State<Arc<Metrics>>| respond(metrics.ready())))
        .fallback(async || (StatusCode::NOT_FOUND, "not found; the index is at /\n"))
        .with_state(metrics)
}

async fn index(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    let version = env!("CARGO_PKG_VERSION");
    let (stack, env) = metrics.owner();
    let text = format!(
        "holdfast {version}, reconciling {stack}/{env}\n\n\
         /metrics  metrics for Prometheus\n\
         /healthz  200 while the reconciliation loop makes progress\n\
         /readyz   200 while passes end without an error\n"
    );
    ([(CONTENT_TYPE, PLAIN)], text)
}

async fn page(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    match samples::page(&metrics, format) {
        Ok(page) => (StatusCode::OK, [(CONTENT_TYPE, format.content_type())], page),
        Err(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, PLAIN)], "the page cannot be encoded\n".to_owned())
        }
    }
}

fn respond(sentence: Result<String, String>) -> impl IntoResponse {
    let (status, sentence) = match sentence {
        Ok(sentence) => (StatusCode::OK, sentence),
        Err(sentence) => (StatusCode::SERVICE_UNAVAILABLE, sentence),
    };
    (status, [(CONTENT_TYPE, PLAIN), (CACHE_CONTROL, "no-store")], sentence + "\n")
}
