//! DbInstance: a database, a replica of one, and copies of its backups in another region.

use std::collections::BTreeSet;

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::names::Role;
use holdfast_base::names::SecurityGroup;
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::db_instance_calls::{create, update};
use super::db_instance_copies::{backups, replicate_backups};
use super::db_instance_told::{final_snapshot, live};
use super::db_parameter_group::DbParameterGroup;
use super::db_subnet_group::DbSubnetGroup;
use super::{Lower, instances, rds, tag};
use crate::kms::key::Key;
use crate::secretsmanager::CurrentVersion;
use crate::secretsmanager::secret::Secret;

/// A database of RDS: PostgreSQL, MySQL, MariaDB, Oracle, SQL Server or Db2; databases of Aurora are none. Making one
/// takes 5 to 20 minutes. Its name begins with a letter, has at most 63 letters, digits and single hyphens, does not
/// end in one, and is kept in lower case
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>).
///
/// What a document asks for and AWS does not tell (`applyImmediately`, `skipFinalSnapshot` and the like), or moves
/// on by itself (`engineVersion`, `allocatedStorage`), is remembered in its tag `holdfast:asked`. When it is deleted,
/// deletion protection is turned off first, and a final snapshot is left behind.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbInstance {
    /// `postgres`, `mysql`, `mariadb`, `oracle-se2`, `oracle-ee`, `sqlserver-ex`, `sqlserver-web`, `sqlserver-se`,
    /// `sqlserver-ee`, `db2-se`, …; a replica's is its source's.
    #[spec(immutable)]
    pub(super) engine: String,
    /// A major version (`16`, `8.0`) or a minor one (`16.4`). A newer minor version of the same major one is no
    /// drift while `autoMinorVersionUpgrade` is not false. A newer one here upgrades; AWS never goes back. What runs
    /// is `${DbInstance.<name>.engineVersion}`.
    pub(super) engine_version: Option<Always<String>>,
    /// Whether an edit of `engineVersion` may change the major version; it mostly needs another `dbParameterGroup`
    /// in the same edit.
    #[serde(default)]
    pub(super) allow_major_version_upgrade: bool,
    /// Whether AWS upgrades minor versions in maintenance windows. AWS's default is true.
    pub(super) auto_minor_version_upgrade: Option<Always<bool>>,
    /// `open-source-rds-extended-support` (AWS's default: old major versions run on, for a fee) or
    /// `open-source-rds-extended-support-disabled`.
    pub(super) engine_lifecycle_support: Option<Always<String>>,
    /// `license-included`, `bring-your-own-license`, …: Oracle and Db2.
    pub(super) license_model: Option<Always<String>>,
    /// Its size: `db.t4g.medium`, `db.r7g.large`. A change is an outage.
    pub(super) db_instance_class: String,
    /// Gibibytes; all but replicas need it. AWS refuses to make it less. More than this, up to
    /// `maxAllocatedStorage`, is AWS's scaling and no drift.
    pub(super) allocated_storage: Option<Always<i32>>,
    /// Gibibytes up to which AWS makes the storage greater when it fills; `null` for never.
    pub(super) max_allocated_storage: Option<i32>,
    /// `gp3`, `gp2`, `io1`, `io2` or `standard`. AWS's default is `gp2`, with `iops` `io1`.
    pub(super) storage_type: Option<Always<String>>,
    /// Operations a second: for `io1` and `io2`, and for `gp3` from 400 GiB on (Oracle: 200). AWS answers 3000 for
    /// smaller `gp3` storage and refuses it as an input there
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage>).
    pub(super) iops: Option<Always<i32>>,
    /// Mebibytes a second: `gp3` of such sizes.
    pub(super) storage_throughput: Option<Always<i32>>,
    /// Whether the log has a volume of its own.
    pub(super) dedicated_log_volume: Option<Always<bool>>,
    /// Whether the storage is encrypted. AWS's default is false; a replica's is its source's.
    #[spec(immutable)]
    pub(super) storage_encrypted: Option<Always<bool>>,
    /// The key that encrypts it; without one, AWS's own `aws/rds`. An encrypted replica in another region needs one
    /// of its region.
    #[spec(immutable)]
    pub(super) kms_key: Option<Always<Ref<Key, Arn>>>,
    /// Whether a standby runs in another zone.
    pub(super) multi_az: Option<Always<bool>>,
    /// The zone; only without `multiAz`. After a failover the standby's zone counts as this one.
    #[spec(immutable)]
    pub(super) availability_zone: Option<Always<String>>,
    /// Where its network interfaces are. AWS takes a new group only in another network, together with security groups
    /// of that network. A replica in another region needs one; without one, AWS's default network.
    pub(super) db_subnet_group: Option<Always<Ref<DbSubnetGroup>>>,
    /// How its engine is set; without one, AWS's default group of the version. Static parameters of a new group wait
    /// for a reboot, which Holdfast leaves to you and names in a remark.
    pub(super) db_parameter_group: Option<Always<Ref<DbParameterGroup>>>,
    /// The name of its option group; without one, AWS's default group.
    pub(super) option_group_name: Option<Always<String>>,
    /// Its security groups; without any, the network's default group.
    pub(super) vpc_security_groups: Option<Always<BTreeSet<Ref<SecurityGroup>>>>,
    /// `IPV4` (AWS's default) or `DUAL`.
    pub(super) network_type: Option<Always<String>>,
    /// Whether its name resolves to a public address.
    pub(super) publicly_accessible: Option<Always<bool>>,
    /// Its port. AWS's default is 5432, 3306, 1521 or 1433, by engine. A change is a reboot.
    pub(super) port: Option<Always<i32>>,
    /// The certificate authority: `rds-ca-rsa2048-g1`.
    pub(super) ca_certificate_identifier: Option<Always<String>>,
    /// The name of the first database; SQL Server has none.
    #[spec(immutable)]
    pub(super) db_name: Option<String>,
    /// The character set: Oracle.
    #[spec(immutable)]
    pub(super) character_set_name: Option<Always<String>>,
    /// The time zone: SQL Server.
    #[spec(immutable)]
    pub(super) timezone: Option<Always<String>>,
    /// The first user; a replica's is its source's, so leave it out there, and so with the password.
    #[spec(immutable)]
    pub(super) master_username: Option<Always<String>>,
    /// Whether RDS makes the password, keeps it in Secrets Manager and rotates it: better than any other way. The
    /// secret is `${DbInstance.<name>.masterUserSecretArn}`. Such a database can have no replicas, SQL Server's apart
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html#rds-secrets-manager-limitations>).
    pub(super) manage_master_user_password: Option<Always<bool>>,
    /// The key of that secret; without one, AWS's own `aws/secretsmanager`. AWS cannot change it while it manages the
    /// password (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>).
    pub(super) master_user_secret_kms_key: Option<Always<Ref<Key, Arn>>>,
    /// The secret that holds the password, where RDS does not make it. Each new version of it is given to the
    /// database.
    pub(super) master_user_password: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret's JSON that holds the password; without one the whole text is.
    pub(super) master_user_password_key: Option<String>,
    /// Whether users can log in with IAM credentials.
    #[serde(rename = "enableIAMDatabaseAuthentication")]
    pub(super) enable_iam_database_authentication: Option<Always<bool>>,
    /// Days that backups are kept: 0 (none) to 35. AWS's default is 1, a replica's 0. A source of replicas needs
    /// some. A change from or to 0 is an outage.
    pub(super) backup_retention_period: Option<Always<i32>>,
    /// When backups are made, in UTC: `03:00-04:00`, at least half an hour.
    pub(super) preferred_backup_window: Option<Always<String>>,
    /// When AWS may change things, in UTC: `sun:05:00-sun:06:00`, at least half an hour, not in the backup window.
    pub(super) preferred_maintenance_window: Option<Always<Lower>>,
    /// Whether snapshots get its tags.
    pub(super) copy_tags_to_snapshot: Option<Always<bool>>,
    /// Copies of its backups in another region; `null` for none. What was copied stays there for its days. SQL Server, Oracle, PostgreSQL, MySQL and MariaDB
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReplicateBackups.html>).
    pub(super) automated_backups_replication: Option<BackupsReplication>,
    /// `standard` (AWS's default) or `advanced`, which needs Performance Insights kept for 465 days.
    pub(super) database_insights_mode: Option<Always<String>>,
    /// Whether Performance Insights collects.
    pub(super) performance_insights_enabled: Option<Always<bool>>,
    /// Days that it keeps: 7 (AWS's default), a multiple of 31 up to 713, or 731.
    pub(super) performance_insights_retention_period: Option<Always<i32>>,
    /// The key that encrypts that; without one, AWS's own `aws/rds`. It can be changed only while it is off.
    pub(super) performance_insights_kms_key: Option<Always<Ref<Key, Arn>>>,
    /// Seconds between points of Enhanced Monitoring: 0 (AWS's default: off), 1, 5, 10, 15, 30 or 60.
    pub(super) monitoring_interval: Option<Always<i32>>,
    /// The role with which it writes them to CloudWatch Logs.
    pub(super) monitoring_role: Option<Ref<Role, Arn>>,
    /// The logs that go to CloudWatch Logs: `postgresql`, `upgrade`; `audit`, `error`, `general`, `slowquery`; ….
    pub(super) enabled_cloudwatch_logs_exports: Option<BTreeSet<String>>,
    /// What it is a replica of. `null` promotes it to a database of its own, in place: AWS cannot turn back, so that
    /// stating a source for a database of its own, or another source, is a replacement.
    pub(super) replication: Option<Replication>,
    /// Whether AWS refuses to delete it. When Holdfast is granted to delete it, it turns this off first.
    pub(super) deletion_protection: Option<Always<bool>>,
    /// Whether it is deleted without a final snapshot. By default there is one, called
    /// `${DbInstance.<name>.finalDbSnapshotIdentifier}`; a replica never leaves one.
    #[serde(default)]
    pub(super) skip_final_snapshot: bool,
    /// Whether its automated backups are deleted with it.
    #[serde(default = "yes")]
    pub(super) delete_automated_backups: bool,
    /// Whether changes are made at once (the default) or wait for the maintenance window, as far as AWS lets
    /// them wait (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html>). Those
    /// that wait are told as held, not as drift.
    #[serde(default = "yes")]
    pub(super) apply_immediately: bool,
}

fn yes() -> bool {
    true
}

/// What a database is a replica of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replication {
    /// Its source, in this region or another. A source in a region of GovCloud or China has to be in the same
    /// region, since only there AWS wants a request signed for the source's region, which Holdfast does not make
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html>).
    #[spec(immutable)]
    pub(super) source_db_instance: Option<Always<Ref<DbInstance, Arn>>>,
    /// `open-read-only` or `mounted`: Oracle and Db2.
    pub(super) replica_mode: Option<Always<String>>,
}

/// Copies of backups in another region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupsReplication {
    /// The other region.
    pub(super) region: String,
    /// Days that they are kept there: 1 to 35. AWS's default is 7.
    pub(super) backup_retention_period: Option<Always<i32>>,
    /// The key of that region that encrypts them: needed when the database is encrypted.
    pub(super) kms_key: Option<Always<Ref<Key, Arn>>>,
}

/// What only AWS knows of a DbInstance.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbInstanceStatus {
    /// Its ARN.
    pub(super) arn: String,
    /// The host that clients connect to.
    pub(super) endpoint: Option<String>,
    /// The port that they connect to.
    pub(super) port: Option<i32>,
    /// Its id that no later database of the name has (`db-…`): IAM policies for log-ins name it.
    pub(super) dbi_resource_id: Option<String>,
    /// The secret that RDS keeps the password in.
    pub(super) master_user_secret_arn: Option<String>,
    /// The version that runs.
    pub(super) engine_version: String,
    /// The gibibytes there are.
    pub(super) allocated_storage: i32,
    /// Its replicas: names, and ARNs of those in other regions.
    pub(super) read_replicas: Vec<String>,
    /// The region it is in.
    pub(super) region: String,
    /// AWS's word for the state it is in.
    pub(super) db_instance_status: String,
    /// What the final snapshot is called that a delete leaves behind.
    pub(super) final_db_snapshot_identifier: String,
}

impl Kind for DbInstance {
    type Status = DbInstanceStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(63) };
    const CLASS: CreateClass = CreateClass::Name;
    const DATA: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let mut found = vec![];
        for instance in instances(aws, scope).await?.iter() {
            let live = live(instance)?;
            let named = scope.is_candidate(&live.name) || scope.ids.contains(&live.id);
            if !named
                && !scope.is_owned(&live.tags)
                && !scope.ids.contains(&live.status.arn)
                && scope.lookups.is_empty()
            {
                continue;
            }
            let elsewhere = instance.db_instance_automated_backups_replications();
            let copies = elsewhere.iter().filter_map(|r| r.db_instance_automated_backups_arn.clone()).next();
            found.push((live, copies));
        }
        try_join_all(found.into_iter().map(|(mut live, copies)| async move {
            if let Some(arn) = copies.filter(|_| scope.is_owned(&live.tags) || scope.ids.contains(&live.id)) {
                live.spec.automated_backups_replication = backups(aws, &arn).await?;
            }
            Ok(live)
        }))
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let told = create(aws, desired).await?.and_then(|told| live(&told).ok());
        Ok(told.map_or_else(|| Made::unseen(&desired.name), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        update(aws, live, desired).await?;
        if desired.changed("automatedBackupsReplication") {
            replicate_backups(aws, live, desired.spec.automated_backups_replication.as_ref()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let DbInstance { deletion_protection, skip_final_snapshot, delete_automated_backups, .. } = &live.spec;
        if deletion_protection.as_deref() == Some(&true) {
            let modify = rds(aws).modify_db_instance().db_instance_identifier(&live.id);
            modify.deletion_protection(false).apply_immediately(true).send().await?;
            let message = format!("the deletion protection of {} had to be turned off first", live.id);
            return Err(Error::not_yet("rds.DeleteDBInstance", message));
        }
        // AWS makes no final snapshot of a replica, and refuses to be asked for one.
        let skip = *skip_final_snapshot || live.spec.source().is_some();
        rds(aws)
            .delete_db_instance()
            .db_instance_identifier(&live.id)
            .skip_final_snapshot(skip)
            .set_final_db_snapshot_identifier((!skip).then(|| final_snapshot(live)))
            .delete_automated_backups(*delete_automated_backups)
            .send()
            .await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

impl DbInstance {
    /// What it is a replica of.
    pub(super) fn source(&self) -> Option<&str> {
        Some(self.replication.as_ref()?.source_db_instance.as_ref()?.as_str())
    }
}
