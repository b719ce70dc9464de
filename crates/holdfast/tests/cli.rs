//! The command line without AWS: exit codes, output formats, grants, and the errors of documents.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The result of a command.
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the binary with arguments that are separated by spaces, without the variables that set flags.
fn holdfast(folder: &Path, arguments: &str) -> Finished {
    let output = Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .args(arguments.split(' '))
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Writes a stack with one resource and two environments to a folder of its own, and returns the folder.
fn stack(name: &str, vpc: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(folder.join("environments")).expect("a folder");
    let head =
        |kind: &str, name: &str| format!("apiVersion: holdfast/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\n");
    let stack = format!("{}spec:\n  resources:\n    Vpc/main: {vpc}\n", head("Stack", "shop"));
    fs::write(folder.join("stack.yaml"), stack).expect("a file");
    for env in ["dev", "prod"] {
        let spec = "spec: { stack: shop, target: { account: \"123456789012\", region: us-east-1 } }\n";
        let file = folder.join(format!("environments/{env}.yaml"));
        fs::write(file, head("Environment", env) + spec).expect("a file");
    }
    folder
}

#[test]
fn a_usage_error_exits_with_1() {
    let folder = stack("usage", "{ cidrBlock: 10.0.0.0/16 }");
    for arguments in ["plan", "plan . -e dev --no-such-flag", "no-such-command", "validate . -o markdown"] {
        let finished = holdfast(&folder, arguments);
        assert_eq!(finished.code, Some(1), "{arguments}: {}", finished.stderr);
        assert!(finished.stderr.starts_with("error: "), "{arguments}: {}", finished.stderr);
    }
    let zero = holdfast(&folder, "reconcile . -e dev --interval 0s");
    assert_eq!(zero.code, Some(1));
    assert!(zero.stderr.contains("`0s` is zero"), "{}", zero.stderr);
    assert_eq!(holdfast(&folder, "--help").code, Some(0));
    assert_eq!(holdfast(&folder, "--version").code, Some(0));
}

#[test]
fn validate_prints_one_list_of_the_errors_of_all_environments() {
    let valid = stack("valid", "{ cidrBlock: 10.0.0.0/16 }");
    let finished = holdfast(&valid, "validate . -o json");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "[]\n"));
    let text = holdfast(&valid, "validate .").stdout;
    assert_eq!(text, "shop/dev: 1 resource, no errors\nshop/prod: 1 resource, no errors\n");

    let invalid = stack("invalid", "{ cidrBlock: 10.0.0.0/16, cidr: x }");
    let finished = holdfast(&invalid, "validate . -o json");
    assert_eq!(finished.code, Some(1));
    let errors: serde_json::Value = serde_json::from_str(&finished.stdout).expect("one JSON document");
    let errors = errors.as_array().expect("a list");
    assert_eq!(errors.len(), 1, "both environments have the same error: {errors:?}");
    assert_eq!(errors[0]["message"], "unknown field `cidr` in Vpc");
    assert_eq!(errors[0]["line"], 6);
    assert_eq!(errors[0]["column"], 41);
}

#[test]
fn a_grant_for_an_unknown_address_is_an_error_that_names_a_near_address() {
    let folder = stack("grant", "{ cidrBlock: 10.0.0.0/16 }");
    for command in ["plan", "drift", "reconcile", "reconcile --once"] {
        let finished = holdfast(&folder, &format!("{command} . -e dev --allow-replace Vpc/mian"));
        assert_eq!(finished.code, Some(1), "{command}");
        let message = "the document has no Vpc/mian; did you mean `Vpc/main`?; nothing was changed";
        assert!(finished.stderr.contains(message), "{command}: {}", finished.stderr);
    }
}

#[test]
fn explain_knows_the_common_fields_and_the_attributes() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (what, expected) in [
        ("Vpc.lifecycle.replace", "Vpc.lifecycle.replace: one of allow, refuse\n"),
        ("Vpc.tags", "Vpc.tags: a map of strings\n"),
        ("Vpc.dependsOn", "Vpc.dependsOn: a list of strings\n"),
        ("Vpc.id", "Vpc.id: a string\n"),
    ] {
        let finished = holdfast(folder, &format!("explain {what}"));
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.starts_with(expected), "{}", finished.stdout);
    }
    for arguments in ["explain Vpc -o json", "explain -o markdown", "explain Vpc.tags -o markdown"] {
        let finished = holdfast(folder, arguments);
        assert_eq!(finished.code, Some(1), "{arguments}: {}", finished.stdout);
        assert!(finished.stderr.contains("-o text"), "{arguments}: {}", finished.stderr);
    }
}

/// Runs the binary with closed pipes as stdout and stderr, and returns the exit code.
fn run_into_closed_pipes(folder: &Path, arguments: &str) -> Option<i32> {
    let closed = || std::io::pipe().expect("a pipe").1;
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(arguments.split(' ')).current_dir(folder).env_clear().stdout(closed()).stderr(closed());
    command.status().expect("the binary runs").code()
}

#[test]
fn a_reader_that_closes_the_pipe_early_is_no_crash() {
    let folder = stack("pipe", "{ cidrBlock: 10.0.0.0/16 }");
    for (arguments, code) in [
        ("completions bash", 0),
        ("schema", 0),
        ("--help", 0),
        ("validate .", 0),
        ("validate . -o json", 0),
        ("render . -e dev", 0),
        ("graph . -e dev", 0),
        ("explain", 0),
        ("explain Vpc -o markdown", 0),
        ("explain Vpc.cidrBlock", 0),
        ("explain NoSuchKind", 1),
        ("render . -e none", 1),
        ("plan . -e dev --no-such-flag", 1),
        ("plan . -e dev --allow-replace Vpc/none", 1),
    ] {
        assert_eq!(run_into_closed_pipes(&folder, arguments), Some(code), "{arguments}");
    }
}

#[test]
fn a_file_that_is_no_plan_of_the_stack_is_refused_before_any_call() {
    let folder = stack("saved", "{ cidrBlock: 10.0.0.0/16 }");
    let plan = |version: &str, env: &str| {
        format!(
            r#"{{"apiVersion": "holdfast/v1", "kind": "Plan", "version": "{version}", "stack": "shop", "env": "{env}",
                "digest": "a", "documentDigest": "b", "prune": false, "deleteData": false, "allowReplace": [],
                "plan": {{}}}}"#
        )
    };
    for (text, message) in [
        ("{}".to_owned(), "is no plan; make a new plan"),
        (plan(env!("CARGO_PKG_VERSION"), "prod"), "is the plan of shop/prod, and the document is shop/dev"),
        (plan("0.0.0", "dev"), "was made by version 0.0.0 of Holdfast"),
    ] {
        fs::write(folder.join("plan.json"), text).expect("a file");
        let finished = holdfast(&folder, "reconcile . -e dev --once --plan plan.json");
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(finished.stderr.contains(message), "{}", finished.stderr);
        assert!(finished.stderr.contains("nothing was changed"), "{}", finished.stderr);
    }
}
