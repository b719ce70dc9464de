//! How live resources of a kind behave: what a schema does not say because only AWS decides it.

use std::time::Duration;

use holdfast_core::value::Value;

/// A field, and what AWS puts there where nothing is stated.
pub type Default = (&'static str, fn() -> Value);

/// How live resources of a kind behave.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// The kind.
    pub kind: &'static str,
    /// What ids begin with (`vpc` makes `vpc-1`); empty when the name is the id.
    pub prefix: &'static str,
    /// How long a new one is Pending.
    pub pending: Duration,
    /// How long a changed one is Updating.
    pub updating: Duration,
    /// How long a deleted one is Deleting before it is gone.
    pub deleting: Duration,
    /// How long reads lag behind writes.
    pub lag: Duration,
    /// Fields that the create call does not take: only an update sets them.
    pub not_at_create: &'static [&'static str],
    /// Fields whose change AWS accepts for its maintenance window, a day later.
    pub later: &'static [&'static str],
    /// What AWS puts where nothing is stated.
    pub defaults: &'static [Default],
    /// True when it can be deleted while others refer to it.
    pub loose: bool,
    /// True when the answer to a create tells what was made, and not its id alone.
    pub tells: bool,
    /// A status attribute that is there once the resource is Ready, and not before.
    pub when_ready: Option<&'static str>,
}

impl Behaviour {
    /// Ready at once, gone at once, seen at once.
    pub const fn prompt(kind: &'static str, prefix: &'static str) -> Behaviour {
        Behaviour {
            kind,
            prefix,
            pending: Duration::ZERO,
            updating: Duration::ZERO,
            deleting: Duration::ZERO,
            lag: Duration::ZERO,
            not_at_create: &[],
            later: &[],
            defaults: &[],
            loose: false,
            tells: true,
            when_ready: None,
        }
    }
}
