//! The commands: one module each.

mod destroy;
mod drift;
mod explain;
mod get;
mod graph;
mod plan;
mod reconcile;
mod render;
mod rollback;
mod saved_plan;
mod unlock;
mod validate;

use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;
use holdfast_core::plan::PlanPolicy;
use holdfast_engine::pass::{PassOptions, PassReport};
use holdfast_report::Footer;
use tokio::sync::watch;

use crate::arguments::{CliArgs, CommandArgs};
use crate::output::print;

/// The exit code 0: the account matches the document.
pub(crate) const SUCCESS: ExitCode = ExitCode::SUCCESS;

/// Returns the exit code 2: steps, holds or drift are left.
pub(crate) fn work_left() -> ExitCode {
    ExitCode::from(2)
}

/// Runs a command to its end.
pub(crate) fn run_to_end(args: CliArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(args));
    // A thread that looks up a name in DNS cannot be stopped. The end of the process does not wait for it.
    runtime.shutdown_background();
    result
}

/// Runs a command.
async fn run(args: CliArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        CommandArgs::Validate(args) => validate::run(&args),
        CommandArgs::Render(args) => render::run(&args),
        CommandArgs::Plan(args) => plan::run(&args).await,
        CommandArgs::Reconcile(args) => reconcile::run(&args).await,
        CommandArgs::Drift(args) => drift::run(&args).await,
        CommandArgs::Destroy(args) => destroy::run(&args).await,
        CommandArgs::Rollback(args) => rollback::run(&args).await,
        CommandArgs::Unlock(args) => unlock::run(&args).await,
        CommandArgs::Get(args) => get::run(&args).await,
        CommandArgs::Graph(args) => graph::run(&args),
        CommandArgs::Explain(args) => explain::run(&args),
        CommandArgs::Schema => {
            print_json(&holdfast_report::json_schema::schema(&holdfast_aws::registry()))?;
            Ok(SUCCESS)
        }
        CommandArgs::Completions { shell } => {
            let mut script = vec![];
            clap_complete::generate(shell, &mut CliArgs::command(), "holdfast", &mut script);
            print(&String::from_utf8(script)?)?;
            Ok(SUCCESS)
        }
    }
}

/// Returns the options of a pass or a dry run.
pub(crate) fn options(
    policy: PlanPolicy,
    full_scan: bool,
    wait_timeout: Duration,
    stop: watch::Receiver<bool>,
) -> PassOptions {
    PassOptions { policy, full_scan, wait_timeout, approved: None, stop }
}

/// Prints JSON to stdout.
pub(crate) fn print_json(json: &serde_json::Value) -> anyhow::Result<()> {
    Ok(print(&(serde_json::to_string_pretty(json)? + "\n"))?)
}

/// Prints YAML to stdout.
pub(crate) fn print_yaml(json: &serde_json::Value) -> anyhow::Result<()> {
    Ok(print(&holdfast_report::yaml(json)?)?)
}

/// Returns a report as JSON: the form of a plan, with the results of the steps.
pub(crate) fn report_json(report: &PassReport, footer: Footer<'_>) -> anyhow::Result<serde_json::Value> {
    let mut json = holdfast_report::json::plan(&report.plan, footer);
    if let (Some(map), serde_json::Value::Object(more)) = (json.as_object_mut(), serde_json::to_value(report)?) {
        map.extend(more);
    }
    Ok(json)
}

/// Returns a receiver that turns true on Ctrl-C or SIGTERM. A second signal ends the process at once, with exit code
/// 130.
pub(crate) fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(false);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(target: "holdfast", "stopping after the steps that have begun; a second signal stops at once");
        let _ = sender.send(true);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(receiver)
}
