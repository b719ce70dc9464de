//! `cargo xtask demo`: the main job, from an empty account to a mended drift, with what it cost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use holdfast_tests::{Run, Sandbox, Stage};
use serde_json::{Value, json};

use crate::run::{cargo, say};

const PATH: &str = "desired-state/mashroom";
const ENV: &str = "prod";

pub(crate) fn run() -> anyhow::Result<()> {
    let began = Instant::now();
    say("building holdfast (cold: 5 to 10 minutes on two cores, the AWS SDKs; warm: seconds)");
    cargo(&["build", "--quiet", "--package", "holdfast"])?;
    Sandbox::ready(say)?;
    say("starting the sandbox: an AWS emulator, and a proxy before it that counts calls");
    let stage = Stage::take()?;
    plant_certificate(&stage)?;

    say(&format!("holdfast reconcile {PATH} -e {ENV} --once     # an empty account"));
    step(&stage, "reconcile", &["--once"], 0)?;
    say(&format!("holdfast plan {PATH} -e {ENV}                 # nothing to do"));
    step(&stage, "plan", &[], 0)?;

    say("somebody opens port 22 to the world, turns the circuit breaker off, and deletes an alarm");
    break_it(&stage)?;
    let metrics = Daemon::start(&stage)?;
    let before = metrics.read()?;
    say(&format!("holdfast drift {PATH} -e {ENV}                # exit code 2: it is seen"));
    step(&stage, "drift", &[], 2)?;

    say(&format!("holdfast reconcile {PATH} -e {ENV}            # the daemon mends it; its metrics that moved:"));
    metrics.mend()?;
    metrics.print_moved(&before)?;
    metrics.stop()?;
    say(&format!("holdfast plan {PATH} -e {ENV}                 # nothing to do again"));
    step(&stage, "plan", &[], 0)?;

    say(&format!("holdfast destroy {PATH} -e {ENV}              # cleaning up"));
    let confirm = format!("mashroom/{ENV}");
    step(&stage, "destroy", &["--confirm", &confirm, "--delete-data"], 0)?;
    say("all calls of the demo, as the proxy counted them");
    println!("{}", stage.proxy.table());
    say(&format!("done in {:.0} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// Runs a command, shows what it printed and what it cost.
fn step(stage: &Stage, command: &str, more: &[&str], code: i32) -> anyhow::Result<Run> {
    let began = Instant::now();
    let count = stage.proxy.count();
    let run = stage.run(command, PATH, ENV, more)?;
    print!("{}{}", run.stderr, run.stdout);
    println!(
        "   exit code {}, {} calls, {:.1} s\n",
        run.code,
        stage.proxy.count() - count,
        began.elapsed().as_secs_f64()
    );
    if run.code != code {
        bail!("`holdfast {command}` exited with {} and not {code}", run.code);
    }
    Ok(run)
}

/// The issued certificate that prod looks up: nobody can prove a domain to an emulator.
fn plant_certificate(stage: &Stage) -> anyhow::Result<()> {
    holdfast_tests::plant::certificate(stage, "mashroom.example.com")
}

fn live(stage: &Stage, address: &str) -> anyhow::Result<Value> {
    let run = stage.run("get", PATH, ENV, &[address, "-o", "json"])?;
    run.json()?.get(0).cloned().with_context(|| format!("{address} is not live: {run}"))
}

fn break_it(stage: &Stage) -> anyhow::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = live(stage, "SecurityGroup/web.app")?;
    let rule = json!({ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] });
    stage.outside.call(
        "ec2",
        "authorize_security_group_ingress",
        json!({ "GroupId": text(&group["id"]), "IpPermissions": [rule] }),
    )?;
    let service = live(stage, "Service/web.app")?;
    let breaker = json!({ "enable": false, "rollback": false });
    let change = json!({ "cluster": text(&service["spec"]["cluster"]), "service": text(&service["name"]), "deploymentConfiguration": { "deploymentCircuitBreaker": breaker, "maximumPercent": 150, "minimumHealthyPercent": 100 } });
    stage.outside.call("ecs", "update_service", change)?;
    let alarms = stage.run("get", PATH, ENV, &["-o", "json"])?.json()?;
    let alarm = alarms
        .as_array()
        .into_iter()
        .flatten()
        .find(|o| text(&o["address"]).starts_with("Alarm/"))
        .context("an alarm")?;
    stage.outside.call("cloudwatch", "delete_alarms", json!({ "AlarmNames": [text(&alarm["name"])] }))?;
    Ok(())
}

/// The daemon, on a free port: first only watching, then mending.
struct Daemon<'s> {
    stage: &'s Stage,
    child: std::cell::RefCell<holdfast_tests::Daemon>,
    address: String,
}

impl<'s> Daemon<'s> {
    fn start(stage: &'s Stage) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", holdfast_tests::free_port()?);
        let child = Self::spawn(stage, &address, "observe")?;
        Ok(Daemon { stage, child: child.into(), address })
    }

    fn spawn(stage: &Stage, address: &str, drift: &str) -> anyhow::Result<holdfast_tests::Daemon> {
        let child = stage.holdfast().spawn([
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

    fn mend(&self) -> anyhow::Result<()> {
        self.child.borrow().stop(Duration::from_secs(30))?;
        let child = Self::spawn(self.stage, &self.address, "mend")?;
        *self.child.borrow_mut() = child;
        let limit = Instant::now() + Duration::from_secs(60);
        let mended = |rows: &BTreeMap<String, String>| {
            let sum = |name: &str| {
                rows.iter().filter(|(n, _)| n.starts_with(name)).filter_map(|(_, v)| v.parse::<f64>().ok()).sum::<f64>()
            };
            sum("holdfast_drifted_resources") == 0.0 && sum("holdfast_drift_mended_total") > 0.0
        };
        while !mended(&self.read()?) {
            if Instant::now() > limit {
                bail!("the daemon did not mend the drift within a minute");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn print_moved(&self, before: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let told = ["holdfast_drift", "holdfast_steps_total", "holdfast_passes_total", "holdfast_holds"];
        for (name, value) in self.read()? {
            let was = before.get(&name).map_or("-", String::as_str);
            if was != value && told.iter().any(|t| name.starts_with(t)) {
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
