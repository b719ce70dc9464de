//! The rollback: looks at what runs and at its revisions, remembers the hold, and goes back. Waits for nothing.

use std::collections::BTreeSet;

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::{Observation, Place};
use holdfast_core::rollback::{self, Rollback, RollbackError as Refusal};
use tokio::time::sleep;

use crate::cloud::{Class, Failure};
use crate::pass::{Engine, PassError};

/// How often a look or a change that is refused for the moment is tried: with its pauses half a minute.
const ATTEMPTS: u32 = 5;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// The revision before the one that runs.
    Previous,
    /// This revision.
    To(&'a str),
    /// Nothing held back any more.
    Release,
}

/// Why there was no rollback.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// The account is wrong or unknown.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// There is nothing to go back to.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// AWS refused the first change, so nothing was changed.
    #[error("nothing was changed: {0}")]
    Failed(#[source] Box<Failure>),
    /// The hold is there, and the change is not.
    #[error("the hold is written and the change was refused; the next pass makes it: {0}")]
    HalfDone(#[source] Box<Failure>),
}

impl Engine {
    /// Returns a resource to an earlier revision and holds the document's own back, or lets it go. Ends once AWS
    /// accepted the change.
    ///
    /// # Errors
    /// When the account is wrong, there is nothing to go back to, or AWS refuses.
    pub async fn rollback(
        &self,
        document: &Document,
        address: &Address,
        wish: Wish<'_>,
    ) -> Result<Rollback, RollbackError> {
        let account = self.right_account(document).await?;
        let places = places(document, address)?;
        let mut observation = Observation::default();
        for attempt in 0..ATTEMPTS {
            if self.observe(document, &account, &places, &mut observation).await.is_empty() {
                break;
            }
            sleep(self.timing().retry(attempt)).await;
        }
        let found = match wish {
            Wish::Previous => rollback::rollback(document, &observation, address, None)?,
            Wish::To(revision) => rollback::rollback(document, &observation, address, Some(revision))?,
            Wish::Release => rollback::release(document, &observation, address)?,
        };
        for (done, op) in found.ops.iter().enumerate() {
            let mut result = self.cloud().apply(found.kind, &found.region, op).await;
            for attempt in 0..ATTEMPTS {
                // Both operations say what is to be, so that a second time does no harm.
                if result.as_ref().is_ok() || result.as_ref().is_err_and(|f| f.class == Class::Terminal) {
                    break;
                }
                sleep(self.timing().retry(attempt)).await;
                result = self.cloud().apply(found.kind, &found.region, op).await;
            }
            result.map_err(|failure| match done {
                0 => RollbackError::Failed(Box::new(failure)),
                _ => RollbackError::HalfDone(Box::new(failure)),
            })?;
        }
        Ok(found)
    }
}

/// The places of a resource and of its revisions.
fn places(document: &Document, address: &Address) -> Result<BTreeSet<Place>, Refusal> {
    let kinds = rollback::kinds(document, address)?;
    let asked = document.resources.values().filter(|r| kinds.iter().any(|schema| schema.kind == r.schema.kind));
    Ok(asked.map(|r| Place { kind: r.schema.kind, region: r.region.clone() }).collect())
}
