//! NatGateway: the way out for what has no public address.

use std::sync::Arc;

use aws_sdk_ec2::types::{self as sdk, NatGatewayState, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Replace, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::elastic_ip::ElasticIp;
use super::subnet::Subnet;
use super::{all, asks, ec2, name_of, tag, tag_specification, tags_of, told};

/// Lets private subnets reach out and nobody in. It takes a minute or two to be made, and as long to go. A
/// public one fails, late, in a Vpc whose internet gateway is not attached yet, and nothing in its fields
/// refers to that: say `dependsOn: [InternetGateway/…]`
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NatGateway {
    /// The subnet that it stands in: a public one, unless its connectivity is private.
    #[spec(immutable)]
    subnet: Ref<Subnet>,
    /// The address that traffic leaves from. A public gateway has to have one, a private one cannot.
    #[spec(immutable)]
    allocation: Option<Ref<ElasticIp>>,
    /// `public`, AWS's default, or `private`: between networks only.
    #[spec(immutable)]
    connectivity_type: Option<String>,
    /// Its private IPv4 address inside the subnet; AWS chooses one when it is left out.
    #[spec(immutable)]
    private_ip_address: Option<String>,
}

/// What only AWS knows of a NatGateway.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NatGatewayStatus {
    /// The address that traffic leaves from.
    public_ip: Option<String>,
    /// Its network interface.
    network_interface_id: Option<String>,
    /// The network that it is in.
    vpc_id: Option<String>,
}

impl Kind for NatGateway {
    type Status = NatGatewayStatus;
    const TIER: Tier = Tier::Network;
    /// Its address is its own until it is gone: a second gateway with it fails (`Resource.AlreadyAssociated`).
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Token;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let gateways = gateways(aws, scope).await?;
        // Listed for about an hour after its end
        // (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html>).
        gateways.iter().filter(|gateway| gateway.state != Some(NatGatewayState::Deleted)).map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let NatGateway { subnet, allocation, connectivity_type, private_ip_address } = &desired.spec;
        let made = ec2(aws)
            .create_nat_gateway()
            .client_token(&desired.token)
            .subnet_id(subnet.as_str())
            .set_allocation_id(allocation.clone().map(String::from))
            .set_connectivity_type(connectivity_type.as_deref().map(Into::into))
            .set_private_ip_address(private_ip_address.clone())
            .tag_specifications(tag_specification(ResourceType::Natgateway, &desired.name, &desired.tags))
            .send()
            .await?;
        let gateway = made.nat_gateway.ok_or_else(|| Error::incomplete("ec2.CreateNatGateway", "natGateway"))?;
        Ok(told(live(&gateway)?, desired))
    }

    async fn update(_: &Aws, _: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let NatGateway { subnet: _, allocation: _, connectivity_type: _, private_ip_address: _ } = &desired.spec;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).delete_nat_gateway().nat_gateway_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// Those that a scope wants, asked for once in a sweep.
pub(super) async fn gateways(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<sdk::NatGateway>>> {
    let ask = |filters| ec2(aws).describe_nat_gateways().set_filter(filters).into_paginator().items().send().collect();
    let what = format!("ec2.nat-gateways.{:?}", asks(scope, "nat-gateway-id"));
    aws.once(scope, &what, || all(scope, "nat-gateway-id", ask)).await
}

fn live(gateway: &sdk::NatGateway) -> Result<Live<NatGateway>> {
    let id = gateway.nat_gateway_id.clone();
    let id = id.ok_or_else(|| Error::incomplete("ec2.DescribeNatGateways", "natGatewayId"))?;
    let tags = tags_of(gateway.tags.as_deref());
    // The first address is the primary one where AWS does not say which is.
    let addresses = gateway.nat_gateway_addresses();
    let address = addresses.iter().find(|a| a.is_primary == Some(true)).or(addresses.first());
    let spec = NatGateway {
        subnet: Ref::new(gateway.subnet_id().unwrap_or_default()),
        allocation: address.and_then(|a| a.allocation_id.clone()).map(Ref::new),
        connectivity_type: gateway.connectivity_type.as_ref().map(|word| word.as_str().to_owned()),
        private_ip_address: address.and_then(|a| a.private_ip.clone()),
    };
    let status = NatGatewayStatus {
        public_ip: address.and_then(|a| a.public_ip.clone()),
        network_interface_id: address.and_then(|a| a.network_interface_id.clone()),
        vpc_id: gateway.vpc_id.clone(),
    };
    let phase = match gateway.state {
        Some(NatGatewayState::Pending) => Phase::Pending,
        Some(NatGatewayState::Deleting) => Phase::Deleting,
        Some(NatGatewayState::Failed) => Phase::Failed,
        _ => Phase::Ready,
    };
    let live = Live::new(id, name_of(&tags), spec, status).tags(tags).phase(phase);
    Ok(match &gateway.failure_message {
        Some(message) => live.remark("NatGatewayFailed", message),
        None => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_gateway_says_why() {
        let address = |allocation: &str| sdk::NatGatewayAddress::builder().allocation_id(allocation);
        let gateway = sdk::NatGateway::builder()
            .nat_gateway_id("nat-1")
            .state(NatGatewayState::Failed)
            .failure_message("Network vpc-1 has no Internet gateway attached")
            .nat_gateway_addresses(address("eipalloc-2").is_primary(false).build())
            .nat_gateway_addresses(address("eipalloc-1").is_primary(true).build())
            .build();
        let live = live(&gateway).unwrap();
        assert_eq!((live.phase, live.remarks.len()), (Phase::Failed, 1));
        assert_eq!(live.spec.allocation, Some(Ref::new("eipalloc-1")));
    }
}
