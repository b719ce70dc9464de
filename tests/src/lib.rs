//! The test environment: an AWS emulator (the sandbox), a recording proxy, a second client, and the real binary.
//!
//! ```text
//! Holdfast (the binary) --> Proxy (records, injects faults) --> Sandbox (the emulator)
//!                                                                  ^
//!                                       OutOfBand (second client) -+
//! ```
//!
//! All helpers are synchronous, so that a test reads as a script. Nothing here links an AWS SDK: the tests call AWS
//! only through the binary and through [`OutOfBand`].

use std::collections::BTreeMap;
use std::process::Command;

pub mod canary;
pub mod coverage;
pub mod fixtures;
pub mod holdfast;
pub mod http;
pub mod inventory;
pub mod manual;
pub mod out_of_band;
pub mod proxy;
pub mod sandbox;
pub mod shown_plan;
pub mod systems;
pub mod table;
pub mod test_env;

mod exchange;

pub use holdfast::{Daemon, Holdfast, KillTarget, Run};
pub use inventory::Inventory;
pub use out_of_band::{OutOfBand, Refused};
pub use proxy::{Call, CallOutcome, Effect, HookResult, Match, Nth, Proxy, Reply, Rule, RuleId, When};
pub use sandbox::Sandbox;
pub use test_env::TestEnv;

/// Environment variables of a child process, by name.
pub type Env = BTreeMap<String, String>;

/// The region that [`env_for`] sets and that [`OutOfBand::call`] uses.
pub const REGION: &str = "us-east-1";

/// The certificate of an authority whose private key was thrown away.
const UNUSED_AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/nobody.pem");

/// Returns the environment of a child process that calls only `endpoint`.
///
/// The credentials are dummies, the instance metadata service is off, and the developer's own profiles are not used: a
/// test must not reach a real account. For the same reason the only trusted TLS authority is one without a known private
/// key. This also saves time: reading the machine's 300 authorities takes a third of a run of an unoptimised binary.
pub fn env_for(endpoint: &str) -> Env {
    let no_file = "/dev/null";
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", no_file),
        ("AWS_SHARED_CREDENTIALS_FILE", no_file),
        ("NO_PROXY", "127.0.0.1,localhost"),
        ("SSL_CERT_FILE", UNUSED_AUTHORITY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Sets the variables of `env` for `command`, and removes the inherited variables of AWS, HTTP proxies and
/// certificates, and the developer's own settings for Holdfast.
fn isolate(command: &mut Command, env: &Env) {
    for (name, _) in std::env::vars_os() {
        let folded = name.to_string_lossy().to_ascii_uppercase();
        let is_isolated = ["AWS_", "HOLDFAST_", "SSL_CERT_"].iter().any(|prefix| folded.starts_with(prefix));
        if is_isolated || folded.ends_with("_PROXY") {
            command.env_remove(&name);
        }
    }
    command.envs(env);
}

/// Returns a loopback port that is free now. Another process may bind it before the caller does.
///
/// # Errors
/// Returns an error when no port is free.
pub fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|address| address.port())
}
