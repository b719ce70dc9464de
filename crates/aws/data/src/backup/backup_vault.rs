//! BackupVault: a container that stores recovery points.

use aws_sdk_backup::types::BackupVaultListMember;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::field_tags::{self, FieldTag};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::wanted::{each, is_requested_field, observe_listed};
use holdfast_core::Spec;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::Stated,
    Demand::{AtMost, Needs, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, PolicyDocument, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{BackupTags, backup, request_id, tags_of};
use crate::kms::key::Key;

/// A backup vault: a container that stores recovery points.
///
/// The name of a vault has at most 50 letters, digits, hyphens and underscores. AWS deletes only an empty vault.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupVault {
    /// The KMS key that encrypts recovery points; without one, the AWS managed key `aws/backup`.
    #[spec(immutable)]
    kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
    /// The access policy of the vault and its recovery points; `null` for no policy.
    access_policy: Option<PolicyDocument>,
    /// The vault lock, which protects recovery points from deletion and from a shorter retention
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html>).
    lock: Option<VaultLock>,
    /// The grace time of the lock in days (compliance mode). After it, no principal, AWS included, can change or remove
    /// the lock. Without this field the lock can be removed (governance mode). Recorded in the tag
    /// `holdfast:field/lockChangeableForDays` of the vault
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultLockConfiguration.html>).
    #[spec(range = 3..=36_500)]
    lock_changeable_for_days: Option<i64>,
}

/// The lock of a vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VaultLock {
    /// The minimum retention in days: a job that would keep a recovery point for fewer days fails.
    #[spec(range = 1..)]
    min_retention_days: Option<i64>,
    /// The maximum retention in days: a job that would keep a recovery point for more days fails.
    #[spec(range = ..=36_500)]
    max_retention_days: Option<i64>,
}

/// The read-only attributes of a BackupVault.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupVaultStatus {
    /// The ARN of the vault.
    arn: String,
    /// The number of recovery points in the vault.
    recovery_points: i64,
}

impl Kind for BackupVault {
    type Status = BackupVaultStatus;
    type Owner = TagOnCreate<BackupTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9_-]{2,50}", "has 2 to 50 letters, digits and the characters `_-`"),
        ..NamingRules::limit(50)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultLockConfiguration.html
        demand(AtMost("minRetentionDays", "maxRetentionDays")).at("lock"),
        demand(Needs("lock")).when(&[Stated("lockChangeableForDays")]),
        demand(ValidPolicy("accessPolicy", PolicyType::Resource)),
    ];
    const STATEFUL: bool = true;
    /// AWS returns only the date on which the lock becomes final, and not the number of days.
    const FIELD_TAGS: &'static [FieldTag] = &[FieldTag::new(Self::LOCK_CHANGEABLE_FOR_DAYS).sent()];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let vaults = backup(aws).list_backup_vaults().into_paginator().items().send();
        each(all(vaults).await?, |vault| async move {
            let listed = live(&vault)?;
            let arn = listed.status.arn.clone();
            observe_listed(scope, listed, tags_of(aws, scope, &arn), |mut live| async move {
                if vault.lock_date.is_none() {
                    // The lock can be removed (governance mode), whatever the tag says.
                    live.tags.remove(&field_tags::key(Self::LOCK_CHANGEABLE_FOR_DAYS.name()));
                }
                if is_requested_field(scope, &live.tags, Self::ACCESS_POLICY) {
                    // GetBackupVaultAccessPolicy fails with a not-found error if the vault has no policy.
                    let get = backup(aws).get_backup_vault_access_policy().backup_vault_name(&live.id);
                    let policy = get.send().await.or_absent()?.and_then(|response| response.policy);
                    live.spec.access_policy = policy.as_deref().map(PolicyDocument::parse);
                }
                Ok(Some(live))
            })
            .await
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let BackupVault { kms_key, access_policy: _, lock: _, lock_changeable_for_days: _ } = &desired.spec;
        let created = backup(aws)
            .create_backup_vault()
            .backup_vault_name(&desired.name)
            .set_encryption_key_arn(kms_key.as_deref().cloned().map(String::from))
            .creator_request_id(request_id(&desired.token))
            .set_backup_vault_tags(Some(desired.tags.clone().into_iter().collect()))
            .send()
            .await?;
        let Some(arn) = created.backup_vault_arn else { return Ok(Created::unobserved(&desired.name)) };
        let spec =
            BackupVault { kms_key: kms_key.clone(), access_policy: None, lock: None, lock_changeable_for_days: None };
        Ok(Live { spec, ..desired.as_live(&desired.name, BackupVaultStatus { arn, recovery_points: 0 }) }.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let BackupVault { kms_key: _, access_policy, lock, lock_changeable_for_days } = &desired.spec;
        let name = &live.id;
        if desired.changed(Self::ACCESS_POLICY) {
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
        if desired.changed_any(&[Self::LOCK, Self::LOCK_CHANGEABLE_FOR_DAYS]) {
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
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        backup(aws).delete_backup_vault().backup_vault_name(&live.id).send().await?;
        Ok(())
    }
}

fn live(vault: &BackupVaultListMember) -> Result<Live<BackupVault>> {
    let missing = |what| Error::incomplete("backup.ListBackupVaults", what);
    let name = vault.backup_vault_name().ok_or_else(|| missing("backupVaultName"))?;
    let lock = VaultLock { min_retention_days: vault.min_retention_days, max_retention_days: vault.max_retention_days };
    let spec = BackupVault {
        kms_key: vault.encryption_key_arn.clone().map(|arn| ServerDefault(Ref::new(arn))),
        access_policy: None,
        lock: (vault.locked == Some(true)).then_some(lock),
        lock_changeable_for_days: None,
    };
    let status = BackupVaultStatus {
        arn: vault.backup_vault_arn.clone().ok_or_else(|| missing("backupVaultArn"))?,
        recovery_points: vault.number_of_recovery_points,
    };
    Ok(Live::new(name, name, spec, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlocked_vault_has_no_lock() -> Result<()> {
        let vault = BackupVaultListMember::builder().backup_vault_name("main").backup_vault_arn("arn:main");
        let spec = |vault: BackupVaultListMember| live(&vault).map(|live| live.spec);
        assert_eq!(spec(vault.clone().locked(false).build())?.lock, None);
        let locked = spec(vault.locked(true).min_retention_days(7).build())?;
        assert_eq!(locked.lock.map(|lock| lock.min_retention_days), Some(Some(7)));
        Ok(())
    }
}
