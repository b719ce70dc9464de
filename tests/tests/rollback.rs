//! A rollback against the sandbox: it takes effect at once, and a tag holds it until the document changes or it is
//! released.

use std::fs;

use holdfast_tests::{Call, Effect, Match, Rule, Run, TestEnv};
use serde_json::{Value, json};

const PATH: &str = "desired-state/mashroom";
const ENV: &str = "dev";
const SERVICE: &str = "Service/web.app";

fn run(test_env: &TestEnv, command: &str, image: &str, more: &[&str]) -> Run {
    let image = format!("image=public.ecr.aws/docker/library/node:{image}");
    test_env.run(command, PATH, ENV, &[&["--set", &image], more].concat()).expect("a run")
}

fn converge(test_env: &TestEnv, image: &str) {
    run(test_env, "reconcile", image, &["--once"]).expect(0);
}

/// Returns the service as `get` shows it.
fn service(test_env: &TestEnv, image: &str) -> Value {
    let shown = run(test_env, "get", image, &[SERVICE, "-o", "json"]).expect(0).json().expect("JSON");
    shown[0].clone()
}

/// Returns the revision number of the service's task definition.
fn revision(test_env: &TestEnv, image: &str) -> String {
    let service = service(test_env, image);
    let id = service["spec"]["taskDefinition"].as_str().expect("a task definition").to_owned();
    id.rsplit(':').next().expect("a revision").to_owned()
}

fn mutating(test_env: &TestEnv) -> Vec<String> {
    test_env.proxy.mutating().iter().map(Call::name).collect()
}

#[test]
fn a_service_is_rolled_back_until_the_document_changes_or_it_is_released() {
    let test_env = TestEnv::start().expect("a test environment");
    converge(&test_env, "20-alpine");
    let rejected = run(&test_env, "rollback", "20-alpine", &[SERVICE]).expect(1);
    assert!(rejected.stderr.contains("there is no revision before"), "{rejected}");
    converge(&test_env, "22-alpine");
    assert_eq!(revision(&test_env, "22-alpine"), "2");

    // At once: a few reads, the hold, the update.
    test_env.proxy.clear();
    let done = run(&test_env, "rollback", "22-alpine", &[SERVICE, "-o", "json"]).expect(0).json().expect("JSON");
    assert_eq!((&done["held"], &done["changed"]), (&json!(true), &json!(true)));
    assert!(done["to"].as_str().is_some_and(|to| to.ends_with("mashroom-dev-web-app:1")), "{done}");
    assert_eq!(mutating(&test_env), ["ecs.TagResource", "ecs.UpdateService"]);
    assert!(test_env.proxy.count() <= 12, "{}", test_env.proxy.table());
    assert_eq!(revision(&test_env, "22-alpine"), "1");

    // The hold is reported with and without the store's history.
    for _ in 0..2 {
        test_env.proxy.clear();
        let plan = run(&test_env, "plan", "22-alpine", &["-o", "json"]).expect(2).json().expect("JSON");
        assert_eq!((&plan["steps"], &plan["holds"][0]["reason"]), (&json!([]), &json!("RolledBack")), "{plan}");
        run(&test_env, "reconcile", "22-alpine", &["--once"]).expect(2);
        run(&test_env, "drift", "22-alpine", &[]).expect(0);
        assert_eq!(mutating(&test_env), Vec::<String>::new());
        assert_eq!(service(&test_env, "22-alpine")["holds"][0]["reason"], "RolledBack");
        fs::remove_dir_all(test_env.folder.path().join("store")).expect("the store is deleted");
    }
    let text = run(&test_env, "get", "22-alpine", &[SERVICE]).expect(0);
    assert!(text.stdout.contains("held: RolledBack: it was rolled back to revision 1"), "{text}");

    // An out-of-band update to the newer revision is reverted.
    let live = service(&test_env, "22-alpine");
    let newer = json!({ "cluster": live["spec"]["cluster"], "service": live["id"], "taskDefinition": "mashroom-dev-web-app:2" });
    test_env.out_of_band.call("ecs", "update_service", newer).expect("a change");
    run(&test_env, "reconcile", "22-alpine", &["--once"]).expect(2);
    assert_eq!(revision(&test_env, "22-alpine"), "1");

    // The document changes: the hold ends, and its tag is removed.
    converge(&test_env, "24-alpine");
    assert_eq!(revision(&test_env, "24-alpine"), "3");
    assert_eq!(service(&test_env, "24-alpine")["tags"].get("holdfast:rollback"), None);
    run(&test_env, "plan", "24-alpine", &[]).expect(0);

    // After a release, the service is updated to the document's revision.
    run(&test_env, "rollback", "24-alpine", &[SERVICE, "--to", "1"]).expect(0);
    assert_eq!(revision(&test_env, "24-alpine"), "1");
    run(&test_env, "rollback", "24-alpine", &[SERVICE, "--release"]).expect(0);
    converge(&test_env, "24-alpine");
    assert_eq!(revision(&test_env, "24-alpine"), "3");
    let nothing = run(&test_env, "rollback", "24-alpine", &[SERVICE, "--release"]).expect(0);
    assert!(nothing.stdout.contains("there was no hold to release"), "{nothing}");
}

#[test]
fn an_incomplete_rollback_is_completed_by_the_next_pass() {
    let test_env = TestEnv::start().expect("a test environment");
    converge(&test_env, "20-alpine");
    converge(&test_env, "22-alpine");
    let rejection = Effect::Fail { status: 400, code: "InvalidParameterException".into() };
    let rule = test_env.proxy.add_rule(Rule::new(Match::calls("ecs.UpdateService"), rejection));
    let incomplete = run(&test_env, "rollback", "22-alpine", &[SERVICE]).expect(1);
    assert!(incomplete.stderr.contains("the hold is written"), "{incomplete}");
    test_env.proxy.remove_rule(rule);
    run(&test_env, "reconcile", "22-alpine", &["--once"]).expect(2);
    assert_eq!(revision(&test_env, "22-alpine"), "1");

    let wrong = run(&test_env, "rollback", "22-alpine", &["Service/web.ap"]).expect(1);
    assert!(wrong.stderr.contains("the document has no Service/web.ap"), "{wrong}");
    let none = run(&test_env, "rollback", "22-alpine", &["Cluster/main"]).expect(1);
    assert!(none.stderr.contains("runs no revision"), "{none}");
}
