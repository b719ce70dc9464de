//! The deployment matches the binary: alert rules name exported metrics, the files of `deploy/` and the daemons of
//! `desired-state/ops` use existing commands and flags, and the roles allow all calls of Holdfast.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use holdfast_tests::{Holdfast, TestEnv, env_for, sandbox};
use serde_json::Value;

fn text(path: &str) -> String {
    let path = sandbox::root().expect("a checkout").join(path);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn holdfast() -> Holdfast {
    Holdfast::new(&env_for("http://127.0.0.1:9"))
}

fn rendered(system: &str, env: &str) -> Value {
    let run = holdfast().run(["render", &format!("desired-state/{system}"), "-e", env, "-o", "json"]);
    run.expect("render").expect(0).json().expect("JSON")["resources"].take()
}

/// Returns the error of a command line: a subcommand or flag that the binary does not have.
fn command_error(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().filter(|word| *word != "\\");
    let subcommand = words.next().unwrap_or_default();
    let help = holdfast().run([subcommand, "--help"]).expect("help");
    if help.code != 0 {
        return Some(format!("`{line}`: the subcommand `{subcommand}` does not exist"));
    }
    let has = |flag: &str| {
        let mut known = help.stdout.split(|c: char| c.is_whitespace() || c == ',' || c == '=');
        known.any(|word| word == flag)
    };
    let flags = words.filter(|word| word.starts_with('-'));
    let missing: Vec<&str> = flags.map(|flag| flag.split('=').next().unwrap_or(flag)).filter(|f| !has(f)).collect();
    (!missing.is_empty()).then(|| format!("`{line}`: `{subcommand}` has no {missing:?}"))
}

/// Returns the command lines of the binary in a text: the rest of each line that begins with `holdfast `, up to a
/// redirection.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter_map(|line| line.strip_prefix("holdfast "));
    lines.map(|line| line.split(['>', '|']).next().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn alert_rules_name_metrics_that_are_exported() {
    // The server's tests check that docs/operating.md has all metrics.
    let docs = text("docs/operating.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `holdfast_"));
    let known: BTreeSet<String> =
        rows.filter_map(|row| row.split('`').next()).map(|name| format!("holdfast_{name}")).collect();
    assert!(known.len() > 15, "the table of metrics: {known:?}");

    let alerts = yaml("deploy/alerts.yaml");
    let rules = alerts["groups"][0]["rules"].as_array().expect("rules");
    let mut wrong = vec![];
    for rule in rules {
        let (name, expression) =
            (rule["alert"].as_str().expect("a name"), rule["expr"].as_str().expect("an expression"));
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let metrics: BTreeSet<&str> = words.filter(|word| word.starts_with("holdfast_")).collect();
        if metrics.is_empty() || metrics.iter().any(|metric| !known.contains(*metric)) {
            wrong.push(format!("{name}: {expression}"));
        }
        for word in ["summary", "description"] {
            if rule["annotations"][word].as_str().is_none_or(str::is_empty) {
                wrong.push(format!("{name}: no {word}"));
            }
        }
        if !docs.contains(&format!("| `{name}` |")) {
            wrong.push(format!("{name}: not in docs/operating.md"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());

    // The metrics that need a rule.
    let all = text("deploy/alerts.yaml");
    for metric in [
        "holdfast_drifted_resources",
        "holdfast_holds",
        "holdfast_passes_total",
        "holdfast_last_converged_pass_timestamp_seconds",
    ] {
        assert!(all.contains(metric), "no rule on {metric}");
    }
}

#[test]
fn the_workflow_uses_existing_commands_and_declared_roles() {
    let workflow = yaml("deploy/github-actions.yaml");
    assert_eq!(workflow["permissions"], serde_json::json!({}), "no permissions beyond those of each job");
    let roles = rendered("ops", "targets");
    let mut checked = 0;
    for (job, command, suffix) in [("plan", "plan", "plan"), ("reconcile", "reconcile", "apply")] {
        let job = &workflow["jobs"][job];
        assert_eq!(job["permissions"]["id-token"], "write");
        assert_eq!(job["permissions"]["contents"], "read");
        let steps = job["steps"].as_array().expect("steps");
        let scripts: String = steps.iter().filter_map(|step| step["run"].as_str()).collect::<Vec<_>>().join("\n");
        let commands = commands(&scripts);
        assert!(commands.iter().any(|c| c.starts_with(command)), "{commands:?}");
        let wrong: Vec<String> = commands.iter().filter_map(|c| command_error(c)).collect();
        assert_eq!(wrong, Vec::<String>::new());
        let role = steps.iter().find_map(|step| step["with"]["role-to-assume"].as_str()).expect("a role");
        for environment in job["strategy"]["matrix"]["environment"].as_array().expect("environments") {
            let environment = environment.as_str().expect("a name");
            // `<stack>-<env>-<name>`, with dashes for the dots.
            let name = format!("target-mashroom-{environment}.{suffix}");
            assert!(roles[format!("Role/{name}")].is_object(), "no Role/{name}");
            let expected = format!("role/ops-targets-target-mashroom-${{{{ matrix.environment }}}}-{suffix}");
            assert!(role.ends_with(&expected), "{role}");
            checked += 1;
        }
    }
    assert!(checked >= 2);
    assert!(text("deploy/github-actions.yaml").contains("--output markdown"));
}

#[test]
fn the_daemons_match_the_image() {
    let dockerfile = text("deploy/Dockerfile");
    let line = |start: &str| {
        let joined = dockerfile.replace("\\\n", " ");
        let found: Vec<String> = joined.lines().filter(|l| l.starts_with(start)).map(str::to_owned).collect();
        assert!(!found.is_empty(), "no {start} in the Dockerfile");
        found
    };
    // The image uses the checkout's toolchain and the locked dependencies, and does not run as root.
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).expect("a channel");
    assert_eq!(line("FROM")[0], format!("FROM rust:{channel}-alpine AS build"));
    assert_eq!(line("ENV RUSTUP_TOOLCHAIN")[0], format!("ENV RUSTUP_TOOLCHAIN={channel}"));
    assert!(dockerfile.contains("cargo build --locked --release --package holdfast"));
    assert_eq!(line("USER"), ["USER 65532:65532"]);
    assert_eq!(line("ENTRYPOINT"), ["ENTRYPOINT [\"/usr/local/bin/holdfast\"]"]);
    // All copied files exist and are in the build context.
    let ignore = text("deploy/Dockerfile.dockerignore");
    let root = sandbox::root().expect("a checkout");
    for kept in ignore.lines().filter_map(|l| l.strip_prefix('!')) {
        assert!(root.join(kept).exists(), "deploy/Dockerfile.dockerignore: {kept}");
    }
    for copied in ["desired-state", "crates", "Cargo.toml", "Cargo.lock"] {
        assert!(ignore.lines().any(|l| l == format!("!{copied}")), "the context lacks {copied}");
    }

    // ECS ignores the user and the health check of an image, so the task definition repeats them.
    let health: Value = {
        let line = line("HEALTHCHECK").remove(0);
        let (_, command) = line.split_once("CMD ").expect("a command");
        serde_json::from_str(command).expect("a list")
    };
    let image = ["render", "desired-state/ops", "-e", "prod", "--set", "image=example/holdfast:1", "-o", "json"];
    let resources = holdfast().run(image).expect("render").expect(0).json().expect("JSON")["resources"].take();
    let mut daemons = 0;
    for (address, resource) in resources.as_object().expect("resources") {
        let spec = if resource["spec"].is_object() { &resource["spec"] } else { resource };
        if address.starts_with("Service/") {
            let deployment = &spec["deploymentConfiguration"];
            let counts = [&spec["desiredCount"], &deployment["minimumHealthyPercent"], &deployment["maximumPercent"]];
            assert_eq!(counts.map(Value::as_i64), [Some(1), Some(0), Some(100)], "{address}: one writer");
        }
        if !address.starts_with("TaskDefinition/") {
            continue;
        }
        daemons += 1;
        let container = &spec["containerDefinitions"][0];
        assert_eq!(container["readonlyRootFilesystem"], true, "{address}");
        assert_eq!(container["user"], "65532:65532", "{address}");
        let checked = container["healthCheck"]["command"].as_array().expect("a command");
        assert_eq!(&checked[1..], health.as_array().expect("a list").as_slice(), "{address}");
        let command: Vec<&str> =
            container["command"].as_array().expect("a command").iter().filter_map(Value::as_str).collect();
        assert_eq!(command_error(&command.join(" ")), None, "{address}");
        // The image has the document with this environment.
        let folder = command[1].strip_prefix("/etc/holdfast/").expect("a folder of the image");
        let environment = command[command.iter().position(|w| *w == "--env").expect("--env") + 1];
        assert!(root.join(folder).join(format!("environments/{environment}.yaml")).is_file(), "{address}: {command:?}");
        let address = command[command.iter().position(|w| *w == "--listen").expect("--listen") + 1];
        assert!(health.to_string().contains(&format!("http://{address}/healthz")), "{health} {address}");
    }
    assert!(daemons > 0, "no daemon");
}

#[test]
fn the_readme_uses_existing_commands() {
    let readme = text("deploy/README.md");
    let run = readme.replace("\\\n", " ");
    let docker =
        run.lines().filter_map(|l| l.trim().strip_prefix("docker run ")).filter_map(|l| l.split_once("holdfast:dev "));
    let commands: Vec<&str> = docker.map(|(_, command)| command.trim()).collect();
    assert!(!commands.is_empty());
    let wrong: Vec<String> = commands.iter().filter_map(|c| command_error(c)).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// Returns the IAM action of a call. Some actions have another name than the call
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>).
fn action(call: &str) -> String {
    let (service, operation) = call.split_once('.').expect("service.Operation");
    let service = match service {
        "monitoring" => "cloudwatch",
        "tagging" => "tag",
        "email" => "ses",
        other => other,
    };
    let operation = match (service, operation) {
        (
            "budgets",
            "DescribeBudgets"
            | "DescribeBudget"
            | "DescribeNotificationsForBudget"
            | "DescribeSubscribersForNotification",
        ) => "ViewBudget",
        ("budgets", "TagResource" | "UntagResource" | "ListTagsForResource") => operation,
        ("budgets", _) => "ModifyBudget",
        ("cloudfront", "CreateDistributionWithTags") => "CreateDistribution",
        (_, other) => other,
    };
    format!("{service}:{operation}")
}

/// True when a text matches a pattern with `*`.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches_pattern(after, &rest[at..]))
}

/// The sandbox does not check permissions. This test checks the actions, and not their resources and conditions. Calls
/// of CloudFront and Route 53 are not checked, because the proxy knows only their method and path.
#[test]
fn the_roles_allow_all_calls() {
    let resources = rendered("ops", "targets");
    let mut allowed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (address, resource) in resources.as_object().expect("resources") {
        let Some(name) = address.strip_prefix("Policy/target-mashroom-prod.") else { continue };
        let spec = if resource["spec"].is_object() { &resource["spec"] } else { resource };
        // IAM limits a managed policy to 6144 characters.
        let text = spec["policyDocument"].to_string();
        assert!(text.len() <= 6144, "{address} has {} characters", text.len());
        for statement in spec["policyDocument"]["Statement"].as_array().expect("statements") {
            let actions = match &statement["Action"] {
                Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                one => vec![one.as_str().expect("an action").to_owned()],
            };
            allowed.entry(name).or_default().extend(actions);
        }
    }
    assert_eq!(allowed.len(), 5, "{:?}", allowed.keys());
    let may = |policies: &[&str], call: &str| {
        let action = action(call);
        call == "sts.GetCallerIdentity"
            || policies.iter().any(|p| allowed[p].iter().any(|pattern| matches_pattern(pattern, &action)))
    };
    let denied = |test_env: &TestEnv, policies: &[&str]| -> BTreeSet<String> {
        test_env
            .proxy
            .counts_by_operation()
            .into_keys()
            .filter(|call| !call.contains(' ') && !may(policies, call))
            .collect()
    };

    let test_env = TestEnv::start().expect("a test environment");
    let path = "desired-state/mashroom";
    test_env.run("reconcile", path, "next", &["--once"]).expect("reconcile").expect(0);
    let all = ["read", "network", "compute", "data", "edge"];
    assert_eq!(denied(&test_env, &all), BTreeSet::new(), "converging");
    // A plan needs only the read policy. It has no permission to read the values of secrets.
    test_env.proxy.clear();
    test_env.run("plan", path, "next", &[]).expect("plan").expect(0);
    let rejected = denied(&test_env, &["read"]);
    assert!(rejected.iter().all(|call| call == "secretsmanager.GetSecretValue"), "planning: {rejected:?}");
    test_env.proxy.clear();
    test_env.run("destroy", path, "next", &["--confirm", "mashroom/next", "--delete-data"]).expect("destroy");
    assert_eq!(denied(&test_env, &all), BTreeSet::new(), "destroying");
}
