//! Escapes text that is not Holdfast's own, such as live values, names, ids and messages of AWS, so that it cannot leave
//! its place in an output. Each output has one function: [`line()`] for terminals and log lines, [`code`] and [`cell`] for
//! Markdown. JSON and YAML have escapes of their own.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns text for a terminal or a log line: control characters, line breaks, and characters that change the direction
/// or the visibility of text become escapes such as `\n`, `\u{1b}` and `\u{202e}`.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if is_hidden(c) => drop(write!(out, "{}", c.escape_default())),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// True for a character that a terminal does not print: a control character, a line or paragraph separator, a mark of
/// bidirectional text (<https://www.unicode.org/reports/tr9/>, the cause of CVE-2021-42574), or an invisible character.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns text as inline code of Markdown, also in a cell of a table. Text with a backtick or a pipe becomes an HTML
/// element with character references, because code in backticks has no escape for them.
pub fn code(text: &str) -> String {
    let text = line(text);
    match text.is_empty() || text.contains(['`', '|']) || text.starts_with(' ') || text.ends_with(' ') {
        true => format!("<code>{}</code>", plain(&text)),
        false => format!("`{text}`"),
    }
}

/// Returns a message for a cell of a table in Markdown. Its parts in backticks are code; everything else is plain text,
/// without links, HTML, emphasis and mentions.
pub fn cell(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    // A backtick without its pair is a character.
    let paired = parts.len() - usize::from(parts.len().is_multiple_of(2));
    let mut out = String::new();
    for (n, part) in parts.iter().enumerate() {
        match n % 2 {
            1 if n < paired => out.push_str(&code(part)),
            _ if n >= paired => out.push_str(&plain(&format!("`{part}"))),
            _ => out.push_str(&plain(part)),
        }
    }
    out
}

/// Returns text without any character that Markdown or HTML interprets: each becomes a character reference, which is
/// never markup (<https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references>).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '<' | '>' | '&' | '\\' | '|' | '*' | '_' | '[' | ']' | '~' | '#' | '`' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            // A mention notifies a person or a team. An invisible separator after the character prevents it.
            '@' => out.push_str("@\u{2060}"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, proptest};
    use proptest::{prop_assert, prop_assert_eq};

    use super::*;

    #[test]
    fn hidden_characters_are_escaped_in_lines() {
        assert_eq!(line("Größe → 3"), "Größe → 3");
        assert_eq!(line("a\n::warning::\r\t\u{1b}[2K"), r"a\n::warning::\r\t\u{1b}[2K");
        assert_eq!(line("a\u{202e}b\u{2066}c\u{feff}"), r"a\u{202e}b\u{2066}c\u{feff}");
    }

    #[test]
    fn code_keeps_backticks_and_pipes_in_its_cell() {
        assert_eq!(code("name: a → b"), "`name: a → b`");
        assert_eq!(code("a`b|<c"), "<code>a&#96;b&#124;&#60;c</code>");
        assert_eq!(code("a\n# Approved"), r"`a\n# Approved`");
        assert_eq!(code(""), "<code></code>");
    }

    #[test]
    fn messages_keep_their_code_and_lose_markup() {
        assert_eq!(cell("grant it with `--allow-replace A/b`"), "grant it with `--allow-replace A/b`");
        assert_eq!(cell("<img src=x>"), "&#60;img src=x&#62;");
        assert_eq!(cell("a | [b](c) *d*"), "a &#124; &#91;b&#93;(c) &#42;d&#42;");
        assert_eq!(cell("one ` backtick"), "one &#96; backtick");
        assert_eq!(cell("`a` and ` b"), "`a` and &#96; b");
        assert_eq!(cell("@admins"), "@\u{2060}admins");
    }

    /// Returns the cells of a row of a table, split at the pipes that are not escaped.
    fn cells(row: &str) -> usize {
        let mut escaped = false;
        let mut pipes = 0;
        for c in row.chars() {
            pipes += usize::from(c == '|' && !escaped);
            escaped = c == '\\' && !escaped;
        }
        pipes + 1
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_leaves_its_cell(text in "[a`|\\\\\n\r<>#:\u{1b}\u{202e} ]{0,12}") {
            for escaped in [code(&text), cell(&text)] {
                prop_assert_eq!(escaped.lines().count().max(1), 1);
                let is_escaped = !escaped.contains(is_hidden);
                prop_assert!(is_escaped);
                prop_assert_eq!(cells(&escaped), 1, "{:?} becomes {:?}", text, escaped);
            }
        }
    }
}
