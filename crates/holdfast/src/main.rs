//! Holdfast keeps AWS as you declared it: arguments in, exit code out.

mod arguments;
mod commands;
mod connect;
mod document;
mod log;
mod progress;
mod secrets;

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
    let run = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match run.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(commands::run(arguments))) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{error:#}");
            ExitCode::from(1)
        }
    }
}
