//! Timing: every window and interval of the engine, with its reason. Tests scale it.

use std::time::Duration;

/// The windows and intervals, multiplied by a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// The factor of all windows and intervals. 1 against AWS.
    pub scale: f64,
}

impl Default for Timing {
    fn default() -> Self {
        Timing { scale: 1.0 }
    }
}

impl Timing {
    fn scaled(self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds * self.scale)
    }

    /// Returns the consistency window of a kind: how long a read may lag behind a write. The kind states the window
    /// against AWS.
    pub fn consistency_window(self, window: Duration) -> Duration {
        window.mul_f64(self.scale)
    }

    /// Returns the pause before the n-th observation of a pending resource: 1 s, doubling to 15 s.
    ///
    /// A NAT gateway takes one to three minutes, and so does a load balancer: the pauses add at most a tenth to the
    /// wait. Of the ten to thirty minutes of a database they are a small part, and most of a system waits for its
    /// database.
    pub fn poll(self, n: u32) -> Duration {
        self.scaled(match n {
            0..=3 => f64::from(1u32 << n),
            _ => 15.0,
        })
    }

    /// Returns the backoff before the n-th retry of a step: 1 s, doubling to 30 s. A new IAM role works after 10 to
    /// 30 s; the deletion of a dependent resource takes a minute or two.
    pub fn retry(self, n: u32) -> Duration {
        self.scaled(f64::from(2u32.saturating_pow(n.min(5))).min(30.0))
    }

    /// Returns the pause between two attempts to acquire a lease that another run holds. With a store in S3, an attempt
    /// is one read.
    pub fn lock_poll(self) -> Duration {
        self.scaled(2.0).max(Duration::from_millis(100))
    }

    /// The number of attempts at a step in a pass, unless it fails as `Terminal`. With the backoff they take about five
    /// minutes, which is what EC2 asks its clients to allow for eventual consistency
    /// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>).
    pub const ATTEMPTS: u32 = 12;

    /// The number of attempts at a deletion that AWS refuses because another resource uses the resource, while no step of
    /// the pass ends such a use. With the backoff they take seven seconds, enough for the reads of AWS that lag behind.
    pub const ATTEMPTS_IN_USE: u32 = 4;

    /// How often the same step may succeed in an hour before it counts as flapping: another process undoes it.
    pub const CORRECTIONS_PER_HOUR: usize = 5;

    /// Returns the time in which the corrections are counted: one hour.
    pub fn flapping_window(self) -> Duration {
        self.scaled(3600.0)
    }

    /// Returns how long the steps in progress may take after a stop was requested. Fargate kills a task after 30 s by
    /// default.
    pub fn stop(self) -> Duration {
        Duration::from_secs(25)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_of_a_pending_resource_add_at_most_a_tenth_to_the_wait() {
        let timing = Timing::default();
        let mut waited = Duration::ZERO;
        for n in 0..200 {
            let pause = timing.poll(n);
            assert!(pause >= timing.poll(n.saturating_sub(1)), "the pauses grow");
            assert!(n < 12 || pause <= waited / 9, "{pause:?} after {waited:?}");
            waited += pause;
        }
    }
}
