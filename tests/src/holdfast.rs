//! The real binary: run to its end with a limit, or kept running, told to stop, and killed.

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

/// Names the binary to test.
const GIVEN: &str = "HOLDFAST_BIN";

/// Several times what the largest system takes to converge in the sandbox.
const LIMIT: Duration = Duration::from_secs(120);

/// The standard library waits for a child without a limit or not at all, so one has to look again.
const LOOK: Duration = Duration::from_millis(5);

/// How the binary is run: with which environment, where, and for how long at most.
#[derive(Clone, Debug)]
pub struct Holdfast {
    env: Env,
    folder: Option<PathBuf>,
    limit: Duration,
    binary: Option<PathBuf>,
}

impl Holdfast {
    /// Runs it with this environment, in the root of the checkout, for at most two minutes.
    ///
    /// Of the test's own environment nothing is inherited that names an AWS account or an HTTP proxy. The binary
    /// is `HOLDFAST_BIN`, else the one that Cargo has built into the target directory of the running test.
    pub fn new(env: &Env) -> Holdfast {
        Holdfast { env: env.clone(), folder: None, limit: LIMIT, binary: None }
    }

    /// Another environment variable.
    pub fn set(mut self, name: &str, value: &str) -> Holdfast {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Another working directory.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Holdfast {
        self.folder = Some(folder.into());
        self
    }

    /// Another limit for [`Holdfast::run`].
    pub fn within(mut self, limit: Duration) -> Holdfast {
        self.limit = limit;
        self
    }

    /// Another binary.
    pub fn binary(mut self, binary: impl Into<PathBuf>) -> Holdfast {
        self.binary = Some(binary.into());
        self
    }

    /// Runs it to its end: `run(["plan", path, "-e", "dev", "-o", "json"])`. It is an error, and the end of the
    /// process, when that takes longer than the limit.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> anyhow::Result<Run> {
        self.spawn(arguments)?.wait(self.limit)
    }

    /// Starts it and leaves it running.
    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> anyhow::Result<Daemon> {
        let binary = self.binary.clone().map_or_else(find, Ok)?;
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

/// The binary beside the running test: `target/debug/deps/test-…` and `target/debug/holdfast`.
fn find() -> anyhow::Result<PathBuf> {
    if let Some(given) = env::var_os(GIVEN) {
        let given = PathBuf::from(given);
        ensure!(given.is_file(), "{GIVEN} is {}, which is no file", given.display());
        return Ok(given);
    }
    let test = env::current_exe().context("this test does not know where it is")?;
    // Tests are in <profile>/deps, examples in <profile>/examples, xtask is in <profile> itself.
    let beside = test.ancestors().skip(1).take(2);
    let places: Vec<PathBuf> = beside.flat_map(|at| [at.join("holdfast"), at.join("../debug/holdfast")]).collect();
    let found = places.iter().find(|place| place.is_file()).cloned();
    found.with_context(|| {
        let beside = test.parent().unwrap_or(Path::new("."));
        format!("no holdfast near {}: run `cargo build -p holdfast`, or set {GIVEN}", beside.display())
    })
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code; 128 and the signal's number for a process that a signal ended, as shells say it.
    pub code: i32,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Run {
    /// Its standard output as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("its output is not JSON: {self}"))
    }

    /// The run itself.
    ///
    /// # Panics
    /// With all that it wrote, when its exit code is another one.
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

/// A running process. It is killed when it is dropped.
#[derive(Debug)]
pub struct Daemon {
    pid: u32,
    child: Arc<Mutex<Child>>,
    output: Arc<Output>,
}

impl Daemon {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        matches!(lock(&self.child).try_wait(), Ok(None))
    }

    /// What it wrote to its standard output so far.
    pub fn stdout(&self) -> String {
        text(&lock(&self.output.text).stdout)
    }

    /// What it wrote to its standard error so far.
    pub fn stderr(&self) -> String {
        text(&lock(&self.output.text).stderr)
    }

    /// Waits until it has written `word` to either output.
    pub fn wait_for(&self, word: &str, limit: Duration) -> anyhow::Result<()> {
        let has = |output: &Vec<u8>| text(output).contains(word);
        let found = self.output.wait(limit, |text| has(&text.stdout) || has(&text.stderr) || text.ends == 2);
        ensure!(
            found && (self.stdout().contains(word) || self.stderr().contains(word)),
            "it never wrote {word:?} within {limit:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout(),
            self.stderr()
        );
        Ok(())
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) -> anyhow::Result<()> {
        // While the child is locked nobody collects it, so that its number cannot be somebody else's already.
        let mut child = lock(&self.child);
        if child.try_wait()?.is_none() {
            let status = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status();
            let status = status.context("there is no `kill` program")?;
            ensure!(status.success(), "kill -TERM {} failed: {status}", self.pid);
        }
        Ok(())
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&self, limit: Duration) -> anyhow::Result<Run> {
        self.terminate()?;
        self.wait(limit)
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(&self) {
        kill(&self.child);
    }

    /// Waits for its end. When the time is up it is an error, and the process goes on.
    pub fn wait(&self, limit: Duration) -> anyhow::Result<Run> {
        let start = Instant::now();
        let status = loop {
            // Bound first: a lock in the condition would be held while this sleeps.
            let status = lock(&self.child).try_wait()?;
            match status {
                Some(status) => break status,
                // Its outputs end with it, but for a moment.
                None if start.elapsed() < limit => {
                    if self.output.wait(LOOK, |text| text.ends == 2) {
                        std::thread::sleep(LOOK / 20);
                    }
                }
                None => {
                    let (stdout, stderr) = (self.stdout(), self.stderr());
                    bail!("it still runs after {limit:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
                }
            }
        };
        // The process is gone, so what is left is in the pipes; only a child of its own could keep them open.
        self.output.wait(Duration::from_secs(5), |text| text.ends == 2);
        Ok(Run { code: code(status), stdout: self.stdout(), stderr: self.stderr() })
    }

    /// A handle with which a rule of the proxy can kill it.
    pub fn victim(&self) -> Victim {
        let victim = Victim::new();
        victim.mark(self);
        victim
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process to be killed, which can be named before it exists: a rule on a daemon's first call has to be there
/// before the daemon is.
#[derive(Clone, Debug, Default)]
pub struct Victim(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    child: Mutex<Option<Arc<Mutex<Child>>>>,
    marked: Condvar,
}

impl Victim {
    /// A victim that is not known yet.
    pub fn new() -> Victim {
        Victim::default()
    }

    /// Names the process.
    pub fn mark(&self, daemon: &Daemon) {
        *lock(&self.0.child) = Some(daemon.child.clone());
        self.0.marked.notify_all();
    }

    /// Kills it (SIGKILL) and waits until it is gone; before that waits until it is known.
    ///
    /// # Panics
    /// When it does not become known.
    pub fn kill(&self) {
        let unknown = |child: &mut Option<_>| child.is_none();
        let waited = self.0.marked.wait_timeout_while(lock(&self.0.child), LIMIT, unknown);
        let child = waited.unwrap_or_else(PoisonError::into_inner).0.clone();
        kill(&child.expect("a victim is marked after the process was spawned"));
    }
}

fn kill(child: &Mutex<Child>) {
    let mut child = lock(child);
    // Both fail only when it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// What a process has written, filled by two threads.
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

    /// Waits until the text is as `wanted`; false when the time is up before.
    fn wait(&self, limit: Duration, wanted: impl Fn(&Text) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(lock(&self.text), limit, |text| !wanted(text));
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

    /// The shell in the place of the binary.
    fn shell() -> Holdfast {
        Holdfast::new(&crate::env_for("http://127.0.0.1:1")).binary("/bin/sh").folder("/")
    }

    #[test]
    fn a_run_has_its_code_and_its_outputs() {
        let run = shell().set("WHO", "me").run(["-c", "echo $WHO; echo $AWS_ENDPOINT_URL >&2; exit 2"]);
        let run = run.expect("a run").expect(2);
        assert_eq!((&*run.stdout, &*run.stderr), ("me\n", "http://127.0.0.1:1\n"));
        let run = shell().run(["-c", "echo '{\"steps\": []}'"]).expect("a run");
        assert_eq!(run.json().expect("JSON")["steps"], serde_json::json!([]));
        assert!(run.json().is_ok() && shell().run(["-c", "echo plan"]).expect("a run").json().is_err());
    }

    #[test]
    fn a_run_ends_at_its_limit() {
        let error = shell().within(Duration::from_millis(50)).run(["-c", "echo begun >&2; exec sleep 60"]);
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
        daemon.terminate().expect("nothing to do");

        let daemon = shell().spawn(["-c", "exec sleep 60"]).expect("a daemon");
        daemon.kill();
        assert_eq!(daemon.wait(SOON).expect("gone").code, 128 + 9);
        assert!(daemon.wait_for("up", SOON).is_err());
    }

    #[test]
    fn a_victim_can_be_named_before_it_exists() {
        let victim = Victim::new();
        let killer = std::thread::spawn({
            let victim = victim.clone();
            move || victim.kill()
        });
        let daemon = shell().spawn(["-c", "exec sleep 60"]).expect("a daemon");
        victim.mark(&daemon);
        killer.join().expect("killed");
        assert!(!daemon.is_running());
    }
}
