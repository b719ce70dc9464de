//! Holds: what a plan would do but cannot or may not yet, and what it is waiting for.

use serde::Serialize;

use crate::address::Address;

/// Something that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Whom it is about.
    pub address: Address,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a sentence that says the way out.
    pub message: String,
    /// What it waits for, when that is another resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Address>,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Reason {
    /// More than one live resource fits a lookup.
    Ambiguous,
    /// A create may or may not have happened; it is looked for before it is tried again.
    AmbiguousCreate,
    /// It is on its way out, and has to be gone first.
    Deleting,
    /// The document has no resources, so nothing is deleted.
    EmptyDocument,
    /// AWS gave up on it.
    Failed,
    /// An expression fails on what is there.
    Expression,
    /// It drifted, and the document says to leave it.
    DriftLeft,
    /// Its physical name is somebody else's.
    NameTaken,
    /// Its explicit name forbids two generations at once.
    NamedReplacement,
    /// A lookup or an adoption finds nothing.
    NotFound,
    /// It belongs to a document from elsewhere.
    OtherOrigin,
    /// AWS is at work on it.
    Pending,
    /// It is protected by the document.
    Protected,
    /// It left the document, and nobody granted its deletion.
    PruneNotGranted,
    /// A field that cannot change in place does, and nobody granted the replacement.
    ReplaceNotGranted,
    /// It left the document and stays: it holds data.
    Retained,
    /// Somebody went back to an earlier revision; the document's own waits until it changes or is released.
    RolledBack,
    /// AWS accepted the change for later.
    Scheduled,
    /// It was changed a moment ago; reads may lag behind.
    Settling,
    /// The same change came back after it was made: somebody else makes it too.
    Stalled,
    /// More deletions than one pass may make.
    TooManyDeletions,
    /// Its kind could not be observed. Unknown is not absent.
    Unobserved,
    /// What it refers to is held.
    WaitsFor,
}

impl Reason {
    /// True when waiting is all that is needed: AWS will finish by itself.
    pub fn passes(self) -> bool {
        matches!(self, Reason::Pending | Reason::Settling | Reason::AmbiguousCreate | Reason::Deleting)
    }

    /// True when it keeps a document from being converged.
    pub fn blocks(self) -> bool {
        !matches!(self, Reason::Retained | Reason::Scheduled | Reason::DriftLeft)
    }
}
