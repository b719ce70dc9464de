//! Every system in every environment: converging from an empty account, a second pass without changes, and `destroy`,
//! with the number of calls; and the changes from one size to the next. Each environment is a test, found by its file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use holdfast_tests::systems::{self, Figures, SizeChange, System};
use holdfast_tests::{Call, TestEnv, inventory};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

/// The measurements: one row per environment.
static MEASURED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The results of the changes of size.
static SIZES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn note(table: &Mutex<BTreeMap<String, String>>, name: &str, row: String) {
    table.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), row);
}

fn converge(system: &System, test_env: &TestEnv, path: &str, more: &[&str]) -> Value {
    let run = system.run(test_env, path, "reconcile", &[&["--once", "-o", "json"], more].concat()).expect("reconcile");
    assert_eq!(run.code, 0, "{}: {run}\n{}", system.name(), test_env.proxy.table());
    run.json().expect("JSON")
}

fn assert_empty_plan(system: &System, test_env: &TestEnv, path: &str) {
    let plan = system.run(test_env, path, "plan", &["-o", "json"]).expect("plan");
    assert_eq!(plan.code, 0, "the next plan of {} is not empty: {plan}", system.name());
    assert_eq!(plan.json().expect("JSON")["steps"], json!([]));
}

fn live(system: &System, test_env: &TestEnv, path: &str) -> Vec<Value> {
    let run = system.run(test_env, path, "get", &["-o", "json"]).expect("get").expect(0);
    serde_json::from_str(&run.stdout).expect("JSON")
}

/// Returns the numbers of resources by kind that a pass creates. A resource that is live before is a lookup.
fn declared(system: &System, test_env: &TestEnv, path: &str) -> BTreeMap<String, usize> {
    let lookups: Vec<Value> = live(system, test_env, path).into_iter().map(|o| o["address"].clone()).collect();
    let run = system.run(test_env, path, "render", &["-o", "json"]).expect("render").expect(0);
    let rendered = run.json().expect("JSON");
    let addresses = rendered["resources"].as_object().expect("resources").keys();
    inventory::counts(addresses.map(String::as_str).filter(|address| !lookups.iter().any(|lookup| lookup == address)))
}

/// Checks that a second pass makes no mutating call.
fn assert_no_changes(system: &System, test_env: &TestEnv, path: &str) {
    test_env.proxy.clear();
    converge(system, test_env, path, &[]);
    let mutating: Vec<String> = test_env.proxy.mutating().iter().map(Call::name).collect();
    assert_eq!(mutating, Vec::<String>::new(), "{}: a second reconcile changes nothing", system.name());
}

/// Converges an environment from an empty account, measures its calls, and destroys it.
fn environment(system: &System) {
    let test_env = system.test_env().expect("a test environment");
    let (path, name) = (system.path(), system.name());
    let before = test_env.sandbox.inventory().expect("an inventory");
    let declared = declared(system, &test_env, &path);
    test_env.proxy.clear();
    let began = Instant::now();
    let converged = converge(system, &test_env, &path, &[]);
    let seconds = began.elapsed().as_secs_f64();
    let calls = test_env.proxy.calls();
    let (mutating, polls) = (calls.iter().filter(|c| c.mutating).count(), systems::polls(&calls));
    let reads = calls.len() - mutating - polls;

    test_env.proxy.clear();
    assert_empty_plan(system, &test_env, &path);
    let (refresh, refresh_table) = (test_env.proxy.count(), test_env.proxy.table());
    assert_no_changes(system, &test_env, &path);
    let created = test_env.sandbox.inventory().expect("an inventory").since(&before);
    assert_eq!(created.counts(), declared, "{name}: the account has the declared resources, each once: {created:?}");
    let resources = live(system, &test_env, &path).len();
    let figures = Figures { resources, refresh, mutating, reads };
    let row = format!(
        "| {name} | {} | {refresh} | {mutating} | {reads} | {polls} | {} | {seconds:.1} s |",
        figures.resources, converged["plans"]
    );
    note(&MEASURED, &name, row);

    let confirm = ["--confirm", &name, "--delete-data"];
    let run = system.run(&test_env, &path, "destroy", &confirm).expect("destroy");
    assert_eq!(run.code, 0, "destroy {name}: {run}");
    let left = test_env.sandbox.inventory().expect("an inventory").since(&before).lines();
    let is_retained = |line: &String| system.entry.retained.keys().any(|part| line.contains(part.as_str()));
    let left: Vec<String> = left.into_iter().filter(|line| !is_retained(line)).collect();
    assert_eq!(left, Vec::<String>::new(), "{name}: destroy deletes all resources");

    let measured = system.entry.measured;
    let measured = measured.unwrap_or_else(|| panic!("tests/systems.yaml has no `measured` of {name}: {figures:?}"));
    for (what, now, then, promised) in compare(figures, measured, system.entry.promised.unwrap_or_default()) {
        // Steps and observations run concurrently, so the number of observations depends on the duration of calls.
        let most = then + then / if what == "reads" { 4 } else { 20 };
        assert!(now <= most, "{name}: {now} {what}, {then} when last measured\n{refresh_table}\n{}", log(&calls));
        let too_many = format!("{name}: {now} {what}, {promised} promised\n{refresh_table}");
        assert!(promised == 0 || now <= promised, "{too_many}\n{}", log(&calls));
    }
}

/// Returns the name of each count with its value now, its last measurement and its promise.
fn compare(now: Figures, then: Figures, promised: Figures) -> [(&'static str, usize, usize, usize); 3] {
    [
        ("calls of a refresh", now.refresh, then.refresh, promised.refresh),
        ("mutating calls", now.mutating, then.mutating, promised.mutating),
        ("reads", now.reads, then.reads, promised.reads),
    ]
}

/// Returns the number of calls of each operation.
fn log(calls: &[Call]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls {
        *counts.entry(format!("{}{}", if call.mutating { "! " } else { "  " }, call.name())).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{count:>4} {name}\n")).collect()
}

/// Changes an environment to the size of another: in place if AWS can, and otherwise by replacement, once it is
/// granted.
fn size(system: &System, other: &System, size: &SizeChange) {
    let test_env = system.test_env().expect("a test environment");
    other.create_prerequisites(&test_env).expect("the prerequisites of the other environment");
    let path = system.copy(&test_env).expect("a copy");
    converge(system, &test_env, &path, &[]);
    system.take_size_of(&path, &size.to, &size.keeps).expect("the other environment");
    // The document also reads the environment variables of the other environment.
    let mut resized = system.clone();
    resized.entry.variables.extend(other.entry.variables.clone());

    let about = format!("{} to {}", size.from, size.to);
    let run = resized.run(&test_env, &path, "reconcile", &["--once", "-o", "json"]).expect("reconcile");
    let held = held(&resized, &test_env, &path, &about);
    let changed = run.json().expect("JSON");
    assert_eq!(run.code, if held.reasons.keys().any(|r| blocks(r)) { 2 } else { 0 }, "{about}: {run}");
    assert_eq!(held.replaces, size.replaces, "{about}: the held replacements\n{run}");
    for action in ["replace", "delete"] {
        assert_eq!(
            done(&changed, action),
            BTreeSet::new(),
            "{about}: no replacement and no deletion without a grant\n{run}"
        );
    }

    let granted = ["--prune", "--delete-data", "--allow-replace"];
    let replaced = converge(&resized, &test_env, &path, &granted);
    let replaced = done(&replaced, "replace");
    let address = |one: &String| one.split(' ').next().map(str::to_owned);
    let expected: BTreeSet<String> = size.replaces.iter().filter_map(address).collect();
    assert!(replaced.is_superset(&expected), "{about}: {replaced:?} replaced with a grant, and not {expected:?}");
    assert!(
        !expected.is_empty() || replaced.is_empty(),
        "{about}: {replaced:?} replaced, although no replacement was held"
    );
    let plan = resized.run(&test_env, &path, "plan", &[&granted[..], &["-o", "json"]].concat()).expect("plan");
    assert_eq!(plan.code, 0, "{about}: the next plan is not empty: {plan}");
    let (steps, reasons) = (changed["results"].as_array().map_or(0, Vec::len), held.reasons);
    let row = format!("| {} | {} | {steps} | {} | {reasons:?} |", size.from, size.to, replaced.len());
    note(&SIZES, &format!("{about}{:?}", size.replaces), row);
}

/// Changes the `dbName` of a database, which AWS cannot do in place. The writer is replaced only together with its replica
/// in another region, which refers to it. The old databases are deleted with a grant of their own.
fn replace_database(system: &System) {
    const WRITER: &str = "DbInstance/database.main";
    const REPLICA: &str = "DbInstance/standby-database.replica";
    let test_env = system.test_env().expect("a test environment");
    let path = system.copy(&test_env).expect("a copy");
    converge(system, &test_env, &path, &[]);
    let databases = || ["us-east-1", "us-west-2"].map(|region| databases(&test_env, region));
    let before = databases();
    system.patch(&path, WRITER, json!({ "dbName": "shop" })).expect("a patch");

    let run = system.run(&test_env, &path, "reconcile", &["--once", "-o", "json"]).expect("reconcile").expect(2);
    assert_eq!(run.json().expect("JSON")["results"], json!([]), "no step without a grant");
    let assert_held = |replaces: &str, reasons: &[(&str, usize)]| {
        let held = held(system, &test_env, &path, "a replaced database");
        assert_eq!(held.replaces.into_iter().collect::<String>(), replaces);
        assert_eq!(held.reasons.iter().map(|(r, n)| (r.as_str(), *n)).collect::<Vec<_>>(), reasons);
    };
    assert_held(&format!("{WRITER} dbName"), &[("ReplaceNotAllowed", 1)]);
    assert_eq!(databases(), before);

    // The grant for the writer alone begins nothing: its replica would be replaced too.
    let once = ["--once", "-o", "json", "--allow-replace", WRITER];
    let run = system.run(&test_env, &path, "reconcile", &once).expect("reconcile").expect(2);
    assert_eq!(run.json().expect("JSON")["results"], json!([]), "no step without all grants");
    assert_eq!(databases(), before);

    // The plan with both grants shows their consequences: dependents are updated, and the replica follows the writer.
    let grants = ["--allow-replace", WRITER, "--allow-replace", REPLICA];
    let plan = system.run(&test_env, &path, "plan", &[&grants[..], &["-o", "json"]].concat()).expect("plan").expect(2);
    let plan = plan.json().expect("JSON");
    let steps = plan["steps"].as_array().into_iter().flatten();
    let steps: Vec<_> = steps.map(|s| format!("{} {}", s["action"], s["address"]).replace('"', "")).collect();
    let dependents = ["update TaskDefinition/web.app", "update Service/web.app", "update Alarm/database.cpu"];
    let replaced = [&*format!("replace {WRITER}"), &*format!("replace {REPLICA}")];
    assert!([&replaced[..], &dependents[..]].concat().iter().all(|s| steps.contains(&(*s).to_owned())), "{steps:?}");

    let run = system.run(&test_env, &path, "reconcile", &[&grants[..], &["--once", "-o", "json"]].concat());
    let report = run.expect("reconcile").expect(0).json().expect("JSON");
    assert_eq!(done(&report, "replace"), BTreeSet::from([WRITER.to_owned(), REPLICA.to_owned()]));
    assert_held("", &[("Retained", 2)]);
    assert_eq!(databases().map(|databases| databases.len()), [2, 2], "the databases with the data are retained");

    let report = converge(system, &test_env, &path, &["--delete-data"]);
    assert_eq!(done(&report, "delete"), BTreeSet::from([WRITER.to_owned(), REPLICA.to_owned()]));
    assert_empty_plan(system, &test_env, &path);
    let [writer, replica] = databases();
    assert_eq!((writer.len(), replica.len(), &*writer[0][1]), (1, 1, "shop"));
    assert!(replica[0][2].ends_with(&writer[0][0]), "the source of {replica:?} is not {writer:?}");
}

/// Returns the databases of a region: identifier, `dbName`, source of the replication, and resource id, which differs
/// between databases with the same identifier.
fn databases(test_env: &TestEnv, region: &str) -> Vec<[String; 4]> {
    let response = test_env.out_of_band.call_in(region, "rds", "describe_db_instances", json!({})).expect("databases");
    let text = |of: &Value, field: &str| of[field].as_str().unwrap_or_default().to_owned();
    let fields = ["DBInstanceIdentifier", "DBName", "ReadReplicaSourceDBInstanceIdentifier", "DbiResourceId"];
    response["DBInstances"].as_array().into_iter().flatten().map(|of| fields.map(|field| text(of, field))).collect()
}

/// The holds of a plan: their number by reason, and the held replacements with the fields that cause them.
struct Held {
    reasons: BTreeMap<String, usize>,
    replaces: BTreeSet<String>,
}

/// Returns the holds of a plan, which must have no steps.
fn held(system: &System, test_env: &TestEnv, path: &str, about: &str) -> Held {
    let plan = system.run(test_env, path, "plan", &["-o", "json"]).expect("plan");
    let json = plan.json().expect("JSON");
    assert_eq!(json["steps"], json!([]), "{about}: {plan}");
    let mut held = Held { reasons: BTreeMap::new(), replaces: BTreeSet::new() };
    for hold in json["holds"].as_array().into_iter().flatten() {
        let text = |name: &str| hold[name].as_str().unwrap_or_default();
        *held.reasons.entry(text("reason").to_owned()).or_default() += 1;
        match text("reason") {
            "ReplaceNotAllowed" => {
                let fields = text("message").split('`').nth(1).unwrap_or_default();
                held.replaces.insert(format!("{} {fields}", text("address")));
            }
            "PruneNotAllowed" | "DependencyNotReady" | "PendingMaintenanceWindow" | "Retained" => (),
            _ => panic!("{about}: {plan}"),
        }
    }
    let is_blocked = held.reasons.keys().any(|reason| blocks(reason));
    assert_eq!(plan.code, if is_blocked { 2 } else { 0 }, "{about}: {plan}");
    held
}

/// True when a hold with this reason keeps a document from being converged.
fn blocks(reason: &str) -> bool {
    !matches!(reason, "PendingMaintenanceWindow" | "Retained" | "DriftIgnored")
}

/// Returns the addresses for which this action succeeded in a pass.
fn done(report: &Value, action: &str) -> BTreeSet<String> {
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
        let suffix = if change.replaces.is_empty() { "" } else { "_with_replacements" };
        let name = format!("size_of_{}_to_{}{suffix}", change.from, change.to).replace(['/', '-'], "_");
        let (Some(from), Some(to)) = (find(&change.from), find(&format!("{stack}/{}", change.to))) else {
            trials.push(trial(&name, move || panic!("{change:?}: the environment does not exist")));
            continue;
        };
        trials.push(trial(&name, move || size(&from, &to, &change)));
    }
    let next = all.iter().find(|system| system.name() == "mashroom/next").cloned();
    trials.push(trial("a_replaced_database", move || replace_database(&next.expect("mashroom/next"))));
    trials.push(trial("systems_yaml_has_every_environment", move || {
        let found: BTreeSet<String> = all.iter().map(System::name).collect();
        let listed: BTreeSet<String> = table.environments.into_keys().collect();
        assert_eq!(listed, found, "tests/systems.yaml");
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    print(
        &MEASURED,
        "| environment | resources | calls of a refresh without changes | to create: mutating calls | reads | polls | plans | wall clock |",
    );
    print(&SIZES, "| from | to | steps without a grant | replaced with a grant | held before |");
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
