//! CacheSubnetGroup: the subnets in which the nodes of caches are placed.

use std::collections::BTreeSet;

use aws_sdk_elasticache::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::Subnet;
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::{all, texts};
use holdfast_base::wanted::{each, observe_listed};
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{ElastiCacheTags, elasticache, sdk_tags, tags_of};

/// A cache subnet group: the subnets in which ElastiCache places the nodes of replication groups. The name has at most
/// 255 letters, digits and hyphens, and is stored in lower case
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheSubnetGroup.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheSubnetGroup {
    /// The description.
    description: String,
    /// The subnets, all in one VPC. AWS refuses to remove a subnet with a node (`SubnetInUse`).
    subnets: BTreeSet<Ref<Subnet>>,
}

/// The read-only attributes of a CacheSubnetGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheSubnetGroupStatus {
    /// The ARN.
    arn: String,
    /// The id of the VPC of the subnets.
    vpc_id: Option<String>,
}

impl Kind for CacheSubnetGroup {
    type Status = CacheSubnetGroupStatus;
    type Owner = TagOnCreate<ElastiCacheTags, ByArn>;
    const TIER: Tier = Tier::Data;
    /// The create call creates the complete group.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[A-Za-z0-9-]+", "has letters, digits and hyphens"),
        ..NamingRules::limit(255)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = elasticache(aws).describe_cache_subnet_groups().into_paginator().items().send();
        each(all(groups).await?, |group| async move {
            let listed = live(&group)?;
            let arn = listed.status.arn.clone();
            observe_listed(scope, listed, tags_of(aws, scope, &arn), async |live| Ok(Some(live))).await
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let CacheSubnetGroup { description, subnets } = &desired.spec;
        let output = elasticache(aws)
            .create_cache_subnet_group()
            .cache_subnet_group_name(&desired.name)
            .cache_subnet_group_description(description)
            .set_subnet_ids(Some(texts(subnets)))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let created = output.cache_subnet_group.and_then(|group| live(&group).ok());
        Ok(desired.confirmed(&desired.name, created))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let CacheSubnetGroup { description, subnets } = &desired.spec;
        let modify = elasticache(aws).modify_cache_subnet_group().cache_subnet_group_name(&live.id);
        modify.cache_subnet_group_description(description).set_subnet_ids(Some(texts(subnets))).send().await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elasticache(aws).delete_cache_subnet_group().cache_subnet_group_name(&live.id).send().await?;
        Ok(())
    }
}

fn live(group: &sdk::CacheSubnetGroup) -> Result<Live<CacheSubnetGroup>> {
    let missing = |what| Error::incomplete("elasticache.DescribeCacheSubnetGroups", what);
    let name = group.cache_subnet_group_name().ok_or_else(|| missing("cacheSubnetGroupName"))?;
    let spec = CacheSubnetGroup {
        description: group.cache_subnet_group_description.clone().unwrap_or_default(),
        subnets: group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier.clone()).map(Ref::new).collect(),
    };
    let arn = group.arn.clone().ok_or_else(|| missing("arn"))?;
    Ok(Live::new(name, name, spec, CacheSubnetGroupStatus { arn, vpc_id: group.vpc_id.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_subnets_does_not_matter() -> Result<()> {
        let subnet = |id: &str| sdk::Subnet::builder().subnet_identifier(id).build();
        let group = sdk::CacheSubnetGroup::builder().cache_subnet_group_name("main").arn("arn:main");
        let live = live(&group.subnets(subnet("subnet-2")).subnets(subnet("subnet-1")).build())?;
        assert_eq!(live.spec.subnets, BTreeSet::from(["subnet-1".into(), "subnet-2".into()]));
        Ok(())
    }
}
