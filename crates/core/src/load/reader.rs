//! Reads the fixed parts of a document: known keys, expected types, suggestions for the rest.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Location, suggest};
use crate::load::node::{Key, Node, Tree};

/// Reads nodes and reports what is wrong with them.
pub(crate) struct Reader<'o> {
    /// Where errors go.
    pub(crate) out: &'o mut Diagnostics,
}

impl Reader<'_> {
    /// Reports an error.
    pub(crate) fn error(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// The entries of a map; null counts as an empty one.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        if !matches!(node.tree, Tree::Map(_) | Tree::Null) {
            self.out.push(Diagnostic::new(&node.at, format!("{what} is a map, and this is {}", node.describe())));
        }
        node.entries()
    }

    /// The entries of a map whose keys are known; unknown ones are errors.
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

    /// Reports an unknown key, with the one that was perhaps meant.
    pub(crate) fn unknown(&mut self, key: &Key, what: &str, known: &[&str]) {
        let help = suggest(&key.name, known.iter().copied());
        let help = help.unwrap_or_else(|| format!("{what} knows {}", words(known)));
        self.out.push(Diagnostic::new(&key.at, format!("unknown field `{}` in {what}", key.name)).help(help));
    }

    /// The text of a node.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.tree {
            Tree::Text(text) => Some(text.clone()),
            Tree::Integer(_) | Tree::Number(_) | Tree::Bool(_) => {
                let message = format!("{what} is a string, and this is {}", node.describe());
                self.out.push(Diagnostic::new(&node.at, message).help("put it in quotes"));
                None
            }
            _ => {
                self.out
                    .push(Diagnostic::new(&node.at, format!("{what} is a string, and this is {}", node.describe())));
                None
            }
        }
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.tree {
            Tree::Bool(b) => Some(b),
            _ => {
                let message = format!("{what} is true or false, and this is {}", node.describe());
                self.out.push(Diagnostic::new(&node.at, message).help("write true or false, without quotes"));
                None
            }
        }
    }

    /// A count.
    pub(crate) fn count(&mut self, node: &Node, what: &str) -> Option<usize> {
        let count = match node.tree {
            Tree::Integer(n) => usize::try_from(n).ok(),
            _ => None,
        };
        if count.is_none() {
            self.out.push(Diagnostic::new(&node.at, format!("{what} is a whole number of at least 0")));
        }
        count
    }

    /// One of a few words.
    pub(crate) fn choice<'w>(&mut self, node: &Node, what: &str, known: &[&'w str]) -> Option<&'w str> {
        let Some(text) = node.text() else {
            let message = format!("{what} is one of {}, and this is {}", words(known), node.describe());
            self.out.push(Diagnostic::new(&node.at, message));
            return None;
        };
        let found = known.iter().copied().find(|word| *word == text);
        if found.is_none() {
            let help = suggest(text, known.iter().copied());
            let message = format!("`{text}` is none of {}", words(known));
            self.out.push(Diagnostic::new(&node.at, message).help_if(help));
        }
        found
    }

    /// A name that may become a part of addresses and of physical names.
    pub(crate) fn name(&mut self, name: &str, at: &Location, what: &str) -> bool {
        let fine = is_name(name);
        if !fine {
            let message = format!("`{name}` cannot be the name of {what}");
            let help = "a name begins with a letter or digit and goes on with letters, digits, `-` and `_`";
            self.out.push(Diagnostic::new(at, message).help(help));
        }
        fine
    }
}

/// True for what may stand behind the `/` of an address in a file.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// `a`, `b` and `c`.
pub(crate) fn words<W: AsRef<str>>(list: &[W]) -> String {
    let quoted: Vec<String> = list.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [many @ .., last] => format!("{} and {last}", many.join(", ")),
    }
}
