//! Every system in every environment: from an empty account to converged, silent, and gone again; what that
//! costs; and from each size to the next. Each environment is a test, found by its file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use holdfast_tests::systems::{self, Figures, Size, System};
use holdfast_tests::{Call, Stage};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

/// What was measured, a row for each environment.
static MEASURED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// What the changes of size came to.
static SIZES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn note(table: &Mutex<BTreeMap<String, String>>, name: &str, row: String) {
    table.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), row);
}

fn converge(system: &System, stage: &Stage, path: &str, more: &[&str]) -> Value {
    let run = system.run(stage, path, "reconcile", &[&["--once", "-o", "json"], more].concat()).expect("reconcile");
    assert_eq!(run.code, 0, "{}: {run}\n{}", system.name(), stage.proxy.table());
    run.json().expect("JSON")
}

fn assert_empty_plan(system: &System, stage: &Stage, path: &str) {
    let plan = system.run(stage, path, "plan", &["-o", "json"]).expect("plan");
    assert_eq!(plan.code, 0, "the next plan of {} is not empty: {plan}", system.name());
    assert_eq!(plan.json().expect("JSON")["steps"], json!([]));
}

fn live(system: &System, stage: &Stage, path: &str) -> Vec<Value> {
    let run = system.run(stage, path, "get", &["-o", "json"]).expect("get").expect(0);
    serde_json::from_str(&run.stdout).expect("JSON")
}

fn assert_silent(system: &System, stage: &Stage, path: &str) {
    stage.proxy.clear();
    converge(system, stage, path, &[]);
    let mutating: Vec<String> = stage.proxy.mutating().iter().map(Call::name).collect();
    assert_eq!(mutating, Vec::<String>::new(), "{}: a second reconcile changes nothing", system.name());
}

fn environment(system: &System) {
    let stage = system.stage().expect("a stage");
    let (path, name) = (system.path(), system.name());
    let began = Instant::now();
    let converged = converge(system, &stage, &path, &[]);
    let seconds = began.elapsed().as_secs_f64();
    let calls = stage.proxy.calls();
    let (mutating, polls) = (calls.iter().filter(|c| c.mutating).count(), systems::polls(&calls));
    let reads = calls.len() - mutating - polls;

    stage.proxy.clear();
    assert_empty_plan(system, &stage, &path);
    let (sweep, sweep_table) = (stage.proxy.count(), stage.proxy.table());
    assert_silent(system, &stage, &path);
    let resources = live(system, &stage, &path).len();
    let regions = systems::regions(system, &stage).expect("regions");
    let figures = Figures { resources, sweep, mutating, reads };
    let row = format!(
        "| {name} | {} | {sweep} | {mutating} | {reads} | {polls} | {} | {seconds:.1} s |",
        figures.resources, converged["plans"]
    );
    note(&MEASURED, &name, row);

    let confirm = ["--confirm", &name, "--delete-data"];
    let run = system.run(&stage, &path, "destroy", &confirm).expect("destroy");
    assert_eq!(run.code, 0, "destroy {name}: {run}");
    let stays = |of: &String| system.entry.stays.keys().any(|kind| of.contains(kind.as_str()));
    let left = systems::owned(&stage, &system.system, &system.env, &regions).expect("a count");
    let left: Vec<String> = left.into_iter().filter(|of| !stays(of)).collect();
    assert_eq!(left, Vec::<String>::new(), "{name}: destroy leaves nothing of ours");
    // What is only looked up is nobody's to destroy.
    let sweep_left: Vec<Value> = live(system, &stage, &path)
        .into_iter()
        .filter(|o| o["tags"]["holdfast:stack"] == *system.system)
        .map(|o| o["address"].clone())
        .collect();
    assert_eq!(sweep_left, Vec::<Value>::new(), "{name}: destroy leaves nothing");

    let measured = system.entry.measured.expect("tests/systems.yaml has no `measured` of this environment");
    for (what, now, then, promised) in compare(figures, measured, system.entry.promised.unwrap_or_default()) {
        // Steps and looks go on side by side: how many looks a create takes depends a little on how quick calls are.
        let most = then + then / if what == "reads" { 4 } else { 20 };
        assert!(now <= most, "{name}: {now} {what}, {then} when last measured\n{sweep_table}\n{}", log(&calls));
        assert!(promised == 0 || now <= promised, "{name}: {now} {what}, {promised} promised\n{sweep_table}");
    }
}

fn compare(now: Figures, then: Figures, promised: Figures) -> [(&'static str, usize, usize, usize); 3] {
    [
        ("calls a sweep", now.sweep, then.sweep, promised.sweep),
        ("mutating calls", now.mutating, then.mutating, promised.mutating),
        ("reads", now.reads, then.reads, promised.reads),
    ]
}

/// How often each operation was called.
fn log(calls: &[Call]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls {
        *counts.entry(format!("{}{}", if call.mutating { "! " } else { "  " }, call.name())).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{count:>4} {name}\n")).collect()
}

/// From the environment to the other size: in place where AWS can, and where it cannot only once that is granted.
fn size(system: &System, other: &System, size: &Size) {
    let stage = system.stage().expect("a stage");
    other.plant(&stage).expect("what the other environment needs");
    let path = system.copy(&stage).expect("a copy");
    converge(system, &stage, &path, &[]);
    system.becomes(&path, &size.to, &size.keeps).expect("the other environment");
    // The values of secrets are the other environment's too.
    let mut grown = system.clone();
    grown.entry.variables.extend(other.entry.variables.clone());

    let about = format!("{} to {}", size.from, size.to);
    let run = grown.run(&stage, &path, "reconcile", &["--once", "-o", "json"]).expect("reconcile");
    let waits = waits(&grown, &stage, &path, &about);
    let changed = run.json().expect("JSON");
    assert_eq!(run.code, if waits.reasons.keys().any(|r| blocks(r)) { 2 } else { 0 }, "{about}: {run}");
    assert_eq!(waits.replaces, size.replaces, "{about}: what waits to be replaced\n{run}");
    for action in ["replace", "delete"] {
        assert_eq!(did(&changed, action), BTreeSet::new(), "{about}: nothing goes without a grant\n{run}");
    }

    let granted = ["--prune", "--delete-data", "--allow-replace"];
    let replaced = converge(&grown, &stage, &path, &granted);
    let replaced = did(&replaced, "replace");
    let named = |one: &String| one.split(' ').next().map(str::to_owned);
    let expected: BTreeSet<String> = size.replaces.iter().filter_map(named).collect();
    assert!(replaced.is_superset(&expected), "{about}: {replaced:?} once granted, and not {expected:?}");
    assert!(!expected.is_empty() || replaced.is_empty(), "{about}: {replaced:?} could not wait for a grant");
    let plan = grown.run(&stage, &path, "plan", &[&granted[..], &["-o", "json"]].concat()).expect("plan");
    assert_eq!(plan.code, 0, "{about}: the next plan is not empty: {plan}");
    let (steps, reasons) = (changed["results"].as_array().map_or(0, Vec::len), waits.reasons);
    let row = format!("| {} | {} | {steps} | {} | {reasons:?} |", size.from, size.to, replaced.len());
    note(&SIZES, &format!("{about}{:?}", size.replaces), row);
}

/// A database whose name inside changes, which AWS cannot: grant by grant, from the writer to its replica in another
/// region to the data of both.
fn replaced_database(system: &System) {
    const WRITER: &str = "DbInstance/database.main";
    const REPLICA: &str = "DbInstance/standby-database.replica";
    let stage = system.stage().expect("a stage");
    let path = system.copy(&stage).expect("a copy");
    converge(system, &stage, &path, &[]);
    let databases = || ["us-east-1", "us-west-2"].map(|region| databases(&stage, region));
    let before = databases();
    system.patch(&path, WRITER, json!({ "dbName": "shop" })).expect("a patch");

    let run = system.run(&stage, &path, "reconcile", &["--once", "-o", "json"]).expect("reconcile").expect(2);
    assert_eq!(run.json().expect("JSON")["results"], json!([]), "nothing is done without a grant");
    let held = |replaces: &str, reasons: &[(&str, usize)]| {
        let waits = waits(system, &stage, &path, "a replaced database");
        assert_eq!(waits.replaces.into_iter().collect::<String>(), replaces);
        assert_eq!(waits.reasons.iter().map(|(r, n)| (r.as_str(), *n)).collect::<Vec<_>>(), reasons);
    };
    held(&format!("{WRITER} dbName"), &[("ReplaceNotGranted", 1)]);
    assert_eq!(databases(), before);

    // What a grant would lead to is told before it is given: what refers to it follows, and its replica may have to.
    let plan = system.run(&stage, &path, "plan", &["--allow-replace", WRITER, "-o", "json"]).expect("plan").expect(2);
    let plan = plan.json().expect("JSON");
    let steps = plan["steps"].as_array().into_iter().flatten();
    let steps: Vec<_> = steps.map(|s| format!("{} {}", s["action"], s["address"]).replace('"', "")).collect();
    let follow = ["update TaskDefinition/web.app", "update Service/web.app", "update Alarm/database.cpu"];
    assert!([&[&*format!("replace {WRITER}")], &follow[..]].concat().iter().all(|s| steps.contains(&(*s).to_owned())));
    assert_eq!((&plan["holds"][0]["address"], &plan["holds"][0]["reason"]), (&json!(REPLICA), &json!("WaitsFor")));

    let grant = |to: &str, code| {
        let once = ["--once", "-o", "json", "--allow-replace", to];
        let run = system.run(&stage, &path, "reconcile", &once).expect("reconcile").expect(code);
        assert_eq!(did(&run.json().expect("JSON"), "replace"), BTreeSet::from([to.to_owned()]));
    };
    grant(WRITER, 2);
    let source = format!("{REPLICA} replication.sourceDbInstance");
    held(&source, &[("ReplaceNotGranted", 1), ("Retained", 1)]);
    grant(REPLICA, 0);
    held("", &[("Retained", 2)]);
    assert_eq!(databases().map(|there| there.len()), [2, 2], "what has the data stays");

    let gone = converge(system, &stage, &path, &["--delete-data"]);
    assert_eq!(did(&gone, "delete"), BTreeSet::from([WRITER.to_owned(), REPLICA.to_owned()]));
    assert_empty_plan(system, &stage, &path);
    let [writer, replica] = databases();
    assert_eq!((writer.len(), replica.len(), &*writer[0][1]), (1, 1, "shop"));
    assert!(replica[0][2].ends_with(&writer[0][0]), "{replica:?} is of {writer:?}");
}

/// The databases of a region: name, name inside, source, and what tells one of that name from the next.
fn databases(stage: &Stage, region: &str) -> Vec<[String; 4]> {
    let answer = stage.outside.call_in(region, "rds", "describe_db_instances", json!({})).expect("databases");
    let text = |of: &Value, field: &str| of[field].as_str().unwrap_or_default().to_owned();
    let fields = ["DBInstanceIdentifier", "DBName", "ReadReplicaSourceDBInstanceIdentifier", "DbiResourceId"];
    answer["DBInstances"].as_array().into_iter().flatten().map(|of| fields.map(|field| text(of, field))).collect()
}

/// What a plan holds: by reason, how much of it; and what waits to be replaced, with the fields that force it.
struct Waits {
    reasons: BTreeMap<String, usize>,
    replaces: BTreeSet<String>,
}

/// What waits in a plan that has no steps.
fn waits(system: &System, stage: &Stage, path: &str, about: &str) -> Waits {
    let plan = system.run(stage, path, "plan", &["-o", "json"]).expect("plan");
    let json = plan.json().expect("JSON");
    assert_eq!(json["steps"], json!([]), "{about}: {plan}");
    let mut waits = Waits { reasons: BTreeMap::new(), replaces: BTreeSet::new() };
    for hold in json["holds"].as_array().into_iter().flatten() {
        let text = |name: &str| hold[name].as_str().unwrap_or_default();
        *waits.reasons.entry(text("reason").to_owned()).or_default() += 1;
        match text("reason") {
            "ReplaceNotGranted" => {
                let fields = text("message").split('`').nth(1).unwrap_or_default();
                waits.replaces.insert(format!("{} {fields}", text("address")));
            }
            "PruneNotGranted" | "WaitsFor" | "Scheduled" | "Retained" => (),
            _ => panic!("{about}: {plan}"),
        }
    }
    let held = waits.reasons.keys().any(|reason| blocks(reason));
    assert_eq!(plan.code, if held { 2 } else { 0 }, "{about}: {plan}");
    waits
}

/// Whether what is held for this reason keeps a document from being converged.
fn blocks(reason: &str) -> bool {
    !matches!(reason, "Scheduled" | "Retained")
}

/// To whom a pass did this.
fn did(report: &Value, action: &str) -> BTreeSet<String> {
    let results = report["results"].as_array().into_iter().flatten();
    let such = results.filter(|r| r["action"] == action && r["outcome"] == "done");
    such.filter_map(|r| r["address"].as_str().map(str::to_owned)).collect()
}

fn main() {
    let arguments = Arguments::from_args();
    let all = systems::all().expect("systems");
    let table = systems::table().expect("a table");
    let mut trials = vec![];
    for system in all.clone() {
        let name = system.name().replace(['/', '-'], "_");
        trials.push(trial(&name, move || environment(&system)));
    }
    for change in table.sizes.clone() {
        let (stack, _) = change.from.split_once('/').expect("system/environment");
        let find = |name: &str| all.iter().find(|s| s.name() == name).cloned();
        let whole = if change.replaces.is_empty() { "" } else { "_and_elsewhere" };
        let name = format!("size_of_{}_to_{}{whole}", change.from, change.to).replace(['/', '-'], "_");
        let (Some(from), Some(to)) = (find(&change.from), find(&format!("{stack}/{}", change.to))) else {
            trials.push(trial(&name, move || panic!("{change:?}: there is no such environment")));
            continue;
        };
        trials.push(trial(&name, move || size(&from, &to, &change)));
    }
    let next = all.iter().find(|system| system.name() == "mashroom/next").cloned();
    trials.push(trial("a_replaced_database", move || replaced_database(&next.expect("mashroom/next"))));
    trials.push(trial("the_table_names_what_there_is", move || {
        let there: BTreeSet<String> = all.iter().map(System::name).collect();
        let told: BTreeSet<String> = table.environments.into_keys().collect();
        assert_eq!(told, there, "tests/systems.yaml");
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    print(
        &MEASURED,
        "| environment | resources | calls a sweep | to create: changes | reads | polls | plans | wall clock |",
    );
    print(&SIZES, "| from | to | steps in place | replaced once granted | held before |");
    conclusion.exit();
}

fn print(table: &Mutex<BTreeMap<String, String>>, head: &str) {
    let table = table.lock().unwrap_or_else(PoisonError::into_inner);
    if !table.is_empty() {
        println!("{head}\n{}|", "|---".repeat(head.matches('|').count() - 1));
        for row in table.values() {
            println!("{row}");
        }
        println!();
    }
}

fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
