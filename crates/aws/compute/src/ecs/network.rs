//! The network configuration and the Cloud Map registries of a service: parts of a Service's spec.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_base::sdk::texts;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref};
use serde::{Deserialize, Serialize};

/// The network configuration of tasks.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkConfiguration {
    /// The network interface of each task.
    pub(crate) awsvpc_configuration: AwsvpcConfiguration,
}

/// The network interface of a task.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AwsvpcConfiguration {
    /// The subnets that tasks are spread over, all in one VPC.
    #[spec(items = ..=16)]
    pub(crate) subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups of the interface. AWS uses the VPC's default group when none is stated.
    #[spec(items = ..=5)]
    pub(crate) security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// Whether the interface has a public address. Without a public address, a task needs a
    /// NAT gateway or VPC endpoints to pull its image.
    #[spec(one_of = sdk::AssignPublicIp)]
    #[serde(default = "disabled")]
    pub(crate) assign_public_ip: String,
}

fn disabled() -> String {
    "DISABLED".into()
}

/// A Cloud Map service that tasks are registered with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "registryArn")]
pub(crate) struct ServiceRegistry {
    /// The ARN of the Cloud Map service.
    registry_arn: Arn,
    /// The name of the container to register, for SRV records.
    container_name: Option<String>,
    /// The container's port, for SRV records.
    container_port: Option<i32>,
    /// The port for SRV records of `awsvpc` tasks, when no container is stated.
    port: Option<i32>,
}

impl NetworkConfiguration {
    /// Converts the configuration for a request.
    pub(super) fn sdk(&self) -> Result<sdk::NetworkConfiguration> {
        let NetworkConfiguration { awsvpc_configuration: vpc } = self;
        let AwsvpcConfiguration { subnets, security_groups, assign_public_ip } = vpc;
        let groups = security_groups.as_ref().map(texts);
        let vpc = sdk::AwsVpcConfiguration::builder()
            .set_subnets(Some(texts(subnets)))
            .set_security_groups(groups)
            .assign_public_ip(assign_public_ip.as_str().into())
            .build()?;
        Ok(sdk::NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
    }

    /// Reads the configuration from a response; `None` for tasks that share their host's network.
    pub(super) fn from_response(network: &sdk::NetworkConfiguration) -> Option<NetworkConfiguration> {
        let vpc = network.awsvpc_configuration()?;
        let awsvpc_configuration = AwsvpcConfiguration {
            subnets: vpc.subnets.iter().map(|id| Ref::new(id.as_str())).collect(),
            security_groups: Some(vpc.security_groups().iter().map(|id| Ref::new(id.as_str())).collect()),
            assign_public_ip: vpc.assign_public_ip.as_ref().map_or("DISABLED", |assign| assign.as_str()).to_owned(),
        };
        Some(NetworkConfiguration { awsvpc_configuration })
    }
}

impl ServiceRegistry {
    /// Converts the registry for a request.
    pub(super) fn sdk(&self) -> sdk::ServiceRegistry {
        let ServiceRegistry { registry_arn, container_name, container_port, port } = self;
        sdk::ServiceRegistry::builder()
            .registry_arn(&registry_arn.0)
            .set_container_name(container_name.clone())
            .set_container_port(*container_port)
            .set_port(*port)
            .build()
    }

    /// Reads the registry from a response.
    pub(super) fn from_response(r: &sdk::ServiceRegistry) -> ServiceRegistry {
        ServiceRegistry {
            registry_arn: Arn(r.registry_arn.clone().unwrap_or_default()),
            container_name: r.container_name.clone(),
            container_port: r.container_port,
            port: r.port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_of_security_groups_is_sent_and_read_back() {
        let json = serde_json::json!({"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": []}});
        let network: NetworkConfiguration = serde_json::from_value(json).unwrap();
        let back = NetworkConfiguration::from_response(&network.sdk().unwrap()).unwrap().awsvpc_configuration;
        assert_eq!((back.security_groups, back.assign_public_ip.as_str()), (Some(BTreeSet::new()), "DISABLED"));
    }
}
