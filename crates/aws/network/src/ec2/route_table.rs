//! RouteTable: where the traffic of subnets goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::types::{self as sdk, ResourceType, RouteState, RouteTableAssociationStateCode};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::route::{Route, reroute, written};
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{all, asks, ec2, filter, name_of, tag, tag_specification, tags_of, told};

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
        tables(aws, scope).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let made = ec2(aws)
            .create_route_table()
            .client_token(&desired.token)
            .vpc_id(desired.spec.vpc.as_str())
            .tag_specifications(tag_specification(ResourceType::RouteTable, &desired.name, &desired.tags))
            .send()
            .await?;
        let table = made.route_table.ok_or_else(|| Error::incomplete("ec2.CreateRouteTable", "routeTable"))?;
        Ok(told(live(&table)?, desired))
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
            ec2(aws).disassociate_route_table().association_id(association).send().await.or_absent()?;
        }
        ec2(aws).delete_route_table().route_table_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

async fn associate(aws: &Aws, live: &Live<RouteTable>, wanted: Option<&BTreeSet<Ref<Subnet>>>) -> Result<()> {
    let wanted: BTreeSet<&str> = wanted.into_iter().flatten().map(Ref::as_str).collect();
    let there = &live.status.associations;
    let new: Vec<&str> = wanted.iter().copied().filter(|subnet| !there.contains_key(*subnet)).collect();
    let mut elsewhere = BTreeSet::new();
    for subnet in new {
        let associate = ec2(aws).associate_route_table().route_table_id(&live.id).subnet_id(subnet);
        match associate.send().await.map_err(Error::from) {
            Err(error) if error.0.code.as_deref() == Some("Resource.AlreadyAssociated") => {
                elsewhere.insert(subnet.to_owned());
            }
            answer => drop(answer?),
        }
    }
    if !elsewhere.is_empty() {
        // A subnet has one association; replacing that moves the subnet.
        let followers = filter("association.subnet-id", elsewhere.iter().cloned());
        let pages = ec2(aws).describe_route_tables().filters(followers).into_paginator().items().send();
        let tables = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        for (_, association) in tables.iter().flat_map(associations).filter(|(subnet, _)| elsewhere.contains(subnet)) {
            let replace = ec2(aws).replace_route_table_association().association_id(association);
            replace.route_table_id(&live.id).send().await?;
        }
    }
    for (_, association) in there.iter().filter(|(subnet, _)| !wanted.contains(subnet.as_str())) {
        // Absent when another table of the document has taken the subnet over: it is another association now.
        ec2(aws).disassociate_route_table().association_id(association).send().await.or_absent()?;
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

/// Those that a scope wants, asked for once in a sweep.
pub(super) async fn tables(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<sdk::RouteTable>>> {
    let ask = |filters| ec2(aws).describe_route_tables().set_filters(filters).into_paginator().items().send().collect();
    let what = format!("ec2.route-tables.{:?}", asks(scope, "route-table-id"));
    aws.once(scope, &what, || all(scope, "route-table-id", ask)).await
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

    #[test]
    fn subnets_count_and_the_main_association_does_not() {
        let association = sdk::RouteTableAssociation::builder().route_table_association_id("rtbassoc-1");
        let lost = sdk::Route::builder().destination_cidr_block("0.0.0.0/0").state(RouteState::Blackhole).build();
        let table = sdk::RouteTable::builder()
            .route_table_id("rtb-1")
            .routes(lost)
            .associations(association.clone().main(true).build())
            .associations(association.subnet_id("subnet-1").build())
            .build();
        let live = live(&table).unwrap();
        assert_eq!(live.spec.subnets, Some(BTreeSet::from([Ref::new("subnet-1")])));
        assert_eq!(live.status.associations.get("subnet-1").map(String::as_str), Some("rtbassoc-1"));
        assert_eq!(live.remarks[0].message, "traffic to 0.0.0.0/0 is dropped: the target of its route is gone");
    }
}
