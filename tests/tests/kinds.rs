//! Every kind against the sandbox, by the table in tests/kinds: converge, break each field from outside, see
//! exactly that, mend it, edit it, delete it, destroy it. Each table is a test, found by its file.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_tests::coverage::{Coverage, MOST_UNCOVERED};
use holdfast_tests::{Holdfast, Run, Stage, table};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// A stage, and the environment variables that the table's secret values come from.
struct Bench {
    stage: Stage,
    variables: BTreeMap<String, String>,
}

impl Bench {
    fn run(&self, command: &str, path: &str, more: &[&str]) -> Run {
        let set = |holdfast: Holdfast, (name, value): (&String, &String)| holdfast.set(name, value);
        let holdfast = self.variables.iter().fold(self.stage.holdfast(), set);
        holdfast.run([&[command, path, "-e", "test"], more].concat()).expect(command)
    }
}

/// The live resources, by address.
fn live(bench: &Bench, path: &str) -> BTreeMap<String, Value> {
    let run = bench.run("get", path, &["-o", "json"]).expect(0);
    let list: Vec<Value> = serde_json::from_str(&run.stdout).expect("JSON");
    list.into_iter().map(|o| (o["address"].as_str().unwrap_or_default().to_owned(), o)).collect()
}

/// What `drift` names as drift and as edits: addresses with their top-level fields, or `-` for one that is missing.
fn differences(bench: &Bench, path: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let run = bench.run("drift", path, &["-o", "json"]);
    let json = run.json().expect("JSON");
    let (drift, edits) = (named(&json["drift"]), named(&json["edits"]));
    assert_eq!(run.code, if drift.is_empty() { 0 } else { 2 }, "{run}");
    (drift, edits)
}

fn named(differences: &Value) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for difference in differences.as_array().into_iter().flatten() {
        let address = difference["address"].as_str().unwrap_or_default();
        let changes = difference["changes"].as_array().cloned().unwrap_or_default();
        if changes.is_empty() {
            named.insert(format!("{address} -"));
        }
        for change in changes {
            let field = change["path"].as_str().unwrap_or_default().split('.').next().unwrap_or_default().to_owned();
            named.insert(format!("{address} {field}"));
        }
    }
    named
}

fn converge(bench: &Bench, path: &str, after: &str) {
    let run = bench.run("reconcile", path, &["--once", "-o", "json"]);
    assert_eq!(run.code, 0, "reconcile after {after}: {run}");
    let plan = bench.run("plan", path, &["-o", "json"]);
    assert_eq!(plan.code, 0, "the plan after {after} is not empty: {plan}");
}

fn check(name: &str) {
    let mut table = table::read(name).unwrap_or_else(|error| panic!("{error:#}"));
    let bench = Bench { stage: Stage::take().expect("a stage"), variables: table.variables.clone() };
    let stage = &bench.stage;
    let example = format!("{}/example", table::kind(name));
    let mut known = table::Known { example: example.clone(), ..table::Known::default() };
    let mut call = |calls: &[table::Calls], live: BTreeMap<String, Value>| {
        known.live = live;
        known.call(&stage.outside, calls).unwrap_or_else(|error| panic!("{error:#}"));
        known.answers.clone()
    };
    let answers = call(&table.before, BTreeMap::new());
    let before = table::Known { answers, ..table::Known::default() };
    for value in table.resources.values_mut().chain(table.edits.values_mut()) {
        *value = before.fill(value).unwrap_or_else(|error| panic!("{error:#}"));
    }
    let path = stage.stack("kinds", &Value::Object(table.resources.clone())).expect("a stack");
    converge(&bench, &path, "nothing");

    stage.proxy.clear();
    bench.run("reconcile", &path, &["--once"]).expect(0);
    let mutating: Vec<String> = stage.proxy.mutating().iter().map(holdfast_tests::Call::name).collect();
    assert_eq!(mutating, Vec::<String>::new(), "a converged document is not touched");

    for (field, calls) in &table.outside {
        call(calls, live(&bench, &path));
        let wanted = BTreeSet::from([format!("{example} {field}")]);
        assert_eq!(differences(&bench, &path).0, wanted, "drift after `{field}` was changed from outside");
        converge(&bench, &path, &format!("`{field}` was changed from outside"));
    }

    for (field, value) in &table.edits {
        let mut resources = table.resources.clone();
        resources[&example][field] = value.clone();
        let path = stage.stack("kinds", &Value::Object(resources)).expect("a stack");
        let wanted = (BTreeSet::new(), BTreeSet::from([format!("{example} {field}")]));
        assert_eq!(differences(&bench, &path), wanted, "an edit of `{field}` is told, and is no drift");
        converge(&bench, &path, &format!("an edit of `{field}`"));
        let path = stage.stack("kinds", &Value::Object(table.resources.clone())).expect("a stack");
        converge(&bench, &path, &format!("`{field}` was edited back"));
    }

    if !table.delete.is_empty() {
        call(&table.delete, live(&bench, &path));
        let mut wanted = BTreeSet::from([format!("{example} -")]);
        wanted.extend(table.also_deleted.iter().cloned());
        assert_eq!(differences(&bench, &path).0, wanted, "drift after it was deleted from outside");
        converge(&bench, &path, "it was deleted from outside");
    }

    let run = bench.run("destroy", &path, &["--confirm", "kinds/test", "--delete-data"]);
    assert_eq!(run.code, 0, "destroy: {run}");
    assert_eq!(live(&bench, &path), BTreeMap::new(), "nothing is left");
}

/// `LogGroup.key` as a test is called: `log_group_key`.
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
    let mut trials: Vec<Trial> = tables.map(|name| trial(&snake(&name), move || check(&name))).collect();
    trials.push(trial("every_kind_and_every_mutable_field_is_covered", coverage));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

fn coverage() {
    let stage = Stage::take().expect("a stage");
    let ask = |words: &[&str]| stage.holdfast().run(words).expect("a run").expect(0).json().expect("JSON");
    let coverage = Coverage::of(&ask(&["explain", "-o", "json"]), &ask(&["schema"])).expect("tables");
    assert_eq!(coverage.untold, Vec::<String>::new(), "neither changed from outside nor told why not");
    assert_eq!(coverage.needless, Vec::<String>::new(), "told why not, and covered or no such field");
    let (uncovered, fields) = (coverage.uncovered.len(), coverage.fields);
    assert!(uncovered * 100 < fields * MOST_UNCOVERED, "{uncovered} of {fields} fields are not covered");
}
