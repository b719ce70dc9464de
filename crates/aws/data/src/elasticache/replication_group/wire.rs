//! The request that creates a replication group.

use aws_sdk_elasticache::operation::create_replication_group::builders::CreateReplicationGroupFluentBuilder as Create;
use holdfast_base::client::Aws;
use holdfast_base::sdk::texts;

use super::log_delivery::requests;
use super::spec::ReplicationGroup;
use crate::elasticache::elasticache;

/// Returns the request, without the password and the tags.
pub(super) fn create(aws: &Aws, name: &str, spec: &ReplicationGroup) -> Create {
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
        auth_token: _,
        auth_token_key: _,
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
    } = spec;
    // Without a mode AWS uses `required`. In a create call AWS accepts `required` only as that default.
    let mode = transit_encryption_mode.as_deref().filter(|mode| *mode != "required");
    let logs = log_delivery_configurations.as_ref();
    elasticache(aws)
        .create_replication_group()
        .replication_group_id(name)
        .replication_group_description(description)
        .set_at_rest_encryption_enabled(at_rest_encryption_enabled.as_deref().copied())
        .set_kms_key_id(kms_key.clone().map(String::from))
        .set_transit_encryption_enabled(transit_encryption_enabled.as_deref().copied())
        .set_transit_encryption_mode(mode.map(Into::into))
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
}
