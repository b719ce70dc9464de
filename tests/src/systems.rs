//! The shipped systems: every environment of every document under `desired-state`, with its prerequisites and its
//! measured calls from tests/systems.yaml.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use crate::{Call, Holdfast, Run, TestEnv, fixtures, sandbox, table};

/// The content of tests/systems.yaml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemsTable {
    /// The environments, by `system/environment`.
    pub environments: BTreeMap<String, EnvironmentEntry>,
    /// The changes of size: one environment gets the size of another.
    #[serde(default)]
    pub sizes: Vec<SizeChange>,
}

/// The prerequisites of an environment, and its measured calls.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentEntry {
    /// The domains of the issued certificates that the document looks up; `domain@region` outside the main region.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// The out-of-band calls that create the other prerequisites.
    #[serde(default)]
    pub before: Vec<table::Calls>,
    /// The environment variables of secret values that must have a certain value.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The last measurement. An increase of more than a twentieth is a regression; for reads, of more than a quarter.
    pub measured: Option<Figures>,
    /// The promised maximum.
    pub promised: Option<Figures>,
    /// The resources that outlive `destroy` on purpose: a part of their line in the inventory, and the reason.
    #[serde(default)]
    pub retained: BTreeMap<String, String>,
}

/// Counts of resources and calls. In a promise, 0 means no promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Figures {
    /// Live resources of the document.
    pub resources: usize,
    /// Calls of a refresh that finds no difference.
    pub refresh: usize,
    /// Mutating calls of the first pass, from an empty account.
    pub mutating: usize,
    /// Reads of the first pass, without polls.
    pub reads: usize,
}

/// A change from the size of one environment to the size of another, by parameters and patches only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeChange {
    /// The live environment, as `system/environment`.
    pub from: String,
    /// The environment whose parameters and patches replace those of the live environment.
    pub to: String,
    /// The parameters that keep their values because they do not concern the size, such as a domain.
    #[serde(default)]
    pub keeps: BTreeSet<String>,
    /// The fields that AWS cannot change in place, as `Kind/name field, field`.
    #[serde(default)]
    pub replaces: BTreeSet<String>,
}

/// One environment of one system.
#[derive(Clone, Debug)]
pub struct System {
    /// The stack's folder under `desired-state`.
    pub system: String,
    /// The environment's name.
    pub env: String,
    /// The environment's entry in tests/systems.yaml.
    pub entry: EnvironmentEntry,
}

/// Reads tests/systems.yaml.
///
/// # Errors
/// Returns an error when the file does not exist or has unknown keys.
pub fn table() -> anyhow::Result<SystemsTable> {
    let text = fs::read_to_string(sandbox::root()?.join("tests/systems.yaml"))?;
    serde_saphyr::from_str(&text).context("tests/systems.yaml")
}

/// Finds every environment of every system by its file.
///
/// # Errors
/// Returns an error when tests/systems.yaml or a folder cannot be read.
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
    /// Returns the name: `system/environment`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.system, self.env)
    }

    /// Returns the path of the document, as an argument of commands.
    pub fn path(&self) -> String {
        format!("desired-state/{}", self.system)
    }

    /// Returns the text of the document and its components.
    ///
    /// # Errors
    /// Returns an error when a file cannot be read.
    pub fn text(&self) -> anyhow::Result<String> {
        let folder = sandbox::root()?.join("desired-state");
        Ok(text(&folder.join(&self.system))? + &text(&folder.join("lib"))?)
    }

    /// Adds a value for every environment variable that the document reads.
    fn find_variables(&mut self) -> anyhow::Result<()> {
        let holdfast = Holdfast::new(&crate::env_for("http://127.0.0.1:9"));
        let run = holdfast.run(["render", &self.path(), "-e", &self.env, "-o", "json"])?;
        // For a document that does not render, another test fails.
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

    /// Returns an empty test environment with the prerequisites of this environment.
    ///
    /// # Errors
    /// Returns an error when the sandbox rejects a call.
    pub fn test_env(&self) -> anyhow::Result<TestEnv> {
        let test_env = TestEnv::start()?;
        self.create_prerequisites(&test_env)?;
        Ok(test_env)
    }

    /// Creates the prerequisites of this environment.
    ///
    /// # Errors
    /// Returns an error when the sandbox rejects a call.
    pub fn create_prerequisites(&self, test_env: &TestEnv) -> anyhow::Result<()> {
        for certificate in &self.entry.certificates {
            let (domain, region) = certificate.split_once('@').unwrap_or((certificate, crate::REGION));
            fixtures::issued_certificate_in(test_env, region, domain)?;
        }
        table::Placeholders::default().call(&test_env.out_of_band, &self.entry.before)
    }

    /// Returns settings for the binary, with the environment variables of secret values.
    pub fn holdfast(&self, test_env: &TestEnv) -> Holdfast {
        let set = |holdfast: Holdfast, (name, value): (&String, &String)| holdfast.set(name, value);
        self.entry.variables.iter().fold(test_env.holdfast(), set)
    }

    /// Runs a command on this environment of the document at `path`.
    ///
    /// # Errors
    /// Returns an error when the binary does not start or exceeds the timeout.
    pub fn run(&self, test_env: &TestEnv, path: &str, command: &str, more: &[&str]) -> anyhow::Result<Run> {
        self.holdfast(test_env).run([&[command, path, "-e", &self.env], more].concat())
    }

    /// Copies the document with its components into the temporary folder, so that a test can change it. Returns its
    /// path.
    ///
    /// # Errors
    /// Returns an error when a file cannot be copied.
    pub fn copy(&self, test_env: &TestEnv) -> anyhow::Result<String> {
        let from = sandbox::root()?.join("desired-state");
        let to = test_env.folder.path().join("desired-state");
        for folder in ["lib", &self.system] {
            copy(&from.join(folder), &to.join(folder))?;
        }
        Ok(to.join(&self.system).to_string_lossy().into_owned())
    }

    /// In a copy at `path`, gives this environment the parameters and patches of another environment. Keeps its name
    /// and the parameters `keeps`.
    ///
    /// # Errors
    /// Returns an error when the other environment does not exist.
    pub fn take_size_of(&self, path: &str, other: &str, keeps: &BTreeSet<String>) -> anyhow::Result<()> {
        let file = |env: &str| Path::new(path).join(format!("environments/{env}.yaml"));
        let text =
            fs::read_to_string(file(other)).with_context(|| format!("the environment {other} does not exist"))?;
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
        // A new domain replaces more resources than one pass may replace and delete by default.
        environment["spec"]["policy"]["maxDeletions"] = 20.into();
        // JSON is valid YAML.
        fs::write(file(&self.env), serde_json::to_string_pretty(&environment)?)?;
        Ok(())
    }

    /// In a copy at `path`, adds a patch of a resource to this environment.
    ///
    /// # Errors
    /// Returns an error when the environment's file cannot be read or written.
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

/// Counts the polls: repeated reads between which no call changed a resource of the same service in the same region.
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
