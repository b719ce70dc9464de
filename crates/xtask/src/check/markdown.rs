//! The prose of Markdown: paragraphs, headings, items of lists and cells of tables; no code.

use super::block::{Block, Blocks};

/// The blocks of prose of a Markdown file.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = Blocks::default();
    let mut fence: Option<&str> = None;
    let (mut after_blank, mut in_code, mut in_list) = (true, false, false);
    for (index, line) in lines.iter().enumerate() {
        let (number, trimmed) = (index + 1, line.trim());
        if let Some(mark) = fence {
            if trimmed.starts_with(mark) && trimmed.trim_start_matches(['`', '~']).is_empty() {
                fence = None;
            }
            continue;
        }
        if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark)) {
            blocks.end();
            fence = Some(mark);
            continue;
        }
        if trimmed.is_empty() {
            blocks.end();
            after_blank = true;
            continue;
        }
        // Indented code. The text of an item of a list is indented itself.
        let indent = line.len() - line.trim_start().len();
        in_code = indent >= if in_list { 6 } else { 4 } && (after_blank || in_code);
        if in_code {
            continue;
        }
        if trimmed.starts_with('|') {
            row(number, trimmed, lines.get(index + 1).copied().unwrap_or_default(), &mut blocks);
        } else if let Some(heading) = heading(trimmed) {
            blocks.single(Block::of(number, heading));
            in_list = false;
        } else if let Some(item) = item(trimmed) {
            blocks.end();
            blocks.line(number, item);
            in_list = true;
        } else {
            in_list &= !after_blank || indent > 0;
            blocks.line(number, trimmed.trim_start_matches(['>', ' ']));
        }
        after_blank = false;
    }
    blocks.finish()
}

/// The text of a heading.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    (text.len() < line.len() && text.starts_with(' ')).then(|| text.trim())
}

/// The text of an item of a list, without its mark.
fn item(line: &str) -> Option<&str> {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = (number.len() < line.len()).then_some(number).and_then(|rest| rest.strip_prefix(['.', ')']));
    let text = numbered.or_else(|| line.strip_prefix(['-', '*', '+']))?;
    text.starts_with(' ').then(|| text.trim())
}

/// Adds the cells of a row of a table, each as a block.
fn row(number: usize, line: &str, next: &str, blocks: &mut Blocks) {
    blocks.end();
    if is_delimiter(line) {
        return;
    }
    // An escaped bar is part of its cell.
    let line = line.replace("\\|", "\\\u{0}");
    for cell in line.trim_matches('|').split('|') {
        let cell = cell.replace("\\\u{0}", "|");
        if !cell.trim().is_empty() {
            blocks.single(Block { is_header: is_delimiter(next), ..Block::of(number, cell.trim()) });
        }
    }
}

/// True for the row between the header of a table and its body.
fn is_delimiter(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.contains('-') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// The text with code, the targets of links and addresses replaced by spaces, so that only prose is left. Each byte
/// keeps its place.
pub(crate) fn without_code(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while let Some(start) = text[at..].find('`').map(|found| at + found) {
        let length = text[start..].bytes().take_while(|byte| *byte == b'`').count();
        let inside = start + length;
        match closing(&text[inside..], length) {
            Some(end) => {
                bytes[start..inside + end].fill(b' ');
                at = inside + end;
            }
            None => at = inside,
        }
    }
    blank_between(text, &mut bytes, "](", |c| c == ')');
    blank_between(text, &mut bytes, "https://", |c: char| c.is_whitespace() || matches!(c, '>' | ')'));
    blank_between(text, &mut bytes, "http://", |c: char| c.is_whitespace() || matches!(c, '>' | ')'));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where a code span of so many backticks ends, its backticks included.
fn closing(text: &str, length: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(start) = text[at..].find('`').map(|found| at + found) {
        let run = text[start..].bytes().take_while(|byte| *byte == b'`').count();
        if run == length {
            return Some(start + run);
        }
        at = start + run;
    }
    None
}

/// Replaces what stands behind each `start`, up to the first letter that ends it.
fn blank_between(text: &str, bytes: &mut [u8], start: &str, ends: impl Fn(char) -> bool + Copy) {
    for (at, _) in text.match_indices(start) {
        let from = at + start.len();
        let to = text[from..].find(ends).map_or(text.len(), |end| from + end);
        bytes[from..to].fill(b' ');
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect;

    use super::*;

    #[test]
    fn prose_is_found_and_code_is_not() {
        let text = "\
# A title

A paragraph
goes on.

    indented code

- An item
  goes on.
- Another.

  Its second paragraph.

1. A numbered one.

| Head | `a|b` |
|---|---|
| A cell. | With \\| a bar. |

```
fenced code
```
> A quotation.
";
        let mut found = String::new();
        for block in blocks(text) {
            let header = if block.is_header { " (header)" } else { "" };
            let _ = writeln!(found, "{}: {}{header}", block.lines[0].0, block.text());
        }
        expect![[r"
            1: A title
            3: A paragraph goes on.
            8: An item goes on.
            10: Another.
            12: Its second paragraph.
            14: A numbered one.
            16: Head (header)
            16: `a (header)
            16: b` (header)
            18: A cell.
            18: With | a bar.
            23: A quotation.
        "]]
        .assert_eq(&found);
    }

    #[test]
    fn code_and_addresses_are_blank_and_keep_their_length() {
        let text = "the `code` of ``a ` b`` in [a link](target.md#x), <https://a.b/c> and ` alone, é";
        let blank = without_code(text);
        assert_eq!(blank.len(), text.len());
        let words: Vec<&str> = blank.split_whitespace().collect();
        assert_eq!(words.join(" "), "the of in [a link]( ), <https:// > and ` alone, é");
    }
}
