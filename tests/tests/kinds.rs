//! Every kind against the sandbox, by the table in tests/kinds: converge, break each field from outside, see
//! exactly that, mend it, edit it, delete it, destroy it. Each table is a test, found by its file.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_tests::{Stage, table};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// The live resources, by address.
fn live(stage: &Stage, path: &str) -> BTreeMap<String, Value> {
    let run = stage.run("get", path, "test", &["-o", "json"]).expect("get").expect(0);
    let list: Vec<Value> = serde_json::from_str(&run.stdout).expect("JSON");
    list.into_iter().map(|o| (o["address"].as_str().unwrap_or_default().to_owned(), o)).collect()
}

/// What `drift` names: addresses with their top-level fields, or `-` for one that is missing.
fn drift(stage: &Stage, path: &str, code: i32) -> BTreeSet<String> {
    let run = stage.run("drift", path, "test", &["-o", "json"]).expect("drift").expect(code);
    let json = run.json().expect("JSON");
    named(&json["drift"])
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

fn converge(stage: &Stage, path: &str, after: &str) {
    let run = stage.run("reconcile", path, "test", &["--once", "-o", "json"]).expect("reconcile");
    assert_eq!(run.code, 0, "reconcile after {after}: {run}");
    let plan = stage.run("plan", path, "test", &["-o", "json"]).expect("plan");
    assert_eq!(plan.code, 0, "the plan after {after} is not empty: {plan}");
}

fn check(name: &str) {
    let mut table = table::read(name).unwrap_or_else(|error| panic!("{error:#}"));
    let stage = Stage::take().expect("a stage");
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
    converge(&stage, &path, "nothing");

    stage.proxy.clear();
    stage.run("reconcile", &path, "test", &["--once"]).expect("reconcile").expect(0);
    let mutating: Vec<String> = stage.proxy.mutating().iter().map(holdfast_tests::Call::name).collect();
    assert_eq!(mutating, Vec::<String>::new(), "a converged document is not touched");

    for (field, calls) in &table.outside {
        call(calls, live(&stage, &path));
        let wanted = BTreeSet::from([format!("{example} {field}")]);
        assert_eq!(drift(&stage, &path, 2), wanted, "drift after `{field}` was changed from outside");
        converge(&stage, &path, &format!("`{field}` was changed from outside"));
    }

    for (field, value) in &table.edits {
        let mut resources = table.resources.clone();
        resources[&example][field] = value.clone();
        let path = stage.stack("kinds", &Value::Object(resources)).expect("a stack");
        assert_eq!(drift(&stage, &path, 0), BTreeSet::new(), "an edit of `{field}` is no drift");
        let run = stage.run("drift", &path, "test", &["-o", "json"]).expect("drift").expect(0);
        let edits = named(&run.json().expect("JSON")["edits"]);
        assert_eq!(edits, BTreeSet::from([format!("{example} {field}")]), "the edit of `{field}` is told");
        converge(&stage, &path, &format!("an edit of `{field}`"));
        let path = stage.stack("kinds", &Value::Object(table.resources.clone())).expect("a stack");
        converge(&stage, &path, &format!("`{field}` was edited back"));
    }

    if !table.delete.is_empty() {
        call(&table.delete, live(&stage, &path));
        let mut wanted = BTreeSet::from([format!("{example} -")]);
        wanted.extend(table.also_deleted.iter().cloned());
        assert_eq!(drift(&stage, &path, 2), wanted, "drift after it was deleted from outside");
        converge(&stage, &path, "it was deleted from outside");
    }

    let run = stage.run("destroy", &path, "test", &["--confirm", "kinds/test", "--delete-data"]).expect("destroy");
    assert_eq!(run.code, 0, "destroy: {run}");
    assert_eq!(live(&stage, &path), BTreeMap::new(), "nothing is left");
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
    let schema = stage.holdfast().run(["explain", "-o", "json"]).expect("explain").expect(0).json().expect("JSON");
    let mut uncovered = vec![];
    for kind in schema.as_array().expect("a list of kinds") {
        let name = kind["kind"].as_str().expect("a name");
        if kind["lookupOnly"] == true {
            continue;
        }
        let tables = table::of(name).expect("tables");
        if tables.is_empty() {
            uncovered.push(name.to_owned());
        }
        for field in kind["mutable"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let told = |t: &table::Table| t.outside.contains_key(field) || t.not_in_sandbox.contains_key(field);
            if !tables.iter().any(told) {
                uncovered.push(format!("{name}.{field}"));
            }
        }
    }
    assert_eq!(uncovered, Vec::<String>::new());
}
