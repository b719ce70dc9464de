//! Holds: changes that a plan cannot or may not make now, with the reason and the way out.

use serde::Serialize;

use crate::address::Address;

/// A change that is not made now, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The address of the resource.
    pub address: Address,
    /// The reason, in one word.
    pub reason: Reason,
    /// The reason in a sentence, with the way out.
    pub message: String,
    /// The other resource that the change waits for, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Address>,
}

/// The reason of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Reason {
    /// More than one live resource matches a lookup.
    Ambiguous,
    /// A create had no clear result. Holdfast searches for the resource before it repeats the create.
    CreateUnconfirmed,
    /// The live resource is being deleted, and the change follows its deletion.
    Deleting,
    /// The resource left the document, and the document may be cut short or still be written.
    DocumentUnconfirmed,
    /// The document has no resources, so orphans are not deleted.
    EmptyDocument,
    /// AWS failed to provision the resource.
    ProvisioningFailed,
    /// An expression fails on the live values.
    InvalidExpression,
    /// The resource drifted, and its drift policy does not correct drift.
    DriftIgnored,
    /// Another resource has the name or identity already.
    AlreadyExists,
    /// The explicit name of the resource prevents create before destroy.
    ReplaceNameConflict,
    /// A lookup or an adoption finds no live resource.
    NotFound,
    /// Several live resources have the owner tags of the address, or one that the store does not know, and nothing
    /// proves which one belongs to it. Tags can be copied.
    OwnershipAmbiguous,
    /// The live resource belongs to a document from another source.
    SourceConflict,
    /// AWS is still creating or changing the resource.
    Pending,
    /// The document protects the resource.
    Protected,
    /// The resource left the document, and its deletion is not granted.
    PruneNotAllowed,
    /// An immutable field changes, and the replacement is not granted.
    ReplaceNotAllowed,
    /// The resource left the document or was replaced, and is kept: it holds data, or has `onDelete: retain`.
    Retained,
    /// A rollback returned the resource to an earlier revision. The document's own revision waits until it changes or
    /// is released.
    RolledBack,
    /// AWS accepted the change and applies it in the maintenance window.
    PendingMaintenanceWindow,
    /// The resource was changed a moment ago, and reads may still show the old state (eventual consistency).
    Propagating,
    /// The resource is stopped, and AWS refuses the change until it is started.
    Stopped,
    /// The same change was made repeatedly and did not persist: AWS or another process undoes it.
    Stalled,
    /// The plan has more deletions than one pass may make.
    DeletionLimitExceeded,
    /// The kind could not be observed in the region. Unknown is not absent.
    ObservationFailed,
    /// A resource that this one refers to is held or is not ready.
    DependencyNotReady,
}

impl Reason {
    /// True when the hold ends without an action by a person, as soon as AWS finishes.
    pub fn is_transient(self) -> bool {
        matches!(self, Reason::Pending | Reason::Propagating | Reason::CreateUnconfirmed | Reason::Deleting)
    }

    /// True when the hold ends only after a person or another process acts: grants it, or changes the document or the
    /// account.
    pub fn needs_action(self) -> bool {
        let ends_without = matches!(
            self,
            Reason::Retained
                | Reason::PendingMaintenanceWindow
                | Reason::DriftIgnored
                | Reason::RolledBack
                | Reason::ObservationFailed
                | Reason::DependencyNotReady
        );
        !self.is_transient() && !ends_without
    }

    /// True when the hold keeps the document from being converged.
    pub fn blocks(self) -> bool {
        !matches!(self, Reason::Retained | Reason::PendingMaintenanceWindow | Reason::DriftIgnored)
    }
}
