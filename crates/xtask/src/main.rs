//! The project's own commands: the demo, the tests, generated documentation, tidy checks.

mod demo;
mod generate;
mod run;
mod test;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Converges desired-state/mashroom in the sandbox, breaks it from outside, shows the drift and mends it.
    Demo,
    /// Runs every test. From a fresh clone: 10 to 20 minutes on two cores, most of it building the AWS SDKs.
    Test {
        /// Only the tests that build no AWS SDK: seconds, once built.
        #[arg(long)]
        fast: bool,
    },
    /// Writes the generated documentation: docs/kinds/ and docs/holdfast.schema.json.
    Generate,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Demo => demo::run(),
        Command::Test { fast } => test::run(fast),
        Command::Generate => generate::run(),
    }
}
