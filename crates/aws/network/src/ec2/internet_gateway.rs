//! InternetGateway: the connection of a VPC to the internet.

use aws_sdk_ec2::types::{self as sdk, AttachmentStatus, ResourceType, RouteState};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{Ec2Tags, describe_all, ec2, from_create_response, from_sdk_tags, lists, tag_specification, tagged};

/// An internet gateway: the connection of a VPC to the internet.
///
/// A VPC has at most one. A `RouteTable` sends traffic through it, and resources that are reached through it need a
/// public address. AWS does not detach it while an address of the VPC is mapped: NAT gateways and load balancers are
/// deleted first (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InternetGateway {
    /// The VPC that the gateway is attached to; `null` detaches it. A change moves the gateway to the other VPC.
    vpc: Option<Ref<Vpc>>,
}

/// The read-only attributes of an InternetGateway.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InternetGatewayStatus {
    /// The account that owns the gateway.
    owner_id: Option<String>,
}

impl Kind for InternetGateway {
    type Status = InternetGatewayStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;
    /// A VPC has one internet gateway
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachInternetGateway.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[DocumentRelation::Unique(&[Self::VPC.name()])];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        if let Some(found) = gateways_of_routes(aws, scope).await? {
            return Ok(found);
        }
        let describe =
            |filters| all(ec2(aws).describe_internet_gateways().set_filters(filters).into_paginator().items().send());
        describe_all(scope, "internet-gateway-id", describe).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let created = ec2(aws)
            .create_internet_gateway()
            .tag_specifications(tag_specification(ResourceType::InternetGateway, &desired.all_tags())?)
            .send()
            .await?;
        let missing = || Error::incomplete("ec2.CreateInternetGateway", "internetGateway");
        Ok(from_create_response(live(&created.internet_gateway.ok_or_else(missing)?)?, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let InternetGateway { vpc } = &desired.spec;
        if desired.changed(InternetGateway::VPC) {
            detach(aws, live).await?;
            if let Some(vpc) = vpc {
                ec2(aws).attach_internet_gateway().internet_gateway_id(&live.id).vpc_id(vpc.as_str()).send().await?;
            }
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // "You must detach the internet gateway from the VPC before you can delete it."
        // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html>
        detach(aws, live).await?;
        ec2(aws).delete_internet_gateway().internet_gateway_id(&live.id).send().await?;
        Ok(())
    }
}

async fn detach(aws: &Aws, live: &Live<InternetGateway>) -> Result<()> {
    if let Some(vpc) = &live.spec.vpc {
        ec2(aws).detach_internet_gateway().internet_gateway_id(&live.id).vpc_id(vpc.as_str()).send().await?;
    }
    Ok(())
}

/// Returns the stack's gateways from the responses about its route tables, without a call of its own.
///
/// Returns `None` if a gateway in the tag index has no active route. These responses suffice because the state of a
/// route is `blackhole` if its gateway is not attached, and the refresh describes the route tables anyway
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html>).
async fn gateways_of_routes(aws: &Aws, scope: &Scope) -> Result<Option<Vec<Live<InternetGateway>>>> {
    let of = |kind: &'static str| {
        tagging::owned(aws, scope, move |service, resource| service == "ec2" && resource.starts_with(kind))
    };
    let (Some(indexed), Some(tables)) = futures::try_join!(of("internet-gateway/"), of("route-table/"))? else {
        return Ok(None);
    };
    if scope.names.is_empty() || tables.is_empty() {
        return Ok(None);
    }
    let tables = lists::route_tables(aws, scope).await?;
    let mut found = vec![];
    for (arn, tags) in indexed {
        let id = arn.rsplit('/').next();
        let is_target = |route: &sdk::Route| route.gateway_id() == id && route.state == Some(RouteState::Active);
        let Some(table) = tables.iter().find(|table| table.routes().iter().any(is_target)) else { return Ok(None) };
        let spec = InternetGateway { vpc: table.vpc_id.clone().map(Ref::new) };
        let status = InternetGatewayStatus { owner_id: table.owner_id.clone() };
        found.push(tagged(id.unwrap_or_default(), tags, spec, status));
    }
    let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
    Ok((!tagging::lacks(scope, &names)).then_some(found))
}

fn live(gateway: &sdk::InternetGateway) -> Result<Live<InternetGateway>> {
    let id = gateway.internet_gateway_id.clone();
    let id = id.ok_or_else(|| Error::incomplete("ec2.DescribeInternetGateways", "internetGatewayId"))?;
    let detached = [AttachmentStatus::Detached, AttachmentStatus::Detaching];
    // The state of an attached internet gateway is `available`, and not `attached` as for other resources.
    let attached = gateway.attachments().iter().find(|a| !a.state.as_ref().is_some_and(|s| detached.contains(s)));
    let spec = InternetGateway { vpc: attached.and_then(|a| a.vpc_id.clone()).map(Ref::new) };
    let status = InternetGatewayStatus { owner_id: gateway.owner_id.clone() };
    Ok(tagged(id, from_sdk_tags(gateway.tags()), spec, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(state: &str) -> Option<Ref<Vpc>> {
        let attachment = sdk::InternetGatewayAttachment::builder().vpc_id("vpc-1").state(state.into()).build();
        let gateway = sdk::InternetGateway::builder().internet_gateway_id("igw-1").attachments(attachment).build();
        live(&gateway).unwrap().spec.vpc
    }

    #[test]
    fn a_gateway_that_is_being_detached_counts_as_detached() {
        assert_eq!(attached("available"), Some(Ref::new("vpc-1")));
        assert_eq!(attached("detaching"), None);
    }
}
