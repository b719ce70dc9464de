//! `reconcile`: converges the account, in one pass or as a daemon.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use holdfast_aws::SecretStore;
use holdfast_core::document::Document;
use holdfast_core::plan::PlanPolicy;
use holdfast_engine::daemon::DaemonSchedule;
use holdfast_engine::event::EventSink;
use holdfast_engine::pass::{self, PassReport};
use holdfast_report::{Footer, counted, text};
use holdfast_server::{Metrics, Server};

use super::{SUCCESS, options, print_json, print_yaml, stop_signal, work_left};
use crate::arguments::{OutputFormat, ReconcileArgs};
use crate::progress::Progress;
use crate::{connect, document};

pub(super) async fn run(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    match args.once {
        true => once(args).await,
        false => daemon(args).await,
    }
}

/// Returns the policy of the flags.
fn policy(args: &ReconcileArgs, document: &Document) -> anyhow::Result<PlanPolicy> {
    Ok(PlanPolicy { drift: args.drift, ..connect::policy(&args.grants, document)? })
}

async fn once(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let document = document::load(&args.document, &secret_store)?.document;
    let policy = policy(args, &document)?;
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let engine = connect::engine(cloud, &document, &args.connection, Arc::new(Progress::new()));
    let options = options(policy, args.grants.prune, args.wait, stop_signal()?);
    let report = pass::run(&engine, &document, &options).await?;
    print(&report, args.grants.prune || document.policy.prune, args.output)?;
    Ok(match report.converged {
        true => SUCCESS,
        false if report.failed() || report.stopped => ExitCode::from(1),
        false => work_left(),
    })
}

/// Prints the report of a pass. `orphans_searched` is true when the pass was a full scan.
pub(super) fn print(report: &PassReport, orphans_searched: bool, output: OutputFormat) -> anyhow::Result<()> {
    let footer = Footer { calls: report.calls, orphans_searched };
    let json = || super::report_json(report);
    match output {
        OutputFormat::Json => print_json(&json()?)?,
        OutputFormat::Yaml => print_yaml(&json()?)?,
        OutputFormat::Text | OutputFormat::Markdown => {
            anstream::print!("{}", text::plan(&report.plan, footer));
            let result = match (report.converged, report.stopped) {
                (true, _) => "Converged",
                (_, true) => "Stopped early",
                _ => "Not converged",
            };
            anstream::println!("{result} after {} in {:.1} s.", counted(report.results.len(), "step"), report.seconds);
        }
    }
    Ok(())
}

async fn daemon(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let (document, mut reload) = document::WatchedDocument::load(args.document.clone(), secret_store.clone())?;
    let policy = policy(args, &document)?;
    let stop = stop_signal()?;
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let metrics = Arc::new(Metrics::new(&document.stack, &document.env, cloud.clone(), args.interval));
    let server = Server::listen(args.listen, metrics.clone(), stop.clone()).await?;
    anstream::eprintln!(
        "reconciling {}/{}; metrics at http://{}/metrics",
        document.stack,
        document.env,
        server.address()
    );
    let mut event_sinks: Vec<Arc<dyn EventSink>> = vec![metrics.clone()];
    // If stderr is not a terminal, it has only log lines.
    if std::io::stderr().is_terminal() {
        event_sinks.push(Arc::new(Progress::new()));
    }
    let engine = connect::engine(cloud, &document, &args.connection, Arc::new(event_sinks));
    // A pass waits for pending resources for one interval. Then the next pass observes everything.
    let options = options(policy, args.grants.prune, args.interval, stop);
    let schedule = DaemonSchedule { interval: args.interval, full_scan_every: args.full_scan_every };
    holdfast_engine::daemon::run(&engine, document, &options, schedule, &mut reload, |end| metrics.ended(end)).await;
    server.stopped().await;
    anstream::eprintln!("stopped");
    Ok(SUCCESS)
}
