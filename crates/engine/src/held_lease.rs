//! The lease of the store that a pass holds while it changes the account.

use std::pin::pin;
use std::sync::Arc;

use holdfast_core::document::Document;
use tokio::time::{Instant, sleep};

use crate::engine::Engine;
use crate::event::Event;
use crate::lease::{Lease, LeaseAttempt, LeaseHolder};
use crate::report::PassError;
use crate::utc;

/// A lease that a pass holds. Dropping it closes the gate, and has the effect of the death of the process.
pub(crate) struct HeldLease<'a> {
    engine: &'a Engine,
    lease: Arc<dyn Lease>,
}

impl Drop for HeldLease<'_> {
    fn drop(&mut self) {
        self.engine.writer.gate.close();
    }
}

impl HeldLease<'_> {
    /// Frees the lease for other runs.
    pub(crate) async fn release(self) {
        self.engine.writer.gate.close();
        if let Err(error) = self.lease.release().await {
            tracing::warn!(%error, "the lease cannot be released; it ends by itself");
        }
    }

    /// Returns the error of a run that lost the lease.
    ///
    /// # Errors
    /// When the lease is lost.
    pub(crate) fn check(&self) -> Result<(), PassError> {
        self.engine.writer.gate.is_lost().map_or(Ok(()), |lost| Err(PassError::LeaseLost(lost)))
    }
}

/// Acquires the lease of the store, and waits for it up to the lock timeout of the writer, or until `stopped` returns.
///
/// # Errors
/// When another run still holds the lease, or the store cannot be used.
pub(crate) async fn acquire<'a>(
    engine: &'a Engine,
    document: &Document,
    stopped: impl Future<Output = ()>,
) -> Result<HeldLease<'a>, PassError> {
    let writer = &engine.writer;
    let mut stopped = pin!(stopped);
    let mut is_stopped = false;
    let began = Instant::now();
    loop {
        let holder = LeaseHolder { id: engine.nonce(), since: utc::seconds((engine.now)()), ..writer.holder.clone() };
        match engine.store.try_acquire(&holder).await.map_err(PassError::Store)? {
            LeaseAttempt::Acquired(lease) => {
                writer.forget();
                writer.gate.attach(lease.clone());
                return Ok(HeldLease { engine, lease });
            }
            LeaseAttempt::Taken(info) => {
                let left = writer.lock_timeout.saturating_sub(began.elapsed());
                if left.is_zero() || is_stopped {
                    let (stack, env) = (document.stack.clone(), document.env.clone());
                    let unlock_command = writer.unlock_command.clone();
                    return Err(PassError::Locked { stack, env, unlock_command, holder: Box::new(info) });
                }
                if writer.is_new(&info) {
                    engine.event_sink.on(&Event::WaitingForLease { holder: &info });
                }
                tokio::select! {
                    () = sleep(left.min(engine.timing.lock_poll())) => {}
                    () = &mut stopped => is_stopped = true,
                }
            }
        }
    }
}
