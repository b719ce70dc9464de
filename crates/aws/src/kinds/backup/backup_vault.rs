//! BackupVault: not there yet.

use crate::kinds::kms::key::Key;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Policy, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// Where recovery points are kept. Its name has at most 50 letters, digits, hyphens and underscores. AWS deletes only
/// an empty one.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupVault {
    /// The key that encrypts recovery points; without one `aws/backup`, the service's own.
    #[spec(immutable)]
    kms_key: Option<Always<Ref<Key, Arn>>>,
    /// Who may do what with the vault and what is in it; `null` for no policy.
    access_policy: Option<Policy>,
    /// The lock: what nobody may delete or shorten (<https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html>).
    lock: Option<VaultLock>,
    /// Days until the lock can never be changed or removed again, by anybody, AWS included: at least 3 (compliance
    /// mode). Absent, the lock can be removed (governance mode). Each edit of the document begins the days anew.
    lock_changeable_for_days: Option<i64>,
}

/// The lock of a vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VaultLock {
    /// Jobs that would keep a recovery point for fewer days fail.
    min_retention_days: Option<i64>,
    /// Jobs that would keep a recovery point for more days fail.
    max_retention_days: Option<i64>,
}

/// What only AWS knows of a BackupVault.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupVaultStatus {
    /// Its ARN.
    arn: String,
    /// How many recovery points are in it.
    recovery_points: i64,
}

impl Kind for BackupVault {
    type Status = BackupVaultStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("BackupVault", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("BackupVault", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("BackupVault", "this kind is not there yet"))
    }
}
