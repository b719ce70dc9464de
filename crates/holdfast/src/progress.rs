//! What long work shows: a live line for each step on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::event::{Event, Outcome, Watcher};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The name of the line that tells what is waited for.
const WAITING: &str = "waiting";

/// Shows the steps of passes on stderr.
pub(crate) struct Progress {
    bars: MultiProgress,
    running: Mutex<BTreeMap<String, ProgressBar>>,
    live: bool,
}

impl Progress {
    /// Live lines on a terminal, plain ones elsewhere.
    pub(crate) fn new() -> Self {
        let live = std::io::stderr().is_terminal();
        Progress { bars: MultiProgress::new(), running: Mutex::default(), live }
    }

    fn say(&self, line: &str) {
        match self.live {
            true => {
                let _ = self.bars.println(line);
            }
            false => anstream::eprintln!("{line}"),
        }
    }

    /// Shows a line with its elapsed time until it is stopped; one that is shown already gets the new words.
    fn start(&self, name: &str, words: String) {
        if self.live {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let bar = running.entry(name.to_owned()).or_insert_with(|| {
                let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed:.dim}");
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(words);
        }
    }

    fn stop(&self, name: &str) {
        if let Some(bar) = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(name) {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for Progress {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::StepBegan { step } => {
                self.stop(WAITING);
                let name = format!("{} {}", step.action.word(), step.address);
                self.start(&name, name.clone());
            }
            Event::PassEnded { .. } => self.stop(WAITING),
            Event::StepEnded { step, outcome, took, failure } => {
                let name = format!("{} {}", step.action.word(), step.address);
                self.stop(&name);
                let seconds = took.as_secs_f64();
                match (outcome, failure) {
                    (Outcome::Done, _) => self.say(&format!("  \u{1b}[32m✓\u{1b}[0m {name} ({seconds:.1} s)")),
                    (Outcome::Retry, Some(failure)) => {
                        self.say(&format!("  \u{1b}[33m↻\u{1b}[0m {name}, to be tried again: {failure}"))
                    }
                    (_, Some(failure)) => self.say(&format!("  \u{1b}[31m✗\u{1b}[0m {name}: {failure}")),
                    (_, None) => self.say(&format!("  \u{1b}[31m✗\u{1b}[0m {name}")),
                }
            }
            Event::Waiting { addresses, pause } => {
                let names: Vec<String> = addresses.iter().take(5).map(ToString::to_string).collect();
                let more = addresses.len().saturating_sub(5);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let line = match names.is_empty() {
                    true => "before trying again".to_owned(),
                    false => format!("for {}{more}", names.join(", ")),
                };
                match self.live {
                    true => self.start(WAITING, format!("waiting {line}")),
                    false => self.say(&format!("  … waiting {line} ({:.1} s)", pause.as_secs_f64())),
                }
            }
            Event::Reloaded { error: None } => self.say("  the document changed and was read again"),
            Event::Reloaded { error: Some(error) } => {
                self.say(&format!("  the document changed and cannot be used; the last good one stays:\n{error}"))
            }
            _ => {}
        }
    }
}
