//! The comments of Rust files, and of files whose comments begin with `#`.

use super::block::{Block, Blocks};

/// The comments of a Rust file that have lines of their own. Consecutive lines are one block, `//`, `///` and `//!`
/// alike.
pub(crate) fn rust(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::default();
    for (number, line) in (1..).zip(text.lines()) {
        match line.trim_start().strip_prefix("//") {
            Some(rest) => blocks.line(number, rest.strip_prefix(['/', '!']).unwrap_or(rest)),
            None => blocks.end(),
        }
    }
    blocks.finish()
}

/// The comments of a Rust file that follow code on their line.
pub(crate) fn rust_trailing(text: &str) -> Vec<Block> {
    trailing(text, "//")
}

/// The comments of a file in which `#` begins one: lines of their own, and behind something else.
pub(crate) fn script(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::default();
    for (number, line) in (1..).zip(text.lines()) {
        match line.trim_start().strip_prefix('#') {
            // The interpreter's line is no prose.
            Some(rest) if !(number == 1 && rest.starts_with('!')) => blocks.line(number, rest.trim_start_matches('#')),
            _ => blocks.end(),
        }
    }
    let mut all = blocks.finish();
    all.extend(trailing(text, "#"));
    all
}

/// The docstrings of a Python file. Each paragraph is a block.
pub(crate) fn docstrings(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::default();
    // The quotes that end the string in which the line is, and whether that string is a docstring.
    let mut inside: Option<(&str, bool)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let mut rest = line.trim();
        if inside.is_none() {
            let Some((at, quotes)) = opening(rest) else { continue };
            let is_docstring = matches!(rest[..at].trim_end(), "" | "r" | "R");
            rest = &rest[at + quotes.len()..];
            inside = Some((quotes, is_docstring));
        }
        if let Some((quotes, is_docstring)) = inside {
            let (part, ends) = rest.find(quotes).map_or((rest, false), |end| (&rest[..end], true));
            match part.trim() {
                "" => blocks.end(),
                part if is_docstring => blocks.line(number, part),
                _ => {}
            }
            if ends {
                blocks.end();
                inside = None;
            }
        }
    }
    blocks.finish()
}

/// Where a line begins a string of three quotes.
fn opening(line: &str) -> Option<(usize, &'static str)> {
    let found = ["\"\"\"", "'''"].map(|quotes| line.find(quotes).map(|at| (at, quotes)));
    let first = found.into_iter().flatten().min()?;
    // A comment may name the quotes.
    (!line[..first.0].contains('#')).then_some(first)
}

/// The comments behind something else: the mark stands behind white space and outside quotes.
fn trailing(text: &str, mark: &str) -> Vec<Block> {
    let mut found = vec![];
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim_start();
        if code.starts_with(mark) {
            continue;
        }
        let marks = line.match_indices(mark).filter(|(at, _)| line[..*at].ends_with([' ', '\t']));
        let outside = |at: usize| ['"', '\''].iter().all(|quote| line[..at].matches(*quote).count() % 2 == 0);
        if let Some((at, _)) = marks.into_iter().find(|(at, _)| outside(*at)) {
            let comment = line[at + mark.len()..].trim();
            if !comment.is_empty() {
                found.push(Block::of(number, comment));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect;

    use super::*;

    fn show(blocks: &[Block]) -> String {
        blocks.iter().fold(String::new(), |mut out, block| {
            let _ = writeln!(out, "{}: {}", block.lines[0].0, block.text());
            out
        })
    }

    #[test]
    fn rust_comments_are_joined_until_a_line_of_code() {
        let text = "//! The module.\n//! It goes on.\n\n/// A type\n// of ours.\nstruct A; // behind\nlet url = \"http://x\";\n";
        expect![[r"
            1: The module. It goes on.
            4: A type of ours.
        "]]
        .assert_eq(&show(&rust(text)));
        expect![[r"
            6: behind
        "]]
        .assert_eq(&show(&rust_trailing(text)));
    }

    #[test]
    fn script_comments_stand_alone_or_behind_something() {
        let text = "#!/bin/sh\n# One.\n# Two.\nkey: value # three\nurl: http://x/#no\ntext: \"a # b\"\n";
        expect![[r"
            2: One. Two.
            4: three
        "]]
        .assert_eq(&show(&script(text)));
    }

    #[test]
    fn docstrings_have_paragraphs() {
        let text = "\"\"\"One line.\"\"\"\n\ndef f():\n    r'''First.\n\n    Second\n    goes on.\n    '''\n    x = \"\"\"\n    no prose\n    \"\"\"\n";
        expect![[r"
            1: One line.
            4: First.
            6: Second goes on.
        "]]
        .assert_eq(&show(&docstrings(text)));
    }
}
