//! What drives a cloud to what a document says: the port, the pass, the budget, the store.

pub mod budget;
pub mod cloud;
