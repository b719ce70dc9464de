//! The parameters of some targets of an EventRule: ECS tasks to start, and parts of an HTTP request.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eventbridge::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_base::names::TaskDefinition;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

/// The ECS tasks that an event starts. The target's `arn` is the cluster's ARN, and the target's role must be allowed
/// to run the tasks (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EcsParameters {
    /// The task definition, with its revision. When the task definition gets a new revision, Holdfast updates this
    /// field.
    task_definition: Ref<TaskDefinition, Arn>,
    /// The number of tasks.
    #[spec(range = 1..=10, default = 1)]
    task_count: Option<ServerDefault<i32>>,
    /// The launch type. State at most one of this field and `capacityProviderStrategy`.
    #[spec(one_of = sdk::LaunchType)]
    launch_type: Option<String>,
    /// The platform version of Fargate, such as `1.4.0` or `LATEST`.
    platform_version: Option<String>,
    /// The network configuration. Tasks in the network mode `awsvpc`, which includes all tasks on Fargate, require it.
    network_configuration: Option<EventNetwork>,
    /// The capacity provider strategy: how tasks are spread over capacity providers.
    capacity_provider_strategy: Option<BTreeSet<EventCapacityProvider>>,
    /// The task group, for task placement.
    #[spec(length = ..=255)]
    group: Option<String>,
    /// Whether tasks get the ECS managed tag with the name of the cluster, for cost allocation.
    #[serde(rename = "enableECSManagedTags")]
    enable_ecs_managed_tags: Option<ServerDefault<bool>>,
    /// Whether ECS Exec is enabled, with which people can run commands in the containers.
    enable_execute_command: Option<ServerDefault<bool>>,
    /// The source of propagated tags: `TASK_DEFINITION` copies the tags of the task definition to the tasks. `null` for
    /// none.
    #[spec(one_of = sdk::PropagateTags)]
    propagate_tags: Option<String>,
    /// The tags of the tasks.
    tags: Option<BTreeMap<String, String>>,
}

/// The network configuration of tasks.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventNetwork {
    /// The network interface of each task.
    awsvpc_configuration: EventAwsvpc,
}

/// The network interface of a task.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAwsvpc {
    /// The subnets that tasks are spread over: at most 16, all in one VPC.
    subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups of the network interface: at most five. Without any, AWS uses the default security group of
    /// the VPC.
    #[serde(default)]
    security_groups: BTreeSet<Ref<SecurityGroup>>,
    /// Whether a task gets a public IP address: `ENABLED` or `DISABLED`. Without a public IP address, a task needs a
    /// NAT gateway or VPC endpoints to pull its image.
    #[serde(default = "disabled")]
    assign_public_ip: String,
}

fn disabled() -> String {
    "DISABLED".into()
}

/// An item of a capacity provider strategy: the share of the tasks for one capacity provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "capacityProvider")]
pub(crate) struct EventCapacityProvider {
    /// The capacity provider: `FARGATE`, `FARGATE_SPOT`, or the name of a capacity provider of the cluster.
    capacity_provider: String,
    /// The relative share of the tasks above the base: 0 to 1000.
    #[serde(default)]
    weight: i32,
    /// The number of tasks that the capacity provider gets before weights apply.
    #[serde(default)]
    base: i32,
}

/// The path values, headers and query string parameters that EventBridge adds to its request to an API destination or a
/// REST API.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpParameters {
    /// The values for the wildcards (`*`) of the path, in their order.
    #[serde(default)]
    path_parameter_values: Vec<String>,
    /// The headers. A secret belongs in the connection of the API destination, not here.
    #[serde(default)]
    header_parameters: BTreeMap<String, String>,
    /// The query string parameters.
    #[serde(default)]
    query_string_parameters: BTreeMap<String, String>,
}

impl EcsParameters {
    /// Returns the SDK's type: the live parameters with the fields of the spec replaced. Other settings, such as task
    /// placement, are kept.
    pub(super) fn sdk(&self, live: Option<&sdk::EcsParameters>) -> Result<sdk::EcsParameters> {
        let EcsParameters {
            task_definition,
            task_count,
            launch_type,
            platform_version,
            network_configuration,
            capacity_provider_strategy,
            group,
            enable_ecs_managed_tags,
            enable_execute_command,
            propagate_tags,
            tags,
        } = self;
        let mut ecs = match live {
            Some(live) => live.clone(),
            None => sdk::EcsParameters::builder().task_definition_arn(task_definition.as_str()).build()?,
        };
        ecs.task_definition_arn = task_definition.as_str().to_owned();
        ecs.task_count = task_count.as_deref().copied();
        ecs.launch_type = launch_type.as_deref().map(Into::into);
        ecs.platform_version = platform_version.clone();
        ecs.network_configuration = network_configuration.as_ref().map(EventNetwork::sdk).transpose()?;
        let strategy = capacity_provider_strategy.as_ref().map(|strategy| {
            let item = |item: &EventCapacityProvider| {
                let EventCapacityProvider { capacity_provider, weight, base } = item;
                let item = sdk::CapacityProviderStrategyItem::builder().capacity_provider(capacity_provider);
                Ok(item.weight(*weight).base(*base).build()?)
            };
            strategy.iter().map(item).collect::<Result<Vec<_>>>()
        });
        ecs.capacity_provider_strategy = strategy.transpose()?;
        ecs.group = group.clone();
        ecs.enable_ecs_managed_tags = enable_ecs_managed_tags.as_deref().copied().unwrap_or(false);
        ecs.enable_execute_command = enable_execute_command.as_deref().copied().unwrap_or(false);
        ecs.propagate_tags = propagate_tags.as_deref().map(Into::into);
        ecs.tags = tags.as_ref().map(super::sdk_tags).transpose()?;
        Ok(ecs)
    }

    /// Reads the parameters from a response.
    pub(super) fn from_response(response: &sdk::EcsParameters) -> EcsParameters {
        let network = response.network_configuration().and_then(|network| network.awsvpc_configuration());
        let item = |item: &sdk::CapacityProviderStrategyItem| EventCapacityProvider {
            capacity_provider: item.capacity_provider.clone(),
            weight: item.weight,
            base: item.base,
        };
        let strategy = response.capacity_provider_strategy.as_ref();
        EcsParameters {
            task_definition: response.task_definition_arn().into(),
            task_count: Some(ServerDefault(response.task_count.unwrap_or(1))),
            launch_type: response.launch_type().map(|launch_type| launch_type.as_str().to_owned()),
            platform_version: response.platform_version.clone(),
            network_configuration: network.map(EventNetwork::from_response),
            capacity_provider_strategy: strategy.map(|strategy| strategy.iter().map(item).collect()),
            group: response.group.clone(),
            enable_ecs_managed_tags: Some(ServerDefault(response.enable_ecs_managed_tags)),
            enable_execute_command: Some(ServerDefault(response.enable_execute_command)),
            propagate_tags: response.propagate_tags().map(|propagate| propagate.as_str().to_owned()),
            tags: response.tags.as_ref().map(|tags| tags.iter().map(|t| (t.key.clone(), t.value.clone())).collect()),
        }
    }
}

impl EventNetwork {
    fn sdk(&self) -> Result<sdk::NetworkConfiguration> {
        let EventNetwork { awsvpc_configuration } = self;
        let EventAwsvpc { subnets, security_groups, assign_public_ip } = awsvpc_configuration;
        let groups: Vec<String> = security_groups.iter().map(ToString::to_string).collect();
        let vpc = sdk::AwsVpcConfiguration::builder()
            .set_subnets(Some(subnets.iter().map(ToString::to_string).collect()))
            .set_security_groups((!groups.is_empty()).then_some(groups))
            .assign_public_ip(assign_public_ip.as_str().into())
            .build()?;
        Ok(sdk::NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
    }

    fn from_response(response: &sdk::AwsVpcConfiguration) -> EventNetwork {
        let awsvpc_configuration = EventAwsvpc {
            subnets: response.subnets().iter().map(|id| id.as_str().into()).collect(),
            security_groups: response.security_groups().iter().map(|id| id.as_str().into()).collect(),
            assign_public_ip: response.assign_public_ip().map_or_else(disabled, |ip| ip.as_str().to_owned()),
        };
        EventNetwork { awsvpc_configuration }
    }
}

impl HttpParameters {
    /// Returns the SDK's type.
    pub(super) fn sdk(&self) -> sdk::HttpParameters {
        let HttpParameters { path_parameter_values, header_parameters, query_string_parameters } = self;
        let all = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone().into_iter().collect());
        sdk::HttpParameters::builder()
            .set_path_parameter_values((!path_parameter_values.is_empty()).then(|| path_parameter_values.clone()))
            .set_header_parameters(all(header_parameters))
            .set_query_string_parameters(all(query_string_parameters))
            .build()
    }

    /// Reads the parameters from a response.
    pub(super) fn from_response(response: &sdk::HttpParameters) -> HttpParameters {
        HttpParameters {
            path_parameter_values: response.path_parameter_values().to_vec(),
            header_parameters: response.header_parameters.clone().unwrap_or_default().into_iter().collect(),
            query_string_parameters: response.query_string_parameters.clone().unwrap_or_default().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecs_parameters_are_read_back_as_they_were_sent() {
        let desired = serde_json::json!({
            "taskDefinition": "arn:aws:ecs:eu-west-1:1:task-definition/a:1", "taskCount": 2, "launchType": "FARGATE",
            "platformVersion": "LATEST", "group": "g", "capacityProviderStrategy": null,
            "networkConfiguration": { "awsvpcConfiguration": {
                "subnets": ["subnet-1"], "securityGroups": [], "assignPublicIp": "DISABLED",
            } },
            "enableECSManagedTags": true, "enableExecuteCommand": false, "propagateTags": "TASK_DEFINITION",
            "tags": { "a": "b" },
        });
        let sent: EcsParameters = serde_json::from_value(desired.clone()).unwrap();
        let back = EcsParameters::from_response(&sent.sdk(None).unwrap());
        assert_eq!(serde_json::to_value(back).unwrap(), desired);
    }
}
