//! CacheParameterGroup: settings of a cache engine.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticache::types::{self as sdk, ParameterNameValue};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::wanted::{each, observe_listed};
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{ElastiCacheTags, elasticache, sdk_tags, tags_of};

/// A cache parameter group: settings of a cache engine. The name has at most 255 letters, digits and hyphens, and is
/// stored in lower case
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheParameterGroup.html>). The
/// default groups of AWS, `default.<family>`, need no resource: refer to one as `{ id: default.valkey8 }`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheParameterGroup {
    /// The parameter group family, which is an engine with its version: `redis7`, `valkey7`, `valkey8`, …
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheParameterGroup.html>).
    #[spec(immutable, pattern = "(valkey|redis|memcached)[0-9]+([.][0-9x]+)?")]
    cache_parameter_group_family: String,
    /// The description. AWS has no call that changes it.
    #[spec(immutable)]
    description: String,
    /// The parameters that differ from the family's defaults. Each value is a text (`"yes"`, `"300"`). A parameter that
    /// is not stated is reset to its default. Some parameters take effect only when nodes are rebooted
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html>).
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// The read-only attributes of a CacheParameterGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheParameterGroupStatus {
    /// The ARN.
    arn: String,
}

/// The greatest number of parameters in one call: ModifyCacheParameterGroup accepts "a maximum of 20 parameters"
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheParameterGroup.html>).
const MAX_PARAMETERS: usize = 20;

impl Kind for CacheParameterGroup {
    type Status = CacheParameterGroupStatus;
    type Owner = TagOnCreate<ElastiCacheTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[A-Za-z](-?[A-Za-z0-9])*", "begins with a letter, and has letters, digits and single hyphens"),
        ..NamingRules::limit(255)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = elasticache(aws).describe_cache_parameter_groups().into_paginator().items().send();
        each(all(groups).await?, |group| async move {
            let listed = live(&group)?;
            let arn = listed.status.arn.clone();
            observe_listed(scope, listed, tags_of(aws, scope, &arn), |mut live| async move {
                let Some(mut found) = parameters(aws, &live.id, Some("user")).await? else { return Ok(None) };
                let stated = scope.requested_keys(&live.tags, CacheParameterGroup::PARAMETERS.name());
                let missing: BTreeSet<&str> = stated.filter(|name| !found.contains_key(*name)).collect();
                if !missing.is_empty() {
                    // AWS does not call a parameter the user's whose value is the default of the family.
                    let mut all = parameters(aws, &live.id, None).await?.unwrap_or_default();
                    all.retain(|name, _| missing.contains(name.as_str()));
                    found.extend(all);
                }
                live.spec.parameters = found;
                Ok(Some(live))
            })
            .await
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let CacheParameterGroup { cache_parameter_group_family, description, parameters: _ } = &desired.spec;
        let output = elasticache(aws)
            .create_cache_parameter_group()
            .cache_parameter_group_name(&desired.name)
            .cache_parameter_group_family(cache_parameter_group_family)
            .description(description)
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let created = output.cache_parameter_group.and_then(|group| live(&group).ok());
        Ok(desired.confirmed(&desired.name, created))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let CacheParameterGroup { cache_parameter_group_family: _, description: _, parameters } = &desired.spec;
        let current = &live.spec.parameters;
        let removed: Vec<_> =
            current.keys().filter(|key| !parameters.contains_key(*key)).map(|key| pair(key, None)).collect();
        for some in removed.chunks(MAX_PARAMETERS) {
            let reset = elasticache(aws).reset_cache_parameter_group().cache_parameter_group_name(&live.id);
            reset.set_parameter_name_values(Some(some.to_vec())).send().await?;
        }
        let changed = parameters.iter().filter(|(key, value)| current.get(*key) != Some(*value));
        let changed: Vec<_> = changed.map(|(key, value)| pair(key, Some(value))).collect();
        for some in changed.chunks(MAX_PARAMETERS) {
            let modify = elasticache(aws).modify_cache_parameter_group().cache_parameter_group_name(&live.id);
            modify.set_parameter_name_values(Some(some.to_vec())).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elasticache(aws).delete_cache_parameter_group().cache_parameter_group_name(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the parameters with a value, by name: all, or those that a user has set, as AWS records it; none when the
/// group does not exist.
async fn parameters(aws: &Aws, name: &str, source: Option<&str>) -> Result<Option<BTreeMap<String, String>>> {
    let describe = elasticache(aws).describe_cache_parameters().cache_parameter_group_name(name);
    let describe = describe.set_source(source.map(str::to_owned));
    let all = all(describe.into_paginator().items().send()).await.or_absent()?;
    let name_and_value = |p: sdk::Parameter| Some((p.parameter_name?, p.parameter_value?));
    Ok(all.map(|parameters| parameters.into_iter().filter_map(name_and_value).collect()))
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
    fn a_response_without_an_arn_is_incomplete() {
        let group = sdk::CacheParameterGroup::builder().cache_parameter_group_name("main");
        assert!(live(&group.clone().build()).is_err());
        assert!(live(&group.arn("arn:main").build()).is_ok_and(|live| live.id == "main"));
    }
}
