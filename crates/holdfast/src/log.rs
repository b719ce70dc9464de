//! Log lines: JSON off a terminal, short ones on it. `HOLDFAST_LOG` sets the level.

use std::io::{self, IsTerminal};

use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Begins logging to stderr; stdout is for answers.
pub(crate) fn begin() {
    let filter = EnvFilter::try_from_env("HOLDFAST_LOG")
        .unwrap_or_else(|_| EnvFilter::new("off,holdfast=warn,holdfast::drift=info"));
    lines(filter, io::stderr().is_terminal(), io::stderr).init();
}

/// What writes the lines that the filter lets through and that are Holdfast's own: at TRACE the layers below it print
/// whole requests and answers, secret values included, and nothing turns those on.
fn lines<W>(filter: EnvFilter, terminal: bool, to: W) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(to);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match terminal {
        true => layer.with_target(false).boxed(),
        false => layer.json().flatten_event(true).boxed(),
    };
    let ours = filter_fn(|metadata: &Metadata<'_>| is_ours(metadata.target()));
    tracing_subscriber::registry().with(layer.with_filter(filter.and(ours)))
}

fn is_ours(target: &str) -> bool {
    target.split("::").next().is_some_and(|root| root == "holdfast" || root.starts_with("holdfast_"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no poison").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_level_shows_what_goes_over_the_wire() {
        let written = Written::default();
        let to = written.clone();
        // Asked for by name, which is stronger than any general level.
        let filter = EnvFilter::new("trace,aws_smithy_runtime=trace,hyper=trace");
        tracing::subscriber::with_default(lines(filter, false, move || to.clone()), || {
            tracing::trace!(target: "aws_smithy_runtime::client::orchestrator", "body: hunter2");
            tracing::error!(target: "hyper::proto", "body: hunter2");
            tracing::trace!(target: "holdfast::drift", "ours");
        });
        let text = String::from_utf8(written.0.lock().expect("no poison").clone()).expect("UTF-8");
        assert!(text.contains("ours") && !text.contains("hunter2"), "{text}");
    }
}
