//! The given and the generated secret values of every system: they reach AWS, and no output and no file contains them.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_tests::systems::{self, System};
use holdfast_tests::{Holdfast, Run, TestEnv, canary, http};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// The most verbose log levels.
const LOG_FILTER: &str =
    "trace,aws_smithy_runtime=trace,aws_smithy_runtime_api=trace,aws_config=trace,hyper=trace,hyper_util=trace";

/// The outputs of all runs, by run.
type Outputs = BTreeMap<String, String>;

fn verbose(system: &System, test_env: &TestEnv) -> Holdfast {
    // All files that a run writes are in the temporary folder.
    let folder = test_env.folder.path().to_string_lossy().into_owned();
    let variables = ["HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"];
    let holdfast = variables.iter().fold(system.holdfast(test_env), |holdfast, name| holdfast.set(name, &folder));
    holdfast.set("HOLDFAST_LOG", LOG_FILTER).set("RUST_LOG", LOG_FILTER).set("RUST_BACKTRACE", "full")
}

fn run(system: &System, test_env: &TestEnv, outputs: &mut Outputs, command: &str, more: &[&str]) -> Run {
    let path = system.path();
    let arguments = [&[command, &path, "-e", &system.env], more].concat();
    let run = verbose(system, test_env).run(arguments).expect("a run");
    outputs.insert(format!("{} {command} {}", outputs.len(), more.join(" ")), run.to_string());
    run
}

/// Runs all commands on a system, and checks that no output and no file has a secret value.
fn check(mut system: System) {
    for (name, value) in &mut system.entry.variables {
        *value = format!("canary-{}-7c1f3a9e52b8", name.to_ascii_lowercase().replace('_', "-"));
    }
    let test_env = system.test_env().expect("a test environment");
    let mut outputs = Outputs::new();
    // The rendered documents must have no secret value.
    run(&system, &test_env, &mut outputs, "render", &["-o", "json"]).expect(0);
    for output in ["mermaid", "svg"] {
        run(&system, &test_env, &mut outputs, "graph", &["-o", output]).expect(0);
    }
    plans(&system, &test_env, &mut outputs);

    for secrets in [true, false] {
        canary::reject_with_echo(&test_env, secrets);
        run(&system, &test_env, &mut outputs, "reconcile", &["--once"]);
        test_env.proxy.clear_rules();
    }
    run(&system, &test_env, &mut outputs, "reconcile", &["--once", "-o", "json"]).expect(0);
    plans(&system, &test_env, &mut outputs);

    let regions = test_env.sandbox.inventory().expect("an inventory").regions();
    let mut values = canary::secret_values(&test_env, &regions, &system.text().expect("documents")).expect("values");
    values.extend(system.entry.variables.clone());

    // Other values: the changes of secrets are planned, reported as drift, and applied.
    for (name, value) in &mut system.entry.variables {
        *value = format!("another-{value}");
        values.insert(format!("another {name}"), value.clone());
    }
    plans(&system, &test_env, &mut outputs);
    run(&system, &test_env, &mut outputs, "drift", &["-o", "json"]);
    run(&system, &test_env, &mut outputs, "reconcile", &["--once", "-o", "json"]).expect(0);
    values.extend(canary::secret_values(&test_env, &regions, &system.text().expect("documents")).expect("values"));
    for output in ["text", "json", "yaml"] {
        run(&system, &test_env, &mut outputs, "get", &["-o", output]);
    }
    pages(&system, &test_env, &mut outputs);
    let name = system.name();
    run(&system, &test_env, &mut outputs, "destroy", &["--confirm", &name, "--delete-data"]);

    let mut leaks = vec![];
    for (what, text) in &outputs {
        leaks.extend(canary::find_in_text(what, text, &values));
    }
    leaks.extend(canary::find_in_files(test_env.folder.path(), &[], &values).expect("files"));
    let names: Vec<&String> = values.keys().collect();
    assert_eq!(leaks, Vec::<String>::new(), "{name}: of {names:?}");
    println!("{name}: {} secret values, {} outputs: {names:?}", values.len(), outputs.len());
    // The search finds a leak: a text with one of the values.
    let leak = values.first_key_value().map(|(_, value)| format!("x{value}x"));
    assert!(leak.is_none_or(|text| !canary::find_in_text("leak", &text, &values).is_empty()));
    for variable in system.entry.variables.keys() {
        assert!(values.contains_key(variable), "the value of {variable} was not searched for");
    }
}

/// Adds the plan in all formats to the outputs.
fn plans(system: &System, test_env: &TestEnv, outputs: &mut Outputs) {
    for output in ["text", "json", "yaml", "markdown"] {
        run(system, test_env, outputs, "plan", &["-o", output]);
    }
}

/// Adds a daemon's pages and log to the outputs.
fn pages(system: &System, test_env: &TestEnv, outputs: &mut Outputs) {
    let address = format!("127.0.0.1:{}", holdfast_tests::free_port().expect("a port"));
    let path = system.path();
    let arguments = ["reconcile", &path, "-e", &system.env, "--interval", "1s", "--listen", &address];
    let daemon = verbose(system, test_env).spawn(arguments).expect("a start");
    http::wait(&format!("http://{address}/readyz"), Duration::from_secs(120)).expect("ready");
    for page in ["", "metrics", "healthz", "readyz"] {
        outputs.insert(format!("page {page}"), http::get(&format!("http://{address}/{page}")).expect("a page"));
    }
    outputs.insert("daemon".into(), daemon.stop(Duration::from_secs(60)).expect("a stop").to_string());
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
            assert_eq!(canary::find_in_text("t", text, &values), ["t: v"]);
        }
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit();
}
