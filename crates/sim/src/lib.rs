//! The cloud in memory: any registry of schemas, virtual time, lagging reads and faults to order.
//!
//! Times are tokio's, so a test that starts with paused time runs as fast as it can compute. The same calls in
//! the same order make the same ids, so that what a scenario prints can be compared with what it printed before.

mod account;
pub mod behaviour;
mod effect;
pub mod fault;
pub mod kinds;
mod look;
mod outside;
mod sim;
pub mod stack;
mod world;

pub use outside::Shown;
pub use sim::Sim;
pub use world::World;
