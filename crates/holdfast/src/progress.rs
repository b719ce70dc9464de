//! The progress of a pass on stderr: a live line for each step on a terminal, plain lines otherwise.
//!
//! A step is done when the resource is: a database that AWS is still creating is not, although AWS accepted the call.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_core::address::Address;
use holdfast_core::observed::Phase;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Plan, Step};
use holdfast_engine::cloud::Failure;
use holdfast_engine::event::{Event, EventSink, StepOutcome};
use holdfast_report::escape;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output;

/// The name of the line that shows the wait.
const WAITING: &str = "waiting";

/// The event sink that shows the steps of passes on stderr.
pub(crate) struct Progress {
    bars: MultiProgress,
    state: Mutex<ProgressState>,
    live: bool,
}

#[derive(Default)]
struct ProgressState {
    running: BTreeMap<String, ProgressBar>,
    /// The resources with a step that began and whose end was not shown yet.
    begun: BTreeMap<Address, Begun>,
    /// The resources whose end was shown.
    ended: BTreeSet<Address>,
    /// The resources of the last plan with a step.
    planned: BTreeSet<Address>,
}

/// A resource whose step began.
struct Begun {
    action: Action,
    at: Instant,
    /// True once AWS accepted the calls of the step.
    accepted: bool,
    /// True once a line said that AWS has not finished.
    announced: bool,
}

impl ProgressState {
    /// Returns how many of the resources that change are done, as in `[3/12]`.
    fn count(&self) -> String {
        let all = self.ended.iter().chain(self.begun.keys()).chain(&self.planned);
        format!("[{}/{}]", self.ended.len(), all.collect::<BTreeSet<_>>().len())
    }
}

impl Progress {
    /// Creates the sink, with live lines if stderr is a terminal.
    pub(crate) fn new() -> Self {
        let live = std::io::stderr().is_terminal();
        Progress { bars: MultiProgress::new(), state: Mutex::default(), live }
    }

    fn print(&self, line: &str) {
        match self.live {
            true => {
                let _ = self.bars.println(line);
            }
            false => output::print_error(line),
        }
    }

    /// Shows a live line with its elapsed time until [`stop`], or changes the text of the line of this name.
    fn start(&self, state: &mut ProgressState, name: &str, text: String) {
        if self.live {
            let bar = state.running.entry(name.to_owned()).or_insert_with(|| {
                let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed:.dim}");
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(text);
        }
    }

    fn step_ended(&self, state: &mut ProgressState, step: &Step, outcome: StepOutcome, failure: Option<&Failure>) {
        let name = name(step.action, &step.address);
        let why = failure.map(ToString::to_string).unwrap_or_default();
        let why = escape::line(&why);
        match outcome {
            StepOutcome::Done => {
                if let Some(begun) = state.begun.get_mut(&step.address) {
                    begun.accepted = true;
                }
            }
            StepOutcome::Retry => self.print(&format!("  \u{1b}[33m↻\u{1b}[0m {name} will be retried: {why}")),
            StepOutcome::Failed => {
                let at = state.begun.remove(&step.address).map_or_else(Instant::now, |begun| begun.at);
                state.ended.insert(step.address.clone());
                stop(state, &name);
                let line = format!("{name} ({}): {why}", elapsed(at.elapsed()));
                self.print(&format!("  \u{1b}[31m✗\u{1b}[0m {} {line}", state.count()));
            }
        }
    }

    /// Shows the end of the steps whose resources are done as of a plan. `last` is true at the end of a pass.
    fn planned(&self, state: &mut ProgressState, plan: &Plan, last: bool) {
        state.planned = plan.steps.iter().map(|step| step.address.clone()).collect();
        let accepted = state.begun.iter().filter(|(_, begun)| begun.accepted);
        for address in accepted.map(|(address, _)| address.clone()).collect::<Vec<_>>() {
            let progress = progress_of(plan, &address);
            let Some(begun) = state.begun.get_mut(&address) else { continue };
            let name = name(begun.action, &address);
            let time = elapsed(begun.at.elapsed());
            match progress {
                Ending::Done => {
                    state.begun.remove(&address);
                    state.ended.insert(address);
                    stop(state, &name);
                    self.print(&format!("  \u{1b}[32m✓\u{1b}[0m {} {name} ({time})", state.count()));
                }
                Ending::Failed(message) => {
                    state.begun.remove(&address);
                    state.ended.insert(address);
                    stop(state, &name);
                    let message = escape::line(&message).into_owned();
                    self.print(&format!("  \u{1b}[31m✗\u{1b}[0m {} {name} ({time}): {message}", state.count()));
                }
                Ending::InProgress if !begun.announced || last => {
                    begun.announced = true;
                    self.print(&format!("  … {name}: AWS accepted it, and it is not ready yet ({time})"));
                }
                Ending::InProgress | Ending::StepsLeft => {}
            }
        }
        if last {
            for begun in std::mem::take(&mut state.begun) {
                stop(state, &name(begun.1.action, &begun.0));
            }
            state.ended.clear();
        }
    }
}

/// How far a resource is whose step AWS accepted.
enum Ending {
    /// The resource is ready, or deleted.
    Done,
    /// AWS failed to provision the resource.
    Failed(String),
    /// AWS is still creating, changing or deleting the resource, or reads do not show the change yet.
    InProgress,
    /// Another step of the resource follows.
    StepsLeft,
}

fn progress_of(plan: &Plan, address: &Address) -> Ending {
    if let Some(hold) = plan.holds.iter().find(|h| h.address == *address && h.reason == Reason::ProvisioningFailed) {
        return Ending::Failed(hold.message.clone());
    }
    let is_held = plan.holds.iter().any(|hold| hold.address == *address && hold.reason.is_transient());
    let is_unready = plan.live.get(address).is_some_and(|live| !matches!(live.phase, Phase::Ready | Phase::Failed));
    match () {
        () if is_held || is_unready => Ending::InProgress,
        () if plan.steps.iter().any(|step| step.address == *address) => Ending::StepsLeft,
        () => Ending::Done,
    }
}

fn name(action: Action, address: &Address) -> String {
    format!("{} {address}", action.word())
}

/// Returns a time as text: `1.2 s`, or `3 min 2 s`.
fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn stop(state: &mut ProgressState, name: &str) {
    if let Some(bar) = state.running.remove(name) {
        bar.finish_and_clear();
    }
}

impl EventSink for Progress {
    fn on(&self, event: &Event<'_>) {
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Planned { plan, .. } => self.planned(state, plan, false),
            Event::StepBegan { step } => {
                stop(state, WAITING);
                let (action, at) = (step.action, Instant::now());
                let new = || Begun { action, at, accepted: false, announced: false };
                let begun = state.begun.entry(step.address.clone()).or_insert_with(new);
                begun.accepted = false;
                let name = name(begun.action, &step.address);
                self.start(state, &name, name.clone());
            }
            Event::StepEnded { step, outcome, failure, .. } => self.step_ended(state, step, *outcome, *failure),
            Event::PassEnded { report } => {
                stop(state, WAITING);
                self.planned(state, &report.plan, true);
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
                    true => self.start(state, WAITING, format!("waiting {line}")),
                    false => self.print(&format!("  … waiting {line} ({:.1} s)", pause.as_secs_f64())),
                }
            }
            Event::WaitingForLease { holder } => {
                let line = format!("  … waiting for the lease, which is held by {holder}");
                self.print(&escape::line(&line));
            }
            Event::Reloaded { error: None } => self.print("  the document changed and was reloaded"),
            Event::Reloaded { error: Some(error) } => self.print(&format!(
                "  the document changed and has errors; the last valid document remains in force:\n{error}"
            )),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::plan::hold::Hold;

    use super::*;

    fn address() -> Address {
        "DbInstance/main".parse().expect("an address")
    }

    fn held(reason: Reason) -> Plan {
        let hold = Hold { address: address(), reason, message: "a message".to_owned(), waits_for: None };
        Plan { holds: vec![hold], ..Plan::default() }
    }

    #[test]
    fn a_resource_that_aws_is_still_creating_is_not_done() {
        assert!(matches!(progress_of(&held(Reason::Pending), &address()), Ending::InProgress));
        assert!(matches!(progress_of(&held(Reason::ProvisioningFailed), &address()), Ending::Failed(_)));
        assert!(matches!(progress_of(&Plan::default(), &address()), Ending::Done));
    }

    #[test]
    fn the_count_covers_ended_running_and_planned_resources() {
        let mut state = ProgressState { planned: BTreeSet::from([address()]), ..ProgressState::default() };
        assert_eq!(state.count(), "[0/1]");
        state.ended.insert(address());
        assert_eq!(state.count(), "[1/1]");
        state.planned.insert("Queue/a".parse().expect("an address"));
        assert_eq!(state.count(), "[1/2]");
    }

    #[test]
    fn times_are_in_seconds_and_minutes() {
        assert_eq!(elapsed(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(elapsed(Duration::from_secs(182)), "3 min 2 s");
    }
}
