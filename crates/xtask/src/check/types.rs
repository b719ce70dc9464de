//! Names of types: one name stands for one idea, so that a search finds one declaration.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Finding, Measure};
use crate::files::TextFile;

/// The most names that are declared in more than one file, in percent of all names. When the rule was made, 7 % of this
/// project's names were, and a reader could not know which `Standing` or `Outcome` a sentence meant. A few are right: a
/// record that two AWS APIs have has AWS's name in both.
const MOST_SHARED: f64 = 3.0;

/// The words that declare a type.
const WORDS: &[&str] = &["struct", "enum", "trait", "type", "union"];

/// The measure.
pub(crate) fn measure(files: &[TextFile]) -> Measure {
    let mut places: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for file in files.iter().filter(|file| is_counted(&file.path)) {
        for (line, name) in declared(&file.text) {
            places.entry(name).or_default().entry(&file.path).or_insert(line);
        }
    }
    let shared = places.iter().filter(|(_, files)| files.len() > 1);
    let findings = shared.clone().map(|(name, files)| {
        let (first, line) = files.iter().next().map_or(("", 0), |(path, line)| (*path, *line));
        let others: BTreeSet<String> = files.iter().skip(1).map(|(path, line)| format!("{path}:{line}")).collect();
        Finding::new(first, line, format!("`{name}` also in {}", Vec::from_iter(others).join(", ")))
    });
    Measure::share("type names in more than one file", findings.collect(), places.len(), MOST_SHARED)
}

/// Crates whose types are not counted. The kinds of `crates/sim` and of the fuzz targets have the names of AWS's kinds
/// on purpose, so that scenarios and seeds read like documents.
const NOT_COUNTED: &[&str] = &["crates/sim/", "crates/core/fuzz/"];

/// True for the sources of the crates, without tests, which have types of their own.
fn is_counted(path: &str) -> bool {
    let is_source = path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs");
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
    is_source && !is_test && !NOT_COUNTED.iter().any(|folder| path.starts_with(folder))
}

/// The types that a file declares, with their lines: at the beginning of a line, or public and indented. Types inside
/// a function and the associated types of a trait or an implementation are neither. Modules of tests are left out.
fn declared(text: &str) -> Vec<(usize, String)> {
    let mut found = vec![];
    let (mut is_for_tests, mut in_tests) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        if in_tests {
            in_tests = line != "}";
            continue;
        }
        if line.starts_with("#[cfg(test)]") {
            is_for_tests = true;
            continue;
        }
        if is_for_tests && !line.starts_with('#') {
            is_for_tests = false;
            in_tests = line.contains("mod ") && line.ends_with('{');
            continue;
        }
        found.extend(declaration(line).map(|name| (number, name.to_owned())));
    }
    found
}

/// The type that a line declares.
fn declaration(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let public = code.strip_prefix("pub").and_then(|rest| match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')').map(|(_, rest)| rest),
        None => rest.starts_with(' ').then_some(rest),
    });
    if public.is_none() && code.len() < line.len() {
        return None;
    }
    let code = public.unwrap_or(code).trim_start();
    let (word, rest) = code.strip_prefix("unsafe ").unwrap_or(code).split_once(' ')?;
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (WORDS.contains(&word) && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_name_in_two_files_is_found() {
        let one = "pub struct Scope {\n}\n\nimpl Kind for Scope {\n    type Status = Scope;\n}\n\n#[cfg(test)]\nmod tests {\n    pub struct Status;\n}\n";
        let two = "mod inner {\n    pub(crate) enum Scope<T> {\n    }\n}\nfn f() {\n    struct Status;\n}\ntype Status = u8;\nunsafe trait Other {}\n";
        let files = [
            file("crates/a/src/one.rs", one),
            file("crates/aws/b/src/two.rs", two),
            file("crates/a/src/tests/more.rs", "struct Other;\n"),
            file("crates/a/tests/more.rs", "struct Other;\n"),
            file("crates/sim/src/kinds.rs", "struct Other;\n"),
        ];
        expect![[r"
            type names in more than one file: 33.33 % (1 of 3), goal: at most 3.00 %
              crates/a/src/one.rs:1: `Scope` also in crates/aws/b/src/two.rs:2
        "]]
        .assert_eq(&measure(&files).describe());
    }
}
