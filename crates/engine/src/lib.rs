//! What drives a cloud to what a document says: the port, the pass, the budget, the store.

mod agenda;
pub mod budget;
pub mod cloud;
pub mod daemon;
pub mod event;
mod intent;
mod ledger;
mod observe;
pub mod pass;
pub mod rollback;
mod run;
pub mod store;
pub mod timing;
