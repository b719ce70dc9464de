//! Injected faults: which calls fail, and how.

use std::time::Duration;

/// The calls that a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Every call.
    Any,
    /// Observations.
    Observe,
    /// Mutating calls.
    Mutation,
    /// Creates.
    Create,
    /// Updates.
    Update,
    /// Deletes.
    Delete,
    /// Changes of tags.
    Tag,
}

impl Call {
    /// True when a rule for `self` also applies to this call.
    pub(crate) fn covers(self, call: Call) -> bool {
        self == Call::Any || self == call || (self == Call::Mutation && call != Call::Observe)
    }
}

/// How often a rule applies, counted over the calls that match it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// To every call.
    Always,
    /// To every call whose number is a multiple of this.
    Every(u64),
    /// To the first calls, up to this number.
    First(u64),
}

impl When {
    pub(crate) fn applies(self, count: u64) -> bool {
        match self {
            When::Always => true,
            When::Every(n) => count.is_multiple_of(n),
            When::First(n) => count <= n,
        }
    }
}

/// The failure of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The call is throttled, and has no effect.
    Throttle,
    /// The resource does not exist: it was deleted between two calls of the same observation. The call has no effect.
    NotFound,
    /// HTTP 500 before the effect. The caller cannot distinguish it from a failure after the effect.
    FailBefore,
    /// HTTP 500 after the effect.
    FailAfter,
    /// No reply within the caller's timeout.
    NoReply {
        /// The caller's timeout.
        timeout: Duration,
        /// True when the call had its effect.
        effect: bool,
    },
    /// AWS refuses the call with this message, and a retry does not help.
    Refuse(String),
    /// The call succeeds, and has no effect.
    NoEffect,
    /// The call succeeds, and another process undoes its effect this much later.
    Undo(Duration),
}

/// A rule that injects a fault.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// The kind; none matches every kind.
    pub kind: Option<String>,
    /// The region; none matches every region.
    pub region: Option<String>,
    /// The calls.
    pub call: Call,
    /// How often the rule applies.
    pub when: When,
    /// The fault.
    pub fault: Fault,
}

impl FaultRule {
    /// True when the rule matches a call.
    pub(crate) fn matches(&self, kind: &str, region: &str, call: Call) -> bool {
        let allows = |expected: &Option<String>, actual: &str| expected.as_deref().is_none_or(|text| text == actual);
        self.call.covers(call) && allows(&self.kind, kind) && allows(&self.region, region)
    }
}

/// The side of a call's effect on which a process crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashSide {
    /// The call never arrives.
    Before,
    /// The call has its effect, and the response never arrives.
    After,
}
