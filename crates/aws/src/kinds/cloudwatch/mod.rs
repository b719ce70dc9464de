//! CloudWatch.

pub(crate) mod alarm;
