//! One change of a field, in one line.

use holdfast_core::diff::Change;
use holdfast_core::value::Value;

/// Returns a change in one line: `desiredCount: 3 → 2`, or the elements that a set loses and gains.
pub(crate) fn line(change: &Change) -> String {
    let (lost, gained) = match (&change.from, &change.to) {
        (Value::List(from), Value::List(to)) if from.len() + to.len() > 2 => (
            from.iter().filter(|v| !to.contains(v)).cloned().collect(),
            to.iter().filter(|v| !from.contains(v)).cloned().collect(),
        ),
        _ => (vec![], vec![]),
    };
    let suffix = if change.immutable { "  (forces a replacement)" } else { "" };
    if lost.is_empty() && gained.is_empty() {
        return format!("{}: {} → {}{suffix}", change.path, shorten(&change.from), shorten(&change.to));
    }
    let signs =
        lost.iter().map(|v| format!("−{}", shorten(v))).chain(gained.iter().map(|v| format!("+{}", shorten(v))));
    format!("{}: {}{suffix}", change.path, signs.collect::<Vec<_>>().join(" "))
}

/// Returns a value as text, at most 120 characters long.
fn shorten(value: &Value) -> String {
    const MAX_CHARS: usize = 120;
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::Text(text) if text.is_empty() => "\"\"".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_CHARS) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
