//! RouteTable: where the traffic of subnets goes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{self as sdk, ResourceType, RouteOrigin, RouteState, RouteTableAssociationStateCode};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Cidr, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::internet_gateway::InternetGateway;
use super::nat_gateway::NatGateway;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{asks, canonical, filter, name_of, tag, tag_specification, tags_of};
use crate::client::Aws;
use crate::error::{Error, OrAbsent, Result};
use crate::kind::{Desired, Kind, Live};

/// The routes of some subnets. The most specific route that matches decides
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html>). A subnet that no table
/// lists follows the Vpc's main one, which Holdfast leaves alone.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RouteTable {
    /// The network that it is part of.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// Its routes. Those that AWS writes itself are not among them: `local`, propagated ones, and those of
    /// gateway endpoints.
    routes: Option<BTreeSet<Route>>,
    /// The subnets that follow it. One that followed another table moves here in a single step, without
    /// being without a route for a moment.
    subnets: Option<BTreeSet<Ref<Subnet>>>,
}

/// One route: exactly one destination, and exactly one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Route {
    /// The IPv4 block that is reached: `0.0.0.0/0` for everything else.
    destination_cidr_block: Option<Cidr>,
    /// The IPv6 block that is reached: `::/0` for everything else.
    destination_ipv6_cidr_block: Option<Cidr>,
    /// The prefix list that is reached (`pl-…`).
    destination_prefix_list_id: Option<String>,
    /// Through this internet gateway, or by `{ id: vgw-… }` a virtual private gateway.
    gateway: Option<Ref<InternetGateway>>,
    /// Through this NAT gateway.
    nat_gateway: Option<Ref<NatGateway>>,
    /// Through this egress-only internet gateway (`eigw-…`), the NAT gateway of IPv6.
    egress_only_internet_gateway_id: Option<String>,
    /// Through this transit gateway (`tgw-…`).
    transit_gateway_id: Option<String>,
    /// Through this peering connection (`pcx-…`).
    vpc_peering_connection_id: Option<String>,
    /// Through this Gateway Load Balancer endpoint (`vpce-…`).
    vpc_endpoint_id: Option<String>,
    /// Through this network interface (`eni-…`).
    network_interface_id: Option<String>,
}

/// What only AWS knows of a RouteTable.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RouteTableStatus {
    /// Its associations, by subnet.
    associations: BTreeMap<String, String>,
    /// The account that owns it.
    owner_id: Option<String>,
}

impl Kind for RouteTable {
    type Status = RouteTableStatus;
    const TIER: Tier = Tier::Network;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Token;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let mut found = vec![];
        for filters in asks(scope, "route-table-id") {
            let pages = aws.ec2.describe_route_tables().set_filters(filters).into_paginator().items().send();
            for table in pages.collect::<std::result::Result<Vec<_>, _>>().await? {
                found.push(live(&table)?);
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<String> {
        let made = aws
            .ec2
            .create_route_table()
            .client_token(&desired.token)
            .vpc_id(desired.spec.vpc.as_str())
            .tag_specifications(tag_specification(ResourceType::RouteTable, &desired.name, &desired.tags))
            .send()
            .await?;
        let id = made.route_table.and_then(|table| table.route_table_id);
        id.ok_or_else(|| Error::incomplete("ec2.CreateRouteTable", "routeTableId"))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let RouteTable { vpc: _, routes, subnets } = &desired.spec;
        // Routes first: a subnet that comes then finds them.
        if desired.changed("routes") {
            reroute(aws, &live.id, live.spec.routes.as_ref(), routes.as_ref()).await?;
        }
        if desired.changed("subnets") {
            associate(aws, live, subnets.as_ref()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // "You must disassociate the route table from any subnets before you can delete it."
        // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html>
        for association in live.status.associations.values() {
            aws.ec2.disassociate_route_table().association_id(association).send().await.or_absent()?;
        }
        aws.ec2.delete_route_table().route_table_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(
        aws: &Aws,
        live: &Live<Self>,
        set: &BTreeMap<String, String>,
        remove: &BTreeSet<String>,
    ) -> Result<()> {
        tag(aws, &live.id, set, remove).await
    }
}

/// Destinations and targets, as CreateRoute and ReplaceRoute both take them.
macro_rules! route {
    ($call:expr, $table:expr, $route:expr) => {{
        let route = $route;
        $call
            .route_table_id($table)
            .set_destination_cidr_block(route.destination_cidr_block.map(|cidr| cidr.0))
            .set_destination_ipv6_cidr_block(route.destination_ipv6_cidr_block.map(|cidr| cidr.0))
            .set_destination_prefix_list_id(route.destination_prefix_list_id)
            .set_gateway_id(route.gateway.map(String::from))
            .set_nat_gateway_id(route.nat_gateway.map(String::from))
            .set_egress_only_internet_gateway_id(route.egress_only_internet_gateway_id)
            .set_transit_gateway_id(route.transit_gateway_id)
            .set_vpc_peering_connection_id(route.vpc_peering_connection_id)
            .set_vpc_endpoint_id(route.vpc_endpoint_id)
            .set_network_interface_id(route.network_interface_id)
    }};
}

/// One call a route, and what is new before what goes: traffic finds a way at any moment.
async fn reroute(
    aws: &Aws,
    table: &str,
    there: Option<&BTreeSet<Route>>,
    wanted: Option<&BTreeSet<Route>>,
) -> Result<()> {
    let (there, wanted) = (by_destination(there), by_destination(wanted));
    for (destination, route) in &wanted {
        match there.get(destination) {
            None => {
                route!(aws.ec2.create_route(), table, route.clone()).send().await?;
            }
            Some(live) if live != route => {
                route!(aws.ec2.replace_route(), table, route.clone()).send().await?;
            }
            Some(_) => {}
        }
    }
    for (cidr, ipv6, prefix_list) in there.into_keys().filter(|destination| !wanted.contains_key(destination)) {
        let delete = aws.ec2.delete_route().route_table_id(table).set_destination_prefix_list_id(prefix_list);
        let delete = delete.set_destination_cidr_block(cidr.map(|cidr| cidr.0));
        delete.set_destination_ipv6_cidr_block(ipv6.map(|cidr| cidr.0)).send().await.or_absent()?;
    }
    Ok(())
}

type Destination = (Option<Cidr>, Option<Cidr>, Option<String>);

/// A table has one route a destination: that is what tells routes apart.
fn by_destination(routes: Option<&BTreeSet<Route>>) -> BTreeMap<Destination, Route> {
    let keyed = |route: &Route| {
        let cidr = route.destination_cidr_block.as_ref().map(canonical);
        let ipv6 = route.destination_ipv6_cidr_block.as_ref().map(canonical);
        let route =
            Route { destination_cidr_block: cidr.clone(), destination_ipv6_cidr_block: ipv6.clone(), ..route.clone() };
        ((cidr, ipv6, route.destination_prefix_list_id.clone()), route)
    };
    routes.into_iter().flatten().map(keyed).collect()
}

async fn associate(aws: &Aws, live: &Live<RouteTable>, wanted: Option<&BTreeSet<Ref<Subnet>>>) -> Result<()> {
    let wanted: BTreeSet<&str> = wanted.into_iter().flatten().map(Ref::as_str).collect();
    let there = &live.status.associations;
    let new: Vec<&str> = wanted.iter().copied().filter(|subnet| !there.contains_key(*subnet)).collect();
    if !new.is_empty() {
        // A subnet has one association. Replacing it moves the subnet; AssociateRouteTable would be refused.
        let followers = filter("association.subnet-id", new.iter().map(|subnet| (*subnet).to_owned()));
        let pages = aws.ec2.describe_route_tables().filters(followers).into_paginator().items().send();
        let tables = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        let elsewhere: BTreeMap<_, _> = tables.iter().flat_map(associations).collect();
        for subnet in new {
            match elsewhere.get(subnet) {
                Some(association) => {
                    let replace = aws.ec2.replace_route_table_association().association_id(association);
                    replace.route_table_id(&live.id).send().await?;
                }
                None => {
                    aws.ec2.associate_route_table().route_table_id(&live.id).subnet_id(subnet).send().await?;
                }
            }
        }
    }
    for (_, association) in there.iter().filter(|(subnet, _)| !wanted.contains(subnet.as_str())) {
        // Absent when another table of the document has taken the subnet over: it is another association now.
        aws.ec2.disassociate_route_table().association_id(association).send().await.or_absent()?;
    }
    Ok(())
}

/// The associations with subnets: neither the main one nor a gateway's.
fn associations(table: &sdk::RouteTable) -> BTreeMap<String, String> {
    let gone = [
        RouteTableAssociationStateCode::Disassociated,
        RouteTableAssociationStateCode::Disassociating,
        RouteTableAssociationStateCode::Failed,
    ];
    let kept = |a: &&sdk::RouteTableAssociation| {
        !a.association_state.as_ref().and_then(|s| s.state.as_ref()).is_some_and(|s| gone.contains(s))
    };
    let pair = |a: &sdk::RouteTableAssociation| Some((a.subnet_id.clone()?, a.route_table_association_id.clone()?));
    table.associations().iter().filter(kept).filter_map(pair).collect()
}

/// The route, when it is one that people write.
fn written(route: &sdk::Route) -> Option<Route> {
    let (gateway, endpoint) = match route.gateway_id.clone() {
        // AWS answers a Gateway Load Balancer endpoint as a gateway.
        Some(id) if id.starts_with("vpce-") => (None, Some(id)),
        other => (other, None),
    };
    let endpoints_own = endpoint.is_some() && route.destination_prefix_list_id.is_some();
    let automatic = [RouteOrigin::Advertisement, RouteOrigin::CreateRouteTable, RouteOrigin::EnableVgwRoutePropagation];
    if gateway.as_deref() == Some("local") || endpoints_own || route.origin.as_ref().is_some_and(|o| automatic.contains(o))
    {
        return None;
    }
    Some(Route {
        destination_cidr_block: route.destination_cidr_block.clone().map(Cidr),
        destination_ipv6_cidr_block: route.destination_ipv6_cidr_block.clone().map(Cidr),
        destination_prefix_list_id: route.destination_prefix_list_id.clone(),
        gateway: gateway.map(Ref::new),
        nat_gateway: route.nat_gateway_id.clone().map(Ref::new),
        egress_only_internet_gateway_id: route.egress_only_internet_gateway_id.clone(),
        transit_gateway_id: route.transit_gateway_id.clone(),
        vpc_peering_connection_id: route.vpc_peering_connection_id.clone(),
        vpc_endpoint_id: endpoint,
        network_interface_id: route.network_interface_id.clone(),
    })
}

fn live(table: &sdk::RouteTable) -> Result<Live<RouteTable>> {
    let id = table.route_table_id.clone();
    let id = id.ok_or_else(|| Error::incomplete("ec2.DescribeRouteTables", "routeTableId"))?;
    let tags = tags_of(table.tags.as_deref());
    let associations = associations(table);
    let spec = RouteTable {
        vpc: Ref::new(table.vpc_id().unwrap_or_default()),
        routes: Some(table.routes().iter().filter_map(written).collect()),
        subnets: Some(associations.keys().map(|subnet| Ref::new(subnet.as_str())).collect()),
    };
    let status = RouteTableStatus { associations, owner_id: table.owner_id.clone() };
    let live = Live::new(id, name_of(&tags), spec, status).tags(tags);
    let lost = table.routes().iter().filter(|route| route.state == Some(RouteState::Blackhole));
    Ok(lost.fold(live, |live, route| {
        let to = route.destination_cidr_block().or(route.destination_ipv6_cidr_block());
        let to = to.or(route.destination_prefix_list_id()).unwrap_or_default();
        live.remark("Blackhole", format!("traffic to {to} is dropped: the target of its route is gone"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(cidr: &str) -> sdk::builders::RouteBuilder {
        sdk::Route::builder().destination_cidr_block(cidr).origin(RouteOrigin::CreateRoute)
    }

    #[test]
    fn only_written_routes_and_subnets_count() {
        let service = sdk::Route::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1").build();
        let association = sdk::RouteTableAssociation::builder().route_table_association_id("rtbassoc-1");
        let table = sdk::RouteTable::builder()
            .route_table_id("rtb-1")
            .routes(to("10.0.0.0/16").gateway_id("local").origin(RouteOrigin::CreateRouteTable).build())
            .routes(to("10.9.0.0/16").gateway_id("vgw-1").origin(RouteOrigin::EnableVgwRoutePropagation).build())
            .routes(service)
            .routes(to("10.8.0.0/16").gateway_id("vpce-2").build())
            .routes(to("0.0.0.0/0").nat_gateway_id("nat-1").state(RouteState::Blackhole).build())
            .associations(association.clone().main(true).build())
            .associations(association.subnet_id("subnet-1").build())
            .build();
        let live = live(&table).unwrap();
        let routes: Vec<_> = live.spec.routes.unwrap().into_iter().collect();
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[0].nat_gateway, Some(Ref::new("nat-1")));
        assert_eq!(routes[1].vpc_endpoint_id.as_deref(), Some("vpce-2"));
        assert_eq!(live.remarks.len(), 1);
        assert_eq!(live.status.associations.get("subnet-1").map(String::as_str), Some("rtbassoc-1"));
    }

    #[test]
    fn a_destination_is_one_however_it_is_spelt() {
        let stated = BTreeSet::from([written(&to("10.1.2.3/16").gateway_id("igw-1").build()).unwrap()]);
        let there = BTreeSet::from([written(&to("10.1.0.0/16").gateway_id("igw-1").build()).unwrap()]);
        assert_eq!(by_destination(Some(&stated)), by_destination(Some(&there)));
    }
}
