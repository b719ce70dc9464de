//! CacheParameterGroup: settings of a cache engine.

use std::collections::BTreeMap;

use aws_sdk_elasticache::types::{self as sdk, ParameterNameValue};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{elasticache, is_wanted, sdk_tags, tag, tags_of};

/// Settings of an engine. AWS keeps its name in lower case: at most 255 letters, digits and hyphens
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheParameterGroup.html>).
/// AWS's own groups, `default.<family>`, need no resource: refer to one as `{ id: default.valkey8 }`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheParameterGroup {
    /// The engine and version it is for: `redis7`, `valkey7`, `valkey8`, …
    #[spec(immutable)]
    cache_parameter_group_family: String,
    /// What it is for. No call changes it.
    #[spec(immutable)]
    description: String,
    /// The parameters that differ from the family's defaults, each a text (`"yes"`, `"300"`). What is not named here
    /// is set back to its default. Some take effect only when nodes are rebooted
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html>).
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// What only AWS knows of a CacheParameterGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheParameterGroupStatus {
    /// Its ARN.
    arn: String,
}

/// ModifyCacheParameterGroup takes "a maximum of 20 parameters"
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheParameterGroup.html>).
const AT_ONCE: usize = 20;

impl Kind for CacheParameterGroup {
    type Status = CacheParameterGroupStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(255) };
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = elasticache(aws).describe_cache_parameter_groups().into_paginator().items().send();
        each(groups.collect::<std::result::Result<Vec<_>, _>>().await?, |group| async move {
            let name = group.cache_parameter_group_name().unwrap_or_default();
            let asked_for = scope.ids.contains(name) || !scope.lookups.is_empty();
            if !is_wanted(scope, name) {
                return Ok(None);
            }
            let mut live = live(&group)?;
            let Some(tags) = tags_of(aws, scope, &live.status.arn).await? else { return Ok(None) };
            if asked_for || scope.is_owned(&tags) {
                let Some(parameters) = parameters(aws, name).await? else { return Ok(None) };
                live.spec.parameters = parameters;
            }
            Ok(Some(live.tags(tags)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let CacheParameterGroup { cache_parameter_group_family, description, parameters: _ } = &desired.spec;
        let made = elasticache(aws)
            .create_cache_parameter_group()
            .cache_parameter_group_name(&desired.name)
            .cache_parameter_group_family(cache_parameter_group_family)
            .description(description)
            .set_tags(sdk_tags(&desired.tags))
            .send()
            .await?;
        let told = made.cache_parameter_group.and_then(|group| live(&group).ok());
        Ok(desired.told(&desired.name, told))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let CacheParameterGroup { cache_parameter_group_family: _, description: _, parameters } = &desired.spec;
        let there = &live.spec.parameters;
        let gone: Vec<_> =
            there.keys().filter(|key| !parameters.contains_key(*key)).map(|key| pair(key, None)).collect();
        for some in gone.chunks(AT_ONCE) {
            let reset = elasticache(aws).reset_cache_parameter_group().cache_parameter_group_name(&live.id);
            reset.set_parameter_name_values(Some(some.to_vec())).send().await?;
        }
        let new = parameters.iter().filter(|(key, value)| there.get(*key) != Some(*value));
        let new: Vec<_> = new.map(|(key, value)| pair(key, Some(value))).collect();
        for some in new.chunks(AT_ONCE) {
            let modify = elasticache(aws).modify_cache_parameter_group().cache_parameter_group_name(&live.id);
            modify.set_parameter_name_values(Some(some.to_vec())).send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elasticache(aws).delete_cache_parameter_group().cache_parameter_group_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

/// The parameters that somebody set; AWS knows which those are.
async fn parameters(aws: &Aws, name: &str) -> Result<Option<BTreeMap<String, String>>> {
    let ask = elasticache(aws).describe_cache_parameters().cache_parameter_group_name(name).source("user");
    let pages = ask.into_paginator().items().send().collect::<std::result::Result<Vec<_>, _>>().await;
    let told = |p: sdk::Parameter| Some((p.parameter_name?, p.parameter_value?));
    Ok(pages.or_absent()?.map(|parameters| parameters.into_iter().filter_map(told).collect()))
}

fn pair(key: &str, value: Option<&String>) -> ParameterNameValue {
    ParameterNameValue::builder().parameter_name(key).set_parameter_value(value.cloned()).build()
}

fn live(group: &sdk::CacheParameterGroup) -> Result<Live<CacheParameterGroup>> {
    let missing = |what| Error::incomplete("elasticache.DescribeCacheParameterGroups", what);
    let name = group.cache_parameter_group_name().ok_or_else(|| missing("cacheParameterGroupName"))?;
    let spec = CacheParameterGroup {
        cache_parameter_group_family: group.cache_parameter_group_family.clone().unwrap_or_default(),
        description: group.description.clone().unwrap_or_default(),
        parameters: BTreeMap::new(),
    };
    Ok(Live::new(name, name, spec, CacheParameterGroupStatus { arn: group.arn.clone().ok_or_else(|| missing("arn"))? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_its_arn_an_answer_is_incomplete() {
        let group = sdk::CacheParameterGroup::builder().cache_parameter_group_name("main");
        assert!(live(&group.clone().build()).is_err());
        assert!(live(&group.arn("arn:main").build()).is_ok_and(|live| live.id == "main"));
    }
}
