//! A system made from nothing, with AWS's delays to scale, takes little longer than AWS's own dependencies take.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_tests::{Effect, Match, Rule, sandbox, systems};
use serde::Deserialize;
use serde_json::Value;

/// tests/critical_path.yaml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
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
    /// How many times the critical path it may take.
    most: f64,
    steps: BTreeMap<String, Step>,
}

/// Something that is done, once what it comes after is ready, or at least has been made.
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

fn table() -> Table {
    let text = std::fs::read_to_string(sandbox::root().expect("a checkout").join("tests/critical_path.yaml"));
    serde_saphyr::from_str(&text.expect("a table")).expect("tests/critical_path.yaml")
}

impl Table {
    /// When a step has been made, and when it is ready, with the steps on the way.
    fn end(&self, steps: &BTreeMap<String, Step>, name: &str) -> (f64, f64, Vec<String>) {
        let step = steps.get(name).unwrap_or_else(|| panic!("there is no step {name}"));
        let mut last = (0.0, vec![]);
        let ways = step.after.iter().map(|n| (n, true)).chain(step.after_start.iter().map(|n| (n, false)));
        for (before, ready) in ways {
            let (made, whole, way) = self.end(steps, before);
            let at = if ready { whole } else { made };
            if at >= last.0 {
                last = (at, way);
            }
        }
        let made = last.0 + f64::from(step.calls) * self.call;
        let waited = step.ready.as_ref().map_or(0.0, |ready| self.times[ready].seconds * self.scale + self.call);
        last.1.push(name.to_owned());
        (made, made + waited, last.1)
    }

    fn critical(&self, steps: &BTreeMap<String, Step>) -> (f64, Vec<String>) {
        let ends = steps.keys().map(|name| self.end(steps, name)).map(|(_, ready, way)| (ready, way));
        ends.max_by(|a, b| a.0.total_cmp(&b.0)).expect("a step")
    }
}

/// One is made at a time: two would wait for each other's processor.
static ALONE: Mutex<()> = Mutex::new(());

fn check(name: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let table = table();
    let system = systems::all().expect("systems").into_iter().find(|system| system.name() == name);
    let Some(system) = system else { panic!("there is no {name}") };
    let Steps { most, steps } = &table.systems[name];
    let (critical, way) = table.critical(steps);

    let stage = system.stage().expect("a stage");
    let scaled = table.times.iter().map(|(knob, time)| (knob.clone(), (time.seconds * table.scale).into()));
    let pending: Value = Value::Object(scaled.collect());
    stage.sandbox.settings(&serde_json::json!({ "pending": pending })).expect("knobs");
    // The emulator loads each of its services at the first call to it, for which AWS has no time.
    system.holdfast(&stage).run(["plan", &system.path(), "-e", &system.env]).expect("plan").expect(2);
    stage.proxy.add_rule(Rule::new(Match::all(), Effect::Delay(Duration::from_secs_f64(table.call))));
    stage.proxy.clear();
    let holdfast = system.holdfast(&stage).set("HOLDFAST_TIME_SCALE", &table.scale.to_string());
    let began = Instant::now();
    let run = holdfast.within(Duration::from_secs(600)).run(["reconcile", &system.path(), "-e", &system.env, "--once"]);
    let took = began.elapsed().as_secs_f64();
    let run = run.expect("reconcile").expect(0);
    let calls = stage.proxy.calls();
    let (polls, mutating) = (systems::polls(&calls), calls.iter().filter(|call| call.mutating).count());
    let ratio = took / critical;
    println!(
        "{name}: {took:.1} s; the critical path is {critical:.1} s ({}); {ratio:.2} times it; {mutating} changes, {} reads, {polls} polls",
        way.join(", "),
        calls.len() - mutating - polls,
    );
    assert!(ratio <= *most, "{took:.1} s is {ratio:.2} times {critical:.1} s\n{}\n{run}", stage.proxy.log());
}

#[test]
fn mashroom_is_made_about_as_quickly_as_aws_can() {
    check("mashroom/prod");
}

#[test]
fn social_flow_is_made_about_as_quickly_as_aws_can() {
    check("social-flow/prod");
}

#[test]
fn every_time_has_a_source() {
    let table = table();
    for (knob, time) in &table.times {
        assert!(!time.source.is_empty() && time.seconds > 0.0, "{knob}");
    }
    for (system, steps) in &table.systems {
        let (seconds, way) = table.critical(&steps.steps);
        assert!(seconds > 0.0 && way.len() > 2, "{system}: {way:?}");
    }
}
