//! Circles of modules: sibling modules of one crate that import each other. A module counts together with its
//! submodules. A module and its own submodules may use each other.
//!
//! The imports are read from the text: each path that begins with `crate`, `super` or `self`. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Finding, Measure};
use crate::files::TextFile;

/// The circles that are accepted for now, one per line: `crate: module, module`. A line whose circle does not exist any
/// more is a finding, so the list can only shrink.
const ACCEPTED: &str = include_str!("accepted_circles.txt");

/// The file of the accepted circles.
const LIST: &str = "crates/xtask/src/check/accepted_circles.txt";

/// The path of a module in its crate; empty for the root.
type Module = Vec<String>;

/// The imports between sibling modules, each with the file and the line of one import.
type Imports<'a> = BTreeMap<(Module, Module), (&'a str, usize)>;

/// The circles that are not accepted, and the accepted circles that do not exist.
pub(crate) fn measures(files: &[TextFile]) -> Vec<Measure> {
    let accepted: BTreeSet<&str> = ACCEPTED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let circles = circles(files);
    let new = circles.iter().filter(|(name, _)| !accepted.contains(name.as_str()));
    let new = new.flat_map(|(name, circle)| {
        circle.iter().map(move |((from, to), (file, line))| {
            Finding::new(file, *line, format!("{name}: `{}` imports `{}`", from.join("::"), to.join("::")))
        })
    });
    let listed = |name: &&str, text: &str| Finding::new(LIST, 0, format!("{name}: {text}"));
    let (old, stale): (Vec<_>, Vec<_>) = accepted.iter().partition(|name| circles.contains_key(**name));
    vec![
        Measure::none("circles of modules", new.collect()),
        Measure::none("accepted circles that are gone", stale.iter().map(|n| listed(n, "remove the line")).collect()),
        Measure::reported("accepted circles", old.iter().map(|n| listed(n, "accepted for now")).collect()),
    ]
}

/// The circles of all crates: `crate: module, module`, and the imports between the modules.
fn circles(files: &[TextFile]) -> BTreeMap<String, Imports<'_>> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, &TextFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.extension() == "rs") {
        if let Some((name, module)) = file.path.rsplit_once("/src/") {
            crates.entry(name).or_default().insert(module_of(module), file);
        }
    }
    let mut found = BTreeMap::new();
    for (name, modules) in crates {
        let imports = imports(&modules);
        for circle in components(&imports) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            let of_circle = imports.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
            let of_circle = of_circle.map(|(edge, place)| (edge.clone(), *place)).collect();
            let name = name.strip_prefix("crates/").unwrap_or(name);
            found.insert(format!("{name}: {}", names.join(", ")), of_circle);
        }
    }
    found
}

/// The module of a file below `src`: `run/steps.rs` is `run::steps`, `ec2/mod.rs` is `ec2`, and `lib.rs` is the root.
fn module_of(path: &str) -> Module {
    let mut parts: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// The imports between the sibling modules of a crate. An import of `b::c` by `a::d` is an import of `b` by `a`.
fn imports<'a>(modules: &BTreeMap<Module, &'a TextFile>) -> Imports<'a> {
    let mut found = Imports::new();
    for (module, file) in modules.iter().filter(|(module, _)| !module.iter().any(|part| part == "tests")) {
        for (line, path) in paths(&file.text, module) {
            let known = (1..=path.len()).rev().map(|length| &path[..length]).find(|path| modules.contains_key(*path));
            let Some(target) = known else { continue };
            let shared = module.iter().zip(target).take_while(|(a, b)| a == b).count();
            if shared < module.len() && shared < target.len() {
                let edge = (module[..=shared].to_vec(), target[..=shared].to_vec());
                found.entry(edge).or_insert((file.path.as_str(), line));
            }
        }
    }
    found
}

/// The absolute paths that a file uses, each with its line. `use` lists are expanded.
fn paths(text: &str, module: &Module) -> Vec<(usize, Module)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let without_comments = |line: &str| if line.trim_start().starts_with("//") { String::new() } else { line.into() };
    let code: Vec<String> = code.lines().map(without_comments).collect();
    let code = code.join("\n");
    let mut found = vec![];
    for word in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(word) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut base = if word == "crate::" { vec![] } else { module.clone() };
            let mut rest = &code[at + word.len()..];
            if word == "super::" {
                base.pop();
                while let Some(after) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = after;
                }
            }
            let line = 1 + code[..at].matches('\n').count();
            let mut expanded = vec![];
            expand(rest, &base, &mut expanded);
            found.extend(expanded.into_iter().map(|path| (line, path)));
        }
    }
    found
}

/// Expands a path with lists: `a::{b, c::d}` is `a::b` and `a::c::d`. Returns the text after the path.
fn expand<'a>(text: &'a str, base: &Module, found: &mut Vec<Module>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if !rest.starts_with(begins_path) {
                return rest.strip_prefix('}').unwrap_or(rest);
            }
            rest = expand(rest, base, found);
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = [base.as_slice(), &[name.to_owned()]].concat();
    match rest.strip_prefix("::") {
        Some(after) if after.starts_with(begins_path) => expand(after, &path, found),
        _ => {
            found.push(path);
            // The rest of an item is skipped: `as name`, or a character that no path has.
            rest.find([',', '}', ';']).map_or("", |end| &rest[end..])
        }
    }
}

/// True for the first character of a name, of a list, or of `*`.
fn begins_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '{' | '*')
}

/// The sets of modules that reach each other by imports.
fn components(imports: &Imports<'_>) -> BTreeSet<BTreeSet<Module>> {
    let reach = |start: &Module| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![start.clone()]);
        while let Some(next) = open.pop() {
            for (_, to) in imports.keys().filter(|(from, _)| *from == next) {
                if reached.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        reached
    };
    let modules: BTreeSet<&Module> = imports.keys().map(|(from, _)| from).collect();
    let reached: BTreeMap<&Module, BTreeSet<Module>> = modules.iter().map(|module| (*module, reach(module))).collect();
    let circle = |module: &Module| -> BTreeSet<Module> {
        let mutual = reached[module].iter().filter(|to| reached.get(to).is_some_and(|back| back.contains(module)));
        mutual.cloned().collect()
    };
    modules.into_iter().map(circle).filter(|circle| circle.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    fn names(files: &[TextFile]) -> Vec<String> {
        circles(files).into_keys().collect()
    }

    #[test]
    fn a_circle_has_the_modules_that_import_each_other_through_others() {
        let files = [
            file("crates/a/src/lib.rs", "mod x;\nmod y;\nmod z;\nmod w;\n"),
            file("crates/a/src/x.rs", "use crate::{w, y::{self, Y as Other}};\n"),
            file("crates/a/src/y/mod.rs", "mod inner;\n"),
            file("crates/a/src/y/inner.rs", "fn f() { super::super::z::g() }\n"),
            file("crates/a/src/z.rs", "use super::x::X;\n"),
            file("crates/a/src/w.rs", "// use crate::x::X;\n#[cfg(test)]\nmod tests {\n    use crate::x::X;\n}\n"),
        ];
        assert_eq!(names(&files), ["a: x, y, z"]);
        let circles = circles(&files);
        let places: Vec<_> = circles["a: x, y, z"].values().collect();
        assert_eq!(places, [&("crates/a/src/x.rs", 1), &("crates/a/src/y/inner.rs", 1), &("crates/a/src/z.rs", 1)]);
    }

    #[test]
    fn a_module_and_its_submodules_may_use_each_other() {
        let files = [
            file("crates/a/src/x.rs", "mod y;\nmod z;\nuse self::y::Y;\n"),
            file("crates/a/src/x/y.rs", "use super::X;\nuse crate::x::z::Z;\n"),
            file("crates/a/src/x/z.rs", "use super::*;\n"),
        ];
        assert_eq!(names(&files), Vec::<String>::new());
    }

    #[test]
    fn sibling_submodules_are_a_circle_of_their_folder() {
        let files = [
            file("crates/aws/network/src/ec2/mod.rs", "mod a;\nmod b;\n"),
            file("crates/aws/network/src/ec2/a.rs", "use super::b::B;\n"),
            file("crates/aws/network/src/ec2/b.rs", "use super::a::{A, Z};\n"),
        ];
        assert_eq!(names(&files), ["aws/network: ec2::a, ec2::b"]);
    }

    #[test]
    fn the_accepted_circles_are_sorted_and_no_more_than_when_the_check_was_made() {
        let lines: Vec<&str> = ACCEPTED.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.is_sorted() && lines.len() <= 20, "{lines:?}");
    }
}
