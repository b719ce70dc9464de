//! A cloud in memory: any registry of schemas, virtual time, lagging reads and injected faults.
//!
//! The time is tokio's, so a test that starts with paused time takes no real time. The same calls in the same order
//! give the same ids, so the output of a scenario can be compared with its earlier output.

mod account;
pub mod behaviour;
pub mod cost;
mod effect;
pub mod fault;
pub mod kinds;
mod observe;
mod out_of_band;
mod sim;
pub mod stack;
mod world;

pub use out_of_band::ActualResource;
pub use sim::Sim;
pub use world::World;
