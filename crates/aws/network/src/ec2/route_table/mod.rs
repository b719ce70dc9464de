//! RouteTable: the routes of subnets.

mod route;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{self as sdk, ResourceType, RouteState, RouteTableAssociationStateCode};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::Stated,
    Demand::{AnyOf, AtMostOne, Excludes, Unique},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{Ec2Tags, ec2, filter, from_create_response, from_sdk_tags, lists, tag_specification, tagged};
use route::{Route, update_routes};

/// A route table: the routes of its subnets.
///
/// The most specific route that matches decides
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html>). A subnet that no route table lists
/// uses the VPC's main route table, which Holdfast does not change.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RouteTable {
    /// The VPC of the route table.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The routes. Routes that AWS manages itself are not part of them: `local` routes, propagated routes, and routes
    /// of gateway endpoints.
    routes: Option<BTreeSet<Route>>,
    /// The associated subnets. A subnet that is associated with another route table moves to this one in a single step,
    /// and has routes at every moment.
    subnets: Option<BTreeSet<Ref<Subnet>>>,
}

/// The read-only attributes of a RouteTable.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RouteTableStatus {
    /// The association ids, by subnet.
    associations: BTreeMap<String, String>,
    /// The account that owns the route table.
    owner_id: Option<String>,
}

impl Kind for RouteTable {
    type Status = RouteTableStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    /// A subnet is deleted with its association. A route to a deleted gateway has the state `blackhole`
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html>).
    const RELEASES: &'static [&'static str] = &[RouteTable::SUBNETS.name(), RouteTable::ROUTES.name()];
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    /// A subnet has one route table
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[DocumentRelation::Exclusive(Self::SUBNETS.name())];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html
        demand(AnyOf(&["destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"])).at("routes.*"),
        demand(AtMostOne(&["destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"]))
            .at("routes.*"),
        demand(AnyOf(&[
            "gateway",
            "natGateway",
            "egressOnlyInternetGatewayId",
            "transitGatewayId",
            "vpcPeering",
            "vpcEndpoint",
            "networkInterfaceId",
        ]))
        .at("routes.*"),
        demand(AtMostOne(&[
            "gateway",
            "natGateway",
            "egressOnlyInternetGatewayId",
            "transitGatewayId",
            "vpcPeering",
            "vpcEndpoint",
            "networkInterfaceId",
        ]))
        .at("routes.*"),
        demand(Unique("routes", &["destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"])),
        demand(Excludes("egressOnlyInternetGatewayId")).when(&[Stated("destinationCidrBlock")]).at("routes.*"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        lists::route_tables(aws, scope).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let created = ec2(aws)
            .create_route_table()
            .client_token(&desired.token)
            .vpc_id(desired.spec.vpc.as_str())
            .tag_specifications(tag_specification(ResourceType::RouteTable, &desired.all_tags())?)
            .send()
            .await?;
        let table = created.route_table.ok_or_else(|| Error::incomplete("ec2.CreateRouteTable", "routeTable"))?;
        Ok(from_create_response(live(&table)?, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let RouteTable { vpc: _, routes, subnets } = &desired.spec;
        // Change the routes first, so that a newly associated subnet has them at once.
        if desired.changed(RouteTable::ROUTES) {
            update_routes(aws, &live.id, live.spec.routes.as_ref(), routes.as_ref()).await?;
        }
        if desired.changed(RouteTable::SUBNETS) {
            associate(aws, live, subnets.as_ref()).await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // "You must disassociate the route table from any subnets before you can delete it."
        // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html>
        for association in live.status.associations.values() {
            ec2(aws).disassociate_route_table().association_id(association).send().await.or_absent()?;
        }
        ec2(aws).delete_route_table().route_table_id(&live.id).send().await?;
        Ok(())
    }
}

async fn associate(aws: &Aws, live: &Live<RouteTable>, desired: Option<&BTreeSet<Ref<Subnet>>>) -> Result<()> {
    let desired: BTreeSet<&str> = desired.into_iter().flatten().map(Ref::as_str).collect();
    let current = &live.status.associations;
    let new: Vec<&str> = desired.iter().copied().filter(|subnet| !current.contains_key(*subnet)).collect();
    let mut elsewhere = BTreeSet::new();
    for subnet in new {
        let associate = ec2(aws).associate_route_table().route_table_id(&live.id).subnet_id(subnet);
        match associate.send().await.map_err(Error::from) {
            Err(error) if error.0.code.as_deref() == Some("Resource.AlreadyAssociated") => {
                elsewhere.insert(subnet.to_owned());
            }
            response => drop(response?),
        }
    }
    if !elsewhere.is_empty() {
        // A subnet has one association. Replacing the association moves the subnet.
        let by_subnet = filter("association.subnet-id", elsewhere.iter().cloned());
        let pages = ec2(aws).describe_route_tables().filters(by_subnet).into_paginator().items().send();
        let tables = all(pages).await?;
        for (_, association) in tables.iter().flat_map(associations).filter(|(subnet, _)| elsewhere.contains(subnet)) {
            let replace = ec2(aws).replace_route_table_association().association_id(association);
            replace.route_table_id(&live.id).send().await?;
        }
    }
    for (_, association) in current.iter().filter(|(subnet, _)| !desired.contains(subnet.as_str())) {
        // The association is absent if another route table of the document has moved the subnet to itself.
        ec2(aws).disassociate_route_table().association_id(association).send().await.or_absent()?;
    }
    Ok(())
}

/// Returns the associations with subnets, without the main association and those with gateways.
fn associations(table: &sdk::RouteTable) -> BTreeMap<String, String> {
    let absent = [
        RouteTableAssociationStateCode::Disassociated,
        RouteTableAssociationStateCode::Disassociating,
        RouteTableAssociationStateCode::Failed,
    ];
    let is_current = |a: &&sdk::RouteTableAssociation| {
        !a.association_state.as_ref().and_then(|s| s.state.as_ref()).is_some_and(|s| absent.contains(s))
    };
    let pair = |a: &sdk::RouteTableAssociation| Some((a.subnet_id.clone()?, a.route_table_association_id.clone()?));
    table.associations().iter().filter(is_current).filter_map(pair).collect()
}

fn live(table: &sdk::RouteTable) -> Result<Live<RouteTable>> {
    let id = table.route_table_id.clone();
    let id = id.ok_or_else(|| Error::incomplete("ec2.DescribeRouteTables", "routeTableId"))?;
    let associations = associations(table);
    let spec = RouteTable {
        vpc: Ref::new(table.vpc_id().unwrap_or_default()),
        routes: Some(table.routes().iter().filter_map(route::from_response).collect()),
        subnets: Some(associations.keys().map(|subnet| Ref::new(subnet.as_str())).collect()),
    };
    let status = RouteTableStatus { associations, owner_id: table.owner_id.clone() };
    let live = tagged(id, from_sdk_tags(table.tags()), spec, status);
    let blackholes = table.routes().iter().filter(|route| route.state == Some(RouteState::Blackhole));
    Ok(blackholes.fold(live, |live, route| {
        let to = route.destination_cidr_block().or(route.destination_ipv6_cidr_block());
        let to = to.or(route.destination_prefix_list_id()).unwrap_or_default();
        live.degraded("Blackhole", format!("traffic to {to} is dropped: the target of its route no longer exists"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_association_is_left_out_and_a_blackhole_route_is_degraded() {
        let association = sdk::RouteTableAssociation::builder().route_table_association_id("rtbassoc-1");
        let blackhole = sdk::Route::builder().destination_cidr_block("0.0.0.0/0").state(RouteState::Blackhole).build();
        let table = sdk::RouteTable::builder()
            .route_table_id("rtb-1")
            .routes(blackhole)
            .associations(association.clone().main(true).build())
            .associations(association.subnet_id("subnet-1").build())
            .build();
        let live = live(&table).unwrap();
        assert_eq!(live.spec.subnets, Some(BTreeSet::from([Ref::new("subnet-1")])));
        assert_eq!(live.status.associations.get("subnet-1").map(String::as_str), Some("rtbassoc-1"));
        assert_eq!(
            live.conditions[0].message,
            "traffic to 0.0.0.0/0 is dropped: the target of its route no longer exists"
        );
    }
}
