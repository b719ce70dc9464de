//! VpcPeering: a VPC peering connection between two VPCs.

use aws_sdk_ec2::types::{self as sdk, ResourceType, VpcPeeringConnectionStateReasonCode as Code};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::wanted::each;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{Ec2Tags, describe_all, ec2, from_sdk_tags, tag_specification, tagged, want};

/// A VPC peering connection: a direct connection between two VPCs of one region or two.
///
/// The addresses of the VPCs must not overlap. Each side also needs routes (`RouteTable`, `vpcPeering`) and security
/// groups that allow the other side. The resource belongs to the requester's region. Holdfast accepts the connection on
/// the other side if that side is in the same account. A connection is not transitive: it reaches only the peer
/// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcPeering {
    /// The requester VPC.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The accepter VPC.
    #[spec(immutable)]
    peer_vpc: Ref<Vpc>,
    /// The region of `peerVpc`. Without it, AWS uses the requester's region.
    #[spec(immutable)]
    peer_region: Option<String>,
    /// The account of `peerVpc`. Without it, AWS uses the requester's account.
    #[spec(immutable)]
    peer_owner_id: Option<String>,
    /// Whether the connection is accepted; the default is `true`. If the accepter is in another account, a principal of
    /// that account must accept the connection within a week; until then it is pending.
    #[serde(default = "yes")]
    accepted: bool,
    /// The options of the requester's side.
    requester_peering_connection_options: Option<ServerDefault<PeeringConnectionOptions>>,
    /// The options of the accepter's side. They can be set only if the accepter is in the same account.
    accepter_peering_connection_options: Option<ServerDefault<PeeringConnectionOptions>>,
}

fn yes() -> bool {
    true
}

/// The options of one side of a peering connection.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeeringConnectionOptions {
    /// Whether DNS queries from the other side for public host names of this side's instances return private addresses.
    /// Both VPCs need `enableDnsSupport` and `enableDnsHostnames`. AWS's default is `false`
    /// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-dns.html>).
    #[serde(default)]
    allow_dns_resolution_from_remote_vpc: bool,
}

/// The read-only attributes of a VpcPeering.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcPeeringStatus {
    /// The IPv4 block of the requester VPC, after the connection has become active.
    requester_cidr_block: Option<String>,
    /// The IPv4 block of the accepter VPC, after the connection has become active.
    accepter_cidr_block: Option<String>,
}

impl Kind for VpcPeering {
    type Status = VpcPeeringStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    const NAMING: NamingRules = NamingRules::TAG;
    /// CreateVpcPeeringConnection accepts no client token.
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let describe = |filters| {
            all(ec2(aws).describe_vpc_peering_connections().set_filters(filters).into_paginator().items().send())
        };
        let peerings: Vec<sdk::VpcPeeringConnection> =
            describe_all(scope, "vpc-peering-connection-id", describe).await?;
        let existing = peerings.iter().filter(|peering| *code(peering) != Code::Deleted);
        each(existing, |peering| async move {
            let mut live = live(peering)?;
            let want = want(scope, &live);
            if let Some(region) = region_of_missing_options(peering).filter(|_| want.fields()) {
                let id = [live.id.clone()];
                let call = ec2(&*aws.in_region(region)?).describe_vpc_peering_connections();
                let response = call.set_vpc_peering_connection_ids(Some(id.into())).send().await?;
                let accepter = response.vpc_peering_connections().first();
                live.spec.accepter_peering_connection_options = accepter.and_then(|p| options(p.accepter_vpc_info()));
            }
            Ok(want.any().then_some(live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let VpcPeering {
            vpc,
            peer_vpc,
            peer_region,
            peer_owner_id,
            accepted: _,
            requester_peering_connection_options: _,
            accepter_peering_connection_options: _,
        } = &desired.spec;
        let created = ec2(aws)
            .create_vpc_peering_connection()
            .vpc_id(vpc.as_str())
            .peer_vpc_id(peer_vpc.as_str())
            .set_peer_region(peer_region.clone())
            .set_peer_owner_id(peer_owner_id.clone())
            .tag_specifications(tag_specification(ResourceType::VpcPeeringConnection, &desired.all_tags())?)
            .send()
            .await?;
        let id = created.vpc_peering_connection.and_then(|peering| peering.vpc_peering_connection_id);
        id.ok_or_else(|| Error::incomplete("ec2.CreateVpcPeeringConnection", "vpcPeeringConnectionId"))
            .map(Created::unobserved)
    }

    /// Accepts the connection, or changes the options of both sides.
    ///
    /// # Expected flow
    /// 1. Accept a connection that is not accepted, in the accepter's region, and return. AWS sets options only on an
    ///    active connection, so the next observation finds the options different.
    /// 2. In the next update, set the options of each side in that side's region. Two VPCs of one region need one call.
    ///
    /// # Errors
    /// Returns a `Terminal` failure if the document states `accepted: false` for an accepted connection.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
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
        let requester_region = region(peering.requester_vpc_info());
        let accepter_region = region(peering.accepter_vpc_info());
        let remote = match accepter_region.filter(|_| requester_region != accepter_region) {
            Some(region) => Some(aws.in_region(region)?),
            None => None,
        };
        let accepter_aws = remote.as_deref().unwrap_or(aws);
        if desired.changed(VpcPeering::ACCEPTED) {
            if !accepted {
                let message =
                    "an accepted peering connection remains accepted until it is deleted: state `accepted: true`";
                return Err(Error::terminal("VpcPeering", message));
            }
            ec2(accepter_aws).accept_vpc_peering_connection().vpc_peering_connection_id(&live.id).send().await?;
            // AWS sets options only on an active connection. The next observation finds them different.
            return Ok(Updated::ObserveAgain);
        }
        let requester = desired
            .changed(VpcPeering::REQUESTER_PEERING_CONNECTION_OPTIONS)
            .then(|| sdk_options(requester.as_deref()));
        let accepter =
            desired.changed(VpcPeering::ACCEPTER_PEERING_CONNECTION_OPTIONS).then(|| sdk_options(accepter.as_deref()));
        // Each side's options are set in its own region
        // (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcPeeringConnectionOptions.html).
        let modify = |aws: &Aws| ec2(aws).modify_vpc_peering_connection_options().vpc_peering_connection_id(&live.id);
        match (&remote, requester, accepter) {
            (None, requester, accepter) => {
                let modify = modify(aws).set_requester_peering_connection_options(requester);
                modify.set_accepter_peering_connection_options(accepter).send().await?;
            }
            (Some(remote), requester, accepter) => {
                if requester.is_some() {
                    modify(aws).set_requester_peering_connection_options(requester).send().await?;
                }
                if accepter.is_some() {
                    modify(remote).set_accepter_peering_connection_options(accepter).send().await?;
                }
            }
        }
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).delete_vpc_peering_connection().vpc_peering_connection_id(&live.id).send().await?;
        Ok(())
    }
}

fn region(side: Option<&sdk::VpcPeeringConnectionVpcInfo>) -> Option<&str> {
    side.and_then(|side| side.region())
}

/// Returns the status code of a connection; `Active` if the response has none.
fn code(peering: &sdk::VpcPeeringConnection) -> &Code {
    peering.status().and_then(|status| status.code()).unwrap_or(&Code::Active)
}

/// Returns the accepter's region if this region's response lacks the accepter's options, and that region's response has
/// them: an active connection to another region of the same account.
fn region_of_missing_options(peering: &sdk::VpcPeeringConnection) -> Option<&str> {
    let (requester, accepter) = (peering.requester_vpc_info()?, peering.accepter_vpc_info()?);
    let is_missing = accepter.peering_options().is_none() && *code(peering) == Code::Active;
    let is_other_region = requester.owner_id() == accepter.owner_id() && requester.region() != accepter.region();
    accepter.region().filter(|_| is_missing && is_other_region)
}

fn options(side: Option<&sdk::VpcPeeringConnectionVpcInfo>) -> Option<ServerDefault<PeeringConnectionOptions>> {
    let options = side?.peering_options()?;
    let allow = options.allow_dns_resolution_from_remote_vpc.unwrap_or(false);
    Some(ServerDefault(PeeringConnectionOptions { allow_dns_resolution_from_remote_vpc: allow }))
}

fn sdk_options(options: Option<&PeeringConnectionOptions>) -> sdk::PeeringConnectionOptionsRequest {
    let allow = options.is_some_and(|options| options.allow_dns_resolution_from_remote_vpc);
    sdk::PeeringConnectionOptionsRequest::builder().allow_dns_resolution_from_remote_vpc(allow).build()
}

fn live(peering: &sdk::VpcPeeringConnection) -> Result<Live<VpcPeering>> {
    let missing = |what| Error::incomplete("ec2.DescribeVpcPeeringConnections", what);
    let id = peering.vpc_peering_connection_id.clone().ok_or_else(|| missing("vpcPeeringConnectionId"))?;
    let (requester, accepter) = (peering.requester_vpc_info(), peering.accepter_vpc_info());
    let vpc =
        |side: Option<&sdk::VpcPeeringConnectionVpcInfo>| Ref::new(side.and_then(|s| s.vpc_id()).unwrap_or_default());
    let is_same_account = requester.and_then(|side| side.owner_id()) == accepter.and_then(|side| side.owner_id());
    let code = code(peering);
    let spec = VpcPeering {
        vpc: vpc(requester),
        peer_vpc: vpc(accepter),
        peer_region: region(accepter).map(str::to_owned),
        peer_owner_id: accepter.and_then(|side| side.owner_id.clone()),
        accepted: !(is_same_account && *code == Code::PendingAcceptance),
        requester_peering_connection_options: options(requester),
        accepter_peering_connection_options: options(accepter),
    };
    let block = |side: Option<&sdk::VpcPeeringConnectionVpcInfo>| side.and_then(|side| side.cidr_block.clone());
    let status = VpcPeeringStatus { requester_cidr_block: block(requester), accepter_cidr_block: block(accepter) };
    let phase = match code {
        Code::PendingAcceptance if is_same_account => Phase::Ready,
        Code::PendingAcceptance | Code::InitiatingRequest | Code::Provisioning => Phase::Pending,
        Code::Deleting => Phase::Deleting,
        Code::Expired | Code::Failed | Code::Rejected => Phase::Failed,
        _ => Phase::Ready,
    };
    let live = tagged(id, from_sdk_tags(peering.tags()), spec, status).phase(phase).keep(peering.clone());
    let message = peering.status().and_then(|status| status.message()).unwrap_or_default();
    Ok(match (phase, code) {
        (Phase::Failed, _) => live.degraded("VpcPeeringFailed", message),
        (Phase::Pending, Code::PendingAcceptance) => live.action_required("PendingAcceptance", message),
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
    fn only_a_connection_within_the_account_can_be_accepted() {
        let own = live(&peering(Code::PendingAcceptance, "1", "eu-west-1")).unwrap();
        assert_eq!((own.spec.accepted, own.phase), (false, Phase::Ready));
        let other = live(&peering(Code::PendingAcceptance, "2", "us-east-1")).unwrap();
        assert_eq!((other.spec.accepted, other.phase, other.conditions.len()), (true, Phase::Pending, 1));
    }

    #[test]
    fn options_that_this_region_lacks_are_read_in_the_accepters_region() {
        assert_eq!(region_of_missing_options(&peering(Code::Active, "1", "eu-west-1")), Some("eu-west-1"));
        assert_eq!(region_of_missing_options(&peering(Code::Active, "1", "us-east-1")), None);
        assert_eq!(region_of_missing_options(&peering(Code::Active, "2", "eu-west-1")), None);
        assert_eq!(region_of_missing_options(&peering(Code::Provisioning, "1", "eu-west-1")), None);
    }
}
