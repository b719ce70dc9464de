//! `cargo xtask test`: all tests, the quick ones first.

use std::process::Command;

use anyhow::{Context, bail};
use holdfast_tests::{Sandbox, sandbox};

use crate::process::{cargo, say};

pub(crate) fn run(fast: bool) -> anyhow::Result<()> {
    say("the tests that need no AWS SDK: core, report, engine, sim (a minute to build, seconds to run)");
    cargo(&[
        "test",
        "--quiet",
        "-p",
        "holdfast-derive",
        "-p",
        "holdfast-core",
        "-p",
        "holdfast-report",
        "-p",
        "holdfast-engine",
        "-p",
        "holdfast-sim",
        "-p",
        "xtask",
    ])?;
    if fast {
        return Ok(());
    }
    say("the sandbox: its Python environment and its own tests (a minute)");
    Sandbox::ready(say)?;
    sandbox_tests()?;
    say("the binary and the other crates (cold: 10 to 13 minutes on two cores, the AWS SDKs; warm: seconds)");
    cargo(&["build", "--workspace", "--all-targets"])?;
    say("all other tests: units, documents, and the binary against the sandbox (about 15 minutes)");
    // Two at once: each has an emulator and a binary of its own, and CI has two cores.
    cargo(&[
        "test",
        "--quiet",
        "--workspace",
        "--no-fail-fast",
        "--exclude",
        "holdfast-core",
        "--exclude",
        "holdfast-report",
        "--exclude",
        "holdfast-engine",
        "--exclude",
        "holdfast-sim",
        "--exclude",
        "xtask",
        "--",
        "--test-threads=2",
    ])?;
    say("all tests passed");
    Ok(())
}

/// Runs the sandbox's own tests: each correction of the emulator against AWS's documentation.
fn sandbox_tests() -> anyhow::Result<()> {
    let folder = sandbox::root()?.join("tests/sandbox");
    let status = Command::new(sandbox::python()?)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "."])
        .current_dir(folder)
        .status()
        .context("pytest does not start")?;
    if !status.success() {
        bail!("the sandbox's own tests failed");
    }
    Ok(())
}
