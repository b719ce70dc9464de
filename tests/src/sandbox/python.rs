//! The Python environment of the sandbox: made once under `.sandbox/`, and again when its requirements change.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

/// Names an interpreter that has the requirements already.
const GIVEN: &str = "HOLDFAST_SANDBOX_PYTHON";

/// The oldest version that the emulator runs on.
const OLDEST: &str = "(3, 10)";

/// The directory of the checkout: the first one with the workspace's lock file and the sandbox's folder.
pub(super) fn root() -> anyhow::Result<PathBuf> {
    // Cargo tells tests where their package is; a binary started by hand is asked where it stands, and last of
    // all where it was built.
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
        .context("this is no checkout of Holdfast: no folder above has tests/ and Cargo.lock")
}

/// The interpreter that runs the sandbox; makes its environment where that is missing or out of date.
pub(super) fn interpreter(say: impl FnMut(&str)) -> anyhow::Result<PathBuf> {
    if let Some(given) = env::var_os(GIVEN) {
        return Ok(given.into());
    }
    let root = root()?;
    make(&root.join(".sandbox"), &root.join("tests/sandbox/requirements.txt"), say)
}

/// Makes `<folder>/venv` from the requirements, unless it was made from just these.
fn make(folder: &Path, requirements: &Path, mut say: impl FnMut(&str)) -> anyhow::Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).with_context(|| format!("{} is missing", requirements.display()))?;
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    // Written last, so that an environment that was never finished does not count.
    let marker = venv.join("made-from-requirements.txt");
    let is_made = || fs::read_to_string(&marker).is_ok_and(|made| made == wanted) && python.is_file();
    if is_made() {
        return Ok(python);
    }

    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    // The system unlocks the file when this process ends in whatever way, so that no lock is left behind.
    let lock = File::create(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        say("waiting for the Python environment of the sandbox, which another process is making");
        lock.lock().context("the Python environment of the sandbox cannot be locked")?;
    }
    if is_made() {
        return Ok(python);
    }

    let base = base()?;
    say("making the Python environment of the sandbox (once, about 1 minute)");
    if venv.exists() {
        fs::remove_dir_all(&venv).with_context(|| format!("{} cannot be removed", venv.display()))?;
    }
    run(Command::new(base).args(["-m", "venv"]).arg(&venv), "python -m venv")?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"]);
    run(install.arg(requirements), "pip install")?;
    fs::write(&marker, &wanted)?;
    say("the Python environment of the sandbox is ready");
    Ok(python)
}

/// An interpreter to make the environment with.
fn base() -> anyhow::Result<&'static str> {
    let new_enough = format!("import sys, venv; sys.exit(sys.version_info < {OLDEST})");
    let works =
        |name: &&str| Command::new(name).args(["-c", &new_enough]).output().is_ok_and(|out| out.status.success());
    let found = ["python3", "python", "python3.13", "python3.12", "python3.11"].into_iter().find(works);
    found.with_context(|| {
        format!("the sandbox needs Python {OLDEST} or later with its venv module; or {GIVEN} as the path of one that is set up")
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
    fn an_environment_is_made_once_for_the_same_requirements() {
        let folder = tempfile::tempdir().expect("a folder");
        let requirements = folder.path().join("requirements.txt");
        fs::write(&requirements, "# nothing\n").expect("written");
        let made = || {
            let mut said = 0;
            let python = make(folder.path(), &requirements, |_| said += 1).expect("an environment");
            (python.is_file(), said)
        };
        // Several processes, here threads, race for it: one makes it and the others wait.
        let all =
            std::thread::scope(|scope| [scope.spawn(made), scope.spawn(made)].map(|one| one.join().expect("made")));
        assert!(all.iter().all(|(there, _)| *there), "{all:?}");
        assert_eq!(made(), (true, 0));
        fs::write(&requirements, "# nothing else\n").expect("written");
        assert_eq!(made(), (true, 2));
    }

    #[test]
    fn a_failure_carries_what_pip_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let requirements = folder.path().join("requirements.txt");
        fs::write(&requirements, "not a requirement !\n").expect("written");
        let error = make(folder.path(), &requirements, |_| {}).expect_err("no such thing");
        assert!(error.to_string().contains("Invalid requirement"), "{error}");
        assert!(!folder.path().join("venv/made-from-requirements.txt").exists());
    }

    #[test]
    fn the_root_is_found_from_a_package() {
        assert!(root().expect("a root").join("tests/src/lib.rs").is_file());
    }
}
