//! The changes of a replication group. AWS takes one at a time and refuses the next until it is through: that is an
//! error which the engine waits out, after which what still differs is changed.

use aws_sdk_elasticache::operation::modify_replication_group::builders::ModifyReplicationGroupFluentBuilder as Modify;
use aws_sdk_elasticache::types::{AuthTokenUpdateStrategyType, ReplicationGroup as Group, TransitEncryptionMode};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Desired, Live};
use holdfast_core::types::Always;

use super::auth_token;
use super::elasticache;
use super::log_delivery::requests;
use super::replication_group::ReplicationGroup;

/// The fields that one ModifyReplicationGroup takes together.
const TOGETHER: [&str; 17] = [
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

pub(super) async fn change(
    aws: &Aws,
    live: &Live<ReplicationGroup>,
    desired: &Desired<ReplicationGroup>,
) -> Result<()> {
    let (replicas, wanted) = (replicas(&live.spec), replicas_wanted(desired));
    // Failover needs a replica first; else the replicas, which take longest, come last.
    let failover = desired.changed("automaticFailoverEnabled") || desired.changed("multiAzEnabled");
    if failover && wanted > replicas {
        increase(aws, &live.id, wanted).await?;
    }
    let no_token = desired.changed("authToken") && desired.spec.auth_token.is_none();
    if no_token || TOGETHER.iter().any(|field| desired.changed(field)) {
        together(aws, live, desired)?.send().await?;
    }
    transit(aws, live, desired).await?;
    if desired.changed("authToken") || desired.changed("authTokenKey") {
        auth_token::give(aws, live, desired).await?;
    }
    if !failover && wanted > replicas {
        increase(aws, &live.id, wanted).await?;
    }
    if wanted < replicas {
        let decrease = elasticache(aws).decrease_replica_count().replication_group_id(&live.id);
        decrease.new_replica_count(wanted).apply_immediately(true).send().await?;
    }
    if let Some(Always(count)) = desired.spec.num_node_groups.filter(|_| desired.changed("numNodeGroups")) {
        shards(aws, live, count).await?;
    }
    Ok(())
}

fn modify(aws: &Aws, id: &str) -> Modify {
    elasticache(aws).modify_replication_group().replication_group_id(id).apply_immediately(true)
}

fn together(aws: &Aws, live: &Live<ReplicationGroup>, desired: &Desired<ReplicationGroup>) -> Result<Modify> {
    let (spec, changed) = (&desired.spec, |field: &str| desired.changed(field));
    let group: &Group = live.raw()?;
    let mut call = modify(aws, &live.id)
        .set_replication_group_description(changed("description").then(|| spec.description.clone()))
        .set_engine(spec.engine.as_deref().filter(|_| changed("engine")).cloned())
        .set_engine_version(spec.engine_version.as_deref().filter(|_| changed("engineVersion")).map(|v| v.0.clone()))
        .set_cache_node_type(changed("cacheNodeType").then(|| spec.cache_node_type.clone()))
        .set_automatic_failover_enabled(plain(spec.automatic_failover_enabled, changed("automaticFailoverEnabled")))
        .set_multi_az_enabled(plain(spec.multi_az_enabled, changed("multiAzEnabled")))
        .set_cluster_mode(spec.cluster_mode.as_deref().filter(|_| changed("clusterMode")).map(|m| m.as_str().into()))
        .set_preferred_maintenance_window(
            spec.preferred_maintenance_window.as_deref().filter(|_| changed("preferredMaintenanceWindow")).cloned(),
        )
        .set_auto_minor_version_upgrade(plain(spec.auto_minor_version_upgrade, changed("autoMinorVersionUpgrade")))
        .set_snapshot_retention_limit(plain(spec.snapshot_retention_limit, changed("snapshotRetentionLimit")))
        .set_snapshot_window(spec.snapshot_window.as_deref().filter(|_| changed("snapshotWindow")).cloned())
        .set_ip_discovery(spec.ip_discovery.as_deref().filter(|_| changed("ipDiscovery")).map(|d| d.as_str().into()));
    if let Some(of) = spec.cache_parameter_group.as_deref().filter(|_| changed("cacheParameterGroup")) {
        call = call.cache_parameter_group_name(of.as_str());
    }
    if let Some(groups) = spec.security_groups.as_deref().filter(|_| changed("securityGroups")) {
        call = call.set_security_group_ids(Some(groups.iter().cloned().map(String::from).collect()));
    }
    if changed("notificationTopic") {
        call = call
            .set_notification_topic_arn(spec.notification_topic.clone().map(String::from))
            .notification_topic_status(if spec.notification_topic.is_some() { "active" } else { "inactive" });
    }
    // Snapshots are made of one node, which has to be named when they are switched on; of every shard otherwise.
    if changed("snapshotRetentionLimit")
        && group.snapshotting_cluster_id.is_none()
        && group.cluster_enabled != Some(true)
    {
        call = call.set_snapshotting_cluster_id(group.member_clusters().last().cloned());
    }
    if changed("logDeliveryConfigurations") {
        let requests =
            requests(live.spec.log_delivery_configurations.as_ref(), spec.log_delivery_configurations.as_ref());
        call = call.set_log_delivery_configurations(Some(requests));
    }
    if changed("userGroupIds") {
        let (there, wanted) = (live.spec.user_group_ids.clone(), spec.user_group_ids.clone());
        let (there, wanted) = (there.unwrap_or_default(), wanted.unwrap_or_default());
        call = call
            .set_user_group_ids_to_add(some(wanted.difference(&there).cloned().collect()))
            .set_user_group_ids_to_remove(some(there.difference(&wanted).cloned().collect()));
    }
    if changed("authToken") && spec.auth_token.is_none() {
        call = call.auth_token_update_strategy(AuthTokenUpdateStrategyType::Delete);
    }
    Ok(call)
}

fn plain<T: Copy>(value: Option<Always<T>>, changed: bool) -> Option<T> {
    value.filter(|_| changed).map(|Always(value)| value)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// Plain connections have to be let in (`preferred`) on the way to encryption and on the way back
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-enable.html>).
async fn transit(aws: &Aws, live: &Live<ReplicationGroup>, desired: &Desired<ReplicationGroup>) -> Result<()> {
    let mode = desired.spec.transit_encryption_mode.as_deref();
    let Some(Always(enabled)) =
        desired.spec.transit_encryption_enabled.filter(|_| desired.changed("transitEncryptionEnabled"))
    else {
        if let Some(mode) = mode.filter(|_| desired.changed("transitEncryptionMode")) {
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

async fn increase(aws: &Aws, id: &str, count: i32) -> Result<()> {
    let increase = elasticache(aws).increase_replica_count().replication_group_id(id);
    increase.new_replica_count(count).apply_immediately(true).send().await?;
    Ok(())
}

/// The replicas of each shard.
fn replicas(spec: &ReplicationGroup) -> i32 {
    spec.replicas_per_node_group.map_or(0, |Always(count)| count)
}

fn replicas_wanted(desired: &Desired<ReplicationGroup>) -> i32 {
    let clusters = desired.spec.num_cache_clusters.filter(|_| desired.changed("numCacheClusters"));
    let replicas_there = replicas(&desired.spec);
    match clusters {
        Some(Always(count)) => count - 1,
        None => replicas_there,
    }
}

/// When shards go, those that stay have to be named.
async fn shards(aws: &Aws, live: &Live<ReplicationGroup>, count: i32) -> Result<()> {
    let group: &Group = live.raw()?;
    let mut there: Vec<String> = group.node_groups().iter().filter_map(|shard| shard.node_group_id.clone()).collect();
    there.sort_unstable();
    let stay = usize::try_from(count).unwrap_or_default();
    let retain = (stay < there.len()).then(|| there[..stay].to_vec());
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
