//! The way of one request through the proxy: identify, record, apply the rules, forward, answer.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use super::fault;
use super::journal::{Call, Journal, Outcome};
use super::rule::{Effect, Reply, Then, When};
use super::wire::{self, Wire};

/// What belongs to one connection and is not passed on.
const HOP_BY_HOP: [HeaderName; 8] =
    [CONNECTION, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// What all connections share.
pub(crate) struct Relay {
    pub(crate) journal: Journal,
    upstream: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What the client is to see of its call.
enum Verdict {
    Answer(Reply),
    Cut,
    Hold(u64),
}

/// Closes the connection: hyper drops it when a service fails.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by a rule")
    }
}

impl std::error::Error for Cut {}

/// Notes the end of a wait whose future is dropped.
struct Abandon(Arc<Relay>, u64);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.journal.abandon(self.1);
    }
}

impl Relay {
    pub(crate) fn new(upstream: &str) -> Relay {
        let mut connector = HttpConnector::new();
        // Without it each small request waits for the delayed acknowledgement of the one before, 40 ms.
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Relay { journal: Journal::new(), upstream: upstream.trim_end_matches('/').to_owned(), client }
    }

    /// Serves for as long as the runtime lives.
    pub(crate) async fn serve(self: Arc<Relay>, listener: TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(self.clone().connection(stream))),
                // Descriptors have run out, and come back when a connection closes: not worth a busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn connection(self: Arc<Relay>, stream: TcpStream) {
        // Only a delay is lost where this fails.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| self.clone().answer(request));
        // An error here is a client that left, or a rule that cut: both are in the journal.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(self: Arc<Relay>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        // A task of its own: what was received runs to its end, even when the client is killed meanwhile.
        let verdict = tokio::spawn(self.clone().judge(parts, body)).await;
        match verdict.unwrap_or(Verdict::Cut) {
            Verdict::Answer(reply) => Ok(respond(reply)),
            Verdict::Cut => Err(Cut),
            Verdict::Hold(seq) => {
                let _abandon = Abandon(self, seq);
                std::future::pending().await
            }
        }
    }

    async fn judge(self: Arc<Relay>, parts: Parts, body: Bytes) -> Verdict {
        let Some(wire) = wire::identify(&parts, &body) else {
            return Verdict::Answer(self.forward(&parts, body).await.unwrap_or_else(|reply| reply));
        };
        let line = format!("{} {}", parts.method, parts.uri);
        let (call, effects) = self.journal.open(&wire, line, &body);
        let call = Arc::new(call);
        let id = format!("holdfast-proxy-{:06}", call.seq);
        let decision = effects.iter().find(|effect| effect.decides());

        for effect in &effects {
            match effect {
                Effect::Delay(time) => tokio::time::sleep(*time).await,
                effect if hook(effect, When::Before, &call).await == Then::Cut => return self.cut(&call),
                _ => {}
            }
        }
        match decision {
            Some(Effect::Throttle) => {
                let (status, code, message) = fault::throttle(&wire);
                return self.reply(&call, fault::error(&wire, status, code, message, &id));
            }
            Some(Effect::Fail { status, code }) => {
                return self.reply(&call, failure(&wire, *status, code, &id));
            }
            Some(Effect::Replace(make)) => return self.reply(&call, fault::dress(&wire, make(&call))),
            Some(Effect::Cut) => return self.cut(&call),
            Some(Effect::WithholdBefore) => return self.hold(&call),
            _ => {}
        }

        self.journal.forward(call.seq);
        let reply = match self.forward(&parts, body).await {
            Ok(reply) => reply,
            Err(reply) => {
                self.journal.close(call.seq, Outcome::Lost, Some(&reply));
                return Verdict::Answer(reply);
            }
        };
        for effect in &effects {
            if hook(effect, When::After, &call).await == Then::Cut {
                return self.cut(&call);
            }
        }
        match decision {
            Some(Effect::FailAfter { status, code }) => self.reply(&call, failure(&wire, *status, code, &id)),
            Some(Effect::Rewrite(rewrite)) => {
                let mut reply = rewrite(&call, reply);
                reply.headers.remove(CONTENT_LENGTH);
                self.reply(&call, fault::dress(&wire, reply))
            }
            Some(Effect::CutAfter) => self.cut(&call),
            Some(Effect::Withhold) => self.hold(&call),
            _ => self.reply(&call, reply),
        }
    }

    fn reply(&self, call: &Call, reply: Reply) -> Verdict {
        self.journal.close(call.seq, Outcome::Answered, Some(&reply));
        Verdict::Answer(reply)
    }

    fn cut(&self, call: &Call) -> Verdict {
        self.journal.close(call.seq, Outcome::Cut, None);
        Verdict::Cut
    }

    fn hold(&self, call: &Call) -> Verdict {
        self.journal.close(call.seq, Outcome::Withheld, None);
        Verdict::Hold(call.seq)
    }

    /// Asks the emulator; the error is a reply too, 502 with what went wrong.
    async fn forward(&self, parts: &Parts, body: Bytes) -> Result<Reply, Reply> {
        let lost = |what: String| Reply::new(502, what).header("content-type", "text/plain");
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = format!("{}{path}", self.upstream)
            .parse()
            .map_err(|error| lost(format!("{path} is not a path to forward: {error}")))?;
        *request.headers_mut() = end_to_end(&parts.headers);
        let response = self.client.request(request).await;
        let response = response.map_err(|error| lost(format!("the emulator failed to answer: {}", chain(&error))))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await;
        let body = body.map_err(|error| lost(format!("the emulator broke off its answer: {}", chain(&error))))?;
        let mut headers = end_to_end(&head.headers);
        // Only the answer to a HEAD has a length that is not its body's.
        if parts.method != Method::HEAD {
            headers.remove(CONTENT_LENGTH);
        }
        Ok(Reply { status: head.status.as_u16(), headers, body: body.to_bytes() })
    }
}

/// Runs the effect if it is a hook for this moment, where it may block. A hook that panics cuts the call.
async fn hook(effect: &Effect, now: When, call: &Arc<Call>) -> Then {
    match effect {
        Effect::Hook { when, hook } if *when == now => {
            let (hook, call) = (hook.clone(), call.clone());
            tokio::task::spawn_blocking(move || hook(&call)).await.unwrap_or(Then::Cut)
        }
        _ => Then::Go,
    }
}

fn failure(wire: &Wire, status: u16, code: &str, id: &str) -> Reply {
    fault::error(wire, status, code, "injected by the proxy", id)
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = end_to_end(&reply.headers);
    response
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
