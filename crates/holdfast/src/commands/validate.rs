//! `validate`: validates a document without AWS.

use std::process::ExitCode;

use anyhow::bail;

use super::{SUCCESS, print_json};
use crate::arguments::{DocumentArgs, OutputFormat, ValidateArgs};
use crate::document;

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
    let mut exit_code = SUCCESS;
    for env in environments {
        let document_args =
            DocumentArgs { path: args.path.clone(), env: env.clone(), set: args.set.clone(), source: String::new() };
        match document::try_render(&document_args) {
            Ok(rendered) if args.output == OutputFormat::Text => {
                anstream::println!(
                    "{}/{env}: {} resources, no errors",
                    rendered.document.stack,
                    rendered.document.resources.len()
                );
            }
            Ok(_) => {}
            Err(errors) if args.output == OutputFormat::Text => {
                anstream::eprintln!("{}", document::describe(&errors));
                exit_code = ExitCode::from(1);
            }
            Err(errors) => {
                print_json(&holdfast_report::diagnostics::json(&errors))?;
                exit_code = ExitCode::from(1);
            }
        }
    }
    Ok(exit_code)
}
