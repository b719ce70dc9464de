//! `explain`: describes a kind or a field.

use std::process::ExitCode;

use anyhow::bail;
use holdfast_report::explain;

use super::SUCCESS;
use crate::arguments::{ExplainArgs, OutputFormat};

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let registry = holdfast_aws::registry();
    let Some(what) = &args.what else {
        if args.output == OutputFormat::Json {
            super::print_json(&holdfast_report::json::kinds(&registry))?;
            return Ok(SUCCESS);
        }
        let widest = registry.kinds().map(str::len).max().unwrap_or_default();
        for schema in registry.0 {
            anstream::println!("{:<widest$}  {:<10}  {}", schema.kind, schema.tier, schema.record.summary());
        }
        return Ok(SUCCESS);
    };
    match (args.output, registry.get(what)) {
        (OutputFormat::Markdown, Some(schema)) => anstream::print!("{}", explain::manual(schema)),
        _ => match explain::explain(&registry, what) {
            Ok(text) => anstream::println!("{}", text.trim_end()),
            Err(error) => bail!("{error}"),
        },
    }
    Ok(SUCCESS)
}
