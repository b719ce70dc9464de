//! House rules that the compiler does not check: dependencies between crates, a sentence at the top of every module,
//! file lengths, existing functions in docs/reconciliation.md, and up-to-date generated documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use holdfast_tests::{Holdfast, env_for, manual, sandbox};

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
    let mut wrong = vec![];
    for (name, allowed) in ARROWS {
        let text = fs::read_to_string(root().join(format!("crates/{name}/Cargo.toml"))).expect("a manifest");
        let dependencies = text.split("[dev-dependencies]").next().unwrap_or_default();
        for line in dependencies.lines().filter_map(|l| l.strip_suffix(".workspace = true")) {
            if line.starts_with("holdfast-") && !allowed.contains(&line) {
                wrong.push(format!("{name} may not depend on {line}"));
            }
            if line.starts_with("aws-") && !name.starts_with("aws/") {
                wrong.push(format!("{name} may not depend on {line}: only crates below crates/aws may use SDKs"));
            }
        }
    }
    let known: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let crates = |folder: &str| {
        let folders = fs::read_dir(root().join("crates").join(folder)).expect("crates").flatten();
        let folders = folders.filter(|entry| entry.path().join("Cargo.toml").exists());
        folders.map(|entry| format!("{folder}{}", entry.file_name().to_string_lossy())).collect::<Vec<_>>()
    };
    let found: BTreeSet<String> = crates("").into_iter().chain(crates("aws/")).collect();
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

/// Counts code, not comments: the doc comments of the fields are the manual, and are as long as AWS's facts need.
#[test]
fn the_median_kind_has_at_most_220_lines_of_code() {
    let kinds = rust_files()
        .into_iter()
        .filter(|(path, text)| shown(path).starts_with("crates/aws/") && text.contains("\nimpl Kind for "));
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let mut lines: Vec<usize> = kinds.map(|(_, text)| text.lines().filter(is_code).count()).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    assert!(median <= 220, "the median of {} kinds has {median} lines of code: {lines:?}", lines.len());
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
