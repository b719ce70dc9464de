//! Simple Notification Service.

pub(crate) mod subscription;
pub(crate) mod topic;
