//! EventBridge Scheduler: what its kinds share.

pub(crate) mod schedule;
pub(crate) mod target;
