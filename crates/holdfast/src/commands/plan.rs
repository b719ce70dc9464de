//! `plan`: shows the steps and holds of a dry run.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use holdfast_aws::SecretStore;
use holdfast_core::plan::Plan;
use holdfast_engine::event::NoopSink;
use holdfast_engine::pass;
use holdfast_report::{Footer, json, markdown, text};
use tokio::sync::watch;

use super::{SUCCESS, options, print_json, print_yaml, work_left};
use crate::arguments::{DryRunArgs, OutputFormat, PlanArgs};
use crate::{connect, document};

pub(super) async fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let (plan, footer) = dry_run(&args.dry_run).await?;
    match args.output {
        OutputFormat::Text => anstream::print!("{}", text::plan(&plan, footer)),
        OutputFormat::Json => print_json(&json::plan(&plan, footer.calls))?,
        OutputFormat::Yaml => print_yaml(&json::plan(&plan, footer.calls))?,
        OutputFormat::Markdown => anstream::print!("{}", markdown::plan(&plan, footer)),
    }
    Ok(if plan.is_converged() { SUCCESS } else { work_left() })
}

/// Observes and plans, and changes nothing.
pub(super) async fn dry_run(args: &DryRunArgs) -> anyhow::Result<(Plan, Footer)> {
    let secret_store = SecretStore::default();
    let document = document::load(&args.document, &secret_store)?.document;
    let policy = connect::policy(&args.grants, &document)?;
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let engine = connect::engine(cloud, &document, &args.connection, Arc::new(NoopSink));
    let (_stop, stopped) = watch::channel(false);
    let dry_run =
        pass::dry_run(&engine, &document, &options(policy, args.grants.prune, Duration::ZERO, stopped)).await?;
    let orphans_searched = args.grants.prune || document.policy.prune;
    Ok((dry_run.plan, Footer { calls: dry_run.calls, orphans_searched }))
}
