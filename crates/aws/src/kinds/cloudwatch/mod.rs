//! CloudWatch.

pub(crate) mod alarm;
pub(crate) mod dashboard;
