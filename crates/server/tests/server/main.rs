//! Tests of the server from outside: pages over HTTP, log lines, and the documentation of both.

mod docs;
mod drift;
mod http;
mod lines;
mod page;
mod test_plan;
