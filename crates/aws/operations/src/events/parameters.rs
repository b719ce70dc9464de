//! What targets of some kinds want to know: tasks to start, parts of a request. Parts of an EventRule's spec.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eventbridge::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_base::names::TaskDefinition;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, Ref};
use serde::{Deserialize, Serialize};

/// The tasks that an event starts; the target's ARN is the cluster's, and its role may run them
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EcsParameters {
    /// What they are made of: another revision is another value here.
    task_definition: Ref<TaskDefinition, Arn>,
    /// How many: 1 (AWS's default) to 10.
    task_count: Option<Always<i32>>,
    /// `FARGATE`, `EC2` or `EXTERNAL`. State this or `capacityProviderStrategy`, or neither.
    launch_type: Option<String>,
    /// The version of Fargate, such as `1.4.0` or `LATEST`.
    platform_version: Option<String>,
    /// Where in the network they are; `awsvpc` tasks, and so all of Fargate's, need it.
    network_configuration: Option<EventNetwork>,
    /// How they are spread over capacity providers.
    capacity_provider_strategy: Option<BTreeSet<EventCapacityProvider>>,
    /// Their group, for placement: at most 255 characters.
    group: Option<String>,
    /// Whether they get tags that name the cluster, for bills.
    #[serde(rename = "enableECSManagedTags")]
    enable_ecs_managed_tags: Option<Always<bool>>,
    /// Whether people can run commands in their containers (ECS Exec).
    enable_execute_command: Option<Always<bool>>,
    /// `TASK_DEFINITION`: they get its tags. `null` for none.
    propagate_tags: Option<String>,
    /// Tags of their own.
    tags: Option<BTreeMap<String, String>>,
}

/// Where in the network tasks are.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventNetwork {
    /// The interface of each task.
    awsvpc_configuration: EventAwsvpc,
}

/// The network interface of a task.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAwsvpc {
    /// The subnets that tasks are spread over: at most 16, of one Vpc.
    subnets: BTreeSet<Ref<Subnet>>,
    /// The groups of the interface: at most five. AWS takes the Vpc's default group when there is none.
    #[serde(default)]
    security_groups: BTreeSet<Ref<SecurityGroup>>,
    /// `ENABLED` or `DISABLED`. Without a public address a task needs a NAT gateway or endpoints to pull its image.
    #[serde(default = "disabled")]
    assign_public_ip: String,
}

fn disabled() -> String {
    "DISABLED".into()
}

/// A share of the tasks for a capacity provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventCapacityProvider {
    /// `FARGATE`, `FARGATE_SPOT`, or the name of a capacity provider of the cluster.
    capacity_provider: String,
    /// Its share of the tasks above the base, from 0 to 1000.
    #[serde(default)]
    weight: i32,
    /// How many tasks it gets before weights count.
    #[serde(default)]
    base: i32,
}

/// What is added to the request to an API destination or a REST API.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpParameters {
    /// What stands for the `*` of the path, in order.
    #[serde(default)]
    path_parameter_values: Vec<String>,
    /// Headers. A secret does not belong here, but into the connection of the API destination.
    #[serde(default)]
    header_parameters: BTreeMap<String, String>,
    /// Parts of the query.
    #[serde(default)]
    query_string_parameters: BTreeMap<String, String>,
}

impl EcsParameters {
    /// As AWS's call takes it: what is there now, placement for one, with what the spec knows.
    pub(super) fn sdk(&self, there: Option<&sdk::EcsParameters>) -> Result<sdk::EcsParameters> {
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
        let mut ecs = match there {
            Some(there) => there.clone(),
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
        ecs.tags = tags.as_ref().map(super::event_rule::sdk_tags).transpose()?;
        Ok(ecs)
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::EcsParameters) -> EcsParameters {
        let network = told.network_configuration().and_then(|network| network.awsvpc_configuration());
        let item = |item: &sdk::CapacityProviderStrategyItem| EventCapacityProvider {
            capacity_provider: item.capacity_provider.clone(),
            weight: item.weight,
            base: item.base,
        };
        let strategy = told.capacity_provider_strategy.as_ref();
        EcsParameters {
            task_definition: told.task_definition_arn().into(),
            task_count: Some(Always(told.task_count.unwrap_or(1))),
            launch_type: told.launch_type().map(|launch_type| launch_type.as_str().to_owned()),
            platform_version: told.platform_version.clone(),
            network_configuration: network.map(EventNetwork::read),
            capacity_provider_strategy: strategy.map(|strategy| strategy.iter().map(item).collect()),
            group: told.group.clone(),
            enable_ecs_managed_tags: Some(Always(told.enable_ecs_managed_tags)),
            enable_execute_command: Some(Always(told.enable_execute_command)),
            propagate_tags: told.propagate_tags().map(|propagate| propagate.as_str().to_owned()),
            tags: told.tags.as_ref().map(|tags| tags.iter().map(|t| (t.key.clone(), t.value.clone())).collect()),
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

    fn read(told: &sdk::AwsVpcConfiguration) -> EventNetwork {
        let awsvpc_configuration = EventAwsvpc {
            subnets: told.subnets().iter().map(|id| id.as_str().into()).collect(),
            security_groups: told.security_groups().iter().map(|id| id.as_str().into()).collect(),
            assign_public_ip: told.assign_public_ip().map_or_else(disabled, |ip| ip.as_str().to_owned()),
        };
        EventNetwork { awsvpc_configuration }
    }
}

impl HttpParameters {
    /// As AWS's call takes it.
    pub(super) fn sdk(&self) -> sdk::HttpParameters {
        let HttpParameters { path_parameter_values, header_parameters, query_string_parameters } = self;
        let all = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone().into_iter().collect());
        sdk::HttpParameters::builder()
            .set_path_parameter_values((!path_parameter_values.is_empty()).then(|| path_parameter_values.clone()))
            .set_header_parameters(all(header_parameters))
            .set_query_string_parameters(all(query_string_parameters))
            .build()
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::HttpParameters) -> HttpParameters {
        HttpParameters {
            path_parameter_values: told.path_parameter_values().to_vec(),
            header_parameters: told.header_parameters.clone().unwrap_or_default().into_iter().collect(),
            query_string_parameters: told.query_string_parameters.clone().unwrap_or_default().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_come_back_as_they_were_sent() {
        let wanted = serde_json::json!({
            "taskDefinition": "arn:aws:ecs:eu-west-1:1:task-definition/a:1", "taskCount": 2, "launchType": "FARGATE",
            "platformVersion": "LATEST", "group": "g", "capacityProviderStrategy": null,
            "networkConfiguration": { "awsvpcConfiguration": {
                "subnets": ["subnet-1"], "securityGroups": [], "assignPublicIp": "DISABLED",
            } },
            "enableECSManagedTags": true, "enableExecuteCommand": false, "propagateTags": "TASK_DEFINITION",
            "tags": { "a": "b" },
        });
        let sent: EcsParameters = serde_json::from_value(wanted.clone()).unwrap();
        let back = EcsParameters::read(&sent.sdk(None).unwrap());
        assert_eq!(serde_json::to_value(back).unwrap(), wanted);
    }
}
