//! EventBridge: rules and their targets.

pub(crate) mod event_rule;
mod parameters;
mod target;

holdfast_base::client!(events: aws_sdk_eventbridge);
holdfast_base::sdk_tags!(required aws_sdk_eventbridge::types::Tag);
holdfast_base::tag_calls!(EventTags: events, tag_resource.resource_arn, untag_resource.resource_arn);
