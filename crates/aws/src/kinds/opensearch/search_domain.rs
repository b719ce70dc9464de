//! SearchDomain: not there yet.

use std::collections::BTreeMap;

use super::options::{
    AdvancedSecurity, AutoTune, ClusterConfig, CognitoOptions, DomainEndpoint, Ebs, EncryptionAtRest, LogPublishing,
    NodeToNodeEncryption, OffPeakWindow, SoftwareUpdate, VpcOptions,
};
use crate::kinds::secretsmanager::CurrentVersion;
use crate::kinds::secretsmanager::secret::Secret;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Policy, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// An OpenSearch domain. Its name begins with a letter and has 3 to 28 lower case letters, digits and hyphens. Making one
/// takes 15 to 30 minutes; most changes build a second cluster and move the data, which takes as long
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/managedomains-configuration-changes.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomain {
    /// `OpenSearch_2.19`, `OpenSearch_3.1`, `Elasticsearch_7.10`, … AWS never goes back to an older version.
    engine_version: Option<Always<String>>,
    /// Its nodes.
    cluster_config: Option<ClusterConfig>,
    /// The disks of its data nodes.
    ebs_options: Option<Ebs>,
    /// Where it stands in a VPC. Absent, it is public; AWS cannot turn one into the other.
    vpc_options: Option<VpcOptions>,
    /// `ipv4` (AWS's default) or `dualstack`; AWS does not go back from `dualstack`.
    ip_address_type: Option<Always<String>>,
    /// Who may do what; `null` for no policy.
    access_policies: Option<Policy>,
    /// Whether what is on disk is encrypted.
    encryption_at_rest_options: Option<EncryptionAtRest>,
    /// Whether connections between nodes are encrypted.
    node_to_node_encryption_options: Option<NodeToNodeEncryption>,
    /// How clients connect.
    domain_endpoint_options: Option<DomainEndpoint>,
    /// Fine-grained access control.
    advanced_security_options: Option<AdvancedSecurity>,
    /// The ARN of the role or user who may do everything; for fine-grained access control without a user database of
    /// its own.
    master_user_arn: Option<Arn>,
    /// The name of the user who may do everything; for fine-grained access control with
    /// `internalUserDatabaseEnabled`.
    master_user_name: Option<String>,
    /// The secret with that user's password. A new version of the secret is given to the domain.
    master_user_password: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret, where its value is JSON.
    master_user_password_key: Option<String>,
    /// Log groups, by the type of log: `INDEX_SLOW_LOGS`, `SEARCH_SLOW_LOGS`, `ES_APPLICATION_LOGS` or `AUDIT_LOGS`.
    log_publishing_options: Option<BTreeMap<String, LogPublishing>>,
    /// Settings of the cluster as a whole: `{ rest.action.multi.allow_explicit_index: "true" }`.
    advanced_options: Option<BTreeMap<String, String>>,
    /// Sign-in to Dashboards.
    cognito_options: Option<CognitoOptions>,
    /// Whether AWS tunes memory settings.
    auto_tune_options: Option<AutoTune>,
    /// When AWS may do maintenance.
    off_peak_window_options: Option<OffPeakWindow>,
    /// Which service software it gets by itself.
    software_update_options: Option<SoftwareUpdate>,
}

/// What only AWS knows of a SearchDomain.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomainStatus {
    /// Its ARN.
    arn: String,
    /// The name that clients resolve, once there is one.
    endpoint: Option<String>,
    /// Its id: `<account>/<name>`.
    domain_id: String,
}

impl Kind for SearchDomain {
    type Status = SearchDomainStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("SearchDomain", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("SearchDomain", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("SearchDomain", "this kind is not there yet"))
    }
}
