//! `graph`: draws the document's resources and references.

use std::process::ExitCode;

use holdfast_report::diagram;

use super::SUCCESS;
use crate::arguments::{DiagramFormat, GraphArgs};
use crate::document;
use crate::output::print;

pub(super) fn run(args: &GraphArgs) -> anyhow::Result<ExitCode> {
    let document = document::render(&args.document)?.document;
    match args.output {
        DiagramFormat::Mermaid => print(&diagram::mermaid(&document))?,
        DiagramFormat::Svg => print(&diagram::svg(&document))?,
    }
    Ok(SUCCESS)
}
