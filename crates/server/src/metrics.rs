//! The watcher that keeps the metrics and the health of one stack and environment.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use holdfast_engine::cloud::Cloud;
use holdfast_engine::event::{Event, Watcher};
use holdfast_engine::pass::{PassError, Report};

use crate::health::Health;
use crate::log::Log;
use crate::page::Format;
use crate::standing::Standing;

/// The metrics, log lines and health of one engine: give it the engine's events, and the ends of its passes.
pub struct Metrics {
    stack: String,
    env: String,
    cloud: Arc<dyn Cloud>,
    log: Log,
    inner: Mutex<Inner>,
}

struct Inner {
    standing: Standing,
    health: Health,
}

impl Metrics {
    /// Metrics of a stack and environment that a cloud makes calls for, with a pass each `interval`.
    pub fn new(stack: &str, env: &str, cloud: Arc<dyn Cloud>, interval: Duration) -> Metrics {
        Metrics::with_clock(stack, env, cloud, interval, SystemTime::now)
    }

    /// The same, with a wall clock of one's own.
    pub fn with_clock(
        stack: &str,
        env: &str,
        cloud: Arc<dyn Cloud>,
        interval: Duration,
        now: fn() -> SystemTime,
    ) -> Metrics {
        let inner = Inner { standing: Standing::new(now), health: Health::new(interval) };
        Metrics {
            stack: stack.to_owned(),
            env: env.to_owned(),
            cloud,
            log: Log::new(stack, env),
            inner: Mutex::new(inner),
        }
    }

    /// A pass ended: for the errors, of which there is no event. Reports are counted from their events.
    pub fn ended(&self, end: Result<&Report, &PassError>) {
        self.log.ended(end);
        let mut inner = self.lock();
        inner.health.progressed();
        if let Err(error) = end {
            inner.standing.failed();
            inner.health.failed(error.to_string());
        }
    }

    /// The /metrics page.
    ///
    /// # Errors
    /// When it cannot be written as text, which no value that is counted here leads to.
    pub fn page(&self, format: Format) -> Result<String, fmt::Error> {
        let counts = self.cloud.calls();
        let page = self.lock().standing.page(&counts);
        page.render(&self.stack, &self.env, format)
    }

    /// The stack and the environment, as in `mashroom/dev`.
    pub(crate) fn owner(&self) -> String {
        format!("{}/{}", self.stack, self.env)
    }

    /// Whether the loop lives, in a sentence.
    ///
    /// # Errors
    /// When it gives no sign of life: the sentence says for how long.
    pub fn alive(&self) -> Result<String, String> {
        self.lock().health.alive()
    }

    /// Whether a first pass ended without error, in a sentence.
    ///
    /// # Errors
    /// When none did: the sentence says why.
    pub fn ready(&self) -> Result<String, String> {
        self.lock().health.ready()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Metrics {
    fn on(&self, event: &Event<'_>) {
        self.log.on(event);
        let mut inner = self.lock();
        inner.health.progressed();
        inner.standing.on(event);
        // A pass that a stop cut short says nothing about the next start.
        if let Event::PassEnded { report } = event
            && !report.stopped
        {
            inner.health.passed();
        }
    }
}
