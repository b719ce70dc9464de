//! The real binary against the sandbox: stacks of mixed resources, created, planned again and destroyed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use holdfast_tests::{Daemon, Holdfast, Run, Sandbox};
use serde_json::{Map, Value, json};

use super::Row;
use crate::process::{cargo, say};

/// The numbers of resources.
const SIZES: [usize; 4] = [250, 500, 1_000, 2_000];

/// The ticks of `/proc/self/stat` per second. The kernel reports them in this unit on every architecture.
const TICKS: f64 = 100.0;

/// The interval at which the memory of a run is read.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The timeout of a run.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Builds the binary and measures it at each size, in an account that is empty at first.
pub(super) fn measure(release: bool) -> anyhow::Result<Vec<Row>> {
    ensure!(
        Path::new("/proc/self/stat").exists(),
        "`bench --wire` reads CPU time and memory from /proc, so it needs Linux"
    );
    say("building holdfast (cold: 10 to 13 minutes on two cores, the AWS SDKs; warm: seconds)");
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    cargo(&[&["build", "--quiet", "--package", "holdfast"][..], profile].concat())?;
    Sandbox::ready(say)?;
    let mut rows = vec![];
    for resources in SIZES {
        let sandbox = Sandbox::start()?;
        let folder = tempfile::tempdir()?;
        write_stack(folder.path(), resources)?;
        let path = folder.path().to_string_lossy().into_owned();
        let mut holdfast = Holdfast::new(&sandbox.env())
            .set("HOLDFAST_STORE", &folder.path().join("store").to_string_lossy())
            .set("HOLDFAST_TIME_SCALE", "0.01");
        if release {
            holdfast = holdfast.binary(release_binary()?);
        }
        let commands: [(&str, &[&str]); 3] = [
            ("reconcile", &["--once", "-o", "json"]),
            ("plan", &["-o", "json"]),
            ("destroy", &["--confirm", "bench/test", "--delete-data", "-o", "json"]),
        ];
        for (command, more) in commands {
            say(&format!("holdfast {command}, {resources} resources"));
            rows.push(run(&holdfast, command, resources, &[&[command, &path, "-e", "test"][..], more].concat())?);
        }
    }
    // The rows of one command follow each other.
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

/// Returns the path of the release binary, beside the profile of this program.
fn release_binary() -> anyhow::Result<std::path::PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("the target directory")?;
    Ok(target.join("release/holdfast"))
}

/// Runs a command and measures it.
fn run(holdfast: &Holdfast, command: &str, resources: usize, arguments: &[&str]) -> anyhow::Result<Row> {
    let (began, before) = (Instant::now(), children_cpu()?);
    let child = holdfast.spawn(arguments)?;
    let (run, peak) = finish(&child)?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), children_cpu()? - before);
    if run.code != 0 {
        bail!("`holdfast {command}` failed: {run}");
    }
    let report = run.json()?;
    let calls = report.get("awsCalls").and_then(Value::as_u64).context("the report has `awsCalls`")?;
    let plans = report.get("plans").and_then(Value::as_u64).map(|plans| format!(", {plans} plans")).unwrap_or_default();
    let work = format!("{calls} calls{plans}, {wall:.1} s wall clock");
    Ok(Row { name: command.to_owned(), resources, cpu, work, peak })
}

/// Waits for the end of a run, and returns its peak resident memory in KiB.
fn finish(child: &Daemon) -> anyhow::Result<(Run, u64)> {
    let (began, mut peak) = (Instant::now(), 0);
    while child.is_running() {
        ensure!(began.elapsed() < TIMEOUT, "the run takes longer than {TIMEOUT:?}: {}", child.stderr());
        // The file has no memory in it once the process has ended.
        let status = fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap_or_default();
        let highest =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = highest.unwrap_or(peak).max(peak);
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok((child.wait(TIMEOUT)?, peak))
}

/// Returns the CPU time in user mode of all children that have ended, in seconds.
fn children_cpu() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program is in parentheses and may contain spaces. `cutime` is the 14th field after it.
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat has the name of the program")?;
    let ticks = fields.split_whitespace().nth(13).and_then(|field| field.parse::<f64>().ok());
    Ok(ticks.context("/proc/self/stat has the time of the children")? / TICKS)
}

/// Writes a stack of this many mixed resources, and its environment.
fn write_stack(folder: &Path, resources: usize) -> anyhow::Result<()> {
    let stack = json!({
        "apiVersion": "holdfast/v1",
        "kind": "Stack",
        "metadata": { "name": "bench" },
        "spec": {
            "regions": { "main": "us-east-1" },
            "policy": { "maxMutations": 1_000_000 },
            "resources": mixed(resources),
        },
    });
    let environment = json!({
        "apiVersion": "holdfast/v1",
        "kind": "Environment",
        "metadata": { "name": "test" },
        "spec": { "stack": "bench", "target": { "account": "123456789012" } },
    });
    fs::create_dir_all(folder.join("environments"))?;
    fs::write(folder.join("stack.yaml"), stack.to_string())?;
    fs::write(folder.join("environments/test.yaml"), environment.to_string())?;
    Ok(())
}

/// Returns mixed resources: of each 40, ten alarms that read the ARN of a topic, eight log groups, eight parameters,
/// four queues, four records, two roles, two topics, a security group and a repository.
fn mixed(resources: usize) -> Map<String, Value> {
    let mut all = Map::new();
    all.insert("Vpc/main".into(), json!({ "cidrBlock": "10.0.0.0/16" }));
    all.insert("HostedZone/main".into(), json!({ "name": "example.com" }));
    all.insert("Topic/alarms".into(), json!({ "displayName": "alarms" }));
    let trusted =
        json!({ "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole" });
    for i in all.len()..resources {
        let (kind, spec) = match i % 40 {
            0..10 => (
                "Alarm",
                json!({
                    "namespace": "AWS/SQS", "metricName": "ApproximateAgeOfOldestMessage", "statistic": "Maximum",
                    "period": 60, "evaluationPeriods": 3, "threshold": i, "comparisonOperator": "GreaterThanThreshold",
                    "dimensions": { "QueueName": format!("q{i}") }, "alarmActions": ["${Topic.alarms.arn}"],
                }),
            ),
            10..18 => ("LogGroup", json!({ "retentionInDays": 30 })),
            18..26 => ("Parameter", json!({ "type": "String", "value": format!("v{i}") })),
            26..30 => ("Queue", json!({ "visibilityTimeout": 60 })),
            30..34 => (
                "RecordSet",
                json!({
                    "zone": "main", "recordName": format!("h{i}.example.com"), "type": "A", "ttl": 300,
                    "records": [format!("10.1.{}.{}", i / 250 % 250, i % 250)],
                }),
            ),
            34..36 => {
                ("Role", json!({ "assumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [trusted] } }))
            }
            36..38 => ("Topic", json!({ "displayName": format!("t{i}") })),
            38 => ("SecurityGroup", json!({ "description": "bench", "vpc": "main" })),
            _ => ("Repository", json!({})),
        };
        all.insert(format!("{kind}/r{i}"), spec);
    }
    all
}
