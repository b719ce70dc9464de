//! ReplicationGroup: a Valkey or Redis OSS cache.

mod auth_token;
mod change;
mod live;
mod log_delivery;
mod spec;
mod version;
mod wire;

use aws_sdk_elasticache::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::field_tags::FieldTag;
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::try_join_all::try_join_all;
use holdfast_base::wanted::{Listed, Wants};
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::{Absent, Is, Stated},
    Demand::{AnyOf, AtMostOne, Form, OneOf, Range},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

use super::{ElastiCacheTags, elasticache, sdk_tags, tags_of};
use crate::consumed_secret::read;
use live::live;
pub(crate) use spec::{ReplicationGroup, ReplicationGroupStatus};

impl Kind for ReplicationGroup {
    type Status = ReplicationGroupStatus;
    type Owner = TagOnCreate<ElastiCacheTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[A-Za-z](-?[A-Za-z0-9])*", "begins with a letter, and has letters, digits and single hyphens"),
        ..NamingRules::limit(40)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
        demand(OneOf("automaticFailoverEnabled", &["true"])).when(&[Is("multiAzEnabled", &["true"])]),
        demand(OneOf("automaticFailoverEnabled", &["true"])).when(&[Is("clusterMode", &["enabled"])]),
        demand(Range("numCacheClusters", Some(2), None))
            .when(&[Is("automaticFailoverEnabled", &["true"]), Absent("numNodeGroups")]),
        demand(AtMostOne(&["numCacheClusters", "replicasPerNodeGroup"])),
        demand(AtMostOne(&["authToken", "userGroupIds"])),
        demand(OneOf("transitEncryptionEnabled", &["true"])).when(&[Stated("userGroupIds")]),
        demand(OneOf("atRestEncryptionEnabled", &["true"])).when(&[Stated("kmsKey")]),
        demand(Form("cacheNodeType", r"cache\.r6gd\..+", "a node type of the family `cache.r6gd`"))
            .when(&[Is("dataTieringEnabled", &["true"])]),
        demand(AnyOf(&["logGroup", "deliveryStream"])).at("logDeliveryConfigurations.*"),
        demand(AtMostOne(&["logGroup", "deliveryStream"])).at("logDeliveryConfigurations.*"),
    ];
    const STATEFUL: bool = true;
    /// ElastiCache refuses an engine version whose parameter group is of another family
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagement.HowTo.html>).
    const FITS: &'static [(&'static str, &'static str)] =
        &[(Self::ENGINE_VERSION.name(), Self::CACHE_PARAMETER_GROUP.name())];
    const FIELD_TAGS: &'static [FieldTag] =
        &[FieldTag::new(Self::AUTH_TOKEN_UPDATE_STRATEGY).sent(), FieldTag::new(Self::FINAL_SNAPSHOT_IDENTIFIER)];

    /// A group with one shard has at most 6 nodes
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html>).
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        let [nodes, shards] = [Self::NUM_CACHE_CLUSTERS, Self::NUM_NODE_GROUPS].map(|field| spec.get(field.name()));
        match (nodes, shards) {
            (Some(Value::Integer(nodes @ 7..)), None | Some(Value::Integer(1))) => {
                let message = format!("must be at most 6 for a group with one shard, but this is `{nodes}`");
                vec![(Self::NUM_CACHE_CLUSTERS.name(), message)]
            }
            _ => vec![],
        }
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = elasticache(aws).describe_replication_groups().into_paginator().items().send();
        let mut groups = all(groups).await?;
        groups.retain(|group| scope.wants(&listed(group)).any());
        if groups.is_empty() {
            return Ok(vec![]);
        }
        // The nodes return fields that their group does not: one call returns the nodes of all groups.
        let nodes = all(elasticache(aws).describe_cache_clusters().into_paginator().items().send());
        let tags = groups.iter().map(|group| tags_of(aws, scope, group.arn().unwrap_or_default()));
        let (nodes, tags) = futures::try_join!(nodes, try_join_all(tags))?;
        let found = groups.into_iter().zip(tags).filter_map(|(group, tags)| {
            let tags = tags.filter(|tags| scope.wants(&listed(&group).tags(tags)).any())?;
            let node = nodes.iter().find(|node| node.replication_group_id == group.replication_group_id);
            Some(live(&group, node, tags).map(|live| live.keep(group)))
        });
        found.collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let spec = &desired.spec;
        let mut tags = desired.tags.clone();
        tags.extend(auth_token::record(spec));
        let mut create = wire::create(aws, &desired.name, spec).set_tags(Some(sdk_tags(&tags)?));
        if let Some(secret) = &spec.auth_token {
            create = create.auth_token(read(aws, secret, spec.auth_token_key.as_deref()).await?.expose());
        }
        let output = create.send().await?;
        // The group is being created, and AWS does not return its nodes yet.
        let created = output.replication_group.and_then(|group| Some(live(&group, None, tags).ok()?.keep(group)));
        let created = created.filter(|live| live.phase == Phase::Pending);
        Ok(created.map_or_else(|| Created::unobserved(&desired.name), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        change::change(aws, live, desired).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let delete = elasticache(aws).delete_replication_group().replication_group_id(&live.id);
        let snapshot = live.spec.final_snapshot_identifier.clone();
        delete.retain_primary_cluster(false).set_final_snapshot_identifier(snapshot).send().await?;
        Ok(())
    }
}

fn listed(group: &sdk::ReplicationGroup) -> Listed<'_> {
    Listed::name(group.replication_group_id().unwrap_or_default()).or_id(group.arn().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_with_one_shard_has_at_most_six_nodes() {
        let faults = |spec: serde_json::Value| ReplicationGroup::check("", &spec.into()).len();
        assert_eq!(faults(json!({ "numCacheClusters": 6 })), 0);
        assert_eq!(faults(json!({ "numCacheClusters": 9, "numNodeGroups": 1 })), 1);
        assert_eq!(faults(json!({ "numCacheClusters": 9 })), 1);
        assert_eq!(faults(json!({ "numCacheClusters": 9, "numNodeGroups": 3 })), 0);
    }
}
