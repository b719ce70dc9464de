//! Where in the network the tasks of a service are, and where they are registered: parts of a Service's spec.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref};
use serde::{Deserialize, Serialize};

/// Where in the network tasks are.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkConfiguration {
    /// The interface of each task.
    pub(crate) awsvpc_configuration: AwsvpcConfiguration,
}

/// The network interface of a task.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AwsvpcConfiguration {
    /// The subnets that tasks are spread over: at most 16, of one Vpc.
    pub(crate) subnets: BTreeSet<Ref<Subnet>>,
    /// The groups of the interface: at most five. AWS takes the Vpc's default group when there is none.
    pub(crate) security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// `ENABLED` or `DISABLED`. Without a public address a task needs a NAT gateway or endpoints to pull its image.
    #[serde(default = "disabled")]
    pub(crate) assign_public_ip: String,
}

fn disabled() -> String {
    "DISABLED".into()
}

/// A service of Cloud Map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceRegistry {
    /// Its ARN.
    registry_arn: Arn,
    /// The container to register, for SRV records.
    container_name: Option<String>,
    /// The container's port, for SRV records.
    container_port: Option<i32>,
    /// The port, for SRV records with `awsvpc` tasks that state no container.
    port: Option<i32>,
}

impl NetworkConfiguration {
    /// As AWS's calls take it.
    pub(super) fn sdk(&self) -> Result<sdk::NetworkConfiguration> {
        let NetworkConfiguration { awsvpc_configuration: vpc } = self;
        let AwsvpcConfiguration { subnets, security_groups, assign_public_ip } = vpc;
        let groups = security_groups.as_ref().map(|groups| groups.iter().map(ToString::to_string).collect());
        let vpc = sdk::AwsVpcConfiguration::builder()
            .set_subnets(Some(subnets.iter().map(ToString::to_string).collect()))
            .set_security_groups(groups)
            .assign_public_ip(assign_public_ip.as_str().into())
            .build()?;
        Ok(sdk::NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
    }

    /// As AWS answered it; nothing for tasks that share their host's network.
    pub(super) fn of(network: &sdk::NetworkConfiguration) -> Option<NetworkConfiguration> {
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
    /// As AWS's calls take it.
    pub(super) fn sdk(&self) -> sdk::ServiceRegistry {
        let ServiceRegistry { registry_arn, container_name, container_port, port } = self;
        sdk::ServiceRegistry::builder()
            .registry_arn(&registry_arn.0)
            .set_container_name(container_name.clone())
            .set_container_port(*container_port)
            .set_port(*port)
            .build()
    }

    /// As AWS answered it.
    pub(super) fn of(r: &sdk::ServiceRegistry) -> ServiceRegistry {
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
    fn no_groups_is_said_and_not_left_out() {
        let json = serde_json::json!({"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": []}});
        let network: NetworkConfiguration = serde_json::from_value(json).unwrap();
        let back = NetworkConfiguration::of(&network.sdk().unwrap()).unwrap().awsvpc_configuration;
        assert_eq!((back.security_groups, back.assign_public_ip.as_str()), (Some(BTreeSet::new()), "DISABLED"));
    }
}
