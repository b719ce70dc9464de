//! A minimal HTTP client: one GET request over loopback.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Returns the body of a page whose status is 200.
///
/// # Errors
/// Returns an error when the connection fails or the status is another one. The error has the status line.
pub fn get(url: &str) -> anyhow::Result<String> {
    let rest = url.strip_prefix("http://").context("the URL does not begin with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).with_context(|| format!("no process listens at {host}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").context("the response is not HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        bail!("the status of {url} is {status}: {body}");
    }
    Ok(body.to_owned())
}

/// Waits until the status of a page is 200.
///
/// # Errors
/// Returns the last error of [`get`] at the timeout.
pub fn wait(url: &str, limit: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + limit;
    loop {
        match get(url) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
