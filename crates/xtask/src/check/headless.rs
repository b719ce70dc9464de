//! Headless sentences: sentences that begin with a relative word and so have no subject that a reader knows.

use super::block::{Block, Sentence};
use super::report::{Finding, Measure};
use super::{comments, markdown};
use crate::files::TextFile;

/// The most headless sentences of a group, in percent of its sentences. The Rust projects that this one is compared
/// with have 0 (kube) to 0.1 % (linkerd); a few are English, as in a quotation.
const MOST_HEADLESS: f64 = 0.3;

/// The words that begin a headless sentence.
const WORDS: &[&str] = &["What", "That", "Whose", "Whom", "Those", "Which", "Whoever", "Whatever"];

/// Shorter pieces are no sentences: `a. b`.
const LEAST_LETTERS: usize = 8;

/// The measures: comments of Rust files, Markdown, and comments of scripts and configuration.
pub(crate) fn measures(files: &[TextFile]) -> Vec<Measure> {
    let mut groups = [
        Group::new("headless sentences, comments of Rust"),
        Group::new("headless sentences, Markdown"),
        Group::new("headless sentences, scripts and YAML"),
    ];
    for file in files {
        match Language::of(file) {
            Some(Language::Rust) => groups[0].rust(file),
            Some(Language::Markdown) => groups[1].prose(file, &markdown::blocks(&file.text)),
            Some(Language::Script) => groups[2].prose(file, &script(file)),
            None => {}
        }
    }
    groups.map(Group::finish).into()
}

/// How a file marks its prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Markdown,
    /// Comments begin with `#`.
    Script,
}

impl Language {
    /// The language of a file that has prose.
    pub(crate) fn of(file: &TextFile) -> Option<Language> {
        match (file.extension(), file.name()) {
            ("rs", _) => Some(Language::Rust),
            ("md", _) => Some(Language::Markdown),
            ("py" | "yaml" | "yml" | "toml" | "sh" | "dockerignore", _) => Some(Language::Script),
            (_, "Dockerfile" | ".gitignore" | ".editorconfig") => Some(Language::Script),
            _ if file.path.starts_with(".ci/") => Some(Language::Script),
            _ => None,
        }
    }
}

/// The comments of a script, with Python's docstrings.
pub(crate) fn script(file: &TextFile) -> Vec<Block> {
    let mut blocks = comments::script(&file.text);
    if file.extension() == "py" {
        blocks.extend(comments::docstrings(&file.text));
    }
    blocks
}

/// Files that are counted together.
struct Group {
    name: &'static str,
    total: usize,
    findings: Vec<Finding>,
}

impl Group {
    fn new(name: &'static str) -> Group {
        Group { name, total: 0, findings: vec![] }
    }

    /// Counts the comments of a Rust file: consecutive lines are one block, and sentences are taken as they stand. A
    /// comment that is the last line of a file is not counted, so that the figure is that of the script with which
    /// other projects were measured.
    fn rust(&mut self, file: &TextFile) {
        let mut blocks = comments::rust(&file.text);
        if file.text.lines().last().is_some_and(|line| line.trim_start().starts_with("//")) {
            blocks.pop();
        }
        for sentence in blocks.iter().flat_map(Block::sentences) {
            self.count(file, &sentence, &sentence.text);
        }
    }

    /// Counts other prose: emphasis, links and brackets before a sentence do not hide its first word, and a question
    /// may begin with any word. The header row of a table has no sentences.
    fn prose(&mut self, file: &TextFile, blocks: &[Block]) {
        for sentence in blocks.iter().filter(|block| !block.is_header).flat_map(Block::sentences) {
            let text = sentence.text.trim_start_matches(['*', '_', '[', '(', '"', '“']);
            if !text.trim_end_matches(['*', '_', ')', '"', '”']).ends_with('?') {
                self.count(file, &sentence, text);
            }
        }
    }

    fn count(&mut self, file: &TextFile, sentence: &Sentence, text: &str) {
        if text.chars().count() < LEAST_LETTERS || !text.starts_with(char::is_alphabetic) {
            return;
        }
        self.total += 1;
        if is_headless(text) {
            self.findings.push(Finding::new(&file.path, sentence.line, &sentence.text));
        }
    }

    fn finish(mut self) -> Measure {
        self.findings.sort();
        Measure::share(self.name, self.findings, self.total, MOST_HEADLESS)
    }
}

/// True when one of the words stands at the beginning, whole.
fn is_headless(text: &str) -> bool {
    let rest = WORDS.iter().filter_map(|word| text.strip_prefix(word));
    rest.into_iter().any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(path: &str, text: &str, expected: &Expect) {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        let shown: Vec<String> = measures(&[file]).iter().map(Measure::describe).collect();
        expected.assert_eq(&shown.join(""));
    }

    #[test]
    fn comments_of_rust() {
        check(
            "crates/a/src/lib.rs",
            "//! The module. What is there, is there.\n\n/// Whatever\n/// happens. Whatsoever is fine. (What is not.)\nfn a() {}\n/// That. Those.\nfn b() {}\n// Which is not counted.\n",
            &expect![[r"
                headless sentences, comments of Rust: 50.00 % (2 of 4), goal: at most 0.30 %
                  crates/a/src/lib.rs:1: What is there, is there.
                  crates/a/src/lib.rs:3: Whatever happens.
                headless sentences, Markdown: 0.00 % (0 of 0), goal: at most 0.30 %
                headless sentences, scripts and YAML: 0.00 % (0 of 0), goal: at most 0.30 %
            "]],
        );
    }

    #[test]
    fn prose_of_markdown() {
        check(
            "docs/a.md",
            "# What this is about\n\nWhat is a hold? **That which** is held back.\n\n| What it says | b |\n|---|---|\n| Whom it takes | 1 |\n\n```\nWhat is code\n```\n",
            &expect![[r"
                headless sentences, comments of Rust: 0.00 % (0 of 0), goal: at most 0.30 %
                headless sentences, Markdown: 100.00 % (3 of 3), goal: at most 0.30 %
                  docs/a.md:1: What this is about
                  docs/a.md:3: **That which** is held back.
                  docs/a.md:7: Whom it takes
                headless sentences, scripts and YAML: 0.00 % (0 of 0), goal: at most 0.30 %
            "]],
        );
    }

    #[test]
    fn comments_of_scripts() {
        check(
            "tests/a.py",
            "\"\"\"Those are docstrings.\"\"\"\n# A comment.\nx = 1 # which is code. What is behind it.\n",
            &expect![[r"
                headless sentences, comments of Rust: 0.00 % (0 of 0), goal: at most 0.30 %
                headless sentences, Markdown: 0.00 % (0 of 0), goal: at most 0.30 %
                headless sentences, scripts and YAML: 50.00 % (2 of 4), goal: at most 0.30 %
                  tests/a.py:1: Those are docstrings.
                  tests/a.py:3: What is behind it.
            "]],
        );
    }
}
