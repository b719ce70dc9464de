//! Banned words: finds the forms of `banned.rs` in names, code and prose.

use super::banned::{BANNED, Banned, MAY_NAME_THEM, Place};
use super::block::Block;
use super::headless::{Language, script};
use super::report::{Finding, Measure};
use super::{comments, markdown};
use crate::files::TextFile;

/// The table itself.
const TABLE: &str = "crates/xtask/src/check/banned.rs";

/// The measures: old public names anywhere, and home-made words in prose.
pub(crate) fn measures(files: &[TextFile]) -> Vec<Measure> {
    measures_of(files, BANNED)
}

fn measures_of(files: &[TextFile], table: &[Banned]) -> Vec<Measure> {
    let mut found: Vec<Vec<Finding>> = vec![vec![]; table.len()];
    for file in files.iter().filter(|file| file.path != TABLE && file.name() != "Cargo.lock") {
        let anywhere = if MAY_NAME_THEM.contains(&file.path.as_str()) { None } else { Some(whole(file)) };
        let prose = prose(file);
        for (entry, findings) in table.iter().zip(&mut found) {
            let blocks = match entry.place {
                Place::Anywhere => anywhere.as_slice(),
                Place::Prose => prose.as_slice(),
            };
            blocks.iter().for_each(|searched| search(file, searched, entry, findings));
        }
    }
    let beyond = |place: Place| {
        let entries = table.iter().zip(&found).filter(|(entry, _)| entry.place == place);
        let beyond = entries.filter(|(entry, findings)| findings.len() > entry.allowed.0);
        let mut all: Vec<Finding> = beyond.flat_map(|(_, findings)| findings.clone()).collect();
        all.sort();
        all
    };
    vec![
        Measure::none("old public names, everywhere", beyond(Place::Anywhere)),
        Measure::none("banned words, prose", beyond(Place::Prose)),
    ]
}

/// A text in which words are searched: in lower case, and with the lines that its places are on.
struct Searched {
    text: String,
    lines: Lines,
}

/// How a place in a text becomes a line.
enum Lines {
    /// The text is a whole file. These are the places where its lines end.
    Ends(Vec<usize>),
    /// The text is that of a block.
    Block(Block),
}

impl Searched {
    fn line_at(&self, at: usize) -> usize {
        match &self.lines {
            Lines::Ends(ends) => ends.partition_point(|end| *end < at) + 1,
            Lines::Block(block) => block.line_at(at),
        }
    }
}

/// The whole file.
fn whole(file: &TextFile) -> Searched {
    let text = file.text.to_ascii_lowercase();
    let ends = text.match_indices('\n').map(|(at, _)| at).collect();
    Searched { text, lines: Lines::Ends(ends) }
}

/// The prose of a file, without code.
fn prose(file: &TextFile) -> Vec<Searched> {
    let blocks = match Language::of(file) {
        Some(Language::Rust) => {
            let mut blocks: Vec<Block> = comments::rust(&file.text).into_iter().map(without_fences).collect();
            blocks.extend(comments::rust_trailing(&file.text));
            blocks
        }
        Some(Language::Markdown) => markdown::blocks(&file.text),
        Some(Language::Script) => script(file),
        None => vec![],
    };
    let searched = |block: Block| Searched {
        text: markdown::without_code(&block.text()).to_ascii_lowercase(),
        lines: Lines::Block(block),
    };
    blocks.into_iter().map(searched).collect()
}

/// The block with the lines of fenced code empty.
fn without_fences(mut block: Block) -> Block {
    let mut inside = false;
    for (_, line) in &mut block.lines {
        let is_fence = line.starts_with("```");
        inside ^= is_fence;
        if is_fence || inside {
            line.clear();
        }
    }
    block
}

/// Adds a finding for each place of each form.
fn search(file: &TextFile, searched: &Searched, entry: &Banned, findings: &mut Vec<Finding>) {
    for form in entry.forms {
        let (open_before, open_after) = (form.starts_with('*'), form.ends_with('*'));
        let needle = form.trim_matches('*').to_ascii_lowercase();
        for (at, _) in searched.text.match_indices(&needle) {
            let before = searched.text[..at].chars().next_back();
            let after = searched.text[at + needle.len()..].chars().next();
            let is_whole =
                (open_before || ends_word(before, entry.place)) && (open_after || ends_word(after, entry.place));
            if is_whole {
                let text = format!("`{}` → {}", form.trim_matches('*'), entry.instead);
                findings.push(Finding::new(&file.path, searched.line_at(at), text));
            }
        }
    }
}

/// True when a word ends before this letter. In prose, a word beside a slash is part of a path.
fn ends_word(letter: Option<char>, place: Place) -> bool {
    letter.is_none_or(|c| !c.is_alphanumeric() && c != '_' && !(c == '/' && place == Place::Prose))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const SOME: &[Banned] = &[
        Banned { forms: &["old_name", "*_ancient*"], instead: "new_name", place: Place::Anywhere, allowed: (0, "") },
        Banned { forms: &["fnord", "on its way"], instead: "fact", place: Place::Prose, allowed: (0, "") },
        Banned { forms: &["eldritch"], instead: "odd", place: Place::Prose, allowed: (1, "a quotation") },
    ];

    fn check(path: &str, text: &str, expected: &Expect) {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        let shown: Vec<String> = measures_of(&[file], SOME).iter().map(Measure::describe).collect();
        expected.assert_eq(&shown.join(""));
    }

    #[test]
    fn names_are_found_anywhere_and_words_in_prose_only() {
        check(
            "crates/a/src/lib.rs",
            "//! A Fnord is on its\n//! way. `fnord`, fnords, fnord/path.\nfn fnord() { old_name(); } // a fnord\nlet my_old_name = very_ancient_name;\n",
            &expect![[r"
                old public names, everywhere: 2, goal: 0
                  crates/a/src/lib.rs:3: `old_name` → new_name
                  crates/a/src/lib.rs:4: `_ancient` → new_name
                banned words, prose: 3, goal: 0
                  crates/a/src/lib.rs:1: `fnord` → fact
                  crates/a/src/lib.rs:1: `on its way` → fact
                  crates/a/src/lib.rs:3: `fnord` → fact
            "]],
        );
    }

    #[test]
    fn code_and_links_of_markdown_are_no_prose() {
        check(
            "docs/a.md",
            "A [fnord](fnord.md).\n\n```\nfnord OLD_NAME\n```\n\n| Fnord |\n|---|\n",
            &expect![[r"
                old public names, everywhere: 1, goal: 0
                  docs/a.md:4: `old_name` → new_name
                banned words, prose: 2, goal: 0
                  docs/a.md:1: `fnord` → fact
                  docs/a.md:7: `fnord` → fact
            "]],
        );
        check(
            "crates/a/src/lib.rs",
            "/// Code:\n/// ```\n/// fnord\n/// ```\n/// A fnord.\nfn a() {}\n",
            &expect![[r"
                old public names, everywhere: 0, goal: 0
                banned words, prose: 1, goal: 0
                  crates/a/src/lib.rs:5: `fnord` → fact
            "]],
        );
    }

    #[test]
    fn exceptions_are_counted() {
        let none = expect![[r"
            old public names, everywhere: 0, goal: 0
            banned words, prose: 0, goal: 0
        "]];
        check("docs/a.md", "It is eldritch.\n", &none);
        check(
            "docs/a.md",
            "It is eldritch.\nMost eldritch.\n",
            &expect![[r"
                old public names, everywhere: 0, goal: 0
                banned words, prose: 2, goal: 0
                  docs/a.md:1: `eldritch` → odd
                  docs/a.md:2: `eldritch` → odd
            "]],
        );
        check("CHANGELOG.md", "`old_name` is renamed.\n", &none);
    }
}
