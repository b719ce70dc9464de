//! The changes of a replication group.

use aws_sdk_elasticache::operation::modify_replication_group::builders::ModifyReplicationGroupFluentBuilder as Modify;
use aws_sdk_elasticache::types::{AuthTokenUpdateStrategyType, ReplicationGroup as Group, TransitEncryptionMode};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Desired, Live, Updated};
use holdfast_base::sdk::texts;
use holdfast_core::schema::FieldName;
use holdfast_core::types::ServerDefault;

use super::auth_token;
use super::log_delivery::requests;
use super::spec::ReplicationGroup;
use crate::elasticache::elasticache;

type R = ReplicationGroup;

/// The fields that one ModifyReplicationGroup call changes together.
const COMBINED_FIELDS: &[FieldName<R>] = &[
    R::AUTO_MINOR_VERSION_UPGRADE,
    R::AUTOMATIC_FAILOVER_ENABLED,
    R::CACHE_NODE_TYPE,
    R::CACHE_PARAMETER_GROUP,
    R::CLUSTER_MODE,
    R::DESCRIPTION,
    R::ENGINE,
    R::ENGINE_VERSION,
    R::IP_DISCOVERY,
    R::LOG_DELIVERY_CONFIGURATIONS,
    R::MULTI_AZ_ENABLED,
    R::NOTIFICATION_TOPIC,
    R::PREFERRED_MAINTENANCE_WINDOW,
    R::SECURITY_GROUPS,
    R::SNAPSHOT_RETENTION_LIMIT,
    R::SNAPSHOT_WINDOW,
    R::USER_GROUP_IDS,
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
pub(super) async fn change(aws: &Aws, live: &Live<R>, desired: &Desired<R>) -> Result<Updated> {
    let (replicas, desired_replicas) = (replicas(&live.spec), desired_replica_count(desired));
    // Failover needs a replica first. Otherwise the replicas, which take longest, come last.
    let failover = desired.changed_any(&[R::AUTOMATIC_FAILOVER_ENABLED, R::MULTI_AZ_ENABLED]);
    if failover && desired_replicas > replicas {
        increase_replicas(aws, &live.id, desired_replicas).await?;
    }
    let removes_token = desired.changed(R::AUTH_TOKEN) && desired.spec.auth_token.is_none();
    if removes_token || desired.changed_any(COMBINED_FIELDS) {
        combined_call(aws, live, desired)?.send().await?;
    }
    change_transit_encryption(aws, live, desired).await?;
    let ends_rotation = desired.changed(R::AUTH_TOKEN_UPDATE_STRATEGY) && auth_token::ends_rotation(live, desired)?;
    if (desired.changed_any(&[R::AUTH_TOKEN, R::AUTH_TOKEN_KEY]) || ends_rotation)
        && let unfinished @ Updated::Unfinished(_) = auth_token::update(aws, live, desired).await?
    {
        return Ok(unfinished);
    }
    if !failover && desired_replicas > replicas {
        increase_replicas(aws, &live.id, desired_replicas).await?;
    }
    if desired_replicas < replicas {
        let decrease = elasticache(aws).decrease_replica_count().replication_group_id(&live.id);
        decrease.new_replica_count(desired_replicas).apply_immediately(true).send().await?;
    }
    if let Some(ServerDefault(count)) = desired.if_changed(R::NUM_NODE_GROUPS, desired.spec.num_node_groups) {
        change_shards(aws, live, count).await?;
    }
    Ok(Updated::ObserveAgain)
}

fn modify(aws: &Aws, id: &str) -> Modify {
    elasticache(aws).modify_replication_group().replication_group_id(id).apply_immediately(true)
}

/// Builds the call that changes all of [`COMBINED_FIELDS`] that differ.
fn combined_call(aws: &Aws, live: &Live<R>, desired: &Desired<R>) -> Result<Modify> {
    let spec = &desired.spec;
    let group: &Group = live.raw()?;
    let mut call = modify(aws, &live.id)
        .set_replication_group_description(desired.if_changed(R::DESCRIPTION, Some(spec.description.clone())))
        .set_engine(desired.if_changed(R::ENGINE, spec.engine.as_deref().cloned()))
        .set_engine_version(desired.if_changed(R::ENGINE_VERSION, spec.engine_version.as_deref().map(|v| v.0.clone())))
        .set_cache_node_type(desired.if_changed(R::CACHE_NODE_TYPE, Some(spec.cache_node_type.clone())))
        .set_automatic_failover_enabled(
            desired.if_changed(R::AUTOMATIC_FAILOVER_ENABLED, spec.automatic_failover_enabled.as_deref().copied()),
        )
        .set_multi_az_enabled(desired.if_changed(R::MULTI_AZ_ENABLED, spec.multi_az_enabled.as_deref().copied()))
        .set_cluster_mode(
            desired.if_changed(R::CLUSTER_MODE, spec.cluster_mode.as_deref().map(|mode| mode.as_str().into())),
        )
        .set_preferred_maintenance_window(
            desired.if_changed(R::PREFERRED_MAINTENANCE_WINDOW, spec.preferred_maintenance_window.as_deref().cloned()),
        )
        .set_auto_minor_version_upgrade(
            desired.if_changed(R::AUTO_MINOR_VERSION_UPGRADE, spec.auto_minor_version_upgrade.as_deref().copied()),
        )
        .set_snapshot_retention_limit(
            desired.if_changed(R::SNAPSHOT_RETENTION_LIMIT, spec.snapshot_retention_limit.as_deref().copied()),
        )
        .set_snapshot_window(desired.if_changed(R::SNAPSHOT_WINDOW, spec.snapshot_window.as_deref().cloned()))
        .set_ip_discovery(
            desired.if_changed(R::IP_DISCOVERY, spec.ip_discovery.as_deref().map(|of| of.as_str().into())),
        )
        .set_cache_parameter_group_name(
            desired
                .if_changed(R::CACHE_PARAMETER_GROUP, spec.cache_parameter_group.as_deref().cloned())
                .map(String::from),
        )
        .set_security_group_ids(desired.if_changed(R::SECURITY_GROUPS, spec.security_groups.as_deref()).map(texts));
    if desired.changed(R::NOTIFICATION_TOPIC) {
        call = call
            .set_notification_topic_arn(spec.notification_topic.clone().map(String::from))
            .notification_topic_status(if spec.notification_topic.is_some() { "active" } else { "inactive" });
    }
    // Without cluster mode, snapshots are taken of one node, which the call that turns them on must name. With cluster
    // mode they are taken of every shard.
    if desired.changed(R::SNAPSHOT_RETENTION_LIMIT)
        && group.snapshotting_cluster_id.is_none()
        && group.cluster_enabled != Some(true)
    {
        call = call.set_snapshotting_cluster_id(group.member_clusters().last().cloned());
    }
    if desired.changed(R::LOG_DELIVERY_CONFIGURATIONS) {
        let requests =
            requests(live.spec.log_delivery_configurations.as_ref(), spec.log_delivery_configurations.as_ref());
        call = call.set_log_delivery_configurations(Some(requests));
    }
    if desired.changed(R::USER_GROUP_IDS) {
        let (current, stated) = (live.spec.user_group_ids.clone(), spec.user_group_ids.clone());
        let (current, stated) = (current.unwrap_or_default(), stated.unwrap_or_default());
        call = call
            .set_user_group_ids_to_add(non_empty(stated.difference(&current).cloned().collect()))
            .set_user_group_ids_to_remove(non_empty(current.difference(&stated).cloned().collect()));
    }
    if desired.changed(R::AUTH_TOKEN) && spec.auth_token.is_none() {
        call = call.auth_token_update_strategy(AuthTokenUpdateStrategyType::Delete);
    }
    Ok(call)
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// Changes the encryption in transit. AWS requires the mode `preferred`, which accepts unencrypted connections too, as
/// an intermediate step in both directions
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-enable.html>).
async fn change_transit_encryption(aws: &Aws, live: &Live<R>, desired: &Desired<R>) -> Result<()> {
    let mode = desired.spec.transit_encryption_mode.as_deref();
    let enabled = desired.if_changed(R::TRANSIT_ENCRYPTION_ENABLED, desired.spec.transit_encryption_enabled);
    let Some(ServerDefault(enabled)) = enabled else {
        if let Some(mode) = desired.if_changed(R::TRANSIT_ENCRYPTION_MODE, mode) {
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
fn replicas(spec: &R) -> i32 {
    spec.replicas_per_node_group.map_or(0, |ServerDefault(count)| count)
}

/// Returns the desired number of replicas, from `numCacheClusters` when it changes.
fn desired_replica_count(desired: &Desired<R>) -> i32 {
    let clusters = desired.if_changed(R::NUM_CACHE_CLUSTERS, desired.spec.num_cache_clusters);
    clusters.map_or_else(|| replicas(&desired.spec), |ServerDefault(count)| count - 1)
}

/// Changes the number of shards. A call that removes shards must name those that are retained.
async fn change_shards(aws: &Aws, live: &Live<R>, count: i32) -> Result<()> {
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
