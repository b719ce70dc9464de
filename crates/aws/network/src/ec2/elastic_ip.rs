//! ElasticIp: a static public IPv4 address.

use aws_sdk_ec2::types::{self as sdk, DomainType, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::tagging;
use holdfast_base::wanted::is_requested_field;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{Ec2Tags, ec2, filter_sets, from_create_response, from_sdk_tags, lists, tag_specification, tagged};

/// An Elastic IP address: a static public IPv4 address.
///
/// Its id is the allocation id. The resource that uses the address refers to it: a `NatGateway` by its `allocation`. A
/// released address can hardly ever be allocated again. Set `lifecycle: { protect: true }` for an address that firewall
/// rules of others contain.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ElasticIp {
    /// The pool that the address comes from: `amazon`, or the id of an address pool of the account.
    #[spec(immutable, default = "amazon")]
    public_ipv4_pool: Option<String>,
    /// The network border group, whose zones advertise the address: the region, AWS's default, or the group of a Local
    /// or Wavelength Zone.
    #[spec(immutable)]
    network_border_group: Option<String>,
}

/// The read-only attributes of an ElasticIp.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ElasticIpStatus {
    /// The public IPv4 address.
    public_ip: String,
    /// The association id, while a resource uses the address.
    association_id: Option<String>,
    /// The network interface that uses the address.
    network_interface_id: Option<String>,
    /// The instance that uses the address.
    instance_id: Option<String>,
}

impl Kind for ElasticIp {
    type Status = ElasticIpStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    /// A new address is complete.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        if let Some(found) = addresses_of_nat_gateways(aws, scope).await? {
            return Ok(found);
        }
        let mut found = vec![];
        for filters in filter_sets(scope, "allocation-id") {
            // DescribeAddresses has no pages, unlike the other describe calls of EC2.
            let response = ec2(aws).describe_addresses().set_filters(filters).send().await?;
            // An address without an allocation id belongs to EC2-Classic, which AWS has retired.
            found.extend(response.addresses().iter().filter_map(live));
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let ElasticIp { public_ipv4_pool, network_border_group } = &desired.spec;
        let created = ec2(aws)
            .allocate_address()
            .domain(DomainType::Vpc)
            .set_public_ipv4_pool(public_ipv4_pool.clone())
            .set_network_border_group(network_border_group.clone())
            .tag_specifications(tag_specification(ResourceType::ElasticIp, &desired.all_tags())?)
            .send()
            .await?;
        let address = sdk::Address::builder()
            .set_allocation_id(created.allocation_id)
            .set_public_ip(created.public_ip)
            .set_public_ipv4_pool(created.public_ipv4_pool)
            .set_network_border_group(created.network_border_group);
        let missing = || Error::incomplete("ec2.AllocateAddress", "allocationId");
        Ok(from_create_response(live(&address.build()).ok_or_else(missing)?, desired))
    }

    async fn update(_: &Aws, _: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let ElasticIp { public_ipv4_pool: _, network_border_group: _ } = &desired.spec;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).release_address().allocation_id(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the stack's addresses from the responses about its NAT gateways, without a call of its own.
///
/// Returns `None` if an address in the tag index has no available NAT gateway, or if a field is requested that NAT
/// gateways do not report. These responses suffice because AWS does not release an address that is in use, and the
/// refresh describes the NAT gateways anyway
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html>).
async fn addresses_of_nat_gateways(aws: &Aws, scope: &Scope) -> Result<Option<Vec<Live<ElasticIp>>>> {
    let of = |kind: &'static str| {
        tagging::owned(aws, scope, move |service, resource| service == "ec2" && resource.starts_with(kind))
    };
    let (Some(indexed), Some(gateways)) = futures::try_join!(of("elastic-ip/"), of("natgateway/"))? else {
        return Ok(None);
    };
    let is_field_requested = |tags| {
        let fields = [ElasticIp::PUBLIC_IPV4_POOL, ElasticIp::NETWORK_BORDER_GROUP];
        fields.into_iter().any(|field| is_requested_field(scope, tags, field))
    };
    if scope.names.is_empty() || indexed.len() > gateways.len() || indexed.values().any(is_field_requested) {
        return Ok(None);
    }
    let gateways = lists::nat_gateways(aws, scope).await?;
    let available = gateways.iter().filter(|gateway| gateway.state == Some(sdk::NatGatewayState::Available));
    let used: Vec<_> = available.flat_map(|gateway| gateway.nat_gateway_addresses()).collect();
    let mut found = vec![];
    for (arn, tags) in indexed {
        let id = arn.rsplit('/').next().unwrap_or_default();
        let Some(used) = used.iter().find(|used| used.allocation_id() == Some(id)) else { return Ok(None) };
        let status = ElasticIpStatus {
            public_ip: used.public_ip.clone().unwrap_or_default(),
            association_id: used.association_id.clone(),
            network_interface_id: used.network_interface_id.clone(),
            instance_id: None,
        };
        let spec = ElasticIp { public_ipv4_pool: None, network_border_group: None };
        found.push(tagged(id, tags, spec, status));
    }
    let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
    Ok((!tagging::lacks(scope, &names)).then_some(found))
}

fn live(address: &sdk::Address) -> Option<Live<ElasticIp>> {
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
    Some(tagged(address.allocation_id.clone()?, from_sdk_tags(address.tags()), spec, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_allocation_id() {
        let address = sdk::Address::builder().public_ip("192.0.2.1");
        assert!(live(&address.clone().build()).is_none());
        let live = live(&address.allocation_id("eipalloc-1").build()).unwrap();
        assert_eq!((live.id.as_str(), live.status.public_ip.as_str()), ("eipalloc-1", "192.0.2.1"));
    }
}
