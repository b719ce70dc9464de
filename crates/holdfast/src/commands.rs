//! The commands, one module each.

mod destroy;
mod drift;
mod explain;
mod get;
mod graph;
mod plan;
mod reconcile;
mod render;
mod rollback;
mod validate;

use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;
use holdfast_core::plan::Policy;
use holdfast_engine::pass::{Options, Report};
use tokio::sync::watch;

use crate::arguments::{Arguments, Command};

/// Everything is as it should be.
pub(crate) const FINE: ExitCode = ExitCode::SUCCESS;

/// There is something to do, or something drifted, or something is held.
pub(crate) fn differs() -> ExitCode {
    ExitCode::from(2)
}

/// Runs a command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Render(arguments) => render::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments).await,
        Command::Reconcile(arguments) => reconcile::run(&arguments).await,
        Command::Drift(arguments) => drift::run(&arguments).await,
        Command::Destroy(arguments) => destroy::run(&arguments).await,
        Command::Rollback(arguments) => rollback::run(&arguments).await,
        Command::Get(arguments) => get::run(&arguments).await,
        Command::Graph(arguments) => graph::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Schema => {
            print_json(&holdfast_core::json_schema::schema(&holdfast_aws::registry()))?;
            Ok(FINE)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "holdfast", &mut std::io::stdout());
            Ok(FINE)
        }
    }
}

/// Options of a look or a pass that nothing stops.
pub(crate) fn options(policy: Policy, everywhere: bool, patience: Duration, stop: watch::Receiver<bool>) -> Options {
    Options { policy, everywhere, patience, stop }
}

/// Prints JSON to stdout.
pub(crate) fn print_json(json: &serde_json::Value) -> anyhow::Result<()> {
    anstream::println!("{}", serde_json::to_string_pretty(json)?);
    Ok(())
}

/// Prints YAML to stdout.
pub(crate) fn print_yaml(json: &serde_json::Value) -> anyhow::Result<()> {
    anstream::print!("{}", holdfast_core::report::yaml(json)?);
    Ok(())
}

/// A report as JSON: the plan's form, with what was done.
pub(crate) fn report_json(report: &Report) -> anyhow::Result<serde_json::Value> {
    let mut json = holdfast_core::report::json::plan(&report.plan, report.calls);
    if let (Some(map), serde_json::Value::Object(more)) = (json.as_object_mut(), serde_json::to_value(report)?) {
        map.extend(more);
    }
    Ok(json)
}

/// A receiver that turns true on Ctrl-C or SIGTERM.
pub(crate) fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(false);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(target: "holdfast", "stopping: steps under way are ended first");
        let _ = sender.send(true);
        // A second signal does not wait.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(receiver)
}
