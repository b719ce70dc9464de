//! A target of an EventRule: a part of the rule's spec.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, JsonText, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use super::parameters::{EcsParameters, HttpParameters};
use crate::iam::role::Role;
use crate::sqs::queue::Queue;

/// A target: the resource that EventBridge invokes or sends events to. Holdfast keeps settings of a target that have no
/// field here, such as the parameters for AWS Batch.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTarget {
    /// The ARN of the target, as in `${Queue.work.arn}`. To start ECS tasks, the ARN of the cluster. A target can be of
    /// any kind, so this field takes an ARN and not a reference. An expression that reads the ARN makes the rule wait
    /// for the target.
    arn: Arn,
    /// The role that EventBridge assumes. Tasks, streams, other event buses and API destinations require a role.
    role: Option<Ref<Role, Arn>>,
    /// The constant input that the target receives in place of the event. State at most one of this field, `inputPath`
    /// and `inputTransformer`.
    input: Option<JsonText>,
    /// The JSON path of the part of the event that the target receives, such as `$.detail`.
    #[spec(length = ..=256)]
    input_path: Option<String>,
    /// The input transformer, which builds the target's input from parts of the event.
    input_transformer: Option<InputTransformer>,
    /// The dead-letter queue for events that could not be delivered. Its queue policy must allow `events.amazonaws.com`
    /// to send messages.
    dead_letter_queue: Option<Ref<Queue, Arn>>,
    /// The retry policy: how often and how long EventBridge retries.
    retry_policy: Option<RetryPolicy>,
    /// The tasks to start, if the target is a cluster.
    ecs_parameters: Option<EcsParameters>,
    /// The message group id, if the target is a FIFO queue.
    message_group: Option<String>,
    /// The JSON path of the partition key in the event, such as `$.detail.id`, if the target is a Kinesis stream.
    partition_key_path: Option<String>,
    /// The path values, headers and query string parameters of the request, if the target is an API.
    http_parameters: Option<HttpParameters>,
}

/// An input transformer: how a target's input is built from parts of the event.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InputTransformer {
    /// The JSON paths of the parts of the event, by the names that the template uses: `{ id: "$.detail.id" }`.
    #[serde(default)]
    input_paths_map: BTreeMap<String, String>,
    /// The template: text or JSON, written as a string, with the names in `<…>`.
    input_template: String,
}

/// A retry policy: how often and how long EventBridge retries.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryPolicy {
    /// The maximum number of retries.
    #[spec(range = 0..=185, default = 185)]
    maximum_retry_attempts: Option<ServerDefault<i32>>,
    /// The maximum age of an event in seconds: how long EventBridge retries.
    #[spec(range = 60..=86400, default = 86400)]
    maximum_event_age_in_seconds: Option<ServerDefault<i32>>,
}

impl EventTarget {
    /// Returns the SDK's type: the live target with the fields of the spec replaced.
    pub(super) fn sdk(&self, id: &str, live: Option<&sdk::Target>) -> Result<sdk::Target> {
        let EventTarget {
            arn,
            role,
            input,
            input_path,
            input_transformer,
            dead_letter_queue,
            retry_policy,
            ecs_parameters,
            message_group,
            partition_key_path,
            http_parameters,
        } = self;
        let mut target = match live {
            Some(live) => live.clone(),
            None => sdk::Target::builder().id(id).arn(&arn.0).build()?,
        };
        target.arn = arn.0.clone();
        target.role_arn = role.as_ref().map(ToString::to_string);
        target.input = input.as_ref().map(JsonText::json);
        target.input_path = input_path.clone();
        let transformer = input_transformer.as_ref().map(|transformer| {
            let InputTransformer { input_paths_map: paths, input_template } = transformer;
            let paths = (!paths.is_empty()).then(|| paths.clone().into_iter().collect());
            let transformer = sdk::InputTransformer::builder().set_input_paths_map(paths);
            transformer.input_template(input_template).build()
        });
        target.input_transformer = transformer.transpose()?;
        let dead = |queue: &Ref<Queue, Arn>| sdk::DeadLetterConfig::builder().arn(queue.as_str()).build();
        target.dead_letter_config = dead_letter_queue.as_ref().map(dead);
        target.retry_policy = retry_policy.as_ref().map(|policy| {
            let RetryPolicy { maximum_retry_attempts, maximum_event_age_in_seconds } = policy;
            sdk::RetryPolicy::builder()
                .set_maximum_retry_attempts(maximum_retry_attempts.as_deref().copied())
                .set_maximum_event_age_in_seconds(maximum_event_age_in_seconds.as_deref().copied())
                .build()
        });
        let before = live.and_then(|live| live.ecs_parameters.as_ref());
        target.ecs_parameters = ecs_parameters.as_ref().map(|ecs| ecs.sdk(before)).transpose()?;
        let group = |group: &String| sdk::SqsParameters::builder().message_group_id(group).build();
        target.sqs_parameters = message_group.as_ref().map(group);
        let stream = |path: &String| sdk::KinesisParameters::builder().partition_key_path(path).build();
        target.kinesis_parameters = partition_key_path.as_ref().map(stream).transpose()?;
        target.http_parameters = http_parameters.as_ref().map(HttpParameters::sdk);
        Ok(target)
    }

    /// Reads a target from a response.
    pub(super) fn from_response(response: &sdk::Target) -> EventTarget {
        let transformer = |response: &sdk::InputTransformer| InputTransformer {
            input_paths_map: response.input_paths_map.clone().unwrap_or_default().into_iter().collect(),
            input_template: response.input_template.clone(),
        };
        let retry = |response: &sdk::RetryPolicy| RetryPolicy {
            maximum_retry_attempts: response.maximum_retry_attempts.map(ServerDefault),
            maximum_event_age_in_seconds: response.maximum_event_age_in_seconds.map(ServerDefault),
        };
        EventTarget {
            arn: Arn(response.arn.clone()),
            role: response.role_arn().map(Into::into),
            input: response.input().map(JsonText::parse),
            input_path: response.input_path.clone(),
            input_transformer: response.input_transformer().map(transformer),
            dead_letter_queue: response.dead_letter_config().and_then(|config| config.arn()).map(Into::into),
            retry_policy: response.retry_policy().map(retry),
            ecs_parameters: response.ecs_parameters().map(EcsParameters::from_response),
            message_group: response.sqs_parameters().and_then(|sqs| sqs.message_group_id.clone()),
            partition_key_path: response.kinesis_parameters().map(|kinesis| kinesis.partition_key_path.clone()),
            http_parameters: response.http_parameters().map(HttpParameters::from_response),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_the_spec_does_not_have_are_kept() {
        let batch = sdk::BatchParameters::builder().job_definition("d").job_name("n").build().unwrap();
        let live = sdk::Target::builder().id("a").arn("arn:old").input("{}").batch_parameters(batch).build().unwrap();
        let mut target = EventTarget::from_response(&live);
        target.arn = Arn("arn:new".into());
        target.input = None;
        let sent = target.sdk("a", Some(&live)).unwrap();
        assert_eq!((sent.arn.as_str(), sent.input.as_deref()), ("arn:new", None));
        assert_eq!(sent.batch_parameters, live.batch_parameters);
    }
}
