//! The secret values of every system, given and generated: they reach AWS, and nothing that is said or written.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_tests::systems::{self, System};
use holdfast_tests::{Holdfast, Run, Stage, canary, http};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

const LOUD: &str =
    "trace,aws_smithy_runtime=trace,aws_smithy_runtime_api=trace,aws_config=trace,hyper=trace,hyper_util=trace";

/// What was said so far, by what said it.
type Said = BTreeMap<String, String>;

fn loud(system: &System, stage: &Stage) -> Holdfast {
    // Whatever is written, is written to the stage's folder.
    let folder = stage.folder.path().to_string_lossy().into_owned();
    let places = ["HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"];
    let holdfast = places.iter().fold(system.holdfast(stage), |holdfast, name| holdfast.set(name, &folder));
    holdfast.set("HOLDFAST_LOG", LOUD).set("RUST_LOG", LOUD).set("RUST_BACKTRACE", "full")
}

fn run(system: &System, stage: &Stage, said: &mut Said, command: &str, more: &[&str]) -> Run {
    let path = system.path();
    let arguments = [&[command, &path, "-e", &system.env], more].concat();
    let run = loud(system, stage).run(arguments).expect("a run");
    said.insert(format!("{} {command} {}", said.len(), more.join(" ")), run.to_string());
    run
}

fn check(mut system: System) {
    for (name, value) in &mut system.entry.variables {
        *value = format!("canary-{}-7c1f3a9e52b8", name.to_ascii_lowercase().replace('_', "-"));
    }
    let stage = system.stage().expect("a stage");
    let mut said = Said::new();
    // The documents in force, which a secret value can have nothing in common with.
    run(&system, &stage, &mut said, "render", &["-o", "json"]).expect(0);
    for output in ["mermaid", "svg"] {
        run(&system, &stage, &mut said, "graph", &["-o", output]).expect(0);
    }
    plans(&system, &stage, &mut said);

    canary::refuse_with_an_echo(&stage);
    run(&system, &stage, &mut said, "reconcile", &["--once"]);
    stage.proxy.clear_rules();
    run(&system, &stage, &mut said, "reconcile", &["--once", "-o", "json"]).expect(0);
    plans(&system, &stage, &mut said);

    let regions: Vec<String> = systems::regions(&system, &stage).expect("regions");
    let mut values = canary::live(&stage, &regions, &system.text().expect("documents")).expect("values");
    values.extend(system.entry.variables.clone());

    // Other values: differences of secrets are planned, told as drift, and applied.
    for (name, value) in &mut system.entry.variables {
        *value = format!("another-{value}");
        values.insert(format!("another {name}"), value.clone());
    }
    plans(&system, &stage, &mut said);
    run(&system, &stage, &mut said, "drift", &["-o", "json"]);
    run(&system, &stage, &mut said, "reconcile", &["--once", "-o", "json"]).expect(0);
    values.extend(canary::live(&stage, &regions, &system.text().expect("documents")).expect("values"));
    for output in ["text", "json", "yaml"] {
        run(&system, &stage, &mut said, "get", &["-o", output]);
    }
    pages(&system, &stage, &mut said);
    let name = system.name();
    run(&system, &stage, &mut said, "destroy", &["--confirm", &name, "--delete-data"]);

    let mut leaks = vec![];
    for (what, text) in &said {
        leaks.extend(canary::in_text(what, text, &values));
    }
    leaks.extend(canary::in_files(stage.folder.path(), &[], &values).expect("files"));
    let names: Vec<&String> = values.keys().collect();
    assert_eq!(leaks, Vec::<String>::new(), "{name}: of {names:?}");
    println!("{name}: {} secret values, {} outputs: {names:?}", values.len(), said.len());
    // A value is looked for only when there is one: the test would find what it plants.
    let planted = values.first_key_value().map(|(_, value)| format!("x{value}x"));
    assert!(planted.is_none_or(|text| !canary::in_text("planted", &text, &values).is_empty()));
    for variable in system.entry.variables.keys() {
        assert!(values.contains_key(variable), "{variable} was looked for");
    }
}

fn plans(system: &System, stage: &Stage, said: &mut Said) {
    for output in ["text", "json", "yaml", "markdown"] {
        run(system, stage, said, "plan", &["-o", output]);
    }
}

/// A daemon's pages and log.
fn pages(system: &System, stage: &Stage, said: &mut Said) {
    let address = format!("127.0.0.1:{}", holdfast_tests::free_port().expect("a port"));
    let path = system.path();
    let arguments = ["reconcile", &path, "-e", &system.env, "--interval", "1s", "--listen", &address];
    let daemon = loud(system, stage).spawn(arguments).expect("a start");
    http::wait(&format!("http://{address}/readyz"), Duration::from_secs(120)).expect("ready");
    for page in ["", "metrics", "healthz", "readyz"] {
        said.insert(format!("page {page}"), http::get(&format!("http://{address}/{page}")).expect("a page"));
    }
    said.insert("daemon".into(), daemon.stop(Duration::from_secs(60)).expect("a stop").to_string());
}

fn main() {
    let arguments = Arguments::from_args();
    let trial = |system: System| {
        let name = system.name().replace(['/', '-'], "_");
        Trial::test(name, move || {
            check(system);
            Ok(())
        })
    };
    let mut trials: Vec<Trial> = systems::all().expect("systems").into_iter().map(trial).collect();
    trials.push(Trial::test("a_value_is_found_in_every_form", || {
        let values = BTreeMap::from([("v".to_owned(), "a\"b c\\d/e?".to_owned())]);
        for text in ["x a\"b c\\d/e? y", &Value::from("a\"b c\\d/e?").to_string(), "q=a%22b%20c%5Cd%2Fe%3F&z"] {
            assert_eq!(canary::in_text("t", text, &values), ["t: v"]);
        }
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit();
}
