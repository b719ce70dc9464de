//! `drift`: shows what changed in AWS and not in the document.

use std::process::ExitCode;

use holdfast_core::plan::hold::Reason;
use holdfast_engine::pass::DryRun;
use holdfast_report::{Detail, escape, json, markdown, text};

use super::{SUCCESS, plan, print_json, print_yaml, work_left};
use crate::arguments::{DriftArgs, OutputFormat};
use crate::output::print;

pub(super) async fn run(args: &DriftArgs) -> anyhow::Result<ExitCode> {
    let (_, DryRun { plan, calls, .. }) = plan::dry_run(&args.dry_run).await?;
    let detail = Detail { full: args.full };
    match args.output {
        OutputFormat::Json => print_json(&json::drift(&plan, calls))?,
        OutputFormat::Yaml => print_yaml(&json::drift(&plan, calls))?,
        OutputFormat::Text => print(&text::drift(&plan, calls, detail))?,
        OutputFormat::Markdown => print(&markdown::drift(&plan, calls, detail))?,
    }
    // A resource that cannot be observed may have drifted, so the absence of drift is not certain.
    if let Some(hold) = plan.holds.iter().find(|hold| hold.reason == Reason::ObservationFailed) {
        anyhow::bail!("{}: {}", hold.address, escape::line(&hold.message));
    }
    Ok(if plan.drift().next().is_none() { SUCCESS } else { work_left() })
}
