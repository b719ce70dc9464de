//! The event sink that keeps the metrics and the health of one stack in one environment.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use holdfast_engine::cloud::Cloud;
use holdfast_engine::event::{Event, EventSink};
use holdfast_engine::pass::{PassError, PassReport};

use crate::health::Health;
use crate::log::Log;
use crate::page::Format;
use crate::recorder::MetricsRecorder;

/// The metrics, the log lines and the health of one engine. It receives the engine's events, and the ends of its
/// passes.
pub struct Metrics {
    stack: String,
    env: String,
    cloud: Arc<dyn Cloud>,
    log: Log,
    state: Mutex<MetricsState>,
}

struct MetricsState {
    recorder: MetricsRecorder,
    health: Health,
}

impl Metrics {
    /// Creates the metrics of a stack in an environment. The cloud has the counts of calls; `interval` is the time
    /// between two passes.
    pub fn new(stack: &str, env: &str, cloud: Arc<dyn Cloud>, interval: Duration) -> Metrics {
        Metrics::with_clock(stack, env, cloud, interval, SystemTime::now)
    }

    /// Creates the metrics with another wall clock.
    pub fn with_clock(
        stack: &str,
        env: &str,
        cloud: Arc<dyn Cloud>,
        interval: Duration,
        now: fn() -> SystemTime,
    ) -> Metrics {
        let state = MetricsState { recorder: MetricsRecorder::new(now), health: Health::new(interval) };
        Metrics {
            stack: stack.to_owned(),
            env: env.to_owned(),
            cloud,
            log: Log::new(stack, env),
            state: Mutex::new(state),
        }
    }

    /// Records the error of a pass that ended in one. A report is recorded by its event.
    pub fn ended(&self, end: Result<&PassReport, &PassError>) {
        self.log.ended(end);
        let mut state = self.lock();
        state.health.progressed();
        if let Err(error) = end {
            state.recorder.record_error();
            state.health.failed(error.to_string());
        }
    }

    /// Returns the `/metrics` page.
    ///
    /// # Errors
    /// Returns an error when the page cannot be encoded. No value that is recorded here causes this.
    pub fn page(&self, format: Format) -> Result<String, fmt::Error> {
        let counts = self.cloud.calls();
        let page = self.lock().recorder.page(&counts);
        page.render(&self.stack, &self.env, format)
    }

    /// Returns the stack and the environment, as in `mashroom/dev`.
    pub(crate) fn owner(&self) -> String {
        format!("{}/{}", self.stack, self.env)
    }

    /// Returns whether the daemon's loop makes progress, in a sentence.
    ///
    /// # Errors
    /// Returns the reason when the loop is stuck.
    pub fn alive(&self) -> Result<String, String> {
        self.lock().health.alive()
    }

    /// Returns whether a first pass has ended without an error, in a sentence.
    ///
    /// # Errors
    /// Returns the reason when none has.
    pub fn ready(&self) -> Result<String, String> {
        self.lock().health.ready()
    }

    fn lock(&self) -> MutexGuard<'_, MetricsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Metrics {
    fn on(&self, event: &Event<'_>) {
        self.log.on(event);
        let mut state = self.lock();
        state.health.progressed();
        state.recorder.on(event);
        // A pass that a stop ended early does not make the process ready.
        if let Event::PassEnded { report } = event
            && !report.stopped
        {
            state.health.passed();
        }
    }
}
