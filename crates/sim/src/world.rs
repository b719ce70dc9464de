//! The environment of a test: a cloud, a process that drives it, a store, and a document.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::plan::{Plan, PlanPolicy};
use holdfast_engine::engine::Engine;
use holdfast_engine::event::NoopSink;
use holdfast_engine::pass::{self, PassError, PassOptions, PassReport};
use holdfast_engine::store::{InMemoryStore, Store};
use holdfast_engine::timing::Timing;
use tokio::sync::watch;

use crate::sim::Sim;
use crate::{kinds, stack};

/// The environment of a test: a cloud, a process that drives it, a store, and a document.
pub struct World {
    /// The cloud.
    pub sim: Sim,
    /// The process.
    pub engine: Engine,
    /// The document, once one is declared.
    pub document: Option<Document>,
    /// The source of documents.
    pub source: String,
    store: Arc<dyn Store>,
    stop: watch::Sender<bool>,
    /// The seed of the process: each process has other random numbers.
    seed: u64,
}

impl World {
    /// Returns an environment whose process has an empty store.
    pub fn new(sim: Sim) -> World {
        let store: Arc<dyn Store> = Arc::new(InMemoryStore::default());
        let (engine, stop) = (engine(&sim, store.clone(), 1), watch::Sender::new(false));
        World { sim, engine, document: None, source: "here".into(), store, stop, seed: 1 }
    }

    /// Starts another process, with the same store or with an empty one.
    pub fn restart(&mut self, lose_store: bool) {
        if lose_store {
            self.store = Arc::new(InMemoryStore::default());
        }
        self.seed += 1;
        self.engine = engine(&self.sim, self.store.clone(), self.seed);
        self.stop = watch::Sender::new(false);
    }

    /// Replaces the store, and starts another process with it.
    pub fn with_store(mut self, store: Arc<dyn Store>) -> World {
        self.store = store;
        self.restart(false);
        self
    }

    /// Declares a document from the YAML under a stack's `spec`.
    ///
    /// # Errors
    /// Returns all errors of the document.
    pub fn declare(&mut self, spec: &str) -> Result<(), String> {
        let document = stack::stack(spec, &self.source, kinds::REGISTRY).map_err(|errors| format!("{errors}"))?;
        self.document = Some(document);
        Ok(())
    }

    /// Returns the options of a pass, with the stop signal of this process.
    pub fn options(&self, policy: PlanPolicy, full_scan: bool, wait_timeout: Duration) -> PassOptions {
        PassOptions { policy, full_scan, wait_timeout, approved: None, stop: self.stop.subscribe() }
    }

    /// Requests a stop of the process after this time.
    pub fn stop_after(&self, after: Duration) {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            stop.send_replace(true);
        });
    }
}

impl World {
    /// Runs a pass with a wait timeout of an hour.
    ///
    /// # Errors
    /// Returns an error when no document is declared, or when the pass fails as a whole.
    pub async fn reconcile(&self, policy: PlanPolicy) -> Result<PassReport, PassError> {
        let Some(document) = &self.document else {
            return Err(PassError::ObservationFailed("no document is declared".into()));
        };
        pass::run(&self.engine, document, &self.options(policy, true, Duration::from_secs(3600))).await
    }

    /// Returns the plan of the next pass.
    ///
    /// # Errors
    /// Returns an error when no document is declared, or when nothing could be observed.
    pub async fn plan(&self, policy: PlanPolicy) -> Result<Plan, PassError> {
        let Some(document) = &self.document else {
            return Err(PassError::ObservationFailed("no document is declared".into()));
        };
        Ok(pass::dry_run(&self.engine, document, &self.options(policy, true, Duration::ZERO)).await?.plan)
    }
}

fn engine(sim: &Sim, store: Arc<dyn Store>, seed: u64) -> Engine {
    Engine::new(Arc::new(sim.clone()), store, Arc::new(NoopSink), Timing::default(), seed).with_clock(sim.clock())
}
