//! The rollback of a resource to an earlier revision.

use std::collections::BTreeSet;
use std::future::pending;

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::{KindRegion, Observation};
use holdfast_core::rollback::{self, Rollback, RollbackError};
use tokio::time::sleep;

use crate::engine::{Engine, Session};
use crate::failure::{Failure, FailureClass};
use crate::held_lease;
use crate::observe::observe;
use crate::report::PassError;
use crate::steps::apply;
use crate::store::History;

/// The number of attempts at an observation or a change that fails. With the backoff they take half a minute.
const ATTEMPTS: u32 = 5;

/// The target of a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackTarget<'a> {
    /// The revision before the current one.
    Previous,
    /// The revision of this name.
    To(&'a str),
    /// No rollback: ends the hold of an earlier one.
    Release,
}

/// The failure of a rollback.
#[derive(Debug, thiserror::Error)]
pub enum RollbackFailure {
    /// The account is wrong or unknown.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// There is no revision to return to.
    #[error(transparent)]
    Refused(#[from] RollbackError),
    /// AWS refused the first call, so nothing was changed.
    #[error("nothing was changed: {0}")]
    Unchanged(Box<Failure>),
    /// AWS accepted the tag with the hold, and refused the update.
    #[error("the hold is written, but AWS refused the update; the next pass makes the update: {0}")]
    NotUpdated(Box<Failure>),
}

/// Returns a resource to an earlier revision, and holds the document's own revision. [`RollbackTarget::Release`]
/// ends that hold instead.
///
/// # Expected flow
/// 1. Check that the credentials are for the account of the environment, and acquire the lease of the store.
/// 2. Observe the kind of the resource and the kind of its revisions.
/// 3. Find the target revision among the observed ones.
/// 4. Write the tag `holdfast:rollback`: the digest of the held edit, and the target revision.
/// 5. Update the resource to the target revision, and return once AWS accepts the update.
///
/// A release only removes the tag.
///
/// # Guarantees
/// The tag comes before the update, so that no concurrent pass reverts the update. If the process dies between the
/// two, the next pass makes the update. Both calls are idempotent and are retried.
///
/// # Assumptions
/// The document is the one that the passes use: the hold ends when its digest of the revision changes.
///
/// # Caveats
/// The rollback does not wait until the deployment is complete. It reads the records of the store and changes nothing in
/// it, and does not use the expectations of a daemon, so it may run between two passes of the daemon.
///
/// # Errors
/// Returns an error when the account is wrong, there is no revision to return to, or AWS refuses a call.
pub async fn run(
    engine: &Engine,
    document: &Document,
    address: &Address,
    target: RollbackTarget<'_>,
) -> Result<Rollback, RollbackFailure> {
    let session = Session::begin(engine, document).await?;
    let kind_regions = kind_regions(document, address)?;
    let lease = held_lease::acquire(engine, document, pending()).await?;
    let result = roll_back(&session, &kind_regions, address, target).await;
    let lost = lease.check();
    lease.release().await;
    lost?;
    result
}

/// Observes the resource and its revisions, and carries out the operations of the rollback.
async fn roll_back(
    session: &Session<'_>,
    kind_regions: &BTreeSet<KindRegion>,
    address: &Address,
    target: RollbackTarget<'_>,
) -> Result<Rollback, RollbackFailure> {
    let Session { engine, document, .. } = session;
    let mut observation = Observation::default();
    for attempt in 0..ATTEMPTS {
        if observe(session, kind_regions, false, &History::default(), &mut observation).await.is_empty() {
            break;
        }
        sleep(engine.timing.retry(attempt)).await;
    }
    let records = engine.store.load().await.map_err(PassError::Store)?.records();
    let rollback = match target {
        RollbackTarget::Previous => rollback::rollback(document, &observation, address, None, &records)?,
        RollbackTarget::To(revision) => rollback::rollback(document, &observation, address, Some(revision), &records)?,
        RollbackTarget::Release => rollback::release(document, &observation, address, &records)?,
    };
    for (completed, operation) in rollback.operations.iter().enumerate() {
        let mut result = apply(engine, operation).await;
        for attempt in 0..ATTEMPTS {
            // Both operations are idempotent.
            if result.as_ref().is_ok() || result.as_ref().is_err_and(|f| f.class == FailureClass::Terminal) {
                break;
            }
            sleep(engine.timing.retry(attempt)).await;
            result = apply(engine, operation).await;
        }
        result.map_err(|failure| match completed {
            0 => RollbackFailure::Unchanged(Box::new(failure)),
            _ => RollbackFailure::NotUpdated(Box::new(failure)),
        })?;
    }
    Ok(rollback)
}

/// Returns where a resource and its revisions are observed.
fn kind_regions(document: &Document, address: &Address) -> Result<BTreeSet<KindRegion>, RollbackError> {
    let kinds = rollback::kinds(document, address)?;
    let resources = document.resources.values().filter(|r| kinds.iter().any(|schema| schema.kind == r.schema.kind));
    Ok(resources.map(|r| KindRegion { kind: r.schema.kind, region: r.region.clone() }).collect())
}
