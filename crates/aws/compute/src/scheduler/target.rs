//! What a schedule runs: a part of a Schedule's spec, as AWS takes and answers it.

use std::collections::BTreeSet;

use aws_sdk_scheduler::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::Queue;
use holdfast_base::names::Role;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, JsonText, Ref};
use serde::{Deserialize, Serialize};

use crate::ecs::CapacityProviderStrategyItem;
use crate::ecs::network::{AwsvpcConfiguration, NetworkConfiguration};
use crate::ecs::task_definition::TaskDefinition;

/// What a schedule runs. Settings for targets that Holdfast does not know are left as they are.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleTarget {
    /// The target: of a task of ECS its cluster (`${Cluster.main.arn}`), else a queue, a function, a topic, or
    /// `arn:aws:scheduler:::aws-sdk:<service>:<operation>` for any call of AWS
    /// (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html>).
    arn: Arn,
    /// The role by which Scheduler calls it; `scheduler.amazonaws.com` has to be allowed to assume it. For a task
    /// it needs `ecs:RunTask`, and `iam:PassRole` for the task's own roles.
    role: Ref<Role, Arn>,
    /// For a task of ECS.
    ecs_parameters: Option<EcsParameters>,
    /// For a FIFO queue.
    sqs_parameters: Option<SqsParameters>,
    /// What the target is given, as YAML or as JSON text. For a task: overrides, as in
    /// `{ containerOverrides: [{ name: web, command: [bin/clean] }] }`.
    input: Option<JsonText>,
    /// How often a call that failed is made again.
    retry_policy: Option<RetryPolicy>,
    /// Where a call goes that failed for good; `null` for nowhere.
    dead_letter_config: Option<DeadLetterConfig>,
}

/// A task of ECS.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EcsParameters {
    /// What the task is made of. A new revision is a change here.
    task_definition: Ref<TaskDefinition>,
    /// How many tasks each run starts: 1 to 10.
    #[serde(default = "one")]
    task_count: i32,
    /// `FARGATE`, `EC2` or `EXTERNAL`; in its place, `capacityProviderStrategy`, or the cluster's default.
    launch_type: Option<String>,
    /// How tasks are spread over capacity providers: at most six.
    capacity_provider_strategy: Option<BTreeSet<CapacityProviderStrategyItem>>,
    /// Where in the network the tasks are; `awsvpc` tasks, and so all of Fargate's, need it.
    network_configuration: Option<NetworkConfiguration>,
    /// The version of Fargate, `LATEST` or one such as `1.4.0`.
    platform_version: Option<String>,
    /// The group of the tasks, for placement.
    group: Option<String>,
    /// Whether tasks get tags that name the cluster, for bills.
    #[serde(rename = "enableECSManagedTags")]
    enable_ecs_managed_tags: Option<bool>,
    /// Whether people can run commands in the containers (ECS Exec).
    enable_execute_command: Option<bool>,
    /// `TASK_DEFINITION` when tasks get the tags of the task definition.
    propagate_tags: Option<String>,
}

fn one() -> i32 {
    1
}

/// A FIFO queue.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SqsParameters {
    /// The group of the messages. The queue needs content-based deduplication.
    message_group_id: String,
}

/// How often a call that failed is made again.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryPolicy {
    /// Seconds after which it is given up: 60 to 86400, which is AWS's default.
    maximum_event_age_in_seconds: Option<Always<i32>>,
    /// How often: 0 to 185, which is AWS's default.
    maximum_retry_attempts: Option<Always<i32>>,
}

/// Where a call goes that failed for good.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetterConfig {
    /// The queue, which the role has to be allowed to send to.
    queue: Ref<Queue, Arn>,
}

impl ScheduleTarget {
    /// As AWS takes it: what is there, with what the spec knows put in.
    pub(super) fn sdk(&self, there: Option<&sdk::Target>) -> Result<sdk::Target> {
        let ScheduleTarget { arn, role, ecs_parameters, sqs_parameters, input, retry_policy, dead_letter_config } =
            self;
        let mut target = match there {
            Some(there) => there.clone(),
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
        target.retry_policy =
            retry_policy.as_ref().map(|RetryPolicy { maximum_event_age_in_seconds, maximum_retry_attempts }| {
                sdk::RetryPolicy::builder()
                    .set_maximum_event_age_in_seconds(maximum_event_age_in_seconds.map(|n| n.0))
                    .set_maximum_retry_attempts(maximum_retry_attempts.map(|n| n.0))
                    .build()
            });
        target.dead_letter_config =
            dead_letter_config.as_ref().map(|dead| sdk::DeadLetterConfig::builder().arn(dead.queue.as_str()).build());
        Ok(target)
    }

    /// As AWS answered it.
    pub(super) fn live(target: &sdk::Target) -> ScheduleTarget {
        ScheduleTarget {
            arn: Arn(target.arn.clone()),
            role: Ref::new(target.role_arn()),
            ecs_parameters: target.ecs_parameters().map(EcsParameters::live),
            sqs_parameters: target
                .sqs_parameters()
                .and_then(|sqs| sqs.message_group_id.clone())
                .map(|message_group_id| SqsParameters { message_group_id }),
            input: target.input().map(JsonText::parse),
            retry_policy: target.retry_policy().map(|policy| RetryPolicy {
                maximum_event_age_in_seconds: policy.maximum_event_age_in_seconds.map(Always),
                maximum_retry_attempts: policy.maximum_retry_attempts.map(Always),
            }),
            dead_letter_config: target
                .dead_letter_config()
                .and_then(|dead| dead.arn())
                .map(|arn| DeadLetterConfig { queue: Ref::new(arn) }),
        }
    }
}

impl EcsParameters {
    fn sdk(&self, there: Option<&sdk::EcsParameters>) -> Result<sdk::EcsParameters> {
        let EcsParameters {
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
        let mut ecs = match there {
            Some(there) => there.clone(),
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

    fn live(ecs: &sdk::EcsParameters) -> EcsParameters {
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
        EcsParameters {
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
    let groups = security_groups.as_ref().map(|groups| groups.iter().map(ToString::to_string).collect());
    let vpc = sdk::AwsVpcConfiguration::builder()
        .set_subnets(Some(subnets.iter().map(ToString::to_string).collect()))
        .set_security_groups(groups)
        .assign_public_ip(assign_public_ip.as_str().into())
        .build()?;
    Ok(sdk::NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_spec_does_not_know_survives() {
        let stream = sdk::KinesisParameters::builder().partition_key("k").build().unwrap();
        let there = sdk::Target::builder().arn("arn:aws:kinesis:r:1:stream/s").role_arn("r").kinesis_parameters(stream);
        let there = there.build().unwrap();
        let sent = ScheduleTarget::live(&there).sdk(Some(&there)).unwrap();
        assert_eq!(sent, there);
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
        let back = ScheduleTarget::live(&spec.sdk(None).unwrap());
        assert_eq!(holdfast_core::value::of(&back).without_nulls().json(), json);
    }
}
