//! The engine: converges a cloud to a document. It has the port to the cloud, the pass, the call budget and the store.

pub mod budget;
pub mod cloud;
pub mod daemon;
pub mod engine;
pub mod event;
mod expectations;
mod failure;
pub mod file_store;
mod flapping;
mod history;
mod intent;
mod journal;
mod known_names;
mod observe;
mod options;
pub mod pass;
mod poll_schedule;
mod report;
mod retry;
pub mod rollback;
mod scope;
mod state;
mod steps;
pub mod store;
pub mod timing;
