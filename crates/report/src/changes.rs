//! The changes of a step in lines: from the live value to the desired value, and only the parts that differ.

use holdfast_core::diff::Change;
use holdfast_core::value::Value;
use serde_json::Value as Json;

use crate::Detail;
use crate::escape;

mod document;
mod text;

/// The largest number of characters of a value in a line. A longer one is cut, unless all details are asked for.
const MAX_CHARS: usize = 120;

/// The largest number of lines for one change, unless all details are asked for: more than most policies have.
const MAX_LINES: usize = 16;

/// The largest number of characters of the fields of a create in one line, and of one field in it.
const MAX_FIELDS_CHARS: usize = 110;
const MAX_FIELD_CHARS: usize = 48;

/// The sign of a list or value that is not shown in full.
pub(crate) const FOLDED: char = '…';

/// Returns a change in lines: `desiredCount: 3 → 2`, the elements that a set loses and gains, or a line for each part
/// of a document that differs. Two different values are never shown as the same text.
pub(crate) fn lines(change: &Change, detail: Detail) -> Vec<String> {
    let suffix = if change.immutable { "  (forces a replacement)" } else { "" };
    let mut lines = match (&change.from, &change.to) {
        (from, Value::Unknown(to)) => {
            vec![format!("{}: {} → {}", change.path, scalar(&from.json(), detail), Value::Unknown(to.clone()))]
        }
        (from, to) => document::compare(&change.path, &from.json(), &to.json(), detail),
    };
    if lines.is_empty() {
        lines.push(format!("{}: differs in its form, and not in its content", change.path));
    }
    let more = lines.len().saturating_sub(MAX_LINES);
    if !detail.full && more > 1 {
        lines.truncate(MAX_LINES);
        lines.push(format!("… and {more} more lines"));
    }
    lines.into_iter().map(|line| escape::line(&line).into_owned() + suffix).collect()
}

/// Returns the fields of a create: in one line with the first ones, or each in its own lines if all details are asked
/// for.
pub(crate) fn fields(changes: &[Change], detail: Detail) -> Vec<String> {
    let stated: Vec<&Change> = changes.iter().filter(|change| change.to != Value::Null).collect();
    if detail.full {
        let of = |change: &&Change| document::added(&change.path, &change.to.json(), detail);
        return stated.iter().flat_map(of).map(|line| escape::line(&line).into_owned()).collect();
    }
    let (mut parts, mut length) = (vec![], 0);
    // The tags are those of the whole stack in most documents.
    let (tags, others): (Vec<&Change>, Vec<&Change>) = stated.iter().partition(|change| change.path == "tags");
    for change in others.into_iter().chain(tags) {
        let value = cut(&shown(&change.to.json()), MAX_FIELD_CHARS);
        let field = escape::line(&format!("{}: {value}", change.path)).into_owned();
        if parts.is_empty() || length + field.chars().count() <= MAX_FIELDS_CHARS {
            length += field.chars().count() + 2;
            parts.push(field);
        }
    }
    let more = stated.len() - parts.len();
    if more > 0 {
        parts.push(format!("… and {more} more"));
    }
    if parts.is_empty() { vec![] } else { vec![parts.join(", ")] }
}

/// Returns a value without line breaks: a text as it is, unless it needs quotes, and everything else as JSON.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => "(none)".to_owned(),
        Json::String(text) => text::quoted_if_needed(text),
        other => other.to_string(),
    }
}

/// Returns a value in one line, cut unless all details are asked for.
fn scalar(value: &Json, detail: Detail) -> String {
    let text = shown(value);
    if detail.full { text } else { cut(&text, MAX_CHARS) }
}

/// Cuts a text that is too long, and states its length.
fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.chars().count()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
