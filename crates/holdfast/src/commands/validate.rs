//! `validate`: is the document sound?

use std::process::ExitCode;

use anyhow::bail;

use super::{FINE, print_json};
use crate::arguments::{Output, Source, Validate};
use crate::document;

pub(super) fn run(arguments: &Validate) -> anyhow::Result<ExitCode> {
    let environments = match &arguments.env {
        Some(env) => vec![env.clone()],
        None => document::environments(&arguments.path),
    };
    if environments.is_empty() {
        bail!(
            "{}: there is no environment; put one at environments/<name>.yaml beside stack.yaml, or name one with -e",
            arguments.path
        );
    }
    let mut wrong = vec![];
    for env in environments {
        let source = Source {
            path: arguments.path.clone(),
            env: env.clone(),
            set: arguments.set.clone(),
            origin: String::new(),
        };
        match document::try_render(&source) {
            Ok(rendered) if arguments.output == Output::Text => {
                anstream::println!(
                    "{}/{env}: {} resources, no errors",
                    rendered.document.stack,
                    rendered.document.resources.len()
                );
            }
            Ok(_) => {}
            Err(errors) if arguments.output == Output::Text => {
                anstream::eprintln!("{}", document::describe(&errors));
                wrong.push(env);
            }
            Err(errors) => {
                print_json(&errors.json())?;
                wrong.push(env);
            }
        }
    }
    if wrong.is_empty() {
        return Ok(FINE);
    }
    Ok(ExitCode::from(1))
}
