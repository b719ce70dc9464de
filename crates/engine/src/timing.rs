//! Every window and interval in one table, with its reason. Tests scale it.

use std::time::Duration;

/// How long things take and how often they are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// All windows and intervals are multiplied by this. 1 against AWS.
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

    /// How long a read may lag behind a write: the kind's own figure.
    pub fn lag(self, seconds: u32) -> Duration {
        self.scaled(f64::from(seconds))
    }

    /// The pause before the n-th look at what is pending: 1 s doubling to 15 s. A NAT gateway takes one to three
    /// minutes and a load balancer as long, so that this costs a tenth of the wait at most; of a database's ten to thirty
    /// minutes it is nearly nothing, and what waits for a database is most of a system.
    pub fn poll(self, n: u32) -> Duration {
        self.scaled(match n {
            0..=3 => f64::from(1u32 << n),
            _ => 15.0,
        })
    }

    /// The pause before the n-th attempt at a step that failed for the moment: 1 s doubling to 30 s. A new
    /// IAM role works after 10 to 30 s; a dependency goes within a minute or two.
    pub fn retry(self, n: u32) -> Duration {
        self.scaled(f64::from(2u32.saturating_pow(n.min(5))).min(30.0))
    }

    /// How often a step that fails for the moment is tried: with the pauses above for about five minutes,
    /// which is what EC2 asks to allow for its consistency
    /// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>).
    pub const ATTEMPTS: u32 = 12;

    /// How often the same mend may be made in an hour before it counts as a fight with somebody else.
    pub const MENDS_AN_HOUR: usize = 5;

    /// That hour.
    pub fn fight_window(self) -> Duration {
        self.scaled(3600.0)
    }

    /// How long steps under way may take after a stop was asked for. Fargate kills after 30 s by default.
    pub fn stop(self) -> Duration {
        Duration::from_secs(25)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_what_is_pending_costs_a_tenth_of_the_wait_at_most() {
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
