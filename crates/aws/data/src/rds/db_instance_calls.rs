//! The calls that create and modify a database.

use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Modify;
use aws_sdk_rds::types::{self as sdk, CloudwatchLogsExportConfiguration};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Live};
use holdfast_base::tagging::Tags;
use holdfast_core::types::{Ref, ServerDefault};

use super::db_instance::DbInstance;
use super::db_instance_from_response::accepts;
use super::requested::RequestedValues;
use super::{rds, sdk_tags, texts};
use crate::secretsmanager;

/// Records the stated values of fields in the tag `holdfast:requested`.
fn record_requested(spec: &DbInstance, requested: &mut RequestedValues, changed: impl Fn(&str) -> bool) {
    let flags = [
        ("allowMajorVersionUpgrade", spec.allow_major_version_upgrade),
        ("skipFinalSnapshot", spec.skip_final_snapshot),
        ("deleteAutomatedBackups", spec.delete_automated_backups),
        ("applyImmediately", spec.apply_immediately),
    ];
    for (field, flag) in flags.into_iter().filter(|(field, _)| changed(field)) {
        requested.set(field, Some(flag));
    }
    let words = [
        ("engineVersion", spec.engine_version.as_deref().cloned()),
        ("allocatedStorage", value(&spec.allocated_storage).map(|n| n.to_string())),
        ("availabilityZone", spec.availability_zone.as_deref().cloned()),
        ("masterUserPasswordKey", spec.master_user_password_key.clone()),
    ];
    for (field, word) in words.into_iter().filter(|(field, _)| changed(field)) {
        requested.set(field, word);
    }
}

/// Creates a database or a read replica with one mutating call, and returns the response with the tags of the request.
///
/// The request carries all tags: the owner's tags, `holdfast:requested` and the consumed version of the password's
/// secret. Fields that the call does not accept follow as an update. AWS refuses a name that is already in use, so that
/// a retry never creates a duplicate.
pub(super) async fn create(aws: &Aws, desired: &Desired<DbInstance>) -> Result<Option<sdk::DbInstance>> {
    let mut requested = RequestedValues::default();
    record_requested(&desired.spec, &mut requested, |_| true);
    let mut tags = desired.tags.clone();
    tags.extend([requested.tag()]);
    let created = match desired.spec.source() {
        Some(source) => create_replica(aws, desired, source, &tags).await?,
        None => {
            let secret = desired.spec.master_user_password.as_ref();
            tags.extend(secret.map(|secret| secretsmanager::consumed_tag("masterUserPassword", secret)));
            create_standalone(aws, desired, &tags).await?
        }
    };
    Ok(created.map(|mut instance| {
        instance.tag_list = sdk_tags(&tags);
        instance
    }))
}

async fn create_standalone(aws: &Aws, desired: &Desired<DbInstance>, tags: &Tags) -> Result<Option<sdk::DbInstance>> {
    let spec = desired.spec.clone();
    let mut create = rds(aws).create_db_instance();
    if let Some(secret) = &spec.master_user_password {
        let password = secretsmanager::read(aws, secret, spec.master_user_password_key.as_deref()).await?;
        create = create.master_user_password(password.expose());
    }
    let output = create
        .db_instance_identifier(&desired.name)
        .engine(spec.engine)
        .set_engine_version(value(&spec.engine_version))
        .set_auto_minor_version_upgrade(value(&spec.auto_minor_version_upgrade))
        .set_engine_lifecycle_support(value(&spec.engine_lifecycle_support))
        .set_license_model(value(&spec.license_model))
        .db_instance_class(spec.db_instance_class)
        .set_allocated_storage(value(&spec.allocated_storage))
        .set_max_allocated_storage(spec.max_allocated_storage)
        .set_storage_type(value(&spec.storage_type))
        .set_iops(value(&spec.iops))
        .set_storage_throughput(value(&spec.storage_throughput))
        .set_dedicated_log_volume(value(&spec.dedicated_log_volume))
        .set_storage_encrypted(value(&spec.storage_encrypted))
        .set_kms_key_id(reference(&spec.kms_key))
        .set_multi_az(value(&spec.multi_az))
        .set_availability_zone(value(&spec.availability_zone))
        .set_db_subnet_group_name(reference(&spec.db_subnet_group))
        .set_db_parameter_group_name(reference(&spec.db_parameter_group))
        .set_option_group_name(value(&spec.option_group_name))
        .set_vpc_security_group_ids(spec.vpc_security_groups.as_deref().map(texts))
        .set_network_type(value(&spec.network_type))
        .set_publicly_accessible(value(&spec.publicly_accessible))
        .set_port(value(&spec.port))
        .set_ca_certificate_identifier(value(&spec.ca_certificate_identifier))
        .set_db_name(spec.db_name)
        .set_character_set_name(value(&spec.character_set_name))
        .set_timezone(value(&spec.timezone))
        .set_master_username(value(&spec.master_username))
        .set_manage_master_user_password(value(&spec.manage_master_user_password).filter(|on| *on))
        .set_master_user_secret_kms_key_id(reference(&spec.master_user_secret_kms_key))
        .set_enable_iam_database_authentication(value(&spec.enable_iam_database_authentication))
        .set_backup_retention_period(value(&spec.backup_retention_period))
        .set_preferred_backup_window(value(&spec.preferred_backup_window))
        .set_preferred_maintenance_window(value(&spec.preferred_maintenance_window).map(|window| window.0))
        .set_copy_tags_to_snapshot(value(&spec.copy_tags_to_snapshot))
        .set_database_insights_mode(spec.database_insights_mode.as_ref().map(|mode| mode.as_str().into()))
        .set_enable_performance_insights(value(&spec.performance_insights_enabled))
        .set_performance_insights_retention_period(value(&spec.performance_insights_retention_period))
        .set_performance_insights_kms_key_id(reference(&spec.performance_insights_kms_key))
        .set_monitoring_interval(value(&spec.monitoring_interval))
        .set_monitoring_role_arn(spec.monitoring_role.map(String::from))
        .set_enable_cloudwatch_logs_exports(spec.enabled_cloudwatch_logs_exports.map(|logs| logs.into_iter().collect()))
        .set_deletion_protection(value(&spec.deletion_protection))
        .set_tags(sdk_tags(tags))
        .send()
        .await?;
    Ok(output.db_instance)
}

/// Creates a read replica. The call accepts no engine and no users, which are those of the source. Backup settings,
/// windows and the like follow as an update.
async fn create_replica(
    aws: &Aws,
    desired: &Desired<DbInstance>,
    source: &str,
    tags: &Tags,
) -> Result<Option<sdk::DbInstance>> {
    let spec = desired.spec.clone();
    let replica_mode = spec.replication.as_ref().and_then(|r| r.replica_mode.as_ref());
    // AWS requires the name of a source in the same region, and the ARN of a source in another region.
    let is_same_region = source.split(':').nth(3) == Some(aws.region());
    let source = if is_same_region { source.rsplit(':').next().unwrap_or(source) } else { source };
    let output = rds(aws)
        .create_db_instance_read_replica()
        .db_instance_identifier(&desired.name)
        .source_db_instance_identifier(source)
        .set_replica_mode(replica_mode.map(|mode| mode.as_str().into()))
        .set_auto_minor_version_upgrade(value(&spec.auto_minor_version_upgrade))
        .db_instance_class(spec.db_instance_class)
        .set_allocated_storage(value(&spec.allocated_storage))
        .set_max_allocated_storage(spec.max_allocated_storage)
        .set_storage_type(value(&spec.storage_type))
        .set_iops(value(&spec.iops))
        .set_storage_throughput(value(&spec.storage_throughput))
        .set_dedicated_log_volume(value(&spec.dedicated_log_volume))
        .set_kms_key_id(reference(&spec.kms_key))
        .set_multi_az(value(&spec.multi_az))
        .set_availability_zone(value(&spec.availability_zone))
        .set_db_subnet_group_name(reference(&spec.db_subnet_group))
        .set_db_parameter_group_name(reference(&spec.db_parameter_group))
        .set_option_group_name(value(&spec.option_group_name))
        .set_vpc_security_group_ids(spec.vpc_security_groups.as_deref().map(texts))
        .set_network_type(value(&spec.network_type))
        .set_publicly_accessible(value(&spec.publicly_accessible))
        .set_port(value(&spec.port))
        .set_ca_certificate_identifier(value(&spec.ca_certificate_identifier))
        .set_enable_iam_database_authentication(value(&spec.enable_iam_database_authentication))
        .set_copy_tags_to_snapshot(value(&spec.copy_tags_to_snapshot))
        .set_database_insights_mode(spec.database_insights_mode.as_ref().map(|mode| mode.as_str().into()))
        .set_enable_performance_insights(value(&spec.performance_insights_enabled))
        .set_performance_insights_retention_period(value(&spec.performance_insights_retention_period))
        .set_performance_insights_kms_key_id(reference(&spec.performance_insights_kms_key))
        .set_monitoring_interval(value(&spec.monitoring_interval))
        .set_monitoring_role_arn(spec.monitoring_role.map(String::from))
        .set_enable_cloudwatch_logs_exports(spec.enabled_cloudwatch_logs_exports.map(|logs| logs.into_iter().collect()))
        .set_deletion_protection(value(&spec.deletion_protection))
        .set_tags(sdk_tags(tags))
        .send()
        .await?;
    Ok(output.db_instance)
}

/// Promotes the replica, or modifies the fields that differ, and records the stated values in `holdfast:requested`.
///
/// **Expected flow**
/// 1. When the document states no source for a replica, `PromoteReadReplica` is the only call. AWS accepts no other
///    change during a promotion: other differences follow in a later update.
/// 2. Otherwise one `ModifyDBInstance` sends all fields that differ, and the master password when it differs.
/// 3. The tags are written last, so that an interrupted update is repeated.
///
/// **Caveats**: a call with `ApplyImmediately` also applies the changes that wait for the maintenance window.
///
/// **Errors**: a terminal error for a smaller storage or for another key of a managed password's secret.
pub(super) async fn update(aws: &Aws, live: &Live<DbInstance>, desired: &Desired<DbInstance>) -> Result<()> {
    if live.spec.source().is_some() && desired.spec.source().is_none() {
        let spec = &desired.spec;
        let promote = rds(aws).promote_read_replica().db_instance_identifier(&live.id);
        promote
            .set_backup_retention_period(value(&spec.backup_retention_period).filter(|days| *days > 0))
            .set_preferred_backup_window(value(&spec.preferred_backup_window))
            .send()
            .await?;
        return Ok(());
    }
    let mut requested = RequestedValues::of(&live.tags);
    let before = requested.clone();
    record_requested(&desired.spec, &mut requested, |field| desired.changed(field));
    let mut tags = Tags::new();
    // A call with `ApplyImmediately` also applies pending changes, even when the call itself changes nothing.
    let immediate =
        desired.changed(DbInstance::APPLY_IMMEDIATELY) && desired.spec.apply_immediately && !live.scheduled.is_empty();
    let modify = modify(aws, live, desired, &before)?.or_else(|| immediate.then(|| rds(aws).modify_db_instance()));
    if let Some(secret) = desired.spec.master_user_password.as_ref().filter(|_| sends_password(desired)) {
        let password = secretsmanager::read(aws, secret, desired.spec.master_user_password_key.as_deref()).await?;
        let modify = modify.unwrap_or_else(|| rds(aws).modify_db_instance());
        start(modify, live, desired).master_user_password(password.expose()).send().await?;
        tags.extend([secretsmanager::consumed_tag("masterUserPassword", secret)]);
    } else if let Some(modify) = modify {
        start(modify, live, desired).send().await?;
    }
    if requested != before {
        tags.extend([requested.tag()]);
    }
    if !tags.is_empty() {
        rds(aws).add_tags_to_resource().resource_name(&live.status.arn).set_tags(sdk_tags(&tags)).send().await?;
    }
    Ok(())
}

fn start(modify: Modify, live: &Live<DbInstance>, desired: &Desired<DbInstance>) -> Modify {
    modify.db_instance_identifier(&live.id).apply_immediately(desired.spec.apply_immediately)
}

fn sends_password(desired: &Desired<DbInstance>) -> bool {
    let managed = value(&desired.spec.manage_master_user_password) == Some(true);
    let fields = ["masterUserPassword", "masterUserPasswordKey", "manageMasterUserPassword"];
    !managed && fields.iter().any(|field| desired.changed(field))
}

/// Returns the call with the fields that differ, except for the password; none when it would be empty.
fn modify(
    aws: &Aws,
    live: &Live<DbInstance>,
    desired: &Desired<DbInstance>,
    requested: &RequestedValues,
) -> Result<Option<Modify>> {
    let DbInstance {
        engine,
        engine_version,
        allow_major_version_upgrade,
        auto_minor_version_upgrade,
        engine_lifecycle_support,
        license_model,
        db_instance_class,
        allocated_storage,
        max_allocated_storage,
        storage_type,
        iops,
        storage_throughput,
        dedicated_log_volume,
        storage_encrypted: _,
        kms_key: _,
        multi_az,
        availability_zone: _,
        db_subnet_group,
        db_parameter_group,
        option_group_name,
        vpc_security_groups,
        network_type,
        publicly_accessible,
        port,
        ca_certificate_identifier,
        db_name: _,
        character_set_name: _,
        timezone: _,
        master_username: _,
        manage_master_user_password,
        master_user_secret_kms_key,
        master_user_password: _,
        master_user_password_key: _,
        enable_iam_database_authentication,
        backup_retention_period,
        preferred_backup_window,
        preferred_maintenance_window,
        copy_tags_to_snapshot,
        automated_backups_replication: _,
        database_insights_mode,
        performance_insights_enabled,
        performance_insights_retention_period,
        performance_insights_kms_key,
        monitoring_interval,
        monitoring_role,
        enabled_cloudwatch_logs_exports,
        replication,
        deletion_protection,
        skip_final_snapshot: _,
        delete_automated_backups: _,
        apply_immediately: _,
    } = desired.spec.clone();
    let changed = |field: &str| desired.changed(field);
    let mut modify = rds(aws).modify_db_instance();

    let running = &live.status.engine_version;
    let auto_upgrade = value(&auto_minor_version_upgrade) != Some(false);
    let desired_version = value(&engine_version)
        .filter(|version| changed(DbInstance::ENGINE_VERSION) && !accepts(&engine, version, running, auto_upgrade));
    if let Some(version) = desired_version {
        // AWS refuses a downgrade, and a major upgrade that is not allowed.
        let allowed = Some(allow_major_version_upgrade).filter(|allowed| *allowed);
        modify = modify.engine_version(version).set_allow_major_version_upgrade(allowed);
    }

    let gp3 = storage_type.as_ref().is_some_and(|of| of.as_str() == "gp3");
    // AWS returns the baseline IOPS of a small gp3 volume, and refuses the value as an input.
    let small = gp3 && value(&live.spec.iops).is_none_or(|iops| iops <= 3000) && !changed(DbInstance::IOPS);
    if ["allocatedStorage", "iops", "storageThroughput", "storageType"].iter().any(|field| changed(field)) {
        let current_gib = live.status.allocated_storage;
        let desired_gib = value(&allocated_storage).unwrap_or(current_gib);
        let before = requested.get("allocatedStorage").and_then(|text| text.parse().ok()).unwrap_or(desired_gib);
        let autoscales = max_allocated_storage.is_some();
        if changed(DbInstance::ALLOCATED_STORAGE) && desired_gib < current_gib && (desired_gib < before || !autoscales)
        {
            let message = format!("AWS cannot reduce storage: set `allocatedStorage` to at least {current_gib} GiB");
            return Err(Error::terminal("rds.ModifyDBInstance", message));
        }
        modify = modify.allocated_storage(desired_gib.max(current_gib));
        if changed(DbInstance::STORAGE_TYPE) {
            modify = modify.set_storage_type(value(&storage_type));
        }
        if !small {
            modify = modify.set_iops(value(&iops));
        }
        if changed(DbInstance::STORAGE_THROUGHPUT) {
            modify = modify.set_iops(value(&iops)).set_storage_throughput(value(&storage_throughput));
        }
    }
    if changed(DbInstance::MAX_ALLOCATED_STORAGE) {
        // A limit that equals the allocated storage turns storage autoscaling off
        // (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html).
        modify = modify.max_allocated_storage(max_allocated_storage.unwrap_or(live.status.allocated_storage));
    }
    let managed = value(&manage_master_user_password);
    if changed(DbInstance::MANAGE_MASTER_USER_PASSWORD) {
        let key = reference(&master_user_secret_kms_key).filter(|_| managed == Some(true));
        modify = modify.set_manage_master_user_password(managed).set_master_user_secret_kms_key_id(key);
    } else if changed(DbInstance::MASTER_USER_SECRET_KMS_KEY) && managed == Some(true) {
        let message = "AWS cannot change the key of a managed password's secret: set `masterUserSecretKmsKey` back, \
                       or `manageMasterUserPassword` to false, with a `masterUserPassword`, and to true again";
        return Err(Error::terminal("rds.ModifyDBInstance", message));
    }
    if changed(DbInstance::ENABLED_CLOUDWATCH_LOGS_EXPORTS) {
        let (desired_logs, none) = (enabled_cloudwatch_logs_exports.unwrap_or_default(), Default::default());
        let live_logs = live.spec.enabled_cloudwatch_logs_exports.as_ref().unwrap_or(&none);
        let logs = CloudwatchLogsExportConfiguration::builder()
            .set_enable_log_types(Some(desired_logs.difference(live_logs).cloned().collect()))
            .set_disable_log_types(Some(live_logs.difference(&desired_logs).cloned().collect()));
        modify = modify.cloudwatch_logs_export_configuration(logs.build());
    }
    // AWS requires the interval and the role in one call. Without an interval there is no role.
    if changed(DbInstance::MONITORING_INTERVAL) || changed(DbInstance::MONITORING_ROLE) {
        let role = monitoring_role.map(String::from).filter(|_| value(&monitoring_interval) != Some(0));
        modify = modify.set_monitoring_interval(value(&monitoring_interval)).set_monitoring_role_arn(role);
    }
    if [
        "performanceInsightsEnabled",
        "performanceInsightsRetentionPeriod",
        "performanceInsightsKmsKey",
        "databaseInsightsMode",
    ]
    .iter()
    .any(|field| changed(field))
    {
        let on = value(&performance_insights_enabled);
        let retention = value(&performance_insights_retention_period).filter(|_| on != Some(false));
        modify = modify.set_enable_performance_insights(on).set_performance_insights_retention_period(retention);
        if changed(DbInstance::DATABASE_INSIGHTS_MODE) {
            let mode = database_insights_mode.as_ref().map(|mode| mode.as_str().into());
            modify = modify.set_database_insights_mode(mode);
        }
        if changed(DbInstance::PERFORMANCE_INSIGHTS_KMS_KEY) {
            modify = modify.set_performance_insights_kms_key_id(reference(&performance_insights_kms_key));
        }
    }
    if changed(DbInstance::DB_INSTANCE_CLASS) {
        modify = modify.db_instance_class(db_instance_class);
    }
    if changed(DbInstance::REPLICATION) {
        let mode = replication.and_then(|replication| replication.replica_mode);
        modify = modify.set_replica_mode(mode.map(|mode| mode.as_str().into()));
    }
    macro_rules! plain {
        ($($field:literal $set:ident $value:expr;)*) => {
            $(if changed($field) { modify = modify.$set($value); })*
        };
    }
    plain! {
        "autoMinorVersionUpgrade" set_auto_minor_version_upgrade value(&auto_minor_version_upgrade);
        "engineLifecycleSupport" set_engine_lifecycle_support value(&engine_lifecycle_support);
        "licenseModel" set_license_model value(&license_model);
        "dedicatedLogVolume" set_dedicated_log_volume value(&dedicated_log_volume);
        "multiAz" set_multi_az value(&multi_az);
        "dbSubnetGroup" set_db_subnet_group_name reference(&db_subnet_group);
        "dbParameterGroup" set_db_parameter_group_name reference(&db_parameter_group);
        "optionGroupName" set_option_group_name value(&option_group_name);
        "vpcSecurityGroups" set_vpc_security_group_ids vpc_security_groups.as_deref().map(texts);
        "networkType" set_network_type value(&network_type);
        "publiclyAccessible" set_publicly_accessible value(&publicly_accessible);
        "port" set_db_port_number value(&port);
        "caCertificateIdentifier" set_ca_certificate_identifier value(&ca_certificate_identifier);
        "enableIAMDatabaseAuthentication" set_enable_iam_database_authentication
            value(&enable_iam_database_authentication);
        "backupRetentionPeriod" set_backup_retention_period value(&backup_retention_period);
        "preferredBackupWindow" set_preferred_backup_window value(&preferred_backup_window);
        "preferredMaintenanceWindow" set_preferred_maintenance_window
            value(&preferred_maintenance_window).map(|window| window.0);
        "copyTagsToSnapshot" set_copy_tags_to_snapshot value(&copy_tags_to_snapshot);
        "deletionProtection" set_deletion_protection value(&deletion_protection);
    }
    let empty = rds(aws).modify_db_instance();
    Ok(Some(modify).filter(|modify| modify.as_input() != empty.as_input()))
}

/// Returns the stated value of a field.
pub(super) fn value<T: Clone>(field: &Option<ServerDefault<T>>) -> Option<T> {
    field.as_deref().cloned()
}

/// Returns the identity that a stated reference holds.
pub(super) fn reference<K, A>(field: &Option<ServerDefault<Ref<K, A>>>) -> Option<String> {
    field.as_deref().map(|reference| reference.as_str().to_owned())
}
