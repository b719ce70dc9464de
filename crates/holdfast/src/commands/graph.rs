//! `graph`: a drawing of the document.

use std::process::ExitCode;

use holdfast_core::report::diagram;

use super::FINE;
use crate::arguments::{Drawing, Graph};
use crate::document;

pub(super) fn run(arguments: &Graph) -> anyhow::Result<ExitCode> {
    let document = document::render(&arguments.source)?.document;
    match arguments.output {
        Drawing::Mermaid => anstream::print!("{}", diagram::mermaid(&document)),
        Drawing::Svg => anstream::print!("{}", diagram::svg(&document)),
    }
    Ok(FINE)
}
