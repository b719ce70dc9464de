//! The systems that ship: every environment of every document under `desired-state`, with what tests/systems.yaml
//! says has to be there before, and what was measured.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Call, Holdfast, Run, Stage, plant, sandbox, table};

/// tests/systems.yaml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// By environment, as `system/environment`.
    pub environments: BTreeMap<String, Entry>,
    /// Changes of size: one environment becomes another.
    #[serde(default)]
    pub sizes: Vec<Size>,
}

/// What an environment needs before it can be made, and what it costs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Domains of issued certificates that it looks up; `domain@region` elsewhere than in the main region.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// What else is there before: calls from outside.
    #[serde(default)]
    pub before: Vec<table::Calls>,
    /// Environment variables that secret values come from, where any value will not do.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What was measured last; a twentieth more is a regression, of reads a quarter.
    pub measured: Option<Figures>,
    /// What is promised, when it is.
    pub promised: Option<Figures>,
    /// Kinds of which live resources stay, as the document wants it, when all else is destroyed.
    #[serde(default)]
    pub stays: BTreeMap<String, String>,
}

/// Counts. In a promise, 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Figures {
    /// Resources of the document that are live.
    pub resources: usize,
    /// Calls of a sweep that finds nothing to do.
    pub sweep: usize,
    /// Calls that change something, from an empty account.
    pub mutating: usize,
    /// Reads that are no polls, from an empty account.
    pub reads: usize,
}

/// From one environment to another by parameters and patches alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// `system/environment`: what is live.
    pub from: String,
    /// The environment whose parameters and patches it takes over.
    pub to: String,
    /// Parameters that stay what they were, since they say where it is and not how large: a domain.
    #[serde(default)]
    pub keeps: BTreeSet<String>,
    /// What AWS cannot change in place: `Kind/name field, field`.
    #[serde(default)]
    pub replaces: BTreeSet<String>,
}

/// One environment of one system.
#[derive(Clone, Debug)]
pub struct System {
    /// The stack's folder under `desired-state`.
    pub system: String,
    /// The environment.
    pub env: String,
    /// What tests/systems.yaml says of it.
    pub entry: Entry,
}

/// Reads tests/systems.yaml.
///
/// # Errors
/// When it is not there, or says what no table can.
pub fn table() -> anyhow::Result<Table> {
    let text = fs::read_to_string(sandbox::root()?.join("tests/systems.yaml"))?;
    serde_saphyr::from_str(&text).context("tests/systems.yaml")
}

/// Every environment of every system, found by its file.
///
/// # Errors
/// When the table cannot be read.
pub fn all() -> anyhow::Result<Vec<System>> {
    let table = table()?;
    let mut found = vec![];
    for system in names(&sandbox::root()?.join("desired-state"), "")? {
        let folder = sandbox::root()?.join("desired-state").join(&system).join("environments");
        if !folder.is_dir() {
            continue;
        }
        for env in names(&folder, ".yaml")? {
            let entry = table.environments.get(&format!("{system}/{env}")).cloned().unwrap_or_default();
            let mut system = System { system: system.clone(), env, entry };
            system.find_variables()?;
            found.push(system);
        }
    }
    Ok(found)
}

fn names(folder: &Path, end: &str) -> anyhow::Result<BTreeSet<String>> {
    let files = fs::read_dir(folder).with_context(|| folder.display().to_string())?.flatten();
    Ok(files.filter_map(|f| Some(f.file_name().to_str()?.strip_suffix(end)?.to_owned())).collect())
}

impl System {
    /// `system/environment`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.system, self.env)
    }

    /// The document, as commands take it.
    pub fn path(&self) -> String {
        format!("desired-state/{}", self.system)
    }

    /// The document and its components as they are written.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn text(&self) -> anyhow::Result<String> {
        let folder = sandbox::root()?.join("desired-state");
        Ok(text(&folder.join(&self.system))? + &text(&folder.join("lib"))?)
    }

    /// Every variable that the document takes a value from has one.
    fn find_variables(&mut self) -> anyhow::Result<()> {
        let holdfast = Holdfast::new(&crate::env_for("http://127.0.0.1:9"));
        let run = holdfast.run(["render", &self.path(), "-e", &self.env, "-o", "json"])?;
        // A document that does not render fails in its own test.
        let mut rest = vec![run.json().unwrap_or_default()];
        while let Some(value) = rest.pop() {
            if let Some(name) = value["valueFrom"]["env"].as_str() {
                let value = || format!("value-of-{}", name.to_ascii_lowercase().replace('_', "-"));
                self.entry.variables.entry(name.to_owned()).or_insert_with(value);
            }
            match value {
                Value::Array(list) => rest.extend(list),
                Value::Object(map) => rest.extend(map.into_iter().map(|(_, value)| value)),
                _ => (),
            }
        }
        Ok(())
    }

    /// An empty stage with what has to be there before.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub fn stage(&self) -> anyhow::Result<Stage> {
        let stage = Stage::take()?;
        self.plant(&stage)?;
        Ok(stage)
    }

    /// Plants what has to be there before.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub fn plant(&self, stage: &Stage) -> anyhow::Result<()> {
        for certificate in &self.entry.certificates {
            let (domain, region) = certificate.split_once('@').unwrap_or((certificate, crate::REGION));
            plant::certificate_in(stage, region, domain)?;
        }
        table::Known::default().call(&stage.outside, &self.entry.before)
    }

    /// The binary, with the variables that secret values come from.
    pub fn holdfast(&self, stage: &Stage) -> Holdfast {
        let set = |holdfast: Holdfast, (name, value): (&String, &String)| holdfast.set(name, value);
        self.entry.variables.iter().fold(stage.holdfast(), set)
    }

    /// Runs a command on this environment of the document at `path`.
    ///
    /// # Errors
    /// When it does not start or takes too long.
    pub fn run(&self, stage: &Stage, path: &str, command: &str, more: &[&str]) -> anyhow::Result<Run> {
        self.holdfast(stage).run([&[command, path, "-e", &self.env], more].concat())
    }

    /// Copies the document with its components into the stage's folder, where it can be changed, and returns its path.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn copy(&self, stage: &Stage) -> anyhow::Result<String> {
        let from = sandbox::root()?.join("desired-state");
        let to = stage.folder.path().join("desired-state");
        for folder in ["lib", &self.system] {
            copy(&from.join(folder), &to.join(folder))?;
        }
        Ok(to.join(&self.system).to_string_lossy().into_owned())
    }

    /// In a copy at `path`, gives this environment the parameters and patches of another, and keeps its name and
    /// the parameters `keeps`.
    ///
    /// # Errors
    /// When there is no such environment.
    pub fn becomes(&self, path: &str, other: &str, keeps: &BTreeSet<String>) -> anyhow::Result<()> {
        let file = |env: &str| Path::new(path).join(format!("environments/{env}.yaml"));
        let text = fs::read_to_string(file(other)).with_context(|| format!("no environment {other}"))?;
        let mut environment: Value = serde_saphyr::from_str(&text)?;
        environment["metadata"]["name"] = self.env.as_str().into();
        let own: Value = serde_saphyr::from_str(&fs::read_to_string(file(&self.env))?)?;
        for name in keeps {
            let value = &own["spec"]["parameters"][name];
            let Some(parameters) = environment["spec"]["parameters"].as_object_mut() else { continue };
            match value {
                Value::Null => drop(parameters.remove(name)),
                value => drop(parameters.insert(name.clone(), value.clone())),
            }
        }
        // JSON is YAML.
        fs::write(file(&self.env), serde_json::to_string_pretty(&environment)?)?;
        Ok(())
    }

    /// In a copy at `path`, patches a resource in this environment.
    ///
    /// # Errors
    /// When its file cannot be read or written.
    pub fn patch(&self, path: &str, address: &str, fields: Value) -> anyhow::Result<()> {
        let file = Path::new(path).join(format!("environments/{}.yaml", self.env));
        let mut environment: Value = serde_saphyr::from_str(&fs::read_to_string(&file)?)?;
        environment["spec"]["patches"][address] = fields;
        fs::write(&file, serde_json::to_string_pretty(&environment)?)?;
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

fn text(folder: &Path) -> anyhow::Result<String> {
    let mut all = String::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        all += &if path.is_dir() { text(&path)? } else { fs::read_to_string(&path)? };
    }
    Ok(all)
}

/// The regions in which an environment is live.
///
/// # Errors
/// When they cannot be asked for.
pub fn regions(system: &System, stage: &Stage) -> anyhow::Result<Vec<String>> {
    let run = system.run(stage, &system.path(), "get", &["-o", "json"])?;
    let list = run.json()?;
    let told = list.as_array().into_iter().flatten().filter_map(|o| o["region"].as_str());
    let mut regions: BTreeSet<&str> = told.filter(|region| region.contains('-')).collect();
    regions.insert(crate::REGION);
    Ok(regions.into_iter().map(str::to_owned).collect())
}

/// The reads that only wait: the same read again, while nothing of its service was changed in between, in that region.
pub fn polls(calls: &[Call]) -> usize {
    let mut changes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut last: BTreeMap<(&str, &str, &str, String), usize> = BTreeMap::new();
    let mut polls = 0;
    for call in calls {
        let changed = changes.entry((&call.service, &call.region)).or_default();
        if call.mutating {
            *changed += 1;
            continue;
        }
        let same =
            (call.service.as_str(), call.region.as_str(), call.line.as_str(), call.operation.clone() + &call.body);
        polls += usize::from(last.insert(same, *changed) == Some(*changed));
    }
    polls
}

/// What carries the owner tags of an environment, asked of the sandbox in these regions past Holdfast: the Tagging
/// API, IAM, EC2 and ELB. What waits for the end of its recovery window is not live any more.
///
/// # Errors
/// When the sandbox refuses.
pub fn owned(stage: &Stage, stack: &str, env: &str, regions: &[String]) -> anyhow::Result<Vec<String>> {
    let mut found = plant::owned(stage, stack, env)?;
    let filter = |key: &str, value: &str| json!({ "Key": key, "Values": [value] });
    let filters = json!([filter("holdfast:stack", stack), filter("holdfast:env", env)]);
    for region in regions {
        let mut token = String::new();
        loop {
            let asked = json!({ "TagFilters": filters, "ResourcesPerPage": 100, "PaginationToken": token });
            let page = stage.outside.call_in(region, "resourcegroupstaggingapi", "get_resources", asked)?;
            for entry in page["ResourceTagMappingList"].as_array().into_iter().flatten() {
                let arn = entry["ResourceARN"].as_str().unwrap_or_default();
                if !is_gone(stage, region, arn) {
                    found.push(arn.to_owned());
                }
            }
            token = page["PaginationToken"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether the Tagging API still shows what has been deleted, as AWS's does for a while.
fn is_gone(stage: &Stage, region: &str, arn: &str) -> bool {
    let part = |n: usize| arn.split(':').nth(n).unwrap_or_default();
    let last = arn.rsplit(['/', ':']).next().unwrap_or_default();
    let ask = |service: &str, operation: &str, asked: Value| stage.outside.call_in(region, service, operation, asked);
    let is = |answer: anyhow::Result<Value>, path: &str, words: &[&str]| match answer {
        Ok(answer) => answer.pointer(path).and_then(Value::as_str).is_some_and(|word| words.contains(&word)),
        Err(_) => true,
    };
    match part(2) {
        "kms" => is(ask("kms", "describe_key", json!({ "KeyId": arn })), "/KeyMetadata/KeyState", &["PendingDeletion"]),
        "secretsmanager" => ask("secretsmanager", "describe_secret", json!({ "SecretId": arn }))
            .map_or(true, |s| s["DeletedDate"].is_string()),
        "ec2" if last.starts_with("nat-") => is(
            ask("ec2", "describe_nat_gateways", json!({ "NatGatewayIds": [last] })),
            "/NatGateways/0/State",
            &["deleted", "deleting"],
        ),
        "ec2" if last.starts_with("pcx-") => is(
            ask("ec2", "describe_vpc_peering_connections", json!({ "VpcPeeringConnectionIds": [last] })),
            "/VpcPeeringConnections/0/Status/Code",
            &["deleted", "deleting"],
        ),
        "ec2" if last.starts_with("i-") => is(
            ask("ec2", "describe_instances", json!({ "InstanceIds": [last] })),
            "/Reservations/0/Instances/0/State/Name",
            &["terminated"],
        ),
        "ecs" if part(5).starts_with("task-definition/") => is(
            ask("ecs", "describe_task_definition", json!({ "taskDefinition": arn })),
            "/taskDefinition/status",
            &["INACTIVE", "DELETE_IN_PROGRESS"],
        ),
        "ecs" if part(5).starts_with("service/") => is(
            ask("ecs", "describe_services", json!({ "cluster": part(5).split('/').nth(1), "services": [arn] })),
            "/services/0/status",
            &["INACTIVE"],
        ),
        "ecs" if part(5).starts_with("task/") => is(
            ask("ecs", "describe_tasks", json!({ "cluster": part(5).split('/').nth(1), "tasks": [arn] })),
            "/tasks/0/lastStatus",
            &["STOPPED"],
        ),
        "ecs" if part(5).starts_with("cluster/") => {
            is(ask("ecs", "describe_clusters", json!({ "clusters": [arn] })), "/clusters/0/status", &["INACTIVE"])
        }
        _ => false,
    }
}
