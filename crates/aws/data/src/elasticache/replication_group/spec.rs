//! ReplicationGroup in documents.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticache::types as sdk;
use holdfast_base::names::{SecurityGroup, Topic};
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use super::log_delivery::LogDeliveryConfiguration;
use super::version::EngineVersion;
use crate::consumed_secret::CurrentVersion;
use crate::elasticache::cache_parameter_group::CacheParameterGroup;
use crate::elasticache::cache_subnet_group::CacheSubnetGroup;
use crate::kms::key::Key;
use crate::secretsmanager::secret::Secret;

/// An ElastiCache replication group: a Valkey or Redis OSS cache of one or more shards, each a primary node with
/// replicas. The name begins with a letter and has at most 40 lower case letters, digits and single hyphens. Creation
/// takes 5 to 15 minutes, and so does nearly every change. Changes apply immediately, not in the maintenance window.
/// The deletion of a group that left the document needs `--delete-data`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationGroup {
    /// The description.
    pub(super) description: String,
    /// The engine. AWS can upgrade `redis` to `valkey`, together with `engineVersion`, but not the reverse
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagement.HowTo.html>).
    #[spec(one_of = ["redis", "valkey"])]
    pub(super) engine: Option<ServerDefault<String>>,
    /// The engine version. Since version 6, state the major and minor version (`7.1`, `8.0`): AWS chooses the patch
    /// version, and its patch upgrades are not drift. Before version 6, state all three numbers (`5.0.6`). AWS does not
    /// support downgrades (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html>).
    #[spec(upgraded_by = "autoMinorVersionUpgrade")]
    pub(super) engine_version: Option<ServerDefault<EngineVersion>>,
    /// The node type of every node: `cache.t4g.micro`, `cache.r7g.large`, …
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html>).
    pub(super) cache_node_type: String,
    /// The number of nodes of a group with one shard, including the primary: at most 6. With several shards, state
    /// `replicasPerNodeGroup` instead. AWS's default for one shard is 1. When the number decreases, AWS chooses the
    /// replicas that it removes
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html>).
    #[spec(range = 1..)]
    pub(super) num_cache_clusters: Option<ServerDefault<i32>>,
    /// The number of shards. More than one shard needs a parameter group with `cluster-enabled`. A change moves data
    /// between the shards while the cache runs (online resharding). When the number decreases, Holdfast removes the
    /// shards with the highest numbers.
    #[spec(range = 1.., default = 1)]
    pub(super) num_node_groups: Option<ServerDefault<i32>>,
    /// The number of replicas of each shard.
    #[spec(range = 0..=5)]
    pub(super) replicas_per_node_group: Option<ServerDefault<i32>>,
    /// The cluster mode; `compatible` is the intermediate step from `disabled` to `enabled`
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/modify-cluster-mode.html>).
    #[spec(one_of = sdk::ClusterMode, default = "disabled")]
    pub(super) cluster_mode: Option<ServerDefault<String>>,
    /// Whether a replica takes over when the primary fails. It needs a replica.
    #[spec(default = false)]
    pub(super) automatic_failover_enabled: Option<ServerDefault<bool>>,
    /// Whether replicas are in other Availability Zones than their primary. It needs `automaticFailoverEnabled`.
    #[spec(default = false)]
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
    #[spec(immutable, default = null)]
    pub(super) kms_key: Option<Ref<Key, Arn>>,
    /// Whether connections are encrypted. To encrypt the connections of an existing group, Holdfast first sets
    /// `transitEncryptionMode: preferred`, as AWS requires
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-enable.html>).
    #[spec(default = false)]
    pub(super) transit_encryption_enabled: Option<ServerDefault<bool>>,
    /// The mode of encryption in transit; `preferred` accepts unencrypted connections too.
    #[spec(one_of = sdk::TransitEncryptionMode, default = "required", when = "transitEncryptionEnabled")]
    pub(super) transit_encryption_mode: Option<String>,
    /// The secret with the AUTH token, the password of all clients: 16 to 128 characters. It needs
    /// `transitEncryptionEnabled`. Holdfast sets the password again whenever the secret has a new version.
    pub(super) auth_token: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret that holds the password, when the secret's value is JSON.
    pub(super) auth_token_key: Option<String>,
    /// The strategy of password changes: `ROTATE` (the default) keeps the previous password valid until the next
    /// change; `SET` accepts only the new password. If a password is added to an existing group, clients without a
    /// password are accepted until a `SET` (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>).
    #[spec(one_of = ["ROTATE", "SET"])]
    pub(super) auth_token_update_strategy: Option<String>,
    /// The id of the user group whose users may connect, in place of `authToken`.
    #[spec(items = ..=1, pattern = "[a-zA-Z][a-zA-Z0-9-]*")]
    pub(super) user_group_ids: Option<BTreeSet<String>>,
    /// The log delivery, by log type: `slow-log` or `engine-log`.
    pub(super) log_delivery_configurations: Option<BTreeMap<String, LogDeliveryConfiguration>>,
    /// The retention period of automatic snapshots in days; 0 for no snapshots
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/backups-automatic.html>).
    #[spec(range = 0..=35, default = 0)]
    pub(super) snapshot_retention_limit: Option<ServerDefault<i32>>,
    /// The daily time range of automatic snapshots, in UTC: `05:00-09:00`. By default AWS chooses one.
    #[spec(pattern = "([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")]
    pub(super) snapshot_window: Option<ServerDefault<String>>,
    /// The weekly time range of maintenance by AWS, in UTC: `sun:23:00-mon:01:30`. By default AWS chooses one.
    #[spec(
        pattern = "([Ss][Uu][Nn]|[Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]):([01][0-9]|2[0-3]):[0-5][0-9]-\
                   ([Ss][Uu][Nn]|[Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]):([01][0-9]|2[0-3]):[0-5][0-9]",
        spelling = AnyCase
    )]
    pub(super) preferred_maintenance_window: Option<ServerDefault<String>>,
    /// Whether AWS upgrades the minor version automatically. A later minor version of the stated major version is then
    /// not drift.
    #[spec(default = true)]
    pub(super) auto_minor_version_upgrade: Option<ServerDefault<bool>>,
    /// The port.
    #[spec(immutable, default = 6379)]
    pub(super) port: Option<ServerDefault<i32>>,
    /// The SNS topic for events such as failovers.
    pub(super) notification_topic: Option<Ref<Topic, Arn>>,
    /// The network type.
    #[spec(immutable, one_of = sdk::NetworkType, default = "ipv4")]
    pub(super) network_type: Option<ServerDefault<String>>,
    /// The type of the IP addresses that the cache reports to clients.
    #[spec(one_of = sdk::IpDiscovery)]
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
