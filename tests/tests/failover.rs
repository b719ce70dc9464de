//! The Hello-you API's pilot light: fail-over of everything and of the tasks only, with the lost region there and
//! gone, and the way back.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_tests::{Effect, Match, Rule, Run, Stage};
use serde_json::{Value, json};

const PATH: &str = "desired-state/hello-you";
const ENV: &str = "pilot-light";
/// The region that serves at first, and the pilot light.
const A: &str = "us-east-2";
const B: &str = "us-west-2";

fn run(stage: &Stage, command: &str, sets: &[&str], more: &[&str]) -> Run {
    let mut arguments = vec![command, PATH, "-e", ENV];
    for set in sets {
        arguments.extend(["--set", set]);
    }
    arguments.extend(more);
    let holdfast = stage.holdfast().set("GHCR_TOKEN", "of-the-registry").within(Duration::from_secs(300));
    holdfast.run(arguments).expect(command)
}

/// Converges with these parameters and grants.
fn converge(stage: &Stage, sets: &[&str], grants: &[&str]) {
    let run = run(stage, "reconcile", sets, &[&["--once", "-o", "json"], grants].concat());
    assert_eq!(run.code, 0, "{sets:?} {grants:?}: {run}\n{}", stage.proxy.table());
}

fn plan(stage: &Stage, sets: &[&str]) -> Value {
    run(stage, "plan", sets, &["-o", "json"]).json().expect("JSON")
}

/// Nothing is left to do with these parameters.
fn assert_settled(stage: &Stage, sets: &[&str]) {
    let run = run(stage, "plan", sets, &["-o", "json"]);
    assert_eq!((run.code, &run.json().expect("JSON")["steps"]), (0, &json!([])), "{sets:?}: {run}");
}

/// The addresses of a plan's steps, each with those that it comes after.
fn steps(plan: &Value) -> BTreeMap<&str, Vec<&str>> {
    let steps = plan["steps"].as_array().expect("steps").iter();
    steps
        .map(|step| {
            let after = step["after"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
            (step["address"].as_str().expect("an address"), after)
        })
        .collect()
}

/// Whether a step comes after another, directly or not.
fn comes_after(steps: &BTreeMap<&str, Vec<&str>>, later: &str, earlier: &str) -> bool {
    steps[later].iter().any(|step| *step == earlier || comes_after(steps, step, earlier))
}

/// What holds a plan back: reason by address.
fn holds(plan: &Value) -> BTreeMap<&str, &str> {
    let holds = plan["holds"].as_array().expect("holds").iter();
    holds
        .map(|hold| (hold["address"].as_str().expect("an address"), hold["reason"].as_str().expect("a word")))
        .collect()
}

fn outside(stage: &Stage, region: &str, service: &str, operation: &str, parameters: Value) -> Value {
    stage.outside.call_in(region, service, operation, parameters).expect(operation)
}

/// The databases of a region, each with what it is a replica of.
fn databases(stage: &Stage, region: &str) -> BTreeMap<String, Option<String>> {
    let answer = outside(stage, region, "rds", "describe_db_instances", json!({}));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = answer["DBInstances"].as_array().expect("a list").iter();
    list.map(|db| {
        let source = text(&db["ReadReplicaSourceDBInstanceIdentifier"]);
        (text(&db["DBInstanceIdentifier"]).expect("a name"), source)
    })
    .collect()
}

/// How many tasks a region is to run.
fn tasks(stage: &Stage, region: &str) -> i64 {
    let name = if region == A { "hello-you-pilot-light-a" } else { "hello-you-pilot-light-b" };
    let service = json!({ "cluster": format!("{name}-main"), "services": [format!("{name}-web-app")] });
    let answer = outside(stage, region, "ecs", "describe_services", service);
    answer["services"][0]["desiredCount"].as_i64().expect("a count")
}

/// How many rules let somebody reach a region's database: the bastion's, the tasks', another region's tasks'.
fn ways_in(stage: &Stage, region: &str) -> usize {
    let name = if region == A { "hello-you-pilot-light-a-database" } else { "hello-you-pilot-light-b-database" };
    let filter = json!({ "Filters": [{ "Name": "group-name", "Values": [name] }] });
    let groups = outside(stage, region, "ec2", "describe_security_groups", filter);
    let group = json!({ "Filters": [{ "Name": "group-id", "Values": [groups["SecurityGroups"][0]["GroupId"]] }] });
    let rules = outside(stage, region, "ec2", "describe_security_group_rules", group);
    rules["SecurityGroupRules"].as_array().expect("rules").iter().filter(|rule| rule["IsEgress"] == false).count()
}

/// The region that the primary record leads to, and that of the secondary one.
fn records(stage: &Stage) -> (String, String) {
    let zones = outside(stage, A, "route53", "list_hosted_zones", json!({}));
    let zone = json!({ "HostedZoneId": zones["HostedZones"][0]["Id"] });
    let sets = outside(stage, A, "route53", "list_resource_record_sets", zone);
    let region = |failover: &str| {
        let mut sets = sets["ResourceRecordSets"].as_array().expect("a list").iter();
        let name = sets.find(|set| set["Failover"] == failover).expect("a record")["AliasTarget"]["DNSName"].clone();
        let region = [A, B].into_iter().find(|region| name.as_str().unwrap_or_default().contains(region));
        region.expect("a region").to_owned()
    };
    (region("PRIMARY"), region("SECONDARY"))
}

fn led_to(stage: &Stage, primary: &str, secondary: &str) {
    assert_eq!(records(stage), (primary.to_owned(), secondary.to_owned()));
}

#[test]
fn the_tasks_fail_over_and_write_to_the_region_that_lost_them() {
    let stage = Stage::take().expect("a stage");
    converge(&stage, &[], &[]);
    assert_settled(&stage, &[]);
    led_to(&stage, A, B);
    assert_eq!((tasks(&stage, A), tasks(&stage, B)), (2, 1), "a pilot light burns low");
    assert_eq!((ways_in(&stage, A), ways_in(&stage, B)), (3, 2));
    let before = (databases(&stage, A), databases(&stage, B));

    let partial = ["active=b-compute"];
    let planned = plan(&stage, &partial);
    let ordered = steps(&planned);
    assert!(comes_after(&ordered, "RecordSet/primary", "Service/b.web.app"), "{ordered:?}");
    assert!(!ordered.keys().any(|address| address.contains("/a.")), "region a is left alone: {ordered:?}");
    converge(&stage, &partial, &[]);
    assert_settled(&stage, &partial);
    led_to(&stage, B, A);
    assert_eq!((tasks(&stage, A), tasks(&stage, B)), (2, 2));
    assert_eq!(before, (databases(&stage, A), databases(&stage, B)), "the writer stays");

    converge(&stage, &[], &[]);
    led_to(&stage, A, B);
}

#[test]
fn everything_fails_over_in_order_and_returns_without_a_loss() {
    let stage = Stage::take().expect("a stage");
    converge(&stage, &[], &[]);
    let none: Option<String> = None;
    let source =
        |region: &str, name: &str| Some(format!("arn:aws:rds:{region}:123456789012:db:hello-you-pilot-light-{name}"));
    let only = |name: &str, source: Option<String>| BTreeMap::from([(format!("hello-you-pilot-light-{name}"), source)]);
    assert_eq!(databases(&stage, B), only("b-1", source(A, "a-1")));

    // One parameter: promoted, then tasks that know the new writer, then records; and the old writer is fenced.
    let full = ["active=b"];
    let planned = plan(&stage, &full);
    let ordered = steps(&planned);
    for (later, earlier) in [
        ("TaskDefinition/b.web.app", "DbInstance/b.main"),
        ("Service/b.web.app", "TaskDefinition/b.web.app"),
        ("RecordSet/primary", "Service/b.web.app"),
        ("RecordSet/primary", "DbInstance/b.main"),
    ] {
        assert!(comes_after(&ordered, later, earlier), "{later} comes after {earlier}: {ordered:?}");
    }
    for fence in ["SecurityGroup/a.database", "Service/a.web.app", "ScalableTarget/a.web.app"] {
        assert!(ordered.contains_key(fence), "no {fence}: {ordered:?}");
    }
    let waits = ordered.iter().any(|(step, _)| {
        step.contains("/b.") && ordered.keys().any(|a| a.contains("/a.") && comes_after(&ordered, step, a))
    });
    assert!(!waits, "nothing of region b waits for region a: {ordered:?}");
    converge(&stage, &full, &[]);
    assert_settled(&stage, &full);
    led_to(&stage, B, A);
    assert_eq!(databases(&stage, B), only("b-1", none.clone()), "it was promoted in place");
    assert_eq!(databases(&stage, A), only("a-1", none.clone()), "what was written last is still there");
    assert_eq!((tasks(&stage, A), tasks(&stage, B)), (0, 2));
    assert_eq!((ways_in(&stage, A), ways_in(&stage, B)), (1, 2), "only the bastion reaches the old writer");

    // The way back: a new replica in region a, which takes a grant and another name.
    let ungranted = run(&stage, "reconcile", &["active=b", "standby=replica"], &["--once"]);
    assert_eq!(ungranted.code, 2, "{ungranted}");
    let held = plan(&stage, &["active=b", "standby=replica"]);
    assert_eq!(holds(&held), BTreeMap::from([("DbInstance/a.main", "ReplaceNotGranted")]));
    let rebuilt = ["active=b", "standby=replica", "aDatabase=2"];
    converge(&stage, &rebuilt, &["--allow-replace", "DbInstance/a.main"]);
    let old = databases(&stage, A);
    assert_eq!(old.len(), 2, "the old writer stays until somebody lets it go: {old:?}");
    converge(&stage, &rebuilt, &["--delete-data"]);
    assert_settled(&stage, &rebuilt);
    assert_eq!(databases(&stage, A), only("a-2", source(B, "b-1")));
    let snapshots = outside(&stage, A, "rds", "describe_db_snapshots", json!({ "SnapshotType": "manual" }));
    let kept = snapshots["DBSnapshots"][0]["DBSnapshotIdentifier"].as_str().unwrap_or_default();
    assert!(kept.starts_with("hello-you-pilot-light-a-1-final"), "a last snapshot of the old writer: {snapshots}");

    // Nobody writes, so that the replica has everything.
    let paused = [&rebuilt[..], &["paused=true"]].concat();
    converge(&stage, &paused, &[]);
    assert_eq!((tasks(&stage, A), tasks(&stage, B)), (0, 0));
    assert_eq!((ways_in(&stage, A), ways_in(&stage, B)), (1, 1));

    // Without the pause as well, region b is fenced before region a is promoted.
    let switched = ["active=a", "standby=fenced", "aDatabase=2"];
    let planned = plan(&stage, &switched);
    let ordered = steps(&planned);
    for (later, earlier) in [
        ("TaskDefinition/a.web.app", "DbInstance/a.main"),
        ("Service/a.web.app", "TaskDefinition/a.web.app"),
        ("RecordSet/primary", "Service/a.web.app"),
    ] {
        assert!(comes_after(&ordered, later, earlier), "{later} comes after {earlier}: {ordered:?}");
    }
    converge(&stage, &switched, &[]);
    assert_settled(&stage, &switched);
    led_to(&stage, A, B);
    assert_eq!(databases(&stage, A), only("a-2", none));
    assert_eq!((tasks(&stage, A), tasks(&stage, B)), (2, 0));
    assert_eq!((ways_in(&stage, A), ways_in(&stage, B)), (3, 1));

    let restored = ["aDatabase=2", "bDatabase=2"];
    converge(&stage, &restored, &["--allow-replace", "DbInstance/b.main"]);
    converge(&stage, &restored, &["--delete-data"]);
    assert_settled(&stage, &restored);
    assert_eq!(databases(&stage, B), only("b-2", source(A, "a-2")));
    assert_eq!((tasks(&stage, A), tasks(&stage, B)), (2, 1));
}

#[test]
fn a_planned_switch_fences_the_writer_before_it_promotes_the_other() {
    let stage = Stage::take().expect("a stage");
    converge(&stage, &[], &[]);
    converge(&stage, &["active=b"], &[]);
    let rebuilt = ["active=b", "standby=replica", "aDatabase=2"];
    converge(&stage, &rebuilt, &["--allow-replace", "DbInstance/a.main", "--delete-data"]);
    let planned = plan(&stage, &["active=a", "standby=fenced", "aDatabase=2"]);
    let ordered = steps(&planned);
    for fence in ["SecurityGroup/b.database", "Service/b.web.app", "ScalableTarget/b.web.app"] {
        assert!(comes_after(&ordered, "DbInstance/a.main", fence), "promoted after {fence}: {ordered:?}");
    }
}

#[test]
fn a_region_that_is_gone_is_left_behind_and_fenced_when_it_answers() {
    let stage = Stage::take().expect("a stage");
    converge(&stage, &[], &[]);
    let gone = stage.proxy.add_rule(Rule::new(Match::region(A), Effect::fail(503, "ServiceUnavailable")));
    stage.proxy.clear();

    let full = ["active=b"];
    let over = run(&stage, "reconcile", &full, &["--once", "-o", "json"]);
    assert_eq!(over.code, 2, "what region a is owed is left: {over}");
    assert!(stage.proxy.hits(gone) > 0, "region a was asked");
    led_to(&stage, B, B);
    assert_eq!(databases(&stage, B).values().next(), Some(&None), "it was promoted");
    assert_eq!((tasks(&stage, A), tasks(&stage, B)), (2, 2), "region a could not be reached");
    let told = plan(&stage, &full);
    assert_eq!(told["steps"], json!([]), "region b is as it should be: {told}");
    let owed = holds(&told);
    for fence in ["SecurityGroup/a.database", "Service/a.web.app", "ScalableTarget/a.web.app"] {
        assert_eq!(owed.get(fence), Some(&"Unobserved"), "{fence} is owed: {owed:?}");
    }
    let of_b: Vec<_> = owed.keys().filter(|address| address.contains("/b.")).collect();
    assert_eq!(of_b, Vec::<&&str>::new(), "nothing of region b is held");

    stage.proxy.remove_rule(gone);
    let owed = plan(&stage, &full);
    assert!(steps(&owed).contains_key("SecurityGroup/a.database"), "{owed}");
    converge(&stage, &full, &[]);
    assert_settled(&stage, &full);
    led_to(&stage, B, A);
    assert_eq!((tasks(&stage, A), ways_in(&stage, A)), (0, 1), "the old writer is fenced");
}
