//! Scripts: what each command does.
//!
//! - `document`: declares what stands below. `origin X` before it says from where. `empty` takes all resources out.
//! - `plan`, `drift`, `reconcile`, `destroy`: with `prune`, `delete-data`, `everywhere`, `replace=*|ADDRESS`,
//!   `drift=mend|alert|observe`, `patience=SECONDS`, `stop-after=SECONDS`.
//! - `rollback ADDRESS [REVISION]`, `release ADDRESS`: what the command of that name does.
//! - `account`: what is really there. `calls`: what the last command called.
//! - `set WHICH FIELD JSON`, `tag WHICH KEY [VALUE]`, `delete WHICH`, `fail WHICH`, `plant KIND NAME`: somebody else.
//!   `WHICH` is an id or an address.
//! - `fault [KIND] [in=REGION] CALL WHEN FAULT`, `heal`, `wait SECONDS`, `restart [without store]`, `lag`, `set-account ID`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::document::Drift;
use holdfast_core::plan::{Grant, Policy};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Cloud;
use holdfast_engine::pass::Options;
use holdfast_engine::rollback::Wish;
use holdfast_sim::fault::{Call, Fault, Rule, When};
use holdfast_sim::{Sim, World, kinds};

use crate::show;

/// A script with the output of this run.
pub(crate) struct Played {
    pub(crate) text: String,
    /// True when the last command was a plan that has no steps.
    pub(crate) ended: bool,
}

/// Plays a script from an empty account.
pub(crate) async fn play(script: &str) -> Played {
    let mut world = World::new(Sim::of_test_kinds());
    let mut played = Played { text: String::new(), ended: false };
    let mut lines = script.lines().peekable();
    let mut calls = (0, 0);
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("> ") else {
            // What is neither a command nor a comment was printed by an earlier run.
            if line.is_empty() || line.starts_with('#') {
                played.text += &format!("{line}\n");
            }
            continue;
        };
        played.text += &format!("{line}\n");
        let mut input = String::new();
        while let Some(below) = lines.next_if(|line| line.starts_with("    ")) {
            input += &format!("{}\n", &below[4..]);
            played.text += &format!("{below}\n");
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
        played.ended = words[0] == "plan" && !has_steps(&output);
        played.text += &output;
    }
    played
}

fn has_steps(plan: &str) -> bool {
    plan.lines().any(|line| !line.starts_with("held ") && !line.starts_with("nothing to do"))
}

async fn execute(world: &mut World, command: &str, words: &[&str], line: &str, input: &str) -> String {
    match command {
        "document" => world.declare(input).err().map(|errors| format!("{errors}\n")).unwrap_or_default(),
        "empty" => {
            world.document.as_mut().expect("a document").resources.clear();
            String::new()
        }
        "origin" => {
            world.origin = words[0].into();
            String::new()
        }
        "plan" | "drift" | "reconcile" | "destroy" => drive(world, command, words).await,
        "rollback" | "release" => rollback(world, command, words).await,
        "account" => show::account(&world.sim.things()),
        "set" => done(world.sim.set(words[0], words[1], value(line, 3))),
        "tag" => done(world.sim.set_tag(words[0], words[1], words.get(2).copied())),
        "delete" => done(world.sim.remove(words[0])),
        "fail" => done(world.sim.fail(words[0])),
        "plant" => {
            let schema = kinds::REGISTRY.get(words[0]).expect("a kind");
            let spec = value(line, 3);
            format!("{}\n", world.sim.plant(schema, "us-east-1", words[1], spec, BTreeMap::new()))
        }
        "fault" => {
            world.sim.fault(rule(words));
            String::new()
        }
        "set-account" => {
            world.sim.set_account(words[0]);
            String::new()
        }
        "heal" => {
            world.sim.heal();
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
    let wish = match (command, words) {
        ("release", _) => Wish::Release,
        (_, [_, revision]) => Wish::To(revision),
        _ => Wish::Previous,
    };
    let name = |id: &str| id.rsplit('/').next().unwrap_or(id).to_owned();
    match world.engine.rollback(&document, &words[0].parse().expect("an address"), wish).await {
        Ok(done) if done.ops.is_empty() => "nothing is held back\n".into(),
        Ok(done) if done.from == done.to => format!("released at {}\n", name(&done.to)),
        Ok(done) => format!("{} → {}{}\n", name(&done.from), name(&done.to), if done.held { ", held" } else { "" }),
        Err(error) => format!("error: {error}\n"),
    }
}

fn done(done: bool) -> String {
    if done { String::new() } else { "there is no such resource\n".into() }
}

/// The JSON after the first `skip` words of a line.
fn value(line: &str, skip: usize) -> Value {
    let json = line.splitn(skip + 1, ' ').nth(skip).unwrap_or("{}");
    Value::from(serde_json::from_str::<serde_json::Value>(json).expect("JSON"))
}

async fn drive(world: &mut World, command: &str, words: &[&str]) -> String {
    let document = world.document.clone().expect("a document");
    let options = options(world, command, words);
    match command {
        "plan" => match world.engine.look(&document, &options).await {
            Ok(look) => show::plan(&look.plan),
            Err(error) => format!("error: {error}\n"),
        },
        "drift" => match world.engine.look(&document, &options).await {
            Ok(look) => show::drift(&look.plan),
            Err(error) => format!("error: {error}\n"),
        },
        _ => match world.engine.pass(&document, &options).await {
            Ok(report) => show::report(&report),
            Err(error) => format!("error: {error}\n"),
        },
    }
}

fn options(world: &World, command: &str, words: &[&str]) -> Options {
    let mut policy = Policy { destroy: command == "destroy", ..Policy::default() };
    let (mut everywhere, mut patience) = (false, 3600);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("prune", _) => policy.prune = true,
            ("delete-data", _) => policy.delete_data = true,
            ("everywhere", _) => everywhere = true,
            ("replace", "*") => policy.replace = Grant::All,
            ("replace", address) => {
                policy.replace = Grant::Some(BTreeSet::from([address.parse().expect("an address")]))
            }
            ("drift", "observe") => policy.drift = Some(Drift::Observe),
            ("patience", seconds) => patience = seconds.parse().expect("seconds"),
            ("stop-after", seconds) => world.stop_after(Duration::from_secs_f64(seconds.parse().expect("seconds"))),
            _ => panic!("`{word}` is no option of `{command}`"),
        }
    }
    world.options(policy, everywhere, Duration::from_secs(patience))
}

/// `[KIND] [in=REGION] CALL WHEN FAULT`, as in `Vpc create first=1 fail-after`.
fn rule(words: &[&str]) -> Rule {
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
        ("gone", _) => Fault::Gone,
        ("fail-before", _) => Fault::FailBefore,
        ("fail-after", _) => Fault::FailAfter,
        ("no-reply", s) => Fault::NoReply { patience: Duration::from_secs(number(s)), effect: true },
        ("no-request", s) => Fault::NoReply { patience: Duration::from_secs(number(s)), effect: false },
        ("refuse", _) => Fault::Refuse("you are not allowed to do this".into()),
        ("drop", _) => Fault::Drop,
        ("undo", s) => Fault::Undo(Duration::from_secs(number(s))),
        (other, _) => panic!("there is no fault `{other}`"),
    };
    Rule { kind, region, call, when, fault }
}
