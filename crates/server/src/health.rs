//! Health: whether the daemon's loop makes progress, and whether the process is ready.

use std::time::Duration;

use tokio::time::Instant;

/// The number of intervals without progress after which the loop counts as stuck. One late pass is normal, two are not.
const INTERVALS: u32 = 3;

/// The shortest time without progress after which the loop counts as stuck. A throttled initial refresh, or one step
/// with all its timeouts, takes minutes without progress.
const MINIMUM: Duration = Duration::from_secs(300);

/// The number of consecutive passes that end in an error after which the process is not ready. One such pass can be a
/// network failure of seconds; after three, the daemon has neither observed nor changed anything for two intervals.
const FAILED_PASSES: u32 = 3;

/// The state of the daemon's loop.
#[derive(Debug)]
pub(crate) struct Health {
    /// The longest time without progress.
    limit: Duration,
    /// The last progress.
    progress: Instant,
    ready: bool,
    error: Option<String>,
    /// The number of passes in a row that ended in an error.
    failed_passes: u32,
}

impl Health {
    pub(crate) fn new(interval: Duration) -> Health {
        let limit = interval.saturating_mul(INTERVALS).max(MINIMUM);
        Health { limit, progress: Instant::now(), ready: false, error: None, failed_passes: 0 }
    }

    /// Records progress of the loop.
    pub(crate) fn progressed(&mut self) {
        self.progress = Instant::now();
    }

    /// Records a pass that ended without an error.
    pub(crate) fn passed(&mut self) {
        self.ready = true;
        self.error = None;
        self.failed_passes = 0;
    }

    /// Records a pass that ended in an error.
    pub(crate) fn failed(&mut self, error: String) {
        self.error = Some(error);
        self.failed_passes = self.failed_passes.saturating_add(1);
    }

    /// Returns whether the loop makes progress, in a sentence.
    ///
    /// # Errors
    /// Returns the reason when the loop is stuck.
    pub(crate) fn alive(&self) -> Result<String, String> {
        let silent = self.progress.elapsed();
        match silent <= self.limit {
            true => Ok(format!("alive: the loop made progress {} s ago", silent.as_secs())),
            false => Err(format!(
                "stuck: the loop has made no progress for {} s; the limit is {} s",
                silent.as_secs(),
                self.limit.as_secs()
            )),
        }
    }

    /// Returns the number of passes in a row that ended in an error.
    pub(crate) fn failed_passes(&self) -> u32 {
        self.failed_passes
    }

    /// Returns whether passes end without an error, in a sentence.
    ///
    /// # Errors
    /// Returns the reason when the process is not ready.
    pub(crate) fn ready(&self) -> Result<String, String> {
        match (&self.error, self.ready) {
            (None, true) => Ok("ready".to_owned()),
            (Some(error), true) if self.failed_passes >= FAILED_PASSES => Err(format!(
                "not ready: the last {} passes ended in an error, so nothing is observed; the last error: {error}",
                self.failed_passes
            )),
            (Some(error), true) => Ok(format!("ready; the last pass ended in an error: {error}")),
            (Some(error), false) => {
                Err(format!("not ready: no pass has ended without an error; the last error: {error}"))
            }
            (None, false) => Err("not ready: the first pass has not ended".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_without_progress_for_three_intervals_is_stuck() {
        let mut health = Health::new(Duration::from_secs(600));
        tokio::time::advance(Duration::from_secs(1800)).await;
        assert!(health.alive().is_ok());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(health.alive().unwrap_err(), "stuck: the loop has made no progress for 1801 s; the limit is 1800 s");
        health.progressed();
        assert_eq!(health.alive().unwrap(), "alive: the loop made progress 0 s ago");
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_at_least_five_minutes() {
        let health = Health::new(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(299)).await;
        assert!(health.alive().is_ok());
    }

    #[test]
    fn the_first_pass_without_an_error_makes_the_process_ready_until_three_in_a_row_fail() {
        let mut health = Health::new(Duration::from_secs(60));
        assert!(health.ready().unwrap_err().contains("has not ended"));
        health.failed("no network".to_owned());
        assert!(health.ready().unwrap_err().ends_with("the last error: no network"));
        health.passed();
        assert_eq!(health.ready().unwrap(), "ready");
        health.failed("no network".to_owned());
        assert!(health.ready().unwrap().contains("no network"));
        health.failed("no network".to_owned());
        assert!(health.ready().is_ok());
        health.failed("no network".to_owned());
        assert_eq!(
            health.ready().unwrap_err(),
            "not ready: the last 3 passes ended in an error, so nothing is observed; the last error: no network"
        );
        health.passed();
        assert_eq!(health.ready().unwrap(), "ready");
    }
}
