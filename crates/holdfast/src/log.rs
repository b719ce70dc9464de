//! Log lines on stderr: short on a terminal, JSON otherwise. `HOLDFAST_LOG` selects the targets and levels.

use std::fmt;
use std::io::{self, IsTerminal};

use holdfast_report::escape;
use tracing::field::Field;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Begins logging to stderr. Stdout has only the output of the command.
pub(crate) fn begin() {
    let terminal = io::stderr().is_terminal();
    let default = if terminal { TERMINAL_FILTER } else { FILTER };
    let filter = EnvFilter::try_from_env("HOLDFAST_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    lines(filter, terminal, io::stderr).init();
}

/// The default filter: warnings, errors, drift, steps, reloads of the document, and the end of an outage.
const FILTER: &str = "off,holdfast=warn,holdfast::drift=info,holdfast::step=info,holdfast::document=info,\
                      holdfast::observation=info";

/// The default filter on a terminal, which shows the steps and reloads as progress.
const TERMINAL_FILTER: &str = "off,holdfast=warn,holdfast::drift=info,holdfast::observation=info";

/// Returns the subscriber that writes the log lines. No filter enables lines of other crates: at level TRACE they
/// contain whole requests and responses, secret values included.
fn lines<W>(filter: EnvFilter, terminal: bool, to: W) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A line that cannot be written, because the reader closed the pipe, has no place to be reported.
    let layer = tracing_subscriber::fmt::layer().with_writer(to).log_internal_errors(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match terminal {
        true => layer.with_target(false).fmt_fields(debug_fn(escaped_field).delimited(" ")).boxed(),
        false => layer.json().flatten_event(true).boxed(),
    };
    let own = filter_fn(|metadata: &Metadata<'_>| is_own(metadata.target()));
    tracing_subscriber::registry().with(layer.with_filter(filter.and(own)))
}

/// Writes a field for a terminal. Control characters of values, which come from AWS, are escaped. The JSON format
/// escapes them itself.
fn escaped_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{}", escape::line(&text)),
        name => write!(writer, "{name}={}", escape::line(&text)),
    }
}

/// True when a target is Holdfast's own.
fn is_own(target: &str) -> bool {
    target.split("::").next().is_some_and(|root| root == "holdfast" || root.starts_with("holdfast_"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct LogBuffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for LogBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no poison").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_on_a_terminal_has_no_control_character_of_a_value() {
        let written = LogBuffer::default();
        let to = written.clone();
        tracing::subscriber::with_default(lines(EnvFilter::new("trace"), true, move || to.clone()), || {
            let error = "access denied\n2026-12-01 INFO all is well\u{1b}[2K\u{202e}";
            tracing::warn!(target: "holdfast::step", error, "step {error}");
        });
        let text = String::from_utf8(written.0.lock().expect("no poison").clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains("\u{1b}[2K") && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("access denied"), "{text}");
    }

    #[test]
    fn no_filter_shows_requests_and_responses() {
        let written = LogBuffer::default();
        let to = written.clone();
        // A filter with the names of the targets, which takes precedence over a general level.
        let filter = EnvFilter::new("trace,aws_smithy_runtime=trace,hyper=trace");
        tracing::subscriber::with_default(lines(filter, false, move || to.clone()), || {
            tracing::trace!(target: "aws_smithy_runtime::client::orchestrator", "body: hunter2");
            tracing::error!(target: "hyper::proto", "body: hunter2");
            tracing::trace!(target: "holdfast::drift", "own line");
        });
        let text = String::from_utf8(written.0.lock().expect("no poison").clone()).expect("UTF-8");
        assert!(text.contains("own line") && !text.contains("hunter2"), "{text}");
    }
}
