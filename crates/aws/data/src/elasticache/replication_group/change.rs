//! The changes of a replication group.

use aws_sdk_elasticache::operation::modify_replication_group::builders::ModifyReplicationGroupFluentBuilder as Modify;
use aws_sdk_elasticache::types::{AuthTokenUpdateStrategyType, ReplicationGroup as Group, TransitEncryptionMode};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Desired, Live};
use holdfast_core::types::ServerDefault;

use super::auth_token;
use super::elasticache;
use super::log_delivery::requests;
use super::replication_group::ReplicationGroup;

/// The fields that one ModifyReplicationGroup call changes together.
const COMBINED_FIELDS: [&str; 17] = [
    "autoMinorVersionUpgrade",
    "automaticFailoverEnabled",
    "cacheNodeType",
    "cacheParameterGroup",
    "clusterMode",
    "description",
    "engine",
    "engineVersion",
    "ipDiscovery",
    "logDeliveryConfigurations",
    "multiAzEnabled",
    "notificationTopic",
    "preferredMaintenanceWindow",
    "securityGroups",
    "snapshotRetentionLimit",
    "snapshotWindow",
    "userGroupIds",
];

/// Changes the fields that differ, in several calls.
///
/// **Expected flow**
/// 1. Failover needs a replica: when failover or Multi-AZ changes, missing replicas are added first.
/// 2. One ModifyReplicationGroup call changes all of [`COMBINED_FIELDS`]. It also removes the password when none is
///    desired.
/// 3. The encryption in transit follows, then the password.
/// 4. The number of replicas and of shards comes last, since it takes longest.
///
/// **Guarantees**: AWS accepts one change at a time and refuses the next call until the change is complete. The engine
/// waits and calls again with the fields that still differ.
///
/// **Assumptions**: `desired.spec` holds the live values of fields that the document does not state.
///
/// **Caveats**: changes of several parts take several retries, of minutes each.
///
/// **Errors**: the refusal of AWS while another change is in progress.
pub(super) async fn change(
    aws: &Aws,
    live: &Live<ReplicationGroup>,
    desired: &Desired<ReplicationGroup>,
) -> Result<()> {
    let (replicas, desired_replicas) = (replicas(&live.spec), desired_replica_count(desired));
    // Failover needs a replica first. Otherwise the replicas, which take longest, come last.
    let failover = desired.changed(ReplicationGroup::AUTOMATIC_FAILOVER_ENABLED)
        || desired.changed(ReplicationGroup::MULTI_AZ_ENABLED);
    if failover && desired_replicas > replicas {
        increase_replicas(aws, &live.id, desired_replicas).await?;
    }
    let removes_token = desired.changed(ReplicationGroup::AUTH_TOKEN) && desired.spec.auth_token.is_none();
    if removes_token || COMBINED_FIELDS.iter().any(|field| desired.changed(field)) {
        combined_call(aws, live, desired)?.send().await?;
    }
    change_transit_encryption(aws, live, desired).await?;
    if desired.changed(ReplicationGroup::AUTH_TOKEN) || desired.changed(ReplicationGroup::AUTH_TOKEN_KEY) {
        auth_token::update(aws, live, desired).await?;
    }
    if !failover && desired_replicas > replicas {
        increase_replicas(aws, &live.id, desired_replicas).await?;
    }
    if desired_replicas < replicas {
        let decrease = elasticache(aws).decrease_replica_count().replication_group_id(&live.id);
        decrease.new_replica_count(desired_replicas).apply_immediately(true).send().await?;
    }
    if let Some(ServerDefault(count)) =
        desired.spec.num_node_groups.filter(|_| desired.changed(ReplicationGroup::NUM_NODE_GROUPS))
    {
        change_shards(aws, live, count).await?;
    }
    Ok(())
}

fn modify(aws: &Aws, id: &str) -> Modify {
    elasticache(aws).modify_replication_group().replication_group_id(id).apply_immediately(true)
}

/// Builds the call that changes all of [`COMBINED_FIELDS`] that differ.
fn combined_call(aws: &Aws, live: &Live<ReplicationGroup>, desired: &Desired<ReplicationGroup>) -> Result<Modify> {
    let (spec, changed) = (&desired.spec, |field: &str| desired.changed(field));
    let group: &Group = live.raw()?;
    let mut call = modify(aws, &live.id)
        .set_replication_group_description(changed(ReplicationGroup::DESCRIPTION).then(|| spec.description.clone()))
        .set_engine(spec.engine.as_deref().filter(|_| changed(ReplicationGroup::ENGINE)).cloned())
        .set_engine_version(
            spec.engine_version.as_deref().filter(|_| changed(ReplicationGroup::ENGINE_VERSION)).map(|v| v.0.clone()),
        )
        .set_cache_node_type(changed(ReplicationGroup::CACHE_NODE_TYPE).then(|| spec.cache_node_type.clone()))
        .set_automatic_failover_enabled(changed_value(
            spec.automatic_failover_enabled,
            changed(ReplicationGroup::AUTOMATIC_FAILOVER_ENABLED),
        ))
        .set_multi_az_enabled(changed_value(spec.multi_az_enabled, changed(ReplicationGroup::MULTI_AZ_ENABLED)))
        .set_cluster_mode(
            spec.cluster_mode.as_deref().filter(|_| changed(ReplicationGroup::CLUSTER_MODE)).map(|m| m.as_str().into()),
        )
        .set_preferred_maintenance_window(
            spec.preferred_maintenance_window
                .as_deref()
                .filter(|_| changed(ReplicationGroup::PREFERRED_MAINTENANCE_WINDOW))
                .cloned(),
        )
        .set_auto_minor_version_upgrade(changed_value(
            spec.auto_minor_version_upgrade,
            changed(ReplicationGroup::AUTO_MINOR_VERSION_UPGRADE),
        ))
        .set_snapshot_retention_limit(changed_value(
            spec.snapshot_retention_limit,
            changed(ReplicationGroup::SNAPSHOT_RETENTION_LIMIT),
        ))
        .set_snapshot_window(
            spec.snapshot_window.as_deref().filter(|_| changed(ReplicationGroup::SNAPSHOT_WINDOW)).cloned(),
        )
        .set_ip_discovery(
            spec.ip_discovery.as_deref().filter(|_| changed(ReplicationGroup::IP_DISCOVERY)).map(|d| d.as_str().into()),
        );
    if let Some(of) = spec.cache_parameter_group.as_deref().filter(|_| changed(ReplicationGroup::CACHE_PARAMETER_GROUP))
    {
        call = call.cache_parameter_group_name(of.as_str());
    }
    if let Some(groups) = spec.security_groups.as_deref().filter(|_| changed(ReplicationGroup::SECURITY_GROUPS)) {
        call = call.set_security_group_ids(Some(groups.iter().cloned().map(String::from).collect()));
    }
    if changed(ReplicationGroup::NOTIFICATION_TOPIC) {
        call = call
            .set_notification_topic_arn(spec.notification_topic.clone().map(String::from))
            .notification_topic_status(if spec.notification_topic.is_some() { "active" } else { "inactive" });
    }
    // Without cluster mode, snapshots are taken of one node, which the call that turns them on must name. With cluster
    // mode they are taken of every shard.
    if changed(ReplicationGroup::SNAPSHOT_RETENTION_LIMIT)
        && group.snapshotting_cluster_id.is_none()
        && group.cluster_enabled != Some(true)
    {
        call = call.set_snapshotting_cluster_id(group.member_clusters().last().cloned());
    }
    if changed(ReplicationGroup::LOG_DELIVERY_CONFIGURATIONS) {
        let requests =
            requests(live.spec.log_delivery_configurations.as_ref(), spec.log_delivery_configurations.as_ref());
        call = call.set_log_delivery_configurations(Some(requests));
    }
    if changed(ReplicationGroup::USER_GROUP_IDS) {
        let (current, stated) = (live.spec.user_group_ids.clone(), spec.user_group_ids.clone());
        let (current, stated) = (current.unwrap_or_default(), stated.unwrap_or_default());
        call = call
            .set_user_group_ids_to_add(non_empty(stated.difference(&current).cloned().collect()))
            .set_user_group_ids_to_remove(non_empty(current.difference(&stated).cloned().collect()));
    }
    if changed(ReplicationGroup::AUTH_TOKEN) && spec.auth_token.is_none() {
        call = call.auth_token_update_strategy(AuthTokenUpdateStrategyType::Delete);
    }
    Ok(call)
}

fn changed_value<T: Copy>(value: Option<ServerDefault<T>>, changed: bool) -> Option<T> {
    value.filter(|_| changed).map(|ServerDefault(value)| value)
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// Changes the encryption in transit. AWS requires the mode `preferred`, which accepts unencrypted connections too, as
/// an intermediate step in both directions
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-enable.html>).
async fn change_transit_encryption(
    aws: &Aws,
    live: &Live<ReplicationGroup>,
    desired: &Desired<ReplicationGroup>,
) -> Result<()> {
    let mode = desired.spec.transit_encryption_mode.as_deref();
    let Some(ServerDefault(enabled)) = desired
        .spec
        .transit_encryption_enabled
        .filter(|_| desired.changed(ReplicationGroup::TRANSIT_ENCRYPTION_ENABLED))
    else {
        if let Some(mode) = mode.filter(|_| desired.changed(ReplicationGroup::TRANSIT_ENCRYPTION_MODE)) {
            let call = modify(aws, &live.id).transit_encryption_enabled(true);
            call.transit_encryption_mode(mode.into()).send().await?;
        }
        return Ok(());
    };
    let preferred = || modify(aws, &live.id).transit_encryption_mode(TransitEncryptionMode::Preferred);
    if enabled {
        preferred().transit_encryption_enabled(true).send().await?;
        if mode == Some("required") {
            let call = modify(aws, &live.id).transit_encryption_enabled(true);
            call.transit_encryption_mode(TransitEncryptionMode::Required).send().await?;
        }
        return Ok(());
    }
    if live.spec.transit_encryption_mode.as_deref() == Some("required") {
        preferred().transit_encryption_enabled(true).send().await?;
    }
    modify(aws, &live.id).transit_encryption_enabled(false).send().await?;
    Ok(())
}

async fn increase_replicas(aws: &Aws, id: &str, count: i32) -> Result<()> {
    let increase = elasticache(aws).increase_replica_count().replication_group_id(id);
    increase.new_replica_count(count).apply_immediately(true).send().await?;
    Ok(())
}

/// Returns the number of replicas of each shard.
fn replicas(spec: &ReplicationGroup) -> i32 {
    spec.replicas_per_node_group.map_or(0, |ServerDefault(count)| count)
}

/// Returns the desired number of replicas, from `numCacheClusters` when it changes.
fn desired_replica_count(desired: &Desired<ReplicationGroup>) -> i32 {
    let clusters = desired.spec.num_cache_clusters.filter(|_| desired.changed(ReplicationGroup::NUM_CACHE_CLUSTERS));
    let stated = replicas(&desired.spec);
    match clusters {
        Some(ServerDefault(count)) => count - 1,
        None => stated,
    }
}

/// Changes the number of shards. A call that removes shards must name those that are retained.
async fn change_shards(aws: &Aws, live: &Live<ReplicationGroup>, count: i32) -> Result<()> {
    let group: &Group = live.raw()?;
    let mut current: Vec<String> = group.node_groups().iter().filter_map(|shard| shard.node_group_id.clone()).collect();
    current.sort_unstable();
    let retained = usize::try_from(count).unwrap_or_default();
    let retain = (retained < current.len()).then(|| current[..retained].to_vec());
    elasticache(aws)
        .modify_replication_group_shard_configuration()
        .replication_group_id(&live.id)
        .node_group_count(count)
        .apply_immediately(true)
        .set_node_groups_to_retain(retain)
        .send()
        .await?;
    Ok(())
}
