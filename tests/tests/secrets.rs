//! Secret values from environment variables and files reach AWS, and no other place.

use holdfast_tests::{Run, TestEnv};
use serde_json::{Value, json};

const VALUE: &str = "correct-horse-battery-staple";
const OTHER: &str = "hunter2-hunter2-hunter2";

struct TestCase {
    test_env: TestEnv,
    path: String,
    /// The output of all runs.
    output: String,
}

impl TestCase {
    fn of(resources: &Value) -> TestCase {
        let test_env = TestEnv::start().expect("a test environment");
        let path = test_env.stack("secrets", resources).expect("a stack");
        TestCase { test_env, path, output: String::new() }
    }

    /// Runs a command with the most verbose log levels.
    fn run(&mut self, command: &str, more: &[&str], token: Option<&str>) -> Run {
        let mut holdfast = self.test_env.holdfast();
        for variable in ["HOLDFAST_LOG", "RUST_LOG"] {
            holdfast = holdfast.set(variable, "trace,aws_smithy_runtime=trace,hyper=trace,hyper_util=trace");
        }
        if let Some(token) = token {
            holdfast = holdfast.set("SHOP_TOKEN", token);
        }
        let mut arguments = vec![command, &self.path, "-e", "test"];
        arguments.extend(more);
        let run = holdfast.run(arguments).expect("a run");
        self.output += &run.to_string();
        run
    }

    fn reconcile(&mut self, token: Option<&str>) -> Run {
        self.run("reconcile", &["--once", "-o", "json"], token)
    }

    fn value(&self, name: &str) -> String {
        let secret = json!({ "SecretId": name });
        let response = self.test_env.out_of_band.call("secretsmanager", "get_secret_value", secret).expect("a value");
        response["SecretString"].as_str().unwrap_or_default().to_owned()
    }

    /// Checks that no output and no file has one of these values.
    fn assert_no_leak(&self, values: &[&str]) {
        for value in values {
            assert!(!self.output.contains(value), "the output of a run has a secret value");
            let mut folders = vec![self.test_env.folder.path().to_owned()];
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
fn a_value_from_the_environment_reaches_aws_and_no_output() {
    let mut case = TestCase::of(&json!({
        "Secret/app": { "name": "app", "valueFrom": { "env": "SHOP_TOKEN" } },
        "Parameter/app": { "name": "/app", "type": "SecureString", "valueFrom": { "env": "SHOP_TOKEN" } },
    }));
    // Without the variable, a plan is possible, and a step that needs the value fails.
    case.run("validate", &[], None).expect(0);
    case.run("render", &[], None).expect(0);
    case.run("plan", &[], None).expect(2);
    let run = case.reconcile(None);
    assert!(run.code != 0 && run.stdout.contains("`SHOP_TOKEN`"), "{run}");

    case.reconcile(Some(VALUE)).expect(0);
    assert_eq!(case.value("app"), VALUE);
    case.run("plan", &["-o", "json"], Some(VALUE)).expect(0);
    case.run("get", &["-o", "json"], Some(VALUE)).expect(0);
    // Without the variable, the live values are kept.
    case.run("plan", &["-o", "json"], None).expect(0);

    // Another value in the environment, and the first value again, whose version still exists.
    for value in [OTHER, VALUE] {
        let run = case.run("plan", &["-o", "json"], Some(value)).expect(2);
        assert!(run.stdout.contains("valueFrom"), "{run}");
        // The run changed, and not AWS.
        assert!(run.stdout.contains("\"edit\"") && !run.stdout.contains("\"drift\""), "{run}");
        case.run("drift", &["-o", "json"], Some(value)).expect(0);
        case.reconcile(Some(value)).expect(0);
        assert_eq!(case.value("app"), value);
        case.run("plan", &["-o", "json"], Some(value)).expect(0);
    }

    // Both values are changed out of band.
    let put = json!({ "SecretId": "app", "SecretString": "other" });
    case.test_env.out_of_band.call("secretsmanager", "put_secret_value", put).expect("a put");
    let put = json!({ "Name": "/app", "Value": "other", "Overwrite": true });
    case.test_env.out_of_band.call("ssm", "put_parameter", put).expect("a put");
    case.run("drift", &["-o", "json"], Some(VALUE)).expect(2);
    case.reconcile(Some(VALUE)).expect(0);
    assert_eq!(case.value("app"), VALUE);
    let parameter = json!({ "Name": "/app", "WithDecryption": true });
    let response = case.test_env.out_of_band.call("ssm", "get_parameter", parameter).expect("a value");
    assert_eq!(response["Parameter"]["Value"], VALUE);
    case.assert_no_leak(&[VALUE, OTHER]);
}

#[test]
fn adding_a_field_keeps_the_other_fields() {
    let fields = json!({ "username": { "value": "shop" }, "password": { "generate": { "length": 20 } } });
    let mut case = TestCase::of(&json!({ "Secret/app": { "name": "app", "fields": fields } }));
    case.reconcile(None).expect(0);
    let first: Value = serde_json::from_str(&case.value("app")).expect("JSON");
    let password = first["password"].as_str().expect("a password").to_owned();
    assert_eq!((first["username"].as_str(), password.len()), (Some("shop"), 20));

    let file = case.test_env.write("token.txt", &format!("{VALUE}\n")).expect("a file");
    let mut fields = fields;
    fields["token"] = json!({ "valueFrom": { "file": file } });
    case.test_env.stack("secrets", &json!({ "Secret/app": { "name": "app", "fields": fields } })).expect("a stack");
    case.reconcile(None).expect(0);
    let second: Value = serde_json::from_str(&case.value("app")).expect("JSON");
    assert_eq!(second, json!({ "username": "shop", "password": password, "token": VALUE }));
    case.run("plan", &["-o", "json"], None).expect(0);

    // The file has another value: only that field changes.
    case.test_env.write("token.txt", OTHER).expect("a file");
    case.reconcile(None).expect(0);
    let third: Value = serde_json::from_str(&case.value("app")).expect("JSON");
    assert_eq!(third, json!({ "username": "shop", "password": password, "token": OTHER }));
    case.assert_no_leak(&[VALUE, OTHER, &password]);
}

#[test]
fn a_secret_scheduled_for_deletion_is_restored_only_with_our_owner_tags() {
    let resources = json!({ "Secret/app": { "name": "app", "generate": {}, "recoveryWindowInDays": 7 } });
    let mut case = TestCase::of(&resources);
    case.reconcile(None).expect(0);
    let value = case.value("app");
    case.run("destroy", &["--confirm", "secrets/test", "--delete-data"], None).expect(0);
    case.reconcile(None).expect(0);
    assert_eq!(case.value("app"), value);
    case.assert_no_leak(&[&value]);

    let mut case = TestCase::of(&resources);
    for (operation, parameters) in [
        ("create_secret", json!({ "Name": "app", "SecretString": "foreign" })),
        ("delete_secret", json!({ "SecretId": "app" })),
    ] {
        case.test_env.out_of_band.call("secretsmanager", operation, parameters).expect("a call");
    }
    let run = case.reconcile(None);
    assert!(run.code != 0 && run.stdout.contains("waits for its deletion"), "{run}");
}
