//! ReplicationGroup from the responses of ElastiCache.

use aws_sdk_elasticache::types::{self as sdk, AutomaticFailoverStatus, DataTieringStatus, MultiAzStatus};
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::Live;
use holdfast_base::tagging::Tags;
use holdfast_core::observed::Phase;
use holdfast_core::types::{Ref, ServerDefault};

use super::auth_token;
use super::log_delivery::log_delivery;
use super::spec::{ReplicationGroup, ReplicationGroupStatus};
use super::version::EngineVersion;

/// Reads a group, and the fields that only its nodes return from one node, since all nodes are alike.
pub(super) fn live(
    group: &sdk::ReplicationGroup,
    node: Option<&sdk::CacheCluster>,
    tags: Tags,
) -> Result<Live<ReplicationGroup>> {
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
        auth_token_key: auth_token::key(&tags),
        auth_token_update_strategy: None,
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
        final_snapshot_identifier: None,
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
        live = live.scheduled(ReplicationGroup::ENGINE_VERSION.name());
    }
    if pending.is_some_and(|pending| pending.cache_node_type.is_some()) {
        live = live.scheduled(ReplicationGroup::CACHE_NODE_TYPE.name());
    }
    if group.pending_modified_values().is_some_and(|pending| pending.automatic_failover_status.is_some()) {
        live = live.scheduled(ReplicationGroup::AUTOMATIC_FAILOVER_ENABLED.name());
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
