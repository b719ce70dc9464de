//! Running other programs, and saying so.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use holdfast_tests::sandbox;

/// Says what is done, in one line.
pub(crate) fn say(text: &str) {
    println!("── {text}");
}

/// Runs cargo in the root of the checkout, with its output shown.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let began = Instant::now();
    let status =
        Command::new(cargo).args(arguments).current_dir(sandbox::root()?).status().context("cargo does not start")?;
    if !status.success() {
        bail!("`cargo {}` failed", arguments.join(" "));
    }
    say(&format!("cargo {} took {:.0} s", arguments.join(" "), began.elapsed().as_secs_f64()));
    Ok(())
}
