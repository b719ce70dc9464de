//! Log lines on stderr: short on a terminal, JSON otherwise. `HOLDFAST_LOG` selects the targets and levels.

use std::io::{self, IsTerminal};

use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Begins logging to stderr. Stdout has only the output of the command.
pub(crate) fn begin() {
    let filter = EnvFilter::try_from_env("HOLDFAST_LOG")
        .unwrap_or_else(|_| EnvFilter::new("off,holdfast=warn,holdfast::drift=info"));
    lines(filter, io::stderr().is_terminal(), io::stderr).init();
}

/// Returns the subscriber that writes the log lines. No filter enables lines of other crates: at level TRACE they
/// contain whole requests and responses, secret values included.
fn lines<W>(filter: EnvFilter, terminal: bool, to: W) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(to);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match terminal {
        true => layer.with_target(false).boxed(),
        false => layer.json().flatten_event(true).boxed(),
    };
    let own = filter_fn(|metadata: &Metadata<'_>| is_own(metadata.target()));
    tracing_subscriber::registry().with(layer.with_filter(filter.and(own)))
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
