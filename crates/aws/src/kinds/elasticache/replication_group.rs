//! ReplicationGroup: not there yet.

use std::collections::{BTreeMap, BTreeSet};

use super::cache_parameter_group::CacheParameterGroup;
use super::cache_subnet_group::CacheSubnetGroup;
use super::version::EngineVersion;
use crate::kinds::ec2::security_group::SecurityGroup;
use crate::kinds::kms::key::Key;
use crate::kinds::logs::log_group::LogGroup;
use crate::kinds::secretsmanager::CurrentVersion;
use crate::kinds::secretsmanager::secret::Secret;
use crate::kinds::sns::topic::Topic;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Name, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// A Valkey or Redis OSS cache: one primary node with replicas, or several such shards. Its name begins with a letter
/// and has at most 40 lower case letters, digits and single hyphens. Making one takes 5 to 15 minutes, and so does
/// nearly every change; changes are made at once, not in the maintenance window. Data is kept when it leaves the
/// document, unless the document says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationGroup {
    /// What it is for.
    description: String,
    /// `redis` or `valkey`. A `redis` one can become a `valkey` one, with its `engineVersion`; not the other way
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagement.HowTo.html>).
    engine: Option<Always<String>>,
    /// Since version 6 the major and minor version, `7.1`, `8.0`: AWS picks the patch, and its upgrades of that are no
    /// drift. Before that all three numbers, `5.0.6`. AWS never goes back to an older version
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html>).
    engine_version: Option<Always<EngineVersion>>,
    /// The size of every node: `cache.t4g.micro`, `cache.r7g.large`, …
    cache_node_type: String,
    /// How many nodes there are, the primary included: 1 to 6. For one shard; with several `replicasPerNodeGroup`
    /// counts. AWS's default is 1. AWS chooses which replica goes.
    num_cache_clusters: Option<Always<i32>>,
    /// How many shards there are. More than one needs a parameter group with `cluster-enabled`. Data moves between
    /// shards while the cache runs; those with the highest numbers go first.
    num_node_groups: Option<Always<i32>>,
    /// How many replicas each shard has: 0 to 5.
    replicas_per_node_group: Option<Always<i32>>,
    /// `enabled`, `disabled` (AWS's default) or `compatible`, which is the way from `disabled` to `enabled`
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/modify-cluster-mode.html>).
    cluster_mode: Option<Always<String>>,
    /// Whether a replica takes over when the primary fails; needs a replica. AWS's default is false.
    automatic_failover_enabled: Option<Always<bool>>,
    /// Whether replicas are in other zones than their primary; needs `automaticFailoverEnabled`. AWS's default is false.
    multi_az_enabled: Option<Always<bool>>,
    /// Where its nodes are placed. Without one AWS uses the group `default`, of the default VPC.
    #[spec(immutable)]
    cache_subnet_group: Option<Always<Ref<CacheSubnetGroup>>>,
    /// The settings of the engine; `{ id: default.valkey8 }` for AWS's own.
    cache_parameter_group: Option<Always<Ref<CacheParameterGroup>>>,
    /// Who can reach it. Without any AWS uses the default group of the VPC.
    security_groups: Option<Always<BTreeSet<Ref<SecurityGroup>>>>,
    /// Whether what is on disk is encrypted. AWS's default is true for Valkey and false for Redis OSS.
    #[spec(immutable)]
    at_rest_encryption_enabled: Option<Always<bool>>,
    /// The key that encrypts what is on disk; without one the service's own.
    #[spec(immutable)]
    kms_key: Option<Ref<Key, Arn>>,
    /// Whether connections are encrypted. AWS's default is false. It can be switched on later by way of
    /// `transitEncryptionMode: preferred`, which Holdfast takes
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-enable.html>).
    transit_encryption_enabled: Option<Always<bool>>,
    /// `required`, or `preferred`: plain connections work too.
    transit_encryption_mode: Option<String>,
    /// The secret with the password that clients send, 16 to 128 characters; needs `transitEncryptionEnabled`. A new
    /// version of the secret is given to the group.
    auth_token: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret, where its value is JSON.
    auth_token_key: Option<String>,
    /// `ROTATE` (the default): the password before works too, until the next one. `SET`: only the new one works. When
    /// a group gets its first password later, clients without one are let in until a `SET`
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>).
    auth_token_update_strategy: Option<String>,
    /// The group of users who may connect, by its id, in place of `authToken`: at most one.
    user_group_ids: Option<BTreeSet<String>>,
    /// Where logs go, by their type: `slow-log` or `engine-log`.
    log_delivery_configurations: Option<BTreeMap<String, LogDelivery>>,
    /// Days that automatic snapshots are kept: 0 (AWS's default, none are made) to 35.
    snapshot_retention_limit: Option<Always<i32>>,
    /// When they are made, in UTC: `05:00-09:00`. AWS chooses one.
    snapshot_window: Option<Always<String>>,
    /// When AWS may do maintenance, in UTC: `sun:23:00-mon:01:30`. AWS chooses one.
    preferred_maintenance_window: Option<Always<String>>,
    /// Whether AWS upgrades the minor version. AWS's default is true. State no `engineVersion` then, or follow it.
    auto_minor_version_upgrade: Option<Always<bool>>,
    /// Where it listens. AWS's default is 6379.
    #[spec(immutable)]
    port: Option<Always<i32>>,
    /// Where AWS tells of failovers and the like.
    notification_topic: Option<Ref<Topic, Arn>>,
    /// `ipv4` (AWS's default), `ipv6` or `dual_stack`.
    #[spec(immutable)]
    network_type: Option<Always<String>>,
    /// `ipv4` or `ipv6`: which addresses clients are told.
    ip_discovery: Option<Always<String>>,
    /// Whether data moves to disk as well; needs `r6gd` nodes, and they need it.
    #[spec(immutable)]
    data_tiering_enabled: Option<Always<bool>>,
    /// The name of the snapshot that is made when it is deleted; `null` for none. It is kept in the tag
    /// `holdfast:final-snapshot` of the group, since a deletion knows no document.
    final_snapshot_identifier: Option<String>,
}

/// Where logs of one type go: exactly one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogDelivery {
    /// A log group of CloudWatch Logs. Its resource policy has to let `delivery.logs.amazonaws.com` write; AWS adds
    /// that by itself where the caller may
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html>).
    pub(crate) log_group: Option<Ref<LogGroup, Name>>,
    /// The name of a stream of Data Firehose.
    pub(crate) delivery_stream: Option<String>,
    /// `json` or `text`.
    pub(crate) log_format: String,
}

/// What only AWS knows of a ReplicationGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationGroupStatus {
    /// Its ARN.
    arn: String,
    /// The name by which clients reach the primary; none with several shards.
    primary_endpoint: Option<String>,
    /// The name by which clients reach the replicas; none with several shards.
    reader_endpoint: Option<String>,
    /// The name by which clients reach all shards; none without cluster mode.
    configuration_endpoint: Option<String>,
    /// The port of the endpoints.
    port: Option<i32>,
    /// The ids of its nodes: the `CacheClusterId` dimension of their metrics.
    member_clusters: Vec<String>,
}

impl Kind for ReplicationGroup {
    type Status = ReplicationGroupStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("ReplicationGroup", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("ReplicationGroup", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("ReplicationGroup", "this kind is not there yet"))
    }
}
