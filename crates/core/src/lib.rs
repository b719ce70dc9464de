//! The pure part of Holdfast: what is wanted, what is there, what differs, what to do about it.
//!
//! Nothing here reads a clock, a file or a network; everything is a function of its arguments.
//! The life of a document reads from top to bottom:
//! [`load`] → [`render`] → (the engine observes) → [`diff`] → [`plan`].

pub mod address;
pub mod canonical;
pub mod diagnostic;
pub mod diff;
pub mod digest;
pub mod document;
pub mod explain;
pub mod expression;
mod fit;
pub mod graph;
pub mod json_schema;
pub mod load;
pub mod observed;
pub mod op;
pub mod plan;
pub mod render;
pub mod report;
pub mod resolve;
pub mod rollback;
pub mod schema;
pub mod situation;
pub mod types;
pub mod value;

extern crate self as holdfast_core;

pub use holdfast_derive::Spec;
