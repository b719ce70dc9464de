//! The pilot light of the Hello-you API: failover of everything and of the tasks only, with and without a reachable
//! primary region, and failback.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_tests::{Effect, Match, Rule, Run, TestEnv};
use serde_json::{Value, json};

const PATH: &str = "desired-state/hello-you";
const ENV: &str = "pilot-light";
/// The primary region at first.
const A: &str = "us-east-2";
/// The region of the pilot light.
const B: &str = "us-west-2";

fn run(test_env: &TestEnv, command: &str, sets: &[&str], more: &[&str]) -> Run {
    let mut arguments = vec![command, PATH, "-e", ENV];
    for set in sets {
        arguments.extend(["--set", set]);
    }
    arguments.extend(more);
    let holdfast = test_env.holdfast().set("GHCR_TOKEN", "of-the-registry").timeout(Duration::from_secs(300));
    holdfast.run(arguments).expect(command)
}

/// Returns the grants for a new database in a region: RDS names the log group of a database after it.
fn replace(region: &str) -> Vec<&'static str> {
    match region {
        "a" => vec![
            "--allow-replace",
            "DbInstance/a.main",
            "--allow-replace",
            "LogGroup/a.postgresql",
            "--allow-replace",
            "MetricFilter/a.slow-queries",
        ],
        _ => vec![
            "--allow-replace",
            "DbInstance/b.main",
            "--allow-replace",
            "LogGroup/b.postgresql",
            "--allow-replace",
            "MetricFilter/b.slow-queries",
        ],
    }
}

/// Converges with these parameters and grants.
fn converge(test_env: &TestEnv, sets: &[&str], grants: &[&str]) {
    let run = run(test_env, "reconcile", sets, &[&["--once", "-o", "json"], grants].concat());
    assert_eq!(run.code, 0, "{sets:?} {grants:?}: {run}\n{}", test_env.proxy.table());
}

fn plan(test_env: &TestEnv, sets: &[&str]) -> Value {
    run(test_env, "plan", sets, &["-o", "json"]).json().expect("JSON")
}

/// Checks that the plan with these parameters is empty.
fn assert_empty_plan(test_env: &TestEnv, sets: &[&str]) {
    let run = run(test_env, "plan", sets, &["-o", "json"]);
    assert_eq!((run.code, &run.json().expect("JSON")["steps"]), (0, &json!([])), "{sets:?}: {run}");
}

/// Returns the addresses of a plan's steps, each with the addresses of the steps before it.
fn steps(plan: &Value) -> BTreeMap<&str, Vec<&str>> {
    let steps = plan["steps"].as_array().expect("steps").iter();
    steps
        .map(|step| {
            let after = step["after"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
            (step["address"].as_str().expect("an address"), after)
        })
        .collect()
}

/// True when a step comes after another one, directly or not.
fn comes_after(steps: &BTreeMap<&str, Vec<&str>>, later: &str, earlier: &str) -> bool {
    steps[later].iter().any(|step| *step == earlier || comes_after(steps, step, earlier))
}

/// Returns the reasons of a plan's holds, by address.
fn holds(plan: &Value) -> BTreeMap<&str, &str> {
    let holds = plan["holds"].as_array().expect("holds").iter();
    holds
        .map(|hold| (hold["address"].as_str().expect("an address"), hold["reason"].as_str().expect("a reason")))
        .collect()
}

fn out_of_band(test_env: &TestEnv, region: &str, service: &str, operation: &str, parameters: Value) -> Value {
    test_env.out_of_band.call_in(region, service, operation, parameters).expect(operation)
}

/// Returns the databases of a region, each with the source of its replication.
fn databases(test_env: &TestEnv, region: &str) -> BTreeMap<String, Option<String>> {
    let response = out_of_band(test_env, region, "rds", "describe_db_instances", json!({}));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = response["DBInstances"].as_array().expect("a list").iter();
    list.map(|db| {
        let source = text(&db["ReadReplicaSourceDBInstanceIdentifier"]);
        (text(&db["DBInstanceIdentifier"]).expect("a name"), source)
    })
    .collect()
}

/// Returns the desired count of tasks of a region.
fn tasks(test_env: &TestEnv, region: &str) -> i64 {
    let name = if region == A { "hello-you-pilot-light-a" } else { "hello-you-pilot-light-b" };
    let service = json!({ "cluster": format!("{name}-main"), "services": [format!("{name}-web-app")] });
    let response = out_of_band(test_env, region, "ecs", "describe_services", service);
    response["services"][0]["desiredCount"].as_i64().expect("a count")
}

/// Returns the number of ingress rules of a region's database: of the bastion, the tasks, and the other region's tasks.
fn ingress_rules(test_env: &TestEnv, region: &str) -> usize {
    let name = if region == A { "hello-you-pilot-light-a-database" } else { "hello-you-pilot-light-b-database" };
    let filter = json!({ "Filters": [{ "Name": "group-name", "Values": [name] }] });
    let groups = out_of_band(test_env, region, "ec2", "describe_security_groups", filter);
    let group = json!({ "Filters": [{ "Name": "group-id", "Values": [groups["SecurityGroups"][0]["GroupId"]] }] });
    let rules = out_of_band(test_env, region, "ec2", "describe_security_group_rules", group);
    rules["SecurityGroupRules"].as_array().expect("rules").iter().filter(|rule| rule["IsEgress"] == false).count()
}

/// Returns the regions of the primary and the secondary failover record.
fn records(test_env: &TestEnv) -> (String, String) {
    let zones = out_of_band(test_env, A, "route53", "list_hosted_zones", json!({}));
    let zone = json!({ "HostedZoneId": zones["HostedZones"][0]["Id"] });
    let sets = out_of_band(test_env, A, "route53", "list_resource_record_sets", zone);
    let region = |failover: &str| {
        let mut sets = sets["ResourceRecordSets"].as_array().expect("a list").iter();
        let name = sets.find(|set| set["Failover"] == failover).expect("a record")["AliasTarget"]["DNSName"].clone();
        let region = [A, B].into_iter().find(|region| name.as_str().unwrap_or_default().contains(region));
        region.expect("a region").to_owned()
    };
    (region("PRIMARY"), region("SECONDARY"))
}

fn assert_records(test_env: &TestEnv, primary: &str, secondary: &str) {
    assert_eq!(records(test_env), (primary.to_owned(), secondary.to_owned()));
}

#[test]
fn the_tasks_fail_over_and_write_to_the_database_in_the_old_region() {
    let test_env = TestEnv::start().expect("a test environment");
    converge(&test_env, &[], &[]);
    assert_empty_plan(&test_env, &[]);
    assert_records(&test_env, A, B);
    assert_eq!((tasks(&test_env, A), tasks(&test_env, B)), (2, 1), "the pilot light runs fewer tasks");
    assert_eq!((ingress_rules(&test_env, A), ingress_rules(&test_env, B)), (3, 2));
    let before = (databases(&test_env, A), databases(&test_env, B));

    let partial = ["active=b-compute"];
    let planned = plan(&test_env, &partial);
    let ordered = steps(&planned);
    assert!(comes_after(&ordered, "RecordSet/primary", "Service/b.web.app"), "{ordered:?}");
    assert!(!ordered.keys().any(|address| address.contains("/a.")), "no step concerns region a: {ordered:?}");
    converge(&test_env, &partial, &[]);
    assert_empty_plan(&test_env, &partial);
    assert_records(&test_env, B, A);
    assert_eq!((tasks(&test_env, A), tasks(&test_env, B)), (2, 2));
    assert_eq!(before, (databases(&test_env, A), databases(&test_env, B)), "the writer is unchanged");

    converge(&test_env, &[], &[]);
    assert_records(&test_env, A, B);
}

#[test]
fn everything_fails_over_in_order_and_fails_back_without_data_loss() {
    let test_env = TestEnv::start().expect("a test environment");
    converge(&test_env, &[], &[]);
    let none: Option<String> = None;
    let source =
        |region: &str, name: &str| Some(format!("arn:aws:rds:{region}:123456789012:db:hello-you-pilot-light-{name}"));
    let only = |name: &str, source: Option<String>| BTreeMap::from([(format!("hello-you-pilot-light-{name}"), source)]);
    assert_eq!(databases(&test_env, B), only("b-1", source(A, "a-1")));

    // One parameter: the replica is promoted, then the tasks get the new writer, then the records change. The old
    // writer is fenced.
    let full = ["active=b"];
    let planned = plan(&test_env, &full);
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
    let depends_on_a = ordered.iter().any(|(step, _)| {
        step.contains("/b.") && ordered.keys().any(|a| a.contains("/a.") && comes_after(&ordered, step, a))
    });
    assert!(!depends_on_a, "no step of region b waits for region a: {ordered:?}");
    converge(&test_env, &full, &[]);
    assert_empty_plan(&test_env, &full);
    assert_records(&test_env, B, A);
    assert_eq!(databases(&test_env, B), only("b-1", none.clone()), "the replica was promoted in place");
    assert_eq!(databases(&test_env, A), only("a-1", none.clone()), "the last write of the old writer is kept");
    assert_eq!((tasks(&test_env, A), tasks(&test_env, B)), (0, 2));
    assert_eq!(
        (ingress_rules(&test_env, A), ingress_rules(&test_env, B)),
        (1, 2),
        "only the bastion reaches the old writer"
    );

    // The way back: a new replica in region a, which takes a grant and another name.
    let ungranted = run(&test_env, "reconcile", &["active=b", "standby=replica"], &["--once"]);
    assert_eq!(ungranted.code, 2, "{ungranted}");
    let held = plan(&test_env, &["active=b", "standby=replica"]);
    assert_eq!(holds(&held), BTreeMap::from([("DbInstance/a.main", "ReplaceNotAllowed")]));
    let rebuilt = ["active=b", "standby=replica", "aDatabase=2"];
    converge(&test_env, &rebuilt, &replace("a"));
    let old = databases(&test_env, A);
    assert_eq!(old.len(), 2, "the old writer is retained until its deletion is granted: {old:?}");
    converge(&test_env, &rebuilt, &["--delete-data"]);
    assert_empty_plan(&test_env, &rebuilt);
    assert_eq!(databases(&test_env, A), only("a-2", source(B, "b-1")));
    let snapshots = out_of_band(&test_env, A, "rds", "describe_db_snapshots", json!({ "SnapshotType": "manual" }));
    let snapshot = snapshots["DBSnapshots"][0]["DBSnapshotIdentifier"].as_str().unwrap_or_default();
    assert!(snapshot.starts_with("hello-you-pilot-light-a-1-final"), "a final snapshot of the old writer: {snapshots}");

    // No task writes, so that the replica catches up.
    let paused = [&rebuilt[..], &["paused=true"]].concat();
    converge(&test_env, &paused, &[]);
    assert_eq!((tasks(&test_env, A), tasks(&test_env, B)), (0, 0));
    assert_eq!((ingress_rules(&test_env, A), ingress_rules(&test_env, B)), (1, 1));

    // Without the pause as well, region b is fenced before region a is promoted.
    let switched = ["active=a", "standby=fenced", "aDatabase=2"];
    let planned = plan(&test_env, &switched);
    let ordered = steps(&planned);
    for (later, earlier) in [
        ("TaskDefinition/a.web.app", "DbInstance/a.main"),
        ("Service/a.web.app", "TaskDefinition/a.web.app"),
        ("RecordSet/primary", "Service/a.web.app"),
    ] {
        assert!(comes_after(&ordered, later, earlier), "{later} comes after {earlier}: {ordered:?}");
    }
    converge(&test_env, &switched, &[]);
    assert_empty_plan(&test_env, &switched);
    assert_records(&test_env, A, B);
    assert_eq!(databases(&test_env, A), only("a-2", none));
    assert_eq!((tasks(&test_env, A), tasks(&test_env, B)), (2, 0));
    assert_eq!((ingress_rules(&test_env, A), ingress_rules(&test_env, B)), (3, 1));

    let restored = ["aDatabase=2", "bDatabase=2"];
    converge(&test_env, &restored, &replace("b"));
    converge(&test_env, &restored, &["--delete-data"]);
    assert_empty_plan(&test_env, &restored);
    assert_eq!(databases(&test_env, B), only("b-2", source(A, "a-2")));
    assert_eq!((tasks(&test_env, A), tasks(&test_env, B)), (2, 1));
}

#[test]
fn a_planned_switch_fences_the_writer_before_it_promotes_the_other() {
    let test_env = TestEnv::start().expect("a test environment");
    converge(&test_env, &[], &[]);
    converge(&test_env, &["active=b"], &[]);
    let rebuilt = ["active=b", "standby=replica", "aDatabase=2"];
    converge(&test_env, &rebuilt, &[&replace("a")[..], &["--delete-data"]].concat());
    let planned = plan(&test_env, &["active=a", "standby=fenced", "aDatabase=2"]);
    let ordered = steps(&planned);
    for fence in ["SecurityGroup/b.database", "Service/b.web.app", "ScalableTarget/b.web.app"] {
        assert!(comes_after(&ordered, "DbInstance/a.main", fence), "promoted after {fence}: {ordered:?}");
    }
}

#[test]
fn an_unreachable_region_is_abandoned_and_fenced_once_it_is_reachable() {
    let test_env = TestEnv::start().expect("a test environment");
    converge(&test_env, &[], &[]);
    let outage = test_env.proxy.add_rule(Rule::new(Match::region(A), Effect::fail(503, "ServiceUnavailable")));
    test_env.proxy.clear();

    let full = ["active=b"];
    let run = run(&test_env, "reconcile", &full, &["--once", "-o", "json"]);
    assert_eq!(run.code, 2, "the steps of region a are held: {run}");
    assert!(test_env.proxy.hits(outage) > 0, "region a was called");
    assert_records(&test_env, B, B);
    assert_eq!(databases(&test_env, B).values().next(), Some(&None), "the replica was promoted");
    assert_eq!((tasks(&test_env, A), tasks(&test_env, B)), (2, 2), "region a could not be reached");
    let held = plan(&test_env, &full);
    assert_eq!(held["steps"], json!([]), "region b has converged: {held}");
    let reasons = holds(&held);
    for fence in ["SecurityGroup/a.database", "Service/a.web.app", "ScalableTarget/a.web.app"] {
        assert_eq!(reasons.get(fence), Some(&"ObservationFailed"), "{fence} is held: {reasons:?}");
    }
    let of_b: Vec<_> = reasons.keys().filter(|address| address.contains("/b.")).collect();
    assert_eq!(of_b, Vec::<&&str>::new(), "no resource of region b is held");

    test_env.proxy.remove_rule(outage);
    let plan = plan(&test_env, &full);
    assert!(steps(&plan).contains_key("SecurityGroup/a.database"), "{plan}");
    converge(&test_env, &full, &[]);
    assert_empty_plan(&test_env, &full);
    assert_records(&test_env, B, A);
    assert_eq!((tasks(&test_env, A), ingress_rules(&test_env, A)), (0, 1), "the old writer is fenced");
}
