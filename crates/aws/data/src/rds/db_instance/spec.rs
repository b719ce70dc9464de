//! The spec and the status of a DbInstance.

use std::collections::BTreeSet;

use aws_sdk_rds::types as sdk;
use holdfast_base::names::{Role, SecurityGroup};
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::consumed_secret::CurrentVersion;
use crate::kms::key::Key;
use crate::rds::MaintenanceWindow;
use crate::rds::db_parameter_group::DbParameterGroup;
use crate::rds::db_subnet_group::DbSubnetGroup;
use crate::secretsmanager::secret::Secret;

/// An RDS database instance: PostgreSQL, MySQL, MariaDB, Oracle, SQL Server or Db2. Aurora is not supported. Creation
/// takes 5 to 20 minutes. The name begins with a letter, has at most 63 letters, digits and single hyphens, does not
/// end with a hyphen, and is stored in lower case
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>).
///
/// The tag `holdfast:requested` records the values of fields that AWS does not return (`applyImmediately`,
/// `skipFinalSnapshot` and others), and of fields that AWS changes on its own (`engineVersion`, `allocatedStorage`). To
/// delete a database, Holdfast first turns deletion protection off. By default, a deletion creates a final snapshot.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbInstance {
    /// The database engine. For a replica, state the engine of its source.
    #[spec(immutable, one_of = [
        "postgres", "mysql", "mariadb", "oracle-se2", "oracle-se2-cdb", "oracle-ee", "oracle-ee-cdb", "sqlserver-ex",
        "sqlserver-web", "sqlserver-se", "sqlserver-ee", "sqlserver-dev-ee", "db2-ae", "db2-ce", "db2-se",
        "custom-oracle-ee", "custom-oracle-ee-cdb", "custom-oracle-se2", "custom-oracle-se2-cdb",
        "custom-sqlserver-ee", "custom-sqlserver-se", "custom-sqlserver-web", "custom-sqlserver-dev",
    ])]
    pub(super) engine: String,
    /// The engine version: a major version (`16`, `8.0`) or a minor version (`16.4`). While `autoMinorVersionUpgrade`
    /// is not false, a newer minor version of the same major version is not drift. Stating a newer version upgrades the
    /// database. AWS does not support downgrades. The running version is `${DbInstance.<name>.engineVersion}`.
    pub(super) engine_version: Option<ServerDefault<String>>,
    /// Whether a change of `engineVersion` may upgrade the major version. A major upgrade usually needs another
    /// `dbParameterGroup` in the same edit.
    #[serde(default)]
    pub(super) allow_major_version_upgrade: bool,
    /// Whether AWS upgrades minor versions automatically in the maintenance window.
    #[spec(default = true)]
    pub(super) auto_minor_version_upgrade: Option<ServerDefault<bool>>,
    /// The RDS Extended Support setting. With `open-source-rds-extended-support` old major versions keep running, for a
    /// fee.
    #[spec(
        one_of = ["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"],
        default = "open-source-rds-extended-support"
    )]
    pub(super) engine_lifecycle_support: Option<ServerDefault<String>>,
    /// The license model, for Oracle, Db2 and SQL Server.
    #[spec(one_of = [
        "license-included", "bring-your-own-license", "bring-your-own-media", "marketplace-license",
        "general-public-license", "postgresql-license",
    ])]
    pub(super) license_model: Option<ServerDefault<String>>,
    /// The instance class: `db.t4g.medium`, `db.r7g.large`. A change causes an outage.
    #[spec(pattern = "db[.][a-z0-9.-]+")]
    pub(super) db_instance_class: String,
    /// The allocated storage in GiB. Required, except for a replica. AWS refuses a smaller value. A larger live value,
    /// up to `maxAllocatedStorage`, comes from storage autoscaling and is not drift.
    #[spec(range = 5..=65536)]
    pub(super) allocated_storage: Option<ServerDefault<i32>>,
    /// The upper limit of storage autoscaling in GiB: AWS increases the storage up to this size when it fills up.
    /// `null` turns storage autoscaling off.
    pub(super) max_allocated_storage: Option<i32>,
    /// The storage type. AWS's default is `gp3`, or `io1` when `iops` is stated.
    #[spec(one_of = ["gp3", "gp2", "io1", "io2", "standard"])]
    pub(super) storage_type: Option<ServerDefault<String>>,
    /// The provisioned IOPS (I/O operations per second): for `io1` and `io2`, and for `gp3` from 400 GiB on (Oracle:
    /// 200 GiB). For smaller `gp3` storage, do not state this field: AWS returns 3000, but refuses 3000 in a request
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage>).
    pub(super) iops: Option<ServerDefault<i32>>,
    /// The storage throughput in MiB per second, for `gp3` storage of the sizes at which `iops` is accepted.
    pub(super) storage_throughput: Option<ServerDefault<i32>>,
    /// Whether the transaction log has a dedicated volume.
    pub(super) dedicated_log_volume: Option<ServerDefault<bool>>,
    /// Whether the storage is encrypted. AWS's default is false. A replica has the setting of its source.
    #[spec(immutable)]
    pub(super) storage_encrypted: Option<ServerDefault<bool>>,
    /// The KMS key that encrypts the storage. Without a key AWS uses its own, `aws/rds`. An encrypted replica in
    /// another region needs a key of its own region.
    #[spec(immutable)]
    pub(super) kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
    /// Whether a standby runs in another Availability Zone (Multi-AZ).
    pub(super) multi_az: Option<ServerDefault<bool>>,
    /// The Availability Zone. Valid only without `multiAz`. After a failover the standby may be in the stated zone,
    /// which is not drift.
    #[spec(immutable)]
    pub(super) availability_zone: Option<ServerDefault<String>>,
    /// The DB subnet group: the subnets of the network interfaces. AWS accepts another group only in another VPC,
    /// together with security groups of that VPC. A replica in another region needs a group. Without a group AWS uses
    /// the default VPC.
    pub(super) db_subnet_group: Option<ServerDefault<Ref<DbSubnetGroup>>>,
    /// The DB parameter group: the settings of the engine. Without a group AWS uses the default group of the engine
    /// version. Static parameters of a new group take effect at the next reboot. Holdfast does not reboot the database;
    /// it reports the condition `PendingReboot`.
    pub(super) db_parameter_group: Option<ServerDefault<Ref<DbParameterGroup>>>,
    /// The name of the option group. Without a name AWS uses its default group.
    #[spec(spelling = AnyCase)]
    pub(super) option_group_name: Option<ServerDefault<String>>,
    /// The security groups. Without any, AWS uses the default security group of the VPC.
    pub(super) vpc_security_groups: Option<ServerDefault<BTreeSet<Ref<SecurityGroup>>>>,
    /// The network type: IPv4 only, or IPv4 and IPv6 (`DUAL`).
    #[spec(one_of = ["IPV4", "DUAL"], default = "IPV4")]
    pub(super) network_type: Option<ServerDefault<String>>,
    /// Whether the host name of the endpoint resolves to a public IP address.
    pub(super) publicly_accessible: Option<ServerDefault<bool>>,
    /// The port. AWS's default depends on the engine: 5432, 3306, 1521, 1433 or 50000. A change reboots the database.
    #[spec(range = 1150..=65535)]
    pub(super) port: Option<ServerDefault<i32>>,
    /// The certificate authority (CA) of the server certificate, such as `rds-ca-rsa2048-g1`.
    pub(super) ca_certificate_identifier: Option<ServerDefault<String>>,
    /// The name of the initial database. Not for SQL Server.
    #[spec(immutable, length = 1..=64, pattern = "[A-Za-z0-9_]+", spelling = AnyCase)]
    pub(super) db_name: Option<String>,
    /// The character set, for Oracle.
    #[spec(immutable, spelling = AnyCase)]
    pub(super) character_set_name: Option<ServerDefault<String>>,
    /// The time zone, for SQL Server.
    #[spec(immutable)]
    pub(super) timezone: Option<ServerDefault<String>>,
    /// The name of the master user. A replica has the master user and the password of its source, so do not state them
    /// for a replica.
    #[spec(immutable, length = 1..=16, pattern = "[A-Za-z][A-Za-z0-9_]*")]
    pub(super) master_username: Option<ServerDefault<String>>,
    /// Whether RDS generates the master password, stores it in Secrets Manager and rotates it. This is the recommended
    /// way to set the password. The secret is `${DbInstance.<name>.masterUserSecretArn}`. A database with a managed
    /// password cannot have replicas, except for SQL Server
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html#rds-secrets-manager-limitations>).
    pub(super) manage_master_user_password: Option<ServerDefault<bool>>,
    /// The KMS key that encrypts the secret of a managed password. Without a key AWS uses its own,
    /// `aws/secretsmanager`. AWS cannot change the key while it manages the password
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>).
    pub(super) master_user_secret_kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
    /// The secret with the master password, for a database whose password RDS does not manage. Holdfast sets the
    /// password again whenever the secret has a new version.
    pub(super) master_user_password: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret's JSON value that holds the password. Without it, the password is the whole value.
    pub(super) master_user_password_key: Option<String>,
    /// Whether database users can log in with IAM credentials (IAM database authentication).
    #[serde(rename = "enableIAMDatabaseAuthentication")]
    pub(super) enable_iam_database_authentication: Option<ServerDefault<bool>>,
    /// The retention period of automated backups in days; 0 for no backups. AWS's default is 1, and 0 for a replica. A
    /// source of replicas needs at least 1. A change from or to 0 causes an outage.
    #[spec(range = 0..=35)]
    pub(super) backup_retention_period: Option<ServerDefault<i32>>,
    /// The daily time range of automated backups, in UTC: `03:00-04:00`. At least 30 minutes.
    #[spec(pattern = "([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")]
    pub(super) preferred_backup_window: Option<ServerDefault<String>>,
    /// The weekly time range of maintenance by AWS, in UTC: `sun:05:00-sun:06:00`. At least 30 minutes, outside the
    /// backup window.
    pub(super) preferred_maintenance_window: Option<ServerDefault<MaintenanceWindow>>,
    /// Whether snapshots get the tags of the database.
    #[spec(default = false)]
    pub(super) copy_tags_to_snapshot: Option<ServerDefault<bool>>,
    /// The replication of automated backups to another region; `null` for none. After the replication stops, existing
    /// copies are kept for their retention period. Supported for SQL Server, Oracle, PostgreSQL, MySQL and MariaDB
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReplicateBackups.html>).
    pub(super) automated_backups_replication: Option<AutomatedBackupsReplication>,
    /// The mode of CloudWatch Database Insights. `advanced` needs a Performance Insights retention period of 465 days.
    #[spec(one_of = sdk::DatabaseInsightsMode, default = "standard")]
    pub(super) database_insights_mode: Option<ServerDefault<String>>,
    /// Whether Performance Insights is on.
    pub(super) performance_insights_enabled: Option<ServerDefault<bool>>,
    /// The retention period of Performance Insights data in days: 7, a multiple of 31 up to 713, or 731.
    #[spec(range = 7..=731, default = 7, when = "performanceInsightsEnabled")]
    pub(super) performance_insights_retention_period: Option<ServerDefault<i32>>,
    /// The KMS key that encrypts Performance Insights data. Without a key AWS uses its own, `aws/rds`. The key can
    /// change only while Performance Insights is off.
    #[spec(when = "performanceInsightsEnabled")]
    pub(super) performance_insights_kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
    /// The interval between Enhanced Monitoring metrics in seconds: 0, 1, 5, 10, 15, 30 or 60. 0 disables Enhanced
    /// Monitoring.
    #[spec(range = 0..=60, default = 0)]
    pub(super) monitoring_interval: Option<ServerDefault<i32>>,
    /// The IAM role with which RDS writes Enhanced Monitoring metrics to CloudWatch Logs.
    #[spec(when = "monitoringInterval")]
    pub(super) monitoring_role: Option<Ref<Role, Arn>>,
    /// The log types that are exported to CloudWatch Logs: `postgresql` and `upgrade` of PostgreSQL; `audit`, `error`,
    /// `general` and `slowquery` of MySQL and MariaDB; `agent` and `error` of SQL Server; `alert`, `audit`, `listener`,
    /// `trace` and `oemagent` of Oracle; `diag.log` and `notify.log` of Db2.
    #[spec(one_of = [
        "postgresql", "upgrade", "audit", "error", "general", "slowquery", "agent", "alert", "listener", "trace",
        "oemagent", "diag.log", "notify.log", "iam-db-auth-error",
    ])]
    pub(super) enabled_cloudwatch_logs_exports: Option<BTreeSet<String>>,
    /// The settings of a read replica. `null` promotes the replica to a standalone database, in place. AWS cannot
    /// reverse a promotion, so a source for a standalone database, or another source, replaces the database.
    pub(super) replication: Option<ReadReplica>,
    /// Whether AWS refuses to delete the database. A deletion is held (`Protected`) then. With `--delete-data` Holdfast
    /// turns deletion protection off first.
    #[spec(default = false)]
    pub(super) deletion_protection: Option<ServerDefault<bool>>,
    /// Whether a deletion skips the final snapshot. By default a deletion creates the snapshot
    /// `${DbInstance.<name>.finalDbSnapshotIdentifier}`. The deletion of a replica never creates a snapshot.
    #[serde(default)]
    pub(super) skip_final_snapshot: bool,
    /// Whether a deletion also deletes the automated backups.
    #[serde(default = "yes")]
    pub(super) delete_automated_backups: bool,
    /// Whether changes apply immediately (the default) or wait for the maintenance window, as far as AWS can defer them
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html>). Holdfast reports
    /// deferred changes as held (`PendingMaintenanceWindow`), not as drift.
    #[serde(default = "yes")]
    pub(super) apply_immediately: bool,
}

fn yes() -> bool {
    true
}

/// The settings of a read replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadReplica {
    /// The source database, in the same region or another. In the AWS GovCloud (US) and China Regions, the source must
    /// be in the region of the replica. In these Regions AWS requires a pre-signed URL for a source in another region,
    /// and Holdfast does not create this URL
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html>).
    #[spec(immutable)]
    pub(super) source_db_instance: Option<ServerDefault<Ref<DbInstance, Arn>>>,
    /// The replica mode, for Oracle and Db2. A `mounted` replica accepts no user connections.
    #[spec(one_of = sdk::ReplicaMode)]
    pub(super) replica_mode: Option<ServerDefault<String>>,
}

/// The replication of automated backups to another region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutomatedBackupsReplication {
    /// The destination region.
    pub(super) region: String,
    /// The retention period of the copies in days.
    #[spec(range = 1..=35, default = 7)]
    pub(super) backup_retention_period: Option<ServerDefault<i32>>,
    /// The KMS key of the destination region that encrypts the copies. Required when the database is encrypted.
    pub(super) kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
}

/// The read-only attributes of a DbInstance.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DbInstanceStatus {
    /// The ARN.
    pub(super) arn: String,
    /// The host name of the endpoint that clients connect to.
    pub(super) endpoint: Option<String>,
    /// The port of the endpoint.
    pub(super) port: Option<i32>,
    /// The resource id (`db-…`), which is unique: a later database of the same name has another id. IAM policies for
    /// IAM database authentication contain this id.
    pub(super) dbi_resource_id: Option<String>,
    /// The ARN of the secret in which RDS stores the master password.
    pub(super) master_user_secret_arn: Option<String>,
    /// The running engine version.
    pub(super) engine_version: String,
    /// The allocated storage in GiB.
    pub(super) allocated_storage: i32,
    /// The read replicas: the names of those in the same region, and the ARNs of those in other regions.
    pub(super) read_replicas: Vec<String>,
    /// The region of the database.
    pub(super) region: String,
    /// The status that AWS returns: `available`, `modifying`, ….
    pub(super) db_instance_status: String,
    /// The name of the final snapshot that a deletion creates.
    pub(super) final_db_snapshot_identifier: String,
}

impl DbInstance {
    /// Returns the ARN of the source when the database is a replica.
    pub(super) fn source(&self) -> Option<&str> {
        Some(self.replication.as_ref()?.source_db_instance.as_ref()?.as_str())
    }
}
