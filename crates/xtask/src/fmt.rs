//! `cargo xtask fmt`: formats the workspace, and the fuzz targets, which are a workspace of their own.

use crate::process::cargo;

/// The manifest of the fuzz targets.
const FUZZ: &str = "crates/core/fuzz/Cargo.toml";

/// Formats all Rust code.
pub(crate) fn write() -> anyhow::Result<()> {
    cargo(&["fmt", "--all"])?;
    cargo(&["fmt", "--manifest-path", FUZZ])
}

/// Fails when a file is not formatted, and lists such files.
pub(crate) fn check() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--", "--check", "--files-with-diff"])?;
    cargo(&["fmt", "--manifest-path", FUZZ, "--", "--check", "--files-with-diff"])
}
