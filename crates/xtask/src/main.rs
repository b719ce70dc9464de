//! The project's own commands: what a person runs is what continuous integration runs.

mod bench;
mod check;
mod demo;
mod docs;
mod files;
mod fmt;
mod generate;
mod process;
mod summary;
mod test;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::process::cargo;

/// The project's own commands. `.ci/run` runs check, lint, docs and test, in this order.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Checks formatting, prose, names, links and house rules. Builds no AWS SDK.
    Check(check::Options),
    /// Formats all Rust code.
    Fmt,
    /// Runs clippy on all targets of the workspace, with warnings denied.
    Lint,
    /// Builds the API documentation, with warnings denied, and the book if mdbook is installed.
    Docs,
    /// Runs all tests, the quick ones first.
    Test {
        /// Only the tests that build no AWS SDK: seconds, once built.
        #[arg(long)]
        fast: bool,
    },
    /// Writes the generated documentation: docs/kinds, the JSON Schema and docs/SUMMARY.md.
    Generate {
        /// Only docs/SUMMARY.md, which needs no build.
        #[arg(long)]
        summary: bool,
    },
    /// Runs the main job in the sandbox: converges a system, breaks it, corrects the drift.
    Demo,
    /// Measures plans and passes by the number of resources, on the cloud in memory or against the sandbox.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a verb. Without one, prints the list of verbs.
fn run(verb: Option<Verb>) -> anyhow::Result<()> {
    match verb {
        None => Ok(Cli::command().print_help()?),
        Some(Verb::Check(options)) => check::run(&options),
        Some(Verb::Fmt) => fmt::write(),
        Some(Verb::Lint) => cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
        Some(Verb::Docs) => docs::run(),
        Some(Verb::Test { fast }) => test::run(fast),
        Some(Verb::Generate { summary: true }) => summary::write(),
        Some(Verb::Generate { summary: false }) => generate::run(),
        Some(Verb::Demo) => demo::run(),
        Some(Verb::Bench(options)) => bench::run(&options),
    }
}
