//! The port of the engine to a cloud: one interface for observations and operations.

use async_trait::async_trait;
use holdfast_core::observed::Observed;
pub use holdfast_core::operation::{DesiredResource, Mutation, Operation};
use holdfast_core::schema::{Registry, Schema};

pub use crate::failure::{Failure, FailureClass};
pub use crate::scope::{Confirmed, KnownNames, Scope};

/// A cloud: AWS, or one in memory.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Returns the schemas of all kinds.
    fn registry(&self) -> Registry;

    /// Returns the schema of a kind.
    fn schema(&self, kind: &str) -> Option<&'static Schema> {
        self.registry().get(kind)
    }

    /// Returns the account of the credentials.
    async fn account(&self) -> Result<String, Failure>;

    /// Observes a kind in a region: the live resources that the scope asks for. Never changes anything.
    async fn observe(&self, kind: &str, scope: &Scope) -> Result<Vec<Observed>, Failure>;

    /// Carries out one operation on one resource.
    async fn apply(&self, operation: &Operation) -> Result<OperationResult, Failure>;

    /// Returns the counts of calls since the process started.
    fn calls(&self) -> crate::budget::Counts;
}

/// The result of an [`Operation`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationResult {
    /// The id of the created resource, for a create.
    pub id: Option<String>,
    /// The live resource after the operation, as the response and the request define it. `None` when only an
    /// observation can show it.
    pub live: Option<Observed>,
}
