//! A recording HTTP proxy in front of the emulator, which can also hurt: delays, throttling, lost replies, crashes.
//!
//! Clients use it as their `AWS_ENDPOINT_URL`. It runs on threads of its own, so that synchronous tests can use
//! it, and what it has received runs to its end even when the client is killed meanwhile.
//!
//! ```no_run
//! # use holdfast_tests::{Effect, Match, Proxy, Rule};
//! # fn main() -> anyhow::Result<()> {
//! let proxy = Proxy::start("http://127.0.0.1:5000")?;
//! let lost = proxy.add_rule(Rule::new(Match::calls("ec2.CreateVpc").only(1), Effect::CutAfter));
//! // … run something against proxy.endpoint() …
//! assert_eq!(proxy.hits(lost), 1);
//! assert_eq!(proxy.counts_by_operation()["ec2.CreateVpc"], 1);
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::runtime::Runtime;

mod fault;
mod journal;
mod relay;
mod rule;
#[cfg(test)]
mod tests;
mod wire;

pub use journal::{Call, Outcome};
pub use rule::{Bytes, Change, Effect, Make, Match, Nth, Reply, Rule, RuleId, Then, Watch, When};

use crate::Env;
use relay::Relay;

/// The proxy. It stops when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    relay: Arc<Relay>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Starts a proxy in front of `upstream` (`http://host:port`) on a free port of the loopback interface.
    pub fn start(upstream: &str) -> anyhow::Result<Proxy> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("proxy")
            .enable_all()
            .build()
            .context("the proxy got no threads")?;
        // Bound before anything is asynchronous: `block_on` would panic in a test that is asynchronous itself.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the proxy got no port")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let relay = Arc::new(Relay::new(upstream));
        let entered = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        runtime.spawn(relay.clone().serve(listener));
        drop(entered);
        Ok(Proxy { address, relay, runtime: Some(runtime) })
    }

    /// Where clients reach it: `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment of a child process whose calls go through the proxy.
    pub fn env(&self) -> Env {
        crate::env_for(&self.endpoint())
    }

    /// Adds a rule; it holds from the next call on.
    pub fn add_rule(&self, rule: Rule) -> RuleId {
        let mut ledger = self.relay.journal.lock();
        ledger.rules_added += 1;
        let id = RuleId(ledger.rules_added);
        ledger.rules.push(rule::Armed::new(id, rule));
        id
    }

    /// Takes one rule away. Calls that it holds back stay held.
    pub fn remove_rule(&self, id: RuleId) {
        self.relay.journal.lock().rules.retain(|rule| rule.id != id);
    }

    /// Takes all rules away. Calls that they hold back stay held.
    pub fn clear_rules(&self) {
        self.relay.journal.lock().rules.clear();
    }

    /// How many calls the rule was applied to; 0 for one that was taken away.
    pub fn hits(&self, id: RuleId) -> u64 {
        let ledger = self.relay.journal.lock();
        ledger.rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.hits)
    }

    /// All calls since the start or the last [`Proxy::clear`], in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.relay.journal.lock().calls.clone()
    }

    /// How many calls that is.
    pub fn count(&self) -> usize {
        self.relay.journal.lock().calls.len()
    }

    /// How often each `service.Operation` was called.
    pub fn counts_by_operation(&self) -> BTreeMap<String, usize> {
        journal::count(&self.relay.journal.lock().calls)
    }

    /// The calls that change something.
    pub fn mutating(&self) -> Vec<Call> {
        let ledger = self.relay.journal.lock();
        ledger.calls.iter().filter(|call| call.mutating).cloned().collect()
    }

    /// Forgets the calls; rules and their counts stay.
    pub fn clear(&self) {
        self.relay.journal.lock().calls.clear();
    }

    /// The counts for people: a line an operation, and a sum.
    pub fn table(&self) -> String {
        journal::table(&self.relay.journal.lock().calls)
    }

    /// The calls for people: a line each.
    pub fn log(&self) -> String {
        journal::log(&self.relay.journal.lock().calls)
    }

    /// Waits until the calls are as `wanted`, which is asked again whenever one arrives, is forwarded or ends.
    /// `wanted` runs while the records are locked: it must not ask the proxy anything itself.
    pub fn wait_until(&self, limit: Duration, wanted: impl FnMut(&[Call]) -> bool) -> anyhow::Result<()> {
        if !self.relay.journal.wait(limit, wanted) {
            bail!("the calls waited for did not come within {limit:?}; those that did:\n{}", self.log());
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait, so that it may happen in an asynchronous test too.
            runtime.shutdown_background();
        }
    }
}
