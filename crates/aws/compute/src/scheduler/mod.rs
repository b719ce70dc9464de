//! EventBridge Scheduler: schedules and their targets.

pub(crate) mod schedule;
pub(crate) mod target;

holdfast_base::client!(scheduler: aws_sdk_scheduler);
