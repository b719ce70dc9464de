//! The call budget: every call to AWS passes here, is counted, and waits its turn.
//!
//! One bucket for each (account and region, API). EC2 documents its buckets
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>); we take half of each, so
//! that the account's own workload keeps the other half. A throttled answer halves a bucket's rate, at most
//! once a second; every second without one gives a fiftieth back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// What became of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The service did it or answered it.
    Ok,
    /// The service refused it.
    Error,
    /// The service was asked too much.
    Throttled,
    /// No answer came.
    NoReply,
}

/// Calls under way when the first was throttled are throttled too; together they are one sign.
const HALVE_ONCE_IN: Duration = Duration::from_secs(1);

/// A bucket's size and refill.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    size: f64,
    per_second: f64,
}

/// Half of what EC2 documents for its kinds of calls, and a figure below the lowest documented one elsewhere.
fn rate(service: &str, operation: &str) -> (&'static str, Rate) {
    let read = !is_mutating(operation);
    match (service, operation) {
        ("ec2", "CreateNatGateway" | "DeleteNatGateway") => ("natgateway", Rate { size: 5.0, per_second: 0.5 }),
        ("ec2", "CreateTags" | "DeleteTags") => ("tags", Rate { size: 50.0, per_second: 5.0 }),
        ("ec2", _) if read => ("describe", Rate { size: 50.0, per_second: 10.0 }),
        ("ec2", _) => ("mutate", Rate { size: 25.0, per_second: 2.5 }),
        // IAM is global and slow to forgive; ECS documents 20 to 50 a second for reads, ELBv2 10.
        (_, _) if read => ("read", Rate { size: 40.0, per_second: 10.0 }),
        (_, _) => ("mutate", Rate { size: 20.0, per_second: 5.0 }),
    }
}

/// True when an operation changes something, by its name.
pub fn is_mutating(operation: &str) -> bool {
    const READS: [&str; 8] = ["Describe", "Get", "List", "BatchGet", "Head", "Lookup", "Search", "AssumeRole"];
    !READS.iter().any(|read| operation.starts_with(read))
}

#[derive(Debug)]
struct Bucket {
    full: Rate,
    tokens: f64,
    /// The share of the full rate that is in use, after throttling.
    share: f64,
    at: Instant,
    /// When the share was halved last: answers to calls sent before that say nothing new.
    halved: Option<Instant>,
}

impl Bucket {
    fn refill(&mut self, now: Instant, scale: f64) {
        let seconds = now.duration_since(self.at).as_secs_f64() / scale;
        self.at = now;
        self.share = (self.share + seconds / 50.0).min(1.0);
        self.tokens = (self.tokens + seconds * self.full.per_second * self.share).min(self.full.size);
    }
}

/// How many calls were made, by service, operation and outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls by (service, operation, outcome).
    pub calls: BTreeMap<(String, String, Outcome), u64>,
    /// How often a call had to wait for the budget.
    pub waits: u64,
    /// How long calls waited, together.
    pub waited: Duration,
}

impl Counts {
    /// All calls.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// All calls that may have changed something.
    pub fn mutating(&self) -> u64 {
        self.calls.iter().filter(|((_, operation, _), _)| is_mutating(operation)).map(|(_, n)| n).sum()
    }

    /// Calls that the service throttled.
    pub fn throttled(&self) -> u64 {
        self.calls.iter().filter(|((_, _, outcome), _)| *outcome == Outcome::Throttled).map(|(_, n)| n).sum()
    }
}

#[derive(Debug)]
struct Inner {
    /// All waits are multiplied by this. 1 against AWS.
    scale: f64,
    buckets: BTreeMap<(String, String, &'static str), Bucket>,
    counts: Counts,
}

/// The budget of one process. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<Inner>>);

impl Default for Budget {
    fn default() -> Self {
        Budget::scaled(1.0)
    }
}

impl Budget {
    /// A budget whose waits are multiplied by `scale`, for tests against an emulator.
    pub fn scaled(scale: f64) -> Budget {
        Budget(Arc::new(Mutex::new(Inner { scale, buckets: BTreeMap::new(), counts: Counts::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may go. `place` is the account and region.
    pub async fn acquire(&self, place: &str, service: &str, operation: &str) {
        let (class, full) = rate(service, operation);
        let wait = {
            let mut inner = self.lock();
            let (now, scale) = (Instant::now(), inner.scale);
            let bucket = inner.buckets.entry((place.to_owned(), service.to_owned(), class)).or_insert(Bucket {
                full,
                tokens: full.size,
                share: 1.0,
                halved: None,
                at: now,
            });
            bucket.refill(now, scale);
            // The token is taken at once, below zero if need be: so waiters keep their order.
            bucket.tokens -= 1.0;
            let wait = scale * (-bucket.tokens).max(0.0) / (full.per_second * bucket.share);
            if wait > 0.0 {
                inner.counts.waits += 1;
                inner.counts.waited += Duration::from_secs_f64(wait);
            }
            wait
        };
        if wait > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        }
    }

    /// Records what became of a call; a throttled one halves its bucket's rate.
    pub fn record(&self, place: &str, service: &str, operation: &str, outcome: Outcome) {
        let mut inner = self.lock();
        *inner.counts.calls.entry((service.to_owned(), operation.to_owned(), outcome)).or_default() += 1;
        if outcome == Outcome::Throttled {
            let (class, _) = rate(service, operation);
            let once_in = HALVE_ONCE_IN.mul_f64(inner.scale);
            if let Some(bucket) = inner.buckets.get_mut(&(place.to_owned(), service.to_owned(), class)) {
                let now = Instant::now();
                if bucket.halved.is_none_or(|at| now.duration_since(at) >= once_in) {
                    // Never below a tenth: at that rate a sweep still ends.
                    bucket.share = (bucket.share / 2.0).max(0.1);
                    bucket.tokens = bucket.tokens.min(1.0);
                    bucket.halved = Some(now);
                }
            }
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_past_the_bucket_wait_for_the_refill() {
        let budget = Budget::default();
        let start = Instant::now();
        for _ in 0..25 {
            budget.acquire("1/r", "ec2", "CreateVpc").await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        budget.acquire("1/r", "ec2", "CreateVpc").await;
        assert_eq!(start.elapsed(), Duration::from_millis(400));
        assert_eq!(budget.counts().waits, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_answer_halves_the_rate_and_time_gives_it_back() {
        let budget = Budget::default();
        budget.acquire("1/r", "ec2", "CreateVpc").await;
        budget.record("1/r", "ec2", "CreateVpc", Outcome::Throttled);
        let start = Instant::now();
        budget.acquire("1/r", "ec2", "CreateVpc").await;
        budget.acquire("1/r", "ec2", "CreateVpc").await;
        assert_eq!(start.elapsed().as_millis(), 800, "one call at half of 2.5 a second");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..26 {
            budget.acquire("1/r", "ec2", "CreateVpc").await;
        }
        assert_eq!(start.elapsed().as_millis(), 400, "back to the full rate");
        assert_eq!(budget.counts().throttled(), 1);
    }

    #[test]
    fn names_tell_reads_from_mutations() {
        assert!(is_mutating("CreateVpc") && is_mutating("PutRolePolicy") && is_mutating("TagResource"));
        assert!(!is_mutating("DescribeVpcs") && !is_mutating("GetCallerIdentity") && !is_mutating("AssumeRole"));
    }
}
