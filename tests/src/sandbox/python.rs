//! The Python environment of the sandbox: created under `.sandbox/` once, and again when its requirements change.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

/// The environment variable with the path of an interpreter that has the requirements.
const PYTHON_VARIABLE: &str = "HOLDFAST_SANDBOX_PYTHON";

/// The oldest version of Python that the emulator supports.
const MINIMUM_VERSION: &str = "(3, 10)";

/// Returns the root directory of the checkout: the nearest ancestor with the workspace's lock file and the tests'
/// manifest.
pub(super) fn root() -> anyhow::Result<PathBuf> {
    // Cargo sets the package's directory for tests. A binary that is started manually uses its working directory, and
    // then the directory where it was built.
    let starts = [
        env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
        env::current_dir().ok(),
        Some(PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
    ];
    let is_root = |folder: &&Path| folder.join("Cargo.lock").is_file() && folder.join("tests/Cargo.toml").is_file();
    let mut found = starts.iter().flatten().filter_map(|start| start.ancestors().find(is_root));
    found
        .next()
        .map(Path::to_owned)
        .context("this is not a checkout of Holdfast: no parent directory has tests/Cargo.toml and Cargo.lock")
}

/// Returns the interpreter of the sandbox. Creates its environment when it is missing or out of date.
pub(super) fn interpreter(report: impl FnMut(&str)) -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os(PYTHON_VARIABLE) {
        return Ok(path.into());
    }
    let root = root()?;
    create(&root.join(".sandbox"), &root.join("tests/sandbox/requirements.txt"), report)
}

/// Creates `<folder>/venv` from the requirements, unless the existing one was created from the same requirements.
fn create(folder: &Path, requirements: &Path, mut report: impl FnMut(&str)) -> anyhow::Result<PathBuf> {
    let required =
        fs::read_to_string(requirements).with_context(|| format!("{} is missing", requirements.display()))?;
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    // Written last, so that an incomplete environment does not count.
    let marker = venv.join("made-from-requirements.txt");
    let is_current = || fs::read_to_string(&marker).is_ok_and(|installed| installed == required) && python.is_file();
    if is_current() {
        return Ok(python);
    }

    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    // The system releases the lock at the end of this process, also when the process is killed.
    let lock = File::create(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        report("waiting for another process that creates the sandbox's Python environment");
        lock.lock().context("the Python environment of the sandbox cannot be locked")?;
    }
    if is_current() {
        return Ok(python);
    }

    let base = base()?;
    report("creating the sandbox's Python environment (once, about 1 minute)");
    if venv.exists() {
        fs::remove_dir_all(&venv).with_context(|| format!("{} cannot be removed", venv.display()))?;
    }
    run(Command::new(base).args(["-m", "venv"]).arg(&venv), "python -m venv")?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"]);
    run(install.arg(requirements), "pip install")?;
    fs::write(&marker, &required)?;
    report("the sandbox's Python environment is ready");
    Ok(python)
}

/// Returns an interpreter that can create the environment.
fn base() -> anyhow::Result<&'static str> {
    let new_enough = format!("import sys, venv; sys.exit(sys.version_info < {MINIMUM_VERSION})");
    let works =
        |name: &&str| Command::new(name).args(["-c", &new_enough]).output().is_ok_and(|out| out.status.success());
    let found = ["python3", "python", "python3.13", "python3.12", "python3.11"].into_iter().find(works);
    found.with_context(|| {
        format!("the sandbox needs Python {MINIMUM_VERSION} or later with the venv module, or {PYTHON_VARIABLE} with the path of an \
             interpreter that has the requirements")
    })
}

fn run(command: &mut Command, what: &str) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{what} does not start"))?;
    ensure!(output.status.success() || !output.stderr.is_empty(), "{what} failed: {}", output.status);
    if !output.status.success() {
        bail!(
            "{what} failed ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_created_once_for_the_same_requirements() {
        let folder = tempfile::tempdir().expect("a folder");
        let requirements = folder.path().join("requirements.txt");
        fs::write(&requirements, "# nothing\n").expect("written");
        let created = || {
            let mut messages = 0;
            let python = create(folder.path(), &requirements, |_| messages += 1).expect("an environment");
            (python.is_file(), messages)
        };
        // Of several concurrent processes, here threads, one creates the environment and the others wait.
        let all = std::thread::scope(|scope| {
            [scope.spawn(created), scope.spawn(created)].map(|one| one.join().expect("created"))
        });
        assert!(all.iter().all(|(exists, _)| *exists), "{all:?}");
        assert_eq!(created(), (true, 0));
        fs::write(&requirements, "# nothing else\n").expect("written");
        assert_eq!(created(), (true, 2));
    }

    #[test]
    fn a_failure_has_the_message_of_pip() {
        let folder = tempfile::tempdir().expect("a folder");
        let requirements = folder.path().join("requirements.txt");
        fs::write(&requirements, "not a requirement !\n").expect("written");
        let error = create(folder.path(), &requirements, |_| {}).expect_err("an invalid requirement");
        assert!(error.to_string().contains("Invalid requirement"), "{error}");
        assert!(!folder.path().join("venv/made-from-requirements.txt").exists());
    }

    #[test]
    fn the_root_is_an_ancestor_of_the_package() {
        assert!(root().expect("a root").join("tests/src/lib.rs").is_file());
    }
}
