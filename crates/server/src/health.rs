//! Whether the process is alive and ready, in a sentence.

use std::time::Duration;

use tokio::time::Instant;

/// How many intervals may pass without a sign of life: a pass may be late, two may not.
const INTERVALS: u32 = 3;

/// With short intervals: a first sweep that is throttled, or one step with all its time-outs, takes minutes and
/// gives no sign meanwhile.
const LEAST: Duration = Duration::from_secs(300);

/// What is known of the life of the loop.
#[derive(Debug)]
pub(crate) struct Health {
    patience: Duration,
    progress: Instant,
    ready: bool,
    error: Option<String>,
}

impl Health {
    pub(crate) fn new(interval: Duration) -> Health {
        let patience = interval.saturating_mul(INTERVALS).max(LEAST);
        Health { patience, progress: Instant::now(), ready: false, error: None }
    }

    /// Something happened in the loop.
    pub(crate) fn progressed(&mut self) {
        self.progress = Instant::now();
    }

    /// A pass ended without error.
    pub(crate) fn passed(&mut self) {
        self.ready = true;
        self.error = None;
    }

    /// A pass ended in an error.
    pub(crate) fn failed(&mut self, error: String) {
        self.error = Some(error);
    }

    /// Whether the loop lives, and the sentence.
    pub(crate) fn alive(&self) -> Result<String, String> {
        let silent = self.progress.elapsed();
        match silent <= self.patience {
            true => Ok(format!("alive: the last sign of the loop was {} s ago", silent.as_secs())),
            false => Err(format!(
                "stuck: the loop has given no sign for {} s, and {} s are allowed",
                silent.as_secs(),
                self.patience.as_secs()
            )),
        }
    }

    /// Whether a first pass ended without error, and the sentence.
    pub(crate) fn ready(&self) -> Result<String, String> {
        match (&self.error, self.ready) {
            (None, true) => Ok("ready".to_owned()),
            (Some(error), true) => Ok(format!("ready, but the last pass ended in an error: {error}")),
            (Some(error), false) => Err(format!("not ready: no pass has ended without error; the last one: {error}")),
            (None, false) => Err("not ready: the first pass has not ended".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_for_three_intervals_is_death() {
        let mut health = Health::new(Duration::from_secs(600));
        tokio::time::advance(Duration::from_secs(1800)).await;
        assert!(health.alive().is_ok());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(health.alive().unwrap_err(), "stuck: the loop has given no sign for 1801 s, and 1800 s are allowed");
        health.progressed();
        assert_eq!(health.alive().unwrap(), "alive: the last sign of the loop was 0 s ago");
    }

    #[tokio::test(start_paused = true)]
    async fn short_intervals_leave_time_for_a_slow_step() {
        let health = Health::new(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(299)).await;
        assert!(health.alive().is_ok());
    }

    #[test]
    fn the_first_pass_without_error_makes_it_ready_for_good() {
        let mut health = Health::new(Duration::from_secs(60));
        assert!(health.ready().unwrap_err().contains("has not ended"));
        health.failed("no network".to_owned());
        assert!(health.ready().unwrap_err().ends_with("the last one: no network"));
        health.passed();
        assert_eq!(health.ready().unwrap(), "ready");
        health.failed("no network".to_owned());
        assert!(health.ready().unwrap().contains("no network"));
    }
}
