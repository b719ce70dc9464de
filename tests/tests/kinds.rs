//! Every kind against the sandbox, by the table in tests/kinds: converge, break each field from outside, see
//! exactly that, mend it, delete it, destroy it; edit each field. Each table is two tests, found by its file.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_tests::coverage::{Coverage, MOST_UNCOVERED};
use holdfast_tests::table::{Calls, Known, Table};
use holdfast_tests::{Holdfast, Run, Stage, table};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Map, Value};

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

/// Converges, which ends with a look that finds nothing to do. True when something was made anew.
fn converge(bench: &Bench, path: &str, after: &str) -> bool {
    let run = bench.run("reconcile", path, &["--once", "-o", "json"]);
    assert_eq!(run.code, 0, "reconcile after {after}: {run}");
    let json = run.json().expect("JSON");
    json["results"].as_array().into_iter().flatten().any(|result| result["action"] != "update")
}

/// The plan of a process that knows nothing of what was done.
fn plan_is_empty(bench: &Bench, path: &str, after: &str) {
    let plan = bench.run("plan", path, &["-o", "json"]);
    assert_eq!(plan.code, 0, "the plan after {after} is not empty: {plan}");
}

/// A table on its stage, as it is declared.
struct Play {
    bench: Bench,
    table: Table,
    /// The address of what is changed.
    example: String,
    known: Known,
}

impl Play {
    /// What is there before is there, and the placeholders of the document are filled.
    fn set_up(name: &str) -> anyhow::Result<Play> {
        let mut table = table::read(name)?;
        let bench = Bench { stage: Stage::take()?, variables: table.variables.clone() };
        let example = format!("{}/example", table::kind(name));
        let mut known = Known { example: example.clone(), ..Known::default() };
        known.call(&bench.stage.outside, &table.before)?;
        let before = Known { answers: known.answers.clone(), ..Known::default() };
        for value in table.resources.values_mut().chain(table.edits.values_mut()) {
            *value = before.fill(value)?;
        }
        Ok(Play { bench, table, example, known })
    }

    fn document(&self, resources: Map<String, Value>) -> String {
        self.bench.stage.stack("kinds", &Value::Object(resources)).expect("a stack")
    }

    /// Each field is changed from outside, and the whole is deleted. That the document was converged before is what
    /// the exact differences prove.
    fn drift(self) {
        let path = self.document(self.table.resources.clone());
        let Play { bench, table, example, mut known } = self;
        let again = converge(&bench, &path, "nothing");
        let mutating: Vec<String> = bench.stage.proxy.mutating().iter().map(holdfast_tests::Call::name).collect();
        assert!(!again && mutating.is_empty(), "a converged document is not touched: {mutating:?}");

        known.live = live(&bench, &path);
        let outside = |known: &mut Known, calls: &[Calls]| {
            known.call(&bench.stage.outside, calls).unwrap_or_else(|error| panic!("{error:#}"));
        };
        for (field, calls) in &table.outside {
            outside(&mut known, calls);
            let wanted = (BTreeSet::from([format!("{example} {field}")]), BTreeSet::new());
            assert_eq!(differences(&bench, &path), wanted, "drift after `{field}` was changed from outside");
            if converge(&bench, &path, &format!("`{field}` was changed from outside")) {
                known.live = live(&bench, &path);
            }
        }
        plan_is_empty(&bench, &path, "all of that");

        if !table.delete.is_empty() {
            outside(&mut known, &table.delete);
            let mut wanted = BTreeSet::from([format!("{example} -")]);
            wanted.extend(table.also_deleted);
            assert_eq!(differences(&bench, &path).0, wanted, "drift after it was deleted from outside");
            converge(&bench, &path, "it was deleted from outside");
            plan_is_empty(&bench, &path, "it was deleted from outside");
        }
        let run = bench.run("destroy", &path, &["--confirm", "kinds/test", "--delete-data"]);
        assert_eq!(run.code, 0, "destroy: {run}");
        assert_eq!(live(&bench, &path), BTreeMap::new(), "nothing is left");
    }

    /// Each field is edited, and edited back together with the next one's edit; alone where nothing else shows that
    /// a change of it alone is enough for an update.
    fn edits(self) {
        let Play { bench, table, example, .. } = &self;
        let mut last = None;
        for (field, value) in &table.edits {
            if last.is_some() && !table.outside.contains_key(field) {
                converge(bench, &self.document(table.resources.clone()), "it was edited back");
                last = None;
            }
            let mut edited = table.resources.clone();
            edited[example][field] = value.clone();
            let path = self.document(edited);
            let (drift, mut edits) = differences(bench, &path);
            if let Some(last) = last.replace(field) {
                // What the document does not state at all is nobody's to take back.
                edits.remove(&format!("{example} {last}"));
            }
            let wanted = (BTreeSet::new(), BTreeSet::from([format!("{example} {field}")]));
            assert_eq!((drift, edits), wanted, "an edit of `{field}` is told, and is no drift, and is all there is");
            converge(bench, &path, &format!("an edit of `{field}`"));
            plan_is_empty(bench, &path, &format!("an edit of `{field}`"));
        }
        let path = self.document(table.resources.clone());
        converge(bench, &path, "all was edited back");
        plan_is_empty(bench, &path, "all was edited back");
    }
}

/// A part of a table that is a test of its own: its name, and what it does.
type Lane = (&'static str, fn(Play));

/// The tests of one table run side by side, each on a stage of its own.
const LANES: [Lane; 2] = [("drift", Play::drift), ("edits", Play::edits)];

fn check(name: &str, lane: fn(Play)) {
    let mut play = Play::set_up(name).unwrap_or_else(|error| panic!("{error:#}"));
    let path = play.document(play.table.resources.clone());
    converge(&play.bench, &path, "nothing");
    if !play.table.made.is_empty() {
        play.known.live = live(&play.bench, &path);
        let made = play.known.call(&play.bench.stage.outside, &play.table.made);
        made.unwrap_or_else(|error| panic!("{error:#}"));
        converge(&play.bench, &path, "what happens once it is made");
    }
    play.bench.stage.proxy.clear();
    lane(play);
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
    let lanes = |name: String| LANES.map(|(lane, play)| (name.clone(), lane, play));
    let mut trials: Vec<Trial> = tables
        .flat_map(lanes)
        .map(|(name, lane, play)| trial(&format!("{}::{lane}", snake(&name)), move || check(&name, play)))
        .collect();
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
