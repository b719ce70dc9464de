//! House rules that the compiler does not check: dependencies between crates, a sentence at the top of every module,
//! file lengths, existing functions in docs/reconciliation.md, a row for each test in docs/testing.md, and up-to-date
//! generated documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use holdfast_tests::{Holdfast, env_for, manual, sandbox};
use serde_json::Value;

/// The maximum number of lines of a file. A longer file is split by its responsibilities.
const MOST_LINES: usize = 420;

/// The crates that each crate may depend on, as in docs/architecture.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &["holdfast-derive"]),
    ("derive", &[]),
    ("report", &["holdfast-core"]),
    ("engine", &["holdfast-core"]),
    (
        "aws",
        &[
            "holdfast-base",
            "holdfast-compute",
            "holdfast-core",
            "holdfast-data",
            "holdfast-edge",
            "holdfast-engine",
            "holdfast-network",
            "holdfast-operations",
        ],
    ),
    ("aws/base", &["holdfast-core", "holdfast-engine"]),
    ("aws/network", KINDS_USE),
    ("aws/data", KINDS_USE),
    ("aws/compute", KINDS_USE),
    ("aws/edge", KINDS_USE),
    ("aws/operations", KINDS_USE),
    ("sim", &["holdfast-core", "holdfast-derive", "holdfast-engine"]),
    ("server", &["holdfast-core", "holdfast-engine"]),
    ("holdfast", &["holdfast-core", "holdfast-report", "holdfast-engine", "holdfast-aws", "holdfast-server"]),
    ("xtask", &["holdfast-tests"]),
    ("tests", &[]),
];

/// The crates that a crate of kinds may depend on. They include no other crate of kinds, so that an edit of a kind
/// compiles only one of these crates.
const KINDS_USE: &[&str] = &["holdfast-base", "holdfast-core", "holdfast-engine"];

/// The items that core may not use: it has no clock, no I/O and no cloud.
const NOT_IN_CORE: &[&str] = &["tokio::", "std::fs", "TcpStream", "Instant::now", "SystemTime", "std::env"];

fn root() -> PathBuf {
    sandbox::root().expect("a checkout")
}

fn rust_files() -> Vec<(PathBuf, String)> {
    let mut files = vec![];
    let mut folders = vec![root().join("crates"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn crates_depend_only_on_the_crates_that_the_architecture_allows() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let (mut wrong, mut found) = (vec![], BTreeSet::new());
    for package in metadata["packages"].as_array().expect("packages") {
        let manifest = shown(Path::new(package["manifest_path"].as_str().expect("a path")));
        let name = manifest.trim_end_matches("/Cargo.toml");
        let name = name.strip_prefix("crates/").unwrap_or(name);
        found.insert(name.to_owned());
        let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| *of == name) else { continue };
        // Cargo lists every spelling: renamed, optional, and for a platform. Tests may depend on any crate.
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            if dependency["kind"] == "dev" {
                continue;
            }
            if dependency["path"].is_string() && !allowed.contains(&on) {
                wrong.push(format!("{name} may not depend on {on}"));
            }
            if on.starts_with("aws-") && !name.starts_with("aws/") {
                wrong.push(format!("{name} may not depend on {on}: only crates below crates/aws may use SDKs"));
            }
        }
    }
    let known: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "ARROWS lists every crate");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn core_is_pure() {
    let mut wrong = vec![];
    for (path, text) in rust_files()
        .into_iter()
        .filter(|(path, _)| shown(path).starts_with("crates/core/src") && !shown(path).contains("/tests"))
    {
        for word in NOT_IN_CORE.iter().filter(|word| text.contains(**word)) {
            wrong.push(format!("{} uses {word}", shown(&path)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_begins_with_a_sentence() {
    let missing: Vec<String> =
        rust_files().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| shown(&path)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn files_have_a_readable_length() {
    let long: BTreeMap<String, usize> = rust_files()
        .into_iter()
        .map(|(path, text)| (shown(&path), text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .collect();
    assert_eq!(long, BTreeMap::new());
}

#[test]
fn the_main_function_stays_small() {
    let main = fs::read_to_string(root().join("crates/holdfast/src/main.rs")).expect("main.rs");
    assert!(main.lines().count() < 40);
}

#[test]
fn no_file_names_a_home_directory() {
    let mut wrong = vec![];
    for (path, text) in rust_files() {
        for word in ["/home/", "/root/", "/Users/"] {
            if text.contains(word) && !shown(&path).ends_with("tidy.rs") {
                wrong.push(format!("{} names {word}", shown(&path)));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Reads the rows of the page's tables: a cell with a link to a file, and a cell with the name of a function after it.
/// The rows with the cell `drift` or `both` are the stations of the drift walk; the rows that begin with the link are
/// helpers.
#[test]
fn the_walk_of_docs_reconciliation_names_existing_functions() {
    let page = fs::read_to_string(root().join("docs/reconciliation.md")).expect("docs/reconciliation.md");
    let (mut wrong, mut of_the_drift, mut helpers) = (vec![], BTreeSet::new(), BTreeSet::new());
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Some(at) = cells.iter().position(|cell| cell.contains("](../")) else { continue };
        let file = cells[at].split("](../").nth(1).unwrap_or_default().trim_end_matches(')');
        let function = cells.get(at + 1).copied().unwrap_or_default().trim_matches('`');
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        let declares = ["(", "<"].iter().any(|end| text.contains(&format!("fn {function}{end}")));
        if function.is_empty() || !declares {
            wrong.push(format!("{file} has no `fn {function}`"));
        }
        if at == 1 {
            helpers.insert(file);
        } else if cells.contains(&"drift") || cells.contains(&"both") {
            of_the_drift.insert(file);
        }
    }
    wrong.extend(helpers.intersection(&of_the_drift).map(|file| format!("{file} is a station and a helper")));
    assert_eq!(wrong, Vec::<String>::new());
    let counts = [
        format!("The drift walk runs through {} files", of_the_drift.len()),
        format!("helpers: {} files", helpers.len()),
    ];
    for count in counts {
        assert!(page.contains(&count), "docs/reconciliation.md says: {count}");
    }
}

/// Every target of tests has a row in docs/testing.md. A folder with a `main.rs` is one target.
#[test]
fn docs_testing_names_every_test_file() {
    let page = fs::read_to_string(root().join("docs/testing.md")).expect("docs/testing.md");
    let files = rust_files().into_iter().map(|(path, _)| shown(&path));
    let is_target = |path: &String| {
        let (folder, file) = path.rsplit_once('/').unwrap_or_default();
        let parent = folder.rsplit_once('/').unwrap_or_default().0;
        folder.ends_with("/tests") && !folder.contains("/src/")
            || parent.ends_with("/tests") && !folder.contains("/src/") && file == "main.rs"
    };
    let targets: Vec<String> = files.filter(is_target).collect();
    assert!(targets.len() > 15, "{targets:?}");
    let missing: Vec<&String> = targets.iter().filter(|path| !page.contains(&format!("| `{path}` |"))).collect();
    assert_eq!(missing, Vec::<&String>::new(), "docs/testing.md has a row for each");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split("` |").next());
    let stale: Vec<&str> = rows.filter(|path| path.ends_with(".rs") && !root().join(path).is_file()).collect();
    assert_eq!(stale, Vec::<&str>::new(), "docs/testing.md has a row for a file that does not exist");
}

#[test]
fn generated_documentation_is_fresh() {
    let holdfast = Holdfast::new(&env_for("http://127.0.0.1:9"));
    let list = holdfast.run(["explain", "-o", "json"]).expect("explain").expect(0).json().expect("JSON");
    let mut stale = vec![];
    let mut check = |path: String, fresh: String| {
        if fs::read_to_string(root().join(&path)).unwrap_or_default() != fresh {
            stale.push(path);
        }
    };
    for kind in list.as_array().expect("kinds").iter().filter_map(|k| k["kind"].as_str()) {
        let page = holdfast.run(["explain", kind, "-o", "markdown"]).expect("explain").expect(0).stdout;
        check(format!("docs/kinds/{kind}.md"), manual::with_example(kind, &page).expect("an example"));
    }
    let schema = holdfast.run(["schema"]).expect("schema").expect(0);
    check("docs/kinds/README.md".into(), manual::index(&list, &schema.json().expect("JSON")).expect("an index"));
    check("docs/holdfast.schema.json".into(), schema.stdout);
    assert_eq!(stale, Vec::<String>::new(), "run `cargo xtask generate`");
}
