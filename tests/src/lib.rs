//! The sandbox and its instruments: an AWS emulator, a recording proxy, a second caller, and the real binary.
//!
//! ```text
//! Holdfast (the binary) --> Proxy (records, injects faults) --> Sandbox (the emulator)
//!                                                                  ^
//!                                          Outside (someone else) -+
//! ```
//!
//! All of it is synchronous on the outside, so that a test reads as a script, and nothing here links an
//! AWS SDK: the tests speak to AWS only through the binary and through [`Outside`].

use std::collections::BTreeMap;
use std::process::Command;

pub mod canary;
pub mod coverage;
pub mod holdfast;
pub mod http;
pub mod manual;
pub mod outside;
pub mod plant;
pub mod proxy;
pub mod sandbox;
pub mod stage;
pub mod systems;
pub mod table;

mod exchange;

pub use holdfast::{Daemon, Holdfast, Run, Victim};
pub use outside::{Outside, Refused};
pub use proxy::{Call, Effect, Match, Nth, Outcome, Proxy, Reply, Rule, RuleId, Then, When};
pub use sandbox::Sandbox;
pub use stage::Stage;

/// Environment variables of a child process, by name.
pub type Env = BTreeMap<String, String>;

/// The region that [`env_for`] sets and that [`Outside::call`] uses.
pub const REGION: &str = "us-east-1";

/// The certificate of an authority whose key nobody has.
const NOBODY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/nobody.pem");

/// What a child process needs so that it speaks to `endpoint`, and to nothing else.
///
/// The credentials are dummies, the instance metadata service is off, and the developer's own profiles are
/// out of reach: a test must not find its way to a real account. TLS is spoken with nobody, for the same reason, and
/// because reading the machine's 300 authorities takes a third of a run of an unoptimised binary.
pub fn env_for(endpoint: &str) -> Env {
    let nowhere = "/dev/null";
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", nowhere),
        ("AWS_SHARED_CREDENTIALS_FILE", nowhere),
        ("NO_PROXY", "127.0.0.1,localhost"),
        ("SSL_CERT_FILE", NOBODY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Gives `command` the variables of `env`, and takes away what it would inherit of AWS, of HTTP proxies, of
/// certificates, and of the developer's own settings for Holdfast.
fn isolate(command: &mut Command, env: &Env) {
    for (name, _) in std::env::vars_os() {
        let folded = name.to_string_lossy().to_ascii_uppercase();
        let ours = ["AWS_", "HOLDFAST_", "SSL_CERT_"].iter().any(|prefix| folded.starts_with(prefix));
        if ours || folded.ends_with("_PROXY") {
            command.env_remove(&name);
        }
    }
    command.envs(env);
}

/// A loopback port that is free for the moment.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|address| address.port())
}
