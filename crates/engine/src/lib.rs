//! The engine: converges a cloud to a document. It has the port to the cloud, the pass, the call budget and the store.

pub mod budget;
pub mod cloud;
pub mod daemon;
pub mod event;
mod expectations;
mod flapping;
mod intent;
mod observe;
pub mod pass;
mod poll_schedule;
mod retry;
pub mod rollback;
mod run;
pub mod store;
pub mod timing;
