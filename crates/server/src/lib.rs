//! The outputs of a running daemon: metrics, log lines, and the HTTP listener with health checks.

mod drift;
mod health;
mod listener;
mod log;
mod metrics;
mod page;
mod samples;
mod table;

pub use listener::{ListenError, Server};
pub use metrics::Metrics;
pub use page::Format;
pub use samples::page;
pub use table::{MetricDefinition, MetricType, TABLE};
