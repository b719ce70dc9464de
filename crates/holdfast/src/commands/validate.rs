//! `validate`: validates a document without AWS.

use std::process::ExitCode;

use anyhow::bail;
use holdfast_core::render::Rendered;
use holdfast_report::{counted, diagnostics};

use super::{SUCCESS, print_json, print_yaml};
use crate::arguments::{DocumentArgs, OutputFormat, ValidateArgs};
use crate::document;
use crate::output::{print, print_error};

pub(super) fn run(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    let environments = match &args.env {
        Some(env) => vec![env.clone()],
        None => document::environments(&args.path),
    };
    if environments.is_empty() {
        bail!(
            "{}: the stack has no environment; add environments/<name>.yaml next to stack.yaml, or name one with -e",
            args.path
        );
    }
    let mut found: Vec<serde_json::Value> = vec![];
    for env in environments {
        let document_args = DocumentArgs {
            path: args.path.clone(),
            env: env.clone(),
            set: args.set.clone(),
            source: String::new(),
            reading: args.reading.clone(),
        };
        let rendered = document::try_render(&document_args);
        if args.output == OutputFormat::Text {
            match &rendered {
                Ok(Rendered { document, .. }) => {
                    let resources = counted(document.resources.len(), "resource");
                    print(&format!("{}/{env}: {resources}, no errors\n", document.stack))?;
                }
                Err(errors) => print_error(&document::describe(errors)),
            }
        }
        // An error of the stack's own file is found in every environment, and is listed once.
        for error in rendered.err().map(|errors| diagnostics::json(&errors)).unwrap_or_default() {
            if !found.contains(&error) {
                found.push(error);
            }
        }
    }
    let exit_code = if found.is_empty() { SUCCESS } else { ExitCode::from(1) };
    let list = serde_json::Value::Array(found);
    match args.output {
        OutputFormat::Json => print_json(&list)?,
        OutputFormat::Yaml => print_yaml(&list)?,
        OutputFormat::Text | OutputFormat::Markdown => {}
    }
    Ok(exit_code)
}
