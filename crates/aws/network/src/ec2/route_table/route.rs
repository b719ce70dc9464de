//! Route: one route of a route table, and its form in requests and responses of EC2.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{self as sdk, RouteOrigin};
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_core::Spec;
use holdfast_core::types::{Cidr, Ref};
use serde::{Deserialize, Serialize};

use crate::ec2::internet_gateway::InternetGateway;
use crate::ec2::nat_gateway::NatGateway;
use crate::ec2::vpc_endpoint::VpcEndpoint;
use crate::ec2::vpc_peering::VpcPeering;
use crate::ec2::{canonical, ec2};

/// A route: exactly one destination and exactly one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"],
    exclusive = [
        "gateway", "natGateway", "egressOnlyInternetGatewayId", "transitGatewayId", "vpcPeering", "vpcEndpoint",
        "networkInterfaceId",
    ])]
pub(crate) struct Route {
    /// The destination as an IPv4 block: `0.0.0.0/0` for all other IPv4 traffic.
    destination_cidr_block: Option<Cidr>,
    /// The destination as an IPv6 block: `::/0` for all other IPv6 traffic.
    destination_ipv6_cidr_block: Option<Cidr>,
    /// The destination as a prefix list (`pl-…`).
    destination_prefix_list_id: Option<String>,
    /// The target: an internet gateway, or a virtual private gateway as `{ id: vgw-… }`.
    gateway: Option<Ref<InternetGateway>>,
    /// The target: a NAT gateway.
    nat_gateway: Option<Ref<NatGateway>>,
    /// The target: an egress-only internet gateway (`eigw-…`), the equivalent of a NAT gateway for IPv6.
    egress_only_internet_gateway_id: Option<String>,
    /// The target: a transit gateway (`tgw-…`).
    transit_gateway_id: Option<String>,
    /// The target: a peering connection.
    vpc_peering: Option<Ref<VpcPeering>>,
    /// The target: a Gateway Load Balancer endpoint. AWS manages the routes of gateway endpoints.
    vpc_endpoint: Option<Ref<VpcEndpoint>>,
    /// The target: a network interface (`eni-…`).
    network_interface_id: Option<String>,
}

/// Sets the destination and the target in a CreateRoute or ReplaceRoute call.
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
            .set_vpc_peering_connection_id(route.vpc_peering.map(String::from))
            .set_vpc_endpoint_id(route.vpc_endpoint.map(String::from))
            .set_network_interface_id(route.network_interface_id)
    }};
}

/// Turns the live routes of a table into the desired routes, with one call for each route.
///
/// Routes are added and replaced before others are deleted, so that traffic has a route at every moment.
pub(crate) async fn update_routes(
    aws: &Aws,
    table: &str,
    live: Option<&BTreeSet<Route>>,
    desired: Option<&BTreeSet<Route>>,
) -> Result<()> {
    let (live, desired) = (by_destination(live), by_destination(desired));
    for (destination, route) in &desired {
        match live.get(destination) {
            None => {
                route!(ec2(aws).create_route(), table, route.clone()).send().await?;
            }
            Some(live) if live != route => {
                route!(ec2(aws).replace_route(), table, route.clone()).send().await?;
            }
            Some(_) => {}
        }
    }
    for (cidr, ipv6, prefix_list) in live.into_keys().filter(|destination| !desired.contains_key(destination)) {
        let delete = ec2(aws).delete_route().route_table_id(table).set_destination_prefix_list_id(prefix_list);
        let delete = delete.set_destination_cidr_block(cidr.map(|cidr| cidr.0));
        delete.set_destination_ipv6_cidr_block(ipv6.map(|cidr| cidr.0)).send().await.or_absent()?;
    }
    Ok(())
}

type Destination = (Option<Cidr>, Option<Cidr>, Option<String>);

/// Indexes routes by destination. A table has one route for each destination.
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

/// Returns the route; `None` for a route that AWS manages itself.
pub(crate) fn from_response(route: &sdk::Route) -> Option<Route> {
    let (gateway, endpoint) = match route.gateway_id.clone() {
        // AWS returns a Gateway Load Balancer endpoint as a gateway.
        Some(id) if id.starts_with("vpce-") => (None, Some(id)),
        other => (other, None),
    };
    let is_gateway_endpoint = endpoint.is_some() && route.destination_prefix_list_id.is_some();
    let automatic = [RouteOrigin::Advertisement, RouteOrigin::CreateRouteTable, RouteOrigin::EnableVgwRoutePropagation];
    if gateway.as_deref() == Some("local")
        || is_gateway_endpoint
        || route.origin.as_ref().is_some_and(|o| automatic.contains(o))
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
        vpc_peering: route.vpc_peering_connection_id.clone().map(Ref::new),
        vpc_endpoint: endpoint.map(Ref::new),
        network_interface_id: route.network_interface_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(cidr: &str) -> sdk::builders::RouteBuilder {
        sdk::Route::builder().destination_cidr_block(cidr).origin(RouteOrigin::CreateRoute)
    }

    #[test]
    fn routes_that_aws_manages_are_left_out() {
        let service = sdk::Route::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1").build();
        assert_eq!(from_response(&service), None);
        assert_eq!(
            from_response(&to("10.0.0.0/16").gateway_id("local").origin(RouteOrigin::CreateRouteTable).build()),
            None
        );
        let propagated = to("10.9.0.0/16").gateway_id("vgw-1").origin(RouteOrigin::EnableVgwRoutePropagation).build();
        assert_eq!(from_response(&propagated), None);
        let endpoint = from_response(&to("10.8.0.0/16").gateway_id("vpce-2").build()).unwrap();
        assert_eq!((endpoint.gateway, endpoint.vpc_endpoint), (None, Some(Ref::new("vpce-2"))));
    }

    #[test]
    fn two_spellings_of_a_destination_are_one_destination() {
        let set = |cidr: &str| BTreeSet::from([from_response(&to(cidr).gateway_id("igw-1").build()).unwrap()]);
        assert_eq!(by_destination(Some(&set("10.1.2.3/16"))), by_destination(Some(&set("10.1.0.0/16"))));
    }
}
