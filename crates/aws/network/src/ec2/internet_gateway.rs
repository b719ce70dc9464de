//! InternetGateway: a network's way to the internet and back.

use aws_sdk_ec2::types::{self as sdk, AttachmentStatus, ResourceType, RouteState};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{all, ec2, name_of, route_table, tag, tag_specification, tags_of, told};

/// The way to the internet. A Vpc has one at most; a `RouteTable` sends traffic through it, and what is
/// reached through it needs a public address. It cannot be detached while an address of the Vpc is mapped:
/// NAT gateways and load balancers go first
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InternetGateway {
    /// The network that it is attached to; `null` detaches it. Another one moves it there.
    vpc: Option<Ref<Vpc>>,
}

/// What only AWS knows of an InternetGateway.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InternetGatewayStatus {
    /// The account that owns it.
    owner_id: Option<String>,
}

impl Kind for InternetGateway {
    type Status = InternetGatewayStatus;
    const TIER: Tier = Tier::Network;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Lookup;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        if let Some(found) = of_routes(aws, scope).await? {
            return Ok(found);
        }
        let ask = |filters| {
            ec2(aws).describe_internet_gateways().set_filters(filters).into_paginator().items().send().collect()
        };
        all(scope, "internet-gateway-id", ask).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let made = ec2(aws)
            .create_internet_gateway()
            .tag_specifications(tag_specification(ResourceType::InternetGateway, &desired.name, &desired.tags))
            .send()
            .await?;
        let missing = || Error::incomplete("ec2.CreateInternetGateway", "internetGateway");
        Ok(told(live(&made.internet_gateway.ok_or_else(missing)?)?, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let InternetGateway { vpc } = &desired.spec;
        if desired.changed("vpc") {
            detach(aws, live).await?;
            if let Some(vpc) = vpc {
                ec2(aws).attach_internet_gateway().internet_gateway_id(&live.id).vpc_id(vpc.as_str()).send().await?;
            }
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // "You must detach the internet gateway from the VPC before you can delete it."
        // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html>
        detach(aws, live).await?;
        ec2(aws).delete_internet_gateway().internet_gateway_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

async fn detach(aws: &Aws, live: &Live<InternetGateway>) -> Result<()> {
    if let Some(vpc) = &live.spec.vpc {
        ec2(aws).detach_internet_gateway().internet_gateway_id(&live.id).vpc_id(vpc.as_str()).send().await?;
    }
    Ok(())
}

/// In the first look, those that our routes lead to, where that is all that the hint knows: a route is a black hole when its
/// gateway is not attached, and the tables are asked for anyway
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html>).
async fn of_routes(aws: &Aws, scope: &Scope) -> Result<Option<Vec<Live<InternetGateway>>>> {
    let of = |kind: &'static str| {
        tagging::owned(aws, scope, move |service, resource| service == "ec2" && resource.starts_with(kind))
    };
    let (Some(known), Some(tables)) = futures::try_join!(of("internet-gateway/"), of("route-table/"))? else {
        return Ok(None);
    };
    if scope.names.is_empty() || tables.is_empty() {
        return Ok(None);
    }
    let tables = route_table::tables(aws, scope).await?;
    let mut found = vec![];
    for (arn, tags) in known {
        let id = arn.rsplit('/').next();
        let leads = |route: &sdk::Route| route.gateway_id() == id && route.state == Some(RouteState::Active);
        let Some(table) = tables.iter().find(|table| table.routes().iter().any(leads)) else { return Ok(None) };
        let spec = InternetGateway { vpc: table.vpc_id.clone().map(Ref::new) };
        let status = InternetGatewayStatus { owner_id: table.owner_id.clone() };
        found.push(Live::new(id.unwrap_or_default(), name_of(&tags), spec, status).tags(tags));
    }
    let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
    Ok((!tagging::lacks(scope, &names)).then_some(found))
}

fn live(gateway: &sdk::InternetGateway) -> Result<Live<InternetGateway>> {
    let id = gateway.internet_gateway_id.clone();
    let id = id.ok_or_else(|| Error::incomplete("ec2.DescribeInternetGateways", "internetGatewayId"))?;
    let tags = tags_of(gateway.tags.as_deref());
    let gone = [AttachmentStatus::Detached, AttachmentStatus::Detaching];
    // An internet gateway that is attached says `available` where other things say `attached`.
    let attached = gateway.attachments().iter().find(|a| !a.state.as_ref().is_some_and(|s| gone.contains(s)));
    let spec = InternetGateway { vpc: attached.and_then(|a| a.vpc_id.clone()).map(Ref::new) };
    let status = InternetGatewayStatus { owner_id: gateway.owner_id.clone() };
    Ok(Live::new(id, name_of(&tags), spec, status).tags(tags))
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
    fn what_is_being_detached_is_not_attached() {
        assert_eq!(attached("available"), Some(Ref::new("vpc-1")));
        assert_eq!(attached("detaching"), None);
    }
}
