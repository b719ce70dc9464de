//! Holdfast keeps AWS as you declared it: arguments in, exit code out.

mod arguments;
mod commands;
mod connect;
mod document;
mod files;
mod lease_holder;
mod log;
mod output;
mod progress;
mod secrets;
mod store;
mod watched;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = match arguments::CliArgs::try_parse() {
        Ok(arguments) => arguments,
        // clap exits with 2 for a usage error, which means "steps or holds are left" here.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    log::begin();
    commands::run_to_end(arguments).unwrap_or_else(|error| {
        output::print_failure(&error);
        ExitCode::from(1)
    })
}
