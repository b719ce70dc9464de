//! `render`: prints the rendered resources of an environment.

use std::process::ExitCode;

use holdfast_report::json;

use super::{SUCCESS, print_json, print_yaml};
use crate::arguments::{OutputFormat, RenderArgs};
use crate::document;

pub(super) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let rendered = document::render(&args.document)?;
    let json = json::document(&rendered.document);
    match args.output {
        OutputFormat::Json => print_json(&json)?,
        _ => print_yaml(&json)?,
    }
    Ok(SUCCESS)
}
