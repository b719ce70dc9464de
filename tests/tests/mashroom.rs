//! The Mashroom document against the sandbox: converging from nothing, costs, faults, kills, and what is foreign.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_tests::{Effect, Match, Rule, Stage, Victim, When, http, plant};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const PATH: &str = "desired-state/mashroom";

/// The most calls of a sweep of prod that finds nothing to do: 37 when this was written, 45 is the promise.
const SWEEP: u64 = 40;

fn stage() -> Stage {
    let stage = Stage::take().expect("a stage");
    plant::certificate(&stage, "mashroom.example.com").expect("a certificate");
    stage
}

fn converge(stage: &Stage, env: &str) {
    converge_with(stage, env, &[]);
}

fn converge_with(stage: &Stage, env: &str, more: &[&str]) {
    let arguments = [&["--once", "-o", "json"], more].concat();
    let run = stage.run("reconcile", PATH, env, &arguments).expect("reconcile");
    assert_eq!(run.code, 0, "{env}: {run}\n{}", stage.proxy.log());
}

fn assert_empty_plan(stage: &Stage, env: &str) -> Value {
    let plan = stage.run("plan", PATH, env, &["-o", "json"]).expect("plan");
    assert_eq!(plan.code, 0, "the next plan of {env} is not empty: {plan}");
    let json = plan.json().expect("JSON");
    assert_eq!(json["steps"], json!([]));
    json
}

/// The live resources of an environment: address and id.
fn live(stage: &Stage, env: &str) -> BTreeMap<String, String> {
    let run = stage.run("get", PATH, env, &["-o", "json"]).expect("get").expect(0);
    let list: Vec<Value> = serde_json::from_str(&run.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.iter().map(|o| (text(&o["address"]), text(&o["id"]))).collect()
}

fn destroy(stage: &Stage, env: &str) {
    let confirm = format!("mashroom/{env}");
    let run = stage.run("destroy", PATH, env, &["--confirm", &confirm, "--delete-data"]).expect("destroy");
    assert_eq!(run.code, 0, "destroy {env}: {run}");
}

/// Exactly one live resource of ours behind each address: counted by owner tags over everything.
fn assert_no_twins(stage: &Stage, env: &str) {
    let twins = plant::twins(stage, "mashroom", env).expect("a count");
    assert_eq!(twins, BTreeMap::new(), "more than one of each");
}

#[test]
fn every_environment_converges_from_nothing_and_stays_so() {
    for env in ["dev", "staging", "prod"] {
        let stage = stage();
        converge(&stage, env);
        assert_empty_plan(&stage, env);
        stage.proxy.clear();
        converge(&stage, env);
        let mutating: Vec<String> = stage.proxy.mutating().iter().map(holdfast_tests::Call::name).collect();
        assert_eq!(mutating, Vec::<String>::new(), "{env}: a second reconcile changes nothing");
        assert_no_twins(&stage, env);
        destroy(&stage, env);
        let left: Vec<String> = live(&stage, env).into_keys().filter(|a| !a.starts_with("Certificate/")).collect();
        assert_eq!(left, Vec::<String>::new(), "{env}: destroy leaves nothing");
        assert_eq!(plant::owned(&stage, "mashroom", env).expect("a count"), Vec::<String>::new());
    }
}

#[test]
fn a_sweep_that_finds_nothing_costs_few_calls_whatever_else_is_there() {
    let stage = stage();
    converge(&stage, "prod");
    stage.proxy.clear();
    let told = assert_empty_plan(&stage, "prod")["awsCalls"].as_u64().expect("a number");
    assert_eq!(told, stage.proxy.count() as u64, "what is told is what the proxy saw\n{}", stage.proxy.table());
    assert!(told <= SWEEP, "{told} calls\n{}", stage.proxy.table());

    let before = stage.proxy.counts_by_operation();
    plant::many(&stage, 1000).expect("a thousand of each");
    stage.proxy.clear();
    assert_empty_plan(&stage, "prod");
    for (operation, count) in stage.proxy.counts_by_operation() {
        let extra = count.saturating_sub(before.get(&operation).copied().unwrap_or_default());
        let is_list = plant::LISTS.contains(&operation.as_str());
        assert!(
            extra == 0 || is_list,
            "{operation}: {extra} more calls because of what is foreign\n{}",
            stage.proxy.table()
        );
    }
}

#[test]
fn what_is_foreign_is_never_touched() {
    let stage = stage();
    let foreign = plant::foreign(&stage, 200).expect("foreign resources");
    let before = plant::snapshot(&stage, &foreign).expect("a snapshot");
    converge(&stage, "staging");
    assert_empty_plan(&stage, "staging");
    // Drift, mended.
    let vpc = live(&stage, "staging")["Vpc/network.main"].clone();
    let off = json!({ "VpcId": vpc, "EnableDnsHostnames": { "Value": false } });
    stage.outside.call("ec2", "modify_vpc_attribute", off).expect("a change");
    stage.run("drift", PATH, "staging", &[]).expect("drift").expect(2);
    converge(&stage, "staging");
    // The alarms leave the document: held without a grant, deleted with one.
    let without = ["--set", "alarms=false"];
    let held = stage.run("plan", PATH, "staging", &[&without[..], &["-o", "json"]].concat()).expect("plan").expect(2);
    assert!(held.stdout.contains("PruneNotGranted"), "{held}");
    converge_with(&stage, "staging", &[&without[..], &["--prune"]].concat());
    assert!(!live(&stage, "staging").keys().any(|a| a.starts_with("Alarm/alarms.")));
    destroy(&stage, "staging");
    for call in stage.proxy.mutating() {
        for id in &foreign {
            assert!(!call.body.contains(id.as_str()), "{} names {id}, which is foreign: {}", call.name(), call.body);
        }
    }
    assert_eq!(plant::snapshot(&stage, &foreign).expect("a snapshot"), before);
}

#[test]
fn throttling_lost_replies_and_late_failures_end_converged_without_twins() {
    let rules: Vec<(&str, Vec<Rule>)> = vec![
        ("every third call is throttled", vec![Rule::new(Match::all().every(3), Effect::Throttle)]),
        ("creates fail after their effect", vec![Rule::new(Match::calls("*.Create*").every(4), Effect::fail_after())]),
        (
            "a reply never comes",
            vec![
                Rule::new(Match::calls("ec2.CreateVpc").only(1), Effect::Withhold),
                Rule::new(Match::calls("ec2.CreateNatGateway").only(1), Effect::Withhold),
                Rule::new(Match::calls("ecs.CreateService").only(1), Effect::CutAfter),
            ],
        ),
    ];
    for (what, rules) in rules {
        let stage = stage();
        for rule in rules {
            stage.proxy.add_rule(rule);
        }
        let run = stage.holdfast().set("HOLDFAST_CALL_TIMEOUT", "2s").run(["reconcile", PATH, "-e", "dev", "--once"]);
        let run = run.expect("reconcile");
        assert_eq!(run.code, 0, "{what}: {run}");
        // Neither the SDK nor the engine makes one again that may be there: it is looked for.
        let networks =
            stage.proxy.mutating().iter().filter(|call| call.name() == "ec2.CreateVpc" && call.forwarded).count();
        assert_eq!(networks, 1, "{what}: the network is made once");
        stage.proxy.clear_rules();
        assert_empty_plan(&stage, "dev");
        assert_no_twins(&stage, "dev");
    }
}

#[test]
fn killed_at_any_call_it_converges_without_twins() {
    // The seed is fixed so that a failure can be repeated; the calls are spread over the whole converge.
    let mut random = StdRng::seed_from_u64(20);
    let calls = {
        let stage = stage();
        converge(&stage, "dev");
        stage.proxy.mutating().len() as u64
    };
    for kill in 0..20 {
        let stage = stage();
        let nth = random.random_range(1..=calls);
        let when = if kill % 2 == 0 { When::Before } else { When::After };
        let victim = Victim::new();
        let rule = stage.proxy.add_rule(Rule::new(Match::changes().only(nth), Effect::kill(&victim, when)));
        let daemon = stage.holdfast().spawn(["reconcile", PATH, "-e", "dev", "--once"]).expect("a start");
        victim.mark(&daemon);
        let run = daemon.wait(Duration::from_secs(120)).expect("an end");
        assert_eq!((run.code, stage.proxy.hits(rule)), (137, 1), "killed {when:?} mutating call {nth}: {run}");
        stage.proxy.clear_rules();
        converge(&stage, "dev");
        assert_empty_plan(&stage, "dev");
        assert_no_twins(&stage, "dev");
    }
}

#[test]
fn stopped_at_any_moment_it_ends_in_time_and_the_next_run_converges() {
    for calls in [1, 20, 40, 60] {
        let stage = stage();
        let run = stage.holdfast().spawn(["reconcile", PATH, "-e", "dev", "--once"]).expect("a start");
        stage.proxy.wait_until(Duration::from_secs(60), |seen| seen.len() >= calls).expect("calls");
        let run = run.stop(Duration::from_secs(30)).expect("an orderly stop inside 30 s");
        assert_eq!(run.code, 1, "stopped after {calls} calls: {run}");
        converge(&stage, "dev");
        assert_empty_plan(&stage, "dev");
        assert_no_twins(&stage, "dev");
    }
}

#[test]
fn two_groups_that_name_each_other_converge_from_nothing() {
    let stage = stage();
    let rule = |group: &str| json!([{ "ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "securityGroup": group }]);
    let resources = json!({
        "Vpc/main": { "cidrBlock": "10.0.0.0/16" },
        "SecurityGroup/a": { "vpc": "main", "ingress": rule("b") },
        "SecurityGroup/b": { "vpc": "main", "ingress": rule("a") },
    });
    let path = stage.stack("groups", &resources).expect("a stack");
    let run = stage.run("reconcile", &path, "test", &["--once"]).expect("reconcile");
    assert_eq!(run.code, 0, "{run}");
    stage.run("plan", &path, "test", &[]).expect("plan").expect(0);
    let run = stage.run("destroy", &path, "test", &["--confirm", "groups/test"]).expect("destroy");
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn the_daemon_holds_tells_and_stops() {
    let stage = stage();
    converge(&stage, "dev");
    let address = format!("127.0.0.1:{}", holdfast_tests::free_port().expect("a port"));
    let arguments = ["reconcile", PATH, "-e", "dev", "--interval", "1s", "--listen", &address];
    let daemon = stage.holdfast().set("HOLDFAST_LOG", "info").spawn(arguments).expect("a start");
    http::wait(&format!("http://{address}/readyz"), Duration::from_secs(60)).expect("ready");
    http::get(&format!("http://{address}/healthz")).expect("healthy");

    let vpc = live(&stage, "dev")["Vpc/network.main"].clone();
    let off = json!({ "VpcId": vpc, "EnableDnsHostnames": { "Value": false } });
    stage.outside.call("ec2", "modify_vpc_attribute", off).expect("a change");
    let mended = |page: &str| page.lines().any(|l| l.starts_with("holdfast_drift_mended_total") && !l.ends_with(" 0"));
    let until = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let page = http::get(&format!("http://{address}/metrics")).expect("metrics");
        if mended(&page) {
            break;
        }
        assert!(std::time::Instant::now() < until, "not mended within a minute:\n{page}\n{}", daemon.stderr());
        std::thread::sleep(Duration::from_millis(100));
    }
    let run = daemon.stop(Duration::from_secs(30)).expect("an orderly stop");
    assert_eq!(run.code, 0, "{run}");
    let line =
        run.stderr.lines().find(|l| l.contains("enableDnsHostnames")).unwrap_or_else(|| panic!("a drift line: {run}"));
    let event: Value = serde_json::from_str(line).expect("the line is JSON");
    assert_eq!(event["address"], "Vpc/network.main", "{line}");
    assert_empty_plan(&stage, "dev");
}

#[test]
fn a_document_that_is_wrong_or_an_account_that_is_not_ours_changes_nothing() {
    let stage = stage();
    let fails = |run: holdfast_tests::Run, word: &str| {
        assert_eq!(run.code, 1, "{run}");
        assert!(run.stderr.contains(word), "no `{word}` in: {run}");
    };
    let empty = stage.write("empty/stack.yaml", "").expect("a file");
    fails(stage.run("reconcile", &empty, "dev", &["--once"]).expect("a run"), "empty");
    fails(stage.run("reconcile", "nowhere", "dev", &["--once"]).expect("a run"), "nowhere");
    let run = stage.holdfast().set("AWS_ENDPOINT_URL", "http://127.0.0.1:9").run(["plan", PATH, "-e", "dev"]);
    fails(run.expect("a run"), "connect");
    let path = stage.stack("kinds", &json!({ "Vpc/main": { "cidrBlock": "10.0.0.0/16" } })).expect("a stack");
    let other = std::fs::read_to_string(format!("{path}/environments/test.yaml")).expect("a file");
    stage.write("kinds/environments/test.yaml", &other.replace("123456789012", "999999999999")).expect("a file");
    fails(stage.run("reconcile", &path, "test", &["--once"]).expect("a run"), "999999999999");
    stage.write("kinds/environments/test.yaml", &other).expect("a file");
    let rule = stage.proxy.add_rule(Rule::new(Match::calls("ec2.DescribeVpcs"), Effect::fail(501, "NotImplemented")));
    fails(stage.run("reconcile", &path, "test", &["--once"]).expect("a run"), "NotImplemented");
    stage.proxy.remove_rule(rule);
    let rule = stage.proxy.add_rule(Rule::new(Match::all(), Effect::fail(403, "InvalidClientTokenId")));
    fails(stage.run("reconcile", &path, "test", &["--once"]).expect("a run"), "InvalidClientTokenId");
    stage.proxy.remove_rule(rule);
    assert_eq!(stage.proxy.mutating().len(), 0, "{}", stage.proxy.log());
}
