//! EventBridge Scheduler: schedules and their targets.

pub(crate) mod schedule;

holdfast_base::client!(scheduler: aws_sdk_scheduler);
