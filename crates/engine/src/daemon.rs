//! The daemon: runs a pass, waits for the interval, and begins again until it is stopped.

use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::plan::PlanPolicy;
use holdfast_core::plan::hold::Reason;

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
/// errors. The same holds for a document with another stack name, environment, source, store, account or role, which
/// needs a restart.
///
/// A resource that left the document is deleted at the earliest in the second pass with the document that lacks it: a
/// document that was written by mistake can be corrected until then.
///
/// A pass that ends in an error does not end the daemon. A stop during a pass lets the steps that have begun finish: see
/// [`pass::run`]. While another run holds the lease, the daemon waits for it, and says so once.
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
    // The document is confirmed once a pass has ended with it: see the guarantees.
    let mut confirmed = false;
    let mut kept_removed = false;
    while !options.is_stopped() {
        let is_scheduled = schedule.full_scan_every > 0 && passes.is_multiple_of(schedule.full_scan_every);
        let policy = PlanPolicy { keep_removed: !confirmed, ..options.policy.clone() };
        // The pass that may delete observes the resources that the pass before it kept.
        let full_scan = options.full_scan || is_scheduled || kept_removed;
        let options = PassOptions { policy, full_scan, ..options.clone() };
        passes += 1;
        // The jitter keeps several daemons from calling at the same moment.
        let mut left = schedule.interval.mul_f64(0.95 + 0.1 * engine.jitter());
        match pass::run_with_options(engine, &document, &options).await {
            Ok(report) => {
                confirmed = true;
                kept_removed = report.plan.holds.iter().any(|hold| hold.reason == Reason::DocumentUnconfirmed);
                ended(Ok(&report));
            }
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
                    if let Some(error) = identity_change(&document, &changed) {
                        engine.event_sink.on(&Event::Reloaded { error: Some(&error) });
                        continue;
                    }
                    confirmed &= document.resources.keys().all(|address| changed.resources.contains_key(address));
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

/// Returns why a changed document cannot be taken up without a restart; none when it can.
fn identity_change(before: &Document, after: &Document) -> Option<String> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    let parts = [
        ("stack", before.stack.clone(), after.stack.clone()),
        ("environment", before.env.clone(), after.env.clone()),
        ("source", before.source.clone(), after.source.clone()),
        ("store", or_none(&before.store), or_none(&after.store)),
        ("account", or_none(&before.target.account), or_none(&after.target.account)),
        ("role", or_none(&before.target.role), or_none(&after.target.role)),
        ("external id", or_none(&before.target.external_id), or_none(&after.target.external_id)),
    ];
    let (part, from, to) = parts.into_iter().find(|(_, from, to)| from != to)?;
    let anew = match part {
        "stack" | "environment" => ". A restart creates every resource again, because the new name owns nothing",
        _ => "",
    };
    Some(format!(
        "the {part} changed from `{from}` to `{to}`, which takes effect only after a restart; {}/{} remains in force: restart the daemon, or undo the change{anew}",
        before.stack, before.env
    ))
}
