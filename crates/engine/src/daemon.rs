//! The daemon: a pass now, and again after each interval, until it is told to stop.

use std::time::Duration;

use holdfast_core::document::Document;

use crate::event::Event;
use crate::pass::{Engine, Options, PassError, Report};
use crate::run::stopped;

/// When the next pass begins.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The time from the end of a pass to the beginning of the next.
    pub interval: Duration,
    /// Every how many passes all kinds in all configured regions are looked at, for orphans.
    pub everywhere_every: u64,
}

/// Where the daemon's document comes from.
pub trait Reload: Send {
    /// The document if it changed since the last call, or what is wrong with it.
    fn changed(&mut self) -> Option<Result<Document, String>>;
}

/// Runs passes until `options.stop` turns true. A pass under way ends the steps that have begun.
///
/// A document that cannot be used any more leaves the last good one in force. Errors of a pass are
/// given to `ended`, and the next pass tries again.
pub async fn run(
    engine: &Engine,
    mut document: Document,
    options: &Options,
    schedule: Schedule,
    reload: &mut dyn Reload,
    mut ended: impl FnMut(Result<&Report, &PassError>),
) {
    let mut passes = 0u64;
    while !*options.stop.borrow() {
        let everywhere =
            options.everywhere || schedule.everywhere_every > 0 && passes.is_multiple_of(schedule.everywhere_every);
        let options = Options { everywhere, ..options.clone() };
        passes += 1;
        match engine.narrow_pass(&document, &options).await {
            Ok(report) => ended(Ok(&report)),
            Err(error) => ended(Err(&error)),
        }
        // A tenth of jitter keeps several daemons from calling in step.
        let mut left = schedule.interval.mul_f64(0.95 + 0.1 * engine.chance().await);
        while !left.is_zero() {
            // The document is looked at every second: a changed one is applied at once.
            let nap = left.min(engine.timing().poll(0).max(Duration::from_millis(200)));
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = stopped(options.stop.clone()) => return,
            }
            left = left.saturating_sub(nap);
            match reload.changed() {
                Some(Ok(fresh)) => {
                    engine.watcher().on(&Event::Reloaded { error: None });
                    document = fresh;
                    left = Duration::ZERO;
                }
                Some(Err(error)) => engine.watcher().on(&Event::Reloaded { error: Some(&error) }),
                None => {}
            }
        }
    }
}
