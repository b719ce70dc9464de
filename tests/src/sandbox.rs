//! The sandbox: an AWS emulator in a process of its own, empty at the start and gone at the end.
//!
//! `tests/sandbox/server.py` is the emulator. It takes a free port, prints one line with its address when it
//! listens, and ends when its standard input closes: so it goes also when the test is killed and nothing is dropped.

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
use crate::{Env, Proxy, env_for, isolate};

mod python;

/// Loading the emulator takes 2 to 5 seconds alone, and several times that when all tests start at once.
const START: Duration = Duration::from_secs(90);

/// The emulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    errors: File,
    endpoint: String,
}

impl Sandbox {
    /// Makes ready what the emulator needs, which is a Python environment under `.sandbox/`, once.
    ///
    /// `say` is told what takes long. The environment variable `HOLDFAST_SANDBOX_PYTHON` names an interpreter
    /// that has the requirements already; then nothing is made.
    pub fn ready(say: impl FnMut(&str)) -> anyhow::Result<()> {
        python::interpreter(say).map(drop)
    }

    /// Starts an emulator on a free port of the loopback interface and waits until it listens.
    pub fn start() -> anyhow::Result<Sandbox> {
        Sandbox::start_with(&Env::new())
    }

    /// The same, with variables for the emulator's own environment (`MOTO_…`).
    pub fn start_with(env: &Env) -> anyhow::Result<Sandbox> {
        let errors = tempfile::tempfile().context("no file for the sandbox's messages")?;
        let mut command = program("server.py", &Env::new())?;
        // The emulator takes the port itself, so that nobody can take it between finding it and listening.
        command.args(["0", "--until-eof"]).envs(env).stderr(errors.try_clone()?);
        let mut child = command.spawn().context("the sandbox's Python does not start")?;
        let lines = lines(child.stdout.take().expect("stdout is piped"));
        let mut sandbox = Sandbox { child, errors, endpoint: String::new() };
        match lines.recv_timeout(START) {
            Ok(line) => match line.split_once("listening on ") {
                Some((_, endpoint)) => sandbox.endpoint = endpoint.trim().to_owned(),
                None => bail!("the sandbox says {line:?} and not where it listens"),
            },
            Err(RecvTimeoutError::Timeout) => {
                bail!("the sandbox does not listen after {START:?}; it says:\n{}", sandbox.log());
            }
            Err(RecvTimeoutError::Disconnected) => {
                // Its output can close a moment before it has written its last words; they are there when it is gone.
                let status = sandbox.child.wait()?;
                bail!("the sandbox ended before it listened ({status}); it says:\n{}", sandbox.log());
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

    /// Where it listens: `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The environment of a child process that calls it directly, past any proxy.
    pub fn env(&self) -> Env {
        env_for(&self.endpoint)
    }

    /// Empties it: no resources and the default settings.
    pub fn reset(&self) -> anyhow::Result<()> {
        self.post("/holdfast/reset", &Value::Null).map(drop)
    }

    /// Changes its settings: see `tests/sandbox/server.py` for what there is.
    pub fn settings(&self, settings: &Value) -> anyhow::Result<Value> {
        self.post("/holdfast/settings", settings)
    }

    /// What it has written to its standard error so far: tracebacks, when one of its answers is 500.
    pub fn log(&self) -> String {
        read_from_start(&self.errors)
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json")];
        let answer = exchange(&self.endpoint, "POST", path, &headers, body.as_bytes());
        let answer = answer.with_context(|| format!("the sandbox does not answer {path}; it says:\n{}", self.log()))?;
        let text = answer.text();
        ensure!(answer.status < 300, "the sandbox answers {path} with {}: {text}\n{}", answer.status, self.log());
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python interpreter of the sandbox, with its requirements; made when it is missing.
///
/// # Errors
/// When it cannot be made.
pub fn python() -> anyhow::Result<PathBuf> {
    python::interpreter(|_| ())
}

/// The directory of the checkout.
pub fn root() -> anyhow::Result<PathBuf> {
    python::root()
}

/// A command that runs `tests/sandbox/<file>` with pipes for input and output, and with no way to a real account.
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

/// All that a child has written to a file. Its own place in the file, which it shares with us, stays where it is.
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

/// The lines of a child's output, read by a thread, so that one can wait for them with a limit.
pub(crate) fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Reads on when nobody listens any more: a full pipe would stop the child.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}
