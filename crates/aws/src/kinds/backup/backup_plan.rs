//! BackupPlan: not there yet.

use std::collections::BTreeMap;

use super::backup_vault::BackupVault;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Name, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// When what is selected is backed up, and how long that is kept. Its name has at most 50 letters, digits, dots,
/// hyphens and underscores. What is backed up say its `BackupSelection`s.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupPlan {
    /// Its rules, by name; at least one.
    rules: BTreeMap<String, BackupRule>,
    /// Options by type of resource: `{ EC2: { WindowsVSS: enabled } }`; `null` for none.
    advanced_backup_settings: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

/// One rule of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupRule {
    /// The vault that keeps the recovery points.
    pub(crate) target_backup_vault: Ref<BackupVault, Name>,
    /// When a backup begins: `cron(0 5 ? * * *)`, which is AWS's default, or `rate(…)`.
    pub(crate) schedule_expression: Option<Always<String>>,
    /// The time zone of that: `Etc/UTC` (AWS's default), `Europe/Berlin`, …
    pub(crate) schedule_expression_timezone: Option<Always<String>>,
    /// Minutes in which a job has to begin, at least 60. AWS's default is 480.
    pub(crate) start_window_minutes: Option<Always<i64>>,
    /// Minutes in which a job has to end. AWS's default is 10080, a week.
    pub(crate) completion_window_minutes: Option<Always<i64>>,
    /// How long recovery points are kept; `null` for ever.
    pub(crate) lifecycle: Option<Lifecycle>,
    /// Tags of the recovery points.
    pub(crate) recovery_point_tags: Option<BTreeMap<String, String>>,
    /// Copies into other vaults, also of other regions and accounts.
    pub(crate) copy_actions: Option<Vec<CopyAction>>,
    /// Whether recovery is possible to any point in time, for what supports it; then `deleteAfterDays` is at most 35
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html>). AWS's default is false.
    pub(crate) enable_continuous_backup: Option<Always<bool>>,
}

/// How long recovery points are kept, and where
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lifecycle {
    /// Days until they move to cold storage, for what supports that.
    pub(crate) move_to_cold_storage_after_days: Option<i64>,
    /// Days until they are deleted: at least 90 more than `moveToColdStorageAfterDays`.
    pub(crate) delete_after_days: Option<i64>,
    /// Whether what supports an archive tier moves there.
    pub(crate) opt_in_to_archive_for_supported_resources: Option<bool>,
}

/// A copy of each recovery point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyAction {
    /// The vault that gets it; `{ arn: … }` for one of another region or account.
    pub(crate) destination_backup_vault: Ref<BackupVault, Arn>,
    /// How long the copy is kept; `null` for ever.
    pub(crate) lifecycle: Option<Lifecycle>,
}

/// What only AWS knows of a BackupPlan.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupPlanStatus {
    /// Its ARN.
    arn: String,
    /// The version that is in force; each update makes a new one.
    version_id: Option<String>,
}

impl Kind for BackupPlan {
    type Status = BackupPlanStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("BackupPlan", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("BackupPlan", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("BackupPlan", "this kind is not there yet"))
    }
}
