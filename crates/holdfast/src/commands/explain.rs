//! `explain`: what a kind or field means.

use std::process::ExitCode;

use anyhow::bail;
use holdfast_core::explain;

use super::FINE;
use crate::arguments::{Explain, Output};

pub(super) fn run(arguments: &Explain) -> anyhow::Result<ExitCode> {
    let registry = holdfast_aws::registry();
    let Some(what) = &arguments.what else {
        if arguments.output == Output::Json {
            super::print_json(&holdfast_core::report::json::kinds(&registry))?;
            return Ok(FINE);
        }
        let widest = registry.kinds().map(str::len).max().unwrap_or_default();
        for schema in registry.0 {
            anstream::println!("{:<widest$}  {:<10}  {}", schema.kind, schema.tier, schema.record.summary());
        }
        return Ok(FINE);
    };
    match (arguments.output, registry.get(what)) {
        (Output::Markdown, Some(schema)) => anstream::print!("{}", explain::manual(schema)),
        _ => match explain::explain(&registry, what) {
            Ok(text) => anstream::println!("{}", text.trim_end()),
            Err(error) => bail!("{error}"),
        },
    }
    Ok(FINE)
}
