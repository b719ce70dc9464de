//! The parts of a domain's configuration, as people write them.

use std::collections::BTreeSet;

use holdfast_base::names::Certificate;
use holdfast_base::names::LogGroup;
use holdfast_base::names::Role;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, Ref};
use serde::{Deserialize, Serialize};

use crate::kms::key::Key;

/// The nodes of a domain
/// (<https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_ClusterConfig.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterConfig {
    /// The size of the data nodes: `t3.small.search`, `r7g.large.search`, …
    pub(crate) instance_type: Option<Always<String>>,
    /// How many data nodes there are. AWS's default is 1.
    pub(crate) instance_count: Option<Always<i32>>,
    /// Whether nodes are spread over zones. AWS's default is false.
    pub(crate) zone_awareness_enabled: Option<Always<bool>>,
    /// Over how many.
    pub(crate) zone_awareness_config: Option<ZoneAwareness>,
    /// Whether some nodes do nothing but lead the cluster. AWS's default is false.
    pub(crate) dedicated_master_enabled: Option<Always<bool>>,
    /// The size of those.
    pub(crate) dedicated_master_type: Option<String>,
    /// How many of those there are: 3 or 5.
    pub(crate) dedicated_master_count: Option<i32>,
    /// Whether there are UltraWarm nodes for old data. AWS's default is false.
    pub(crate) warm_enabled: Option<Always<bool>>,
    /// The size of those: `ultrawarm1.medium.search`, …
    pub(crate) warm_type: Option<String>,
    /// How many of those there are.
    pub(crate) warm_count: Option<i32>,
    /// Whether there is cold storage, behind the UltraWarm nodes.
    pub(crate) cold_storage_enabled: Option<bool>,
    /// Whether the nodes of one zone of three stand by. AWS's default is false.
    pub(crate) multi_az_with_standby_enabled: Option<Always<bool>>,
}

/// Over how many zones nodes are spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZoneAwareness {
    /// 2 (AWS's default) or 3.
    pub(crate) availability_zone_count: Option<Always<i32>>,
}

/// The disk of each data node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ebs {
    /// Whether it is an EBS volume; types with disks of their own have none.
    pub(crate) ebs_enabled: bool,
    /// `gp3`, `gp2`, `io1` or `standard`.
    pub(crate) volume_type: Option<Always<String>>,
    /// Its size in GiB.
    pub(crate) volume_size: Option<Always<i32>>,
    /// Its input and output operations a second; for `gp3` and `io1`. AWS's default for `gp3` is 3000.
    pub(crate) iops: Option<Always<i32>>,
    /// Its throughput in MiB a second; for `gp3`. AWS's default is 125.
    pub(crate) throughput: Option<Always<i32>>,
}

/// Where a domain stands in a VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcOptions {
    /// One subnet for each zone that it is in.
    pub(crate) subnets: BTreeSet<Ref<Subnet>>,
    /// Who can reach it. Without any AWS uses the default group of the VPC.
    pub(crate) security_groups: Option<Always<BTreeSet<Ref<SecurityGroup>>>>,
}

/// Encryption of what is on disk. It can be switched on, and never off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EncryptionAtRest {
    /// Whether it is on.
    pub(crate) enabled: bool,
    /// The key; without one `aws/es`, the service's own.
    #[spec(immutable)]
    pub(crate) kms_key: Option<Always<Ref<Key, Arn>>>,
}

/// Encryption of the connections between nodes. It can be switched on, and never off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeToNodeEncryption {
    /// Whether it is on.
    pub(crate) enabled: bool,
}

/// How clients connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainEndpoint {
    /// Whether only HTTPS is served. AWS's default is false.
    #[serde(rename = "enforceHTTPS")]
    pub(crate) enforce_https: Option<Always<bool>>,
    /// `Policy-Min-TLS-1-2-2019-07` (AWS's default), `Policy-Min-TLS-1-2-PFS-2023-10`, …
    pub(crate) tls_security_policy: Option<Always<String>>,
    /// Whether there is a name of one's own. AWS's default is false.
    pub(crate) custom_endpoint_enabled: Option<Always<bool>>,
    /// That name; a record has to point it at the endpoint.
    pub(crate) custom_endpoint: Option<String>,
    /// The certificate of that name.
    pub(crate) custom_endpoint_certificate: Option<Ref<Certificate, Arn>>,
}

/// Fine-grained access control. It can be switched on, and never off; it needs both encryptions and `enforceHTTPS`
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/fgac.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedSecurity {
    /// Whether it is on.
    pub(crate) enabled: bool,
    /// Whether it has users of its own, with passwords. AWS's default is false.
    pub(crate) internal_user_database_enabled: Option<Always<bool>>,
    /// Whether anonymous access still works, for the 30 days after it was switched on.
    pub(crate) anonymous_auth_enabled: Option<bool>,
}

/// Settings of the cluster as a whole
/// (<https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_CreateDomain.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedOptions {
    /// `rest.action.multi.allow_explicit_index`: whether the body of a bulk request may name an index. AWS's default is
    /// true; false where access policies are for single indexes.
    pub(crate) rest_action_multi_allow_explicit_index: Option<Always<bool>>,
    /// `indices.fielddata.cache.size`: the part of the heap for field data, in percent, as text.
    pub(crate) indices_fielddata_cache_size: Option<String>,
    /// `indices.query.bool.max_clause_count`: how many clauses a query may have, as text. AWS's default is 1024.
    pub(crate) indices_query_bool_max_clause_count: Option<String>,
    /// `override_main_response_version`: whether it says that it is version 7.10, for old clients. AWS's default is
    /// false.
    pub(crate) override_main_response_version: Option<Always<bool>>,
}

/// Where logs of one type go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogPublishing {
    /// The log group. A resource policy of CloudWatch Logs has to let `es.amazonaws.com` write
    /// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html>).
    pub(crate) cloud_watch_logs_log_group: Ref<LogGroup, Arn>,
}

/// Sign-in to Dashboards by Cognito.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CognitoOptions {
    /// Whether it is on.
    pub(crate) enabled: bool,
    /// The user pool.
    pub(crate) user_pool_id: Option<String>,
    /// The identity pool.
    pub(crate) identity_pool_id: Option<String>,
    /// The role that may set it up: one with `AmazonOpenSearchServiceCognitoAccess`.
    pub(crate) role: Option<Ref<Role, Arn>>,
}

/// Whether AWS tunes memory settings
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/auto-tune.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoTune {
    /// `ENABLED` or `DISABLED`. `t2` and `t3` nodes have none.
    pub(crate) desired_state: Option<Always<String>>,
    /// Whether changes that disturb wait for the off-peak window.
    pub(crate) use_off_peak_window: Option<Always<bool>>,
}

/// The ten hours of each day in which AWS may do maintenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OffPeakWindow {
    /// Whether there is one. Once on, AWS does not switch it off.
    pub(crate) enabled: Option<Always<bool>>,
    /// The hour at which it begins, in UTC. AWS chooses one.
    pub(crate) hours: Option<Always<i64>>,
    /// The minute at which it begins.
    pub(crate) minutes: Option<Always<i64>>,
}

/// Which service software a domain gets by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SoftwareUpdate {
    /// Whether updates are installed in the off-peak window. AWS's default is false.
    pub(crate) auto_software_update_enabled: Option<Always<bool>>,
}
