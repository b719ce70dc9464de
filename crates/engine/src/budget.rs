//! The call budget: the client-side rate limiter that every call to AWS passes, and that counts the calls.
//!
//! There is one token bucket for each account and region, service, and class of calls. EC2 documents its buckets
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>); the budget takes half of each, so that
//! the account's own workload keeps the other half. A throttled response halves the refill rate of its bucket, at most
//! once a second. Each second gives a fiftieth of the full rate back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// The outcome of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallOutcome {
    /// The call succeeded.
    Ok,
    /// The service returned an error.
    Error,
    /// The service rejected the call because of its rate.
    Throttled,
    /// No response arrived.
    NoReply,
}

/// The shortest time between two reductions. Calls that are in flight when the first is throttled are throttled too,
/// and together they justify one reduction.
const HALVE_ONCE_IN: Duration = Duration::from_secs(1);

/// The size and the refill rate of a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    size: f64,
    per_second: f64,
}

/// Returns the class of a call, and the rate of that class: half of EC2's documented figure, and for other services a
/// figure below the lowest documented one.
fn rate(service: &str, operation: &str) -> (&'static str, Rate) {
    let read = !is_mutating(operation);
    match (service, operation) {
        ("ec2", "CreateNatGateway" | "DeleteNatGateway") => ("natgateway", Rate { size: 5.0, per_second: 0.5 }),
        ("ec2", "CreateTags" | "DeleteTags") => ("tags", Rate { size: 50.0, per_second: 5.0 }),
        ("ec2", _) if read => ("describe", Rate { size: 50.0, per_second: 10.0 }),
        ("ec2", _) => ("mutate", Rate { size: 25.0, per_second: 2.5 }),
        // IAM is global and recovers slowly from throttling; ECS documents 20 to 50 reads a second, ELBv2 10.
        (_, _) if read => ("read", Rate { size: 40.0, per_second: 10.0 }),
        (_, _) => ("mutate", Rate { size: 20.0, per_second: 5.0 }),
    }
}

/// True when an operation is a mutating call, by its name.
pub fn is_mutating(operation: &str) -> bool {
    const READS: [&str; 8] = ["Describe", "Get", "List", "BatchGet", "Head", "Lookup", "Search", "AssumeRole"];
    !READS.iter().any(|read| operation.starts_with(read))
}

#[derive(Debug)]
struct TokenBucket {
    full: Rate,
    tokens: f64,
    /// The share of the full refill rate that is in use: 1 without throttling.
    share: f64,
    at: Instant,
    /// When the share was last halved.
    halved: Option<Instant>,
}

impl TokenBucket {
    fn refill(&mut self, now: Instant, scale: f64) {
        let seconds = now.duration_since(self.at).as_secs_f64() / scale;
        self.at = now;
        self.share = (self.share + seconds / 50.0).min(1.0);
        self.tokens = (self.tokens + seconds * self.full.per_second * self.share).min(self.full.size);
    }
}

/// The counts of calls and waits since the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of calls, by service, operation and outcome.
    pub calls: BTreeMap<(String, String, CallOutcome), u64>,
    /// The number of calls that waited for the budget.
    pub waits: u64,
    /// The total time that calls waited.
    pub waited: Duration,
}

impl Counts {
    /// Returns the number of all calls.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Returns the number of mutating calls.
    pub fn mutating(&self) -> u64 {
        self.calls.iter().filter(|((_, operation, _), _)| is_mutating(operation)).map(|(_, n)| n).sum()
    }

    /// Returns the number of throttled calls.
    pub fn throttled(&self) -> u64 {
        self.calls.iter().filter(|((_, _, outcome), _)| *outcome == CallOutcome::Throttled).map(|(_, n)| n).sum()
    }
}

#[derive(Debug)]
struct Buckets {
    /// The factor of all waits. 1 against AWS.
    scale: f64,
    buckets: BTreeMap<(String, String, &'static str), TokenBucket>,
    counts: Counts,
}

/// The call budget of one process. Clones share it.
#[derive(Clone, Debug)]
pub struct CallBudget(Arc<Mutex<Buckets>>);

impl Default for CallBudget {
    fn default() -> Self {
        CallBudget::scaled(1.0)
    }
}

impl CallBudget {
    /// Creates a budget whose waits are multiplied by `scale`, for tests against an emulator.
    pub fn scaled(scale: f64) -> CallBudget {
        CallBudget(Arc::new(Mutex::new(Buckets { scale, buckets: BTreeMap::new(), counts: Counts::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may be sent. Calls of one bucket keep their order. `account_region` names the account and the
    /// region.
    pub async fn acquire(&self, account_region: &str, service: &str, operation: &str) {
        let (class, full) = rate(service, operation);
        let wait = {
            let mut state = self.lock();
            let (now, scale) = (Instant::now(), state.scale);
            let bucket = state
                .buckets
                .entry((account_region.to_owned(), service.to_owned(), class))
                .or_insert(TokenBucket { full, tokens: full.size, share: 1.0, halved: None, at: now });
            bucket.refill(now, scale);
            // The call takes its token at once, below zero if necessary: waiting calls keep their order.
            bucket.tokens -= 1.0;
            let wait = scale * (-bucket.tokens).max(0.0) / (full.per_second * bucket.share);
            if wait > 0.0 {
                state.counts.waits += 1;
                state.counts.waited += Duration::from_secs_f64(wait);
            }
            wait
        };
        if wait > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        }
    }

    /// Records the outcome of a call. A throttled call halves the refill rate of its bucket.
    pub fn record(&self, account_region: &str, service: &str, operation: &str, outcome: CallOutcome) {
        let mut state = self.lock();
        *state.counts.calls.entry((service.to_owned(), operation.to_owned(), outcome)).or_default() += 1;
        if outcome == CallOutcome::Throttled {
            let (class, _) = rate(service, operation);
            let once_in = HALVE_ONCE_IN.mul_f64(state.scale);
            if let Some(bucket) = state.buckets.get_mut(&(account_region.to_owned(), service.to_owned(), class)) {
                let now = Instant::now();
                if bucket.halved.is_none_or(|at| now.duration_since(at) >= once_in) {
                    // Never below a tenth: at that rate a refresh still ends.
                    bucket.share = (bucket.share / 2.0).max(0.1);
                    bucket.tokens = bucket.tokens.min(1.0);
                    bucket.halved = Some(now);
                }
            }
        }
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_bucket_wait_for_the_refill() {
        let budget = CallBudget::default();
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
    async fn a_throttled_response_halves_the_rate_and_time_restores_it() {
        let budget = CallBudget::default();
        budget.acquire("1/r", "ec2", "CreateVpc").await;
        budget.record("1/r", "ec2", "CreateVpc", CallOutcome::Throttled);
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
    fn the_name_of_an_operation_distinguishes_reads_from_mutating_calls() {
        assert!(is_mutating("CreateVpc") && is_mutating("PutRolePolicy") && is_mutating("TagResource"));
        assert!(!is_mutating("DescribeVpcs") && !is_mutating("GetCallerIdentity") && !is_mutating("AssumeRole"));
    }
}
