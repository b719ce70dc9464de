//! The YAML parser: text to a tree with locations. Duplicate keys, several documents in a file and alias bombs are
//! refused.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use serde_saphyr::budget::BudgetBreach;

use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::load::node::{Key, Node, Tree};

/// Parses a file; none after its errors were added to `out`.
pub(crate) fn parse(file: &str, text: &str, out: &mut Diagnostics) -> Option<Node> {
    out.add_source(file, text);
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: 1,
            // A stack of 1,000 resources has about 20,000 nodes. The limit stops aliases that multiply the nodes.
            max_nodes: 200_000,
            max_depth: 48,
        },
    };
    let empty = || {
        Diagnostic::new(&Location::file(file), "the document is empty").help(
            "a document begins with `apiVersion: holdfast/v1` and `kind: Stack`; if a template generates the file, check it",
        )
    };
    if text.trim().is_empty() {
        out.push(empty());
        return None;
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => {
            let node = place(root, &file.into());
            match node.tree {
                Tree::Map(_) => {
                    report_open_end(&node, text, out);
                    return Some(node);
                }
                Tree::Null => out.push(empty()),
                _ => out.push(
                    Diagnostic::new(&node.at, format!("the document is {}, not a map", node.describe()))
                        .help("a document begins with `apiVersion: holdfast/v1` and `kind: Stack`"),
                ),
            }
        }
        Err(error) => {
            let at = error.location().filter(|l| l.line() > 0);
            let at = at.map_or_else(|| Location::file(file), |l| location(&l, &file.into()));
            let conflict = text.lines().any(|line| line.starts_with("<<<<<<< "));
            let help = conflict.then(|| "the file contains the markers of a merge conflict; resolve it".to_owned());
            out.push(Diagnostic::new(&at, message(&error)).help_if(help));
        }
    }
    None
}

/// Reports a file whose last line is a key without a value: the file may be cut short there.
fn report_open_end(root: &Node, text: &str, out: &mut Diagnostics) {
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if !lines.next().is_some_and(|line| line.ends_with(':') || line == "-") {
        return;
    }
    let (mut node, mut last) = (root, None);
    loop {
        node = match &node.tree {
            Tree::Map(entries) => match entries.last() {
                Some((key, below)) => {
                    last = Some(key);
                    below
                }
                None => return,
            },
            Tree::List(list) => match list.last() {
                Some(below) => below,
                None => return,
            },
            Tree::Null => break,
            _ => return,
        };
    }
    if let Some(key) = last {
        let message = format!("the file ends after `{}`, which has no value", key.name);
        let help = "if the file is cut short, restore it; for an empty value, write `{}`, `[]` or `null`";
        out.push(Diagnostic::new(&key.at, message).help(help));
    }
}

/// Returns the value of `--set name=value`. A parameter of the type string takes the text unchanged (`--set tag=1.20`),
/// unless the text begins with a quote. Another parameter takes the text as YAML.
pub(crate) fn argument(text: &str, is_text: bool, file: &str) -> Result<Node, String> {
    if text.is_empty() || is_text && !text.starts_with(['"', '\'']) {
        return Ok(Node { tree: Tree::Text(text.to_owned()), at: Location::file(file), plain: true });
    }
    let node = scalar(text, file)?;
    let marks = text.match_indices('#').filter(|(at, _)| text[..*at].ends_with(char::is_whitespace));
    let is_same = |before: &str| scalar(before, file).is_ok_and(|part| part.value() == node.value());
    match marks.map(|(at, _)| at).find(|at| is_same(&text[..*at])) {
        Some(at) => Err(format!("YAML takes `{}` for a comment; put the value in quotes", &text[at..])),
        None => Ok(node),
    }
}

/// Parses a single YAML value.
fn scalar(text: &str, file: &str) -> Result<Node, String> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let raw = serde_saphyr::from_str_with_options::<Raw>(text, options).map_err(|error| message(&error))?;
    let at = Location::file(file);
    let spanned = Spanned::new(raw, serde_saphyr::Location::UNKNOWN, serde_saphyr::Location::UNKNOWN);
    let node = place(spanned, &file.into());
    Ok(Node { plain: true, at, ..Node::plain(&node.value(), &Location::file(file)) })
}

/// Returns a message for a parser error, in terms of a document.
fn message(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate key `{key}`"),
        Error::DuplicateMappingKey { .. } => "duplicate key".into(),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            "a second document begins here, but a file holds one document; move it to a file of its own".into()
        }
        Error::Budget { .. } => "the document is too large after its aliases are expanded".into(),
        // A breach during the expansion of an alias is wrapped in another error.
        _ if error.to_string().contains("budget breached") => {
            "the document is too large after its aliases are expanded".into()
        }
        _ => {
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default();
            let text = text.rsplit_once(" at line ").map_or(text, |(before, _)| before);
            format!("this is not valid YAML: {text}")
        }
    }
}

fn location(place: &serde_saphyr::Location, file: &Arc<str>) -> Location {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Location {
        file: file.clone(),
        line: number(place.line()),
        column: number(place.column()),
        length: number(place.span().len()).max(1),
    }
}

fn place(spanned: Spanned<Raw>, file: &Arc<str>) -> Node {
    let mut at = location(&spanned.referenced, file);
    let tree = match spanned.value {
        Raw::Null => Tree::Null,
        Raw::Bool(b) => Tree::Bool(b),
        Raw::Integer(n) => Tree::Integer(n),
        Raw::Number(n) => Tree::Number(n),
        Raw::Text(text) => Tree::Text(text),
        Raw::List(list) => {
            at.length = 1;
            Tree::List(list.into_iter().map(|item| place(item, file)).collect())
        }
        Raw::Map(map) => {
            at.length = 1;
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| {
                let key = Key { at: location(&key.referenced, file), name: key.value };
                (key, place(value, file))
            };
            Tree::Map(map.into_iter().map(entry).collect())
        }
    };
    Node { tree, at, plain: false }
}

enum Raw {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(n))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Raw, E> {
        i64::try_from(n).map(Raw::Integer).map_err(|_| E::custom("this number is too large; put it in quotes"))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Raw, E> {
        Ok(Raw::Number(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
