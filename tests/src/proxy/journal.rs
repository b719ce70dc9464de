//! What the proxy saw: one record for each call, in the order of arrival.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::rule::{Armed, Effect, Reply};
use super::wire::{Wire, pairs};

/// Above every reply a test has had reason to look into; longer ones would fill the memory of a long run.
const SMALL: usize = 64 * 1024;

/// One call.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Its number, from 1 in the order of arrival; goes on after [`super::Proxy::clear`].
    pub seq: u64,
    /// The name the service signs with: `ec2`, `elasticloadbalancing`, `monitoring`; `unsigned` without a signature.
    pub service: String,
    /// The region it was signed for.
    pub region: String,
    /// The operation; for REST services the method and the template of the path: `GET /2013-04-01/hostedzone/{id}`.
    pub operation: String,
    /// Whether it changes something, told from the operation's first word or the method.
    pub mutating: bool,
    /// Whose signature: the access key.
    pub access_key: String,
    /// Method, path and query string.
    pub line: String,
    /// The request's body as text.
    pub body: String,
    /// The status of the answer the client got, if it got one.
    pub status: Option<u16>,
    /// The body of that answer, when it is small.
    pub reply: Option<String>,
    /// Whether the call reached the emulator, so that it may have taken effect.
    pub forwarded: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// When it arrived, since the proxy started.
    pub at: Duration,
    /// How long it took, once it is over.
    pub took: Option<Duration>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Not yet.
    Open,
    /// The client got an answer: the emulator's or a rule's.
    Answered,
    /// A rule closed the connection.
    Cut,
    /// A rule keeps the answer back; `took` is set when the client has given up.
    Withheld,
    /// The emulator failed to answer; the client got 502.
    Lost,
}

impl Call {
    /// `service.Operation`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.service, self.operation)
    }

    /// The parameters of a query-protocol call, decoded, in the order sent.
    pub fn parameters(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// The parameter `name` of a query-protocol call.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    fn failed(&self) -> bool {
        self.status.is_none_or(|status| status >= 400) && self.outcome != Outcome::Open
    }
}

/// The records and the rules behind one lock, so that rules count calls in the order they are recorded in.
pub(crate) struct Journal {
    ledger: Mutex<Ledger>,
    changed: Condvar,
    started: Instant,
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) calls: Vec<Call>,
    pub(crate) rules: Vec<Armed>,
    pub(crate) rules_added: u64,
    opened: u64,
}

impl Journal {
    pub(crate) fn new() -> Journal {
        Journal { ledger: Mutex::default(), changed: Condvar::new(), started: Instant::now() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the arrival of a call, and says what the rules do to it.
    pub(crate) fn open(&self, wire: &Wire, line: String, body: &[u8]) -> (Call, Vec<Effect>) {
        let mut ledger = self.lock();
        ledger.opened += 1;
        let call = Call {
            seq: ledger.opened,
            service: wire.service.clone(),
            region: wire.region.clone(),
            operation: wire.operation.clone(),
            mutating: wire.mutating,
            access_key: wire.access_key.clone(),
            line,
            body: String::from_utf8_lossy(body).into_owned(),
            status: None,
            reply: None,
            forwarded: false,
            outcome: Outcome::Open,
            at: self.started.elapsed(),
            took: None,
        };
        ledger.calls.push(call.clone());
        let mut effects = Vec::new();
        let mut decided = false;
        for rule in &mut ledger.rules {
            let applies = rule.applies(&call);
            if applies && !(decided && rule.decides()) {
                decided |= rule.decides();
                effects.push(rule.hit());
            }
        }
        drop(ledger);
        self.changed.notify_all();
        (call, effects)
    }

    /// Notes that the emulator has the call now.
    pub(crate) fn forward(&self, seq: u64) {
        self.amend(seq, |call| call.forwarded = true);
    }

    /// Notes how a call ended.
    pub(crate) fn close(&self, seq: u64, outcome: Outcome, reply: Option<&Reply>) {
        let now = self.started.elapsed();
        self.amend(seq, |call| {
            call.outcome = outcome;
            call.status = reply.map(|reply| reply.status);
            call.reply = reply.filter(|reply| reply.body.len() <= SMALL).map(Reply::text);
            call.took = (outcome != Outcome::Withheld).then(|| now.saturating_sub(call.at));
        });
    }

    /// Notes that the client gave up waiting.
    pub(crate) fn abandon(&self, seq: u64) {
        let now = self.started.elapsed();
        self.amend(seq, |call| call.took = Some(now.saturating_sub(call.at)));
    }

    fn amend(&self, seq: u64, change: impl FnOnce(&mut Call)) {
        let mut ledger = self.lock();
        // A call that was cleared meanwhile has no record any more.
        if let Ok(at) = ledger.calls.binary_search_by_key(&seq, |call| call.seq) {
            change(&mut ledger.calls[at]);
        }
        drop(ledger);
        self.changed.notify_all();
    }

    /// Waits until the records are as `wanted`; false when the time is up before.
    pub(crate) fn wait(&self, limit: Duration, mut wanted: impl FnMut(&[Call]) -> bool) -> bool {
        let open = |ledger: &mut Ledger| !wanted(&ledger.calls);
        let waited = self.changed.wait_timeout_while(self.lock(), limit, open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// How often each `service.Operation` was called.
pub(crate) fn count(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.name()).or_default() += 1;
    }
    counts
}

/// The counts for people: a line an operation, and a sum.
pub(crate) fn table(calls: &[Call]) -> String {
    let mut rows: BTreeMap<String, (usize, usize, bool)> = BTreeMap::new();
    for call in calls {
        let row = rows.entry(call.name()).or_default();
        *row = (row.0 + 1, row.1 + usize::from(call.failed()), call.mutating);
    }
    let width = rows.keys().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    let mut write = |n: usize, name: &str, notes: &[String]| {
        let line = format!("{n:>6}  {name:<width$}  {}", notes.join(", "));
        writeln!(text, "{}", line.trim_end()).expect("a String takes all");
    };
    for (name, (n, failed, mutating)) in &rows {
        let mut notes = Vec::new();
        notes.extend(mutating.then(|| "mutating".to_owned()));
        notes.extend((*failed > 0).then(|| format!("{failed} failed")));
        write(*n, name, &notes);
    }
    let mutating = calls.iter().filter(|call| call.mutating).count();
    let failed = calls.iter().filter(|call| call.failed()).count();
    write(calls.len(), "in all", &[format!("{mutating} mutating"), format!("{failed} failed")]);
    text
}

/// The calls for people: a line each, in the order of arrival.
pub(crate) fn log(calls: &[Call]) -> String {
    let mut text = String::new();
    for call in calls {
        let mark = if call.mutating { '!' } else { ' ' };
        let end = match (call.status, call.outcome) {
            (Some(status), Outcome::Answered) => status.to_string(),
            (_, outcome) => format!("{outcome:?}").to_lowercase(),
        };
        let end = if call.forwarded { end } else { format!("{end}, not forwarded") };
        let (at, name) = (call.at.as_secs_f64(), call.name());
        writeln!(text, "{:>5} {at:>9.3}s {mark} {name} ({}) {end}", call.seq, call.region).expect("a String takes all");
    }
    text
}
