//! `drift`: shows what changed in AWS and not in the document.

use std::process::ExitCode;

use holdfast_core::plan::hold::Reason;
use holdfast_engine::pass::DryRun;
use holdfast_report::{json, text};

use super::{SUCCESS, plan, print_json, print_yaml, work_left};
use crate::arguments::{OutputFormat, PlanArgs};

pub(super) async fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let DryRun { plan, calls, .. } = plan::dry_run(args).await?;
    match args.output {
        OutputFormat::Json => print_json(&json::drift(&plan, calls))?,
        OutputFormat::Yaml => print_yaml(&json::drift(&plan, calls))?,
        OutputFormat::Text | OutputFormat::Markdown => anstream::print!("{}", text::drift(&plan, calls)),
    }
    // A resource that cannot be observed may have drifted, so the absence of drift is not certain.
    if let Some(hold) = plan.holds.iter().find(|hold| hold.reason == Reason::ObservationFailed) {
        anyhow::bail!("{}: {}", hold.address, hold.message);
    }
    Ok(if plan.drift().next().is_none() { SUCCESS } else { work_left() })
}
