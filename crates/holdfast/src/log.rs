//! Log lines: JSON off a terminal, short ones on it. `HOLDFAST_LOG` sets the level.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Begins logging to stderr; stdout is for answers.
pub(crate) fn begin() {
    let filter = EnvFilter::try_from_env("HOLDFAST_LOG")
        .unwrap_or_else(|_| EnvFilter::new("off,holdfast=warn,holdfast::drift=info"));
    let to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        to.with_target(false).init();
    } else {
        to.json().flatten_event(true).init();
    }
}
