//! `cargo xtask test`: every test, the quick ones first.

use std::process::Command;

use anyhow::{Context, bail};
use holdfast_tests::{Sandbox, sandbox};

use crate::run::{cargo, say};

pub(crate) fn run(fast: bool) -> anyhow::Result<()> {
    say("the tests that need no AWS SDK: core, engine, sim (a minute to build, seconds to run)");
    cargo(&[
        "test",
        "--quiet",
        "-p",
        "holdfast-derive",
        "-p",
        "holdfast-core",
        "-p",
        "holdfast-engine",
        "-p",
        "holdfast-sim",
    ])?;
    if fast {
        return Ok(());
    }
    say("the sandbox: its Python environment, and the tests of its mends (a minute)");
    Sandbox::ready(say)?;
    mends()?;
    say("the binary and the other crates (cold: 5 to 10 minutes on two cores, the AWS SDKs; warm: seconds)");
    cargo(&["build", "--workspace", "--all-targets"])?;
    say("all other tests: units, documents, and the binary against the sandbox (20 minutes)");
    // Two at once: each has an emulator and a binary of its own, and CI has two cores.
    cargo(&[
        "test",
        "--quiet",
        "--workspace",
        "--no-fail-fast",
        "--exclude",
        "holdfast-core",
        "--exclude",
        "holdfast-engine",
        "--exclude",
        "holdfast-sim",
        "--",
        "--test-threads=2",
    ])?;
    say("all tests passed");
    Ok(())
}

/// The sandbox's own tests: each mend against the words of AWS's documentation.
fn mends() -> anyhow::Result<()> {
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
