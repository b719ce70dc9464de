//! Faults to order: which calls go wrong, and how.

use std::time::Duration;

/// Which calls a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Every call.
    Any,
    /// Looks.
    Observe,
    /// Every call that changes something.
    Mutation,
    /// Creates.
    Create,
    /// Updates.
    Update,
    /// Deletes.
    Delete,
    /// Setting and removing tags.
    Tag,
}

impl Call {
    /// True when a rule about `self` is about this call too.
    pub(crate) fn covers(self, call: Call) -> bool {
        self == Call::Any || self == call || (self == Call::Mutation && call != Call::Observe)
    }
}

/// How often a rule strikes, counted over the calls that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Each time.
    Always,
    /// Each time that the count is a multiple of this.
    Every(u64),
    /// The first so many times.
    First(u64),
}

impl When {
    pub(crate) fn strikes(self, count: u64) -> bool {
        match self {
            When::Always => true,
            When::Every(n) => count.is_multiple_of(n),
            When::First(n) => count <= n,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// "Too many calls", without effect.
    Throttle,
    /// "That does not exist", without effect: it went away between two calls of the same look.
    Gone,
    /// HTTP 500 before the effect. The caller cannot tell it from one after.
    FailBefore,
    /// HTTP 500 after the effect.
    FailAfter,
    /// The caller's patience ends first; whether the call had its effect is the flag.
    NoReply {
        /// How long the caller waits.
        patience: Duration,
        /// True when the call had its effect.
        effect: bool,
    },
    /// Refused for good, with this message.
    Refuse(String),
    /// Says that it worked, and did nothing.
    Drop,
    /// Works, and somebody puts everything back this much later.
    Undo(Duration),
}

/// Calls that go wrong.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Of which kind; none means any.
    pub kind: Option<String>,
    /// Of which region; none means any.
    pub region: Option<String>,
    /// Which calls.
    pub call: Call,
    /// Which of them.
    pub when: When,
    /// How.
    pub fault: Fault,
}

impl Rule {
    /// True when it is about such a call.
    pub(crate) fn is_about(&self, kind: &str, region: &str, call: Call) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        self.call.covers(call) && is(&self.kind, kind) && is(&self.region, region)
    }
}

/// On which side of a call's effect a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The call never arrives.
    Before,
    /// The effect is there, the answer is not.
    After,
}
