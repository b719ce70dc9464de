//! A recorded call of the proxy.

use std::time::Duration;

use serde::Serialize;

use super::wire::pairs;

/// A recorded call.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// The number of the call, from 1 in order of arrival. [`super::Proxy::clear`] does not reset it.
    pub seq: u64,
    /// The signing name of the service: `ec2`, `elasticloadbalancing`, `monitoring`; `unsigned` without a signature.
    pub service: String,
    /// The region of the signature.
    pub region: String,
    /// The operation. For REST services, the method and the template of the path: `GET /2013-04-01/hostedzone/{id}`.
    pub operation: String,
    /// True when the call can change a resource, judged by the operation's first word or the method.
    pub mutating: bool,
    /// The access key of the signature.
    pub access_key: String,
    /// The fencing number of the lease under which the call was sent, if the call has one.
    pub fence: Option<u64>,
    /// The method, the path and the query string.
    pub line: String,
    /// The body of the request as text.
    pub body: String,
    /// The status of the reply, if the client received one.
    pub status: Option<u16>,
    /// The body of the reply, if it is small enough to be recorded.
    pub reply: Option<String>,
    /// True when the call was sent to the emulator, so that it may have taken effect.
    pub forwarded: bool,
    /// The outcome of the call.
    pub outcome: CallOutcome,
    /// The time of arrival, since the start of the proxy.
    pub at: Duration,
    /// The duration of the call, once it has ended.
    pub duration: Option<Duration>,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum CallOutcome {
    /// The call has not ended.
    InFlight,
    /// The client received a reply of the emulator or of a rule.
    Answered,
    /// A rule closed the connection.
    Cut,
    /// A rule withholds the reply. `duration` is set when the client closes the connection.
    Withheld,
    /// The emulator did not respond. The client received status 502.
    BadGateway,
}

impl Call {
    /// Returns the name: `service.Operation`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.service, self.operation)
    }

    /// Returns the decoded parameters of a query-protocol call, in the order of the request.
    pub fn parameters(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// Returns the parameter `name` of a query-protocol call.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// True when the call has ended without success.
    pub(super) fn failed(&self) -> bool {
        self.status.is_none_or(|status| status >= 400) && self.outcome != CallOutcome::InFlight
    }
}
