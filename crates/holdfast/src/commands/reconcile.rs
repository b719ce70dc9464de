//! `reconcile`: converges the account, in one pass or as a daemon.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use holdfast_aws::SecretStore;
use holdfast_core::document::Document;
use holdfast_core::plan::PlanPolicy;
use holdfast_engine::daemon::DaemonSchedule;
use holdfast_engine::event::{EventSink, StepOutcome, StepResult};
use holdfast_engine::pass::{self, ApprovedPlan, PassReport};
use holdfast_report::{Detail, FailedStep, Footer, counted, markdown, text};
use holdfast_server::{Metrics, Server};
use tokio::sync::watch;

use super::{SUCCESS, options, plan, print_json, print_yaml, saved_plan, stop_signal, work_left};
use crate::arguments::{GrantArgs, OutputFormat, ReconcileArgs};
use crate::output::{print as print_text, print_error};
use crate::progress::Progress;
use crate::{connect, watched};

pub(super) async fn run(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    match args.once {
        true => once(args).await,
        false => daemon(args).await,
    }
}

/// Returns the policy of the flags.
fn policy(args: &ReconcileArgs, grants: &GrantArgs, document: &Document) -> anyhow::Result<PlanPolicy> {
    Ok(PlanPolicy { drift: args.drift, ..connect::policy(grants, document)? })
}

async fn once(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let document = watched::load(&args.document, &secret_store)?.document;
    let saved = args.plan.as_deref().map(|file| saved_plan::read(file, &document)).transpose()?;
    let (approved, grants) = saved.map_or((None, args.grants.clone()), |(approved, grants)| (Some(approved), grants));
    let policy = policy(args, &grants, &document)?;
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let progress = Arc::new(Progress::new());
    let engine =
        connect::writing_engine(cloud, &document, &args.connection, progress, "reconcile --once", args.lock_timeout)?;
    let mut options = options(policy, grants.prune, args.wait, stop_signal()?);
    options.approved = approved;
    let (orphans_searched, detail) = (grants.prune || document.policy.prune, Detail { full: args.full });
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if is_terminal && !args.yes && options.approved.is_none() {
        let dry_run = pass::dry_run(&engine, &document, &options).await?;
        if !dry_run.plan.steps.is_empty() {
            print_error(text::plan(&dry_run.plan, plan::footer(&dry_run, orphans_searched), detail).trim_end());
            if !is_approved(&document, options.stop.clone()).await? {
                anyhow::bail!("not approved; nothing was changed");
            }
        }
        options.approved = Some(ApprovedPlan::of(&dry_run.plan));
    }
    let report = pass::run(&engine, &document, &options).await?;
    print(&report, orphans_searched, args.output, detail)?;
    Ok(exit_code(&report))
}

/// Asks on the terminal whether the steps that were shown are to be made. A stop is an answer too.
async fn is_approved(document: &Document, stop: watch::Receiver<bool>) -> anyhow::Result<bool> {
    print_error(&format!("\nTo make these steps in {}/{}, type `yes`:", document.stack, document.env));
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    tokio::select! {
        () = stop_requested(stop) => Ok(false),
        answer = answer => Ok(answer??.trim() == "yes"),
    }
}

/// Returns the exit code of a pass.
pub(super) fn exit_code(report: &PassReport) -> ExitCode {
    match report.converged {
        true => SUCCESS,
        false if report.failed() || report.stopped => ExitCode::from(1),
        false => work_left(),
    }
}

/// Prints the report of a pass. `orphans_searched` is true when the pass was a full scan.
pub(super) fn print(
    report: &PassReport,
    orphans_searched: bool,
    output: OutputFormat,
    detail: Detail,
) -> anyhow::Result<()> {
    let footer = Footer { calls: report.calls, orphans_searched, unobserved: &report.unobserved };
    let failed: Vec<FailedStep<'_>> = report.results.iter().filter_map(failed_step).collect();
    match output {
        OutputFormat::Json => print_json(&super::report_json(report, footer)?),
        OutputFormat::Yaml => print_yaml(&super::report_json(report, footer)?),
        OutputFormat::Text => {
            let (plan, failures) = (text::plan(&report.plan, footer, detail), text::failures(&failed));
            Ok(print_text(&format!("{plan}{failures}{}\n", summary(report)))?)
        }
        OutputFormat::Markdown => {
            let (plan, failures) = (markdown::plan(&report.plan, footer, detail), markdown::failures(&failed));
            Ok(print_text(&format!("{plan}{failures}\n{}\n", summary(report)))?)
        }
    }
}

fn failed_step(result: &StepResult) -> Option<FailedStep<'_>> {
    let StepResult { action, ref address, outcome, ref error, .. } = *result;
    (outcome == StepOutcome::Failed).then(|| FailedStep {
        action,
        address,
        error: error.as_deref().unwrap_or("the cause is not known"),
    })
}

/// Returns how a pass ended, and why it is not converged.
fn summary(report: &PassReport) -> String {
    let plan = &report.plan;
    let failed = report.results.iter().filter(|result| result.outcome == StepOutcome::Failed).count();
    let held = plan.holds.iter().filter(|hold| hold.reason.blocks()).count();
    let left = plan.steps.len();
    let reasons = [
        (failed, counted(failed, "step") + " failed"),
        (held, counted(held, "resource") + " held"),
        (left, counted(left, "step") + " left"),
        (report.unobserved.len(), counted(report.unobserved.len(), "kind") + " not observed"),
    ];
    let reasons: Vec<String> = reasons.into_iter().filter(|(n, _)| *n > 0).map(|(_, reason)| reason).collect();
    let after = format!("after {} in {:.1} s", counted(report.results.len(), "step"), report.seconds);
    match (report.converged, report.stopped) {
        (true, _) => format!("Converged {after}."),
        (_, true) => format!("Stopped early {after}."),
        _ if reasons.is_empty() => format!("Not converged {after}."),
        _ => format!("Not converged {after}: {}.", reasons.join(", ")),
    }
}

/// Returns once a stop is requested.
async fn stop_requested(mut stop: watch::Receiver<bool>) {
    // An error means that no stop can be requested any more.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn daemon(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let (document, mut reload) = watched::WatchedDocument::load(args.document.clone(), secret_store.clone())?;
    let policy = policy(args, &args.grants, &document)?;
    let stop = stop_signal()?;
    // The credentials may come from a service that does not respond.
    let cloud = tokio::select! {
        biased;
        () = stop_requested(stop.clone()) => return Ok(SUCCESS),
        cloud = connect::cloud(&document, &args.connection, &secret_store) => cloud?,
    };
    let metrics = Arc::new(Metrics::new(&document.stack, &document.env, cloud.clone(), args.interval));
    let server = Server::listen(args.listen, metrics.clone(), stop.clone()).await?;
    let (stack, env, address) = (&document.stack, &document.env, server.address());
    print_error(&format!("reconciling {stack}/{env}; metrics at http://{address}/metrics"));
    let mut event_sinks: Vec<Arc<dyn EventSink>> = vec![metrics.clone()];
    // If stderr is not a terminal, it has only log lines.
    if std::io::stderr().is_terminal() {
        event_sinks.push(Arc::new(Progress::new()));
    }
    // After one interval the daemon reloads the document, and waits again.
    let engine =
        connect::writing_engine(cloud, &document, &args.connection, Arc::new(event_sinks), "reconcile", args.interval)?;
    // A pass waits for pending resources for one interval. Then the next pass observes everything.
    let options = options(policy, args.grants.prune, args.interval, stop);
    let schedule = DaemonSchedule { interval: args.interval, full_scan_every: args.full_scan_every };
    holdfast_engine::daemon::run(&engine, document, &options, schedule, &mut reload, |end| metrics.ended(end)).await;
    server.stopped().await;
    print_error("stopped");
    Ok(SUCCESS)
}
