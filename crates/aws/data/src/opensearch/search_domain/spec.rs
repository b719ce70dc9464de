//! The parts of a domain's configuration, as documents state them.

use std::collections::BTreeSet;

use holdfast_base::names::Certificate;
use holdfast_base::names::LogGroup;
use holdfast_base::names::Role;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::kms::key::Key;

/// The cluster configuration: the nodes of a domain
/// (<https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_ClusterConfig.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterConfig {
    /// The instance type of the data nodes: `t3.small.search`, `r7g.large.search`, …
    pub(crate) instance_type: Option<ServerDefault<String>>,
    /// The number of data nodes. AWS's default is 1.
    pub(crate) instance_count: Option<ServerDefault<i32>>,
    /// Whether the nodes are spread over several Availability Zones. AWS's default is `false`.
    pub(crate) zone_awareness_enabled: Option<ServerDefault<bool>>,
    /// The number of Availability Zones; only with `zoneAwarenessEnabled`.
    pub(crate) zone_awareness_config: Option<ZoneAwarenessConfig>,
    /// Whether the cluster has dedicated master nodes, which only manage the cluster. AWS's default is `false`.
    pub(crate) dedicated_master_enabled: Option<ServerDefault<bool>>,
    /// The instance type of the dedicated master nodes.
    pub(crate) dedicated_master_type: Option<String>,
    /// The number of dedicated master nodes: 3 or 5.
    pub(crate) dedicated_master_count: Option<i32>,
    /// Whether the cluster has UltraWarm nodes, for old data. AWS's default is `false`.
    pub(crate) warm_enabled: Option<ServerDefault<bool>>,
    /// The instance type of the UltraWarm nodes: `ultrawarm1.medium.search`, …
    pub(crate) warm_type: Option<String>,
    /// The number of UltraWarm nodes.
    pub(crate) warm_count: Option<i32>,
    /// Whether the domain has cold storage, in addition to UltraWarm nodes.
    pub(crate) cold_storage_enabled: Option<bool>,
    /// Whether the domain is Multi-AZ with Standby: the nodes of one of three zones are on standby. AWS's default is
    /// `false`.
    pub(crate) multi_az_with_standby_enabled: Option<ServerDefault<bool>>,
}

/// The zone awareness configuration: the number of Availability Zones of the nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZoneAwarenessConfig {
    /// The number of Availability Zones: 2 (AWS's default) or 3.
    pub(crate) availability_zone_count: Option<ServerDefault<i32>>,
}

/// The EBS volume of each data node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EbsOptions {
    /// Whether each data node has an EBS volume; instance types with instance storage have none.
    pub(crate) ebs_enabled: bool,
    /// The volume type: `gp3`, `gp2`, `io1` or `standard`.
    pub(crate) volume_type: Option<ServerDefault<String>>,
    /// The volume size in GiB.
    pub(crate) volume_size: Option<ServerDefault<i32>>,
    /// The I/O operations a second; for `gp3` and `io1`. AWS's default for `gp3` is 3000.
    pub(crate) iops: Option<ServerDefault<i32>>,
    /// The throughput in MiB a second; for `gp3`. AWS's default is 125.
    pub(crate) throughput: Option<ServerDefault<i32>>,
}

/// The VPC options: the subnets and security groups of a domain in a VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcOptions {
    /// The subnets: one for each Availability Zone of the domain.
    pub(crate) subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups, which decide who can reach the domain. Without any, AWS uses the VPC's default security
    /// group.
    pub(crate) security_groups: Option<ServerDefault<BTreeSet<Ref<SecurityGroup>>>>,
}

/// The encryption of data at rest. AWS can enable it on a live domain, and cannot disable it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EncryptionAtRestOptions {
    /// Whether encryption at rest is enabled.
    pub(crate) enabled: bool,
    /// The KMS key; without one, the AWS managed key `aws/es`.
    #[spec(immutable)]
    pub(crate) kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
}

/// The encryption of the connections between nodes. AWS can enable it on a live domain, and cannot disable it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeToNodeEncryptionOptions {
    /// Whether node-to-node encryption is enabled.
    pub(crate) enabled: bool,
}

/// The domain endpoint options: how clients connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainEndpointOptions {
    /// Whether the domain accepts only HTTPS. AWS's default is `false`.
    #[serde(rename = "enforceHTTPS")]
    pub(crate) enforce_https: Option<ServerDefault<bool>>,
    /// The TLS security policy: `Policy-Min-TLS-1-2-2019-07` (AWS's default), `Policy-Min-TLS-1-2-PFS-2023-10`, …
    pub(crate) tls_security_policy: Option<ServerDefault<String>>,
    /// Whether the domain has a custom endpoint. AWS's default is `false`.
    pub(crate) custom_endpoint_enabled: Option<ServerDefault<bool>>,
    /// The host name of the custom endpoint. A DNS record must point it at the domain endpoint.
    pub(crate) custom_endpoint: Option<String>,
    /// The ACM certificate of the custom endpoint.
    pub(crate) custom_endpoint_certificate: Option<Ref<Certificate, Arn>>,
}

/// Fine-grained access control. AWS can enable it on a live domain, and cannot disable it. It requires encryption at
/// rest, node-to-node encryption and `enforceHTTPS`
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/fgac.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedSecurityOptions {
    /// Whether fine-grained access control is enabled.
    pub(crate) enabled: bool,
    /// Whether the domain has an internal user database, with users and passwords. AWS's default is `false`.
    pub(crate) internal_user_database_enabled: Option<ServerDefault<bool>>,
    /// Whether anonymous access still works, for a migration period of 30 days after fine-grained access control was
    /// enabled.
    pub(crate) anonymous_auth_enabled: Option<bool>,
}

/// The advanced options: settings of the whole cluster
/// (<https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_CreateDomain.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedOptions {
    /// `rest.action.multi.allow_explicit_index`: whether the body of a bulk request may name an index. AWS's default is
    /// `true`. State `false` if access policies are for single indexes.
    pub(crate) rest_action_multi_allow_explicit_index: Option<ServerDefault<bool>>,
    /// `indices.fielddata.cache.size`: the share of the heap for field data, in percent, as text.
    pub(crate) indices_fielddata_cache_size: Option<String>,
    /// `indices.query.bool.max_clause_count`: the maximum number of clauses of a query, as text. AWS's default is 1024.
    pub(crate) indices_query_bool_max_clause_count: Option<String>,
    /// `override_main_response_version`: whether the domain reports version 7.10, for old clients. AWS's default is
    /// `false`.
    pub(crate) override_main_response_version: Option<ServerDefault<bool>>,
}

/// The log publishing option of one log type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogPublishingOption {
    /// The log group that receives the logs. A resource policy of CloudWatch Logs must let `es.amazonaws.com` write
    /// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html>).
    pub(crate) cloud_watch_logs_log_group: Ref<LogGroup, Arn>,
}

/// Amazon Cognito authentication for OpenSearch Dashboards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CognitoOptions {
    /// Whether Cognito authentication is enabled.
    pub(crate) enabled: bool,
    /// The id of the user pool.
    pub(crate) user_pool_id: Option<String>,
    /// The id of the identity pool.
    pub(crate) identity_pool_id: Option<String>,
    /// The role with which OpenSearch Service configures Cognito: it needs `AmazonOpenSearchServiceCognitoAccess`.
    pub(crate) role: Option<Ref<Role, Arn>>,
}

/// Auto-Tune, with which AWS tunes memory settings
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/auto-tune.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoTuneOptions {
    /// `ENABLED` or `DISABLED`. `t2` and `t3` nodes do not support Auto-Tune.
    pub(crate) desired_state: Option<ServerDefault<String>>,
    /// Whether disruptive changes wait for the off-peak window.
    pub(crate) use_off_peak_window: Option<ServerDefault<bool>>,
}

/// The off-peak window: ten hours of each day in which AWS may do maintenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OffPeakWindowOptions {
    /// Whether the domain has an off-peak window. AWS cannot disable an enabled window.
    pub(crate) enabled: Option<ServerDefault<bool>>,
    /// The hour at which the window begins, in UTC. AWS chooses the hour if it is not stated.
    pub(crate) hours: Option<ServerDefault<i64>>,
    /// The minute at which the window begins.
    pub(crate) minutes: Option<ServerDefault<i64>>,
}

/// The software update options: automatic updates of the service software.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SoftwareUpdateOptions {
    /// Whether AWS installs service software updates in the off-peak window. AWS's default is `false`.
    pub(crate) auto_software_update_enabled: Option<ServerDefault<bool>>,
}
