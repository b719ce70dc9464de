//! The calls that modify a database.

use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Modify;
use aws_sdk_rds::types::CloudwatchLogsExportConfiguration;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Live};
use holdfast_base::sdk::texts;
use holdfast_base::tagging::Tags;

use super::live::accepts;
use super::requested::RequestedValues;
use super::spec::DbInstance;
use crate::consumed_secret::{consumed_tag, read};
use crate::rds::{rds, reference, sdk_tags, value};

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
    requested.record(&desired.spec, |field| desired.changed(field));
    let mut tags = Tags::new();
    // A call with `ApplyImmediately` also applies pending changes, even when the call itself changes nothing.
    let immediate =
        desired.changed(DbInstance::APPLY_IMMEDIATELY) && desired.spec.apply_immediately && !live.scheduled.is_empty();
    let modify = modify(aws, live, desired, &before)?.or_else(|| immediate.then(|| rds(aws).modify_db_instance()));
    if let Some(secret) = desired.spec.master_user_password.as_ref().filter(|_| sends_password(desired)) {
        let password = read(aws, secret, desired.spec.master_user_password_key.as_deref()).await?;
        let modify = modify.unwrap_or_else(|| rds(aws).modify_db_instance());
        start(modify, live, desired).master_user_password(password.expose()).send().await?;
        tags.extend([consumed_tag(DbInstance::MASTER_USER_PASSWORD.name(), secret)]);
    } else if let Some(modify) = modify {
        start(modify, live, desired).send().await?;
    }
    if requested != before {
        tags.extend([requested.tag()]);
    }
    if !tags.is_empty() {
        rds(aws).add_tags_to_resource().resource_name(&live.status.arn).set_tags(Some(sdk_tags(&tags)?)).send().await?;
    }
    Ok(())
}

fn start(modify: Modify, live: &Live<DbInstance>, desired: &Desired<DbInstance>) -> Modify {
    modify.db_instance_identifier(&live.id).apply_immediately(desired.spec.apply_immediately)
}

fn sends_password(desired: &Desired<DbInstance>) -> bool {
    let managed = value(&desired.spec.manage_master_user_password) == Some(true);
    !managed
        && desired.changed_any(&[
            DbInstance::MASTER_USER_PASSWORD,
            DbInstance::MASTER_USER_PASSWORD_KEY,
            DbInstance::MANAGE_MASTER_USER_PASSWORD,
        ])
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
    let changed = |field| desired.changed(field);
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
    if desired.changed_any(&[
        DbInstance::ALLOCATED_STORAGE,
        DbInstance::IOPS,
        DbInstance::STORAGE_THROUGHPUT,
        DbInstance::STORAGE_TYPE,
    ]) {
        let current_gib = live.status.allocated_storage;
        let desired_gib = value(&allocated_storage).unwrap_or(current_gib);
        let before =
            requested.get(DbInstance::ALLOCATED_STORAGE).and_then(|text| text.parse().ok()).unwrap_or(desired_gib);
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
        // Another storage type has other values, so those of the old type are not sent along.
        let fits = |field| !changed(DbInstance::STORAGE_TYPE) || desired.stated(field);
        let iops = value(&iops).filter(|_| fits(DbInstance::IOPS));
        if !small {
            modify = modify.set_iops(iops);
        }
        if changed(DbInstance::STORAGE_THROUGHPUT) {
            modify = modify.set_iops(iops).set_storage_throughput(value(&storage_throughput));
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
    if desired.changed_any(&[
        DbInstance::PERFORMANCE_INSIGHTS_ENABLED,
        DbInstance::PERFORMANCE_INSIGHTS_RETENTION_PERIOD,
        DbInstance::PERFORMANCE_INSIGHTS_KMS_KEY,
        DbInstance::DATABASE_INSIGHTS_MODE,
    ]) {
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
        ($($field:ident $set:ident $value:expr;)*) => {
            $(if changed(DbInstance::$field) { modify = modify.$set($value); })*
        };
    }
    plain! {
        AUTO_MINOR_VERSION_UPGRADE set_auto_minor_version_upgrade value(&auto_minor_version_upgrade);
        ENGINE_LIFECYCLE_SUPPORT set_engine_lifecycle_support value(&engine_lifecycle_support);
        LICENSE_MODEL set_license_model value(&license_model);
        DEDICATED_LOG_VOLUME set_dedicated_log_volume value(&dedicated_log_volume);
        MULTI_AZ set_multi_az value(&multi_az);
        DB_SUBNET_GROUP set_db_subnet_group_name reference(&db_subnet_group);
        DB_PARAMETER_GROUP set_db_parameter_group_name reference(&db_parameter_group);
        OPTION_GROUP_NAME set_option_group_name value(&option_group_name);
        VPC_SECURITY_GROUPS set_vpc_security_group_ids vpc_security_groups.as_deref().map(texts);
        NETWORK_TYPE set_network_type value(&network_type);
        PUBLICLY_ACCESSIBLE set_publicly_accessible value(&publicly_accessible);
        PORT set_db_port_number value(&port);
        CA_CERTIFICATE_IDENTIFIER set_ca_certificate_identifier value(&ca_certificate_identifier);
        ENABLE_IAM_DATABASE_AUTHENTICATION set_enable_iam_database_authentication
            value(&enable_iam_database_authentication);
        BACKUP_RETENTION_PERIOD set_backup_retention_period value(&backup_retention_period);
        PREFERRED_BACKUP_WINDOW set_preferred_backup_window value(&preferred_backup_window);
        PREFERRED_MAINTENANCE_WINDOW set_preferred_maintenance_window
            value(&preferred_maintenance_window).map(|window| window.0);
        COPY_TAGS_TO_SNAPSHOT set_copy_tags_to_snapshot value(&copy_tags_to_snapshot);
        DELETION_PROTECTION set_deletion_protection value(&deletion_protection);
    }
    let empty = rds(aws).modify_db_instance();
    Ok(Some(modify).filter(|modify| modify.as_input() != empty.as_input()))
}
