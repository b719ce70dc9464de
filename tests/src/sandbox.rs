//! The sandbox: an AWS emulator in a process of its own, which is empty at the start and ends with the test.
//!
//! The emulator is `tests/sandbox/server.py`. It binds a free port, and prints one line with its address when it
//! listens. It ends when its standard input closes, also when the test is killed and drops no value.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::exchange::exchange;
use crate::{Env, Inventory, Proxy, env_for, isolate};

mod python;

/// The timeout of a start. A start takes 2 to 5 seconds, and several times longer when all tests start at once.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// The emulator. Dropping the handle ends its process.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    errors: File,
    endpoint: String,
}

impl Sandbox {
    /// Creates the emulator's Python environment under `.sandbox/`, once.
    ///
    /// `report` gets a message before each slow step. If the environment variable `HOLDFAST_SANDBOX_PYTHON` names an
    /// interpreter, that interpreter must have the requirements, and no environment is created.
    pub fn ready(report: impl FnMut(&str)) -> anyhow::Result<()> {
        python::interpreter(report).map(drop)
    }

    /// Starts an emulator on a free port of the loopback interface and waits until it listens.
    pub fn start() -> anyhow::Result<Sandbox> {
        Sandbox::start_with(&Env::new())
    }

    /// Starts an emulator with additional environment variables (`MOTO_…`).
    pub fn start_with(env: &Env) -> anyhow::Result<Sandbox> {
        let errors = tempfile::tempfile().context("the file for the sandbox's messages cannot be created")?;
        let mut command = program("server.py", &Env::new())?;
        // The emulator chooses the port itself, so that no other process can bind it first.
        command.args(["0", "--until-eof"]).envs(env).stderr(errors.try_clone()?);
        let mut child = command.spawn().context("the sandbox's Python does not start")?;
        let lines = lines(child.stdout.take().expect("stdout is piped"));
        let mut sandbox = Sandbox { child, errors, endpoint: String::new() };
        match lines.recv_timeout(START_TIMEOUT) {
            Ok(line) => match line.split_once("listening on ") {
                Some((_, endpoint)) => sandbox.endpoint = endpoint.trim().to_owned(),
                None => bail!("the sandbox printed {line:?} instead of its address"),
            },
            Err(RecvTimeoutError::Timeout) => {
                bail!("the sandbox does not listen after {START_TIMEOUT:?}; its messages:\n{}", sandbox.log());
            }
            Err(RecvTimeoutError::Disconnected) => {
                // The output can close before the last message is written. After the end of the process all are
                // written.
                let status = sandbox.child.wait()?;
                bail!("the sandbox ended before it listened ({status}); its messages:\n{}", sandbox.log());
            }
        }
        Ok(sandbox)
    }

    /// Starts an emulator and a proxy in front of it.
    pub fn with_proxy() -> anyhow::Result<(Sandbox, Proxy)> {
        let sandbox = Sandbox::start()?;
        let proxy = Proxy::start(sandbox.endpoint())?;
        Ok((sandbox, proxy))
    }

    /// Returns the URL of the emulator: `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the environment of a child process that calls the emulator directly, without a proxy.
    pub fn env(&self) -> Env {
        env_for(&self.endpoint)
    }

    /// Deletes all resources and restores the default settings.
    pub fn reset(&self) -> anyhow::Result<()> {
        self.own("POST", "/holdfast/reset", &Value::Null).map(drop)
    }

    /// Changes settings of the emulator. `tests/sandbox/server.py` lists them.
    pub fn settings(&self, settings: &Value) -> anyhow::Result<Value> {
        self.own("POST", "/holdfast/settings", settings)
    }

    /// Returns all resources of the account, as the state of the emulator has them.
    pub fn inventory(&self) -> anyhow::Result<Inventory> {
        Ok(serde_json::from_value(self.own("GET", "/holdfast/resources", &Value::Null)?)?)
    }

    /// Returns the standard error so far. A response with status 500 leaves a traceback there.
    pub fn log(&self) -> String {
        read_from_start(&self.errors)
    }

    /// Calls one of the sandbox's own endpoints.
    fn own(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json")];
        let response = exchange(&self.endpoint, method, path, &headers, body.as_bytes());
        let response = response
            .with_context(|| format!("the sandbox does not respond to {path}; its messages:\n{}", self.log()))?;
        let text = response.text();
        ensure!(response.status < 300, "the status of {path} is {}: {text}\n{}", response.status, self.log());
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Both fail only when the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the Python interpreter of the sandbox. Creates its environment when it is missing.
///
/// # Errors
/// Returns an error when the environment cannot be created.
pub fn python() -> anyhow::Result<PathBuf> {
    python::interpreter(|_| ())
}

/// Returns the root directory of the checkout.
pub fn root() -> anyhow::Result<PathBuf> {
    python::root()
}

/// Returns a command that runs `tests/sandbox/<file>` with pipes for input and output. The process cannot reach a real
/// account.
pub(crate) fn program(file: &str, env: &Env) -> anyhow::Result<Command> {
    let python = python::interpreter(|message| eprintln!("{message}"))?;
    let script = root()?.join("tests/sandbox").join(file);
    ensure!(script.is_file(), "{} is missing", script.display());
    let mut command = Command::new(python);
    isolate(&mut command, env);
    command
        .arg(script)
        .envs([("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Ok(command)
}

/// Returns all that a child has written to a file. Does not move the file offset, which the child shares.
pub(crate) fn read_from_start(file: &File) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        match file.read_at(&mut chunk, text.len() as u64) {
            Ok(0) => return String::from_utf8_lossy(&text).into_owned(),
            Ok(length) => text.extend_from_slice(&chunk[..length]),
            Err(error) => return format!("(its messages cannot be read: {error})"),
        }
    }
}

/// Returns a channel with the lines of a child's output. A thread reads them, so that a receiver can use a timeout.
pub(crate) fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Keeps reading without a receiver: a full pipe would block the child.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}
