//! The base of all kinds: the kind contract, SDK clients, error codes and tags.

pub mod client;
pub mod connection;
pub mod driver;
pub mod error;
pub mod field_tags;
mod indexed_names;
pub mod kind;
pub mod names;
pub mod owner;
pub mod owner_marker;
pub mod plain;
pub mod resource;
pub mod sdk;
pub mod secret_store;
pub mod tagging;
pub mod tags;
pub mod transport;
pub mod try_join_all;
pub mod wanted;
