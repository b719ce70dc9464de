//! The outputs of a running daemon: metrics, log lines, and the HTTP listener with health checks.

mod drift;
mod health;
mod listener;
mod log;
mod metrics;
mod page;
mod recorder;
mod table;

pub use listener::{ListenError, Server};
pub use log::Log;
pub use metrics::Metrics;
pub use page::Format;
pub use table::{MetricDefinition, MetricType, TABLE};
