//! Lists that several kinds read: the route tables and the NAT gateways of a scope, each described once in a refresh.

use std::sync::Arc;

use aws_sdk_ec2::types::{NatGateway, RouteTable};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::sdk::all;
use holdfast_engine::cloud::Scope;

use super::{describe_all, ec2, filter_sets};

/// Describes the route tables of a scope.
pub(super) async fn route_tables(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<RouteTable>>> {
    let describe = |filters| all(ec2(aws).describe_route_tables().set_filters(filters).into_paginator().items().send());
    let what = format!("ec2.route-tables.{:?}", filter_sets(scope, "route-table-id"));
    aws.once(scope, &what, || describe_all(scope, "route-table-id", describe)).await
}

/// Describes the NAT gateways of a scope.
pub(super) async fn nat_gateways(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<NatGateway>>> {
    let describe = |filters| all(ec2(aws).describe_nat_gateways().set_filter(filters).into_paginator().items().send());
    let what = format!("ec2.nat-gateways.{:?}", filter_sets(scope, "nat-gateway-id"));
    aws.once(scope, &what, || describe_all(scope, "nat-gateway-id", describe)).await
}
