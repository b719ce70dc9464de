//! `drift`: what left the document on AWS's side.

use std::process::ExitCode;

use holdfast_core::plan::hold::Reason;
use holdfast_core::report::{json, text};
use holdfast_engine::pass::Look;

use super::{FINE, differs, plan, print_json, print_yaml};
use crate::arguments::{Output, Plan};

pub(super) async fn run(arguments: &Plan) -> anyhow::Result<ExitCode> {
    let Look { plan, calls, .. } = plan::look(arguments).await?;
    match arguments.output {
        Output::Json => print_json(&json::drift(&plan, calls))?,
        Output::Yaml => print_yaml(&json::drift(&plan, calls))?,
        Output::Text | Output::Markdown => anstream::print!("{}", text::drift(&plan, calls)),
    }
    // What could not be seen may have drifted: that is an error, not a clean bill.
    if let Some(hold) = plan.holds.iter().find(|hold| hold.reason == Reason::Unobserved) {
        anyhow::bail!("{}: {}", hold.address, hold.message);
    }
    Ok(if plan.drift().next().is_none() { FINE } else { differs() })
}
