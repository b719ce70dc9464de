//! Reads a database from the response of RDS: its spec, its phase and its pending changes.

use aws_sdk_rds::types as sdk;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::Live;
use holdfast_core::observed::Phase;
use holdfast_core::types::{Ref, ServerDefault};

use super::requested::RequestedValues;
use super::spec::{DbInstance, DbInstanceStatus, ReadReplica};
use crate::consumed_secret::consumed;
use crate::rds::{MaintenanceWindow, from_sdk_tags};

/// Reads a database from a response, without the replication of its backups.
pub(super) fn live(response: &sdk::DbInstance) -> Result<Live<DbInstance>> {
    let missing = |what| Error::incomplete("rds.DescribeDBInstances", what);
    let name = response.db_instance_identifier.clone().ok_or_else(|| missing("dbInstanceIdentifier"))?;
    let tags = from_sdk_tags(response.tag_list());
    let requested = RequestedValues::of(&tags);
    let status = status(response, &name).ok_or_else(|| missing("dbInstanceArn"))?;
    let text = |text: &Option<String>| text.clone().map(ServerDefault);
    let key = |arn: &Option<String>| arn.clone().map(|arn| ServerDefault(Ref::new(arn)));
    // Security groups that AWS is removing no longer count.
    let groups = response.vpc_security_groups().iter().filter(|group| group.status() != Some("removing"));
    let spec = DbInstance {
        engine: response.engine.clone().unwrap_or_default(),
        engine_version: Some(ServerDefault(shown_version(response, &requested))),
        allow_major_version_upgrade: requested.flag(DbInstance::ALLOW_MAJOR_VERSION_UPGRADE, false),
        auto_minor_version_upgrade: response.auto_minor_version_upgrade.map(ServerDefault),
        engine_lifecycle_support: text(&response.engine_lifecycle_support),
        license_model: text(&response.license_model),
        db_instance_class: response.db_instance_class.clone().unwrap_or_default(),
        allocated_storage: Some(ServerDefault(shown_storage(response, &requested))),
        max_allocated_storage: response.max_allocated_storage,
        storage_type: text(&response.storage_type),
        iops: response.iops.map(ServerDefault),
        storage_throughput: response.storage_throughput.filter(|n| *n > 0).map(ServerDefault),
        dedicated_log_volume: response.dedicated_log_volume.map(ServerDefault),
        storage_encrypted: response.storage_encrypted.map(ServerDefault),
        kms_key: key(&response.kms_key_id),
        multi_az: response.multi_az.map(ServerDefault),
        availability_zone: shown_zone(response, &requested).map(ServerDefault),
        db_subnet_group: response
            .db_subnet_group
            .as_ref()
            .and_then(|group| group.db_subnet_group_name.clone())
            .map(|name| ServerDefault(Ref::new(name))),
        db_parameter_group: response
            .db_parameter_groups()
            .first()
            .and_then(|group| group.db_parameter_group_name.clone())
            .map(|name| ServerDefault(Ref::new(name))),
        option_group_name: response
            .option_group_memberships()
            .first()
            .and_then(|g| g.option_group_name.clone())
            .map(ServerDefault),
        vpc_security_groups: Some(ServerDefault(
            groups.filter_map(|g| g.vpc_security_group_id.clone()).map(Ref::new).collect(),
        )),
        network_type: text(&response.network_type),
        publicly_accessible: response.publicly_accessible.map(ServerDefault),
        port: response.endpoint.as_ref().and_then(|endpoint| endpoint.port).map(ServerDefault),
        ca_certificate_identifier: text(&response.ca_certificate_identifier),
        db_name: response.db_name.clone(),
        character_set_name: text(&response.character_set_name),
        timezone: text(&response.timezone),
        master_username: text(&response.master_username),
        manage_master_user_password: Some(ServerDefault(response.master_user_secret.is_some())),
        master_user_secret_kms_key: key(&response.master_user_secret.as_ref().and_then(|s| s.kms_key_id.clone())),
        master_user_password: consumed(&tags, DbInstance::MASTER_USER_PASSWORD.name())
            .filter(|_| response.master_user_secret.is_none()),
        master_user_password_key: requested.get(DbInstance::MASTER_USER_PASSWORD_KEY).map(str::to_owned),
        enable_iam_database_authentication: response.iam_database_authentication_enabled.map(ServerDefault),
        backup_retention_period: response.backup_retention_period.map(ServerDefault),
        preferred_backup_window: text(&response.preferred_backup_window),
        preferred_maintenance_window: response
            .preferred_maintenance_window
            .clone()
            .map(|window| ServerDefault(MaintenanceWindow(window))),
        copy_tags_to_snapshot: response.copy_tags_to_snapshot.map(ServerDefault),
        automated_backups_replication: None,
        database_insights_mode: response
            .database_insights_mode
            .as_ref()
            .map(|mode| ServerDefault(mode.as_str().to_owned())),
        performance_insights_enabled: response.performance_insights_enabled.map(ServerDefault),
        performance_insights_retention_period: response.performance_insights_retention_period.map(ServerDefault),
        performance_insights_kms_key: key(&response.performance_insights_kms_key_id),
        monitoring_interval: response.monitoring_interval.map(ServerDefault),
        monitoring_role: response.monitoring_role_arn.clone().map(Ref::new),
        enabled_cloudwatch_logs_exports: Some(response.enabled_cloudwatch_logs_exports().iter().cloned().collect()),
        // Always a record, empty for a standalone database. A source stated for a standalone database then is a change
        // of `sourceDbInstance`, which is immutable. A document without a source changes `replication`, which is not
        // immutable.
        replication: Some(ReadReplica {
            source_db_instance: source(response).map(|arn| ServerDefault(Ref::new(arn))),
            replica_mode: response.replica_mode.as_ref().map(|mode| ServerDefault(mode.as_str().to_owned())),
        }),
        deletion_protection: response.deletion_protection.map(ServerDefault),
        skip_final_snapshot: requested.flag(DbInstance::SKIP_FINAL_SNAPSHOT, false),
        delete_automated_backups: requested.flag(DbInstance::DELETE_AUTOMATED_BACKUPS, true),
        apply_immediately: requested.flag(DbInstance::APPLY_IMMEDIATELY, true),
    };
    let mut live = Live::new(name.clone(), name, spec, status).tags(tags);
    let word = live.status.db_instance_status.clone();
    live.phase = phase(&word);
    if live.phase == Phase::Failed
        || matches!(word.as_str(), "storage-full" | "stopped")
        || word.starts_with("incompat")
    {
        live = live.degraded("Status", format!("RDS reports the status `{word}`"));
    }
    let reboot = |group: &sdk::DbParameterGroupStatus| group.parameter_apply_status() == Some("pending-reboot");
    if response.db_parameter_groups().iter().any(reboot) {
        live = live.action_required(
            "PendingReboot",
            "Static parameters of the DB parameter group take effect at the next reboot: reboot the database",
        );
    }
    Ok(with_pending(live, response))
}

fn status(response: &sdk::DbInstance, name: &str) -> Option<DbInstanceStatus> {
    let arn = response.db_instance_arn.clone()?;
    let endpoint = response.endpoint.as_ref();
    let resource = response.dbi_resource_id.clone().unwrap_or_default().to_lowercase();
    Some(DbInstanceStatus {
        endpoint: endpoint.and_then(|endpoint| endpoint.address.clone()),
        port: endpoint.and_then(|endpoint| endpoint.port),
        dbi_resource_id: response.dbi_resource_id.clone(),
        master_user_secret_arn: response.master_user_secret.as_ref().and_then(|secret| secret.secret_arn.clone()),
        engine_version: response.engine_version.clone().unwrap_or_default(),
        allocated_storage: response.allocated_storage.unwrap_or_default(),
        read_replicas: response.read_replica_db_instance_identifiers().to_vec(),
        region: arn.split(':').nth(3).unwrap_or_default().to_owned(),
        db_instance_status: response.db_instance_status.clone().unwrap_or_default(),
        // The same name for every retry of the deletion, and another one for a later database of this name.
        final_db_snapshot_identifier: format!("{name}-final-{}", resource.trim_start_matches("db-")),
        arn,
    })
}

/// Returns the ARN of the source of a replica. AWS returns a source of the same region by its name.
fn source(response: &sdk::DbInstance) -> Option<String> {
    let source = response.read_replica_source_db_instance_identifier.clone().filter(|source| !source.is_empty())?;
    let own = response.db_instance_arn.as_deref()?.rsplit_once(':')?.0;
    Some(if source.starts_with("arn:") { source } else { format!("{own}:{source}") })
}

/// Maps a status of RDS to a phase
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status>).
fn phase(status: &str) -> Phase {
    match status {
        "creating" => Phase::Pending,
        // The database runs more slowly, or is blocked until a person corrects what the condition reports.
        "available" | "storage-optimization" | "storage-initialization" | "storage-full" => Phase::Ready,
        "incompatible-parameters" | "incompatible-option-group" => Phase::Ready,
        "deleting" | "delete-precheck" => Phase::Deleting,
        "failed" | "restore-error" | "insufficient-capacity" | "inaccessible-encryption-credentials" => Phase::Failed,
        "incompatible-create" | "incompatible-network" | "incompatible-restore" => Phase::Failed,
        // RDS refuses to modify a stopped database, which starts again after seven days at the latest
        // (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html).
        "stopped" => Phase::Stopped,
        // backing-up, configuring-…, maintenance, modifying, rebooting, renaming, stopping, upgrading, …
        _ => Phase::Updating,
    }
}

/// Adds the changes that AWS accepted but has not applied: scheduled for the maintenance window, or in progress when
/// changes apply immediately.
fn with_pending(mut live: Live<DbInstance>, response: &sdk::DbInstance) -> Live<DbInstance> {
    let Some(pending) = &response.pending_modified_values else { return live };
    let fields = [
        (DbInstance::DB_INSTANCE_CLASS, pending.db_instance_class.is_some()),
        (DbInstance::ALLOCATED_STORAGE, pending.allocated_storage.is_some()),
        (DbInstance::PORT, pending.port.is_some()),
        (DbInstance::BACKUP_RETENTION_PERIOD, pending.backup_retention_period.is_some()),
        (DbInstance::MULTI_AZ, pending.multi_az.is_some()),
        (DbInstance::ENGINE_VERSION, pending.engine_version.is_some()),
        (DbInstance::LICENSE_MODEL, pending.license_model.is_some()),
        (DbInstance::IOPS, pending.iops.is_some()),
        (DbInstance::STORAGE_THROUGHPUT, pending.storage_throughput.is_some()),
        (DbInstance::STORAGE_TYPE, pending.storage_type.is_some()),
        (DbInstance::CA_CERTIFICATE_IDENTIFIER, pending.ca_certificate_identifier.is_some()),
        (DbInstance::DB_SUBNET_GROUP, pending.db_subnet_group_name.is_some()),
        (DbInstance::ENABLED_CLOUDWATCH_LOGS_EXPORTS, pending.pending_cloudwatch_logs_exports.is_some()),
        (DbInstance::ENABLE_IAM_DATABASE_AUTHENTICATION, pending.iam_database_authentication_enabled.is_some()),
    ];
    let mut pending: Vec<&str> =
        fields.iter().filter(|(_, is_pending)| *is_pending).map(|(field, _)| field.name()).collect();
    if pending.is_empty() {
        return live;
    }
    // The groups of another major version become valid with the version: RDS applies both together.
    if pending.contains(&DbInstance::ENGINE_VERSION.name()) {
        pending.extend([DbInstance::DB_PARAMETER_GROUP.name(), DbInstance::OPTION_GROUP_NAME.name()]);
    }
    let is_immediate = live.spec.apply_immediately;
    if is_immediate && live.phase == Phase::Ready {
        live.phase = Phase::Updating;
    }
    if !is_immediate {
        live.scheduled.extend(pending.iter().map(|field| (*field).to_owned()));
    }
    live.progressing(
        "PendingModification",
        format!("AWS has accepted but not yet applied changes of {}", pending.join(", ")),
    )
}

/// Returns the requested version while a newer minor version of it runs, else the running version.
fn shown_version(response: &sdk::DbInstance, requested: &RequestedValues) -> String {
    let running = response.engine_version.clone().unwrap_or_default();
    let auto_upgrade = response.auto_minor_version_upgrade != Some(false);
    match requested.get(DbInstance::ENGINE_VERSION) {
        Some(version) if accepts(response.engine().unwrap_or_default(), version, &running, auto_upgrade) => {
            version.to_owned()
        }
        _ => running,
    }
}

/// True when the running version satisfies the desired one. A newer minor version does when AWS may upgrade minor
/// versions.
pub(super) fn accepts(engine: &str, desired: &str, running: &str, auto_upgrade: bool) -> bool {
    let numbers = |version: &str| -> Vec<String> { version.split('.').map(str::to_owned).collect() };
    let (desired, running) = (numbers(desired), numbers(running));
    // The major version of PostgreSQL has one number from version 10 on, as has that of Oracle. Others have two.
    let has_one_number = engine == "postgres" && !desired[0].starts_with('9') || engine.starts_with("oracle");
    let major = if has_one_number { 1 } else { 2 };
    if desired.len() <= major || !auto_upgrade {
        return running.starts_with(&desired);
    }
    running.iter().take(major).eq(desired.iter().take(major)) && !is_older(&running, &desired)
}

/// True when the first version is older than the second.
fn is_older(first: &[String], second: &[String]) -> bool {
    let part = |part: &String| part.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap_or(0);
    first.iter().map(part).lt(second.iter().map(part))
}

/// Returns the requested storage in GiB while storage autoscaling has increased it, else the allocated storage.
fn shown_storage(response: &sdk::DbInstance, requested: &RequestedValues) -> i32 {
    let allocated = response.allocated_storage.unwrap_or_default();
    let autoscales = response.max_allocated_storage.is_some_and(|max| allocated <= max);
    let stated = requested.get(DbInstance::ALLOCATED_STORAGE).and_then(|text| text.parse().ok());
    stated.filter(|stated| autoscales && *stated <= allocated).unwrap_or(allocated)
}

/// Returns the requested zone while the standby is in it, else the zone of the database.
fn shown_zone(response: &sdk::DbInstance, requested: &RequestedValues) -> Option<String> {
    let stated = requested
        .get(DbInstance::AVAILABILITY_ZONE)
        .filter(|zone| response.secondary_availability_zone() == Some(*zone));
    stated.map(str::to_owned).or_else(|| response.availability_zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:rds:eu-west-1:1:db:shop";

    fn response() -> sdk::builders::DbInstanceBuilder {
        sdk::DbInstance::builder().db_instance_identifier("shop").db_instance_arn(ARN).engine("postgres")
    }

    fn requested_tag(value: &str) -> sdk::Tag {
        sdk::Tag::builder().key("holdfast:requested").value(value).build()
    }

    #[test]
    fn a_newer_minor_version_satisfies_the_stated_version() {
        assert!(accepts("postgres", "15", "15.4", false));
        assert!(accepts("postgres", "15.4", "15.10", true));
        assert!(!accepts("postgres", "15.4", "15.10", false));
        assert!(!accepts("postgres", "15.4", "15.3", true));
        assert!(!accepts("postgres", "15.4", "16.4", true));
        assert!(!accepts("postgres", "15.4", "15", true));
        assert!(accepts("mysql", "8.0", "8.0.39", true));
        assert!(!accepts("mysql", "8.0", "8.4.3", true));
        assert!(accepts("mysql", "8.0.35", "8.0.39", true));
        assert!(accepts("oracle-ee", "19.0.0.0.ru-2023-10.rur-2023-10.r1", "19.0.0.0.ru-2023-10.rur-2023-10.r1", true));
    }

    #[test]
    fn the_stated_value_is_reported_while_aws_moved_the_live_value() {
        let response = response().engine_version("15.7").allocated_storage(50).max_allocated_storage(100);
        let live = live(&response.tag_list(requested_tag("allocatedStorage=20 engineVersion=15.4")).build()).unwrap();
        assert_eq!(live.spec.engine_version, Some(ServerDefault("15.4".into())));
        assert_eq!((live.spec.allocated_storage, live.status.allocated_storage), (Some(ServerDefault(20)), 50));
        assert_eq!(live.status.engine_version, "15.7");
    }

    #[test]
    fn a_source_name_is_resolved_to_an_arn_of_the_same_region() {
        let with_source =
            |source: &str| live(&response().read_replica_source_db_instance_identifier(source).build()).unwrap();
        assert_eq!(with_source("main").spec.source(), Some("arn:aws:rds:eu-west-1:1:db:main"));
        assert_eq!(
            with_source("arn:aws:rds:us-east-1:1:db:main").spec.source(),
            Some("arn:aws:rds:us-east-1:1:db:main")
        );
        assert_eq!(live(&response().build()).unwrap().spec.replication, Some(ReadReplica::default()));
    }

    #[test]
    fn a_pending_change_is_scheduled_only_when_changes_wait_for_the_maintenance_window() {
        let pending = sdk::PendingModifiedValues::builder().db_instance_class("db.r7g.large").build();
        let response = response().db_instance_status("available").pending_modified_values(pending);
        let immediate = live(&response.clone().build()).unwrap();
        assert_eq!((immediate.phase, immediate.scheduled.len()), (Phase::Updating, 0));
        let deferred = live(&response.tag_list(requested_tag("applyImmediately=false")).build()).unwrap();
        assert_eq!((deferred.phase, deferred.scheduled), (Phase::Ready, ["dbInstanceClass".to_owned()].into()));
    }
}
