//! `cargo xtask generate`: writes the documentation that is generated from the kinds' own tables.

use std::fs;

use anyhow::Context;
use holdfast_tests::{Holdfast, env_for, sandbox};

use crate::process::{cargo, say};
use crate::summary;

pub(crate) fn run() -> anyhow::Result<()> {
    cargo(&["build", "--quiet", "--package", "holdfast"])?;
    let docs = sandbox::root()?.join("docs");
    let kinds = docs.join("kinds");
    fs::create_dir_all(&kinds)?;
    let holdfast = Holdfast::new(&env_for("http://127.0.0.1:9"));
    let list = holdfast.run(["explain", "-o", "json"])?.expect(0).json()?;
    let mut names = vec![];
    for kind in list.as_array().context("explain lists the kinds")? {
        let name = kind["kind"].as_str().context("a kind has a name")?;
        fs::write(kinds.join(format!("{name}.md")), manual(&holdfast, name)?)?;
        names.push(format!("{name}.md"));
    }
    let schema = holdfast.run(["schema"])?.expect(0);
    fs::write(kinds.join("README.md"), holdfast_tests::manual::index(&list, &schema.json()?)?)?;
    for old in fs::read_dir(&kinds)?.flatten() {
        let name = old.file_name().to_string_lossy().into_owned();
        if name != "README.md" && !names.contains(&name) {
            fs::remove_file(old.path())?;
        }
    }
    fs::write(docs.join("holdfast.schema.json"), schema.stdout)?;
    say(&format!("wrote docs/kinds ({} kinds) and docs/holdfast.schema.json", names.len()));
    summary::write()
}

/// The manual's page of a kind, with its tested example.
fn manual(holdfast: &Holdfast, kind: &str) -> anyhow::Result<String> {
    let page = holdfast.run(["explain", kind, "-o", "markdown"])?.expect(0).stdout;
    holdfast_tests::manual::with_example(kind, &page)
}
