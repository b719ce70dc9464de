//! The call log of the proxy: one record per call, in order of arrival.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::call::{Call, CallOutcome};
use super::rule::{ActiveRule, Effect, Reply};
use super::wire::RequestIdentity;

/// The maximum size of a recorded reply body. Larger bodies would fill the memory during a long run.
const MAX_RECORDED_BODY: usize = 64 * 1024;

/// The recorded calls and the rules. One lock protects both, so that rules count calls in the order of their records.
pub(crate) struct CallLog {
    state: Mutex<CallLogState>,
    changed: Condvar,
    started: Instant,
}

#[derive(Default)]
pub(crate) struct CallLogState {
    pub(crate) calls: Vec<Call>,
    pub(crate) rules: Vec<ActiveRule>,
    pub(crate) rules_added: u64,
    recorded: u64,
}

impl CallLog {
    pub(crate) fn new() -> CallLog {
        CallLog { state: Mutex::default(), changed: Condvar::new(), started: Instant::now() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, CallLogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the arrival of a call, and returns the effects of the rules that apply to it.
    pub(crate) fn record(&self, identity: &RequestIdentity, line: String, body: &[u8]) -> (Call, Vec<Effect>) {
        let mut state = self.lock();
        state.recorded += 1;
        let call = Call {
            seq: state.recorded,
            service: identity.service.clone(),
            region: identity.region.clone(),
            operation: identity.operation.clone(),
            mutating: identity.mutating,
            access_key: identity.access_key.clone(),
            fence: identity.fence,
            line,
            body: String::from_utf8_lossy(body).into_owned(),
            status: None,
            reply: None,
            forwarded: false,
            outcome: CallOutcome::InFlight,
            at: self.started.elapsed(),
            duration: None,
        };
        state.calls.push(call.clone());
        let mut effects = Vec::new();
        let mut has_exclusive = false;
        for rule in &mut state.rules {
            let applies = rule.applies(&call);
            if applies && !(has_exclusive && rule.is_exclusive()) {
                has_exclusive |= rule.is_exclusive();
                effects.push(rule.hit());
            }
        }
        drop(state);
        self.changed.notify_all();
        (call, effects)
    }

    /// Records that the call is sent to the emulator.
    pub(crate) fn mark_forwarded(&self, seq: u64) {
        self.update(seq, |call| call.forwarded = true);
    }

    /// Records the outcome of a call.
    pub(crate) fn finish(&self, seq: u64, outcome: CallOutcome, reply: Option<&Reply>) {
        let now = self.started.elapsed();
        self.update(seq, |call| {
            call.outcome = outcome;
            call.status = reply.map(|reply| reply.status);
            call.reply = reply.filter(|reply| reply.body.len() <= MAX_RECORDED_BODY).map(Reply::text);
            call.duration = (outcome != CallOutcome::Withheld).then(|| now.saturating_sub(call.at));
        });
    }

    /// Records that the client closed the connection of a withheld call.
    pub(crate) fn mark_abandoned(&self, seq: u64) {
        let now = self.started.elapsed();
        self.update(seq, |call| call.duration = Some(now.saturating_sub(call.at)));
    }

    fn update(&self, seq: u64, change: impl FnOnce(&mut Call)) {
        let mut state = self.lock();
        // A cleared call has no record.
        if let Ok(at) = state.calls.binary_search_by_key(&seq, |call| call.seq) {
            change(&mut state.calls[at]);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the condition on the calls is true. Returns false at the timeout.
    pub(crate) fn wait(&self, limit: Duration, mut condition: impl FnMut(&[Call]) -> bool) -> bool {
        let is_pending = |state: &mut CallLogState| !condition(&state.calls);
        let waited = self.changed.wait_timeout_while(self.lock(), limit, is_pending);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// Counts the calls of each `service.Operation`.
pub(crate) fn count(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.name()).or_default() += 1;
    }
    counts
}

/// Formats the counts: one line per operation, and a total.
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
        writeln!(text, "{}", line.trim_end()).expect("writing to a String cannot fail");
    };
    for (name, (n, failed, mutating)) in &rows {
        let mut notes = Vec::new();
        notes.extend(mutating.then(|| "mutating".to_owned()));
        notes.extend((*failed > 0).then(|| format!("{failed} failed")));
        write(*n, name, &notes);
    }
    let mutating = calls.iter().filter(|call| call.mutating).count();
    let failed = calls.iter().filter(|call| call.failed()).count();
    write(calls.len(), "total", &[format!("{mutating} mutating"), format!("{failed} failed")]);
    text
}

/// Formats the calls: one line per call, in order of arrival.
pub(crate) fn log(calls: &[Call]) -> String {
    let mut text = String::new();
    for call in calls {
        let mark = if call.mutating { '!' } else { ' ' };
        let end = match (call.status, call.outcome) {
            (Some(status), CallOutcome::Answered) => status.to_string(),
            (_, outcome) => format!("{outcome:?}").to_lowercase(),
        };
        let end = if call.forwarded { end } else { format!("{end}, not forwarded") };
        let (at, name) = (call.at.as_secs_f64(), call.name());
        writeln!(text, "{:>5} {at:>9.3}s {mark} {name} ({}) {end}", call.seq, call.region)
            .expect("writing to a String cannot fail");
    }
    text
}
