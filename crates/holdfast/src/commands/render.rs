//! `render`: the flat resources of an environment.

use std::process::ExitCode;

use holdfast_core::report::json;

use super::{FINE, print_json, print_yaml};
use crate::arguments::{Output, Render};
use crate::document;

pub(super) fn run(arguments: &Render) -> anyhow::Result<ExitCode> {
    let rendered = document::render(&arguments.source)?;
    let json = json::document(&rendered.document);
    match arguments.output {
        Output::Json => print_json(&json)?,
        _ => print_yaml(&json)?,
    }
    Ok(FINE)
}
