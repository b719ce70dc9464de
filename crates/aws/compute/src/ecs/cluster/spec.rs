//! The spec and the status of a Cluster.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_base::names::LogGroup;
use holdfast_core::Spec;
use holdfast_core::types::Ref;
use serde::{Deserialize, Serialize};

use crate::ecs::CapacityProviderStrategyItem;

/// An ECS cluster. CreateCluster does not refuse a name that is already in use: it returns the existing cluster.
/// Holdfast therefore observes before it creates.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cluster {
    /// The cluster's settings. A setting that is left out follows the account's settings when the cluster is created.
    pub(super) settings: Option<ClusterSettings>,
    /// The capacity providers that services of the cluster may use: `FARGATE`, `FARGATE_SPOT`, or names of the
    /// account's own capacity providers.
    pub(super) capacity_providers: Option<BTreeSet<String>>,
    /// The strategy of services and tasks that state neither a launch type nor a strategy.
    pub(super) default_capacity_provider_strategy: Option<BTreeSet<CapacityProviderStrategyItem>>,
    /// The logging of ECS Exec sessions, and the keys for sessions and storage.
    pub(super) configuration: Option<ClusterConfiguration>,
}

/// The settings of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterSettings {
    /// Container Insights, which collects metrics
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ClusterSetting.html>).
    #[spec(one_of = ["enhanced", "enabled", "disabled"], never_null)]
    pub(super) container_insights: Option<String>,
}

/// The configuration of ECS Exec and of managed storage.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterConfiguration {
    /// The logging and encryption of ECS Exec sessions.
    pub(super) execute_command_configuration: Option<ExecuteCommandConfiguration>,
    /// The encryption of storage that ECS manages.
    pub(super) managed_storage_configuration: Option<ManagedStorageConfiguration>,
}

/// The logging and encryption of ECS Exec sessions.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecuteCommandConfiguration {
    /// The KMS key, by id or ARN, that encrypts the data between the client and the container.
    #[spec(spelling = Key)]
    pub(super) kms_key_id: Option<String>,
    /// The destination of session logs: `NONE`, `DEFAULT` (the task definition's `awslogs` destination), or `OVERRIDE`
    /// (the destination in `logConfiguration`).
    #[spec(one_of = sdk::ExecuteCommandLogging, default = "DEFAULT")]
    pub(super) logging: Option<String>,
    /// The log group and bucket for session logs when `logging` is `OVERRIDE`.
    pub(super) log_configuration: Option<ExecuteCommandLogConfiguration>,
}

/// The destinations of ECS Exec session logs.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecuteCommandLogConfiguration {
    /// The log group for session logs.
    pub(super) cloud_watch_log_group_name: Option<Ref<LogGroup>>,
    /// Whether the log group must be encrypted with a KMS key.
    #[spec(default = false)]
    pub(super) cloud_watch_encryption_enabled: Option<bool>,
    /// The name of the S3 bucket for session logs.
    pub(super) s3_bucket_name: Option<String>,
    /// Whether the bucket must be encrypted.
    #[spec(default = false)]
    pub(super) s3_encryption_enabled: Option<bool>,
    /// The prefix of the log objects' keys: a folder in the bucket.
    pub(super) s3_key_prefix: Option<String>,
}

/// The encryption of storage that ECS manages.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManagedStorageConfiguration {
    /// The KMS key for volumes that services attach.
    #[spec(spelling = Key)]
    pub(super) kms_key_id: Option<String>,
    /// The KMS key for the ephemeral storage of Fargate tasks.
    #[spec(spelling = Key)]
    pub(super) fargate_ephemeral_storage_kms_key_id: Option<String>,
}

/// The status of a Cluster: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterStatus {
    /// The cluster's ARN.
    pub(super) arn: String,
}
