//! The environment of one test: a sandbox with a proxy in front of it, a second client, and the binary. Environments
//! are reset and reused, since an emulator takes seconds to start.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Holdfast, OutOfBand, Proxy, Run, Sandbox};

/// The environment of one test. Dropping it makes its parts available to the next test.
pub struct TestEnv {
    parts: Option<Parts>,
}

/// The parts of a test environment.
pub struct Parts {
    /// The emulator.
    pub sandbox: Sandbox,
    /// The proxy in front of the emulator, which records all calls.
    pub proxy: Proxy,
    /// The second client, which changes the account out of band.
    pub out_of_band: OutOfBand,
    /// A temporary folder for documents and the store.
    pub folder: TempDir,
}

static IDLE: Mutex<Vec<Parts>> = Mutex::new(vec![]);

impl TestEnv {
    /// Returns an empty test environment: starts one, or resets one that is idle.
    ///
    /// # Errors
    /// Returns an error when the sandbox does not start.
    pub fn start() -> anyhow::Result<TestEnv> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut parts = match idle {
            Some(parts) => parts,
            None => {
                let (sandbox, proxy) = Sandbox::with_proxy()?;
                let out_of_band = OutOfBand::of(&sandbox);
                Parts { sandbox, proxy, out_of_band, folder: tempfile::tempdir()? }
            }
        };
        parts.sandbox.reset()?;
        parts.proxy.clear_rules();
        parts.proxy.clear();
        parts.folder = tempfile::tempdir()?;
        Ok(TestEnv { parts: Some(parts) })
    }

    /// Returns settings for the binary: it calls the proxy, its windows and intervals are a hundredth as long, and
    /// it waits only 20 ms for the writer of a document.
    pub fn holdfast(&self) -> Holdfast {
        let store = self.folder.path().join("store");
        Holdfast::new(&self.proxy.env())
            .set("HOLDFAST_STORE", &store.to_string_lossy())
            .set("HOLDFAST_TIME_SCALE", "0.01")
            .set("HOLDFAST_CALL_TIMEOUT", "5s")
            .set("HOLDFAST_QUIET_TIME", "20ms")
    }

    /// Runs a command of the binary on a document.
    ///
    /// # Errors
    /// Returns an error when the binary does not start or exceeds the timeout.
    pub fn run(&self, command: &str, path: &str, env: &str, more: &[&str]) -> anyhow::Result<Run> {
        let mut arguments = vec![command, path, "-e", env];
        arguments.extend(more);
        self.holdfast().run(arguments)
    }

    /// Writes a file into the temporary folder and returns its path.
    ///
    /// # Errors
    /// Returns an error when the file cannot be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(self.folder.path()))?;
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Writes a stack of these resources with one environment named `test`, and returns its folder. Its regions are
    /// `main`, and `far` when a resource names that region.
    ///
    /// # Errors
    /// Returns an error when a file cannot be written.
    pub fn stack(&self, name: &str, resources: &Value) -> anyhow::Result<String> {
        // A second region costs calls, so only a stack that uses it declares it.
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
            // A test may delete everything that it created in one pass.
            "spec": { "regions": regions, "policy": { "maxDeletions": 100 }, "resources": resources },
        });
        let env = serde_json::json!({
            "apiVersion": "holdfast/v1",
            "kind": "Environment",
            "metadata": { "name": "test" },
            "spec": { "stack": name, "target": { "account": "123456789012" } },
        });
        // JSON is valid YAML.
        self.write(&format!("{name}/environments/test.yaml"), &serde_json::to_string_pretty(&env)?)?;
        let stack = self.write(&format!("{name}/stack.yaml"), &serde_json::to_string_pretty(&stack)?)?;
        Ok(stack.trim_end_matches("/stack.yaml").to_owned())
    }
}

impl Deref for TestEnv {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        self.parts.as_ref().expect("a test environment has its parts until it is dropped")
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take()
            && !std::thread::panicking()
        {
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(parts);
        }
    }
}
