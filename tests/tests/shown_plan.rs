//! A plan that is shown is the plan that is made: its text explains each mutating call of the pass, and a saved plan is
//! made or refused.

use holdfast_tests::TestEnv;
use holdfast_tests::shown_plan::pass_as_shown;
use serde_json::{Value, json};

/// Makes a pass over a document, and checks that the text of the plan shown before explains its calls.
fn converge(test_env: &TestEnv, resources: &Value, more: &[&str]) -> String {
    let path = test_env.stack("shown", resources).expect("a stack");
    let pass = pass_as_shown(test_env, &path, "test", more).expect("a pass");
    assert_eq!(pass.run.code, 0, "{}", pass.run);
    assert_eq!(pass.unexplained, Vec::<String>::new(), "{}", pass.plan);
    assert!(!test_env.proxy.mutating().is_empty(), "the pass changes something: {}", pass.plan);
    pass.plan
}

#[test]
fn the_text_of_a_plan_explains_creates_edits_children_and_deletions() {
    let test_env = TestEnv::start().expect("a test environment");
    let statement = |action: &str| json!({ "Effect": "Allow", "Action": action, "Resource": "*" });
    let policy = |action: &str| json!({ "Version": "2012-10-17", "Statement": [statement(action)] });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
    let role = |action: &str| json!({ "assumeRolePolicyDocument": trust, "policies": { "app": policy(action) } });
    let first = json!({
        "Topic/news": {},
        "Queue/work": { "visibilityTimeout": 60 },
        "Queue/old": {},
        "LogGroup/app": { "retentionInDays": 30 },
        "Subscription/work": { "topic": "news", "protocol": "sqs", "endpoint": "${Queue.work.arn}" },
        "Role/app": role("s3:GetObject"),
    });
    let plan = converge(&test_env, &first, &[]);
    assert!(plan.contains("visibilityTimeout: + 60") && plan.contains("retentionInDays: + 30"), "{plan}");
    let mut second = first;
    second["Queue/work"] = json!({ "visibilityTimeout": 90 });
    second["Role/app"] = role("*");
    second.as_object_mut().expect("resources").remove("Queue/old");
    let plan = converge(&test_env, &second, &["--prune"]);
    assert!(plan.contains("visibilityTimeout: 60 → 90"), "{plan}");
    assert!(plan.contains("Statement[0].Action: s3:GetObject → *"), "{plan}");
    assert!(plan.contains("Queue/old  ") && plan.contains("shown-test-old"), "{plan}");
}

#[test]
fn the_text_of_a_plan_explains_adoptions_and_cascades() {
    let test_env = TestEnv::start().expect("a test environment");
    test_env.out_of_band.call("logs", "create_log_group", json!({ "logGroupName": "/legacy/app" })).expect("a group");
    let rule = |group: &str| json!([{ "ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "securityGroup": group }]);
    let system = |description: &str| {
        json!({
            "LogGroup/app": { "name": "/legacy/app", "retentionInDays": 30, "lifecycle": { "adopt": "/legacy/app" } },
            "Vpc/main": { "cidrBlock": "10.0.0.0/16" },
            "SecurityGroup/lb": { "vpc": "main", "description": description, "lifecycle": { "replace": "allow" } },
            "SecurityGroup/app": { "vpc": "main", "ingress": rule("lb") },
        })
    };
    let plan = converge(&test_env, &system("one"), &[]);
    assert!(plan.contains("» adopt") && plan.contains("retentionInDays: (none) → 30"), "{plan}");
    let plan = converge(&test_env, &system("two"), &[]);
    assert!(plan.contains("description: one → two  (forces a replacement)"), "{plan}");
}

#[test]
fn a_saved_plan_is_made_once_and_refused_after_a_change() {
    let test_env = TestEnv::start().expect("a test environment");
    let path = test_env.stack("saved", &json!({ "Queue/work": { "visibilityTimeout": 60 } })).expect("a stack");
    let file = test_env.folder.path().join("plan.json").to_string_lossy().into_owned();
    let run = |command: &str, more: &[&str]| test_env.run(command, &path, "test", more).expect("a run");
    let plan = run("plan", &["--out", &file, "-o", "json"]).expect(2).json().expect("JSON");
    run("reconcile", &["--once", "--plan", &file]).expect(0);
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON");
    assert_eq!(saved["digest"], plan["digest"]);

    test_env.proxy.clear();
    let again = run("reconcile", &["--once", "--plan", &file]).expect(1);
    assert!(again.stderr.contains("the account changed since the plan was made"), "{again}");
    test_env.stack("saved", &json!({ "Queue/work": { "visibilityTimeout": 90 } })).expect("a stack");
    let edited = run("reconcile", &["--once", "--plan", &file]).expect(1);
    assert!(edited.stderr.contains("the document changed since the plan was made"), "{edited}");
    assert!(test_env.proxy.mutating().is_empty(), "{}", test_env.proxy.table());
}

#[test]
fn destroy_without_a_confirmation_shows_what_it_would_delete() {
    let test_env = TestEnv::start().expect("a test environment");
    let path = test_env.stack("shown", &json!({ "Queue/work": {} })).expect("a stack");
    test_env.run("reconcile", &path, "test", &["--once"]).expect("a run").expect(0);
    test_env.proxy.clear();
    let run = test_env.run("destroy", &path, "test", &[]).expect("a run").expect(2);
    assert!(run.stdout.contains("Queue/work") && run.stdout.contains("shown-test-work"), "{run}");
    assert!(run.stderr.contains("nothing was changed; to delete these resources, add `--confirm shown/test`"), "{run}");
    test_env.run("destroy", &path, "test", &["--confirm", "other/test"]).expect("a run").expect(1);
    assert!(test_env.proxy.mutating().is_empty(), "{}", test_env.proxy.table());
    test_env.run("destroy", &path, "test", &["--confirm", "shown/test"]).expect("a run").expect(0);
    test_env.run("destroy", &path, "test", &[]).expect("a run").expect(0);
}
