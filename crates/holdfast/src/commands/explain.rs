//! `explain`: describes a kind or a field.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use holdfast_report::{explain, json};

use super::{SUCCESS, print_json};
use crate::arguments::{ExplainArgs, OutputFormat};
use crate::output::print;

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let registry = holdfast_aws::registry();
    let what = args.what.as_deref().unwrap_or_default();
    match args.output {
        OutputFormat::Json | OutputFormat::Yaml if what.is_empty() => print_json(&json::kinds(&registry))?,
        OutputFormat::Json | OutputFormat::Yaml => {
            bail!("`-o json` is for the list of kinds; for `{what}` use `-o text`, and for a kind also `-o markdown`")
        }
        OutputFormat::Markdown => {
            let kind = registry.get(what);
            let message = "`-o markdown` is for one kind, as in `explain Vpc -o markdown`; for the list of kinds use \
                           `-o text` or `-o json`, and for a field `-o text`";
            print(&explain::manual(kind.ok_or_else(|| anyhow!(message))?))?;
        }
        OutputFormat::Text => print(&format!("{}\n", explain::explain(&registry, what)?.trim_end()))?,
    }
    Ok(SUCCESS)
}
