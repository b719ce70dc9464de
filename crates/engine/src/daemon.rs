//! The daemon: runs a pass, waits for the interval, and begins again until it is stopped.

use std::time::Duration;

use holdfast_core::document::Document;

use crate::engine::Engine;
use crate::event::Event;
use crate::options::PassOptions;
use crate::pass;
use crate::report::{PassError, PassReport};

/// When the daemon runs a pass, and when a pass is a full scan.
#[derive(Clone, Copy, Debug)]
pub struct DaemonSchedule {
    /// The time from the end of a pass to the beginning of the next.
    pub interval: Duration,
    /// Every so many passes, the first included, a pass is a full scan: it observes every kind in every configured
    /// region, to find orphans. 0 means never.
    pub full_scan_every: u64,
}

/// The source of the daemon's document.
pub trait Reload: Send {
    /// Returns the document if it changed since the last call, or its errors. Returns `None` when it did not change.
    fn changed(&mut self) -> Option<Result<Document, String>>;
}

/// Runs passes until `options.stop` turns true.
///
/// # Expected flow
/// 1. Run a pass, and give its report or its error to `ended`.
/// 2. Wait for the interval, with a jitter of 5 % in both directions.
/// 3. Meanwhile, call `reload` every second. A changed document ends the wait.
/// 4. Begin again with the document that is in force.
///
/// # Guarantees
/// A document with errors changes nothing: the last valid document remains in force, and [`Event::Reloaded`] has the
/// errors. A pass that ends in an error does not end the daemon. A stop during a pass lets the steps that have begun
/// finish: see [`pass::run`]. While another run holds the lease, the daemon waits for it, and says so once.
///
/// # Assumptions
/// All daemons and runs of a stack in an environment use the same store.
///
/// # Caveats
/// The document is not reloaded during a pass. A document that grants `prune` does not make every pass of the daemon a
/// full scan: the daemon finds orphans at the passes of the schedule.
///
/// # Errors
/// None: errors of passes are given to `ended`, and the next pass tries again.
pub async fn run(
    engine: &Engine,
    mut document: Document,
    options: &PassOptions,
    schedule: DaemonSchedule,
    reload: &mut dyn Reload,
    mut ended: impl FnMut(Result<&PassReport, &PassError>),
) {
    let mut passes = 0u64;
    while !options.is_stopped() {
        let is_scheduled = schedule.full_scan_every > 0 && passes.is_multiple_of(schedule.full_scan_every);
        let options = PassOptions { full_scan: options.full_scan || is_scheduled, ..options.clone() };
        passes += 1;
        // The jitter keeps several daemons from calling at the same moment.
        let mut left = schedule.interval.mul_f64(0.95 + 0.1 * engine.jitter());
        match pass::run_with_options(engine, &document, &options).await {
            Ok(report) => ended(Ok(&report)),
            Err(PassError::Stopped) => return,
            // The document may have changed during the wait, so it is reloaded before the next attempt.
            Err(PassError::Locked { .. }) => (passes, left) = (passes - 1, engine.timing.lock_poll()),
            Err(error) => ended(Err(&error)),
        }
        while !left.is_zero() {
            let nap = left.min(engine.timing.poll(0).max(Duration::from_millis(200)));
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = options.stopped() => return,
            }
            left = left.saturating_sub(nap);
            match reload.changed() {
                Some(Ok(changed)) => {
                    engine.event_sink.on(&Event::Reloaded { error: None });
                    document = changed;
                    left = Duration::ZERO;
                }
                Some(Err(error)) => engine.event_sink.on(&Event::Reloaded { error: Some(&error) }),
                None => {}
            }
        }
    }
}
