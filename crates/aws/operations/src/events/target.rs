//! A target of an EventRule: a part of its spec.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, JsonText, Ref};
use serde::{Deserialize, Serialize};

use super::parameters::{EcsParameters, HttpParameters};
use crate::iam::role::Role;
use crate::sqs::queue::Queue;

/// What an event starts or is given to. What AWS knows of it beyond these fields, parameters for Batch say, stays.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTarget {
    /// Its ARN, as in `${Queue.work.arn}`, or a cluster's to start tasks in. Without a reference of its own kind: read
    /// it, and it comes first.
    arn: Arn,
    /// The role that EventBridge assumes; tasks, streams, other buses and API destinations need one.
    role: Option<Ref<Role, Arn>>,
    /// What the target gets in place of the event. State this, `inputPath` or `inputTransformer`, or none of them.
    input: Option<JsonText>,
    /// The part of the event that the target gets, such as `$.detail`.
    input_path: Option<String>,
    /// How the target's input is made of parts of the event.
    input_transformer: Option<InputTransformer>,
    /// The queue for events that could not be delivered. Its policy has to let `events.amazonaws.com` send.
    dead_letter_queue: Option<Ref<Queue, Arn>>,
    /// How long EventBridge tries.
    retry_policy: Option<RetryPolicy>,
    /// The tasks to start, when the target is a cluster.
    ecs_parameters: Option<EcsParameters>,
    /// The message group, when the target is a FIFO queue.
    message_group: Option<String>,
    /// The part of the event that is the partition key, such as `$.detail.id`, when the target is a Kinesis stream.
    partition_key_path: Option<String>,
    /// What is added to the request, when the target is an API.
    http_parameters: Option<HttpParameters>,
}

/// How an input is made.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InputTransformer {
    /// Parts of the event by the names that the template uses: `{ id: "$.detail.id" }`.
    #[serde(default)]
    input_paths_map: BTreeMap<String, String>,
    /// A text, or JSON as a text, with the names in `<…>`.
    input_template: String,
}

/// How long EventBridge tries.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryPolicy {
    /// How often: 0 to 185, which is AWS's default.
    maximum_retry_attempts: Option<Always<i32>>,
    /// For how many seconds: 60 to 86400, which is AWS's default.
    maximum_event_age_in_seconds: Option<Always<i32>>,
}

impl EventTarget {
    /// As AWS's call takes it: what is there now, with what the spec knows.
    pub(super) fn sdk(&self, id: &str, there: Option<&sdk::Target>) -> Result<sdk::Target> {
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
        let mut target = match there {
            Some(there) => there.clone(),
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
        let before = there.and_then(|there| there.ecs_parameters.as_ref());
        target.ecs_parameters = ecs_parameters.as_ref().map(|ecs| ecs.sdk(before)).transpose()?;
        let group = |group: &String| sdk::SqsParameters::builder().message_group_id(group).build();
        target.sqs_parameters = message_group.as_ref().map(group);
        let stream = |path: &String| sdk::KinesisParameters::builder().partition_key_path(path).build();
        target.kinesis_parameters = partition_key_path.as_ref().map(stream).transpose()?;
        target.http_parameters = http_parameters.as_ref().map(HttpParameters::sdk);
        Ok(target)
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::Target) -> EventTarget {
        let transformer = |told: &sdk::InputTransformer| InputTransformer {
            input_paths_map: told.input_paths_map.clone().unwrap_or_default().into_iter().collect(),
            input_template: told.input_template.clone(),
        };
        let retry = |told: &sdk::RetryPolicy| RetryPolicy {
            maximum_retry_attempts: told.maximum_retry_attempts.map(Always),
            maximum_event_age_in_seconds: told.maximum_event_age_in_seconds.map(Always),
        };
        EventTarget {
            arn: Arn(told.arn.clone()),
            role: told.role_arn().map(Into::into),
            input: told.input().map(JsonText::parse),
            input_path: told.input_path.clone(),
            input_transformer: told.input_transformer().map(transformer),
            dead_letter_queue: told.dead_letter_config().and_then(|config| config.arn()).map(Into::into),
            retry_policy: told.retry_policy().map(retry),
            ecs_parameters: told.ecs_parameters().map(EcsParameters::read),
            message_group: told.sqs_parameters().and_then(|sqs| sqs.message_group_id.clone()),
            partition_key_path: told.kinesis_parameters().map(|kinesis| kinesis.partition_key_path.clone()),
            http_parameters: told.http_parameters().map(HttpParameters::read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_spec_does_not_know_stays() {
        let batch = sdk::BatchParameters::builder().job_definition("d").job_name("n").build().unwrap();
        let there = sdk::Target::builder().id("a").arn("arn:old").input("{}").batch_parameters(batch).build().unwrap();
        let mut target = EventTarget::read(&there);
        target.arn = Arn("arn:new".into());
        target.input = None;
        let sent = target.sdk("a", Some(&there)).unwrap();
        assert_eq!((sent.arn.as_str(), sent.input.as_deref()), ("arn:new", None));
        assert_eq!(sent.batch_parameters, there.batch_parameters);
    }
}
