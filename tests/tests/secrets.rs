//! Secret values: from the environment and files to AWS, and to nowhere else.

use holdfast_tests::{Run, Stage};
use serde_json::{Value, json};

const VALUE: &str = "correct-horse-battery-staple";
const OTHER: &str = "hunter2-hunter2-hunter2";

struct Play {
    stage: Stage,
    path: String,
    /// Everything that any run said.
    said: String,
}

impl Play {
    fn of(resources: &Value) -> Play {
        let stage = Stage::take().expect("a stage");
        let path = stage.stack("secrets", resources).expect("a stack");
        Play { stage, path, said: String::new() }
    }

    /// Runs it with all that logs at its loudest.
    fn run(&mut self, command: &str, more: &[&str], token: Option<&str>) -> Run {
        let mut holdfast = self.stage.holdfast();
        for variable in ["HOLDFAST_LOG", "RUST_LOG"] {
            holdfast = holdfast.set(variable, "trace,aws_smithy_runtime=trace,hyper=trace,hyper_util=trace");
        }
        if let Some(token) = token {
            holdfast = holdfast.set("SHOP_TOKEN", token);
        }
        let mut arguments = vec![command, &self.path, "-e", "test"];
        arguments.extend(more);
        let run = holdfast.run(arguments).expect("a run");
        self.said += &run.to_string();
        run
    }

    fn reconcile(&mut self, token: Option<&str>) -> Run {
        self.run("reconcile", &["--once", "-o", "json"], token)
    }

    fn value(&self, name: &str) -> String {
        let asked = json!({ "SecretId": name });
        let answer = self.stage.outside.call("secretsmanager", "get_secret_value", asked).expect("a value");
        answer["SecretString"].as_str().unwrap_or_default().to_owned()
    }

    /// Nothing was said, and nothing was written, that has one of these in it.
    fn is_silent(&self, values: &[&str]) {
        for value in values {
            assert!(!self.said.contains(value), "a run said a secret value");
            let mut folders = vec![self.stage.folder.path().to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                    let path = entry.path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if !path.ends_with("token.txt") {
                        let text = std::fs::read(&path).expect("a file");
                        let found = text.windows(value.len()).any(|part| part == value.as_bytes());
                        assert!(!found, "{} has a secret value", path.display());
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_from_the_environment_is_put_and_said_nowhere() {
    let mut play = Play::of(&json!({
        "Secret/app": { "name": "app", "valueFrom": { "env": "SHOP_TOKEN" } },
        "Parameter/app": { "name": "/app", "type": "SecureString", "valueFrom": { "env": "SHOP_TOKEN" } },
    }));
    // Without the variable a plan can be made, and what needs the value cannot.
    play.run("validate", &[], None).expect(0);
    play.run("render", &[], None).expect(0);
    play.run("plan", &[], None).expect(2);
    let run = play.reconcile(None);
    assert!(run.code != 0 && run.stdout.contains("`SHOP_TOKEN`"), "{run}");

    play.reconcile(Some(VALUE)).expect(0);
    assert_eq!(play.value("app"), VALUE);
    play.run("plan", &["-o", "json"], Some(VALUE)).expect(0);
    play.run("get", &["-o", "json"], Some(VALUE)).expect(0);
    // Without the variable what is live is left alone.
    play.run("plan", &["-o", "json"], None).expect(0);

    // Another value in the environment, and the first one again: its version is there already.
    for value in [OTHER, VALUE] {
        let run = play.run("plan", &["-o", "json"], Some(value)).expect(2);
        assert!(run.stdout.contains("valueFrom"), "{run}");
        play.reconcile(Some(value)).expect(0);
        assert_eq!(play.value("app"), value);
        play.run("plan", &["-o", "json"], Some(value)).expect(0);
    }

    // Somebody changes them from outside.
    let put = json!({ "SecretId": "app", "SecretString": "other" });
    play.stage.outside.call("secretsmanager", "put_secret_value", put).expect("a put");
    let put = json!({ "Name": "/app", "Value": "other", "Overwrite": true });
    play.stage.outside.call("ssm", "put_parameter", put).expect("a put");
    play.run("drift", &["-o", "json"], Some(VALUE)).expect(2);
    play.reconcile(Some(VALUE)).expect(0);
    assert_eq!(play.value("app"), VALUE);
    let asked = json!({ "Name": "/app", "WithDecryption": true });
    let answer = play.stage.outside.call("ssm", "get_parameter", asked).expect("a value");
    assert_eq!(answer["Parameter"]["Value"], VALUE);
    play.is_silent(&[VALUE, OTHER]);
}

#[test]
fn fields_are_added_without_changing_others() {
    let fields = json!({ "username": { "value": "shop" }, "password": { "generate": { "length": 20 } } });
    let mut play = Play::of(&json!({ "Secret/app": { "name": "app", "fields": fields } }));
    play.reconcile(None).expect(0);
    let first: Value = serde_json::from_str(&play.value("app")).expect("JSON");
    let password = first["password"].as_str().expect("a password").to_owned();
    assert_eq!((first["username"].as_str(), password.len()), (Some("shop"), 20));

    let file = play.stage.write("token.txt", &format!("{VALUE}\n")).expect("a file");
    let mut fields = fields;
    fields["token"] = json!({ "valueFrom": { "file": file } });
    play.stage.stack("secrets", &json!({ "Secret/app": { "name": "app", "fields": fields } })).expect("a stack");
    play.reconcile(None).expect(0);
    let second: Value = serde_json::from_str(&play.value("app")).expect("JSON");
    assert_eq!(second, json!({ "username": "shop", "password": password, "token": VALUE }));
    play.run("plan", &["-o", "json"], None).expect(0);

    // The file has another value, and somebody adds a field of theirs: both are kept.
    play.stage.write("token.txt", OTHER).expect("a file");
    play.reconcile(None).expect(0);
    let third: Value = serde_json::from_str(&play.value("app")).expect("JSON");
    assert_eq!(third, json!({ "username": "shop", "password": password, "token": OTHER }));
    play.is_silent(&[VALUE, OTHER, &password]);
}

#[test]
fn a_secret_that_waits_for_its_deletion_is_restored_when_it_is_ours() {
    let resources = json!({ "Secret/app": { "name": "app", "generate": {}, "recoveryWindowInDays": 7 } });
    let mut play = Play::of(&resources);
    play.reconcile(None).expect(0);
    let value = play.value("app");
    play.run("destroy", &["--confirm", "secrets/test", "--delete-data"], None).expect(0);
    play.reconcile(None).expect(0);
    assert_eq!(play.value("app"), value);
    play.is_silent(&[&value]);

    let mut play = Play::of(&resources);
    for (operation, asked) in [
        ("create_secret", json!({ "Name": "app", "SecretString": "theirs" })),
        ("delete_secret", json!({ "SecretId": "app" })),
    ] {
        play.stage.outside.call("secretsmanager", operation, asked).expect("a call");
    }
    let run = play.reconcile(None);
    assert!(run.code != 0 && run.stdout.contains("waits for its deletion"), "{run}");
}
