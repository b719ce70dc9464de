//! A recording HTTP proxy in front of the emulator, which can inject faults: delays, throttling, lost replies, crashes.
//!
//! Clients use it as their `AWS_ENDPOINT_URL`. It runs on threads of its own, so that synchronous tests can use it. A
//! call that it has received completes even when the client is killed meanwhile.
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

mod call;
mod call_log;
mod fault;
mod relay;
mod rule;
#[cfg(test)]
mod tests;
mod wire;

pub use call::{Call, CallOutcome};
pub use rule::{Bytes, Effect, Hook, HookResult, Match, Nth, Reply, ReplyFactory, ReplyRewriter, Rule, RuleId, When};

use crate::Env;
use relay::Relay;

/// The proxy. Dropping it stops it.
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
            .context("the threads of the proxy do not start")?;
        // Bound synchronously: `block_on` would panic in an asynchronous test.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the proxy cannot bind a port")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let relay = Arc::new(Relay::new(upstream));
        let entered = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        runtime.spawn(relay.clone().serve(listener));
        drop(entered);
        Ok(Proxy { address, relay, runtime: Some(runtime) })
    }

    /// Returns the URL for clients: `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the environment of a child process that calls the proxy.
    pub fn env(&self) -> Env {
        crate::env_for(&self.endpoint())
    }

    /// Adds a rule. It applies from the next call on.
    pub fn add_rule(&self, rule: Rule) -> RuleId {
        let mut state = self.relay.call_log.lock();
        state.rules_added += 1;
        let id = RuleId(state.rules_added);
        state.rules.push(rule::ActiveRule::new(id, rule));
        id
    }

    /// Removes a rule. Calls that it withholds remain withheld.
    pub fn remove_rule(&self, id: RuleId) {
        self.relay.call_log.lock().rules.retain(|rule| rule.id != id);
    }

    /// Removes all rules. Calls that they withhold remain withheld.
    pub fn clear_rules(&self) {
        self.relay.call_log.lock().rules.clear();
    }

    /// Returns the number of calls that the rule was applied to; 0 for a removed rule.
    pub fn hits(&self, id: RuleId) -> u64 {
        let state = self.relay.call_log.lock();
        state.rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.hits)
    }

    /// Returns all calls since the start or the last [`Proxy::clear`], in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.relay.call_log.lock().calls.clone()
    }

    /// Returns the number of these calls.
    pub fn count(&self) -> usize {
        self.relay.call_log.lock().calls.len()
    }

    /// Returns the number of calls of each `service.Operation`.
    pub fn counts_by_operation(&self) -> BTreeMap<String, usize> {
        call_log::count(&self.relay.call_log.lock().calls)
    }

    /// Returns the mutating calls.
    pub fn mutating(&self) -> Vec<Call> {
        let state = self.relay.call_log.lock();
        state.calls.iter().filter(|call| call.mutating).cloned().collect()
    }

    /// Clears the call log. Rules and their counts are kept.
    pub fn clear(&self) {
        self.relay.call_log.lock().calls.clear();
    }

    /// Returns the counts as text: one line per operation, and a total.
    pub fn table(&self) -> String {
        call_log::table(&self.relay.call_log.lock().calls)
    }

    /// Returns the calls as text: one line per call.
    pub fn log(&self) -> String {
        call_log::log(&self.relay.call_log.lock().calls)
    }

    /// Waits until the condition on the calls is true. It is evaluated whenever a call arrives, is forwarded or ends.
    /// The condition runs while the call log is locked, so it must not call methods of the proxy.
    ///
    /// # Errors
    /// Returns an error with the calls at the timeout.
    pub fn wait_until(&self, limit: Duration, condition: impl FnMut(&[Call]) -> bool) -> anyhow::Result<()> {
        if !self.relay.call_log.wait(limit, condition) {
            bail!("the condition on the calls is not true after {limit:?}; the calls:\n{}", self.log());
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not block, so that an asynchronous test can drop the proxy too.
            runtime.shutdown_background();
        }
    }
}
