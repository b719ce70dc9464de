//! Progress on stderr: a live line for each step on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::event::{Event, EventSink, StepOutcome};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The name of the line that shows the wait.
const WAITING: &str = "waiting";

/// The event sink that shows the steps of passes on stderr.
pub(crate) struct Progress {
    bars: MultiProgress,
    running: Mutex<BTreeMap<String, ProgressBar>>,
    live: bool,
}

impl Progress {
    /// Creates the sink, with live lines if stderr is a terminal.
    pub(crate) fn new() -> Self {
        let live = std::io::stderr().is_terminal();
        Progress { bars: MultiProgress::new(), running: Mutex::default(), live }
    }

    fn print(&self, line: &str) {
        match self.live {
            true => {
                let _ = self.bars.println(line);
            }
            false => anstream::eprintln!("{line}"),
        }
    }

    /// Shows a live line with its elapsed time until [`Progress::stop`], or changes the text of the line of this name.
    fn start(&self, name: &str, text: String) {
        if self.live {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let bar = running.entry(name.to_owned()).or_insert_with(|| {
                let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed:.dim}");
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(text);
        }
    }

    fn stop(&self, name: &str) {
        if let Some(bar) = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(name) {
            bar.finish_and_clear();
        }
    }
}

impl EventSink for Progress {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::StepBegan { step } => {
                self.stop(WAITING);
                let name = format!("{} {}", step.action.word(), step.address);
                self.start(&name, name.clone());
            }
            Event::PassEnded { .. } => self.stop(WAITING),
            Event::StepEnded { step, outcome, duration, failure } => {
                let name = format!("{} {}", step.action.word(), step.address);
                self.stop(&name);
                let seconds = duration.as_secs_f64();
                match (outcome, failure) {
                    (StepOutcome::Done, _) => self.print(&format!("  \u{1b}[32m✓\u{1b}[0m {name} ({seconds:.1} s)")),
                    (StepOutcome::Retry, Some(failure)) => {
                        self.print(&format!("  \u{1b}[33m↻\u{1b}[0m {name} will be retried: {failure}"))
                    }
                    (_, Some(failure)) => self.print(&format!("  \u{1b}[31m✗\u{1b}[0m {name}: {failure}")),
                    (_, None) => self.print(&format!("  \u{1b}[31m✗\u{1b}[0m {name}")),
                }
            }
            Event::Waiting { addresses, pause } => {
                let names: Vec<String> = addresses.iter().take(5).map(ToString::to_string).collect();
                let more = addresses.len().saturating_sub(5);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let line = match names.is_empty() {
                    true => "before the next retry".to_owned(),
                    false => format!("for {}{more}", names.join(", ")),
                };
                match self.live {
                    true => self.start(WAITING, format!("waiting {line}")),
                    false => self.print(&format!("  … waiting {line} ({:.1} s)", pause.as_secs_f64())),
                }
            }
            Event::Reloaded { error: None } => self.print("  the document changed and was reloaded"),
            Event::Reloaded { error: Some(error) } => self.print(&format!(
                "  the document changed and has errors; the last valid document remains in force:\n{error}"
            )),
            _ => {}
        }
    }
}
