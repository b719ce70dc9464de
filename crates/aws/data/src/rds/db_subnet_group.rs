//! DbSubnetGroup: the subnets in which databases are placed.

use std::collections::BTreeSet;

use aws_sdk_rds::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::Subnet;
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::{all, texts};
use holdfast_base::tagging;
use holdfast_base::wanted::each;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{RdsTags, instances, rds, sdk_tags, wanted};

/// A DB subnet group: the subnets in which RDS places databases. The name has at most 255 letters, digits, hyphens,
/// underscores, periods and spaces, and is stored in lower case. It must not be `default`
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbSubnetGroup {
    /// The description. AWS requires a text; Holdfast's default is `Managed by Holdfast`.
    db_subnet_group_description: Option<ServerDefault<String>>,
    /// The subnets: of one VPC, in at least two Availability Zones. A subnet in which a database has an address cannot
    /// be removed.
    #[spec(items = 2..)]
    subnets: BTreeSet<Ref<Subnet>>,
}

/// The read-only attributes of a DbSubnetGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbSubnetGroupStatus {
    /// The ARN.
    arn: String,
    /// The id of the VPC of the subnets.
    vpc_id: Option<String>,
}

impl Kind for DbSubnetGroup {
    type Status = DbSubnetGroupStatus;
    type Owner = TagOnCreate<RdsTags, ByArn>;
    const TIER: Tier = Tier::Data;
    /// The create call creates the complete group.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[A-Za-z0-9 ._-]+", "has letters, digits, spaces and the characters `._-`"),
        ..NamingRules::limit(255)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        if let Some(found) = of_instances(aws, scope).await? {
            return Ok(found);
        }
        let groups = rds(aws).describe_db_subnet_groups().into_paginator().items().send();
        each(all(groups).await?, |group| async move {
            let arn = group.db_subnet_group_arn.clone();
            let live = live(&group, arn.ok_or_else(|| missing("dbSubnetGroupArn"))?)?;
            Ok(wanted(aws, scope, live).await?.map(|(live, _)| live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let DbSubnetGroup { db_subnet_group_description, subnets } = &desired.spec;
        let output = rds(aws)
            .create_db_subnet_group()
            .db_subnet_group_name(&desired.name)
            .db_subnet_group_description(description(db_subnet_group_description))
            .set_subnet_ids(Some(texts(subnets)))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let created = output.db_subnet_group.and_then(|group| live(&group, group.db_subnet_group_arn.clone()?).ok());
        Ok(desired.confirmed(&desired.name, created))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let DbSubnetGroup { db_subnet_group_description, subnets } = &desired.spec;
        rds(aws)
            .modify_db_subnet_group()
            .db_subnet_group_name(&live.id)
            .db_subnet_group_description(description(db_subnet_group_description))
            .set_subnet_ids(Some(texts(subnets)))
            .send()
            .await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        rds(aws).delete_db_subnet_group().db_subnet_group_name(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the stated description, or a default: AWS refuses an empty one.
fn description(stated: &Option<ServerDefault<String>>) -> String {
    stated.as_deref().map_or_else(|| "Managed by Holdfast".into(), String::clone)
}

/// Observes the owned groups through the list of databases; none when a list of groups is necessary.
///
/// The list of databases is read anyway and contains the whole group of each database. It is enough when the scope
/// requests only owned groups, databases use all owned groups of the tag index, and the groups that the document names
/// are among them.
async fn of_instances(aws: &Aws, scope: &Scope) -> Result<Option<Vec<Live<DbSubnetGroup>>>> {
    let of = |kind: &'static str| {
        tagging::owned(aws, scope, move |service, resource| service == "rds" && resource.starts_with(kind))
    };
    let (Some(owned), Some(databases)) = futures::try_join!(of("subgrp:"), of("db:"))? else { return Ok(None) };
    if scope.names.is_empty() || databases.is_empty() {
        return Ok(None);
    }
    let instances = instances(aws, scope).await?;
    let groups: Vec<_> = instances.iter().filter_map(|instance| instance.db_subnet_group()).collect();
    let mut found = vec![];
    for (arn, tags) in owned {
        let name = arn.rsplit(':').next();
        let Some(group) = groups.iter().find(|group| group.db_subnet_group_name() == name) else { return Ok(None) };
        found.push(live(group, arn.clone())?.tags(tags));
    }
    let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
    Ok((!tagging::lacks(scope, &names)).then_some(found))
}

fn missing(what: &str) -> Error {
    Error::incomplete("rds.DescribeDBSubnetGroups", what)
}

fn live(group: &sdk::DbSubnetGroup, arn: String) -> Result<Live<DbSubnetGroup>> {
    let name = group.db_subnet_group_name.clone().ok_or_else(|| missing("dbSubnetGroupName"))?;
    let spec = DbSubnetGroup {
        db_subnet_group_description: group.db_subnet_group_description.clone().map(ServerDefault),
        subnets: group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier.clone()).map(Ref::new).collect(),
    };
    Ok(Live::new(name.clone(), name, spec, DbSubnetGroupStatus { arn, vpc_id: group.vpc_id.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_subnets_does_not_matter() {
        let subnet = |id: &str| sdk::Subnet::builder().subnet_identifier(id).build();
        let group = sdk::DbSubnetGroup::builder()
            .db_subnet_group_name("shop-dev-main")
            .subnets(subnet("subnet-b"))
            .subnets(subnet("subnet-a"))
            .build();
        let live = live(&group, "arn:aws:rds:eu-west-1:1:subgrp:shop-dev-main".into()).unwrap();
        assert_eq!(live.spec.subnets, BTreeSet::from(["subnet-a".into(), "subnet-b".into()]));
        assert_eq!(description(&None), "Managed by Holdfast");
    }
}
