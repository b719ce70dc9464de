//! ElasticIp: a public IPv4 address that stays.

use aws_sdk_ec2::types::{self as sdk, DomainType, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, asks_for};
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{asks, ec2, name_of, nat_gateway, tag, tag_specification, tags_of, told};

/// A public IPv4 address; its id is the allocation's. Who uses it says so: a `NatGateway` by its `allocation`.
/// Once released it is hardly ever to be had again, so an address that others have in their rules deserves
/// `lifecycle: { protect: true }`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ElasticIp {
    /// Where the address comes from: `amazon`, AWS's default, or the id of a pool of one's own.
    #[spec(immutable)]
    public_ipv4_pool: Option<String>,
    /// The zones that advertise it: the region, AWS's default, or a Local or Wavelength Zone's group.
    #[spec(immutable)]
    network_border_group: Option<String>,
}

/// What only AWS knows of an ElasticIp.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ElasticIpStatus {
    /// The address.
    public_ip: String,
    /// Its association, when something uses it.
    association_id: Option<String>,
    /// The network interface that uses it.
    network_interface_id: Option<String>,
    /// The instance that uses it.
    instance_id: Option<String>,
}

impl Kind for ElasticIp {
    type Status = ElasticIpStatus;
    const TIER: Tier = Tier::Network;
    /// It is complete when it is made.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Lookup;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        if let Some(found) = of_gateways(aws, scope).await? {
            return Ok(found);
        }
        let mut found = vec![];
        for filters in asks(scope, "allocation-id") {
            // The one list in EC2 that has no pages.
            let answer = ec2(aws).describe_addresses().set_filters(filters).send().await?;
            // An address without an allocation is of EC2-Classic, which is no more.
            found.extend(answer.addresses().iter().filter_map(live));
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let ElasticIp { public_ipv4_pool, network_border_group } = &desired.spec;
        let made = ec2(aws)
            .allocate_address()
            .domain(DomainType::Vpc)
            .set_public_ipv4_pool(public_ipv4_pool.clone())
            .set_network_border_group(network_border_group.clone())
            .tag_specifications(tag_specification(ResourceType::ElasticIp, &desired.name, &desired.tags))
            .send()
            .await?;
        let address = sdk::Address::builder()
            .set_allocation_id(made.allocation_id)
            .set_public_ip(made.public_ip)
            .set_public_ipv4_pool(made.public_ipv4_pool)
            .set_network_border_group(made.network_border_group);
        let missing = || Error::incomplete("ec2.AllocateAddress", "allocationId");
        Ok(told(live(&address.build()).ok_or_else(missing)?, desired))
    }

    async fn update(_: &Aws, _: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let ElasticIp { public_ipv4_pool: _, network_border_group: _ } = &desired.spec;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).release_address().allocation_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// In the first look, those that our NAT gateways use, where that is all that the hint knows: AWS releases no address that
/// is in use, and the gateways are asked for anyway
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html>).
async fn of_gateways(aws: &Aws, scope: &Scope) -> Result<Option<Vec<Live<ElasticIp>>>> {
    let of = |kind: &'static str| {
        tagging::owned(aws, scope, move |service, resource| service == "ec2" && resource.starts_with(kind))
    };
    let (Some(known), Some(gateways)) = futures::try_join!(of("elastic-ip/"), of("natgateway/"))? else {
        return Ok(None);
    };
    let listed =
        |tags| ["publicIpv4Pool", "networkBorderGroup"].iter().any(|of| asks_for::<ElasticIp>(scope, tags, of));
    if scope.names.is_empty() || known.len() > gateways.len() || known.values().any(listed) {
        return Ok(None);
    }
    let gateways = nat_gateway::gateways(aws, scope).await?;
    let available = gateways.iter().filter(|gateway| gateway.state == Some(sdk::NatGatewayState::Available));
    let used: Vec<_> = available.flat_map(|gateway| gateway.nat_gateway_addresses()).collect();
    let mut found = vec![];
    for (arn, tags) in known {
        let id = arn.rsplit('/').next().unwrap_or_default();
        let Some(used) = used.iter().find(|used| used.allocation_id() == Some(id)) else { return Ok(None) };
        let status = ElasticIpStatus {
            public_ip: used.public_ip.clone().unwrap_or_default(),
            association_id: used.association_id.clone(),
            network_interface_id: used.network_interface_id.clone(),
            instance_id: None,
        };
        let spec = ElasticIp { public_ipv4_pool: None, network_border_group: None };
        found.push(Live::new(id, name_of(&tags), spec, status).tags(tags));
    }
    let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
    Ok((!tagging::lacks(scope, &names)).then_some(found))
}

fn live(address: &sdk::Address) -> Option<Live<ElasticIp>> {
    let tags = tags_of(address.tags.as_deref());
    let spec = ElasticIp {
        public_ipv4_pool: address.public_ipv4_pool.clone(),
        network_border_group: address.network_border_group.clone(),
    };
    let status = ElasticIpStatus {
        public_ip: address.public_ip.clone().unwrap_or_default(),
        association_id: address.association_id.clone(),
        network_interface_id: address.network_interface_id.clone(),
        instance_id: address.instance_id.clone(),
    };
    Some(Live::new(address.allocation_id.clone()?, name_of(&tags), spec, status).tags(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_allocation() {
        let address = sdk::Address::builder().public_ip("192.0.2.1");
        assert!(live(&address.clone().build()).is_none());
        let live = live(&address.allocation_id("eipalloc-1").build()).unwrap();
        assert_eq!((live.id.as_str(), live.status.public_ip.as_str()), ("eipalloc-1", "192.0.2.1"));
    }
}
