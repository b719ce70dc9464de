//! EventBridge: rules and their targets.

pub(crate) mod event_rule;
mod parameters;
mod target;

holdfast_base::client!(events: aws_sdk_eventbridge);
