//! What all kinds of AWS stand on: their contract, clients, error codes, tags.

pub mod client;
pub mod driver;
pub mod error;
pub mod kind;
pub mod mark;
pub mod names;
pub mod remembered;
pub mod tagging;
pub mod together;
pub mod transport;
pub mod vault;
