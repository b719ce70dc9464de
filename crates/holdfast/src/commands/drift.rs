//! `drift`: shows what changed in AWS and not in the document.

use std::process::ExitCode;

use holdfast_core::plan::hold::Reason;
use holdfast_report::{Footer, json, text};

use super::{SUCCESS, plan, print_json, print_yaml, work_left};
use crate::arguments::{DriftArgs, OutputFormat};

pub(super) async fn run(args: &DriftArgs) -> anyhow::Result<ExitCode> {
    let (plan, Footer { calls, .. }) = plan::dry_run(&args.dry_run).await?;
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
