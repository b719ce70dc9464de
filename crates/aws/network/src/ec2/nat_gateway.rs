//! NatGateway: outbound connections of resources without a public address.

use aws_sdk_ec2::types::{self as sdk, NatGatewayState, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::text;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::{Absent, Is},
    Demand::{Excludes, Needs},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::elastic_ip::ElasticIp;
use super::subnet::Subnet;
use super::{Ec2Tags, ec2, from_create_response, from_sdk_tags, lists, tag_specification, tagged};

/// A NAT gateway: outbound connections for private subnets, without inbound connections.
///
/// Its create takes a minute or two, and so does its deletion. A public NAT gateway fails late if the internet gateway
/// of its VPC is not attached yet. No field refers to the internet gateway, so state `dependsOn: [InternetGateway/…]`
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NatGateway {
    /// The subnet of the gateway: a public subnet, unless `connectivityType` is `private`.
    #[spec(immutable)]
    subnet: Ref<Subnet>,
    /// The Elastic IP address of the outbound traffic. A public gateway requires one; a private gateway cannot have
    /// one.
    #[spec(immutable, default = null)]
    allocation: Option<Ref<ElasticIp>>,
    /// `public`, or `private` for connections between networks only.
    #[spec(immutable, one_of = sdk::ConnectivityType, default = "public")]
    connectivity_type: Option<String>,
    /// The private IPv4 address, in the range of the subnet. AWS chooses the address if it is left out.
    #[spec(immutable)]
    private_ip_address: Option<String>,
}

/// The read-only attributes of a NatGateway.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NatGatewayStatus {
    /// The public IPv4 address of the outbound traffic.
    public_ip: Option<String>,
    /// The id of the network interface.
    network_interface_id: Option<String>,
    /// The id of the VPC.
    vpc_id: Option<String>,
}

impl Kind for NatGateway {
    type Status = NatGatewayStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    /// The address is in use until the gateway is deleted: a second gateway with it fails
    /// (`Resource.AlreadyAssociated`).
    const UNIQUE: &'static [&'static [&'static str]] =
        &[&[NatGateway::ALLOCATION.name()], &[NatGateway::SUBNET.name(), NatGateway::PRIVATE_IP_ADDRESS.name()]];
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    /// An address belongs to one gateway
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[DocumentRelation::Unique(&[Self::ALLOCATION.name()])];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html
        demand(Excludes("allocation")).when(&[Is("connectivityType", &["private"])]),
        demand(Needs("allocation")).when(&[Is("connectivityType", &["public"])]),
        demand(Needs("allocation")).when(&[Absent("connectivityType")]),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let gateways = lists::nat_gateways(aws, scope).await?;
        // A deleted gateway is listed for about an hour
        // (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html>).
        gateways.iter().filter(|gateway| gateway.state != Some(NatGatewayState::Deleted)).map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let NatGateway { subnet, allocation, connectivity_type, private_ip_address } = &desired.spec;
        let created = ec2(aws)
            .create_nat_gateway()
            .client_token(&desired.token)
            .subnet_id(subnet.as_str())
            .set_allocation_id(allocation.clone().map(String::from))
            .set_connectivity_type(connectivity_type.as_deref().map(Into::into))
            .set_private_ip_address(private_ip_address.clone())
            .tag_specifications(tag_specification(ResourceType::Natgateway, &desired.all_tags())?)
            .send()
            .await?;
        let gateway = created.nat_gateway.ok_or_else(|| Error::incomplete("ec2.CreateNatGateway", "natGateway"))?;
        Ok(from_create_response(live(&gateway)?, desired))
    }

    async fn update(_: &Aws, _: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let NatGateway { subnet: _, allocation: _, connectivity_type: _, private_ip_address: _ } = &desired.spec;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).delete_nat_gateway().nat_gateway_id(&live.id).send().await?;
        Ok(())
    }
}

fn live(gateway: &sdk::NatGateway) -> Result<Live<NatGateway>> {
    let id = gateway.nat_gateway_id.clone();
    let id = id.ok_or_else(|| Error::incomplete("ec2.DescribeNatGateways", "natGatewayId"))?;
    // The first address is the primary one if the response marks none as primary.
    let addresses = gateway.nat_gateway_addresses();
    let address = addresses.iter().find(|a| a.is_primary == Some(true)).or(addresses.first());
    let spec = NatGateway {
        subnet: Ref::new(gateway.subnet_id().unwrap_or_default()),
        allocation: address.and_then(|a| a.allocation_id.clone()).map(Ref::new),
        connectivity_type: text(&gateway.connectivity_type),
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
    let live = tagged(id, from_sdk_tags(gateway.tags()), spec, status).phase(phase);
    Ok(match &gateway.failure_message {
        Some(message) => live.degraded("NatGatewayFailed", message),
        None => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_gateway_reports_the_failure_message() {
        let address = |allocation: &str| sdk::NatGatewayAddress::builder().allocation_id(allocation);
        let gateway = sdk::NatGateway::builder()
            .nat_gateway_id("nat-1")
            .state(NatGatewayState::Failed)
            .failure_message("Network vpc-1 has no Internet gateway attached")
            .nat_gateway_addresses(address("eipalloc-2").is_primary(false).build())
            .nat_gateway_addresses(address("eipalloc-1").is_primary(true).build())
            .build();
        let live = live(&gateway).unwrap();
        assert_eq!((live.phase, live.conditions.len()), (Phase::Failed, 1));
        assert_eq!(live.spec.allocation, Some(Ref::new("eipalloc-1")));
    }
}
