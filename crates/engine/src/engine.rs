//! The engine: everything that outlives a pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use holdfast_core::document::Document;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::cloud::Cloud;
use crate::event::EventSink;
use crate::expectations::Expectations;
use crate::lease::{LeaseGate, LeaseHolder};
use crate::report::PassError;
use crate::scope::Refresh;
use crate::store::Store;
use crate::timing::Timing;
use crate::writer::Writer;

/// An engine that drives one cloud: [`crate::pass`], [`crate::daemon`] and [`crate::rollback`] run on it.
pub struct Engine {
    pub(crate) cloud: Arc<dyn Cloud>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) event_sink: Arc<dyn EventSink>,
    pub(crate) timing: Timing,
    pub(crate) writer: Writer,
    pub(crate) now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    expectations: Mutex<Expectations>,
    random: Mutex<StdRng>,
    last_refresh: AtomicU64,
}

impl Engine {
    /// Creates an engine for a cloud. `seed` is the seed of its random numbers.
    pub fn new(
        cloud: Arc<dyn Cloud>,
        store: Arc<dyn Store>,
        event_sink: Arc<dyn EventSink>,
        timing: Timing,
        seed: u64,
    ) -> Engine {
        Engine {
            cloud,
            store,
            event_sink,
            timing,
            writer: Writer::new(
                LeaseGate::closed(Duration::ZERO),
                LeaseHolder::default(),
                Duration::ZERO,
                String::new(),
            ),
            now: Arc::new(SystemTime::now),
            expectations: Mutex::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            last_refresh: AtomicU64::new(0),
        }
    }

    /// Replaces the wall clock, which determines the age of the intents of an earlier process.
    pub fn with_clock(self, now: Arc<dyn Fn() -> SystemTime + Send + Sync>) -> Engine {
        Engine { now, ..self }
    }

    /// Replaces the writer: the gate of its mutating calls, its name for other runs, and its lock timeout. By default
    /// the writer has no name and does not wait.
    pub fn with_writer(self, writer: Writer) -> Engine {
        Engine { writer, ..self }
    }

    /// Returns the cloud that the engine drives.
    pub fn cloud(&self) -> &dyn Cloud {
        &*self.cloud
    }

    /// Returns the expectations. The guard is never held across an `await`.
    pub(crate) fn expectations(&self) -> MutexGuard<'_, Expectations> {
        self.expectations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a random number between 0 and 1, for jitter.
    pub(crate) fn jitter(&self) -> f64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// Returns a random nonce for the intent of a create.
    pub(crate) fn nonce(&self) -> String {
        format!("{:016x}", self.random.lock().unwrap_or_else(PoisonError::into_inner).random::<u64>())
    }

    /// Returns the next refresh: observations that begin together.
    pub(crate) fn next_refresh(&self, from_index: bool) -> Refresh {
        Refresh { number: self.last_refresh.fetch_add(1, Ordering::Relaxed) + 1, from_index, ..Refresh::default() }
    }
}

/// A document, and the account that an engine observes and changes for it.
#[derive(Clone)]
pub(crate) struct Session<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) document: &'a Document,
    /// The account of the credentials, which is the document's if the document names one.
    pub(crate) account: String,
}

impl<'a> Session<'a> {
    /// Begins a session, after a check that the credentials are for the document's account.
    ///
    /// # Errors
    /// Returns an error when the account is wrong or unknown.
    pub(crate) async fn begin(engine: &'a Engine, document: &'a Document) -> Result<Self, PassError> {
        let account = engine.cloud.account().await.map_err(|failure| PassError::Identity(Box::new(failure)))?;
        match &document.target.account {
            Some(desired) if *desired != account => {
                Err(PassError::WrongAccount { desired: desired.clone(), actual: account })
            }
            _ => Ok(Session { engine, document, account }),
        }
    }
}
