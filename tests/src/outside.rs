//! Somebody outside: changes the account behind Holdfast's back, and looks at it with other eyes.
//!
//! It is `tests/sandbox/outside.py`, AWS's own SDK for Python, and speaks to the emulator past the proxy: its
//! calls are in nobody's count, and no rule touches them.

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

/// The first call of a service loads its model, a second or two on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A second caller. It starts at its first call, which takes half a second, and ends when it is dropped.
#[derive(Debug)]
pub struct Outside {
    env: Env,
    caller: Mutex<Option<Caller>>,
}

#[derive(Debug)]
struct Caller {
    child: Child,
    errors: File,
    questions: ChildStdin,
    answers: Receiver<String>,
}

/// AWS said no; the error that [`Outside::call`] gives then, for `downcast_ref`.
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

impl Outside {
    /// A caller of this sandbox.
    pub fn of(sandbox: &Sandbox) -> Outside {
        Outside::with(&sandbox.env())
    }

    /// A caller with an environment of its own, such as a proxy's.
    pub fn with(env: &Env) -> Outside {
        Outside { env: env.clone(), caller: Mutex::default() }
    }

    /// Calls an operation in [`REGION`], named as boto3 names it: `call("ec2", "create_vpc", json!({"CidrBlock": …}))`.
    pub fn call(&self, service: &str, operation: &str, parameters: Value) -> anyhow::Result<Value> {
        self.call_in(REGION, service, operation, parameters)
    }

    /// The same in another region.
    pub fn call_in(&self, region: &str, service: &str, operation: &str, parameters: Value) -> anyhow::Result<Value> {
        let call = format!("{service}.{operation}");
        let parameters = if parameters.is_null() { json!({}) } else { parameters };
        let question =
            json!({ "service": service, "operation": operation, "parameters": parameters, "region": region });
        let mut caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = match &mut *caller {
            Some(caller) => caller,
            none => none.insert(Caller::start(&self.env)?),
        };
        let asked = writeln!(caller.questions, "{question}").and_then(|()| caller.questions.flush());
        asked.with_context(|| format!("{call}: outside.py is gone; it says:\n{}", caller.log()))?;
        let answer = caller.answers.recv_timeout(LIMIT);
        let answer =
            answer.with_context(|| format!("{call}: outside.py does not answer; it says:\n{}", caller.log()))?;
        let mut answer: Value =
            serde_json::from_str(&answer).with_context(|| format!("{call}: outside.py answers {answer:?}"))?;
        if let Some(error) = answer.get("error") {
            let word = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            bail!(Refused { call, code: word("code"), message: word("message") });
        }
        Ok(answer["ok"].take())
    }
}

impl Caller {
    fn start(env: &Env) -> anyhow::Result<Caller> {
        let errors = tempfile::tempfile().context("no file for the messages of outside.py")?;
        let mut command = program("outside.py", env)?;
        let mut child = command.stderr(errors.try_clone()?).spawn().context("outside.py does not start")?;
        let questions = child.stdin.take().expect("stdin is piped");
        let answers = lines(child.stdout.take().expect("stdout is piped"));
        Ok(Caller { child, errors, questions, answers })
    }

    /// What it has written to its standard error.
    fn log(&self) -> String {
        read_from_start(&self.errors)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
