//! A rollback against the sandbox: at once, held by a tag until the document changes or it is released.

use std::fs;

use holdfast_tests::{Call, Effect, Match, Rule, Run, Stage};
use serde_json::{Value, json};

const PATH: &str = "desired-state/mashroom";
const ENV: &str = "dev";
const SERVICE: &str = "Service/web.app";

fn run(stage: &Stage, command: &str, image: &str, more: &[&str]) -> Run {
    let image = format!("image=public.ecr.aws/docker/library/node:{image}");
    stage.run(command, PATH, ENV, &[&["--set", &image], more].concat()).expect("a run")
}

fn converge(stage: &Stage, image: &str) {
    run(stage, "reconcile", image, &["--once"]).expect(0);
}

/// The service as `get` shows it.
fn service(stage: &Stage, image: &str) -> Value {
    let shown = run(stage, "get", image, &[SERVICE, "-o", "json"]).expect(0).json().expect("JSON");
    shown[0].clone()
}

/// The number of the revision that the service runs.
fn revision(stage: &Stage, image: &str) -> String {
    let service = service(stage, image);
    let id = service["spec"]["taskDefinition"].as_str().expect("a task definition").to_owned();
    id.rsplit(':').next().expect("a revision").to_owned()
}

fn mutating(stage: &Stage) -> Vec<String> {
    stage.proxy.mutating().iter().map(Call::name).collect()
}

#[test]
fn a_service_goes_back_and_stays_until_the_document_changes_or_it_is_released() {
    let stage = Stage::take().expect("a stage");
    converge(&stage, "20-alpine");
    let refused = run(&stage, "rollback", "20-alpine", &[SERVICE]).expect(1);
    assert!(refused.stderr.contains("there is no revision before"), "{refused}");
    converge(&stage, "22-alpine");
    assert_eq!(revision(&stage, "22-alpine"), "2");

    // At once: a few reads, the hold, the change.
    stage.proxy.clear();
    let done = run(&stage, "rollback", "22-alpine", &[SERVICE, "-o", "json"]).expect(0).json().expect("JSON");
    assert_eq!((&done["held"], &done["changed"]), (&json!(true), &json!(true)));
    assert!(done["to"].as_str().is_some_and(|to| to.ends_with("mashroom-dev-web-app:1")), "{done}");
    assert_eq!(mutating(&stage), ["ecs.TagResource", "ecs.UpdateService"]);
    assert!(stage.proxy.count() <= 12, "{}", stage.proxy.table());
    assert_eq!(revision(&stage, "22-alpine"), "1");

    // Held and told, with and without what the store remembers.
    for _ in 0..2 {
        stage.proxy.clear();
        let plan = run(&stage, "plan", "22-alpine", &["-o", "json"]).expect(2).json().expect("JSON");
        assert_eq!((&plan["steps"], &plan["holds"][0]["reason"]), (&json!([]), &json!("RolledBack")), "{plan}");
        run(&stage, "reconcile", "22-alpine", &["--once"]).expect(2);
        run(&stage, "drift", "22-alpine", &[]).expect(0);
        assert_eq!(mutating(&stage), Vec::<String>::new());
        assert_eq!(service(&stage, "22-alpine")["holds"][0]["reason"], "RolledBack");
        fs::remove_dir_all(stage.folder.path().join("store")).expect("the store is gone");
    }
    let text = run(&stage, "get", "22-alpine", &[SERVICE]).expect(0);
    assert!(text.stdout.contains("held: RolledBack: it was rolled back to revision 1"), "{text}");

    // Somebody moves it on by hand: it comes back.
    let live = service(&stage, "22-alpine");
    let newer = json!({ "cluster": live["spec"]["cluster"], "service": live["id"], "taskDefinition": "mashroom-dev-web-app:2" });
    stage.outside.call("ecs", "update_service", newer).expect("a change");
    run(&stage, "reconcile", "22-alpine", &["--once"]).expect(2);
    assert_eq!(revision(&stage, "22-alpine"), "1");

    // The document changes: the hold is over, and leaves nothing behind.
    converge(&stage, "24-alpine");
    assert_eq!(revision(&stage, "24-alpine"), "3");
    assert_eq!(service(&stage, "24-alpine")["tags"].get("holdfast:rollback"), None);
    run(&stage, "plan", "24-alpine", &[]).expect(0);

    // Released, it goes forward again.
    run(&stage, "rollback", "24-alpine", &[SERVICE, "--to", "1"]).expect(0);
    assert_eq!(revision(&stage, "24-alpine"), "1");
    run(&stage, "rollback", "24-alpine", &[SERVICE, "--release"]).expect(0);
    converge(&stage, "24-alpine");
    assert_eq!(revision(&stage, "24-alpine"), "3");
    let nothing = run(&stage, "rollback", "24-alpine", &[SERVICE, "--release"]).expect(0);
    assert!(nothing.stdout.contains("nothing was held back"), "{nothing}");
}

#[test]
fn a_rollback_that_is_cut_short_is_finished_by_the_next_pass() {
    let stage = Stage::take().expect("a stage");
    converge(&stage, "20-alpine");
    converge(&stage, "22-alpine");
    let refuse = Effect::Fail { status: 400, code: "InvalidParameterException".into() };
    let rule = stage.proxy.add_rule(Rule::new(Match::calls("ecs.UpdateService"), refuse));
    let half = run(&stage, "rollback", "22-alpine", &[SERVICE]).expect(1);
    assert!(half.stderr.contains("the hold is written"), "{half}");
    stage.proxy.remove_rule(rule);
    run(&stage, "reconcile", "22-alpine", &["--once"]).expect(2);
    assert_eq!(revision(&stage, "22-alpine"), "1");

    let wrong = run(&stage, "rollback", "22-alpine", &["Service/web.ap"]).expect(1);
    assert!(wrong.stderr.contains("the document has no Service/web.ap"), "{wrong}");
    let none = run(&stage, "rollback", "22-alpine", &["Cluster/main"]).expect(1);
    assert!(none.stderr.contains("runs no revision"), "{none}");
}
