//! The calls that create a database.

use aws_sdk_rds::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::Desired;
use holdfast_base::sdk::texts;
use holdfast_base::tagging::Tags;

use super::requested::RequestedValues;
use super::spec::DbInstance;
use crate::consumed_secret::{consumed_tag, read};
use crate::rds::{rds, reference, sdk_tags, value};

/// Sets the fields that the calls for a database and for a read replica have in common.
macro_rules! common_fields {
    ($call:expr, $spec:ident, $tags:ident) => {
        $call
            .set_auto_minor_version_upgrade(value(&$spec.auto_minor_version_upgrade))
            .db_instance_class(&$spec.db_instance_class)
            .set_allocated_storage(value(&$spec.allocated_storage))
            .set_max_allocated_storage($spec.max_allocated_storage)
            .set_storage_type(value(&$spec.storage_type))
            .set_iops(value(&$spec.iops))
            .set_storage_throughput(value(&$spec.storage_throughput))
            .set_dedicated_log_volume(value(&$spec.dedicated_log_volume))
            .set_kms_key_id(reference(&$spec.kms_key))
            .set_multi_az(value(&$spec.multi_az))
            .set_availability_zone(value(&$spec.availability_zone))
            .set_db_subnet_group_name(reference(&$spec.db_subnet_group))
            .set_db_parameter_group_name(reference(&$spec.db_parameter_group))
            .set_option_group_name(value(&$spec.option_group_name))
            .set_vpc_security_group_ids($spec.vpc_security_groups.as_deref().map(texts))
            .set_network_type(value(&$spec.network_type))
            .set_publicly_accessible(value(&$spec.publicly_accessible))
            .set_port(value(&$spec.port))
            .set_ca_certificate_identifier(value(&$spec.ca_certificate_identifier))
            .set_enable_iam_database_authentication(value(&$spec.enable_iam_database_authentication))
            .set_copy_tags_to_snapshot(value(&$spec.copy_tags_to_snapshot))
            .set_database_insights_mode($spec.database_insights_mode.as_ref().map(|mode| mode.as_str().into()))
            .set_enable_performance_insights(value(&$spec.performance_insights_enabled))
            .set_performance_insights_retention_period(value(&$spec.performance_insights_retention_period))
            .set_performance_insights_kms_key_id(reference(&$spec.performance_insights_kms_key))
            .set_monitoring_interval(value(&$spec.monitoring_interval))
            .set_monitoring_role_arn($spec.monitoring_role.clone().map(String::from))
            .set_enable_cloudwatch_logs_exports(
                $spec.enabled_cloudwatch_logs_exports.as_ref().map(|logs| logs.iter().cloned().collect()),
            )
            .set_deletion_protection(value(&$spec.deletion_protection))
            .set_tags(Some(sdk_tags($tags)?))
    };
}

/// Creates a database or a read replica with one mutating call, and returns the response with the tags of the request.
///
/// The request carries all tags: the owner's tags, `holdfast:requested` and the consumed version of the password's
/// secret. Fields that the call does not accept follow as an update. AWS refuses a name that is already in use, so that
/// a retry never creates a duplicate.
pub(super) async fn create(aws: &Aws, desired: &Desired<DbInstance>) -> Result<Option<sdk::DbInstance>> {
    let mut requested = RequestedValues::default();
    requested.record(&desired.spec, |_| true);
    let mut tags = desired.tags.clone();
    tags.extend([requested.tag()]);
    let created = match desired.spec.source() {
        Some(source) => create_replica(aws, desired, source, &tags).await?,
        None => {
            let secret = desired.spec.master_user_password.as_ref();
            tags.extend(secret.map(|secret| consumed_tag(DbInstance::MASTER_USER_PASSWORD.name(), secret)));
            create_standalone(aws, desired, &tags).await?
        }
    };
    let tags = sdk_tags(&tags)?;
    Ok(created.map(|mut instance| {
        instance.tag_list = Some(tags);
        instance
    }))
}

async fn create_standalone(aws: &Aws, desired: &Desired<DbInstance>, tags: &Tags) -> Result<Option<sdk::DbInstance>> {
    let spec = &desired.spec;
    let mut create = common_fields!(rds(aws).create_db_instance(), spec, tags);
    if let Some(secret) = &spec.master_user_password {
        let password = read(aws, secret, spec.master_user_password_key.as_deref()).await?;
        create = create.master_user_password(password.expose());
    }
    let output = create
        .db_instance_identifier(&desired.name)
        .engine(&spec.engine)
        .set_engine_version(value(&spec.engine_version))
        .set_engine_lifecycle_support(value(&spec.engine_lifecycle_support))
        .set_license_model(value(&spec.license_model))
        .set_storage_encrypted(value(&spec.storage_encrypted))
        .set_db_name(spec.db_name.clone())
        .set_character_set_name(value(&spec.character_set_name))
        .set_timezone(value(&spec.timezone))
        .set_master_username(value(&spec.master_username))
        .set_manage_master_user_password(value(&spec.manage_master_user_password).filter(|on| *on))
        .set_master_user_secret_kms_key_id(reference(&spec.master_user_secret_kms_key))
        .set_backup_retention_period(value(&spec.backup_retention_period))
        .set_preferred_backup_window(value(&spec.preferred_backup_window))
        .set_preferred_maintenance_window(value(&spec.preferred_maintenance_window).map(|window| window.0))
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
    let spec = &desired.spec;
    let replica_mode = spec.replication.as_ref().and_then(|r| r.replica_mode.as_ref());
    // AWS requires the name of a source in the same region, and the ARN of a source in another region.
    let is_same_region = source.split(':').nth(3) == Some(aws.region());
    let source = if is_same_region { source.rsplit(':').next().unwrap_or(source) } else { source };
    let output = common_fields!(rds(aws).create_db_instance_read_replica(), spec, tags)
        .db_instance_identifier(&desired.name)
        .source_db_instance_identifier(source)
        .set_replica_mode(replica_mode.map(|mode| mode.as_str().into()))
        .send()
        .await?;
    Ok(output.db_instance)
}
