//! Runs the real binary: to completion with a timeout, or as a daemon that is stopped or killed.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{Env, isolate, sandbox};

/// The environment variable with the path of the binary to test.
const BINARY_VARIABLE: &str = "HOLDFAST_BIN";

/// The default timeout: several times the duration of the largest system's first pass in the sandbox.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

/// The interval at which a child is polled for its end: the standard library cannot wait for a child with a timeout.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The settings of runs of the binary: environment variables, working directory, timeout.
#[derive(Clone, Debug)]
pub struct Holdfast {
    env: Env,
    folder: Option<PathBuf>,
    timeout: Duration,
    binary: Option<PathBuf>,
}

impl Holdfast {
    /// Returns settings with this environment, the root of the checkout as working directory, and a timeout of two
    /// minutes.
    ///
    /// Variables of the test process that name an AWS account or an HTTP proxy are not inherited. The binary is
    /// `HOLDFAST_BIN`, or the binary that Cargo has built into the target directory of the running test.
    pub fn new(env: &Env) -> Holdfast {
        Holdfast { env: env.clone(), folder: None, timeout: DEFAULT_TIMEOUT, binary: None }
    }

    /// Sets an environment variable.
    pub fn set(mut self, name: &str, value: &str) -> Holdfast {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the working directory.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Holdfast {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the timeout of [`Holdfast::run`].
    pub fn timeout(mut self, timeout: Duration) -> Holdfast {
        self.timeout = timeout;
        self
    }

    /// Sets the binary.
    pub fn binary(mut self, binary: impl Into<PathBuf>) -> Holdfast {
        self.binary = Some(binary.into());
        self
    }

    /// Runs the binary to completion: `run(["plan", path, "-e", "dev", "-o", "json"])`. A run that exceeds the timeout
    /// is killed and returns an error.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> anyhow::Result<Run> {
        self.spawn(arguments)?.wait(self.timeout)
    }

    /// Starts the binary and returns while it runs.
    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> anyhow::Result<Daemon> {
        let binary = self.binary.clone().map_or_else(find_binary, Ok)?;
        let folder = self.folder.clone().map_or_else(sandbox::root, Ok)?;
        let mut command = Command::new(&binary);
        isolate(&mut command, &self.env);
        command.args(arguments).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{} does not start", binary.display()))?;
        let output = Arc::new(Output::default());
        output.read(child.stdout.take().expect("stdout is piped"), |text| &mut text.stdout);
        output.read(child.stderr.take().expect("stderr is piped"), |text| &mut text.stderr);
        Ok(Daemon { pid: child.id(), child: Arc::new(Mutex::new(child)), output })
    }
}

/// Finds the binary beside the running test: `target/debug/deps/test-…` and `target/debug/holdfast`.
fn find_binary() -> anyhow::Result<PathBuf> {
    if let Some(given) = env::var_os(BINARY_VARIABLE) {
        let given = PathBuf::from(given);
        ensure!(given.is_file(), "{BINARY_VARIABLE} is {}, which is not a file", given.display());
        return Ok(given);
    }
    let test = env::current_exe().context("the path of this test's executable is not known")?;
    // Tests are in <profile>/deps, examples in <profile>/examples, and xtask is in <profile>.
    let beside = test.ancestors().skip(1).take(2);
    let candidates: Vec<PathBuf> = beside.flat_map(|at| [at.join("holdfast"), at.join("../debug/holdfast")]).collect();
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    found.with_context(|| {
        let beside = test.parent().unwrap_or(Path::new("."));
        format!("no holdfast near {}: run `cargo build -p holdfast`, or set {BINARY_VARIABLE}", beside.display())
    })
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code. For a process that a signal ended, 128 plus the signal's number, as in a shell.
    pub code: i32,
    /// The complete standard output.
    pub stdout: String,
    /// The complete standard error.
    pub stderr: String,
}

impl Run {
    /// Parses the standard output as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("the output is not JSON: {self}"))
    }

    /// Returns the run when it has this exit code.
    ///
    /// # Panics
    /// Panics with the output of the run when it has another exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Run {
        assert!(self.code == code, "expected exit code {code}: {self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A running process. Dropping the handle kills the process.
#[derive(Debug)]
pub struct Daemon {
    pid: u32,
    child: Arc<Mutex<Child>>,
    output: Arc<Output>,
}

impl Daemon {
    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// True while the process runs.
    pub fn is_running(&self) -> bool {
        matches!(lock(&self.child).try_wait(), Ok(None))
    }

    /// Returns the standard output so far.
    pub fn stdout(&self) -> String {
        text(&lock(&self.output.text).stdout)
    }

    /// Returns the standard error so far.
    pub fn stderr(&self) -> String {
        text(&lock(&self.output.text).stderr)
    }

    /// Waits until either output contains `word`.
    pub fn wait_for(&self, word: &str, limit: Duration) -> anyhow::Result<()> {
        let has = |output: &Vec<u8>| text(output).contains(word);
        let found = self.output.wait(limit, |text| has(&text.stdout) || has(&text.stderr) || text.ends == 2);
        ensure!(
            found && (self.stdout().contains(word) || self.stderr().contains(word)),
            "the process did not write {word:?} within {limit:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout(),
            self.stderr()
        );
        Ok(())
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("TERM")
    }

    /// Stops the process, as a debugger or a suspended virtual machine does, until [`Daemon::resume`].
    pub fn suspend(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets a suspended process continue.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        // The lock prevents another thread from reaping the child, so that the process id is not reused meanwhile.
        let mut child = lock(&self.child);
        if child.try_wait()?.is_none() {
            let status = Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status();
            let status = status.context("the program `kill` does not start")?;
            ensure!(status.success(), "kill -{name} {} failed: {status}", self.pid);
        }
        Ok(())
    }

    /// Sends SIGTERM, and waits for the end of the process.
    pub fn stop(&self, limit: Duration) -> anyhow::Result<Run> {
        self.terminate()?;
        self.wait(limit)
    }

    /// Sends SIGKILL, and waits for the end of the process.
    pub fn kill(&self) {
        kill(&self.child);
    }

    /// Waits for the end of the process. Returns an error at the timeout; the process keeps running.
    pub fn wait(&self, limit: Duration) -> anyhow::Result<Run> {
        let start = Instant::now();
        let status = loop {
            // In a variable of its own: a lock in the scrutinee of the match would be held during the sleep.
            let status = lock(&self.child).try_wait()?;
            match status {
                Some(status) => break status,
                // The outputs may end shortly before the process does.
                None if start.elapsed() < limit => {
                    if self.output.wait(POLL_INTERVAL, |text| text.ends == 2) {
                        std::thread::sleep(POLL_INTERVAL / 20);
                    }
                }
                None => {
                    let (stdout, stderr) = (self.stdout(), self.stderr());
                    bail!("the process still runs after {limit:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
                }
            }
        };
        // The process has ended, and the rest of its output is in the pipes. Only its own child could keep them open.
        self.output.wait(Duration::from_secs(5), |text| text.ends == 2);
        Ok(Run { code: code(status), stdout: self.stdout(), stderr: self.stderr() })
    }

    /// Returns a handle for a rule of the proxy that kills this process.
    pub fn kill_target(&self) -> KillTarget {
        let kill_target = KillTarget::new();
        kill_target.set_process(self);
        kill_target
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The process that a rule of the proxy kills. A rule on a daemon's first call needs the handle before the daemon
/// starts, so the process is set later.
#[derive(Clone, Debug, Default)]
pub struct KillTarget(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    child: Mutex<Option<Arc<Mutex<Child>>>>,
    is_set: Condvar,
}

impl KillTarget {
    /// Returns a target without a process.
    pub fn new() -> KillTarget {
        KillTarget::default()
    }

    /// Sets the process.
    pub fn set_process(&self, daemon: &Daemon) {
        *lock(&self.0.child) = Some(daemon.child.clone());
        self.0.is_set.notify_all();
    }

    /// Waits until the process is set, sends SIGKILL, and waits for the end of the process.
    ///
    /// # Panics
    /// Panics when no process is set within the default timeout.
    pub fn kill(&self) {
        let is_unset = |child: &mut Option<_>| child.is_none();
        let waited = self.0.is_set.wait_timeout_while(lock(&self.0.child), DEFAULT_TIMEOUT, is_unset);
        let child = waited.unwrap_or_else(PoisonError::into_inner).0.clone();
        kill(&child.expect("the process is set after it was started"));
    }
}

fn kill(child: &Mutex<Child>) {
    let mut child = lock(child);
    // Both fail only when the process has already ended.
    let _ = child.kill();
    let _ = child.wait();
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// The output of a process, read by two threads.
#[derive(Debug, Default)]
struct Output {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Text {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    ends: usize,
}

impl Output {
    fn read(self: &Arc<Output>, mut from: impl Read + Send + 'static, into: fn(&mut Text) -> &mut Vec<u8>) {
        let output = self.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            loop {
                let length = from.read(&mut chunk).unwrap_or_default();
                let mut text = lock(&output.text);
                into(&mut text).extend_from_slice(&chunk[..length]);
                text.ends += usize::from(length == 0);
                drop(text);
                output.changed.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
    }

    /// Waits until the condition is true. Returns false at the timeout.
    fn wait(&self, limit: Duration, condition: impl Fn(&Text) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(lock(&self.text), limit, |text| !condition(text));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    /// Returns settings that run the shell instead of the binary.
    fn shell() -> Holdfast {
        Holdfast::new(&crate::env_for("http://127.0.0.1:1")).binary("/bin/sh").folder("/")
    }

    #[test]
    fn a_run_has_its_exit_code_and_its_outputs() {
        let run = shell().set("WHO", "me").run(["-c", "echo $WHO; echo $AWS_ENDPOINT_URL >&2; exit 2"]);
        let run = run.expect("a run").expect(2);
        assert_eq!((&*run.stdout, &*run.stderr), ("me\n", "http://127.0.0.1:1\n"));
        let run = shell().run(["-c", "echo '{\"steps\": []}'"]).expect("a run");
        assert_eq!(run.json().expect("JSON")["steps"], serde_json::json!([]));
        assert!(run.json().is_ok() && shell().run(["-c", "echo plan"]).expect("a run").json().is_err());
    }

    #[test]
    fn a_run_is_killed_at_its_timeout() {
        let error = shell().timeout(Duration::from_millis(50)).run(["-c", "echo begun >&2; exec sleep 60"]);
        assert!(error.expect_err("too long").to_string().contains("still runs after"));
    }

    #[test]
    fn a_daemon_is_stopped_and_killed() {
        let script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done";
        let daemon = shell().spawn(["-c", script]).expect("a daemon");
        daemon.wait_for("up", SOON).expect("it starts");
        assert!(daemon.is_running());
        let run = daemon.stop(SOON).expect("it stops");
        assert_eq!((run.code, &*run.stdout), (7, "up\nbye\n"));
        assert!(!daemon.is_running());
        daemon.terminate().expect("no error after the end of the process");

        let daemon = shell().spawn(["-c", "exec sleep 60"]).expect("a daemon");
        daemon.kill();
        assert_eq!(daemon.wait(SOON).expect("the end of the process").code, 128 + 9);
        assert!(daemon.wait_for("up", SOON).is_err());
    }

    #[test]
    fn a_kill_target_exists_before_its_process() {
        let kill_target = KillTarget::new();
        let killer = std::thread::spawn({
            let kill_target = kill_target.clone();
            move || kill_target.kill()
        });
        let daemon = shell().spawn(["-c", "exec sleep 60"]).expect("a daemon");
        kill_target.set_process(&daemon);
        killer.join().expect("killed");
        assert!(!daemon.is_running());
    }
}
