//! ReplicationGroup: a Valkey or Redis OSS cache.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticache::types::{self as sdk, AutomaticFailoverStatus, DataTieringStatus, MultiAzStatus};
use futures::TryFutureExt;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::field_tags;
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Topic;
use holdfast_base::tagging::Tags;
use holdfast_base::try_join_all::try_join_all;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::cache_parameter_group::CacheParameterGroup;
use super::cache_subnet_group::CacheSubnetGroup;
use super::log_delivery::{LogDeliveryConfiguration, log_delivery, requests};
use super::replication_change::change;
use super::version::EngineVersion;
use super::{auth_token, elasticache, is_requested, sdk_tags, tag, tags_of};
use crate::kms::key::Key;
use crate::secretsmanager::secret::Secret;
use crate::secretsmanager::{CurrentVersion, consumed_tag, read};

/// An ElastiCache replication group: a Valkey or Redis OSS cache of one or more shards, each a primary node with
/// replicas. The name begins with a letter and has at most 40 lower case letters, digits and single hyphens. Creation
/// takes 5 to 15 minutes, and so does nearly every change. Changes apply immediately, not in the maintenance window.
/// The deletion of a group that left the document needs `--delete-data`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationGroup {
    /// The description.
    pub(super) description: String,
    /// The engine: `redis` or `valkey`. AWS can upgrade `redis` to `valkey`, together with `engineVersion`, but not the
    /// reverse (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagement.HowTo.html>).
    pub(super) engine: Option<ServerDefault<String>>,
    /// The engine version. Since version 6, state the major and minor version (`7.1`, `8.0`): AWS chooses the patch
    /// version, and its patch upgrades are not drift. Before version 6, state all three numbers (`5.0.6`). AWS does not
    /// support downgrades (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html>).
    pub(super) engine_version: Option<ServerDefault<EngineVersion>>,
    /// The node type of every node: `cache.t4g.micro`, `cache.r7g.large`, ….
    pub(super) cache_node_type: String,
    /// The number of nodes of a group with one shard, including the primary: 1 to 6. AWS's default is 1. With several
    /// shards, state `replicasPerNodeGroup` instead. When the number decreases, AWS chooses the replicas that it
    /// removes.
    pub(super) num_cache_clusters: Option<ServerDefault<i32>>,
    /// The number of shards. More than one shard needs a parameter group with `cluster-enabled`. A change moves data
    /// between the shards while the cache runs (online resharding). When the number decreases, Holdfast removes the
    /// shards with the highest numbers.
    pub(super) num_node_groups: Option<ServerDefault<i32>>,
    /// The number of replicas of each shard: 0 to 5.
    pub(super) replicas_per_node_group: Option<ServerDefault<i32>>,
    /// The cluster mode: `enabled`, `disabled` (AWS's default) or `compatible`, the intermediate step from `disabled`
    /// to `enabled` (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/modify-cluster-mode.html>).
    pub(super) cluster_mode: Option<ServerDefault<String>>,
    /// Whether a replica takes over when the primary fails. It needs a replica. AWS's default is false.
    pub(super) automatic_failover_enabled: Option<ServerDefault<bool>>,
    /// Whether replicas are in other Availability Zones than their primary. It needs `automaticFailoverEnabled`. AWS's
    /// default is false.
    pub(super) multi_az_enabled: Option<ServerDefault<bool>>,
    /// The cache subnet group of the nodes. Without one AWS uses the group `default`, in the default VPC.
    #[spec(immutable)]
    pub(super) cache_subnet_group: Option<ServerDefault<Ref<CacheSubnetGroup>>>,
    /// The cache parameter group: the settings of the engine. Write `{ id: default.valkey8 }` for a default group of
    /// AWS.
    pub(super) cache_parameter_group: Option<ServerDefault<Ref<CacheParameterGroup>>>,
    /// The security groups. Without any, AWS uses the default security group of the VPC.
    pub(super) security_groups: Option<ServerDefault<BTreeSet<Ref<SecurityGroup>>>>,
    /// Whether data on disk is encrypted. AWS's default is true for Valkey and false for Redis OSS.
    #[spec(immutable)]
    pub(super) at_rest_encryption_enabled: Option<ServerDefault<bool>>,
    /// The KMS key that encrypts data on disk. Without a key, ElastiCache uses a key that it manages itself.
    #[spec(immutable)]
    pub(super) kms_key: Option<Ref<Key, Arn>>,
    /// Whether connections are encrypted. AWS's default is false. To encrypt the connections of an existing group,
    /// Holdfast first sets `transitEncryptionMode: preferred`, as AWS requires
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-enable.html>).
    pub(super) transit_encryption_enabled: Option<ServerDefault<bool>>,
    /// The mode of encryption in transit: `required`, or `preferred` to accept unencrypted connections too.
    pub(super) transit_encryption_mode: Option<String>,
    /// The secret with the AUTH token, the password of all clients: 16 to 128 characters. It needs
    /// `transitEncryptionEnabled`. Holdfast sets the password again whenever the secret has a new version.
    pub(super) auth_token: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret that holds the password, when the secret's value is JSON.
    pub(super) auth_token_key: Option<String>,
    /// The strategy of password changes: `ROTATE` (the default) keeps the previous password valid until the next
    /// change; `SET` accepts only the new password. If a password is added to an existing group, clients without a
    /// password are accepted until a `SET` (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>).
    pub(super) auth_token_update_strategy: Option<String>,
    /// The id of the user group whose users may connect, in place of `authToken`: at most one.
    pub(super) user_group_ids: Option<BTreeSet<String>>,
    /// The log delivery, by log type: `slow-log` or `engine-log`.
    pub(super) log_delivery_configurations: Option<BTreeMap<String, LogDeliveryConfiguration>>,
    /// The retention period of automatic snapshots in days: 0 (AWS's default: no snapshots) to 35.
    pub(super) snapshot_retention_limit: Option<ServerDefault<i32>>,
    /// The daily time range of automatic snapshots, in UTC: `05:00-09:00`. By default AWS chooses one.
    pub(super) snapshot_window: Option<ServerDefault<String>>,
    /// The weekly time range of maintenance by AWS, in UTC: `sun:23:00-mon:01:30`. By default AWS chooses one.
    pub(super) preferred_maintenance_window: Option<ServerDefault<String>>,
    /// Whether AWS upgrades the minor version automatically. AWS's default is true. With automatic upgrades, state no
    /// `engineVersion`, or update it after each upgrade.
    pub(super) auto_minor_version_upgrade: Option<ServerDefault<bool>>,
    /// The port. AWS's default is 6379.
    #[spec(immutable)]
    pub(super) port: Option<ServerDefault<i32>>,
    /// The SNS topic for events such as failovers.
    pub(super) notification_topic: Option<Ref<Topic, Arn>>,
    /// The network type: `ipv4` (AWS's default), `ipv6` or `dual_stack`.
    #[spec(immutable)]
    pub(super) network_type: Option<ServerDefault<String>>,
    /// The type of the IP addresses that the cache reports to clients: `ipv4` or `ipv6`.
    pub(super) ip_discovery: Option<ServerDefault<String>>,
    /// Whether data is also stored on SSD (data tiering). It needs `r6gd` nodes, and `r6gd` nodes need it.
    #[spec(immutable)]
    pub(super) data_tiering_enabled: Option<ServerDefault<bool>>,
    /// The name of the final snapshot that a deletion creates; `null` for none. A tag of the group records the value,
    /// because the document no longer has it when the group is deleted.
    pub(super) final_snapshot_identifier: Option<String>,
}

/// The read-only attributes of a ReplicationGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationGroupStatus {
    /// The ARN.
    pub(super) arn: String,
    /// The host name of the primary endpoint. Absent with several shards.
    pub(super) primary_endpoint: Option<String>,
    /// The host name of the reader endpoint, for the replicas. Absent with several shards.
    pub(super) reader_endpoint: Option<String>,
    /// The host name of the configuration endpoint, for all shards. Absent without cluster mode.
    pub(super) configuration_endpoint: Option<String>,
    /// The port of the endpoints.
    pub(super) port: Option<i32>,
    /// The ids of the nodes: the values of the dimension `CacheClusterId` in their metrics.
    pub(super) member_clusters: Vec<String>,
}

impl ReplicationGroup {
    /// Returns the fields whose values are recorded only in tags.
    fn field_tags(&self) -> [(&'static str, Option<String>); 2] {
        [
            ("authTokenUpdateStrategy", self.auth_token_update_strategy.clone()),
            ("finalSnapshotIdentifier", self.final_snapshot_identifier.clone()),
        ]
    }
}

impl Kind for ReplicationGroup {
    type Status = ReplicationGroupStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(40) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const STATEFUL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = elasticache(aws).describe_replication_groups().into_paginator().items().send();
        let mut groups: Vec<_> = groups.collect::<std::result::Result<_, _>>().await?;
        groups.retain(|group| is_requested(scope, group.replication_group_id().unwrap_or_default()));
        if groups.is_empty() {
            return Ok(vec![]);
        }
        // The nodes return fields that their group does not: one call returns the nodes of all groups.
        let nodes = elasticache(aws).describe_cache_clusters().into_paginator().items().send();
        let nodes = nodes.collect::<std::result::Result<Vec<_>, _>>().map_err(Error::from);
        let tags = groups.iter().map(|group| tags_of(aws, scope, group.arn().unwrap_or_default()));
        let (nodes, tags) = futures::try_join!(nodes, try_join_all(tags))?;
        let mut found = vec![];
        for (group, tags) in groups.into_iter().zip(tags) {
            let is_member = |node: &&sdk::CacheCluster| node.replication_group_id == group.replication_group_id;
            if let Some(tags) = tags {
                found.push(live(&group, nodes.iter().find(is_member), tags)?.keep(group));
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
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
        let mut tags = field_tags::with(&desired.tags, desired.spec.field_tags());
        tags = field_tags::with(&tags, [("authTokenKey", auth_token_key.clone())]);
        let mut token = None;
        if let Some(of) = auth_token {
            token = Some(read(aws, of, auth_token_key.as_deref()).await?);
            tags.extend([consumed_tag(auth_token::FIELD, of)]);
        }
        // Without a mode AWS uses `required`. In a create call AWS accepts `required` only as that default.
        let mode = transit_encryption_mode.as_deref().filter(|mode| *mode != "required");
        let logs = log_delivery_configurations.as_ref();
        let output = elasticache(aws)
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
        // The group is being created, and AWS does not return its nodes yet.
        let created = output.replication_group.and_then(|group| Some(live(&group, None, tags).ok()?.keep(group)));
        let created = created.filter(|live| live.phase == Phase::Pending);
        Ok(created.map_or_else(|| Created::unobserved(&desired.name), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        // Tags come first: AWS refuses tags while a group changes.
        tag(aws, &live.status.arn, &field_tags::change_tags(desired, desired.spec.field_tags())).await?;
        change(aws, live, desired).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let delete = elasticache(aws).delete_replication_group().replication_group_id(&live.id);
        let snapshot = live.spec.final_snapshot_identifier.clone();
        delete.retain_primary_cluster(false).set_final_snapshot_identifier(snapshot).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

fn texts<K>(references: &BTreeSet<Ref<K>>) -> Vec<String> {
    references.iter().cloned().map(String::from).collect()
}

/// Reads a group, and the fields that only its nodes return from one node, since all nodes are alike.
fn live(group: &sdk::ReplicationGroup, node: Option<&sdk::CacheCluster>, tags: Tags) -> Result<Live<ReplicationGroup>> {
    let missing = |what| Error::incomplete("elasticache.DescribeReplicationGroups", what);
    let name = group.replication_group_id().ok_or_else(|| missing("replicationGroupId"))?;
    let shards = group.node_groups();
    let first = shards.first();
    let count = |of: usize| i32::try_from(of).ok().map(ServerDefault);
    let on = |of: &str| of.starts_with("enabl");
    let endpoint = |of: Option<&sdk::Endpoint>| of.and_then(|of| of.address.clone());
    let logs = group.log_delivery_configurations();
    let active_logs = logs.iter().filter(|log| log.status != Some(sdk::LogDeliveryConfigurationStatus::Disabling));
    let topic = node.and_then(|node| node.notification_configuration.clone());
    let topic = topic.filter(|topic| topic.topic_status.as_deref() != Some("inactive"));
    let groups = node.map(|node| node.security_groups().iter().filter_map(|g| g.security_group_id.clone()));
    let parameters = node.and_then(|node| node.cache_parameter_group()?.cache_parameter_group_name.clone());
    let encrypted = group.transit_encryption_enabled.unwrap_or(false);
    let spec = ReplicationGroup {
        description: group.description.clone().unwrap_or_default(),
        engine: group.engine.clone().or_else(|| node?.engine.clone()).map(ServerDefault),
        engine_version: node
            .and_then(|node| node.engine_version.clone())
            .map(|version| ServerDefault(EngineVersion(version))),
        cache_node_type: group.cache_node_type.clone().unwrap_or_default(),
        num_cache_clusters: count(group.member_clusters().len()),
        num_node_groups: count(shards.len()),
        replicas_per_node_group: first.and_then(|shard| count(shard.node_group_members().len().saturating_sub(1))),
        cluster_mode: group.cluster_mode.as_ref().map(|mode| ServerDefault(mode.as_str().to_owned())),
        automatic_failover_enabled: group
            .automatic_failover
            .as_ref()
            .map(|of: &AutomaticFailoverStatus| ServerDefault(on(of.as_str()))),
        multi_az_enabled: group.multi_az.as_ref().map(|of| ServerDefault(*of == MultiAzStatus::Enabled)),
        cache_subnet_group: node
            .and_then(|node| node.cache_subnet_group_name.clone())
            .map(|name| ServerDefault(Ref::new(name))),
        cache_parameter_group: parameters.map(|name| ServerDefault(Ref::new(name))),
        security_groups: groups.map(|ids| ServerDefault(ids.map(Ref::new).collect())),
        at_rest_encryption_enabled: group.at_rest_encryption_enabled.map(ServerDefault),
        kms_key: group.kms_key_id.clone().map(Ref::new),
        transit_encryption_enabled: Some(ServerDefault(encrypted)),
        transit_encryption_mode: group
            .transit_encryption_mode
            .as_ref()
            .filter(|_| encrypted)
            .map(|m| m.as_str().to_owned()),
        auth_token: auth_token::secret_version(&tags, group),
        auth_token_key: field_tags::recall(&tags, "authTokenKey"),
        auth_token_update_strategy: field_tags::recall(&tags, "authTokenUpdateStrategy"),
        user_group_ids: Some(group.user_group_ids().iter().cloned().collect()),
        log_delivery_configurations: Some(active_logs.filter_map(log_delivery).collect()),
        snapshot_retention_limit: group.snapshot_retention_limit.map(ServerDefault),
        snapshot_window: group.snapshot_window.clone().map(ServerDefault),
        preferred_maintenance_window: node
            .and_then(|node| node.preferred_maintenance_window.clone())
            .map(ServerDefault),
        auto_minor_version_upgrade: group.auto_minor_version_upgrade.map(ServerDefault),
        port: port(group).map(ServerDefault),
        notification_topic: topic.and_then(|topic| topic.topic_arn).map(Ref::new),
        network_type: group.network_type.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        ip_discovery: group.ip_discovery.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        data_tiering_enabled: Some(ServerDefault(group.data_tiering == Some(DataTieringStatus::Enabled))),
        final_snapshot_identifier: field_tags::recall(&tags, "finalSnapshotIdentifier"),
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
        // Without a node, half of the fields are unknown.
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
        live = live.degraded("LogDeliveryFailed", log.message.clone().unwrap_or_else(|| "AWS gives no reason".into()));
    }
    Ok(live)
}

/// Returns the port of the configuration endpoint, else of the primary endpoint of the first shard.
fn port(group: &sdk::ReplicationGroup) -> Option<i32> {
    let shard = group.node_groups().first().and_then(|shard| shard.primary_endpoint());
    group.configuration_endpoint().or(shard)?.port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_version_and_readiness_come_from_a_node() -> Result<()> {
        let group = || sdk::ReplicationGroup::builder().replication_group_id("web").arn("arn:web").status("available");
        let node = sdk::CacheCluster::builder().engine_version("7.0.7").cache_subnet_group_name("main");
        let alone = live(&group().build(), None, Tags::new())?;
        assert_eq!((alone.phase, alone.spec.engine_version), (Phase::Updating, None));
        let ready = live(&group().build(), Some(&node.build()), Tags::new())?;
        assert_eq!((ready.phase, ready.spec.engine_version.map(|v| v.0.0)), (Phase::Ready, Some("7.0.7".into())));
        let busy = live(&group().status("snapshotting").build(), None, Tags::new())?;
        assert_eq!(busy.phase, Phase::Updating, "a group that takes a snapshot refuses changes");
        Ok(())
    }

    #[test]
    fn a_change_that_waits_for_the_maintenance_window_is_scheduled() -> Result<()> {
        let group = sdk::ReplicationGroup::builder().replication_group_id("web").arn("arn:web").build();
        let pending = sdk::PendingModifiedValues::builder().cache_node_type("cache.m7g.large").build();
        let node = sdk::CacheCluster::builder().pending_modified_values(pending).build();
        assert!(live(&group, Some(&node), Tags::new())?.scheduled.contains("cacheNodeType"));
        Ok(())
    }
}
