//! The second client: changes the account out of band, and reads it independently of Holdfast.
//!
//! The client is `tests/sandbox/out_of_band.py`, which uses AWS's SDK for Python. It calls the emulator directly: the
//! proxy does not count its calls, and no rule affects them.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::process::{Child, ChildStdin};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::sandbox::{lines, program, read_from_start};
use crate::{Env, REGION, Sandbox};

/// The timeout of one call. The first call of a service loads its model, which takes one or two seconds on a busy
/// machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The second client. Its process starts at the first call, which takes half a second, and ends when the client is
/// dropped.
#[derive(Debug)]
pub struct OutOfBand {
    env: Env,
    process: Mutex<Option<ClientProcess>>,
}

#[derive(Debug)]
struct ClientProcess {
    child: Child,
    errors: File,
    requests: ChildStdin,
    responses: Receiver<String>,
}

/// The error of a call that AWS rejected. [`OutOfBand::call`] returns it; `downcast_ref` gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `service.operation`.
    pub call: String,
    /// The error code.
    pub code: String,
    /// The message.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.call, self.code, self.message)
    }
}

impl std::error::Error for Refused {}

impl OutOfBand {
    /// Returns a client of this sandbox.
    pub fn of(sandbox: &Sandbox) -> OutOfBand {
        OutOfBand::with(&sandbox.env())
    }

    /// Returns a client with this environment, such as a proxy's.
    pub fn with(env: &Env) -> OutOfBand {
        OutOfBand { env: env.clone(), process: Mutex::default() }
    }

    /// Calls an operation in [`REGION`]. The names are those of boto3: `call("ec2", "create_vpc", json!({"CidrBlock":
    /// …}))`.
    pub fn call(&self, service: &str, operation: &str, parameters: Value) -> anyhow::Result<Value> {
        self.call_in(REGION, service, operation, parameters)
    }

    /// Calls an operation in the given region.
    pub fn call_in(&self, region: &str, service: &str, operation: &str, parameters: Value) -> anyhow::Result<Value> {
        let call = format!("{service}.{operation}");
        let parameters = if parameters.is_null() { json!({}) } else { parameters };
        let request = json!({ "service": service, "operation": operation, "parameters": parameters, "region": region });
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let process = match &mut *process {
            Some(process) => process,
            none => none.insert(ClientProcess::start(&self.env)?),
        };
        let sent = writeln!(process.requests, "{request}").and_then(|()| process.requests.flush());
        sent.with_context(|| format!("{call}: out_of_band.py has ended; its messages:\n{}", process.log()))?;
        let response = process.responses.recv_timeout(TIMEOUT);
        let response = response
            .with_context(|| format!("{call}: out_of_band.py does not respond; its messages:\n{}", process.log()))?;
        let mut response: Value = serde_json::from_str(&response)
            .with_context(|| format!("{call}: the response of out_of_band.py is {response:?}"))?;
        if let Some(error) = response.get("error") {
            let word = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            bail!(Refused { call, code: word("code"), message: word("message") });
        }
        Ok(response["ok"].take())
    }
}

impl ClientProcess {
    fn start(env: &Env) -> anyhow::Result<ClientProcess> {
        let errors = tempfile::tempfile().context("the file for the messages of out_of_band.py cannot be created")?;
        let mut command = program("out_of_band.py", env)?;
        let mut child = command.stderr(errors.try_clone()?).spawn().context("out_of_band.py does not start")?;
        let requests = child.stdin.take().expect("stdin is piped");
        let responses = lines(child.stdout.take().expect("stdout is piped"));
        Ok(ClientProcess { child, errors, requests, responses })
    }

    /// Returns the standard error of the process.
    fn log(&self) -> String {
        read_from_start(&self.errors)
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // Both fail only when the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
