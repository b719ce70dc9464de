//! Vpc: an isolated virtual network.

use aws_sdk_ec2::types::{self as sdk, ResourceType, VpcAttributeName, VpcState};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, is_requested_field};
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::Cidr;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{boolean, ec2, filter_sets, name_of, tag, tag_specification, tags_of};

/// A VPC: an isolated virtual network.
///
/// AWS creates a main route table, a default security group and a default network ACL with it. Holdfast does not change
/// them.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vpc {
    /// The IPv4 block, from /16 to /28.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// The tenancy of the instances: `default`, or `dedicated` for dedicated hardware.
    #[spec(immutable)]
    instance_tenancy: Option<String>,
    /// Whether the Amazon DNS server resolves names in the VPC.
    enable_dns_support: Option<bool>,
    /// Whether instances with public addresses get public DNS names.
    enable_dns_hostnames: Option<bool>,
}

/// The read-only attributes of a Vpc.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcStatus {
    /// The account that owns the VPC.
    owner_id: Option<String>,
}

impl Kind for Vpc {
    type Status = VpcStatus;
    const TIER: Tier = Tier::Network;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let mut found = vec![];
        for filters in filter_sets(scope, "vpc-id") {
            let pages = ec2(aws).describe_vpcs().set_filters(filters).into_paginator().items().send();
            for vpc in all(pages).await? {
                let id = vpc.vpc_id.clone().ok_or_else(|| Error::incomplete("ec2.DescribeVpcs", "vpcId"))?;
                // Each call reads one attribute. A VPC that was deleted between the calls counts as absent.
                let tags = tags_of(vpc.tags.as_deref());
                let read = |field: &'static str, name| {
                    let is_requested = is_requested_field::<Vpc>(scope, &tags, field);
                    let id = &id;
                    async move { if is_requested { attribute(aws, id, name).await } else { Ok(None) } }
                };
                let both = async {
                    futures::try_join!(
                        read("enableDnsSupport", VpcAttributeName::EnableDnsSupport),
                        read("enableDnsHostnames", VpcAttributeName::EnableDnsHostnames)
                    )
                };
                if let Some((support, hostnames)) = both.await.or_absent()? {
                    found.push(live(&vpc, id, support, hostnames));
                }
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Vpc { cidr_block, instance_tenancy, enable_dns_support: _, enable_dns_hostnames: _ } = &desired.spec;
        let created = ec2(aws)
            .create_vpc()
            .cidr_block(&cidr_block.0)
            .set_instance_tenancy(instance_tenancy.as_deref().map(Into::into))
            .tag_specifications(tag_specification(ResourceType::Vpc, &desired.name, &desired.tags))
            .send()
            .await?;
        let missing = || Error::incomplete("ec2.CreateVpc", "vpcId");
        let vpc = created.vpc.ok_or_else(missing)?;
        let id = vpc.vpc_id.clone().ok_or_else(missing)?;
        // A new VPC has DNS support and no DNS host names
        // (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html>).
        Ok(live(&vpc, id, Some(true), Some(false)).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Vpc { cidr_block: _, instance_tenancy: _, enable_dns_support, enable_dns_hostnames } = &desired.spec;
        // Each call changes one attribute. DNS host names require DNS support, which is changed first.
        let modify = || ec2(aws).modify_vpc_attribute().vpc_id(&live.id);
        if desired.changed(Vpc::ENABLE_DNS_SUPPORT) {
            modify().enable_dns_support(boolean(enable_dns_support.unwrap_or(true))).send().await?;
        }
        if desired.changed(Vpc::ENABLE_DNS_HOSTNAMES) {
            modify().enable_dns_hostnames(boolean(enable_dns_hostnames.unwrap_or(false))).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).delete_vpc().vpc_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

async fn attribute(aws: &Aws, id: &str, name: VpcAttributeName) -> Result<Option<bool>> {
    let response = ec2(aws).describe_vpc_attribute().vpc_id(id).attribute(name).send().await?;
    Ok(response.enable_dns_support.or(response.enable_dns_hostnames).and_then(|a| a.value))
}

fn live(vpc: &sdk::Vpc, id: String, support: Option<bool>, hostnames: Option<bool>) -> Live<Vpc> {
    let tags = tags_of(vpc.tags.as_deref());
    let spec = Vpc {
        cidr_block: Cidr(vpc.cidr_block.clone().unwrap_or_default()),
        instance_tenancy: vpc.instance_tenancy.as_ref().map(|t| t.as_str().to_owned()),
        enable_dns_support: support,
        enable_dns_hostnames: hostnames,
    };
    let phase = match vpc.state {
        Some(VpcState::Pending) => Phase::Pending,
        _ => Phase::Ready,
    };
    Live::new(id, name_of(&tags), spec, VpcStatus { owner_id: vpc.owner_id.clone() }).tags(tags).phase(phase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_vpc_has_the_attributes_of_its_responses() {
        let tags = sdk::Tag::builder().key("Name").value("shop-dev-main").build();
        let vpc = sdk::Vpc::builder().cidr_block("10.0.0.0/16").state(VpcState::Pending).tags(tags).build();
        let live = live(&vpc, "vpc-1".into(), Some(true), Some(false));
        assert_eq!((live.name.as_str(), live.phase), ("shop-dev-main", Phase::Pending));
        assert_eq!(live.spec.enable_dns_hostnames, Some(false));
    }
}
