//! SearchDomain in documents: a domain and the parts of its configuration.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_opensearch::types as sdk;
use holdfast_base::names::{Certificate, LogGroup, Role, SecurityGroup, Subnet};
use holdfast_core::Spec;
use holdfast_core::types::{Arn, PolicyDocument, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::consumed_secret::CurrentVersion;
use crate::kms::key::Key;
use crate::secretsmanager::secret::Secret;

/// An OpenSearch Service domain: a cluster of OpenSearch.
///
/// The name of a domain begins with a letter and has 3 to 28 lower case letters, digits and hyphens. A create takes 15
/// to 30 minutes. Most changes are blue/green deployments: AWS builds a second cluster and moves the data, which takes
/// as long
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/managedomains-configuration-changes.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomain {
    /// The engine version: `OpenSearch_2.19`, `OpenSearch_3.1`, `Elasticsearch_7.10`, … AWS never downgrades a domain.
    #[spec(pattern = "(Elasticsearch|OpenSearch)_.+")]
    pub(super) engine_version: Option<ServerDefault<String>>,
    /// The nodes of the domain.
    #[spec(never_null)]
    pub(super) cluster_config: Option<ClusterConfig>,
    /// The EBS volumes of the data nodes.
    #[spec(never_null)]
    pub(super) ebs_options: Option<EbsOptions>,
    /// The VPC options. Without them the domain is public. AWS cannot change a public domain into a VPC domain, or
    /// back.
    pub(super) vpc_options: Option<VpcOptions>,
    /// The IP address type. AWS cannot change `dualstack` back to `ipv4`.
    #[spec(one_of = sdk::IpAddressType, default = "ipv4")]
    pub(super) ip_address_type: Option<ServerDefault<String>>,
    /// The access policy of the domain; `null` for no policy.
    pub(super) access_policies: Option<PolicyDocument>,
    /// The encryption of data at rest.
    #[spec(never_null)]
    pub(super) encryption_at_rest_options: Option<EncryptionAtRestOptions>,
    /// The encryption of the connections between nodes.
    #[spec(never_null)]
    pub(super) node_to_node_encryption_options: Option<NodeToNodeEncryptionOptions>,
    /// The endpoint options: how clients connect.
    #[spec(never_null)]
    pub(super) domain_endpoint_options: Option<DomainEndpointOptions>,
    /// Fine-grained access control.
    #[spec(never_null)]
    pub(super) advanced_security_options: Option<AdvancedSecurityOptions>,
    /// The ARN of the master user, an IAM role or user with all permissions; for fine-grained access control without an
    /// internal user database.
    pub(super) master_user_arn: Option<Arn>,
    /// The name of the master user, which has all permissions; for fine-grained access control with
    /// `internalUserDatabaseEnabled`.
    #[spec(length = 1..=64)]
    pub(super) master_user_name: Option<String>,
    /// The secret that holds the master user's password. Holdfast puts each new version of the secret into the domain.
    pub(super) master_user_password: Option<Ref<Secret, CurrentVersion>>,
    /// The JSON field of the secret value that holds the password, if the value is a JSON object.
    pub(super) master_user_password_key: Option<String>,
    /// The log groups, by log type: `INDEX_SLOW_LOGS`, `SEARCH_SLOW_LOGS`, `ES_APPLICATION_LOGS` or `AUDIT_LOGS`.
    pub(super) log_publishing_options: Option<BTreeMap<String, LogPublishingOption>>,
    /// The settings of the whole cluster.
    #[spec(never_null)]
    pub(super) advanced_options: Option<AdvancedOptions>,
    /// Amazon Cognito authentication for OpenSearch Dashboards.
    pub(super) cognito_options: Option<CognitoOptions>,
    /// Auto-Tune, with which AWS tunes memory settings.
    #[spec(never_null)]
    pub(super) auto_tune_options: Option<AutoTuneOptions>,
    /// The off-peak window, in which AWS may do maintenance.
    #[spec(never_null)]
    pub(super) off_peak_window_options: Option<OffPeakWindowOptions>,
    /// Automatic updates of the service software.
    #[spec(never_null)]
    pub(super) software_update_options: Option<SoftwareUpdateOptions>,
}

/// The read-only attributes of a SearchDomain.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomainStatus {
    /// The ARN of the domain.
    pub(super) arn: String,
    /// The endpoint: the host name that clients resolve, as soon as AWS has assigned it.
    pub(super) endpoint: Option<String>,
    /// The domain id: `<account>/<name>`.
    pub(super) domain_id: String,
}

/// The cluster configuration: the nodes of a domain
/// (<https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_ClusterConfig.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterConfig {
    /// The instance type of the data nodes: `t3.small.search`, `r7g.large.search`, …
    // Not the values of the SDK's enum: AWS adds instance types between its releases.
    #[spec(pattern = "[a-z0-9]+[.][a-z0-9]+[.](search|elasticsearch)")]
    pub(super) instance_type: Option<ServerDefault<String>>,
    /// The number of data nodes.
    #[spec(range = 1.., default = 1)]
    pub(super) instance_count: Option<ServerDefault<i32>>,
    /// Whether the nodes are spread over several Availability Zones.
    #[spec(default = false)]
    pub(super) zone_awareness_enabled: Option<ServerDefault<bool>>,
    /// The number of Availability Zones; only with `zoneAwarenessEnabled`.
    #[spec(when = "zoneAwarenessEnabled")]
    pub(super) zone_awareness_config: Option<ZoneAwarenessConfig>,
    /// Whether the cluster has dedicated master nodes, which only manage the cluster.
    #[spec(default = false)]
    pub(super) dedicated_master_enabled: Option<ServerDefault<bool>>,
    /// The instance type of the dedicated master nodes.
    #[spec(pattern = "[a-z0-9]+[.][a-z0-9]+[.](search|elasticsearch)", when = "dedicatedMasterEnabled")]
    pub(super) dedicated_master_type: Option<String>,
    /// The number of dedicated master nodes: 3 or 5, and not 4
    /// (<https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_ClusterConfig.html>).
    #[spec(range = 3.., when = "dedicatedMasterEnabled")]
    pub(super) dedicated_master_count: Option<i32>,
    /// Whether the cluster has UltraWarm nodes, for old data.
    #[spec(default = false)]
    pub(super) warm_enabled: Option<ServerDefault<bool>>,
    /// The instance type of the UltraWarm nodes: `ultrawarm1.medium.search`, …
    #[spec(pattern = "ultrawarm[0-9]+[.][a-z0-9]+[.](search|elasticsearch)", when = "warmEnabled")]
    pub(super) warm_type: Option<String>,
    /// The number of UltraWarm nodes.
    #[spec(when = "warmEnabled")]
    pub(super) warm_count: Option<i32>,
    /// Whether the domain has cold storage, in addition to UltraWarm nodes.
    #[spec(default = false)]
    pub(super) cold_storage_enabled: Option<bool>,
    /// Whether the domain is Multi-AZ with Standby: the nodes of one of three zones are on standby.
    #[spec(default = false)]
    pub(super) multi_az_with_standby_enabled: Option<ServerDefault<bool>>,
}

/// The zone awareness configuration: the number of Availability Zones of the nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZoneAwarenessConfig {
    /// The number of Availability Zones.
    #[spec(range = 2..=3, default = 2)]
    pub(super) availability_zone_count: Option<ServerDefault<i32>>,
}

/// The EBS volume of each data node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EbsOptions {
    /// Whether each data node has an EBS volume; instance types with instance storage have none.
    pub(super) ebs_enabled: bool,
    /// The volume type.
    #[spec(one_of = sdk::VolumeType)]
    pub(super) volume_type: Option<ServerDefault<String>>,
    /// The volume size in GiB.
    pub(super) volume_size: Option<ServerDefault<i32>>,
    /// The I/O operations a second; for `gp3` and `io1`. AWS's default for `gp3` is 3000.
    pub(super) iops: Option<ServerDefault<i32>>,
    /// The throughput in MiB a second; for `gp3`.
    #[spec(default = 125)]
    pub(super) throughput: Option<ServerDefault<i32>>,
}

/// The VPC options: the subnets and security groups of a domain in a VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcOptions {
    /// The subnets: one for each Availability Zone of the domain.
    pub(super) subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups, which decide who can reach the domain. Without any, AWS uses the VPC's default security
    /// group.
    pub(super) security_groups: Option<ServerDefault<BTreeSet<Ref<SecurityGroup>>>>,
}

/// The encryption of data at rest. AWS can enable it on a live domain, and cannot disable it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EncryptionAtRestOptions {
    /// Whether encryption at rest is enabled.
    pub(super) enabled: bool,
    /// The KMS key; without one, the AWS managed key `aws/es`.
    #[spec(immutable)]
    pub(super) kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
}

/// The encryption of the connections between nodes. AWS can enable it on a live domain, and cannot disable it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeToNodeEncryptionOptions {
    /// Whether node-to-node encryption is enabled.
    pub(super) enabled: bool,
}

/// The domain endpoint options: how clients connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainEndpointOptions {
    /// Whether the domain accepts only HTTPS.
    #[spec(default = false)]
    #[serde(rename = "enforceHTTPS")]
    pub(super) enforce_https: Option<ServerDefault<bool>>,
    /// The TLS security policy: the oldest TLS version, and the ciphers.
    #[spec(one_of = sdk::TlsSecurityPolicy, default = "Policy-Min-TLS-1-2-2019-07")]
    pub(super) tls_security_policy: Option<ServerDefault<String>>,
    /// Whether the domain has a custom endpoint.
    #[spec(default = false)]
    pub(super) custom_endpoint_enabled: Option<ServerDefault<bool>>,
    /// The host name of the custom endpoint. A DNS record must point it at the domain endpoint.
    #[spec(length = 1..=255)]
    pub(super) custom_endpoint: Option<String>,
    /// The ACM certificate of the custom endpoint.
    pub(super) custom_endpoint_certificate: Option<Ref<Certificate, Arn>>,
}

/// Fine-grained access control. AWS can enable it on a live domain, and cannot disable it. It requires encryption at
/// rest, node-to-node encryption and `enforceHTTPS`
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/fgac.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedSecurityOptions {
    /// Whether fine-grained access control is enabled.
    pub(super) enabled: bool,
    /// Whether the domain has an internal user database, with users and passwords.
    #[spec(default = false)]
    pub(super) internal_user_database_enabled: Option<ServerDefault<bool>>,
    /// Whether anonymous access still works, for a migration period of 30 days after fine-grained access control was
    /// enabled.
    #[spec(default = false)]
    pub(super) anonymous_auth_enabled: Option<bool>,
}

/// The advanced options: settings of the whole cluster
/// (<https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_CreateDomain.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedOptions {
    /// `rest.action.multi.allow_explicit_index`: whether the body of a bulk request may name an index. State `false` if
    /// access policies are for single indexes.
    #[spec(default = true)]
    pub(super) rest_action_multi_allow_explicit_index: Option<ServerDefault<bool>>,
    /// `indices.fielddata.cache.size`: the share of the heap for field data, in percent, as text.
    pub(super) indices_fielddata_cache_size: Option<String>,
    /// `indices.query.bool.max_clause_count`: the maximum number of clauses of a query, as text.
    #[spec(default = "1024")]
    pub(super) indices_query_bool_max_clause_count: Option<String>,
    /// `override_main_response_version`: whether the domain reports version 7.10, for old clients.
    #[spec(default = false)]
    pub(super) override_main_response_version: Option<ServerDefault<bool>>,
}

/// The log publishing option of one log type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogPublishingOption {
    /// The log group that receives the logs. A resource policy of CloudWatch Logs must let `es.amazonaws.com` write
    /// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html>).
    pub(super) cloud_watch_logs_log_group: Ref<LogGroup, Arn>,
}

/// Amazon Cognito authentication for OpenSearch Dashboards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CognitoOptions {
    /// Whether Cognito authentication is enabled.
    pub(super) enabled: bool,
    /// The id of the user pool.
    #[spec(length = 1..=55, pattern = r"[\w-]+_[0-9a-zA-Z]+")]
    pub(super) user_pool_id: Option<String>,
    /// The id of the identity pool.
    #[spec(length = 1..=55, pattern = r"[\w-]+:[0-9a-f-]+")]
    pub(super) identity_pool_id: Option<String>,
    /// The role with which OpenSearch Service configures Cognito: it needs `AmazonOpenSearchServiceCognitoAccess`.
    pub(super) role: Option<Ref<Role, Arn>>,
}

/// Auto-Tune, with which AWS tunes memory settings
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/auto-tune.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoTuneOptions {
    /// The desired state. `t2` and `t3` nodes do not support Auto-Tune.
    #[spec(one_of = sdk::AutoTuneDesiredState)]
    pub(super) desired_state: Option<ServerDefault<String>>,
    /// Whether disruptive changes wait for the off-peak window.
    pub(super) use_off_peak_window: Option<ServerDefault<bool>>,
}

/// The off-peak window: ten hours of each day in which AWS may do maintenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OffPeakWindowOptions {
    /// Whether the domain has an off-peak window. AWS cannot disable an enabled window.
    pub(super) enabled: Option<ServerDefault<bool>>,
    /// The hour at which the window begins, in UTC. AWS chooses the hour if it is not stated.
    #[spec(range = 0..=23)]
    pub(super) hours: Option<ServerDefault<i64>>,
    /// The minute at which the window begins.
    #[spec(range = 0..=59)]
    pub(super) minutes: Option<ServerDefault<i64>>,
}

/// The software update options: automatic updates of the service software.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SoftwareUpdateOptions {
    /// Whether AWS installs service software updates in the off-peak window.
    #[spec(default = false)]
    pub(super) auto_software_update_enabled: Option<ServerDefault<bool>>,
}
