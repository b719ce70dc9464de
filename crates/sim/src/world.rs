//! What tests play in: a cloud, a process that drives it, a store, and a document.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::document::Document;
use holdfast_core::plan::{Plan, Policy};
use holdfast_engine::event::Nobody;
use holdfast_engine::pass::{Engine, Options, PassError, Report};
use holdfast_engine::store::{InProcess, Store};
use holdfast_engine::timing::Timing;
use tokio::sync::watch;

use crate::sim::Sim;
use crate::{kinds, stack};

/// A cloud, a process that drives it, a store, and a document.
pub struct World {
    /// The cloud.
    pub sim: Sim,
    /// The process.
    pub engine: Engine,
    /// The document, once there is one.
    pub document: Option<Document>,
    /// Where documents come from.
    pub origin: String,
    store: Arc<dyn Store>,
    stop: watch::Sender<bool>,
}

impl World {
    /// A process with an empty store.
    pub fn new(sim: Sim) -> World {
        let store: Arc<dyn Store> = Arc::new(InProcess::default());
        let engine = engine(&sim, store.clone());
        World { sim, engine, document: None, origin: "here".into(), store, stop: watch::Sender::new(false) }
    }

    /// Another process takes over; with the store, or with an empty one.
    pub fn restart(&mut self, lose_store: bool) {
        if lose_store {
            self.store = Arc::new(InProcess::default());
        }
        self.engine = engine(&self.sim, self.store.clone());
        self.stop = watch::Sender::new(false);
    }

    /// The document from the YAML under a stack's `spec`; or what is wrong with it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn declare(&mut self, spec: &str) -> Result<(), String> {
        let document = stack::stack(spec, &self.origin, kinds::REGISTRY).map_err(|errors| format!("{errors}"))?;
        self.document = Some(document);
        Ok(())
    }

    /// How to go about a pass, with this process's stop.
    pub fn options(&self, policy: Policy, everywhere: bool, patience: Duration) -> Options {
        Options { policy, everywhere, patience, stop: self.stop.subscribe() }
    }

    /// Asks for a stop that much later.
    pub fn stop_after(&self, after: Duration) {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            stop.send_replace(true);
        });
    }
}

impl World {
    /// A pass with an hour's patience.
    ///
    /// # Errors
    /// When nothing could be looked at or done.
    pub async fn reconcile(&self, policy: Policy) -> Result<Report, PassError> {
        let Some(document) = &self.document else { return Err(PassError::Blind("there is no document".into())) };
        self.engine.pass(document, &self.options(policy, true, Duration::from_secs(3600))).await
    }

    /// What the next pass would do.
    ///
    /// # Errors
    /// When nothing could be looked at.
    pub async fn plan(&self, policy: Policy) -> Result<Plan, PassError> {
        let Some(document) = &self.document else { return Err(PassError::Blind("there is no document".into())) };
        Ok(self.engine.look(document, &self.options(policy, true, Duration::ZERO)).await?.plan)
    }
}

fn engine(sim: &Sim, store: Arc<dyn Store>) -> Engine {
    Engine::new(Arc::new(sim.clone()), store, Arc::new(Nobody), Timing::default(), 1).with_clock(sim.clock())
}
