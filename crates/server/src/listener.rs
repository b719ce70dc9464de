//! The HTTP listener: /metrics, /healthz, /readyz and an index.

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
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::metrics::Metrics;
use crate::page::Format;

/// How long open requests may take after a stop: every answer is at hand at once, so this is for slow readers,
/// well inside the 30 s of the whole stop.
const GRACE: Duration = Duration::from_secs(2);

const PLAIN: &str = "text/plain; charset=utf-8";

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("cannot listen on {address} for metrics; choose another address with `--listen`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A listener that answers until it is stopped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on an address and answers, until `stop` turns true. Port 0 takes any that is free.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn listen(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        stop: watch::Receiver<bool>,
    ) -> Result<Server, ListenError> {
        let bind = |source| ListenError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        if !address.ip().is_loopback() {
            tracing::warn!(target: "holdfast::listener", %address, "the listener can be reached from other hosts, and asks nobody who they are");
        }
        let serving = axum::serve(listener, router(metrics)).with_graceful_shutdown(stopped(stop.clone()));
        let task = tokio::spawn(async move {
            tokio::select! {
                end = serving => {
                    if let Err(error) = end {
                        tracing::error!(target: "holdfast::listener", %error, "the listener ended");
                    }
                }
                () = async { stopped(stop).await; tokio::time::sleep(GRACE).await } => {}
            }
        });
        Ok(Server { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped: at most two seconds after it was told to.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(target: "holdfast::listener", %error, "the listener ended");
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // Nobody left to say stop means stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn router(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(page))
        .route("/healthz", get(async |State(metrics): State<Arc<Metrics>>| answer(metrics.alive())))
        .route("/readyz", get(async |State(metrics): State<Arc<Metrics>>| answer(metrics.ready())))
        .fallback(async || (StatusCode::NOT_FOUND, "nothing is here; / lists what there is\n"))
        .with_state(metrics)
}

async fn index(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    let version = env!("CARGO_PKG_VERSION");
    let owner = metrics.owner();
    let text = format!(
        "holdfast {version}, holding {owner}\n\n\
         /metrics  what it sees and does, for Prometheus\n\
         /healthz  whether its loop lives\n\
         /readyz   whether a first pass has ended without error\n"
    );
    ([(CONTENT_TYPE, PLAIN)], text)
}

async fn page(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    match metrics.page(format) {
        Ok(page) => (StatusCode::OK, [(CONTENT_TYPE, format.content_type())], page),
        Err(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, PLAIN)], "the page cannot be written\n".to_owned())
        }
    }
}

fn answer(sentence: Result<String, String>) -> impl IntoResponse {
    let (status, sentence) = match sentence {
        Ok(sentence) => (StatusCode::OK, sentence),
        Err(sentence) => (StatusCode::SERVICE_UNAVAILABLE, sentence),
    };
    (status, [(CONTENT_TYPE, PLAIN), (CACHE_CONTROL, "no-store")], sentence + "\n")
}
