//! The pure part of Holdfast: documents, the observed state, differences between the two, and the plan.
//!
//! This crate never reads a clock, a file or the network. Every result depends only on the arguments.
//! A document passes through the modules in this order:
//! [`load`] → [`render`] → (the engine observes) → [`diff`] → [`plan`].

pub mod address;
pub mod canonical;
mod check;
mod coerce;
pub mod diagnostic;
pub mod diff;
pub mod digest;
pub mod document;
pub mod expression;
pub mod graph;
pub mod inventory;
pub mod load;
pub mod observed;
pub mod operation;
pub mod plan;
pub mod policy;
pub mod render;
pub mod resolve;
pub mod rollback;
pub mod schema;
pub mod types;
pub mod value;

extern crate self as holdfast_core;

pub use holdfast_derive::Spec;
