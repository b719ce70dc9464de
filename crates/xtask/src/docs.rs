//! `cargo xtask docs`: the API documentation and the book.

use std::process::Command;

use crate::process::{cargo_with, finish, is_installed, say};

pub(crate) fn run() -> anyhow::Result<()> {
    let strict = [("RUSTDOCFLAGS", "-D warnings")];
    cargo_with(&strict, &["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])?;
    if !is_installed("mdbook") {
        say("mdbook is not installed, so the book is not built: `cargo install mdbook` installs it");
        return Ok(());
    }
    finish(Command::new("mdbook").args(["build", "docs"]), "mdbook build docs")
}
