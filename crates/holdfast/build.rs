//! The linker flags of the unoptimised binary.

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if !(is("PROFILE", "debug") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu")) {
        return;
    }
    // A fixed address: the loader would have to relocate 640,000 addresses of a position-independent executable at each
    // of a test's hundreds of starts, which takes longer than most of the run itself.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    #[cfg(unix)]
    link_with_wild();
}

/// Links with wild if it is installed: linking is half of the build after an edit, and wild takes half as long as lld.
#[cfg(unix)]
fn link_with_wild() {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(cargo) = cargo.or_else(|| Some(env::home_dir()?.join(".cargo"))) else { return };
    let (tools, wild) = (cargo.join("bin"), cargo.join("bin/wild"));
    if tools.exists() {
        println!("cargo::rerun-if-changed={}", tools.display());
    }
    // GCC accepts `-fuse-ld=wild` since version 16. For older versions, wild gets the name of a linker that every GCC
    // accepts.
    let names = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("linker");
    let name = names.join("ld.bfd");
    let _ = fs::remove_dir_all(&names);
    if wild.exists() && fs::create_dir_all(&names).is_ok() && std::os::unix::fs::symlink(wild, name).is_ok() {
        println!("cargo::rustc-link-arg-bins=-B{}", names.display());
        println!("cargo::rustc-link-arg-bins=-fuse-ld=bfd");
    }
}
