//! Running other programs, and saying so.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use holdfast_tests::sandbox;

/// Prints one line about what happens next.
pub(crate) fn say(text: &str) {
    println!("── {text}");
}

/// Runs cargo in the root of the checkout, with its output shown.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    cargo_with(&[], arguments)
}

/// Runs cargo as [`cargo`] does, with these environment variables.
pub(crate) fn cargo_with(env: &[(&str, &str)], arguments: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).envs(env.iter().copied());
    finish(&mut command, &format!("cargo {}", arguments.join(" ")))
}

/// Runs a program in the root of the checkout, with its output shown. Fails when the program fails.
pub(crate) fn finish(command: &mut Command, shown: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    let status = command.current_dir(sandbox::root()?).status().with_context(|| format!("`{shown}` does not start"))?;
    if !status.success() {
        bail!("`{shown}` failed");
    }
    say(&format!("{shown} took {:.0} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// True when a program is installed: it starts and answers `--version`.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
