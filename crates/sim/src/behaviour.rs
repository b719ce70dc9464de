//! The behaviour of live resources, which AWS determines and a schema does not contain.

use std::time::Duration;

use holdfast_core::value::Value;

/// A field and AWS's default for it.
pub type FieldDefault = (&'static str, fn() -> Value);

/// The behaviour of the live resources of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// The kind.
    pub kind: &'static str,
    /// The prefix of ids (`vpc` gives `vpc-1`); empty when the name is the id.
    pub prefix: &'static str,
    /// How long a new resource is Pending.
    pub pending: Duration,
    /// How long a changed resource is Updating.
    pub updating: Duration,
    /// How long a deletion takes. The resource is Deleting meanwhile.
    pub deleting: Duration,
    /// How long reads lag behind writes.
    pub lag: Duration,
    /// The fields that the create call does not accept. Only an update sets them.
    pub not_at_create: &'static [&'static str],
    /// The fields whose change AWS accepts and applies in the maintenance window, a day later.
    pub in_maintenance_window: &'static [&'static str],
    /// AWS's defaults.
    pub defaults: &'static [FieldDefault],
    /// True when a resource can be deleted while others refer to it.
    pub deletable_in_use: bool,
    /// True when the response to a create contains the whole resource, and not only its id.
    pub full_response: bool,
    /// True when the list response has neither tags nor an owner: only a resource with a candidate name is observed, and
    /// one that the tag index has.
    pub listed_by_name: bool,
    /// A status attribute that exists only once the resource is Ready.
    pub status_when_ready: Option<&'static str>,
}

impl Behaviour {
    /// Returns the behaviour of a kind whose changes complete at once and are visible at once.
    pub const fn immediate(kind: &'static str, prefix: &'static str) -> Behaviour {
        Behaviour {
            kind,
            prefix,
            pending: Duration::ZERO,
            updating: Duration::ZERO,
            deleting: Duration::ZERO,
            lag: Duration::ZERO,
            not_at_create: &[],
            in_maintenance_window: &[],
            defaults: &[],
            deletable_in_use: false,
            full_response: true,
            listed_by_name: false,
            status_when_ready: None,
        }
    }
}
