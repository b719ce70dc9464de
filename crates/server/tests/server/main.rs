//! The server as its users see it: pages over HTTP, log lines, and the docs that describe both.

mod docs;
mod drift;
mod http;
mod lines;
mod page;
mod story;
