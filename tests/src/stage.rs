//! A stage for a test: a sandbox with a proxy before it, somebody outside, and the binary. Stages are kept
//! and emptied between tests, since an emulator takes seconds to start.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Holdfast, Outside, Proxy, Run, Sandbox};

/// What a test plays on.
pub struct Stage {
    parts: Option<Parts>,
}

/// The parts of a stage.
pub struct Parts {
    /// The emulator.
    pub sandbox: Sandbox,
    /// What stands before it, and counts.
    pub proxy: Proxy,
    /// Somebody who changes things behind Holdfast's back.
    pub outside: Outside,
    /// A folder of its own: documents, and the store.
    pub folder: TempDir,
}

static IDLE: Mutex<Vec<Parts>> = Mutex::new(vec![]);

impl Stage {
    /// An empty stage.
    ///
    /// # Errors
    /// When the sandbox does not start.
    pub fn take() -> anyhow::Result<Stage> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut parts = match idle {
            Some(parts) => parts,
            None => {
                let (sandbox, proxy) = Sandbox::with_proxy()?;
                let outside = Outside::of(&sandbox);
                Parts { sandbox, proxy, outside, folder: tempfile::tempdir()? }
            }
        };
        parts.sandbox.reset()?;
        parts.proxy.clear_rules();
        parts.proxy.clear();
        parts.folder = tempfile::tempdir()?;
        Ok(Stage { parts: Some(parts) })
    }

    /// The binary, speaking to the proxy, with its windows and intervals a hundredth as long.
    pub fn holdfast(&self) -> Holdfast {
        let store = self.folder.path().join("store");
        Holdfast::new(&self.proxy.env())
            .set("HOLDFAST_STORE", &store.to_string_lossy())
            .set("HOLDFAST_TIME_SCALE", "0.01")
            .set("HOLDFAST_CALL_TIMEOUT", "5s")
    }

    /// Runs the binary on a document.
    ///
    /// # Errors
    /// When it does not start or takes too long.
    pub fn run(&self, command: &str, path: &str, env: &str, more: &[&str]) -> anyhow::Result<Run> {
        let mut arguments = vec![command, path, "-e", env];
        arguments.extend(more);
        self.holdfast().run(arguments)
    }

    /// Writes a file into the stage's folder and returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(self.folder.path()))?;
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Writes a stack of these resources with one environment named `test`, and returns its folder. Its regions are
    /// `main`, and `far` when a resource is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stack(&self, name: &str, resources: &Value) -> anyhow::Result<String> {
        // A second region costs calls, so only a stack that uses one has it.
        let is_far = |resource: &Value| resource["region"] == "far";
        let far = resources.as_object().is_some_and(|resources| resources.values().any(is_far));
        let mut regions = serde_json::json!({ "main": "us-east-1" });
        if far {
            regions["far"] = "eu-west-1".into();
        }
        let stack = serde_json::json!({
            "apiVersion": "holdfast/v1",
            "kind": "Stack",
            "metadata": { "name": name },
            "spec": { "regions": regions, "resources": resources },
        });
        let env = serde_json::json!({
            "apiVersion": "holdfast/v1",
            "kind": "Environment",
            "metadata": { "name": "test" },
            "spec": { "stack": name, "target": { "account": "123456789012" } },
        });
        // JSON is YAML.
        self.write(&format!("{name}/environments/test.yaml"), &serde_json::to_string_pretty(&env)?)?;
        let stack = self.write(&format!("{name}/stack.yaml"), &serde_json::to_string_pretty(&stack)?)?;
        Ok(stack.trim_end_matches("/stack.yaml").to_owned())
    }
}

impl Deref for Stage {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        self.parts.as_ref().expect("a stage has its parts until it is dropped")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take()
            && !std::thread::panicking()
        {
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(parts);
        }
    }
}
