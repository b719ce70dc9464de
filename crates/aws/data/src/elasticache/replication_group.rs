//! ReplicationGroup: a cache of Valkey or Redis OSS.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticache::types::{self as sdk, AutomaticFailoverStatus, DataTieringStatus, MultiAzStatus};
use futures::TryFutureExt;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Topic;
use holdfast_base::remembered;
use holdfast_base::tagging::Tags;
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::cache_parameter_group::CacheParameterGroup;
use super::cache_subnet_group::CacheSubnetGroup;
use super::log_delivery::{LogDelivery, log, requests};
use super::replication_change::change;
use super::version::EngineVersion;
use super::{auth_token, elasticache, is_wanted, sdk_tags, tag, tags_of};
use crate::kms::key::Key;
use crate::secretsmanager::secret::Secret;
use crate::secretsmanager::{CurrentVersion, consumed_tag, read};

/// A Valkey or Redis OSS cache: one primary node with replicas, or several such shards. Its name begins with a letter
/// and has at most 40 lower case letters, digits and single hyphens. Making one takes 5 to 15 minutes, and so does
/// nearly every change; changes are made at once, not in the maintenance window. Data is kept when it leaves the
/// document, unless the document says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationGroup {
    /// What it is for.
    pub(super) description: String,
    /// `redis` or `valkey`. A `redis` one can become a `valkey` one, with its `engineVersion`; not the other way
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagement.HowTo.html>).
    pub(super) engine: Option<Always<String>>,
    /// Since version 6 the major and minor version, `7.1`, `8.0`: AWS picks the patch, and its upgrades of that are no
    /// drift. Before that all three numbers, `5.0.6`. AWS never goes back to an older version
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html>).
    pub(super) engine_version: Option<Always<EngineVersion>>,
    /// The size of every node: `cache.t4g.micro`, `cache.r7g.large`, …
    pub(super) cache_node_type: String,
    /// How many nodes there are, the primary included: 1 to 6. For one shard; with several `replicasPerNodeGroup`
    /// counts. AWS's default is 1. AWS chooses which replica goes.
    pub(super) num_cache_clusters: Option<Always<i32>>,
    /// How many shards there are. More than one needs a parameter group with `cluster-enabled`. Data moves between
    /// shards while the cache runs; those with the highest numbers go first.
    pub(super) num_node_groups: Option<Always<i32>>,
    /// How many replicas each shard has: 0 to 5.
    pub(super) replicas_per_node_group: Option<Always<i32>>,
    /// `enabled`, `disabled` (AWS's default) or `compatible`, which is the way from `disabled` to `enabled`
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/modify-cluster-mode.html>).
    pub(super) cluster_mode: Option<Always<String>>,
    /// Whether a replica takes over when the primary fails; needs a replica. AWS's default is false.
    pub(super) automatic_failover_enabled: Option<Always<bool>>,
    /// Whether replicas are in other zones than their primary; needs `automaticFailoverEnabled`. AWS's default is false.
    pub(super) multi_az_enabled: Option<Always<bool>>,
    /// Where its nodes are placed. Without one AWS uses the group `default`, of the default VPC.
    #[spec(immutable)]
    pub(super) cache_subnet_group: Option<Always<Ref<CacheSubnetGroup>>>,
    /// The settings of the engine; `{ id: default.valkey8 }` for AWS's own.
    pub(super) cache_parameter_group: Option<Always<Ref<CacheParameterGroup>>>,
    /// Who can reach it. Without any AWS uses the default group of the VPC.
    pub(super) security_groups: Option<Always<BTreeSet<Ref<SecurityGroup>>>>,
    /// Whether what is on disk is encrypted. AWS's default is true for Valkey and false for Redis OSS.
    #[spec(immutable)]
    pub(super) at_rest_encryption_enabled: Option<Always<bool>>,
    /// The key that encrypts what is on disk; without one the service's own.
    #[spec(immutable)]
    pub(super) kms_key: Option<Ref<Key, Arn>>,
    /// Whether connections are encrypted. AWS's default is false. It can be switched on later by way of
    /// `transitEncryptionMode: preferred`, which Holdfast takes
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-enable.html>).
    pub(super) transit_encryption_enabled: Option<Always<bool>>,
    /// `required`, or `preferred`: plain connections work too.
    pub(super) transit_encryption_mode: Option<String>,
    /// The secret with the password that clients send, 16 to 128 characters; needs `transitEncryptionEnabled`. A new
    /// version of the secret is given to the group.
    pub(super) auth_token: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret, where its value is JSON.
    pub(super) auth_token_key: Option<String>,
    /// `ROTATE` (the default): the password before works too, until the next one. `SET`: only the new one works. When
    /// a group gets its first password later, clients without one are let in until a `SET`
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>).
    pub(super) auth_token_update_strategy: Option<String>,
    /// The group of users who may connect, by its id, in place of `authToken`: at most one.
    pub(super) user_group_ids: Option<BTreeSet<String>>,
    /// Where logs go, by their type: `slow-log` or `engine-log`.
    pub(super) log_delivery_configurations: Option<BTreeMap<String, LogDelivery>>,
    /// Days that automatic snapshots are kept: 0 (AWS's default, none are made) to 35.
    pub(super) snapshot_retention_limit: Option<Always<i32>>,
    /// When they are made, in UTC: `05:00-09:00`. AWS chooses one.
    pub(super) snapshot_window: Option<Always<String>>,
    /// When AWS may do maintenance, in UTC: `sun:23:00-mon:01:30`. AWS chooses one.
    pub(super) preferred_maintenance_window: Option<Always<String>>,
    /// Whether AWS upgrades the minor version. AWS's default is true. State no `engineVersion` then, or follow it.
    pub(super) auto_minor_version_upgrade: Option<Always<bool>>,
    /// Where it listens. AWS's default is 6379.
    #[spec(immutable)]
    pub(super) port: Option<Always<i32>>,
    /// Where AWS tells of failovers and the like.
    pub(super) notification_topic: Option<Ref<Topic, Arn>>,
    /// `ipv4` (AWS's default), `ipv6` or `dual_stack`.
    #[spec(immutable)]
    pub(super) network_type: Option<Always<String>>,
    /// `ipv4` or `ipv6`: which addresses clients are told.
    pub(super) ip_discovery: Option<Always<String>>,
    /// Whether data moves to disk as well; needs `r6gd` nodes, and they need it.
    #[spec(immutable)]
    pub(super) data_tiering_enabled: Option<Always<bool>>,
    /// The name of the snapshot that is made when it is deleted; `null` for none. A tag
    /// of the group remembers it, since a deletion knows no document.
    pub(super) final_snapshot_identifier: Option<String>,
}

/// What only AWS knows of a ReplicationGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationGroupStatus {
    /// Its ARN.
    pub(super) arn: String,
    /// The name by which clients reach the primary; none with several shards.
    pub(super) primary_endpoint: Option<String>,
    /// The name by which clients reach the replicas; none with several shards.
    pub(super) reader_endpoint: Option<String>,
    /// The name by which clients reach all shards; none without cluster mode.
    pub(super) configuration_endpoint: Option<String>,
    /// The port of the endpoints.
    pub(super) port: Option<i32>,
    /// The ids of its nodes: the `CacheClusterId` dimension of their metrics.
    pub(super) member_clusters: Vec<String>,
}

impl ReplicationGroup {
    /// The fields that only tags remember.
    fn remembered(&self) -> [(&'static str, Option<String>); 2] {
        [
            ("authTokenUpdateStrategy", self.auth_token_update_strategy.clone()),
            ("finalSnapshotIdentifier", self.final_snapshot_identifier.clone()),
        ]
    }
}

impl Kind for ReplicationGroup {
    type Status = ReplicationGroupStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(40) };
    const CLASS: CreateClass = CreateClass::Name;
    const DATA: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = elasticache(aws).describe_replication_groups().into_paginator().items().send();
        let mut groups: Vec<_> = groups.collect::<std::result::Result<_, _>>().await?;
        groups.retain(|group| is_wanted(scope, group.replication_group_id().unwrap_or_default()));
        if groups.is_empty() {
            return Ok(vec![]);
        }
        // What a group does not tell of itself its nodes do: one call for the nodes of all groups.
        let nodes = elasticache(aws).describe_cache_clusters().into_paginator().items().send();
        let nodes = nodes.collect::<std::result::Result<Vec<_>, _>>().map_err(Error::from);
        let tags = groups.iter().map(|group| tags_of(aws, scope, group.arn().unwrap_or_default()));
        let (nodes, tags) = futures::try_join!(nodes, try_join_all(tags))?;
        let mut found = vec![];
        for (group, tags) in groups.into_iter().zip(tags) {
            let of = |node: &&sdk::CacheCluster| node.replication_group_id == group.replication_group_id;
            if let Some(tags) = tags {
                found.push(live(&group, nodes.iter().find(of), tags)?.keep(group));
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let ReplicationGroup {
            description,
            engine,
            engine_version,
            cache_node_type,
            num_cache_clusters,
            num_node_groups,
            replicas_per_node_group,
            cluster_mode,
            automatic_failover_enabled,
            multi_az_enabled,
            cache_subnet_group,
            cache_parameter_group,
            security_groups,
            at_rest_encryption_enabled,
            kms_key,
            transit_encryption_enabled,
            transit_encryption_mode,
            auth_token,
            auth_token_key,
            auth_token_update_strategy: _,
            user_group_ids,
            log_delivery_configurations,
            snapshot_retention_limit,
            snapshot_window,
            preferred_maintenance_window,
            auto_minor_version_upgrade,
            port,
            notification_topic,
            network_type,
            ip_discovery,
            data_tiering_enabled,
            final_snapshot_identifier: _,
        } = &desired.spec;
        let mut tags = remembered::with(&desired.tags, desired.spec.remembered());
        tags = remembered::with(&tags, [("authTokenKey", auth_token_key.clone())]);
        let mut token = None;
        if let Some(of) = auth_token {
            token = Some(read(aws, of, auth_token_key.as_deref()).await?);
            tags.extend([consumed_tag(auth_token::FIELD, of)]);
        }
        // `required` is what AWS makes of no mode, and what it takes at once only so.
        let mode = transit_encryption_mode.as_deref().filter(|mode| *mode != "required");
        let logs = log_delivery_configurations.as_ref();
        let made = elasticache(aws)
            .create_replication_group()
            .replication_group_id(&desired.name)
            .replication_group_description(description)
            .set_at_rest_encryption_enabled(at_rest_encryption_enabled.as_deref().copied())
            .set_kms_key_id(kms_key.clone().map(String::from))
            .set_transit_encryption_enabled(transit_encryption_enabled.as_deref().copied())
            .set_transit_encryption_mode(mode.map(Into::into))
            .set_auth_token(token.map(|token| token.expose().to_owned()))
            .set_user_group_ids(user_group_ids.clone().map(|ids| ids.into_iter().collect()))
            .set_security_group_ids(security_groups.as_deref().map(texts))
            .set_cache_subnet_group_name(cache_subnet_group.as_deref().cloned().map(String::from))
            .set_cache_parameter_group_name(cache_parameter_group.as_deref().cloned().map(String::from))
            .set_engine(engine.as_deref().cloned())
            .set_engine_version(engine_version.as_deref().map(|version| version.0.clone()))
            .cache_node_type(cache_node_type)
            .set_num_cache_clusters(num_cache_clusters.as_deref().copied())
            .set_num_node_groups(num_node_groups.as_deref().copied())
            .set_replicas_per_node_group(replicas_per_node_group.as_deref().copied())
            .set_cluster_mode(cluster_mode.as_deref().map(|mode| mode.as_str().into()))
            .set_automatic_failover_enabled(automatic_failover_enabled.as_deref().copied())
            .set_multi_az_enabled(multi_az_enabled.as_deref().copied())
            .set_log_delivery_configurations(logs.map(|logs| requests(None, Some(logs))))
            .set_snapshot_retention_limit(snapshot_retention_limit.as_deref().copied())
            .set_snapshot_window(snapshot_window.as_deref().cloned())
            .set_preferred_maintenance_window(preferred_maintenance_window.as_deref().cloned())
            .set_auto_minor_version_upgrade(auto_minor_version_upgrade.as_deref().copied())
            .set_port(port.as_deref().copied())
            .set_notification_topic_arn(notification_topic.clone().map(String::from))
            .set_network_type(network_type.as_deref().map(|of| of.as_str().into()))
            .set_ip_discovery(ip_discovery.as_deref().map(|of| of.as_str().into()))
            .set_data_tiering_enabled(data_tiering_enabled.as_deref().copied())
            .set_tags(sdk_tags(&tags))
            .send()
            .await?;
        // It is being made, and its nodes are not told yet.
        let told = made.replication_group.and_then(|group| Some(live(&group, None, tags).ok()?.keep(group)));
        let told = told.filter(|live| live.phase == Phase::Pending);
        Ok(told.map_or_else(|| Made::unseen(&desired.name), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        // Tags first: a group that changes takes none.
        tag(aws, &live.status.arn, &remembered::retag(desired, desired.spec.remembered())).await?;
        change(aws, live, desired).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let delete = elasticache(aws).delete_replication_group().replication_group_id(&live.id);
        let snapshot = live.spec.final_snapshot_identifier.clone();
        delete.retain_primary_cluster(false).set_final_snapshot_identifier(snapshot).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

fn texts<K>(references: &BTreeSet<Ref<K>>) -> Vec<String> {
    references.iter().cloned().map(String::from).collect()
}

/// A group, and one of its nodes: they are alike.
fn live(group: &sdk::ReplicationGroup, node: Option<&sdk::CacheCluster>, tags: Tags) -> Result<Live<ReplicationGroup>> {
    let missing = |what| Error::incomplete("elasticache.DescribeReplicationGroups", what);
    let name = group.replication_group_id().ok_or_else(|| missing("replicationGroupId"))?;
    let shards = group.node_groups();
    let first = shards.first();
    let count = |of: usize| i32::try_from(of).ok().map(Always);
    let on = |of: &str| of.starts_with("enabl");
    let endpoint = |of: Option<&sdk::Endpoint>| of.and_then(|of| of.address.clone());
    let logs = group.log_delivery_configurations();
    let stay = logs.iter().filter(|log| log.status != Some(sdk::LogDeliveryConfigurationStatus::Disabling));
    let topic = node.and_then(|node| node.notification_configuration.clone());
    let topic = topic.filter(|topic| topic.topic_status.as_deref() != Some("inactive"));
    let groups = node.map(|node| node.security_groups().iter().filter_map(|g| g.security_group_id.clone()));
    let parameters = node.and_then(|node| node.cache_parameter_group()?.cache_parameter_group_name.clone());
    let encrypted = group.transit_encryption_enabled.unwrap_or(false);
    let spec = ReplicationGroup {
        description: group.description.clone().unwrap_or_default(),
        engine: group.engine.clone().or_else(|| node?.engine.clone()).map(Always),
        engine_version: node.and_then(|node| node.engine_version.clone()).map(|version| Always(EngineVersion(version))),
        cache_node_type: group.cache_node_type.clone().unwrap_or_default(),
        num_cache_clusters: count(group.member_clusters().len()),
        num_node_groups: count(shards.len()),
        replicas_per_node_group: first.and_then(|shard| count(shard.node_group_members().len().saturating_sub(1))),
        cluster_mode: group.cluster_mode.as_ref().map(|mode| Always(mode.as_str().to_owned())),
        automatic_failover_enabled: group
            .automatic_failover
            .as_ref()
            .map(|of: &AutomaticFailoverStatus| Always(on(of.as_str()))),
        multi_az_enabled: group.multi_az.as_ref().map(|of| Always(*of == MultiAzStatus::Enabled)),
        cache_subnet_group: node
            .and_then(|node| node.cache_subnet_group_name.clone())
            .map(|name| Always(Ref::new(name))),
        cache_parameter_group: parameters.map(|name| Always(Ref::new(name))),
        security_groups: groups.map(|ids| Always(ids.map(Ref::new).collect())),
        at_rest_encryption_enabled: group.at_rest_encryption_enabled.map(Always),
        kms_key: group.kms_key_id.clone().map(Ref::new),
        transit_encryption_enabled: Some(Always(encrypted)),
        transit_encryption_mode: group
            .transit_encryption_mode
            .as_ref()
            .filter(|_| encrypted)
            .map(|m| m.as_str().to_owned()),
        auth_token: auth_token::of(&tags, group),
        auth_token_key: remembered::recall(&tags, "authTokenKey"),
        auth_token_update_strategy: remembered::recall(&tags, "authTokenUpdateStrategy"),
        user_group_ids: Some(group.user_group_ids().iter().cloned().collect()),
        log_delivery_configurations: Some(stay.filter_map(log).collect()),
        snapshot_retention_limit: group.snapshot_retention_limit.map(Always),
        snapshot_window: group.snapshot_window.clone().map(Always),
        preferred_maintenance_window: node.and_then(|node| node.preferred_maintenance_window.clone()).map(Always),
        auto_minor_version_upgrade: group.auto_minor_version_upgrade.map(Always),
        port: port(group).map(Always),
        notification_topic: topic.and_then(|topic| topic.topic_arn).map(Ref::new),
        network_type: group.network_type.as_ref().map(|of| Always(of.as_str().to_owned())),
        ip_discovery: group.ip_discovery.as_ref().map(|of| Always(of.as_str().to_owned())),
        data_tiering_enabled: Some(Always(group.data_tiering == Some(DataTieringStatus::Enabled))),
        final_snapshot_identifier: remembered::recall(&tags, "finalSnapshotIdentifier"),
    };
    let status = ReplicationGroupStatus {
        arn: group.arn.clone().ok_or_else(|| missing("arn"))?,
        primary_endpoint: endpoint(first.and_then(|shard| shard.primary_endpoint())),
        reader_endpoint: endpoint(first.and_then(|shard| shard.reader_endpoint())),
        configuration_endpoint: endpoint(group.configuration_endpoint()),
        port: port(group),
        member_clusters: group.member_clusters().to_vec(),
    };
    let phase = match group.status() {
        Some("creating") => Phase::Pending,
        Some("deleting") => Phase::Deleting,
        Some("create-failed") => Phase::Failed,
        // A node that is not listed yet leaves half of it unknown.
        Some("available") if node.is_some() => Phase::Ready,
        _ => Phase::Updating,
    };
    let mut live = Live::new(name, name, spec, status).tags(tags).phase(phase);
    let pending = node.and_then(|node| node.pending_modified_values());
    if pending.is_some_and(|pending| pending.engine_version.is_some()) {
        live = live.scheduled("engineVersion");
    }
    if pending.is_some_and(|pending| pending.cache_node_type.is_some()) {
        live = live.scheduled("cacheNodeType");
    }
    if group.pending_modified_values().is_some_and(|pending| pending.automatic_failover_status.is_some()) {
        live = live.scheduled("automaticFailoverEnabled");
    }
    for log in logs.iter().filter(|log| log.status == Some(sdk::LogDeliveryConfigurationStatus::Error)) {
        live = live.remark("LogDeliveryFailed", log.message.clone().unwrap_or_else(|| "AWS gives no reason".into()));
    }
    Ok(live)
}

/// Where it listens: of whichever endpoint there is.
fn port(group: &sdk::ReplicationGroup) -> Option<i32> {
    let shard = group.node_groups().first().and_then(|shard| shard.primary_endpoint());
    group.configuration_endpoint().or(shard)?.port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_and_half_of_the_group_come_from_a_node() -> Result<()> {
        let group = || sdk::ReplicationGroup::builder().replication_group_id("web").arn("arn:web").status("available");
        let node = sdk::CacheCluster::builder().engine_version("7.0.7").cache_subnet_group_name("main");
        let alone = live(&group().build(), None, Tags::new())?;
        assert_eq!((alone.phase, alone.spec.engine_version), (Phase::Updating, None));
        let both = live(&group().build(), Some(&node.build()), Tags::new())?;
        assert_eq!((both.phase, both.spec.engine_version.map(|v| v.0.0)), (Phase::Ready, Some("7.0.7".into())));
        let busy = live(&group().status("snapshotting").build(), None, Tags::new())?;
        assert_eq!(busy.phase, Phase::Updating, "usable, and refuses changes");
        Ok(())
    }

    #[test]
    fn what_waits_for_the_maintenance_window_is_scheduled() -> Result<()> {
        let group = sdk::ReplicationGroup::builder().replication_group_id("web").arn("arn:web").build();
        let pending = sdk::PendingModifiedValues::builder().cache_node_type("cache.m7g.large").build();
        let node = sdk::CacheCluster::builder().pending_modified_values(pending).build();
        assert!(live(&group, Some(&node), Tags::new())?.scheduled.contains("cacheNodeType"));
        Ok(())
    }
}
