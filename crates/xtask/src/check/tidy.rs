//! House rules of texts that need no build: links that lead somewhere, plain white space, no path of a machine.
//! `tests/tests/tidy.rs` has the rules of Rust's sources; `cargo xtask check` runs it too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::report::{Finding, Measure};
use crate::files::TextFile;
use crate::summary;

/// Folders of people on machines.
const OF_A_MACHINE: &[&str] = &["/home/", "/root/", "/Users/"];

/// The kinds of files whose white space is checked, as `.editorconfig` has it.
const PLAIN: &[&str] = &["md", "yaml", "yml", "toml", "py", "json"];

/// The measures; the table of contents is read from the checkout at `root`.
pub(crate) fn measures(files: &[TextFile], root: &Path) -> anyhow::Result<Vec<Measure>> {
    let found = files.iter().find(|file| file.path == summary::FILE).map(|file| file.text.as_str());
    let stale = found != Some(&summary::current(root)?);
    let stale = stale.then(|| Finding::new(summary::FILE, 0, "is stale: run `cargo xtask generate --summary`"));
    Ok(vec![
        Measure::none("broken links in Markdown", links(files)),
        Measure::none("white space and paths of a machine", plain(files)),
        Measure::none("stale table of contents", stale.into_iter().collect()),
    ])
}

/// Trailing white space, tabs, a missing end of the last line, and paths of a machine.
fn plain(files: &[TextFile]) -> Vec<Finding> {
    let mut found = vec![];
    // Rust's sources are formatted by rustfmt and checked by tests/tests/tidy.rs.
    for file in files.iter().filter(|file| file.extension() != "rs") {
        let is_plain = PLAIN.contains(&file.extension());
        for (number, line) in (1..).zip(file.text.lines()) {
            let mut add = |text: String| found.push(Finding::new(&file.path, number, text));
            if is_plain && line.ends_with([' ', '\t', '\r']) {
                add("white space at the end of the line".into());
            }
            if is_plain && line.contains('\t') {
                add("a tab: write spaces".into());
            }
            if let Some(path) = OF_A_MACHINE.iter().find(|path| line.contains(**path)) {
                add(format!("`{path}` is a path of one machine"));
            }
        }
        if is_plain && !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            found.push(Finding::new(&file.path, file.text.lines().count(), "the file ends with one line end"));
        }
    }
    found
}

/// Relative links whose file or heading does not exist.
fn links(files: &[TextFile]) -> Vec<Finding> {
    let mut exists: BTreeSet<String> = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        exists.insert(path.to_owned());
        while let Some((folder, _)) = path.rsplit_once('/') {
            exists.insert(folder.to_owned());
            path = folder;
        }
    }
    let pages = files.iter().filter(|file| file.extension() == "md");
    let anchors: BTreeMap<&str, BTreeSet<String>> =
        pages.clone().map(|page| (page.path.as_str(), anchors(&page.text))).collect();
    let mut found = vec![];
    for page in pages {
        for (number, target) in targets(&page.text) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { page.path.clone() } else { join(&page.path, path) };
            if !exists.contains(&path) {
                found.push(Finding::new(&page.path, number, format!("`{target}`: there is no {path}")));
            } else if !anchor.is_empty() && anchors.get(path.as_str()).is_some_and(|known| !known.contains(anchor)) {
                found.push(Finding::new(&page.path, number, format!("`{target}`: {path} has no such heading")));
            }
        }
    }
    found
}

/// The targets of the links of a page that lead to files of the checkout, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = vec![];
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Code in backticks has no links.
        let outside: Vec<&str> = line.split('`').step_by(2).collect();
        for part in outside.join("``").split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") && !target.is_empty() {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The anchors of the headings of a page, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let title = line.strip_prefix('#').and_then(|rest| rest.trim_start_matches('#').strip_prefix(' '));
        if let (false, Some(title)) = (in_code, title) {
            let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            found.insert(kept.collect::<String>().to_lowercase().replace(' ', "-"));
        }
    }
    found
}

/// A relative path as it is seen from a file.
fn join(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(parts.pop()),
            step => parts.push(step),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        let page = "# A page\n\n[one](#a-page) [two](#b) [three](../README.md#how-to-run-it) [four](../README.md#no)\n[five](c.md) [six](https://x/y) `[code](d.md)` [seven](../docs)\n";
        let files = [file("docs/a.md", page), file("README.md", "## How to run it?\n")];
        let found = Measure::none("links", links(&files));
        expect![[r"
            links: 3, goal: 0
              docs/a.md:3: `#b`: docs/a.md has no such heading
              docs/a.md:3: `../README.md#no`: README.md has no such heading
              docs/a.md:4: `c.md`: there is no docs/c.md
        "]]
        .assert_eq(&found.describe());
    }

    #[test]
    fn white_space_is_plain_and_no_machine_is_named() {
        let files = [file("a.md", "one \n\ttwo\nthree"), file("run.sh", "cd /home/me\t"), file("b.yaml", "a: 1\n")];
        let found = Measure::none("plain", plain(&files));
        expect![[r"
            plain: 4, goal: 0
              a.md:1: white space at the end of the line
              a.md:2: a tab: write spaces
              a.md:3: the file ends with one line end
              run.sh:1: `/home/` is a path of one machine
        "]]
        .assert_eq(&found.describe());
    }
}
