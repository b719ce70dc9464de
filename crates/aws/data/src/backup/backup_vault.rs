//! BackupVault: where recovery points are kept.

use aws_sdk_backup::types::BackupVaultListMember;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, asks_for, each};
use holdfast_base::remembered;
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Policy, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{backup, request_id, tag, tags_of};
use crate::kms::key::Key;

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
    /// mode). Absent, the lock can be removed (governance mode). A tag
    /// of the vault remembers it.
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
    const NAMING: Naming = Naming::limit(50);
    const CLASS: CreateClass = CreateClass::Name;
    const DATA: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let vaults = backup(aws).list_backup_vaults().into_paginator().items().send();
        each(vaults.collect::<std::result::Result<Vec<_>, _>>().await?, |vault| async move {
            let name = vault.backup_vault_name().unwrap_or_default();
            let asked_for = scope.ids.contains(name) || !scope.lookups.is_empty();
            if !scope.is_candidate(name) && !asked_for {
                return Ok(None);
            }
            let Some(tags) = tags_of(aws, scope, vault.backup_vault_arn().unwrap_or_default()).await? else {
                return Ok(None);
            };
            let mut live = live(&vault, tags)?;
            if asked_for || scope.is_owned(&live.tags) && asks_for::<BackupVault>(scope, &live.tags, "accessPolicy") {
                // A vault without a policy has none that could be found.
                let told =
                    backup(aws).get_backup_vault_access_policy().backup_vault_name(name).send().await.or_absent()?;
                live.spec.access_policy = told.and_then(|told| told.policy).map(|text| Policy::parse(&text));
            }
            Ok(Some(live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let BackupVault { kms_key, access_policy: _, lock: _, lock_changeable_for_days: _ } = &desired.spec;
        let made = backup(aws)
            .create_backup_vault()
            .backup_vault_name(&desired.name)
            .set_encryption_key_arn(kms_key.as_deref().cloned().map(String::from))
            .creator_request_id(request_id(&desired.token))
            .set_backup_vault_tags(Some(desired.tags.clone().into_iter().collect()))
            .send()
            .await?;
        let Some(arn) = made.backup_vault_arn else { return Ok(Made::unseen(&desired.name)) };
        let spec =
            BackupVault { kms_key: kms_key.clone(), access_policy: None, lock: None, lock_changeable_for_days: None };
        Ok(Live { spec, ..desired.made(&desired.name, BackupVaultStatus { arn, recovery_points: 0 }) }.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let BackupVault { kms_key: _, access_policy, lock, lock_changeable_for_days } = &desired.spec;
        let name = &live.id;
        if desired.changed("accessPolicy") {
            match access_policy {
                Some(policy) => {
                    let put = backup(aws).put_backup_vault_access_policy().backup_vault_name(name);
                    put.policy(policy.json()).send().await?;
                }
                None => {
                    backup(aws).delete_backup_vault_access_policy().backup_vault_name(name).send().await?;
                }
            }
        }
        if desired.changed("lock") || desired.changed("lockChangeableForDays") {
            match lock {
                Some(VaultLock { min_retention_days, max_retention_days }) => {
                    backup(aws)
                        .put_backup_vault_lock_configuration()
                        .backup_vault_name(name)
                        .set_min_retention_days(*min_retention_days)
                        .set_max_retention_days(*max_retention_days)
                        .set_changeable_for_days(*lock_changeable_for_days)
                        .send()
                        .await?;
                }
                None => {
                    backup(aws).delete_backup_vault_lock_configuration().backup_vault_name(name).send().await?;
                }
            }
            let days = lock_changeable_for_days.map(|days| days.to_string());
            tag(aws, &live.status.arn, &remembered::retag(desired, [(DAYS, days)])).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        backup(aws).delete_backup_vault().backup_vault_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

const DAYS: &str = "lockChangeableForDays";

fn live(vault: &BackupVaultListMember, tags: Tags) -> Result<Live<BackupVault>> {
    let missing = |what| Error::incomplete("backup.ListBackupVaults", what);
    let name = vault.backup_vault_name().ok_or_else(|| missing("backupVaultName"))?;
    let lock = VaultLock { min_retention_days: vault.min_retention_days, max_retention_days: vault.max_retention_days };
    let spec = BackupVault {
        kms_key: vault.encryption_key_arn.clone().map(|arn| Always(Ref::new(arn))),
        access_policy: None,
        lock: (vault.locked == Some(true)).then_some(lock),
        // AWS tells only the day on which it becomes final.
        lock_changeable_for_days: vault.lock_date.and_then(|_| remembered::recall(&tags, DAYS)?.parse().ok()),
    };
    let status = BackupVaultStatus {
        arn: vault.backup_vault_arn.clone().ok_or_else(|| missing("backupVaultArn"))?,
        recovery_points: vault.number_of_recovery_points,
    };
    Ok(Live::new(name, name, spec, status).tags(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_locked_has_no_lock() -> Result<()> {
        let vault = BackupVaultListMember::builder().backup_vault_name("main").backup_vault_arn("arn:main");
        let spec = |vault: BackupVaultListMember| live(&vault, Tags::new()).map(|live| live.spec);
        assert_eq!(spec(vault.clone().locked(false).build())?.lock, None);
        let locked = spec(vault.locked(true).min_retention_days(7).build())?;
        assert_eq!(locked.lock.map(|lock| lock.min_retention_days), Some(Some(7)));
        assert_eq!(locked.lock_changeable_for_days, None, "governance mode");
        Ok(())
    }
}
