//! The target of a schedule: a part of a Schedule's spec.

use std::collections::BTreeSet;

use aws_sdk_scheduler::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::Queue;
use holdfast_base::names::Role;
use holdfast_base::sdk::texts;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, JsonText, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::ecs::CapacityProviderStrategyItem;
use crate::ecs::network::{AwsvpcConfiguration, NetworkConfiguration};
use crate::ecs::task_definition::TaskDefinition;

/// The target of a schedule. Target settings that this record does not have are not changed.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleTarget {
    /// The ARN of the target: the cluster (`${Cluster.main.arn}`) for an ECS task, a queue, a Lambda function, a topic,
    /// or `arn:aws:scheduler:::aws-sdk:<service>:<operation>` for any AWS API call
    /// (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html>).
    arn: Arn,
    /// The role that Scheduler assumes to call the target. It needs a trust policy for `scheduler.amazonaws.com`. For
    /// an ECS task it needs `ecs:RunTask`, and `iam:PassRole` for the task's own roles.
    role: Ref<Role, Arn>,
    /// For an ECS task: its parameters.
    ecs_parameters: Option<ScheduleEcsParameters>,
    /// For a FIFO queue: its parameters.
    sqs_parameters: Option<ScheduleSqsParameters>,
    /// The input of the target, as YAML or as JSON text. For an ECS task: overrides, as in
    /// `{ containerOverrides: [{ name: web, command: [bin/clean] }] }`.
    input: Option<JsonText>,
    /// The retries of a failed call.
    retry_policy: Option<ScheduleRetryPolicy>,
    /// The dead-letter queue for calls whose retries are exhausted; `null` for none.
    dead_letter_config: Option<ScheduleDeadLetterConfig>,
}

/// The parameters of an ECS task that a schedule runs.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleEcsParameters {
    /// The task definition. A new revision changes this field.
    task_definition: Ref<TaskDefinition>,
    /// The number of tasks that each run starts.
    #[spec(range = 1..=10)]
    #[serde(default = "one")]
    task_count: i32,
    /// The launch type. Without it, `capacityProviderStrategy` or the cluster's default
    /// strategy applies.
    #[spec(one_of = sdk::LaunchType)]
    launch_type: Option<String>,
    /// How tasks are spread over capacity providers.
    #[spec(items = ..=6)]
    capacity_provider_strategy: Option<BTreeSet<CapacityProviderStrategyItem>>,
    /// The subnets and security groups of the tasks. Tasks with the network mode `awsvpc`, and so all Fargate tasks,
    /// need it.
    network_configuration: Option<NetworkConfiguration>,
    /// The Fargate platform version: `LATEST`, or a version such as `1.4.0`.
    platform_version: Option<String>,
    /// The task group, for placement.
    #[spec(length = 1..=255)]
    group: Option<String>,
    /// Whether ECS tags the tasks with the name of the cluster, for cost allocation.
    #[serde(rename = "enableECSManagedTags")]
    #[spec(default = false)]
    enable_ecs_managed_tags: Option<bool>,
    /// Whether commands can be run in the containers with ECS Exec.
    #[spec(default = false)]
    enable_execute_command: Option<bool>,
    /// The source of the tasks' tags: `TASK_DEFINITION` for the tags of the task definition.
    #[spec(one_of = sdk::PropagateTags)]
    propagate_tags: Option<String>,
}

fn one() -> i32 {
    1
}

/// The parameters of a FIFO queue.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleSqsParameters {
    /// The message group id. The queue needs content-based deduplication.
    #[spec(length = 1..=128)]
    message_group_id: String,
}

/// The retries of a failed call.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleRetryPolicy {
    /// The maximum age of a call in seconds, after which it is not retried.
    #[spec(range = 60..=86400, default = 86400)]
    maximum_event_age_in_seconds: Option<ServerDefault<i32>>,
    /// The maximum number of retries.
    #[spec(range = 0..=185, default = 185)]
    maximum_retry_attempts: Option<ServerDefault<i32>>,
}

/// The dead-letter queue for calls whose retries are exhausted.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleDeadLetterConfig {
    /// The queue. The role needs permission to send messages to it.
    queue: Ref<Queue, Arn>,
}

impl ScheduleTarget {
    /// Converts the target for a request: the live target with the fields of the spec. Settings that the spec does not
    /// have are kept.
    pub(super) fn sdk(&self, live: Option<&sdk::Target>) -> Result<sdk::Target> {
        let ScheduleTarget { arn, role, ecs_parameters, sqs_parameters, input, retry_policy, dead_letter_config } =
            self;
        let mut target = match live {
            Some(live) => live.clone(),
            None => sdk::Target::builder().arn(&arn.0).role_arn(role.as_str()).build()?,
        };
        let ecs = target.ecs_parameters.take();
        target.arn = arn.0.clone();
        target.role_arn = role.as_str().to_owned();
        target.ecs_parameters = ecs_parameters.as_ref().map(|parameters| parameters.sdk(ecs.as_ref())).transpose()?;
        target.sqs_parameters = sqs_parameters
            .as_ref()
            .map(|sqs| sdk::SqsParameters::builder().message_group_id(&sqs.message_group_id).build());
        target.input = input.as_ref().map(JsonText::json);
        target.retry_policy = retry_policy.as_ref().map(
            |ScheduleRetryPolicy { maximum_event_age_in_seconds, maximum_retry_attempts }| {
                sdk::RetryPolicy::builder()
                    .set_maximum_event_age_in_seconds(maximum_event_age_in_seconds.map(|n| n.0))
                    .set_maximum_retry_attempts(maximum_retry_attempts.map(|n| n.0))
                    .build()
            },
        );
        target.dead_letter_config =
            dead_letter_config.as_ref().map(|dead| sdk::DeadLetterConfig::builder().arn(dead.queue.as_str()).build());
        Ok(target)
    }

    /// Reads a target from a response.
    pub(super) fn from_response(target: &sdk::Target) -> ScheduleTarget {
        ScheduleTarget {
            arn: Arn(target.arn.clone()),
            role: Ref::new(target.role_arn()),
            ecs_parameters: target.ecs_parameters().map(ScheduleEcsParameters::from_response),
            sqs_parameters: target
                .sqs_parameters()
                .and_then(|sqs| sqs.message_group_id.clone())
                .map(|message_group_id| ScheduleSqsParameters { message_group_id }),
            input: target.input().map(JsonText::parse),
            retry_policy: target.retry_policy().map(|policy| ScheduleRetryPolicy {
                maximum_event_age_in_seconds: policy.maximum_event_age_in_seconds.map(ServerDefault),
                maximum_retry_attempts: policy.maximum_retry_attempts.map(ServerDefault),
            }),
            dead_letter_config: target
                .dead_letter_config()
                .and_then(|dead| dead.arn())
                .map(|arn| ScheduleDeadLetterConfig { queue: Ref::new(arn) }),
        }
    }
}

impl ScheduleEcsParameters {
    fn sdk(&self, live: Option<&sdk::EcsParameters>) -> Result<sdk::EcsParameters> {
        let ScheduleEcsParameters {
            task_definition,
            task_count,
            launch_type,
            capacity_provider_strategy,
            network_configuration,
            platform_version,
            group,
            enable_ecs_managed_tags,
            enable_execute_command,
            propagate_tags,
        } = self;
        let mut ecs = match live {
            Some(live) => live.clone(),
            None => sdk::EcsParameters::builder().task_definition_arn(task_definition.as_str()).build()?,
        };
        let item = |item: &CapacityProviderStrategyItem| {
            let strategy = sdk::CapacityProviderStrategyItem::builder().capacity_provider(&item.capacity_provider);
            Ok(strategy.weight(item.weight).base(item.base).build()?)
        };
        let strategy = capacity_provider_strategy.as_ref().filter(|strategy| !strategy.is_empty());
        ecs.task_definition_arn = task_definition.as_str().to_owned();
        ecs.task_count = Some(*task_count);
        ecs.launch_type = launch_type.as_deref().map(Into::into);
        ecs.capacity_provider_strategy = strategy.map(|s| s.iter().map(item).collect::<Result<_>>()).transpose()?;
        ecs.network_configuration = network_configuration.as_ref().map(network).transpose()?;
        ecs.platform_version = platform_version.clone();
        ecs.group = group.clone();
        ecs.enable_ecs_managed_tags = *enable_ecs_managed_tags;
        ecs.enable_execute_command = *enable_execute_command;
        ecs.propagate_tags = propagate_tags.as_deref().map(Into::into);
        Ok(ecs)
    }

    fn from_response(ecs: &sdk::EcsParameters) -> ScheduleEcsParameters {
        let item = |item: &sdk::CapacityProviderStrategyItem| CapacityProviderStrategyItem {
            capacity_provider: item.capacity_provider.clone(),
            weight: item.weight,
            base: item.base,
        };
        let vpc = ecs.network_configuration().and_then(|network| network.awsvpc_configuration());
        let network = |vpc: &sdk::AwsVpcConfiguration| NetworkConfiguration {
            awsvpc_configuration: AwsvpcConfiguration {
                subnets: vpc.subnets.iter().map(|id| Ref::new(id.as_str())).collect(),
                security_groups: Some(vpc.security_groups().iter().map(|id| Ref::new(id.as_str())).collect()),
                assign_public_ip: vpc.assign_public_ip().map_or("DISABLED", |assign| assign.as_str()).to_owned(),
            },
        };
        ScheduleEcsParameters {
            task_definition: Ref::new(ecs.task_definition_arn()),
            task_count: ecs.task_count.unwrap_or(1),
            launch_type: ecs.launch_type().map(|launch| launch.as_str().to_owned()),
            capacity_provider_strategy: Some(ecs.capacity_provider_strategy().iter().map(item).collect()),
            network_configuration: vpc.map(network),
            platform_version: ecs.platform_version.clone(),
            group: ecs.group.clone(),
            enable_ecs_managed_tags: Some(ecs.enable_ecs_managed_tags.unwrap_or(false)),
            enable_execute_command: Some(ecs.enable_execute_command.unwrap_or(false)),
            propagate_tags: ecs.propagate_tags().map(|tags| tags.as_str().to_owned()),
        }
    }
}

fn network(network: &NetworkConfiguration) -> Result<sdk::NetworkConfiguration> {
    let AwsvpcConfiguration { subnets, security_groups, assign_public_ip } = &network.awsvpc_configuration;
    let groups = security_groups.as_ref().map(texts);
    let vpc = sdk::AwsVpcConfiguration::builder()
        .set_subnets(Some(texts(subnets)))
        .set_security_groups(groups)
        .assign_public_ip(assign_public_ip.as_str().into())
        .build()?;
    Ok(sdk::NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_the_spec_does_not_have_are_kept() {
        let stream = sdk::KinesisParameters::builder().partition_key("k").build().unwrap();
        let live = sdk::Target::builder().arn("arn:aws:kinesis:r:1:stream/s").role_arn("r").kinesis_parameters(stream);
        let live = live.build().unwrap();
        let sent = ScheduleTarget::from_response(&live).sdk(Some(&live)).unwrap();
        assert_eq!(sent, live);
    }

    #[test]
    fn a_task_survives_the_round_trip() {
        let json = serde_json::json!({"arn": "arn:aws:ecs:r:1:cluster/main", "role": "arn:aws:iam::1:role/r",
            "input": {"containerOverrides": []}, "deadLetterConfig": {"queue": "arn:aws:sqs:r:1:dead"},
            "ecsParameters": {"taskDefinition": "arn:td:1", "taskCount": 2, "capacityProviderStrategy":
                [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}], "enableECSManagedTags": true,
                "enableExecuteCommand": false, "networkConfiguration": {"awsvpcConfiguration":
                {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}}}});
        let spec: ScheduleTarget = serde_json::from_value(json.clone()).unwrap();
        let back = ScheduleTarget::from_response(&spec.sdk(None).unwrap());
        assert_eq!(holdfast_core::value::of(&back).without_nulls().json(), json);
    }
}
