//! Reads the fixed parts of a document: checks keys and types, and suggests similar keys.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Location, either, suggest, words};
use crate::load::node::{Key, Node, Tree};

/// The help for a number or boolean where a string is expected.
pub(crate) const QUOTE: &str = "put the value in quotes";

/// Reads nodes and reports their errors.
pub(crate) struct Reader<'o> {
    /// The list that errors are added to.
    pub(crate) out: &'o mut Diagnostics,
}

impl Reader<'_> {
    /// Reports an error.
    pub(crate) fn error(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// Returns the entries of a map; null counts as an empty map.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        if !matches!(node.tree, Tree::Map(_) | Tree::Null) {
            self.out.push(Diagnostic::new(&node.at, format!("{what} must be a map, but this is {}", node.describe())));
        }
        node.entries()
    }

    /// Returns the entries of a map with known keys. Unknown keys are errors.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> BTreeMap<&'n str, &'n Node> {
        let mut found = BTreeMap::new();
        for (key, value) in self.map(node, what) {
            if known.contains(&key.name.as_str()) {
                found.insert(key.name.as_str(), value);
            } else {
                self.unknown(key, what, known);
            }
        }
        found
    }

    /// Reports an unknown key, and suggests a similar one.
    pub(crate) fn unknown(&mut self, key: &Key, what: &str, known: &[&str]) {
        let help = suggest(&key.name, known.iter().copied());
        let help = help.unwrap_or_else(|| format!("the fields of {what} are {}", words(known)));
        self.out.push(Diagnostic::new(&key.at, format!("unknown field `{}` in {what}", key.name)).help(help));
    }

    /// Returns the text of a string.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.tree {
            Tree::Text(text) => Some(text.clone()),
            Tree::Integer(_) | Tree::Number(_) | Tree::Bool(_) => {
                let message = format!("{what} must be a string, but this is {}", node.describe());
                self.out.push(Diagnostic::new(&node.at, message).help(QUOTE));
                None
            }
            _ => {
                let message = format!("{what} must be a string, but this is {}", node.describe());
                self.out.push(Diagnostic::new(&node.at, message));
                None
            }
        }
    }

    /// Returns a boolean.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.tree {
            Tree::Bool(b) => Some(b),
            _ => {
                let message = format!("{what} must be true or false, but this is {}", node.describe());
                self.out.push(Diagnostic::new(&node.at, message).help("write true or false, without quotes"));
                None
            }
        }
    }

    /// Returns a count.
    pub(crate) fn count(&mut self, node: &Node, what: &str) -> Option<usize> {
        let count = match node.tree {
            Tree::Integer(n) => usize::try_from(n).ok(),
            _ => None,
        };
        if count.is_none() {
            self.out.push(Diagnostic::new(&node.at, format!("{what} must be a whole number of at least 0")));
        }
        count
    }

    /// Returns one of a few values.
    pub(crate) fn choice<'w>(&mut self, node: &Node, what: &str, known: &[&'w str]) -> Option<&'w str> {
        let Some(text) = node.text() else {
            let message = format!("{what} must be {}, but this is {}", either(known), node.describe());
            self.out.push(Diagnostic::new(&node.at, message));
            return None;
        };
        let found = known.iter().copied().find(|word| *word == text);
        if found.is_none() {
            let help = suggest(text, known.iter().copied());
            let message = format!("{what} must be {}, but this is `{text}`", either(known));
            self.out.push(Diagnostic::new(&node.at, message).help_if(help));
        }
        found
    }

    /// Checks a name that becomes a part of addresses and of physical names. Returns true when it is valid.
    pub(crate) fn name(&mut self, name: &str, at: &Location, what: &str) -> bool {
        let valid = is_name(name);
        if !valid {
            let message = format!("`{name}` cannot be the name of {what}");
            let help = "a name begins with a letter or digit and consists of letters, digits, `-` and `_`";
            self.out.push(Diagnostic::new(at, message).help(help));
        }
        valid
    }
}

/// True for a valid name after the `/` of an address in a file.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
