//! The path of a request through the proxy: identify, record, apply the rules, forward, reply.

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

use super::call::{Call, CallOutcome};
use super::call_log::CallLog;
use super::fault;
use super::rule::{Effect, HookResult, Reply, When};
use super::wire::{self, RequestIdentity};

/// The headers that belong to one connection. They are not forwarded.
const HOP_BY_HOP: [HeaderName; 8] =
    [CONNECTION, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// The state that all connections share.
pub(crate) struct Relay {
    pub(crate) call_log: CallLog,
    upstream: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// The result of a call for the client.
enum ClientResult {
    Reply(Reply),
    Cut,
    Withhold(u64),
}

/// The error that closes the connection: hyper drops a connection when its service fails.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by a rule")
    }
}

impl std::error::Error for Cut {}

/// Records the end of a withheld call when its future is dropped.
struct AbandonGuard(Arc<Relay>, u64);

impl Drop for AbandonGuard {
    fn drop(&mut self) {
        self.0.call_log.mark_abandoned(self.1);
    }
}

impl Relay {
    pub(crate) fn new(upstream: &str) -> Relay {
        let mut connector = HttpConnector::new();
        // Otherwise each small request waits 40 ms for the delayed acknowledgement of the previous one.
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Relay { call_log: CallLog::new(), upstream: upstream.trim_end_matches('/').to_owned(), client }
    }

    /// Serves connections until the runtime ends.
    pub(crate) async fn serve(self: Arc<Relay>, listener: TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(self.clone().connection(stream))),
                // No file descriptor is free until a connection closes. The pause avoids a busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn connection(self: Arc<Relay>, stream: TcpStream) {
        // A failure only costs latency.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| self.clone().respond(request));
        // An error means that the client disconnected or that a rule cut the call. The call log has both.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn respond(self: Arc<Relay>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        // In a task of its own: a received call completes even when the client is killed meanwhile.
        let result = tokio::spawn(self.clone().process(parts, body)).await;
        match result.unwrap_or(ClientResult::Cut) {
            ClientResult::Reply(reply) => Ok(to_response(reply)),
            ClientResult::Cut => Err(Cut),
            ClientResult::Withhold(seq) => {
                let _guard = AbandonGuard(self, seq);
                std::future::pending().await
            }
        }
    }

    async fn process(self: Arc<Relay>, parts: Parts, body: Bytes) -> ClientResult {
        let Some(identity) = wire::identify(&parts, &body) else {
            return ClientResult::Reply(self.forward(&parts, body).await.unwrap_or_else(|reply| reply));
        };
        let line = format!("{} {}", parts.method, parts.uri);
        let (call, effects) = self.call_log.record(&identity, line, &body);
        let call = Arc::new(call);
        let id = format!("holdfast-proxy-{:06}", call.seq);
        let exclusive = effects.iter().find(|effect| effect.is_exclusive());

        for effect in &effects {
            match effect {
                Effect::Delay(time) => tokio::time::sleep(*time).await,
                effect if hook(effect, When::Before, &call).await == HookResult::Cut => return self.cut(&call),
                _ => {}
            }
        }
        match exclusive {
            Some(Effect::Throttle) => {
                let (status, code, message) = fault::throttle(&identity);
                return self.reply(&call, fault::error(&identity, status, code, message, &id));
            }
            Some(Effect::Fail { status, code }) => {
                return self.reply(&call, failure(&identity, *status, code, &id));
            }
            Some(Effect::Replace(make)) => {
                return self.reply(&call, fault::add_protocol_headers(&identity, make(&call)));
            }
            Some(Effect::Cut) => return self.cut(&call),
            Some(Effect::WithholdBefore) => return self.withhold(&call),
            _ => {}
        }

        self.call_log.mark_forwarded(call.seq);
        let reply = match self.forward(&parts, body).await {
            Ok(reply) => reply,
            Err(reply) => {
                self.call_log.finish(call.seq, CallOutcome::BadGateway, Some(&reply));
                return ClientResult::Reply(reply);
            }
        };
        for effect in &effects {
            if hook(effect, When::After, &call).await == HookResult::Cut {
                return self.cut(&call);
            }
        }
        match exclusive {
            Some(Effect::FailAfter { status, code }) => self.reply(&call, failure(&identity, *status, code, &id)),
            Some(Effect::Rewrite(rewrite)) => {
                let mut reply = rewrite(&call, reply);
                reply.headers.remove(CONTENT_LENGTH);
                self.reply(&call, fault::add_protocol_headers(&identity, reply))
            }
            Some(Effect::CutAfter) => self.cut(&call),
            Some(Effect::Withhold) => self.withhold(&call),
            _ => self.reply(&call, reply),
        }
    }

    fn reply(&self, call: &Call, reply: Reply) -> ClientResult {
        self.call_log.finish(call.seq, CallOutcome::Answered, Some(&reply));
        ClientResult::Reply(reply)
    }

    fn cut(&self, call: &Call) -> ClientResult {
        self.call_log.finish(call.seq, CallOutcome::Cut, None);
        ClientResult::Cut
    }

    fn withhold(&self, call: &Call) -> ClientResult {
        self.call_log.finish(call.seq, CallOutcome::Withheld, None);
        ClientResult::Withhold(call.seq)
    }

    /// Forwards a request to the emulator. The error is a reply with status 502 and the cause.
    async fn forward(&self, parts: &Parts, body: Bytes) -> Result<Reply, Reply> {
        let bad_gateway = |cause: String| Reply::new(502, cause).header("content-type", "text/plain");
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = format!("{}{path}", self.upstream)
            .parse()
            .map_err(|error| bad_gateway(format!("{path} cannot be forwarded: {error}")))?;
        *request.headers_mut() = end_to_end(&parts.headers);
        let response = self.client.request(request).await;
        let response =
            response.map_err(|error| bad_gateway(format!("the emulator did not respond: {}", chain(&error))))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await;
        let body =
            body.map_err(|error| bad_gateway(format!("the response of the emulator ended early: {}", chain(&error))))?;
        let mut headers = end_to_end(&head.headers);
        // Only in a response to HEAD does the length differ from the length of the body.
        if parts.method != Method::HEAD {
            headers.remove(CONTENT_LENGTH);
        }
        Ok(Reply { status: head.status.as_u16(), headers, body: body.to_bytes() })
    }
}

/// Runs the effect if it is a hook for this point, on a thread that may block. A hook that panics cuts the call.
async fn hook(effect: &Effect, now: When, call: &Arc<Call>) -> HookResult {
    match effect {
        Effect::Hook { when, hook } if *when == now => {
            let (hook, call) = (hook.clone(), call.clone());
            tokio::task::spawn_blocking(move || hook(&call)).await.unwrap_or(HookResult::Cut)
        }
        _ => HookResult::Continue,
    }
}

fn failure(identity: &RequestIdentity, status: u16, code: &str, id: &str) -> Reply {
    fault::error(identity, status, code, "injected by the proxy", id)
}

fn to_response(reply: Reply) -> Response<Full<Bytes>> {
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
