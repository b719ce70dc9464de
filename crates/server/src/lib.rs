//! What a running Holdfast tells the outside: metrics, log lines, and the listener that answers for them.

mod drift;
mod health;
mod listener;
mod log;
mod metrics;
mod page;
mod standing;
mod table;

pub use listener::{ListenError, Server};
pub use log::Log;
pub use metrics::Metrics;
pub use page::Format;
pub use table::{Metric, TABLE, Type};
