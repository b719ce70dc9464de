//! Subnet: a range of a Vpc's addresses, in one zone.

use aws_sdk_ec2::types::{self as sdk, ResourceType, SubnetCidrBlockStateCode, SubnetState};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Replace, Tier};
use holdfast_core::types::{Always, Cidr, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{all, boolean, ec2, name_of, tag, tag_specification, tags_of, told};

/// A range of addresses in one availability zone. What makes it public or private is the `RouteTable` that
/// lists it: one with a route to an internet gateway, or one without.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subnet {
    /// The network that it is part of.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The IPv4 block, from /16 to /28, inside the Vpc's. AWS keeps the first four addresses and the last one
    /// for itself (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>).
    #[spec(immutable)]
    cidr_block: Cidr,
    /// The zone, as in `us-east-1a`; AWS chooses one when it is left out. The letters stand for other places in
    /// each account; the `availabilityZoneId` of the status is the same for all
    /// (<https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html>).
    #[spec(immutable)]
    availability_zone: Option<String>,
    /// The IPv6 block, a /64 in most networks, inside one that the Vpc has.
    #[spec(immutable)]
    ipv6_cidr_block: Option<Cidr>,
    /// Whether instances get a public IPv4 address at launch, unless they say otherwise. AWS's default is
    /// `false`. Fargate tasks do not go by it: their service says it (`assignPublicIp`).
    map_public_ip_on_launch: Option<Always<bool>>,
    /// Whether network interfaces get an IPv6 address when they are made. Needs `ipv6CidrBlock`; AWS's default
    /// is `false`.
    assign_ipv6_address_on_creation: Option<Always<bool>>,
    /// Whether Amazon's DNS server answers with synthetic IPv6 addresses for what has IPv4 addresses only; a NAT
    /// gateway translates them (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html>).
    /// AWS's default is `false`.
    enable_dns64: Option<Always<bool>>,
    /// What the host names of instances are made of: `ip-name`, the IPv4 address (AWS's default), or
    /// `resource-name`, the instance's id. IPv6-only subnets have `resource-name`.
    private_dns_hostname_type_on_launch: Option<Always<String>>,
    /// Whether the names made of ids are answered with A records. AWS's default is `false`.
    enable_resource_name_dns_a_record_on_launch: Option<Always<bool>>,
    /// Whether the names made of ids are answered with AAAA records. AWS's default is `false`.
    #[serde(rename = "enableResourceNameDnsAAAARecordOnLaunch")]
    enable_resource_name_dns_aaaa_record_on_launch: Option<Always<bool>>,
}

/// What only AWS knows of a Subnet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubnetStatus {
    /// Its ARN.
    arn: Option<String>,
    /// The zone by the id that all accounts share, as in `use1-az1`.
    availability_zone_id: Option<String>,
    /// The account that owns it.
    owner_id: Option<String>,
}

impl Kind for Subnet {
    type Status = SubnetStatus;
    const TIER: Tier = Tier::Network;
    /// Two subnets of a Vpc cannot share addresses (`InvalidSubnet.Conflict`).
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Lookup;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let ask = |filters| ec2(aws).describe_subnets().set_filters(filters).into_paginator().items().send().collect();
        all(scope, "subnet-id", ask).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        // The other fields are attributes, which only ModifySubnetAttribute sets.
        let Subnet { vpc, cidr_block, availability_zone, ipv6_cidr_block, .. } = &desired.spec;
        let made = ec2(aws)
            .create_subnet()
            .vpc_id(vpc.as_str())
            .cidr_block(&cidr_block.0)
            .set_availability_zone(availability_zone.clone())
            .set_ipv6_cidr_block(ipv6_cidr_block.as_ref().map(|cidr| cidr.0.clone()))
            .tag_specifications(tag_specification(ResourceType::Subnet, &desired.name, &desired.tags))
            .send()
            .await?;
        let subnet = made.subnet.ok_or_else(|| Error::incomplete("ec2.CreateSubnet", "subnet"))?;
        Ok(told(live(&subnet)?, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Subnet {
            vpc: _,
            cidr_block: _,
            availability_zone: _,
            ipv6_cidr_block: _,
            map_public_ip_on_launch: public_ip,
            assign_ipv6_address_on_creation: ipv6,
            enable_dns64: dns64,
            private_dns_hostname_type_on_launch: hostname,
            enable_resource_name_dns_a_record_on_launch: a,
            enable_resource_name_dns_aaaa_record_on_launch: aaaa,
        } = &desired.spec;
        // "You can only modify one attribute at a time."
        // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html>
        let modify = || ec2(aws).modify_subnet_attribute().subnet_id(&live.id);
        let value = |stated: &Option<Always<bool>>| boolean(stated.is_some_and(|stated| stated.0));
        let hostname = hostname.as_ref().map_or("ip-name", |hostname| hostname.as_str()).into();
        let changes = [
            ("mapPublicIpOnLaunch", modify().map_public_ip_on_launch(value(public_ip))),
            ("assignIpv6AddressOnCreation", modify().assign_ipv6_address_on_creation(value(ipv6))),
            ("enableDns64", modify().enable_dns64(value(dns64))),
            ("privateDnsHostnameTypeOnLaunch", modify().private_dns_hostname_type_on_launch(hostname)),
            ("enableResourceNameDnsARecordOnLaunch", modify().enable_resource_name_dns_a_record_on_launch(value(a))),
            (
                "enableResourceNameDnsAAAARecordOnLaunch",
                modify().enable_resource_name_dns_aaaa_record_on_launch(value(aaaa)),
            ),
        ];
        for (_, change) in changes.into_iter().filter(|(field, _)| desired.changed(field)) {
            change.send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).delete_subnet().subnet_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

fn live(subnet: &sdk::Subnet) -> Result<Live<Subnet>> {
    let id = subnet.subnet_id.clone().ok_or_else(|| Error::incomplete("ec2.DescribeSubnets", "subnetId"))?;
    let tags = tags_of(subnet.tags.as_deref());
    let gone = [SubnetCidrBlockStateCode::Disassociated, SubnetCidrBlockStateCode::Disassociating];
    let ipv6 = subnet.ipv6_cidr_block_association_set().iter().find(|block| {
        !block.ipv6_cidr_block_state.as_ref().and_then(|s| s.state.as_ref()).is_some_and(|s| gone.contains(s))
    });
    let dns = subnet.private_dns_name_options_on_launch.as_ref();
    let spec = Subnet {
        vpc: Ref::new(subnet.vpc_id().unwrap_or_default()),
        cidr_block: Cidr(subnet.cidr_block.clone().unwrap_or_default()),
        availability_zone: subnet.availability_zone.clone(),
        ipv6_cidr_block: ipv6.and_then(|block| block.ipv6_cidr_block.clone()).map(Cidr),
        map_public_ip_on_launch: subnet.map_public_ip_on_launch.map(Always),
        assign_ipv6_address_on_creation: subnet.assign_ipv6_address_on_creation.map(Always),
        enable_dns64: subnet.enable_dns64.map(Always),
        private_dns_hostname_type_on_launch: dns
            .and_then(|dns| Some(Always(dns.hostname_type.as_ref()?.as_str().to_owned()))),
        enable_resource_name_dns_a_record_on_launch: dns
            .and_then(|dns| dns.enable_resource_name_dns_a_record)
            .map(Always),
        enable_resource_name_dns_aaaa_record_on_launch: dns
            .and_then(|dns| dns.enable_resource_name_dns_aaaa_record)
            .map(Always),
    };
    let status = SubnetStatus {
        arn: subnet.subnet_arn.clone(),
        availability_zone_id: subnet.availability_zone_id.clone(),
        owner_id: subnet.owner_id.clone(),
    };
    let phase = match subnet.state {
        Some(SubnetState::Pending | SubnetState::Unavailable) => Phase::Pending,
        Some(SubnetState::Failed | SubnetState::FailedInsufficientCapacity) => Phase::Failed,
        _ => Phase::Ready,
    };
    Ok(Live::new(id, name_of(&tags), spec, status).tags(tags).phase(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_subnet_keeps_what_its_answer_nests() {
        let dns = sdk::PrivateDnsNameOptionsOnLaunch::builder().hostname_type(sdk::HostnameType::ResourceName).build();
        let block = |cidr: &str, state| {
            let state = sdk::SubnetCidrBlockState::builder().state(state).build();
            sdk::SubnetIpv6CidrBlockAssociation::builder().ipv6_cidr_block(cidr).ipv6_cidr_block_state(state).build()
        };
        let subnet = sdk::Subnet::builder()
            .subnet_id("subnet-1")
            .private_dns_name_options_on_launch(dns)
            .ipv6_cidr_block_association_set(block("2001:db8:0:1::/64", SubnetCidrBlockStateCode::Disassociated))
            .ipv6_cidr_block_association_set(block("2001:db8:0:2::/64", SubnetCidrBlockStateCode::Associated))
            .build();
        let live = live(&subnet).unwrap();
        assert_eq!(live.spec.private_dns_hostname_type_on_launch.map(|t| t.0).as_deref(), Some("resource-name"));
        assert_eq!(live.spec.ipv6_cidr_block, Some(Cidr("2001:db8:0:2::/64".into())));
    }
}
