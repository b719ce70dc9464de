//! Every kind against the sandbox, by the tables in tests/kinds. The test `drift` of a table changes each field out of
//! band, expects exactly that drift, corrects it, deletes the resource out of band, and destroys the stack. The test
//! `edits` gives the resource an explicit name, edits each field of the document, changes the name, and prunes
//! everything once it has left the document.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_tests::coverage::{Coverage, MAX_UNCOVERED_PERCENT};
use holdfast_tests::table::{Calls, KindTable, Placeholders};
use holdfast_tests::{Holdfast, Inventory, Run, TestEnv, inventory, table};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Map, Value};

/// The last step of the test `edits`.
const EDITS: &str = "all edits were reverted";

/// A test environment, and the environment variables of the table's secret values.
struct Runner {
    test_env: TestEnv,
    variables: BTreeMap<String, String>,
}

impl Runner {
    fn run(&self, command: &str, path: &str, more: &[&str]) -> Run {
        let set = |holdfast: Holdfast, (name, value): (&String, &String)| holdfast.set(name, value);
        let holdfast = self.variables.iter().fold(self.test_env.holdfast(), set);
        holdfast.run([&[command, path, "-e", "test"], more].concat()).expect(command)
    }
}

/// Returns the live resources, by address.
fn live(runner: &Runner, path: &str) -> BTreeMap<String, Value> {
    let run = runner.run("get", path, &["-o", "json"]).expect(0);
    let list: Vec<Value> = serde_json::from_str(&run.stdout).expect("JSON");
    list.into_iter().map(|o| (o["address"].as_str().unwrap_or_default().to_owned(), o)).collect()
}

/// Returns the drift and the edits that `drift` reports: addresses with a top-level field, or with `-` for a missing
/// resource.
fn differences(runner: &Runner, path: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let run = runner.run("drift", path, &["-o", "json"]);
    let json = run.json().expect("JSON");
    let (drift, edits) = (names(&json["drift"]), names(&json["edits"]));
    assert_eq!(run.code, if drift.is_empty() { 0 } else { 2 }, "{run}");
    (drift, edits)
}

/// Returns the addresses and fields of differences.
fn names(differences: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for difference in differences.as_array().into_iter().flatten() {
        let address = difference["address"].as_str().unwrap_or_default();
        let changes = difference["changes"].as_array().cloned().unwrap_or_default();
        if changes.is_empty() {
            names.insert(format!("{address} -"));
        }
        for change in changes {
            let field = change["path"].as_str().unwrap_or_default().split('.').next().unwrap_or_default().to_owned();
            names.insert(format!("{address} {field}"));
        }
    }
    names
}

/// Converges the document. Returns true when a resource was created, replaced or deleted.
fn converge(runner: &Runner, path: &str, after: &str) -> bool {
    let run = runner.run("reconcile", path, &["--once", "-o", "json"]);
    assert_eq!(run.code, 0, "reconcile after {after}: {run}");
    let json = run.json().expect("JSON");
    json["results"].as_array().into_iter().flatten().any(|result| result["action"] != "update")
}

/// Checks that the plan of a new process is empty.
fn assert_empty_plan(runner: &Runner, path: &str, after: &str) {
    let plan = runner.run("plan", path, &["-o", "json"]);
    assert_eq!(plan.code, 0, "the plan after {after} is not empty: {plan}");
}

/// Returns the resources that exist now and did not exist before.
fn created(runner: &Runner, before: &Inventory) -> Inventory {
    runner.test_env.sandbox.inventory().expect("an inventory").since(before)
}

/// Checks that the account has the resources of the table, each once, in addition to those that existed before.
fn assert_inventory(runner: &Runner, before: &Inventory, table: &KindTable, after: &str) {
    let (created, declared) = (created(runner, before), inventory::counts(table.resources.keys().map(String::as_str)));
    let mut counts = created.counts();
    // An edit of a task definition registers a revision, and the last revisions are kept.
    if after == EDITS
        && let Some(revisions) = counts.get_mut("TaskDefinition")
    {
        *revisions = (*revisions).min(declared["TaskDefinition"]);
    }
    assert_eq!(counts, declared, "after {after}: {created:?}");
}

/// A table in its test environment.
struct TestCase {
    runner: Runner,
    table: KindTable,
    /// The address of the resource that the test changes.
    example: String,
    placeholders: Placeholders,
    /// The resources that existed before the first pass.
    before: Inventory,
}

impl TestCase {
    /// Makes the calls of `before`, and fills the placeholders of the document.
    fn set_up(name: &str, explicit_name: bool) -> anyhow::Result<TestCase> {
        let mut table = table::read(name)?;
        if explicit_name {
            name_example(&mut table, table::kind(name));
        }
        let runner = Runner { test_env: TestEnv::start()?, variables: table.variables.clone() };
        let example = format!("{}/example", table::kind(name));
        let mut placeholders = Placeholders { example: example.clone(), ..Placeholders::default() };
        placeholders.call(&runner.test_env.out_of_band, &table.before)?;
        let before = Placeholders { responses: placeholders.responses.clone(), ..Placeholders::default() };
        for value in table.resources.values_mut().chain(table.edits.values_mut()) {
            *value = before.fill(value)?;
        }
        let before = runner.test_env.sandbox.inventory()?;
        Ok(TestCase { runner, table, example, placeholders, before })
    }

    fn document(&self, resources: Map<String, Value>) -> String {
        self.runner.test_env.stack("kinds", &Value::Object(resources)).expect("a stack")
    }

    /// Changes each field out of band, and deletes the resource out of band. The exact differences prove that the
    /// document was converged before.
    fn drift(self) {
        let path = self.document(self.table.resources.clone());
        let TestCase { runner, table, example, mut placeholders, before } = self;
        let has_changes = converge(&runner, &path, "no change");
        let mutating: Vec<String> = runner.test_env.proxy.mutating().iter().map(holdfast_tests::Call::name).collect();
        assert!(!has_changes && mutating.is_empty(), "a converged document causes no changes: {mutating:?}");

        placeholders.live = live(&runner, &path);
        let out_of_band = |placeholders: &mut Placeholders, calls: &[Calls]| {
            placeholders.call(&runner.test_env.out_of_band, calls).unwrap_or_else(|error| panic!("{error:#}"));
        };
        for (field, calls) in &table.out_of_band {
            out_of_band(&mut placeholders, calls);
            let expected = (BTreeSet::from([format!("{example} {field}")]), BTreeSet::new());
            assert_eq!(differences(&runner, &path), expected, "drift after `{field}` was changed out of band");
            if converge(&runner, &path, &format!("`{field}` was changed out of band")) {
                placeholders.live = live(&runner, &path);
            }
        }
        assert_empty_plan(&runner, &path, "all out-of-band changes");

        if !table.delete.is_empty() {
            out_of_band(&mut placeholders, &table.delete);
            let mut expected = BTreeSet::from([format!("{example} -")]);
            expected.extend(table.also_deleted.clone());
            assert_eq!(differences(&runner, &path).0, expected, "drift after it was deleted out of band");
            converge(&runner, &path, "it was deleted out of band");
            assert_empty_plan(&runner, &path, "it was deleted out of band");
            assert_inventory(&runner, &before, &table, "it was deleted out of band");
        }
        let run = runner.run("destroy", &path, &["--confirm", "kinds/test", "--delete-data"]);
        assert_eq!(run.code, 0, "destroy: {run}");
        assert_eq!(live(&runner, &path), BTreeMap::new(), "destroy deletes all resources");
        // The last backup of a database outlives it, unless the document skips the final snapshot.
        let left = created(&runner, &before).lines().into_iter().filter(|line| !line.starts_with("database snapshot"));
        assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new(), "destroy deletes all resources");
    }

    /// Edits each field, and reverts the edit together with the next field's edit. If the table does not change the
    /// next field out of band, the revert is a step of its own, so that the edit alone must cause an update.
    fn edits(self) {
        let TestCase { runner, table, example, before, .. } = &self;
        let mut last = None;
        for (field, value) in &table.edits {
            if last.is_some() && !table.out_of_band.contains_key(field) {
                converge(runner, &self.document(table.resources.clone()), "the edit was reverted");
                last = None;
            }
            let mut edited = table.resources.clone();
            edited[example][field] = value.clone();
            let path = self.document(edited);
            let (drift, mut edits) = differences(runner, &path);
            if let Some(last) = last.replace(field) {
                // A field that the document does not state is not reverted.
                edits.remove(&format!("{example} {last}"));
            }
            let expected = (BTreeSet::new(), BTreeSet::from([format!("{example} {field}")]));
            assert_eq!((drift, edits), expected, "an edit of `{field}` is reported as the only edit, and not as drift");
            converge(runner, &path, &format!("an edit of `{field}`"));
            assert_empty_plan(runner, &path, &format!("an edit of `{field}`"));
        }
        let path = self.document(table.resources.clone());
        converge(runner, &path, EDITS);
        assert_empty_plan(runner, &path, EDITS);
        assert_inventory(runner, before, table, EDITS);
        self.leaves();
    }

    /// Gives the example another explicit name, and lets everything leave the document. No second resource is created
    /// beside the one with the earlier name, and a granted run deletes all of them.
    fn leaves(&self) {
        let TestCase { runner, table, example, before, .. } = self;
        let mut renamed = table.resources.clone();
        if renamed[example].get("name").is_some() && !IDENTIFIED_OTHERWISE.contains(&table::kind_of(example)) {
            renamed[example]["name"] = other_name(&renamed[example]["name"]).into();
            let path = self.document(renamed);
            let plan = runner.run("plan", &path, &["-o", "json"]).json().expect("JSON");
            let of_example = |list: &str| {
                let list = plan[list].as_array().into_iter().flatten();
                list.filter(|entry| entry["address"] == **example).collect::<Vec<_>>()
            };
            let (steps, holds) = (of_example("steps"), of_example("holds"));
            assert!(steps.iter().all(|step| step["action"] != "create"), "a second resource is created: {plan:#}");
            assert!(!steps.is_empty() || !holds.is_empty(), "the plan reports the earlier name: {plan:#}");
        }

        let path = self.document(Map::from_iter([("Topic/left".to_owned(), Map::new().into())]));
        let prune = ["--once", "--prune", "--delete-data"];
        let run = runner.run("reconcile", &path, &prune);
        assert_eq!(run.code, 0, "prune: {run}");
        let left = created(runner, before).lines().into_iter().filter(|line| !line.starts_with("database snapshot"));
        let left: Vec<String> = left.filter(|line| !line.contains("kinds-test-left")).collect();
        assert_eq!(left, Vec::<String>::new(), "everything that left the document is deleted");
    }
}

/// The kinds that another `name` does not replace. A child with another name is another child, and the fields of a
/// record set identify it. The list response for schedules has neither tags nor the description with the owner.
const IDENTIFIED_OTHERWISE: [&str; 6] =
    ["Alias", "BackupSelection", "MetricFilter", "RecordSet", "ScalingPolicy", "Schedule"];

/// Gives the example of a kind an explicit name, unless the table states one.
fn name_example(table: &mut KindTable, kind: &str) {
    let example = &mut table.resources[&format!("{kind}/example")];
    let prefix = match kind {
        "Alias" => "alias/",
        "Parameter" => "/",
        _ => "",
    };
    if example.get("name").is_none() {
        example["name"] = format!("{prefix}own-{}", kind.to_lowercase()).into();
    }
}

/// Returns a name that differs from this one, and keeps its prefix and its suffix.
fn other_name(name: &Value) -> String {
    let name = name.as_str().unwrap_or_default();
    match name.rsplit_once('/') {
        Some((prefix, name)) => format!("{prefix}/other-{name}"),
        None => format!("other-{name}"),
    }
}

/// Adds null for each field of a record that may be null and is not stated, also below the stated records.
fn add_nulls(schema: &Value, root: &Value, stated: &mut Value) {
    let options = schema["anyOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
    let resolved = options.iter().map(|option| match option["$ref"].as_str() {
        Some(path) => root.pointer(path.trim_start_matches('#')).cloned().unwrap_or_default(),
        None => option.clone(),
    });
    for schema in resolved.collect::<Vec<_>>() {
        match stated {
            Value::Object(map) => {
                for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                    let is_null = |option: &Value| option["type"] == "null";
                    let nullable = field["anyOf"].as_array().is_some_and(|options| options.iter().any(is_null));
                    match map.get_mut(name) {
                        Some(value) => add_nulls(field, root, value),
                        None if nullable => drop(map.insert(name.clone(), Value::Null)),
                        None => {}
                    }
                }
                let each = &schema["additionalProperties"];
                if each.is_object() {
                    map.values_mut().for_each(|value| add_nulls(each, root, value));
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| add_nulls(&schema["items"], root, value)),
            _ => {}
        }
    }
}

/// States null for each field that the table leaves out: AWS's default, and therefore no difference. The resource is
/// created with these nulls, too.
fn nulls(name: &str) {
    let case = TestCase::set_up(name, false).unwrap_or_else(|error| panic!("{error:#}"));
    let run = case.runner.test_env.holdfast().run(["schema"]).expect("a run").expect(0);
    let root = run.json().expect("JSON");
    let mut resources = case.table.resources.clone();
    let schema = &root["$defs"][format!("fields.{}", table::kind(name))];
    assert!(schema.is_object(), "the schema of {name}");
    let stated = resources[&case.example].clone();
    add_nulls(schema, &root, &mut resources[&case.example]);
    // Only the fields of the kind, and not those of every resource.
    for common in ["name", "tags", "lifecycle", "dependsOn", "forEach", "when", "region", "id"] {
        if let (None, Some(fields)) = (stated.get(common), resources[&case.example].as_object_mut()) {
            fields.remove(common);
        }
    }
    let path = case.document(resources);
    converge(&case.runner, &path, "all other fields are null");
    assert_empty_plan(&case.runner, &path, "all other fields are null");
}

/// A test of a table: its name and its function.
type Part = (&'static str, fn(TestCase));

/// The tests of a table. They run concurrently, each in a test environment of its own.
const PARTS: [Part; 2] = [("drift", TestCase::drift), ("edits", TestCase::edits)];

fn check(name: &str, (part, run): Part) {
    // A variant keeps its generated name: two of its generations can then exist at once.
    let explicit_name = part == "edits" && !name.contains('.');
    let mut case = TestCase::set_up(name, explicit_name).unwrap_or_else(|error| panic!("{error:#}"));
    let path = case.document(case.table.resources.clone());
    converge(&case.runner, &path, "no change");
    assert_inventory(&case.runner, &case.before, &case.table, "the first pass");
    if !case.table.after_create.is_empty() {
        case.placeholders.live = live(&case.runner, &path);
        let result = case.placeholders.call(&case.runner.test_env.out_of_band, &case.table.after_create);
        result.unwrap_or_else(|error| panic!("{error:#}"));
        converge(&case.runner, &path, "the calls of `afterCreate`");
    }
    case.runner.test_env.proxy.clear();
    run(case);
}

/// Returns the name of a table in snake case: `LogGroup.key` becomes `log_group_key`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(if c == '.' { '_' } else { c.to_ascii_lowercase() });
    }
    snake
}

fn main() {
    let arguments = Arguments::from_args();
    let tables = table::names().expect("tables").into_iter();
    let parts = |name: String| PARTS.map(|part| (name.clone(), part));
    let mut trials: Vec<Trial> = tables
        .flat_map(parts)
        .map(|(name, part)| trial(&format!("{}::{}", snake(&name), part.0), move || check(&name, part)))
        .collect();
    let names = table::names().expect("tables").into_iter();
    trials.extend(names.map(|name| trial(&format!("{}::nulls", snake(&name)), move || nulls(&name))));
    trials.push(trial("every_kind_and_every_mutable_field_is_covered", coverage));
    trials.push(trial("the_inventory_counts_every_kind", inventory_of_every_kind));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// The kinds of the binary are the kinds that `tests/sandbox/inventory.py` counts. Each table's tests check that the
/// count of its kind is right.
fn inventory_of_every_kind() {
    let test_env = TestEnv::start().expect("a test environment");
    let explained = test_env.holdfast().run(["explain", "-o", "json"]).expect("a run").expect(0).json().expect("JSON");
    let kinds = explained.as_array().expect("kinds").iter().filter_map(|kind| kind["kind"].as_str());
    let inventory = test_env.sandbox.inventory().expect("an inventory");
    assert_eq!(inventory.kinds(), kinds.collect::<BTreeSet<_>>());
}

fn coverage() {
    let test_env = TestEnv::start().expect("a test environment");
    let run = |words: &[&str]| test_env.holdfast().run(words).expect("a run").expect(0).json().expect("JSON");
    let coverage = Coverage::of(&run(&["explain", "-o", "json"]), &run(&["schema"])).expect("tables");
    assert_eq!(coverage.uncovered, Vec::<String>::new(), "neither changed out of band nor in `notInSandbox`");
    assert_eq!(coverage.redundant, Vec::<String>::new(), "in `notInSandbox`, but covered or not a mutable field");
    let (uncovered, fields) = (coverage.excused.len(), coverage.fields);
    assert!(uncovered * 100 < fields * MAX_UNCOVERED_PERCENT, "{uncovered} of {fields} fields are not covered");
}
