//! `plan`: shows the steps and holds of a dry run.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use holdfast_aws::SecretStore;
use holdfast_core::report::{json, markdown, text};
use holdfast_engine::event::NoopSink;
use holdfast_engine::pass::{self, DryRun};
use tokio::sync::watch;

use super::{SUCCESS, options, print_json, print_yaml, work_left};
use crate::arguments::{OutputFormat, PlanArgs};
use crate::{connect, document};

pub(super) async fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let DryRun { plan, calls, .. } = dry_run(args).await?;
    match args.output {
        OutputFormat::Text => anstream::print!("{}", text::plan(&plan, calls)),
        OutputFormat::Json => print_json(&json::plan(&plan, calls))?,
        OutputFormat::Yaml => print_yaml(&json::plan(&plan, calls))?,
        OutputFormat::Markdown => anstream::print!("{}", markdown::plan(&plan, calls)),
    }
    Ok(if plan.is_converged() { SUCCESS } else { work_left() })
}

/// Observes and plans, and changes nothing.
pub(super) async fn dry_run(args: &PlanArgs) -> anyhow::Result<DryRun> {
    let secret_store = SecretStore::default();
    let document = document::load(&args.document, &secret_store)?.document;
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let engine = connect::engine(cloud, &document, &args.connection, Arc::new(NoopSink));
    let policy = connect::policy(&args.grants)?;
    let (_stop, stopped) = watch::channel(false);
    Ok(pass::dry_run(&engine, &document, &options(policy, args.grants.prune, Duration::ZERO, stopped)).await?)
}
