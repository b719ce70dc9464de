//! Two documents that differ, such as policies: a line for each key or element that differs. Elements of lists are
//! matched by their own key (`Sid`, `Id`, `name`), by their content, or by their position.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{MAX_CHARS, scalar, shown, text};
use crate::{Detail, counted};

/// The keys by which elements of lists are known, in AWS's documents and in Holdfast's.
const KEYS: [&str; 16] = [
    "Sid",
    "sid",
    "Id",
    "id",
    "ID",
    "Key",
    "key",
    "Name",
    "name",
    "ruleId",
    "pathPattern",
    "path",
    "priority",
    "port",
    "containerPort",
    "cidr",
];

/// The largest number of elements of one line, unless all details are asked for.
const MAX_ELEMENTS: usize = 20;

/// Returns the lines of a change from one value to another.
pub(super) fn compare(path: &str, from: &Json, to: &Json, detail: Detail) -> Vec<String> {
    match (parsed(from), parsed(to)) {
        (Some(from), Some(to)) => compare_parts(path, &from, &to, detail),
        _ => compare_parts(path, from, to, detail),
    }
}

fn compare_parts(path: &str, from: &Json, to: &Json, detail: Detail) -> Vec<String> {
    match (from, to) {
        (Json::Object(from), Json::Object(to)) => compare_maps(path, from, to, detail),
        (Json::Array(from), Json::Array(to)) => compare_lists(path, from, to, detail),
        (Json::String(from), Json::String(to)) => text::compare(path, from, to, detail),
        (Json::Null, to) if is_long(to) => added(path, to, detail),
        (from, Json::Null) if is_long(from) => removed(path, from, detail),
        (from, to) => {
            let (mut shown_from, mut shown_to) = (scalar(from, detail), scalar(to, detail));
            if shown_from == shown_to {
                (shown_from, shown_to) = (from.to_string(), to.to_string());
            }
            vec![format!("{path}: {shown_from} → {shown_to}")]
        }
    }
}

/// Returns the lines of a value that is only on the desired side.
pub(super) fn added(path: &str, value: &Json, detail: Detail) -> Vec<String> {
    leaves(path, value, detail).into_iter().map(|(path, value)| format!("{path}: + {value}")).collect()
}

fn removed(path: &str, value: &Json, detail: Detail) -> Vec<String> {
    leaves(path, value, detail).into_iter().map(|(path, value)| format!("{path}: − {value}")).collect()
}

/// Returns a value in one line if it is short, and otherwise each of its parts with its path.
fn leaves(path: &str, value: &Json, detail: Detail) -> Vec<(String, String)> {
    let parsed = parsed(value);
    let value = parsed.as_ref().unwrap_or(value);
    match value {
        Json::Object(map) if is_long(value) => {
            map.iter().flat_map(|(key, value)| leaves(&format!("{path}.{key}"), value, detail)).collect()
        }
        Json::Array(list) if is_long(value) => {
            let element = |(n, value): (usize, &Json)| leaves(&format!("{path}[{}]", label(list, n)), value, detail);
            list.iter().enumerate().flat_map(element).collect()
        }
        value => vec![(path.to_owned(), scalar(value, detail))],
    }
}

fn compare_maps(path: &str, from: &Map<String, Json>, to: &Map<String, Json>, detail: Detail) -> Vec<String> {
    let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let below = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
    let lines = keys.into_iter().filter(|key| from.get(*key) != to.get(*key)).flat_map(|key| {
        match (from.get(key), to.get(key)) {
            (Some(from), Some(to)) => compare(&below(key), from, to, detail),
            (Some(from), None) => removed(&below(key), from, detail),
            (None, Some(to)) => added(&below(key), to, detail),
            (None, None) => vec![],
        }
    });
    lines.collect()
}

fn compare_lists(path: &str, from: &[Json], to: &[Json], detail: Detail) -> Vec<String> {
    if from.len() + to.len() <= 2 && from.iter().chain(to).all(is_scalar) {
        return vec![format!("{path}: {} → {}", list(from, detail), list(to, detail))];
    }
    if let Some(key) = key_of(from, to) {
        return compare_by_key(path, from, to, key, detail);
    }
    let (lost, gained) = (only_in(from, to), only_in(to, from));
    if lost.is_empty() && gained.is_empty() {
        let order = |list: &[Json]| list.iter().map(shown).collect::<Vec<_>>();
        let (before, after) = (order(from), order(to));
        let first = before.iter().zip(&after).position(|(a, b)| a != b).unwrap_or_default();
        let at = |list: &[String]| list.get(first).map_or("(none)".to_owned(), |v| super::cut(v, MAX_CHARS));
        return vec![format!("{path}: the order changes, from [{first}]: {} → {}", at(&before), at(&after))];
    }
    if lost.iter().chain(&gained).all(|n| is_scalar(n.1)) {
        return vec![format!("{path}: {}", signed(&lost, &gained, detail))];
    }
    let positions = |of: &[(usize, &Json)]| of.iter().map(|(n, _)| *n).collect::<Vec<_>>();
    if positions(&lost) == positions(&gained) {
        let pairs = lost.iter().zip(&gained);
        return pairs.flat_map(|((n, a), (_, b))| compare(&format!("{path}[{n}]"), a, b, detail)).collect();
    }
    let lost = lost.into_iter().flat_map(|(n, value)| removed(&format!("{path}[{n}]"), value, detail));
    let gained = gained.into_iter().flat_map(|(n, value)| added(&format!("{path}[{n}]"), value, detail));
    lost.chain(gained).collect()
}

/// Returns the scalars that a list loses and gains: `−a +b`.
fn signed(lost: &[(usize, &Json)], gained: &[(usize, &Json)], detail: Detail) -> String {
    let lost = lost.iter().map(|(_, value)| format!("−{}", scalar(value, detail)));
    let all: Vec<String> = lost.chain(gained.iter().map(|(_, value)| format!("+{}", scalar(value, detail)))).collect();
    let more = all.len().saturating_sub(MAX_ELEMENTS);
    match more > 1 && !detail.full {
        true => format!("{} … and {} more", all[..MAX_ELEMENTS].join(" "), counted(more, "element")),
        false => all.join(" "),
    }
}

fn compare_by_key(path: &str, from: &[Json], to: &[Json], key: &str, detail: Detail) -> Vec<String> {
    let find = |list: &'_ [Json], name: &Json| list.iter().position(|element| element.get(key) == Some(name));
    let at = |name: &Json| format!("{path}[{}]", shown(name));
    let mut lines = vec![];
    let mut kept = vec![];
    for element in from {
        let name = element.get(key).unwrap_or(&Json::Null);
        match find(to, name) {
            Some(n) if to[n] != *element => lines.extend(compare(&at(name), element, &to[n], detail)),
            Some(_) => {}
            None => lines.extend(removed(&at(name), element, detail)),
        }
        kept.extend(find(to, name));
    }
    for element in to {
        let name = element.get(key).unwrap_or(&Json::Null);
        if find(from, name).is_none() {
            lines.extend(added(&at(name), element, detail));
        }
    }
    if !kept.is_sorted() {
        let order: Vec<String> = to.iter().filter_map(|element| element.get(key)).map(shown).collect();
        lines.push(format!("{path}: the order changes to {}", super::cut(&order.join(", "), MAX_CHARS)));
    }
    lines
}

/// Returns the key by which all elements of two lists of objects are known: each has it, and no two have it equal.
fn key_of(from: &[Json], to: &[Json]) -> Option<&'static str> {
    let is_key = |list: &[Json], key: &str| {
        let values: Vec<String> =
            list.iter().filter_map(|e| e.get(key)).filter(|v| is_scalar(v)).map(Json::to_string).collect();
        values.len() == list.len() && values.iter().collect::<BTreeSet<_>>().len() == list.len()
    };
    if from.is_empty() || to.is_empty() {
        return None;
    }
    KEYS.into_iter().find(|key| is_key(from, key) && is_key(to, key))
}

/// Returns the name of an element of a list in a path: its own key, or its position.
fn label(list: &[Json], n: usize) -> String {
    match key_of(list, list).and_then(|key| list[n].get(key)) {
        Some(name) => shown(name),
        None => n.to_string(),
    }
}

/// Returns the elements that a list has more often than another one, with their positions.
fn only_in<'a>(list: &'a [Json], other: &[Json]) -> Vec<(usize, &'a Json)> {
    let mut left: Vec<&Json> = other.iter().collect();
    let mut only = vec![];
    for (n, element) in list.iter().enumerate() {
        match left.iter().position(|e| *e == element) {
            Some(at) => drop(left.swap_remove(at)),
            None => only.push((n, element)),
        }
    }
    only
}

fn list(elements: &[Json], detail: Detail) -> String {
    scalar(&Json::Array(elements.to_vec()), detail)
}

fn is_scalar(value: &Json) -> bool {
    !matches!(value, Json::Array(_) | Json::Object(_))
}

/// True for a list or map that is too long for one line.
fn is_long(value: &Json) -> bool {
    match value {
        Json::String(_) => parsed(value).is_some_and(|document| is_long(&document)),
        value => !is_scalar(value) && value.to_string().chars().count() > MAX_CHARS,
    }
}

/// Returns the document of a text that is JSON, such as a policy.
fn parsed(value: &Json) -> Option<Json> {
    match value {
        Json::String(text) if text.trim_start().starts_with(['{', '[']) => serde_json::from_str(text).ok(),
        Json::Array(_) | Json::Object(_) => Some(value.clone()),
        _ => None,
    }
}
