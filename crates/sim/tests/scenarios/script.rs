//! Scripts: the commands of scenarios.
//!
//! - `document`: declares the YAML below it. `source X` before it sets its source. `empty` removes all its resources.
//! - `plan`, `drift`, `reconcile`, `destroy`: with `prune`, `delete-data`, `full-scan`, `replace=*|ADDRESS`,
//!   `drift=correct|warn|ignore`, `wait-timeout=SECONDS`, `stop-after=SECONDS`.
//! - `rollback ADDRESS [REVISION]`, `release ADDRESS`: a rollback, and its release.
//! - `account`: prints the actual resources. `calls`: prints the number of calls of the last command.
//! - `set WHICH FIELD JSON`, `tag WHICH KEY [VALUE]`, `delete WHICH`, `fail WHICH`, `create-unowned KIND NAME JSON`:
//!   `copy WHICH NAME [TAG=VALUE …]` (with the tags and the spec of WHICH): out-of-band changes. `WHICH` is an id or an
//!   address.
//! - `fault [KIND] [in=REGION] CALL WHEN FAULT`, `clear-faults`, `wait SECONDS`, `restart [without store]`, `lag`,
//!   `set-account ID`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::document::Drift;
use holdfast_core::plan::{Grant, PlanPolicy};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Cloud;
use holdfast_engine::pass::{self, PassOptions};
use holdfast_engine::rollback::{self, RollbackTarget};
use holdfast_sim::fault::{Call, Fault, FaultRule, When};
use holdfast_sim::{ActualResource, Sim, World, kinds};

use crate::show;

/// A script with the output of a run.
pub(crate) struct ScriptRun {
    pub(crate) text: String,
    /// True when the last command was a plan without steps.
    pub(crate) ends_without_steps: bool,
}

/// Runs a script, beginning with an empty account.
pub(crate) async fn run(script: &str) -> ScriptRun {
    let mut world = World::new(Sim::of_test_kinds());
    let mut run = ScriptRun { text: String::new(), ends_without_steps: false };
    let mut lines = script.lines().peekable();
    let mut calls = (0, 0);
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("> ") else {
            // All other lines are the output of an earlier run.
            if line.is_empty() || line.starts_with('#') {
                run.text += &format!("{line}\n");
            }
            continue;
        };
        run.text += &format!("{line}\n");
        let mut input = String::new();
        while let Some(below) = lines.next_if(|line| line.starts_with("    ")) {
            input += &format!("{}\n", &below[4..]);
            run.text += &format!("{below}\n");
        }
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = match words[0] {
            "calls" => format!("{} reads, {} mutations\n", calls.0, calls.1),
            _ => {
                let before = world.sim.calls();
                let output = execute(&mut world, words[0], &words[1..], command, &input).await;
                let after = world.sim.calls();
                let mutations = after.mutating() - before.mutating();
                calls = (after.total() - before.total() - mutations, mutations);
                output
            }
        };
        run.ends_without_steps = words[0] == "plan" && !has_steps(&output);
        run.text += &output;
    }
    run
}

fn has_steps(plan: &str) -> bool {
    plan.lines().any(|line| !["held ", "condition ", "nothing to do"].iter().any(|start| line.starts_with(start)))
}

async fn execute(world: &mut World, command: &str, words: &[&str], line: &str, input: &str) -> String {
    match command {
        "document" => world.declare(input).err().map(|errors| format!("{errors}\n")).unwrap_or_default(),
        "empty" => {
            world.document.as_mut().expect("a document").resources.clear();
            String::new()
        }
        "source" => {
            world.source = words[0].into();
            String::new()
        }
        "plan" | "drift" | "reconcile" | "destroy" => drive(world, command, words).await,
        "rollback" | "release" => rollback(world, command, words).await,
        "account" => show::account(&world.sim.resources()),
        "set" => outcome(world.sim.set(words[0], words[1], value(line, 3))),
        "tag" => outcome(world.sim.set_tag(words[0], words[1], words.get(2).copied())),
        "delete" => outcome(world.sim.remove(words[0])),
        "fail" => outcome(world.sim.fail(words[0])),
        "create-unowned" => {
            let schema = kinds::REGISTRY.get(words[0]).expect("a kind");
            let spec = value(line, 3);
            format!("{}\n", world.sim.create_unowned(schema, "us-east-1", words[1], spec, BTreeMap::new()))
        }
        "copy" => copy(world, words),
        "fault" => {
            world.sim.inject(rule(words));
            String::new()
        }
        "set-account" => {
            world.sim.set_account(words[0]);
            String::new()
        }
        "clear-faults" => {
            world.sim.clear_faults();
            String::new()
        }
        "wait" => {
            tokio::time::sleep(Duration::from_secs(words[0].parse().expect("seconds"))).await;
            String::new()
        }
        "restart" => {
            world.restart(!words.is_empty());
            String::new()
        }
        "lag" => {
            *world = World::new(Sim::of_lagging_kinds());
            String::new()
        }
        other => panic!("there is no command `{other}`"),
    }
}

async fn rollback(world: &mut World, command: &str, words: &[&str]) -> String {
    let document = world.document.clone().expect("a document");
    let target = match (command, words) {
        ("release", _) => RollbackTarget::Release,
        (_, [_, revision]) => RollbackTarget::To(revision),
        _ => RollbackTarget::Previous,
    };
    let name = |id: &str| id.rsplit('/').next().unwrap_or(id).to_owned();
    match rollback::run(&world.engine, &document, &words[0].parse().expect("an address"), target).await {
        Ok(rollback) if rollback.operations.is_empty() => "nothing is held\n".into(),
        Ok(rollback) if rollback.from == rollback.to => format!("released at {}\n", name(&rollback.to)),
        Ok(rollback) => {
            let held = if rollback.held { ", held" } else { "" };
            format!("{} → {}{held}\n", name(&rollback.from), name(&rollback.to))
        }
        Err(error) => format!("error: {error}\n"),
    }
}

/// Creates a resource out of band with the spec and the tags of another one.
fn copy(world: &World, words: &[&str]) -> String {
    let is_meant = |r: &ActualResource| r.id == words[0] || r.owner().is_some_and(|owner| owner.address == words[0]);
    let Some(original) = world.sim.resources().into_iter().find(is_meant) else { return outcome(false) };
    let schema = kinds::REGISTRY.get(original.kind).expect("a kind");
    let mut tags = original.tags;
    for (key, value) in words[2..].iter().filter_map(|word| word.split_once('=')) {
        tags.insert(key.to_owned(), value.to_owned());
    }
    let name = if schema.naming.tag { original.name.as_str() } else { words[1] };
    format!("{}\n", world.sim.create_unowned(schema, &original.region, name, original.spec, tags))
}

fn outcome(is_found: bool) -> String {
    if is_found { String::new() } else { "no such resource exists\n".into() }
}

/// Returns the JSON after the first `skip` words of a line.
fn value(line: &str, skip: usize) -> Value {
    let json = line.splitn(skip + 1, ' ').nth(skip).unwrap_or("{}");
    Value::from(serde_json::from_str::<serde_json::Value>(json).expect("JSON"))
}

async fn drive(world: &mut World, command: &str, words: &[&str]) -> String {
    let document = world.document.clone().expect("a document");
    let options = options(world, command, words);
    match command {
        "plan" => match pass::dry_run(&world.engine, &document, &options).await {
            Ok(dry_run) => show::plan(&dry_run.plan),
            Err(error) => format!("error: {error}\n"),
        },
        "drift" => match pass::dry_run(&world.engine, &document, &options).await {
            Ok(dry_run) => show::drift(&dry_run.plan),
            Err(error) => format!("error: {error}\n"),
        },
        _ => match pass::run(&world.engine, &document, &options).await {
            Ok(report) => show::report(&report),
            Err(error) => format!("error: {error}\n"),
        },
    }
}

fn options(world: &World, command: &str, words: &[&str]) -> PassOptions {
    let mut policy = PlanPolicy { destroy: command == "destroy", ..PlanPolicy::default() };
    let (mut full_scan, mut wait_timeout) = (false, 3600);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("prune", _) => policy.prune = true,
            ("delete-data", _) => policy.delete_data = true,
            ("full-scan", _) => full_scan = true,
            ("replace", "*") => policy.replace = Grant::All,
            ("replace", address) => {
                policy.replace = Grant::Some(BTreeSet::from([address.parse().expect("an address")]))
            }
            ("drift", "correct") => policy.drift = Some(Drift::Correct),
            ("drift", "warn") => policy.drift = Some(Drift::Warn),
            ("drift", "ignore") => policy.drift = Some(Drift::Ignore),
            ("wait-timeout", seconds) => wait_timeout = seconds.parse().expect("seconds"),
            ("stop-after", seconds) => world.stop_after(Duration::from_secs_f64(seconds.parse().expect("seconds"))),
            _ => panic!("`{word}` is no option of `{command}`"),
        }
    }
    world.options(policy, full_scan, Duration::from_secs(wait_timeout))
}

/// Parses `[KIND] [in=REGION] CALL WHEN FAULT`, for example `Vpc create first=1 fail-after`.
fn rule(words: &[&str]) -> FaultRule {
    let (kind, words) = match words {
        [kind, rest @ ..] if kinds::REGISTRY.get(kind).is_some() => (Some((*kind).to_owned()), rest),
        words => (None, words),
    };
    let (region, words) = match words {
        [region, rest @ ..] if region.starts_with("in=") => (Some(region[3..].to_owned()), rest),
        words => (None, words),
    };
    let [call, when, fault] = words else { panic!("a fault is `[KIND] CALL WHEN FAULT`") };
    let number = |text: &str| text.parse().expect("a number");
    let call = match *call {
        "any" => Call::Any,
        "observe" => Call::Observe,
        "mutation" => Call::Mutation,
        "create" => Call::Create,
        "update" => Call::Update,
        "delete" => Call::Delete,
        "tag" => Call::Tag,
        other => panic!("there is no call `{other}`"),
    };
    let when = match when.split_once('=') {
        None => When::Always,
        Some(("every", n)) => When::Every(number(n)),
        Some((_, n)) => When::First(number(n)),
    };
    let fault = match fault.split_once('=').unwrap_or((fault, "0")) {
        ("throttle", _) => Fault::Throttle,
        ("not-found", _) => Fault::NotFound,
        ("fail-before", _) => Fault::FailBefore,
        ("fail-after", _) => Fault::FailAfter,
        ("no-reply", s) => Fault::NoReply { timeout: Duration::from_secs(number(s)), effect: true },
        ("no-request", s) => Fault::NoReply { timeout: Duration::from_secs(number(s)), effect: false },
        ("refuse", _) => Fault::Refuse("you are not allowed to do this".into()),
        ("no-effect", _) => Fault::NoEffect,
        ("undo", s) => Fault::Undo(Duration::from_secs(number(s))),
        (other, _) => panic!("there is no fault `{other}`"),
    };
    FaultRule { kind, region, call, when, fault }
}
