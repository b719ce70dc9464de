//! Every shipped document renders in each environment and fits the JSON Schema, and its page in docs/systems is
//! correct.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use holdfast_tests::{Holdfast, env_for, sandbox};
use serde_json::Value;

fn root() -> PathBuf {
    sandbox::root().expect("a checkout")
}

fn holdfast() -> Holdfast {
    Holdfast::new(&env_for("http://127.0.0.1:9"))
}

/// Returns the systems: the folders of desired-state with a stack.
fn systems() -> Vec<String> {
    let folders = fs::read_dir(root().join("desired-state")).expect("documents").flatten();
    let stacks = folders.filter(|entry| entry.path().join("stack.yaml").is_file());
    stacks.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn environments(system: &str) -> Vec<String> {
    let files =
        fs::read_dir(root().join(format!("desired-state/{system}/environments"))).expect("environments").flatten();
    files.filter_map(|f| f.file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned)).collect()
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_environment_is_valid() {
    for system in systems() {
        let path = format!("desired-state/{system}");
        let run = holdfast().run(["validate", &path]).expect("validate");
        assert_eq!(run.code, 0, "{path}: {run}");
    }
}

#[test]
fn every_document_fits_the_json_schema() {
    let schema = holdfast().run(["schema"]).expect("schema").expect(0).json().expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let mut wrong = vec![];
    for path in yaml_files(&root().join("desired-state")) {
        let text = fs::read_to_string(&path).expect("text");
        let document: Value = serde_saphyr::from_str(&text).expect("YAML");
        for error in validator.iter_errors(&document) {
            wrong.push(format!("{}: {} at {}", path.display(), error, error.instance_path()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The requirements of a system in `tests/requirements.yaml`.
struct Requirements {
    /// The statements, by id.
    statements: BTreeMap<String, String>,
    headings: Vec<String>,
}

fn requirements() -> BTreeMap<String, Requirements> {
    let text = fs::read_to_string(root().join("tests/requirements.yaml")).expect("the requirements");
    let all: BTreeMap<String, Value> = serde_saphyr::from_str(&text).expect("YAML");
    let one = |value: &Value| Requirements {
        statements: serde_json::from_value(value["requirements"].clone()).expect("ids and statements"),
        headings: serde_json::from_value(value["headings"].clone()).expect("headings"),
    };
    all.iter().map(|(system, value)| (system.clone(), one(value))).collect()
}

/// Returns a system's page, or an empty text when the page is missing, which another test reports.
fn page(system: &str) -> String {
    fs::read_to_string(root().join(format!("docs/systems/{system}.md"))).unwrap_or_default()
}

/// Returns the words in the cells of a page's tables, separated by commas. The id of a requirement is such a word.
fn cited(page: &str) -> BTreeSet<&str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let cells = rows.flat_map(|row| row.split('|'));
    cells.flat_map(|cell| cell.split(',')).map(str::trim).collect()
}

#[test]
fn each_system_has_a_page_and_is_in_the_readme() {
    let systems: BTreeSet<String> = systems().into_iter().collect();
    let expected: BTreeSet<String> = requirements().into_keys().collect();
    assert_eq!(systems, expected, "folders of desired-state, and tests/requirements.yaml");
    let pages = fs::read_dir(root().join("docs/systems")).expect("pages").flatten();
    let pages = pages.filter_map(|f| f.file_name().to_str()?.strip_suffix(".md").map(str::to_owned));
    assert_eq!(pages.collect::<BTreeSet<_>>(), systems, "pages of docs/systems");
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let missing = systems.iter().filter(|system| !readme.contains(&format!("docs/systems/{system}.md")));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new(), "not in README.md");
}

#[test]
fn the_systems_pages_cite_every_requirement_and_heading() {
    let mut wrong = vec![];
    for (system, requirements) in requirements() {
        let page = page(&system);
        let cited = cited(&page);
        for (id, statement) in &requirements.statements {
            if !cited.contains(id.as_str()) {
                wrong.push(format!("docs/systems/{system}.md: no row with {id} ({statement})"));
            }
        }
        for heading in requirements.headings.iter().filter(|heading| !page.contains(heading.as_str())) {
            wrong.push(format!("docs/systems/{system}.md: the section \"{heading}\" is not mentioned"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_systems_pages_name_addresses_that_exist() {
    let mut wrong = vec![];
    for system in systems() {
        let mut addresses = BTreeSet::new();
        for env in environments(&system) {
            let path = format!("desired-state/{system}");
            let json = holdfast()
                .run(["render", &path, "-e", &env, "-o", "json"])
                .expect("render")
                .expect(0)
                .json()
                .expect("JSON");
            addresses.extend(json["resources"].as_object().expect("resources").keys().cloned());
        }
        let page = page(&system);
        let kinds: BTreeSet<&str> = addresses.iter().filter_map(|a| a.split('/').next()).collect();
        // Addresses are in backticks. A trailing `*` stands for several addresses.
        for quoted in page.split('`').skip(1).step_by(2) {
            let Some((kind, name)) = quoted.split_once('/') else { continue };
            if !kinds.contains(kind) || name.contains(['/', ' ']) {
                continue;
            }
            let exists = match name.split_once('*') {
                Some((before, _)) => addresses.iter().any(|a| a.starts_with(&format!("{kind}/{before}"))),
                None => addresses.contains(quoted),
            };
            if !exists {
                wrong.push(format!("docs/systems/{system}.md: {quoted}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
