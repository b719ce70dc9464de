//! `plan`: shows the steps and holds of a dry run.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use holdfast_aws::SecretStore;
use holdfast_core::document::Document;
use holdfast_engine::event::NoopSink;
use holdfast_engine::pass::{self, DryRun};
use holdfast_report::{Detail, Footer, json, markdown, text};
use tokio::sync::watch;

use super::{SUCCESS, options, print_json, print_yaml, saved_plan, work_left};
use crate::arguments::{DryRunArgs, OutputFormat, PlanArgs};
use crate::output::{print, print_error};
use crate::{connect, document};

pub(super) async fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let (document, dry_run) = dry_run(&args.dry_run).await?;
    let grants = &args.dry_run.grants;
    let footer = footer(&dry_run, grants.prune || document.policy.prune);
    show(&dry_run, footer, args.output, Detail { full: args.full })?;
    if let Some(file) = &args.out {
        saved_plan::write(file, &dry_run.plan, grants, json::plan(&dry_run.plan, footer))?;
        let (path, env) = (&args.dry_run.document.path, &args.dry_run.document.env);
        print_error(&format!(
            "to make these steps: holdfast reconcile {path} -e {env} --once --plan {}",
            file.display()
        ));
    }
    Ok(if dry_run.plan.is_converged() { SUCCESS } else { work_left() })
}

/// Prints a plan.
pub(super) fn show(dry_run: &DryRun, footer: Footer<'_>, output: OutputFormat, detail: Detail) -> anyhow::Result<()> {
    let plan = &dry_run.plan;
    match output {
        OutputFormat::Text => Ok(print(&text::plan(plan, footer, detail))?),
        OutputFormat::Json => print_json(&json::plan(plan, footer)),
        OutputFormat::Yaml => print_yaml(&json::plan(plan, footer)),
        OutputFormat::Markdown => Ok(print(&markdown::plan(plan, footer, detail))?),
    }
}

/// Returns the facts of a dry run that its plan does not contain.
pub(super) fn footer(dry_run: &DryRun, orphans_searched: bool) -> Footer<'_> {
    Footer { calls: dry_run.calls, orphans_searched, unobserved: &dry_run.observation.unknown }
}

/// Observes and plans, and changes nothing.
pub(super) async fn dry_run(args: &DryRunArgs) -> anyhow::Result<(Document, DryRun)> {
    let secret_store = SecretStore::default();
    let document = document::load(&args.document, &secret_store)?.document;
    let policy = connect::policy(&args.grants, &document)?;
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let engine = connect::engine(cloud, &document, &args.connection, Arc::new(NoopSink))?;
    let (_stop, stopped) = watch::channel(false);
    let dry_run =
        pass::dry_run(&engine, &document, &options(policy, args.grants.prune, Duration::ZERO, stopped)).await?;
    Ok((document, dry_run))
}
