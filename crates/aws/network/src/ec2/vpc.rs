//! Vpc: an isolated virtual network.

use aws_sdk_ec2::types::{self as sdk, ResourceType, VpcAttributeName, VpcState};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, text};
use holdfast_base::wanted::{each, is_requested_field};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::Cidr;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{Ec2Tags, boolean, describe_all, ec2, from_sdk_tags, tag_specification, tagged, want};

/// A VPC: an isolated virtual network.
///
/// AWS creates a main route table, a default security group and a default network ACL with it. Holdfast does not change
/// them.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vpc {
    /// The IPv4 block, from /16 to /28.
    #[spec(immutable, pattern = "[0-9.]+/(1[6-9]|2[0-8])")]
    cidr_block: Cidr,
    /// The tenancy of the instances: `dedicated` is for dedicated hardware. CreateVpc does not accept `host`
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>). AWS can change `dedicated` to
    /// `default` in place; running instances stay on dedicated hardware
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcTenancy.html>).
    #[spec(immutable, in_place = "default", one_of = ["default", "dedicated"], default = "default")]
    instance_tenancy: Option<String>,
    /// Whether the Amazon DNS server resolves names in the VPC. A new VPC has it.
    #[spec(default = true)]
    enable_dns_support: Option<bool>,
    /// Whether instances with public addresses get public DNS names. A new VPC does not have it.
    #[spec(default = false)]
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
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let describe = |filters| all(ec2(aws).describe_vpcs().set_filters(filters).into_paginator().items().send());
        let vpcs: Vec<sdk::Vpc> = describe_all(scope, "vpc-id", describe).await?;
        each(vpcs, |vpc| async move {
            let mut live = live(&vpc)?;
            let want = want(scope, &live);
            if want.fields() {
                // Each call reads one attribute. A VPC that was deleted between the calls counts as absent.
                let (id, tags) = (&live.id, &live.tags);
                let read = |field, name| async move {
                    if is_requested_field::<Vpc>(scope, tags, field) {
                        attribute(aws, id, name).await
                    } else {
                        Ok(None)
                    }
                };
                let both = async {
                    futures::try_join!(
                        read(Vpc::ENABLE_DNS_SUPPORT, VpcAttributeName::EnableDnsSupport),
                        read(Vpc::ENABLE_DNS_HOSTNAMES, VpcAttributeName::EnableDnsHostnames)
                    )
                };
                let Some((support, hostnames)) = both.await.or_absent()? else { return Ok(None) };
                live.spec = Vpc { enable_dns_support: support, enable_dns_hostnames: hostnames, ..live.spec };
            }
            Ok(want.any().then_some(live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Vpc { cidr_block, instance_tenancy, enable_dns_support: _, enable_dns_hostnames: _ } = &desired.spec;
        let created = ec2(aws)
            .create_vpc()
            .cidr_block(&cidr_block.0)
            .set_instance_tenancy(instance_tenancy.as_deref().map(Into::into))
            .tag_specifications(tag_specification(ResourceType::Vpc, &desired.all_tags())?)
            .send()
            .await?;
        let vpc = created.vpc.ok_or_else(|| Error::incomplete("ec2.CreateVpc", "vpc"))?;
        let mut live = live(&vpc)?;
        // A new VPC has DNS support and no DNS host names
        // (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html>).
        live.spec = Vpc { enable_dns_support: Some(true), enable_dns_hostnames: Some(false), ..live.spec };
        Ok(live.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Vpc { cidr_block: _, instance_tenancy, enable_dns_support, enable_dns_hostnames } = &desired.spec;
        if let Some(tenancy) = instance_tenancy.as_deref().filter(|_| desired.changed(Vpc::INSTANCE_TENANCY)) {
            ec2(aws).modify_vpc_tenancy().vpc_id(&live.id).instance_tenancy(tenancy.into()).send().await?;
        }
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
}

async fn attribute(aws: &Aws, id: &str, name: VpcAttributeName) -> Result<Option<bool>> {
    let response = ec2(aws).describe_vpc_attribute().vpc_id(id).attribute(name).send().await?;
    Ok(response.enable_dns_support.or(response.enable_dns_hostnames).and_then(|a| a.value))
}

/// Reads a VPC from a describe response, which has no attributes.
fn live(vpc: &sdk::Vpc) -> Result<Live<Vpc>> {
    let id = vpc.vpc_id.clone().ok_or_else(|| Error::incomplete("ec2.DescribeVpcs", "vpcId"))?;
    let spec = Vpc {
        cidr_block: Cidr(vpc.cidr_block.clone().unwrap_or_default()),
        instance_tenancy: text(&vpc.instance_tenancy),
        enable_dns_support: None,
        enable_dns_hostnames: None,
    };
    let phase = match vpc.state {
        Some(VpcState::Pending) => Phase::Pending,
        _ => Phase::Ready,
    };
    Ok(tagged(id, from_sdk_tags(vpc.tags()), spec, VpcStatus { owner_id: vpc.owner_id.clone() }).phase(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_vpc_has_the_name_and_the_phase_of_its_response() {
        let tags = sdk::Tag::builder().key("Name").value("shop-dev-main").build();
        let vpc = sdk::Vpc::builder().vpc_id("vpc-1").cidr_block("10.0.0.0/16").state(VpcState::Pending).tags(tags);
        let live = live(&vpc.build()).unwrap();
        assert_eq!((live.name.as_str(), live.phase), ("shop-dev-main", Phase::Pending));
        assert_eq!(live.spec.enable_dns_hostnames, None);
    }
}
