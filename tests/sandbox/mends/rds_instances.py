"""RDS: DB instances, their read replicas, and their automated backups in other regions."""
import time
import uuid

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random as random
from moto.rds.exceptions import (
    DBInstanceAlreadyExists,
    DBInstanceNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBInstance, DBInstanceClustered, DBParameterGroup, RDSBackend
from moto.rds.responses import RDSResponse

import knobs
from mends import computed, core, mend
from mends.rds import each_backend

# The seconds that the creation, change and deletion of a DB instance take. In AWS they take minutes.
knobs.DEFAULTS["pending"].update(dbInstance=0, dbInstanceModify=0, dbInstanceDelete=0)
knobs.reset()

USABLE = ("available", "storage-full", "storage-optimization", "incompatible-parameters")
MINORS = {("postgres", "13"): "13.16", ("postgres", "14"): "14.13", ("postgres", "15"): "15.8", ("postgres", "16"): "16.4",
          ("postgres", "17"): "17.2", ("mysql", "8.0"): "8.0.39", ("mysql", "8.4"): "8.4.3", ("mariadb", "10.11"): "10.11.9"}
DBInstance.default_engine_versions.update(postgres="16.4", mysql="8.0.39", mariadb="10.11.9")
for attribute, value in {"network_type": "IPV4", "dedicated_log_volume": False, "database_insights_mode": "standard",
                         "engine_lifecycle_support": "open-source-rds-extended-support", "timezone": None, "replica_mode": None,
                         "performance_insights_enabled": False, "performance_insights_retention_period": None,
                         "performance_insights_kms_key_id": None, "born_of": None, "modified_at": None, "deleted_at": None}.items():
    setattr(DBInstance, attribute, value)


@computed(DBInstance)
def status(self):
    """DBInstanceStatus is creating, modifying or deleting for the seconds in the settings."""
    if self.deleted_at:
        return "deleting"
    if knobs.pending("dbInstance", self.born):
        return "creating"
    if self.modified_at and knobs.pending("dbInstanceModify", self.modified_at):
        return "modifying"
    return self._status


@computed(DBInstance)
def secondary_availability_zone(self):
    """DBInstance.SecondaryAvailabilityZone: "If present, specifies the name of the secondary Availability Zone for a DB
    instance with multi-AZ support."."""
    return (self.region + ("b" if self.availability_zone.endswith("a") else "a")) if self.multi_az else None


def settle():
    """Removes the DB instances whose deletion is complete."""
    for backend in each_backend():
        for name, database in list(backend.databases.items()):
            if database.deleted_at and not knobs.pending("dbInstanceDelete", database.deleted_at):
                del backend.databases[name]


core.ticks.append(settle)


def version(engine, requested):
    """CreateDBInstance, EngineVersion: a major version means its default minor version."""
    return MINORS.get((engine, requested), requested)


def major(engine, of):
    return of.split(".")[:1 if engine == "postgres" else 2]


def numbers(of):
    return [int(part) for part in of.split(".") if part.isdigit()]


def own_key(backend, service):
    """Returns the ARN of the AWS managed key of a service in the region. The first use creates the key."""
    keys = backend.__dict__.setdefault("own_keys", {})
    return keys.setdefault(service, f"arn:aws:kms:{backend.region_name}:{backend.account_id}:key/{uuid.uuid4()}")


def volume(database, asked):
    """RDS User Guide, "gp3 storage": below 400 GiB (200 GiB for Oracle) the baseline is 3,000 IOPS and 125 MiBps, which
    cannot be changed.

    From there on the baseline is 12,000 IOPS and 500 MiBps.
    """
    if database.storage_type != "gp3":
        database._storage_throughput = None
        if database.storage_type in ("gp2", "standard"):
            database.iops = None
        return
    small = database.allocated_storage < (200 if database.engine.startswith("oracle") else 400)
    if small and (asked.get("iops") or asked.get("storage_throughput")):
        raise InvalidParameterCombination("You can't specify IOPS or storage throughput for engine "
                                          f"{database.engine} and a storage size less than 400.")
    database.iops = 3000 if small else (asked.get("iops") or max(database.iops or 0, 12000))
    database._storage_throughput = 125 if small else (asked.get("storage_throughput") or max(database._storage_throughput or 0, 500))


def insights(backend, database, asked):
    """Performance Insights: the retention period is 7 days by default, and the key is AWS's own by default. When it is
    off, neither exists."""
    on = asked.pop("enable_performance_insights", None)
    database.performance_insights_enabled = database.performance_insights_enabled if on is None else on
    if not database.performance_insights_enabled:
        if asked.get("performance_insights_retention_period"):
            raise InvalidParameterCombination("The retention period cannot be set while Performance Insights is off.")
        database.performance_insights_retention_period = database.performance_insights_kms_key_id = None
        return
    days = asked.pop("performance_insights_retention_period", None) or database.performance_insights_retention_period or 7
    if days not in (7, 731) and (days % 31 or days > 713):
        raise InvalidParameterValue(f"Invalid Performance Insights retention period: {days}")
    key = asked.pop("performance_insights_kms_key_id", None) or database.performance_insights_kms_key_id
    database.performance_insights_retention_period = days
    database.performance_insights_kms_key_id = key or own_key(backend, "rds")


def finish(backend, database, asked):
    """Sets the fields that moto leaves out of a new DB instance."""
    database.dbi_resource_id = f"db-{random.get_random_string(26).upper()}"
    database.publicly_accessible = bool(database.publicly_accessible)
    if database.ca_certificate_identifier == "rds-ca-default":
        database.ca_certificate_identifier = "rds-ca-rsa2048-g1"
    if database.storage_encrypted and database.kms_key_id in (None, "default_kms_key_id"):
        database.kms_key_id = own_key(backend, "rds")
    for name in ("network_type", "dedicated_log_volume", "database_insights_mode", "engine_lifecycle_support", "timezone", "replica_mode"):
        if asked.get(name) is not None:
            setattr(database, name, asked[name])
    if database.engine == "postgres":
        database.license_model = "postgresql-license"
    insights(backend, database, dict(asked))
    volume(database, asked)


@mend(RDSBackend)
def create_db_instance(moto, self, db_kwargs):
    """CreateDBInstance: DBInstanceIdentifier "is stored as a lowercase string.". Each DB instance has its own
    DbiResourceId.

    "Can't set the AvailabilityZone parameter if the DB instance is a Multi-AZ deployment.". The request has either a
    password or a managed password, not both.
    """
    asked = dict(db_kwargs)
    asked["db_instance_identifier"] = asked["db_instance_identifier"].lower()
    if asked.get("db_cluster_identifier"):
        return moto(asked)
    if asked.get("multi_az") and asked.get("availability_zone"):
        raise InvalidParameterCombination("Requesting a specific availability zone is not valid for Multi-AZ instances.")
    if bool(asked.get("master_user_password")) == bool(asked.get("manage_master_user_password")):
        raise InvalidParameterCombination("You must specify either a MasterUserPassword or ManageMasterUserPassword, and not both.")
    if not asked.get("master_username") or not asked.get("allocated_storage"):
        raise InvalidParameterValue("The parameters MasterUsername and AllocatedStorage must be provided.")
    if asked.get("engine_version"):
        asked["engine_version"] = version(asked["engine"], asked["engine_version"])
    database = moto(asked)
    try:
        finish(self, database, asked)
    except RDSClientError:
        del self.databases[database.db_instance_identifier]
        raise
    return database


# ---- read replicas

@mend(RDSBackend)
def create_db_instance_read_replica(moto, self, db_kwargs):
    """CreateDBInstanceReadReplica creates a separate DB instance, without backups and with its own tags.

    moto's read replica is a copy that shares lists with its source. "The specified DB instance must have automatic
    backups enabled, that is, its backup retention period must be greater than 0."; "If you create an encrypted read
    replica in a different Amazon Web Services Region, then you must specify a KMS key identifier for the destination".
    Its parameter group is the source's in the same region, and the default in another region.
    """
    asked = {k: v for k, v in dict(db_kwargs).items() if k != "pre_signed_url"}
    name = asked["db_instance_identifier"] = asked["db_instance_identifier"].lower()
    source = self.find_db_from_id(asked["source_db_instance_identifier"])
    here = source.region == self.region_name
    if name in self.databases:
        raise DBInstanceAlreadyExists()
    if not source.backup_retention_period:
        raise RDSClientError("InvalidDBInstanceState", "Automated backups are not enabled for this database instance. To enable automated "
                             "backups, use ModifyDBInstance to set the backup retention period to a non-zero value.")
    if source.status not in USABLE:
        raise RDSClientError("InvalidDBInstanceState", f"DB instance {source.db_instance_identifier} is not in available state.")
    if source.manage_master_user_password and not source.engine.startswith("sqlserver-"):
        # Not supported: "Creating a read replica when the source DB or Multi-AZ DB cluster manages credentials with
        # Secrets Manager"
        # (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html#rds-secrets-manager-limitations).
        raise RDSClientError("InvalidDBInstanceState", "A read replica cannot be created while RDS manages the source's master user password.")
    if source.storage_encrypted and not here and not asked.get("kms_key_id"):
        raise InvalidParameterCombination("Cannot create a cross region unencrypted read replica from encrypted source.")
    if asked.get("kms_key_id") and not source.storage_encrypted:
        raise InvalidParameterCombination("Cannot create an encrypted read replica from an unencrypted source.")
    of_source = ("engine", "engine_version", "allocated_storage", "storage_type", "iops", "master_username", "db_name", "port",
                 "license_model", "db_instance_class", "storage_encrypted", "kms_key_id", "auto_minor_version_upgrade")
    made = {k: getattr(source, k) for k in of_source if getattr(source, k) is not None}
    if here and source.db_parameter_group_name:
        made["db_parameter_group_name"] = source.db_parameter_group_name
    if here and source._db_subnet_group_name:
        made["db_subnet_group_name"] = source._db_subnet_group_name
        made["vpc_security_group_ids"] = list(source.vpc_security_group_ids)
    made.update(asked, backup_retention_period=0)
    if made["storage_type"] == "gp3":
        made.pop("iops", None) if "iops" not in asked else None
    made["source_db_instance_identifier"] = source.db_instance_identifier if here else source.db_instance_arn
    replica = DBInstance(self, **made)
    finish(self, replica, asked)
    replica.set_as_replica()
    self.databases[name] = replica
    source.add_replica(replica)
    return replica


@mend(DBInstance)
def remove_replica(moto, self, replica):
    """A replica in another region is listed in its source by its ARN."""
    for name in (replica.db_instance_identifier, replica.db_instance_arn):
        if name in self.replicas:
            self.replicas.remove(name)


def stand_alone(database):
    try:
        database.backend.find_db_from_id(database.source_db_instance_identifier).remove_replica(database)
    except DBInstanceNotFoundError:
        pass  # its source does not exist any more
    database.is_replica, database.source_db_instance_identifier, database.replica_mode = False, None, None


@mend(RDSBackend)
def promote_read_replica(moto, self, db_kwargs):
    """PromoteReadReplica: "Promotes a read replica DB instance to a standalone DB instance.".

    BackupRetentionPeriod is 1 by default. A DB instance that is not a read replica gives InvalidDBInstanceState.
    """
    name = db_kwargs["db_instance_identifier"]
    if name not in self.databases:
        raise DBInstanceNotFoundError(name)
    database = self.databases[name]
    if not database.is_replica or database.status not in USABLE:
        raise RDSClientError("InvalidDBInstanceState", f"DB Instance {name} is not a read replica, or not available.")
    stand_alone(database)
    database.backup_retention_period = db_kwargs.get("backup_retention_period") or 1
    database.preferred_backup_window = db_kwargs.get("preferred_backup_window") or database.preferred_backup_window
    database.modified_at = time.monotonic()
    return database


# ---- changes

# The settings that change in the maintenance window unless they are applied immediately (RDS User Guide, "Settings for
# DB instances"), with their names in PendingModifiedValues.
WINDOW = {"db_instance_class": "DBInstanceClass", "allocated_storage": "AllocatedStorage", "multi_az": "MultiAZ", "iops": "Iops",
          "engine_version": "EngineVersion", "storage_type": "StorageType", "storage_throughput": "StorageThroughput",
          "port": "Port", "license_model": "LicenseModel", "db_subnet_group_name": "DBSubnetGroupName",
          "ca_certificate_identifier": "CACertificateIdentifier", "enable_iam_database_authentication": "IAMDatabaseAuthenticationEnabled"}


@computed(DBInstance)
def pending_modified_values(self):
    """DBInstance.PendingModifiedValues: the changes that are not applied yet."""
    return {WINDOW[name]: value for name, value in self.__dict__.get("waiting", {}).items()}


def refuse(database, asked):
    """Raises the errors of ModifyDBInstance."""
    if database.status not in USABLE:
        raise RDSClientError("InvalidDBInstanceState", f"Database instance is not in available state: {database.status}.")
    storage = asked.get("allocated_storage")
    if storage and storage < database.allocated_storage:
        raise InvalidParameterCombination(f"Requested storage size ({storage}) cannot be less than the current storage size ({database.allocated_storage}).")
    if requested := asked.get("engine_version"):
        requested = asked["engine_version"] = version(database.engine, requested)
        if numbers(requested) < numbers(database.engine_version):
            raise InvalidParameterCombination(f"Cannot upgrade {database.engine} from {database.engine_version} to {requested}")
        if major(database.engine, requested) != major(database.engine, database.engine_version) and not asked.get("allow_major_version_upgrade"):
            raise InvalidParameterCombination("The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.")
    interval, role = asked.get("monitoring_interval", database.monitoring_interval), asked.get("monitoring_role_arn", database.monitoring_role_arn)
    if interval and not role:
        raise InvalidParameterCombination("A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.")
    if asked.get("master_user_password") and (asked.get("manage_master_user_password") or database.manage_master_user_password
                                              and asked.get("manage_master_user_password") is not False):
        raise InvalidParameterCombination("You can't specify MasterUserPassword for an instance whose password is managed.")
    if asked.get("master_user_secret_kms_key_id") and database.manage_master_user_password:
        raise InvalidParameterCombination("You can't change the KMS key of a master user password that is managed already.")
    group = asked.get("db_subnet_group_name")
    if group and group in database.backend.subnet_groups and group != (database._db_subnet_group_name or group):
        if database.backend.subnet_groups[group].vpc_id == database.db_subnet_group.vpc_id:
            raise RDSClientError("InvalidVPCNetworkStateFault", f"You cannot move DB instance {database.db_instance_identifier} to subnet group "
                                 f"{group}. The specified DB subnet group and DB instance are in the same VPC.")
    if asked.get("backup_retention_period") == 0 and database.replicas:
        raise RDSClientError("InvalidDBInstanceState", "Automated backups cannot be turned off for a source of read replicas.")


@mend(RDSBackend)
def modify_db_instance(moto, self, db_instance_identifier, db_kwargs):
    """ModifyDBInstance: ApplyImmediately "Specifies whether the modifications in this request and any pending
    modifications are asynchronously applied as soon as possible".

    Without it the modifications are listed in PendingModifiedValues.
    """
    database, asked = self.describe_db_instances(db_instance_identifier)[0], dict(db_kwargs)
    if isinstance(database, DBInstanceClustered):
        return moto(db_instance_identifier, db_kwargs)
    refuse(database, asked)
    if "db_port_number" in asked:
        asked["port"] = asked.pop("db_port_number")
    for name in ("allow_major_version_upgrade", "db_instance_identifier"):
        asked.pop(name, None)
    if asked.pop("apply_immediately", False):
        asked = {**database.__dict__.pop("waiting", {}), **asked}
    else:
        later = {k: asked.pop(k) for k in list(asked) if k in WINDOW and asked[k] != attribute_of(database, k)}
        database.__dict__.setdefault("waiting", {}).update(later)
    insights(self, database, asked)
    unmanaged = "manage_master_user_password" in asked and not asked["manage_master_user_password"] and not database.manage_master_user_password
    if unmanaged:
        asked.pop("manage_master_user_password")
    if asked.get("manage_master_user_password") and database.manage_master_user_password:
        asked.pop("manage_master_user_password")
    if "db_subnet_group_name" in asked and asked["db_subnet_group_name"] not in self.subnet_groups:
        raise RDSClientError("DBSubnetGroupNotFoundFault", f"DB subnet group '{asked['db_subnet_group_name']}' does not exist.")
    storage = {k: asked[k] for k in ("allocated_storage", "iops", "storage_throughput", "storage_type") if k in asked}
    if storage:
        volume_of = {k: getattr(database, k) for k in ("storage_type", "allocated_storage")}
        database.storage_type = storage.get("storage_type", database.storage_type)
        database.allocated_storage = storage.get("allocated_storage", database.allocated_storage)
        try:
            volume(database, storage)
        except RDSClientError:
            database.storage_type, database.allocated_storage = volume_of["storage_type"], volume_of["allocated_storage"]
            raise
        if database.storage_type == "gp3":
            asked = {k: v for k, v in asked.items() if k not in ("iops", "storage_throughput")}
    default = asked.get("db_parameter_group_name") or ""
    if default.startswith("default.") and default not in self.db_parameter_groups:
        # AWS's default groups exist before any DB instance does.
        family = default.removeprefix("default.")
        self.db_parameter_groups[default] = DBParameterGroup(self, default, f"Default parameter group for {family}", family)
    answer = moto(db_instance_identifier, asked)
    if asked.get("monitoring_interval") == 0:
        database.monitoring_role_arn = None
    if asked:
        database.modified_at = time.monotonic()
    return answer


def attribute_of(database, name):
    return database._db_subnet_group_name if name == "db_subnet_group_name" else getattr(database, name)


@mend(RDSBackend)
def delete_db_instance(moto, self, db_instance_identifier, final_db_snapshot_identifier=None, skip_final_snapshot=False,
                       delete_automated_backups=True):
    """DeleteDBInstance: "If you don't enable this parameter [SkipFinalSnapshot], you must specify the
    FinalDBSnapshotIdentifier parameter.".

    For a read replica SkipFinalSnapshot must be enabled. Read replicas in the same region become standalone DB
    instances. The status is `deleting` for some minutes.
    """
    name = db_instance_identifier.lower()
    if name not in self.databases:
        raise DBInstanceNotFoundError(name)
    database = self.databases[name]
    if database.deleted_at or database.status == "creating":
        raise RDSClientError("InvalidDBInstanceState", f"Instance {name} is already being deleted, or still being created.")
    if bool(skip_final_snapshot) == bool(final_db_snapshot_identifier):
        raise InvalidParameterCombination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and not allowed with it.")
    if database.is_replica and final_db_snapshot_identifier:
        raise InvalidParameterCombination("Cannot create a final snapshot of a read replica.")
    if database.deletion_protection:
        return moto(name, final_db_snapshot_identifier, skip_final_snapshot, delete_automated_backups)
    for replica in [self.databases[r] for r in database.replicas if r in self.databases]:
        stand_alone(replica)
    if database.is_replica:
        stand_alone(database)
    answer = moto(name, final_db_snapshot_identifier, skip_final_snapshot, delete_automated_backups)
    self.databases[name], database.deleted_at = database, time.monotonic()
    settle()
    return answer


# ---- automated backups in another region

class Copies:
    """The automated backups of a DB instance of another region."""

    def __init__(self, backend, source, days, key):
        self.backend, self.source, self.backup_retention_period, self.kms_key_id = backend, source, days, key
        self.db_instance_arn, self.db_instance_identifier = source.db_instance_arn, source.db_instance_identifier
        self.dbi_resource_id, self.engine, self.engine_version = source.dbi_resource_id, source.engine, source.engine_version
        self.region, self.status, self.encrypted = source.region, "replicating", source.storage_encrypted
        token = random.get_random_string(26, lower_case=True)
        self.db_instance_automated_backups_arn = f"arn:aws:rds:{backend.region_name}:{backend.account_id}:auto-backup:ab-{token}"


def copies(backend):
    return backend.__dict__.setdefault("copies", {})


@computed(DBInstance)
def db_instance_automated_backups_replications(self):
    """DBInstance.DBInstanceAutomatedBackupsReplications: "The list of replicated automated backups associated with the
    DB instance."."""
    found = [copies(backend).get(self.db_instance_arn) for backend in each_backend()]
    return [{"DBInstanceAutomatedBackupsArn": of.db_instance_automated_backups_arn} for of in found if of]


def start_db_instance_automated_backups_replication(self):
    """StartDBInstanceAutomatedBackupsReplication is called in the destination region.

    BackupRetentionPeriod is 7 by default. An encrypted source needs a KmsKeyId of the destination region.
    """
    arn, days = self.params["SourceDBInstanceArn"], self.params.get("BackupRetentionPeriod") or 7
    source = self.backend.find_db_from_id(arn)
    if source.region == self.region:
        raise InvalidParameterValue("The source of the replication must be in another region.")
    if not source.backup_retention_period or source.status not in USABLE or source.db_instance_automated_backups_replications:
        raise RDSClientError("InvalidDBInstanceState", "The source has no backups, is not available, or is replicated already.")
    if source.storage_encrypted and not self.params.get("KmsKeyId"):
        raise InvalidParameterValue("A KmsKeyId of the destination region is needed for an encrypted DB instance.")
    copies(self.backend)[arn] = made = Copies(self.backend, source, days, self.params.get("KmsKeyId"))
    return ActionResult({"DBInstanceAutomatedBackup": made})


def stop_db_instance_automated_backups_replication(self):
    """StopDBInstanceAutomatedBackupsReplication is called in the destination region."""
    stopped = copies(self.backend).pop(self.params["SourceDBInstanceArn"], None)
    if not stopped:
        raise RDSClientError("InvalidDBInstanceState", "There is no replication of this DB instance to this region.")
    return ActionResult({"DBInstanceAutomatedBackup": stopped})


RDSResponse.start_db_instance_automated_backups_replication = start_db_instance_automated_backups_replication
RDSResponse.stop_db_instance_automated_backups_replication = stop_db_instance_automated_backups_replication


@mend(RDSResponse)
def describe_db_instance_automated_backups(moto, self):
    """DescribeDBInstanceAutomatedBackups: an ARN selects the backups that were replicated to this region.

    An unknown ARN gives DBInstanceAutomatedBackupNotFound.
    """
    arn = self.params.get("DBInstanceAutomatedBackupsArn")
    if not arn:
        return moto()
    found = [of for of in copies(self.backend).values() if of.db_instance_automated_backups_arn == arn]
    if not found:
        raise RDSClientError("DBInstanceAutomatedBackupNotFound", f"Automated backup {arn} not found.")
    return ActionResult({"DBInstanceAutomatedBackups": found})
