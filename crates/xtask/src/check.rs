//! `cargo xtask check`: all checks that need no build of the product. The command continues after a failure, so that one
//! run shows all findings.

use clap::Args;
use holdfast_tests::sandbox;

use crate::process::cargo;
use crate::{files, fmt};

mod banned;
mod block;
mod circles;
mod comments;
mod headless;
mod kinds;
mod markdown;
mod report;
mod tidy;
mod types;
mod words;

use report::{ALL, Measure};

/// The findings of a measure that are shown unless all are asked for.
const SHOWN: usize = 20;

/// The options of `check`.
#[derive(Args)]
pub(crate) struct Options {
    /// Shows all findings, also those of reached goals, and not only the first 20 of each measure.
    #[arg(long)]
    all: bool,
    /// Only the measures of texts: runs no cargo, and takes a second.
    #[arg(long)]
    text: bool,
}

/// Measures, shows the findings, and fails when a goal is not reached.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = sandbox::root()?;
    let files = files::all(&root)?;
    let mut measures = headless::measures(&files);
    measures.extend(words::measures(&files));
    measures.push(types::measure(&files));
    measures.extend(circles::measures(&files));
    measures.extend(kinds::measures(&files));
    measures.extend(tidy::measures(&files, &root)?);
    if !options.text {
        measures.push(Measure::command("format (`cargo xtask fmt` writes it)", &fmt::check()));
        measures.push(Measure::command("house rules (tests/tests/tidy.rs)", &house_rules()));
    }
    let most = if options.all { ALL } else { SHOWN };
    for measure in &measures {
        print!("{}", measure.show_findings(most));
    }
    println!();
    for measure in &measures {
        println!("{}", measure.line());
    }
    let missed = measures.iter().filter(|measure| !measure.is_reached()).count();
    anyhow::ensure!(missed == 0, "{missed} of {} goals are not reached", measures.len());
    Ok(())
}

/// The rules of the sources. The test of the generated pages is left to `cargo xtask test`: it needs the binary.
fn house_rules() -> anyhow::Result<()> {
    cargo(&[
        "test",
        "--quiet",
        "-p",
        "holdfast-tests",
        "--test",
        "tidy",
        "--",
        "--skip",
        "generated_documentation_is_fresh",
    ])
}
