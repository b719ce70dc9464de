//! The time to create a system, with AWS's delays to scale, is close to the critical path of its dependencies in AWS.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_tests::{Effect, Match, Rule, sandbox, systems};
use serde::Deserialize;
use serde_json::Value;

/// The content of tests/critical_path.yaml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    scale: f64,
    call: f64,
    times: BTreeMap<String, Time>,
    systems: BTreeMap<String, Steps>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    seconds: f64,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    /// The maximum duration, in multiples of the critical path.
    most: f64,
    steps: BTreeMap<String, Step>,
}

/// A step, which begins when the steps of `after` are ready and the steps of `afterStart` have been created.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Step {
    calls: u32,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    after_start: Vec<String>,
    ready: Option<String>,
}

fn table() -> Times {
    let text = std::fs::read_to_string(sandbox::root().expect("a checkout").join("tests/critical_path.yaml"));
    serde_saphyr::from_str(&text.expect("a table")).expect("tests/critical_path.yaml")
}

impl Times {
    /// Returns the time at which a step has been created, the time at which it is ready, and the steps of the path to
    /// it.
    fn end(&self, steps: &BTreeMap<String, Step>, name: &str) -> (f64, f64, Vec<String>) {
        let step = steps.get(name).unwrap_or_else(|| panic!("the step {name} does not exist"));
        let mut last = (0.0, vec![]);
        let predecessors = step.after.iter().map(|n| (n, true)).chain(step.after_start.iter().map(|n| (n, false)));
        for (before, ready) in predecessors {
            let (created, is_ready, path) = self.end(steps, before);
            let at = if ready { is_ready } else { created };
            if at >= last.0 {
                last = (at, path);
            }
        }
        let created = last.0 + f64::from(step.calls) * self.call;
        let waited = step.ready.as_ref().map_or(0.0, |ready| self.times[ready].seconds * self.scale + self.call);
        last.1.push(name.to_owned());
        (created, created + waited, last.1)
    }

    /// Returns the duration and the steps of the critical path.
    fn critical_path(&self, steps: &BTreeMap<String, Step>) -> (f64, Vec<String>) {
        let ends = steps.keys().map(|name| self.end(steps, name)).map(|(_, ready, path)| (ready, path));
        ends.max_by(|a, b| a.0.total_cmp(&b.0)).expect("a step")
    }
}

/// The lock for one measurement at a time: two would compete for the processors.
static ALONE: Mutex<()> = Mutex::new(());

fn check(name: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let table = table();
    let system = systems::all().expect("systems").into_iter().find(|system| system.name() == name);
    let Some(system) = system else { panic!("the environment {name} does not exist") };
    let Steps { most, steps } = &table.systems[name];
    let (critical, path) = table.critical_path(steps);

    let test_env = system.test_env().expect("a test environment");
    let scaled = table.times.iter().map(|(knob, time)| (knob.clone(), (time.seconds * table.scale).into()));
    let pending: Value = Value::Object(scaled.collect());
    test_env.sandbox.settings(&serde_json::json!({ "pending": pending })).expect("knobs");
    // The emulator loads each service at its first call. AWS has no such delay, so a plan loads the services before.
    system.holdfast(&test_env).run(["plan", &system.path(), "-e", &system.env]).expect("plan").expect(2);
    test_env.proxy.add_rule(Rule::new(Match::all(), Effect::Delay(Duration::from_secs_f64(table.call))));
    test_env.proxy.clear();
    let holdfast = system.holdfast(&test_env).set("HOLDFAST_TIME_SCALE", &table.scale.to_string());
    let began = Instant::now();
    let run =
        holdfast.timeout(Duration::from_secs(600)).run(["reconcile", &system.path(), "-e", &system.env, "--once"]);
    let took = began.elapsed().as_secs_f64();
    let run = run.expect("reconcile").expect(0);
    let calls = test_env.proxy.calls();
    let (polls, mutating) = (systems::polls(&calls), calls.iter().filter(|call| call.mutating).count());
    let ratio = took / critical;
    println!(
        "{name}: {took:.1} s; the critical path is {critical:.1} s ({}); {ratio:.2} times it; {mutating} mutating calls, {} reads, {polls} polls",
        path.join(", "),
        calls.len() - mutating - polls,
    );
    assert!(ratio <= *most, "{took:.1} s is {ratio:.2} times {critical:.1} s\n{}\n{run}", test_env.proxy.log());
}

#[test]
fn mashroom_is_created_about_as_quickly_as_aws_can() {
    check("mashroom/prod");
}

#[test]
fn social_flow_is_created_about_as_quickly_as_aws_can() {
    check("social-flow/prod");
}

#[test]
fn every_time_has_a_source() {
    let table = table();
    for (knob, time) in &table.times {
        assert!(!time.source.is_empty() && time.seconds > 0.0, "{knob}");
    }
    for (system, steps) in &table.systems {
        let (seconds, path) = table.critical_path(&steps.steps);
        assert!(seconds > 0.0 && path.len() > 2, "{system}: {path:?}");
    }
}
