//! Subnet: a range of a VPC's addresses in one Availability Zone.

use aws_sdk_ec2::types::{self as sdk, ResourceType, SubnetCidrBlockStateCode, SubnetState};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier};
use holdfast_core::types::{Cidr, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{Ec2Tags, boolean, describe_all, ec2, from_create_response, from_sdk_tags, tag_specification, tagged};

/// A subnet: a range of a VPC's addresses in one Availability Zone.
///
/// A subnet is public if the `RouteTable` that lists it has a route to an internet gateway, and private otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subnet {
    /// The VPC of the subnet.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The IPv4 block, from /16 to /28, within the block of the VPC. AWS reserves the first four addresses and the last
    /// one (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>).
    #[spec(immutable, pattern = "[0-9.]+/(1[6-9]|2[0-8])")]
    cidr_block: Cidr,
    /// The Availability Zone, as in `us-east-1a`. AWS chooses one if it is left out. The letters map to different zones
    /// in each account; the attribute `availabilityZoneId` is the same in all accounts
    /// (<https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html>).
    #[spec(immutable)]
    availability_zone: Option<String>,
    /// The IPv6 block, a /64 in most networks, within an IPv6 block of the VPC. `null` for none. AWS removes a block
    /// only after the resources that use its addresses
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateSubnetCidrBlock.html>).
    ipv6_cidr_block: Option<Cidr>,
    /// Whether instances get a public IPv4 address at launch, unless they state otherwise. The setting does
    /// not apply to Fargate tasks: their service states `assignPublicIp`.
    #[spec(default = false)]
    map_public_ip_on_launch: Option<ServerDefault<bool>>,
    /// Whether network interfaces get an IPv6 address when they are created. Requires `ipv6CidrBlock`.
    #[spec(default = false)]
    assign_ipv6_address_on_creation: Option<ServerDefault<bool>>,
    /// Whether DNS64 is enabled: the Amazon DNS server returns synthetic IPv6 addresses for IPv4-only destinations, and
    /// a NAT gateway translates them (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html>).
    #[spec(default = false)]
    enable_dns64: Option<ServerDefault<bool>>,
    /// The type of the host names of instances: `ip-name`, from the IPv4 address (AWS's default), or `resource-name`,
    /// from the instance id. IPv6-only subnets have `resource-name`.
    #[spec(one_of = sdk::HostnameType)]
    private_dns_hostname_type_on_launch: Option<ServerDefault<String>>,
    /// Whether DNS queries for `resource-name` host names return A records.
    #[spec(default = false)]
    enable_resource_name_dns_a_record_on_launch: Option<ServerDefault<bool>>,
    /// Whether DNS queries for `resource-name` host names return AAAA records.
    #[spec(default = false)]
    #[serde(rename = "enableResourceNameDnsAAAARecordOnLaunch")]
    enable_resource_name_dns_aaaa_record_on_launch: Option<ServerDefault<bool>>,
}

/// The read-only attributes of a Subnet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubnetStatus {
    /// The ARN of the subnet.
    arn: Option<String>,
    /// The id of the Availability Zone, which is the same in all accounts, as in `use1-az1`.
    availability_zone_id: Option<String>,
    /// The account that owns the subnet.
    owner_id: Option<String>,
}

/// The association of the IPv6 block, which the call that removes the block takes.
#[derive(Debug)]
struct Ipv6Association(Option<String>);

impl Kind for Subnet {
    type Status = SubnetStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    /// Two subnets of a VPC cannot share addresses (`InvalidSubnet.Conflict`).
    const UNIQUE: &'static [&'static [&'static str]] =
        &[&[Subnet::VPC.name(), Subnet::CIDR_BLOCK.name()], &[Subnet::VPC.name(), Subnet::IPV6_CIDR_BLOCK.name()]];
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html>
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[
        DocumentRelation::WithinBlock {
            field: Self::CIDR_BLOCK.name(),
            parent: Self::VPC.name(),
            blocks: &[Vpc::CIDR_BLOCK.name()],
        },
        DocumentRelation::ZoneInRegion(Self::AVAILABILITY_ZONE.name()),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let describe = |filters| all(ec2(aws).describe_subnets().set_filters(filters).into_paginator().items().send());
        describe_all(scope, "subnet-id", describe).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        // CreateSubnet does not accept the other fields. ModifySubnetAttribute sets them in the update.
        let Subnet { vpc, cidr_block, availability_zone, ipv6_cidr_block, .. } = &desired.spec;
        let created = ec2(aws)
            .create_subnet()
            .vpc_id(vpc.as_str())
            .cidr_block(&cidr_block.0)
            .set_availability_zone(availability_zone.clone())
            .set_ipv6_cidr_block(ipv6_cidr_block.as_ref().map(|cidr| cidr.0.clone()))
            .tag_specifications(tag_specification(ResourceType::Subnet, &desired.all_tags())?)
            .send()
            .await?;
        let subnet = created.subnet.ok_or_else(|| Error::incomplete("ec2.CreateSubnet", "subnet"))?;
        Ok(from_create_response(live(&subnet)?, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Subnet {
            vpc: _,
            cidr_block: _,
            availability_zone: _,
            ipv6_cidr_block,
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
        let value = |stated: &Option<ServerDefault<bool>>| boolean(stated.is_some_and(|stated| stated.0));
        let hostname = hostname.as_ref().map_or("ip-name", |hostname| hostname.as_str()).into();
        let changes = [
            (Subnet::MAP_PUBLIC_IP_ON_LAUNCH, modify().map_public_ip_on_launch(value(public_ip))),
            (Subnet::ASSIGN_IPV6_ADDRESS_ON_CREATION, modify().assign_ipv6_address_on_creation(value(ipv6))),
            (Subnet::ENABLE_DNS64, modify().enable_dns64(value(dns64))),
            (Subnet::PRIVATE_DNS_HOSTNAME_TYPE_ON_LAUNCH, modify().private_dns_hostname_type_on_launch(hostname)),
            (
                Subnet::ENABLE_RESOURCE_NAME_DNS_A_RECORD_ON_LAUNCH,
                modify().enable_resource_name_dns_a_record_on_launch(value(a)),
            ),
            (
                Subnet::ENABLE_RESOURCE_NAME_DNS_AAAA_RECORD_ON_LAUNCH,
                modify().enable_resource_name_dns_aaaa_record_on_launch(value(aaaa)),
            ),
        ];
        // New interfaces get no address of a block that is removed.
        let disables = ipv6.is_some_and(|ipv6| !ipv6.0) && desired.changed(Subnet::ASSIGN_IPV6_ADDRESS_ON_CREATION);
        let is_first = |field: &str| disables && field == Subnet::ASSIGN_IPV6_ADDRESS_ON_CREATION.name();
        let changes = changes.into_iter().filter(|(field, _)| desired.changed(*field));
        let (first, rest): (Vec<_>, Vec<_>) = changes.partition(|(field, _)| is_first(field.name()));
        for (_, change) in first {
            change.send().await?;
        }
        if desired.changed(Subnet::IPV6_CIDR_BLOCK) {
            if let Ipv6Association(Some(association)) = live.raw::<Ipv6Association>()? {
                ec2(aws).disassociate_subnet_cidr_block().association_id(association).send().await?;
            }
            if let Some(block) = ipv6_cidr_block {
                ec2(aws).associate_subnet_cidr_block().subnet_id(&live.id).ipv6_cidr_block(&block.0).send().await?;
            }
            // The other fields may need the block, which AWS associates within some seconds.
            return match rest.is_empty() {
                true => Ok(Updated::ObserveAgain),
                false => {
                    Ok(Updated::Unfinished("the IPv6 block was changed; the other fields follow once it is associated"))
                }
            };
        }
        for (_, change) in rest {
            change.send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).delete_subnet().subnet_id(&live.id).send().await?;
        Ok(())
    }
}

fn live(subnet: &sdk::Subnet) -> Result<Live<Subnet>> {
    let id = subnet.subnet_id.clone().ok_or_else(|| Error::incomplete("ec2.DescribeSubnets", "subnetId"))?;
    let absent = [SubnetCidrBlockStateCode::Disassociated, SubnetCidrBlockStateCode::Disassociating];
    let ipv6 = subnet.ipv6_cidr_block_association_set().iter().find(|block| {
        !block.ipv6_cidr_block_state.as_ref().and_then(|s| s.state.as_ref()).is_some_and(|s| absent.contains(s))
    });
    let dns = subnet.private_dns_name_options_on_launch.as_ref();
    let spec = Subnet {
        vpc: Ref::new(subnet.vpc_id().unwrap_or_default()),
        cidr_block: Cidr(subnet.cidr_block.clone().unwrap_or_default()),
        availability_zone: subnet.availability_zone.clone(),
        ipv6_cidr_block: ipv6.and_then(|block| block.ipv6_cidr_block.clone()).map(Cidr),
        map_public_ip_on_launch: subnet.map_public_ip_on_launch.map(ServerDefault),
        assign_ipv6_address_on_creation: subnet.assign_ipv6_address_on_creation.map(ServerDefault),
        enable_dns64: subnet.enable_dns64.map(ServerDefault),
        private_dns_hostname_type_on_launch: dns
            .and_then(|dns| Some(ServerDefault(dns.hostname_type.as_ref()?.as_str().to_owned()))),
        enable_resource_name_dns_a_record_on_launch: dns
            .and_then(|dns| dns.enable_resource_name_dns_a_record)
            .map(ServerDefault),
        enable_resource_name_dns_aaaa_record_on_launch: dns
            .and_then(|dns| dns.enable_resource_name_dns_aaaa_record)
            .map(ServerDefault),
    };
    let status = SubnetStatus {
        arn: subnet.subnet_arn.clone(),
        availability_zone_id: subnet.availability_zone_id.clone(),
        owner_id: subnet.owner_id.clone(),
    };
    let is_changing = ipv6.is_some_and(|block| {
        let state = block.ipv6_cidr_block_state.as_ref().and_then(|state| state.state.as_ref());
        state == Some(&SubnetCidrBlockStateCode::Associating)
    });
    let association = Ipv6Association(ipv6.and_then(|block| block.association_id.clone()));
    let phase = match subnet.state {
        Some(SubnetState::Pending | SubnetState::Unavailable) => Phase::Pending,
        Some(SubnetState::Failed | SubnetState::FailedInsufficientCapacity) => Phase::Failed,
        _ if is_changing => Phase::Updating,
        _ => Phase::Ready,
    };
    Ok(tagged(id, from_sdk_tags(subnet.tags()), spec, status).phase(phase).keep(association))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_of_a_response_become_fields() {
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
