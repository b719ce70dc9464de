//! Every kind against the sandbox, by the table in tests/kinds: converge, break each field from outside, see
//! exactly that, mend it, edit it, delete it, destroy it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use holdfast_tests::{Stage, sandbox};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file of tests/kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The resources of the example; the one named `example` is broken.
    resources: Map<String, Value>,
    /// For each mutable field, the calls that somebody makes.
    #[serde(default)]
    outside: BTreeMap<String, Vec<BTreeMap<String, Value>>>,
    /// For each mutable field, another value.
    #[serde(default)]
    edits: Map<String, Value>,
    /// The calls that delete it from outside.
    #[serde(default)]
    delete: Vec<BTreeMap<String, Value>>,
    /// What else goes when it is deleted from outside.
    #[serde(default, rename = "alsoDeleted")]
    also_deleted: BTreeSet<String>,
    /// Fields that the sandbox cannot show, and why.
    #[serde(default, rename = "notInSandbox")]
    not_in_sandbox: BTreeMap<String, String>,
}

fn table(kind: &str) -> Table {
    let path = sandbox::root().expect("a checkout").join(format!("tests/kinds/{kind}.yaml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The live resources, by address.
fn live(stage: &Stage, path: &str) -> BTreeMap<String, Value> {
    let run = stage.run("get", path, "test", &["-o", "json"]).expect("get").expect(0);
    let list: Vec<Value> = serde_json::from_str(&run.stdout).expect("JSON");
    list.into_iter().map(|o| (o["address"].as_str().unwrap_or_default().to_owned(), o)).collect()
}

/// Fills `{id}` and `{Kind/name.attribute}` in.
fn fill(value: &Value, example: &str, live: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => Value::String(fill_text(text, example, live)),
        Value::Array(list) => list.iter().map(|v| fill(v, example, live)).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), fill(v, example, live))).collect()),
        other => other.clone(),
    }
}

fn fill_text(text: &str, example: &str, live: &BTreeMap<String, Value>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}').map(|i| open + i) else { break };
        let inside = &rest[open + 1..close];
        out.push_str(&rest[..open]);
        match attribute(inside, example, live) {
            Some(found) => out.push_str(&found),
            // JSON in a string has braces of its own.
            None => {
                out.push('{');
                rest = &rest[open + 1..];
                continue;
            }
        }
        rest = &rest[close + 1..];
    }
    out + rest
}

fn attribute(name: &str, example: &str, live: &BTreeMap<String, Value>) -> Option<String> {
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if !is_word(name) {
        return None;
    }
    let (address, attribute) = match name.split_once('/') {
        Some(_) => name.rsplit_once('.')?,
        None => (example, name),
    };
    let observed = live.get(address).unwrap_or_else(|| panic!("{address} is not live"));
    let found = [&observed[attribute], &observed["status"][attribute], &observed["spec"][attribute]];
    let found = found.into_iter().find(|v| !v.is_null()).unwrap_or_else(|| panic!("{address} has no {attribute}: {observed}"));
    Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
}

fn call_all(stage: &Stage, calls: &[BTreeMap<String, Value>], example: &str, live: &BTreeMap<String, Value>) {
    for (call, parameters) in calls.iter().flatten() {
        let (service, operation) = call.split_once(' ').unwrap_or_else(|| panic!("`{call}` is no `service operation`"));
        let parameters = fill(parameters, example, live);
        if let Err(error) = stage.outside.call(service, operation, parameters.clone()) {
            panic!("{call} {parameters}: {error:#}");
        }
    }
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

fn check(kind: &str) {
    let table = table(kind);
    let stage = Stage::take().expect("a stage");
    let example = format!("{kind}/example");
    let path = stage.stack("kinds", &Value::Object(table.resources.clone())).expect("a stack");
    converge(&stage, &path, "nothing");

    stage.proxy.clear();
    stage.run("reconcile", &path, "test", &["--once"]).expect("reconcile").expect(0);
    let mutating: Vec<String> = stage.proxy.mutating().iter().map(holdfast_tests::Call::name).collect();
    assert_eq!(mutating, Vec::<String>::new(), "a converged document is not touched");

    for (field, calls) in &table.outside {
        call_all(&stage, calls, &example, &live(&stage, &path));
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
        call_all(&stage, &table.delete, &example, &live(&stage, &path));
        let mut wanted = BTreeSet::from([format!("{example} -")]);
        wanted.extend(table.also_deleted.iter().cloned());
        assert_eq!(drift(&stage, &path, 2), wanted, "drift after it was deleted from outside");
        converge(&stage, &path, "it was deleted from outside");
    }

    let run = stage.run("destroy", &path, "test", &["--confirm", "kinds/test", "--delete-data"]).expect("destroy");
    assert_eq!(run.code, 0, "destroy: {run}");
    assert_eq!(live(&stage, &path), BTreeMap::new(), "nothing is left");
}

macro_rules! kinds {
    ($($test:ident: $kind:literal,)*) => {
        $(#[test]
        fn $test() {
            check($kind);
        })*

        const KINDS: &[&str] = &[$($kind),*];
    };
}

kinds! {
    alarm: "Alarm",
    cluster: "Cluster",
    elastic_ip: "ElasticIp",
    flow_log: "FlowLog",
    internet_gateway: "InternetGateway",
    listener: "Listener",
    load_balancer: "LoadBalancer",
    log_group: "LogGroup",
    nat_gateway: "NatGateway",
    repository: "Repository",
    role: "Role",
    route_table: "RouteTable",
    scalable_target: "ScalableTarget",
    scaling_policy: "ScalingPolicy",
    security_group: "SecurityGroup",
    service: "Service",
    subnet: "Subnet",
    subscription: "Subscription",
    target_group: "TargetGroup",
    task_definition: "TaskDefinition",
    topic: "Topic",
    vpc: "Vpc",
}

#[test]
fn every_kind_and_every_mutable_field_is_covered() {
    let stage = Stage::take().expect("a stage");
    let schema = stage.holdfast().run(["explain", "-o", "json"]).expect("explain").expect(0).json().expect("JSON");
    let mut uncovered = vec![];
    for kind in schema.as_array().expect("a list of kinds") {
        let name = kind["kind"].as_str().expect("a name");
        if kind["lookupOnly"] == true {
            continue;
        }
        if !KINDS.contains(&name) {
            uncovered.push(name.to_owned());
            continue;
        }
        let table = table(name);
        for field in kind["mutable"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let seen = table.outside.contains_key(field) || table.not_in_sandbox.contains_key(field);
            if !seen {
                uncovered.push(format!("{name}.{field}"));
            }
        }
    }
    assert_eq!(uncovered, Vec::<String>::new());
}
