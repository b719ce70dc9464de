//! Two texts that differ: in one line, by their lines, or by the part that differs.

use super::{MAX_CHARS, cut};
use crate::Detail;
use crate::escape::is_hidden;

/// The number of equal characters before and after the part that differs.
const CONTEXT: usize = 20;

/// The largest number of characters of the part that differs. Escapes are up to ten characters long, so the context
/// before the part always fits.
const MAX_PART_CHARS: usize = 2 * MAX_CHARS;

/// Returns a text as it is, or in quotes if it could be mistaken for something else: for no text, for another text with
/// escapes, or for a text without its spaces.
pub(super) fn quoted_if_needed(text: &str) -> String {
    let ambiguous = text.is_empty()
        || text == "(none)"
        || text.starts_with('"')
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || text.contains(is_hidden);
    if ambiguous { quoted(text) } else { text.to_owned() }
}

/// Returns a text in quotes, with escapes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_hidden(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out + "\""
}

/// Returns the lines of a change from one text to another.
pub(super) fn compare(path: &str, from: &str, to: &str, detail: Detail) -> Vec<String> {
    if from.trim_end().contains('\n') && to.trim_end().contains('\n') {
        return by_line(path, from, to, detail);
    }
    let is_long = |text: &str| text.chars().count() > MAX_CHARS;
    let (from, to) = match (is_long(from) || is_long(to)) && !detail.full {
        true => differing_part(from, to),
        false => (quoted_if_needed(from), quoted_if_needed(to)),
    };
    vec![format!("{path}: {from} → {to}")]
}

/// Returns the parts of two texts that differ, with some characters around them. The parts begin with the first
/// character that differs, so they are never equal.
fn differing_part(from: &str, to: &str) -> (String, String) {
    let (a, b): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let before = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let most = a.len().min(b.len()) - before;
    let after = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    let part = |text: &[char]| {
        let (start, end) = (before.saturating_sub(CONTEXT), (text.len() - after + CONTEXT).min(text.len()));
        let dots = |cut: bool| if cut { "…" } else { "" };
        let part: String = text[start..end].iter().collect();
        format!("{}{}{}", dots(start > 0), cut(&quoted(&part), MAX_PART_CHARS), dots(end < text.len()))
    };
    (part(&a), part(&b))
}

/// Returns the lines that one text loses and the other gains, by their numbers.
fn by_line(path: &str, from: &str, to: &str, detail: Detail) -> Vec<String> {
    let (a, b): (Vec<&str>, Vec<&str>) = (from.split('\n').collect(), to.split('\n').collect());
    let before = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let most = a.len().min(b.len()) - before;
    let after = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    let (lost, gained) = (&a[before..a.len() - after], &b[before..b.len() - after]);
    let mut lines = vec![];
    let kept = longest_common_lines(lost, gained);
    let (mut i, mut j) = (0, 0);
    for (next_i, next_j) in kept.into_iter().chain([(lost.len(), gained.len())]) {
        // Lines that take each other's place are compared with each other.
        let pairs = (next_i - i).min(next_j - j);
        for n in 0..pairs {
            lines.extend(compare(&format!("{path}, line {}", before + j + n + 1), lost[i + n], gained[j + n], detail));
        }
        let removed = lost[i + pairs..next_i].iter().enumerate();
        lines.extend(removed.map(|(n, line)| {
            format!("{path}, line {} before: − {}", before + i + pairs + n + 1, shown_line(line, detail))
        }));
        let added = gained[j + pairs..next_j].iter().enumerate();
        lines.extend(
            added.map(|(n, line)| {
                format!("{path}, line {}: + {}", before + j + pairs + n + 1, shown_line(line, detail))
            }),
        );
        (i, j) = (next_i + 1, next_j + 1);
    }
    lines
}

fn shown_line(line: &str, detail: Detail) -> String {
    let line = quoted_if_needed(line);
    if detail.full { line } else { cut(&line, MAX_CHARS) }
}

/// The largest table of the comparison of lines: two texts of a thousand lines. Beyond it, no line counts as common.
const MAX_CELLS: usize = 1_000_000;

/// Returns the positions of a longest common subsequence of lines.
fn longest_common_lines(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    if a.len().saturating_mul(b.len()) > MAX_CELLS {
        return vec![];
    }
    let mut lengths = vec![vec![0u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i][j] = match a[i] == b[j] {
                true => lengths[i + 1][j + 1] + 1,
                false => lengths[i + 1][j].max(lengths[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut common) = (0, 0, vec![]);
    while i < a.len() && j < b.len() {
        match () {
            () if a[i] == b[j] => {
                common.push((i, j));
                (i, j) = (i + 1, j + 1);
            }
            () if lengths[i + 1][j] >= lengths[i][j + 1] => i += 1,
            () => j += 1,
        }
    }
    common
}
