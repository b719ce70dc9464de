//! Standard output and standard error. A reader that closes a pipe early, as `head` does, is no error.

use std::io::{self, ErrorKind, Write};

use holdfast_engine::pass::PassError;
use holdfast_report::escape;

/// Prints text to stdout, without its colours if stdout is no terminal.
///
/// # Errors
/// When the text cannot be written, for example because a disk is full. A closed pipe is no error: the command goes on
/// and ends with its own exit code.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints an error to stderr.
pub(crate) fn print_failure(error: &anyhow::Error) {
    let message = format!("{error:#}");
    // Errors of documents have lines and colours of their own. Errors of AWS are not to be trusted with either.
    let is_of_aws = error.chain().any(|cause| cause.is::<PassError>());
    print_error(&if is_of_aws { escape::line(&message) } else { message.as_str().into() });
}

/// Prints a line to stderr, without its colours if stderr is no terminal. There is no place to report an error to.
pub(crate) fn print_error(line: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(line.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
}
