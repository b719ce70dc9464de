//! VpcPeering: a direct way between two networks.

use aws_sdk_ec2::types::{self as sdk, ResourceType, VpcPeeringConnectionStateReasonCode as Code};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{all, ec2, name_of, tag, tag_specification, tags_of};

/// A way between two networks whose addresses do not overlap, of one region or two. Each side also needs routes
/// (`RouteTable`, `vpcPeering`) and groups that let the other in. A resource of the requester's region; Holdfast accepts
/// it on the other side where that is in the same account. It leads no further than to the peer
/// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcPeering {
    /// The network that asks for it.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The network that is asked.
    #[spec(immutable)]
    peer_vpc: Ref<Vpc>,
    /// The region of `peerVpc`. AWS takes the requester's own when it is left out.
    #[spec(immutable)]
    peer_region: Option<String>,
    /// The account of `peerVpc`. AWS takes the requester's own when it is left out.
    #[spec(immutable)]
    peer_owner_id: Option<String>,
    /// Whether it is accepted, which it is to be. In another account somebody has to accept it there, within a week;
    /// until then it is pending.
    #[serde(default = "yes")]
    accepted: bool,
    /// What the requester lets the peer do.
    requester_peering_connection_options: Option<Always<PeeringOptions>>,
    /// What the peer lets the requester do. Can be set in the same account only.
    accepter_peering_connection_options: Option<Always<PeeringOptions>>,
}

fn yes() -> bool {
    true
}

/// What one side of a peering lets the other do.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeeringOptions {
    /// Whether public host names of this side's instances are answered with private addresses when the other side
    /// asks. Both networks need `enableDnsSupport` and `enableDnsHostnames`. AWS's default is `false`
    /// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-dns.html>).
    #[serde(default)]
    allow_dns_resolution_from_remote_vpc: bool,
}

/// What only AWS knows of a VpcPeering.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcPeeringStatus {
    /// The block of the requester's network, once it is active.
    requester_cidr_block: Option<String>,
    /// The block of the peer's network, once it is active.
    accepter_cidr_block: Option<String>,
}

impl Kind for VpcPeering {
    type Status = VpcPeeringStatus;
    const TIER: Tier = Tier::Network;
    const NAMING: Naming = Naming::TAG;
    /// Its create takes no client token.
    const CLASS: CreateClass = CreateClass::Lookup;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let ask = |filters| {
            ec2(aws).describe_vpc_peering_connections().set_filters(filters).into_paginator().items().send().collect()
        };
        let peerings: Vec<sdk::VpcPeeringConnection> = all(scope, "vpc-peering-connection-id", ask).await?;
        let there = |peering: &&sdk::VpcPeeringConnection| *code(peering) != Code::Deleted;
        let mut found = vec![];
        for peering in peerings.iter().filter(there) {
            let mut live = live(peering)?;
            if let Some(region) = silent_about(peering) {
                let id = [live.id.clone()];
                let told = ec2(&*aws.in_region(region)?).describe_vpc_peering_connections();
                let told = told.set_vpc_peering_connection_ids(Some(id.into())).send().await?;
                let told = told.vpc_peering_connections().first();
                live.spec.accepter_peering_connection_options = told.and_then(|p| options(p.accepter_vpc_info()));
            }
            found.push(live);
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let VpcPeering {
            vpc,
            peer_vpc,
            peer_region,
            peer_owner_id,
            accepted: _,
            requester_peering_connection_options: _,
            accepter_peering_connection_options: _,
        } = &desired.spec;
        let made = ec2(aws)
            .create_vpc_peering_connection()
            .vpc_id(vpc.as_str())
            .peer_vpc_id(peer_vpc.as_str())
            .set_peer_region(peer_region.clone())
            .set_peer_owner_id(peer_owner_id.clone())
            .tag_specifications(tag_specification(ResourceType::VpcPeeringConnection, &desired.name, &desired.tags))
            .send()
            .await?;
        let id = made.vpc_peering_connection.and_then(|peering| peering.vpc_peering_connection_id);
        id.ok_or_else(|| Error::incomplete("ec2.CreateVpcPeeringConnection", "vpcPeeringConnectionId"))
            .map(Made::unseen)
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let VpcPeering {
            vpc: _,
            peer_vpc: _,
            peer_region: _,
            peer_owner_id: _,
            accepted,
            requester_peering_connection_options: requester,
            accepter_peering_connection_options: accepter,
        } = &desired.spec;
        let peering: &sdk::VpcPeeringConnection = live.raw()?;
        let here = region(peering.requester_vpc_info());
        let there = region(peering.accepter_vpc_info());
        let far = match there.filter(|_| here != there) {
            Some(region) => Some(aws.in_region(region)?),
            None => None,
        };
        let accepters = far.as_deref().unwrap_or(aws);
        if desired.changed("accepted") {
            if !accepted {
                let message = "what was accepted stays so until it is deleted";
                return Err(Error::terminal("VpcPeering", message));
            }
            ec2(accepters).accept_vpc_peering_connection().vpc_peering_connection_id(&live.id).send().await?;
            // AWS takes options of an active connection only; the next look finds them missing.
            return Ok(());
        }
        let requester = desired.changed("requesterPeeringConnectionOptions").then(|| sdk_options(requester.as_deref()));
        let accepter = desired.changed("accepterPeeringConnectionOptions").then(|| sdk_options(accepter.as_deref()));
        // Each side's options are set in its own region
        // (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcPeeringConnectionOptions.html).
        let modify = |aws: &Aws| ec2(aws).modify_vpc_peering_connection_options().vpc_peering_connection_id(&live.id);
        match (&far, requester, accepter) {
            (None, requester, accepter) => {
                let modify = modify(aws).set_requester_peering_connection_options(requester);
                modify.set_accepter_peering_connection_options(accepter).send().await?;
            }
            (Some(far), requester, accepter) => {
                if requester.is_some() {
                    modify(aws).set_requester_peering_connection_options(requester).send().await?;
                }
                if accepter.is_some() {
                    modify(far).set_accepter_peering_connection_options(accepter).send().await?;
                }
            }
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).delete_vpc_peering_connection().vpc_peering_connection_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

fn region(side: Option<&sdk::VpcPeeringConnectionVpcInfo>) -> Option<&str> {
    side.and_then(|side| side.region())
}

/// The code of its status. A new one is as good as active.
fn code(peering: &sdk::VpcPeeringConnection) -> &Code {
    peering.status().and_then(|status| status.code()).unwrap_or(&Code::Active)
}

/// The accepter's region, when that is another one of the same account, and the answer of this one leaves its options out.
fn silent_about(peering: &sdk::VpcPeeringConnection) -> Option<&str> {
    let (requester, accepter) = (peering.requester_vpc_info()?, peering.accepter_vpc_info()?);
    let silent = accepter.peering_options().is_none() && *code(peering) == Code::Active;
    let near = requester.owner_id() == accepter.owner_id() && requester.region() != accepter.region();
    accepter.region().filter(|_| silent && near)
}

fn options(side: Option<&sdk::VpcPeeringConnectionVpcInfo>) -> Option<Always<PeeringOptions>> {
    let options = side?.peering_options()?;
    let allow = options.allow_dns_resolution_from_remote_vpc.unwrap_or(false);
    Some(Always(PeeringOptions { allow_dns_resolution_from_remote_vpc: allow }))
}

fn sdk_options(options: Option<&PeeringOptions>) -> sdk::PeeringConnectionOptionsRequest {
    let allow = options.is_some_and(|options| options.allow_dns_resolution_from_remote_vpc);
    sdk::PeeringConnectionOptionsRequest::builder().allow_dns_resolution_from_remote_vpc(allow).build()
}

fn live(peering: &sdk::VpcPeeringConnection) -> Result<Live<VpcPeering>> {
    let missing = |what| Error::incomplete("ec2.DescribeVpcPeeringConnections", what);
    let id = peering.vpc_peering_connection_id.clone().ok_or_else(|| missing("vpcPeeringConnectionId"))?;
    let (requester, accepter) = (peering.requester_vpc_info(), peering.accepter_vpc_info());
    let vpc =
        |side: Option<&sdk::VpcPeeringConnectionVpcInfo>| Ref::new(side.and_then(|s| s.vpc_id()).unwrap_or_default());
    let ours = requester.and_then(|side| side.owner_id()) == accepter.and_then(|side| side.owner_id());
    let code = code(peering);
    let spec = VpcPeering {
        vpc: vpc(requester),
        peer_vpc: vpc(accepter),
        peer_region: region(accepter).map(str::to_owned),
        peer_owner_id: accepter.and_then(|side| side.owner_id.clone()),
        accepted: !(ours && *code == Code::PendingAcceptance),
        requester_peering_connection_options: options(requester),
        accepter_peering_connection_options: options(accepter),
    };
    let block = |side: Option<&sdk::VpcPeeringConnectionVpcInfo>| side.and_then(|side| side.cidr_block.clone());
    let status = VpcPeeringStatus { requester_cidr_block: block(requester), accepter_cidr_block: block(accepter) };
    let phase = match code {
        Code::PendingAcceptance if ours => Phase::Ready,
        Code::PendingAcceptance | Code::InitiatingRequest | Code::Provisioning => Phase::Pending,
        Code::Deleting => Phase::Deleting,
        Code::Expired | Code::Failed | Code::Rejected => Phase::Failed,
        _ => Phase::Ready,
    };
    let tags = tags_of(peering.tags.as_deref());
    let live = Live::new(id, name_of(&tags), spec, status).tags(tags).phase(phase).keep(peering.clone());
    let message = peering.status().and_then(|status| status.message()).unwrap_or_default();
    Ok(match (phase, code) {
        (Phase::Failed, _) => live.remark("VpcPeeringFailed", message),
        (Phase::Pending, Code::PendingAcceptance) => live.remark("WaitsForAccepter", message),
        _ => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peering(code: Code, accepter: &str, region: &str) -> sdk::VpcPeeringConnection {
        let side = |owner: &str, region: &str, vpc: &str| {
            sdk::VpcPeeringConnectionVpcInfo::builder().owner_id(owner).region(region).vpc_id(vpc).build()
        };
        sdk::VpcPeeringConnection::builder()
            .vpc_peering_connection_id("pcx-1")
            .requester_vpc_info(side("1", "us-east-1", "vpc-1"))
            .accepter_vpc_info(side(accepter, region, "vpc-2"))
            .status(sdk::VpcPeeringConnectionStateReason::builder().code(code).message("why").build())
            .build()
    }

    #[test]
    fn only_ones_own_can_be_accepted() {
        let own = live(&peering(Code::PendingAcceptance, "1", "eu-west-1")).unwrap();
        assert_eq!((own.spec.accepted, own.phase), (false, Phase::Ready));
        let other = live(&peering(Code::PendingAcceptance, "2", "us-east-1")).unwrap();
        assert_eq!((other.spec.accepted, other.phase, other.remarks.len()), (true, Phase::Pending, 1));
    }

    #[test]
    fn the_other_region_is_asked_for_what_this_one_leaves_out() {
        assert_eq!(silent_about(&peering(Code::Active, "1", "eu-west-1")), Some("eu-west-1"));
        assert_eq!(silent_about(&peering(Code::Active, "1", "us-east-1")), None);
        assert_eq!(silent_about(&peering(Code::Active, "2", "eu-west-1")), None);
        assert_eq!(silent_about(&peering(Code::Provisioning, "1", "eu-west-1")), None);
    }
}
