//! Failures of calls to a cloud: each has a class, which decides how the engine reacts.

/// The class of a failure: how the engine reacts to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum FailureClass {
    /// AWS rejected the call because of its rate: the call budget shrinks, and the call is retried.
    Throttled,
    /// A dependency does not exist yet or is not ready: the step is retried after the next observation.
    NotYet,
    /// Another resource uses the resource. The step is retried as [`FailureClass::NotYet`], but a deletion that waited for
    /// no other step is retried a few times only: the other resource is none of the document's.
    InUse,
    /// A retry cannot succeed: a person must act.
    Terminal,
    /// The cause is temporary: the step is retried with backoff.
    Transient,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}{}", code.as_deref().map(|c| format!(" ({c})")).unwrap_or_default())]
pub struct Failure {
    /// The class of the failure.
    pub class: FailureClass,
    /// True when the call may have had its effect nevertheless: no response arrived, or an internal error.
    pub ambiguous: bool,
    /// The service and the operation, as in `ec2.CreateVpc`.
    pub operation: String,
    /// The error code of the service, if the response has one.
    pub code: Option<String>,
    /// The message of the service, or a description of the failure.
    pub message: String,
}

impl Failure {
    /// Returns a terminal failure: a retry cannot succeed.
    pub fn terminal(operation: &str, message: impl Into<String>) -> Failure {
        Failure {
            class: FailureClass::Terminal,
            ambiguous: false,
            operation: operation.into(),
            code: None,
            message: message.into(),
        }
    }

    /// Returns a failure because of a dependency that does not exist yet or is still in use.
    pub fn not_yet(operation: &str, message: impl Into<String>) -> Failure {
        Failure { class: FailureClass::NotYet, ..Failure::terminal(operation, message) }
    }
}
