//! `cargo xtask demo`: the main job, from an empty account to corrected drift, with its calls and times.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use holdfast_tests::{Run, Sandbox, TestEnv};
use serde_json::{Value, json};

use crate::process::{cargo, say};

const PATH: &str = "desired-state/mashroom";
const ENV: &str = "prod";

pub(crate) fn run() -> anyhow::Result<()> {
    let began = Instant::now();
    say("building holdfast (cold: 10 to 13 minutes on two cores, the AWS SDKs; warm: seconds)");
    cargo(&["build", "--quiet", "--package", "holdfast"])?;
    Sandbox::ready(say)?;
    say("starting the sandbox: an AWS emulator, and a proxy in front of it that counts calls");
    let test_env = TestEnv::start()?;
    create_certificate(&test_env)?;

    say(&format!("holdfast reconcile {PATH} -e {ENV} --once     # an empty account"));
    step(&test_env, "reconcile", &["--once"], 0)?;
    say(&format!("holdfast plan {PATH} -e {ENV}                 # nothing to do"));
    step(&test_env, "plan", &[], 0)?;

    say("out of band: open port 22 to the world, turn the circuit breaker off, delete an alarm");
    break_it(&test_env)?;
    let metrics = Daemon::start(&test_env)?;
    let before = metrics.read()?;
    say(&format!("holdfast drift {PATH} -e {ENV}                # exit code 2: drift is found"));
    step(&test_env, "drift", &[], 2)?;

    say(&format!("holdfast reconcile {PATH} -e {ENV}            # the daemon corrects it; the metrics that changed:"));
    metrics.correct()?;
    metrics.print_changed(&before)?;
    metrics.stop()?;
    say(&format!("holdfast plan {PATH} -e {ENV}                 # nothing to do again"));
    step(&test_env, "plan", &[], 0)?;

    say(&format!("holdfast destroy {PATH} -e {ENV} --confirm mashroom/{ENV} --delete-data   # cleaning up"));
    let confirm = format!("mashroom/{ENV}");
    step(&test_env, "destroy", &["--confirm", &confirm, "--delete-data"], 0)?;
    say("all calls of the demo, as counted by the proxy");
    println!("{}", test_env.proxy.table());
    say(&format!("done in {:.0} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// Runs a command, and shows its output, its calls and its time.
fn step(test_env: &TestEnv, command: &str, more: &[&str], code: i32) -> anyhow::Result<Run> {
    let began = Instant::now();
    let count = test_env.proxy.count();
    let run = test_env.run(command, PATH, ENV, more)?;
    print!("{}{}", run.stderr, run.stdout);
    println!(
        "   exit code {}, {} calls, {:.1} s\n",
        run.code,
        test_env.proxy.count() - count,
        began.elapsed().as_secs_f64()
    );
    if run.code != code {
        bail!("`holdfast {command}` exited with {} and not {code}", run.code);
    }
    Ok(run)
}

/// Creates the issued certificate that prod looks up: the sandbox cannot validate a domain.
fn create_certificate(test_env: &TestEnv) -> anyhow::Result<()> {
    holdfast_tests::fixtures::issued_certificate(test_env, "mashroom.example.com")
}

fn live(test_env: &TestEnv, address: &str) -> anyhow::Result<Value> {
    let run = test_env.run("get", PATH, ENV, &[address, "-o", "json"])?;
    run.json()?.get(0).cloned().with_context(|| format!("{address} is not live: {run}"))
}

fn break_it(test_env: &TestEnv) -> anyhow::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = live(test_env, "SecurityGroup/web.app")?;
    let rule = json!({ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] });
    test_env.out_of_band.call(
        "ec2",
        "authorize_security_group_ingress",
        json!({ "GroupId": text(&group["id"]), "IpPermissions": [rule] }),
    )?;
    let service = live(test_env, "Service/web.app")?;
    let breaker = json!({ "enable": false, "rollback": false });
    let change = json!({ "cluster": text(&service["spec"]["cluster"]), "service": text(&service["name"]), "deploymentConfiguration": { "deploymentCircuitBreaker": breaker, "maximumPercent": 150, "minimumHealthyPercent": 100 } });
    test_env.out_of_band.call("ecs", "update_service", change)?;
    let alarms = test_env.run("get", PATH, ENV, &["-o", "json"])?.json()?;
    let alarm = alarms
        .as_array()
        .into_iter()
        .flatten()
        .find(|o| text(&o["address"]).starts_with("Alarm/"))
        .context("an alarm")?;
    test_env.out_of_band.call("cloudwatch", "delete_alarms", json!({ "AlarmNames": [text(&alarm["name"])] }))?;
    Ok(())
}

/// The daemon, on a free port. It first reports drift, and then corrects it.
struct Daemon<'s> {
    test_env: &'s TestEnv,
    child: std::cell::RefCell<holdfast_tests::Daemon>,
    address: String,
}

impl<'s> Daemon<'s> {
    fn start(test_env: &'s TestEnv) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", holdfast_tests::free_port()?);
        let child = Self::spawn(test_env, &address, "warn")?;
        Ok(Daemon { test_env, child: child.into(), address })
    }

    fn spawn(test_env: &TestEnv, address: &str, drift: &str) -> anyhow::Result<holdfast_tests::Daemon> {
        let child = test_env.holdfast().spawn([
            "reconcile",
            PATH,
            "-e",
            ENV,
            "--interval",
            "1s",
            "--listen",
            address,
            "--drift",
            drift,
        ])?;
        holdfast_tests::http::wait(&format!("http://{address}/readyz"), Duration::from_secs(60))?;
        Ok(child)
    }

    fn read(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let page = holdfast_tests::http::get(&format!("http://{}/metrics", self.address))?;
        let rows = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        Ok(rows.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn correct(&self) -> anyhow::Result<()> {
        self.child.borrow().stop(Duration::from_secs(30))?;
        let child = Self::spawn(self.test_env, &self.address, "correct")?;
        *self.child.borrow_mut() = child;
        let limit = Instant::now() + Duration::from_secs(60);
        let corrected = |rows: &BTreeMap<String, String>| {
            let sum = |name: &str| {
                rows.iter().filter(|(n, _)| n.starts_with(name)).filter_map(|(_, v)| v.parse::<f64>().ok()).sum::<f64>()
            };
            sum("holdfast_drifted_resources") == 0.0 && sum("holdfast_drift_corrected_total") > 0.0
        };
        while !corrected(&self.read()?) {
            if Instant::now() > limit {
                bail!("the daemon did not correct the drift within a minute");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn print_changed(&self, before: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let shown = ["holdfast_drift", "holdfast_steps_total", "holdfast_passes_total", "holdfast_holds"];
        for (name, value) in self.read()? {
            let was = before.get(&name).map_or("-", String::as_str);
            if was != value && shown.iter().any(|prefix| name.starts_with(prefix)) {
                println!("   {name}  {was} → {value}");
            }
        }
        println!();
        Ok(())
    }

    fn stop(self) -> anyhow::Result<()> {
        self.child.into_inner().stop(Duration::from_secs(30))?;
        Ok(())
    }
}
