//! Errors of documents: what is wrong, where, and how to fix it. All errors of a document are reported at once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// A location in a file. Lines and columns count from 1; line 0 means the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The file's path, as the source names it.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The length in characters.
    pub length: usize,
}

impl Location {
    /// Returns the location of a file as a whole.
    pub fn file(file: &str) -> Self {
        Location { file: file.into(), line: 0, column: 0, length: 0 }
    }

    /// Returns the bytes of the location within the text of its line: one character at least, up to the end of the line.
    pub fn byte_range(&self, line: &str) -> Range<usize> {
        let byte = |characters| line.char_indices().nth(characters).map_or(line.len(), |(offset, _)| offset);
        let start = self.column.saturating_sub(1);
        byte(start)..byte(start.saturating_add(self.length.max(1)))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// One error of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The error, in one sentence.
    pub message: String,
    /// The location.
    pub at: Location,
    /// A note that is shown at the location; empty for none.
    pub label: String,
    /// How to fix the error.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Creates an error at a location.
    pub fn new(at: &Location, message: impl Into<String>) -> Self {
        Diagnostic { message: message.into(), at: at.clone(), label: String::new(), help: None }
    }

    /// Adds a note that is shown at the location.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds how to fix the error.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds how to fix the error, if that is known.
    #[must_use]
    pub fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// All errors of a document, with the texts of its files.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    sources: BTreeMap<Arc<str>, Arc<str>>,
}

impl Diagnostics {
    /// Adds an error. A duplicate is ignored.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if !self.list.contains(&diagnostic) {
            self.list.push(diagnostic);
        }
    }

    /// Adds an error about a part of the text at a location: the location is narrowed to that part.
    pub fn push_within(&mut self, part: &str, mut diagnostic: Diagnostic) {
        if let Some(narrow) = self.find(&diagnostic.at, part) {
            diagnostic.at = narrow;
        }
        self.push(diagnostic);
    }

    /// Stores the text of a file, for excerpts.
    pub fn add_source(&mut self, file: &str, text: &str) {
        self.sources.insert(file.into(), text.into());
    }

    /// True when there are no errors.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the number of errors.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the errors, by file and line.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut sorted: Vec<_> = self.list.iter().collect();
        sorted.sort_by(|a, b| (&a.at, &a.message).cmp(&(&b.at, &b.message)));
        sorted.into_iter()
    }

    /// Returns the files that were read. A change of one may fix the errors.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(AsRef::as_ref)
    }

    /// Returns the text of the line at a location, if its file was read and has the line.
    pub fn source_line(&self, at: &Location) -> Option<&str> {
        self.sources.get(&at.file)?.lines().nth(at.line.checked_sub(1)?)
    }

    /// Finds `part` in the text from a location on: on the same line, or for a block scalar on one of the lines below.
    fn find(&self, at: &Location, part: &str) -> Option<Location> {
        let part = part.lines().next().filter(|part| !part.is_empty())?;
        // An expression is close to the beginning of its string, but a policy in a block scalar may be long.
        const LINES: usize = 200;
        let text = self.sources.get(&at.file)?;
        let from = at.line.checked_sub(1)?;
        for (number, line) in text.lines().enumerate().skip(from).take(LINES) {
            let skip = if number == from { at.byte_range(line).start } else { 0 };
            if let Some(found) = line[skip..].find(part) {
                let column = line[..skip + found].chars().count() + 1;
                return Some(Location {
                    file: at.file.clone(),
                    line: number + 1,
                    column,
                    length: part.chars().count(),
                });
            }
        }
        None
    }
}

/// Writes the errors one a line, for logs: `file:line:column: message; help`.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Diagnostic { message, at, label: _, help }) in self.iter().enumerate() {
            let separator = if number > 0 { "\n" } else { "" };
            let help = help.iter().map(|help| format!("; {help}")).collect::<String>();
            write!(f, "{separator}{at}: {message}{help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Returns "did you mean `x`?" when a known word is similar enough to the written one.
pub fn suggest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, known).map(|word| format!("did you mean `{word}`?"))
}

/// Returns the known word that is most similar to the written one, if any is similar enough.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Below this score, Jaro-Winkler accepts words that people do not call similar: `vpc` and `tags` score 0.
    // `cidr`/`cidrBlock` scores 0.91, `subnet`/`subnets` 0.97, `port`/`protocol` 0.78.
    const NEAR: f64 = 0.8;
    let written = written.to_lowercase();
    let score = |word: &str| {
        let word = word.to_lowercase();
        // Jaro-Winkler scores one typo in a short word, `vcp` for `vpc`, lower than people would.
        let typo = word.len() > 2 && strsim::damerau_levenshtein(&written, &word) == 1;
        strsim::jaro_winkler(&written, &word).max(if typo { 0.9 } else { 0.0 })
    };
    let scored = known.into_iter().map(|word| (score(word), word)).filter(|(score, _)| *score >= NEAR);
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, word)| word)
}

/// Returns a list in words: "`a`, `b` and `c`".
pub(crate) fn words<W: AsRef<str>>(list: &[W]) -> String {
    enumerate(list, "and")
}

/// Returns alternatives in words: "`a`, `b` or `c`".
pub(crate) fn either<W: AsRef<str>>(list: &[W]) -> String {
    enumerate(list, "or")
}

fn enumerate<W: AsRef<str>>(list: &[W], conjunction: &str) -> String {
    let quoted: Vec<String> = list.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [many @ .., last] => format!("{} {conjunction} {last}", many.join(", ")),
    }
}
