//! What RDS tells of a database: its spec, its phase, and what AWS may change by itself.

use aws_sdk_rds::types as sdk;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::Live;
use holdfast_core::observed::Phase;
use holdfast_core::types::{Always, Ref};

use super::asked::Asked;
use super::db_instance::{DbInstance, DbInstanceStatus, Replication};
use super::{Lower, pairs};
use crate::secretsmanager;

/// The database as one answer tells it; the copies of its backups apart.
pub(super) fn live(told: &sdk::DbInstance) -> Result<Live<DbInstance>> {
    let missing = |what| Error::incomplete("rds.DescribeDBInstances", what);
    let name = told.db_instance_identifier.clone().ok_or_else(|| missing("dbInstanceIdentifier"))?;
    let tags = pairs(told.tag_list());
    let asked = Asked::of(&tags);
    let status = status(told, &name).ok_or_else(|| missing("dbInstanceArn"))?;
    let text = |text: &Option<String>| text.clone().map(Always);
    let key = |arn: &Option<String>| arn.clone().map(|arn| Always(Ref::new(arn)));
    let flag = |field: &str, default| asked.flag(field, default);
    // Groups on their way out are no groups of it any more.
    let groups = told.vpc_security_groups().iter().filter(|group| group.status() != Some("removing"));
    let spec = DbInstance {
        engine: told.engine.clone().unwrap_or_default(),
        engine_version: Some(Always(shown_version(told, &asked))),
        allow_major_version_upgrade: flag("allowMajorVersionUpgrade", false),
        auto_minor_version_upgrade: told.auto_minor_version_upgrade.map(Always),
        engine_lifecycle_support: text(&told.engine_lifecycle_support),
        license_model: text(&told.license_model),
        db_instance_class: told.db_instance_class.clone().unwrap_or_default(),
        allocated_storage: Some(Always(shown_storage(told, &asked))),
        max_allocated_storage: told.max_allocated_storage,
        storage_type: text(&told.storage_type),
        iops: told.iops.map(Always),
        storage_throughput: told.storage_throughput.filter(|n| *n > 0).map(Always),
        dedicated_log_volume: told.dedicated_log_volume.map(Always),
        storage_encrypted: told.storage_encrypted.map(Always),
        kms_key: key(&told.kms_key_id),
        multi_az: told.multi_az.map(Always),
        availability_zone: shown_zone(told, &asked).map(Always),
        db_subnet_group: told
            .db_subnet_group
            .as_ref()
            .and_then(|group| group.db_subnet_group_name.clone())
            .map(|name| Always(Ref::new(name))),
        db_parameter_group: told
            .db_parameter_groups()
            .first()
            .and_then(|group| group.db_parameter_group_name.clone())
            .map(|name| Always(Ref::new(name))),
        option_group_name: told
            .option_group_memberships()
            .first()
            .and_then(|g| g.option_group_name.clone())
            .map(Always),
        vpc_security_groups: Some(Always(
            groups.filter_map(|g| g.vpc_security_group_id.clone()).map(Ref::new).collect(),
        )),
        network_type: text(&told.network_type),
        publicly_accessible: told.publicly_accessible.map(Always),
        port: told.endpoint.as_ref().and_then(|endpoint| endpoint.port).map(Always),
        ca_certificate_identifier: text(&told.ca_certificate_identifier),
        db_name: told.db_name.clone(),
        character_set_name: text(&told.character_set_name),
        timezone: text(&told.timezone),
        master_username: text(&told.master_username),
        manage_master_user_password: Some(Always(told.master_user_secret.is_some())),
        master_user_secret_kms_key: key(&told.master_user_secret.as_ref().and_then(|s| s.kms_key_id.clone())),
        master_user_password: secretsmanager::consumed(&tags, "masterUserPassword")
            .filter(|_| told.master_user_secret.is_none()),
        master_user_password_key: asked.get("masterUserPasswordKey").map(str::to_owned),
        enable_iam_database_authentication: told.iam_database_authentication_enabled.map(Always),
        backup_retention_period: told.backup_retention_period.map(Always),
        preferred_backup_window: text(&told.preferred_backup_window),
        preferred_maintenance_window: told.preferred_maintenance_window.clone().map(|window| Always(Lower(window))),
        copy_tags_to_snapshot: told.copy_tags_to_snapshot.map(Always),
        automated_backups_replication: None,
        database_insights_mode: told.database_insights_mode.as_ref().map(|mode| Always(mode.as_str().to_owned())),
        performance_insights_enabled: told.performance_insights_enabled.map(Always),
        performance_insights_retention_period: told.performance_insights_retention_period.map(Always),
        performance_insights_kms_key: key(&told.performance_insights_kms_key_id),
        monitoring_interval: told.monitoring_interval.map(Always),
        monitoring_role: told.monitoring_role_arn.clone().map(Ref::new),
        enabled_cloudwatch_logs_exports: Some(told.enabled_cloudwatch_logs_exports().iter().cloned().collect()),
        // Always a record, if an empty one: then a source that it is to have is a change of that field, which is
        // immutable, and no record at all is a change of this one, which is not.
        replication: Some(Replication {
            source_db_instance: source(told).map(|arn| Always(Ref::new(arn))),
            replica_mode: told.replica_mode.as_ref().map(|mode| Always(mode.as_str().to_owned())),
        }),
        deletion_protection: told.deletion_protection.map(Always),
        skip_final_snapshot: flag("skipFinalSnapshot", false),
        delete_automated_backups: flag("deleteAutomatedBackups", true),
        apply_immediately: flag("applyImmediately", true),
    };
    let mut live = Live::new(name.clone(), name, spec, status).tags(tags);
    let word = live.status.db_instance_status.clone();
    live.phase = phase(&word);
    if live.phase == Phase::Failed
        || matches!(word.as_str(), "storage-full" | "stopped")
        || word.starts_with("incompat")
    {
        live = live.remark("Status", format!("RDS says that it is `{word}`"));
    }
    let reboot = |group: &sdk::DbParameterGroupStatus| group.parameter_apply_status() == Some("pending-reboot");
    if told.db_parameter_groups().iter().any(reboot) {
        live = live.remark("PendingReboot", "Static parameters of its group take effect when it is rebooted");
    }
    Ok(with_pending(live, told))
}

fn status(told: &sdk::DbInstance, name: &str) -> Option<DbInstanceStatus> {
    let arn = told.db_instance_arn.clone()?;
    let endpoint = told.endpoint.as_ref();
    let resource = told.dbi_resource_id.clone().unwrap_or_default().to_lowercase();
    Some(DbInstanceStatus {
        endpoint: endpoint.and_then(|endpoint| endpoint.address.clone()),
        port: endpoint.and_then(|endpoint| endpoint.port),
        dbi_resource_id: told.dbi_resource_id.clone(),
        master_user_secret_arn: told.master_user_secret.as_ref().and_then(|secret| secret.secret_arn.clone()),
        engine_version: told.engine_version.clone().unwrap_or_default(),
        allocated_storage: told.allocated_storage.unwrap_or_default(),
        read_replicas: told.read_replica_db_instance_identifiers().to_vec(),
        region: arn.split(':').nth(3).unwrap_or_default().to_owned(),
        db_instance_status: told.db_instance_status.clone().unwrap_or_default(),
        // The same however often the delete is tried, and another one for a later database of this name.
        final_db_snapshot_identifier: format!("{name}-final-{}", resource.trim_start_matches("db-")),
        arn,
    })
}

/// What the final snapshot is called.
pub(super) fn final_snapshot(live: &Live<DbInstance>) -> String {
    live.status.final_db_snapshot_identifier.clone()
}

/// The ARN of what it is a replica of. AWS tells a source of the same region by its name.
fn source(told: &sdk::DbInstance) -> Option<String> {
    let source = told.read_replica_source_db_instance_identifier.clone().filter(|source| !source.is_empty())?;
    let own = told.db_instance_arn.as_deref()?.rsplit_once(':')?.0;
    Some(if source.starts_with("arn:") { source } else { format!("{own}:{source}") })
}

/// Where a database is in its life
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status>).
fn phase(status: &str) -> Phase {
    match status {
        "creating" => Phase::Pending,
        // It runs, though more slowly, or stands still until somebody changes what the remark names.
        "available" | "storage-optimization" | "storage-initialization" | "storage-full" => Phase::Ready,
        "incompatible-parameters" | "incompatible-option-group" => Phase::Ready,
        "deleting" | "delete-precheck" => Phase::Deleting,
        "failed" | "restore-error" | "insufficient-capacity" | "inaccessible-encryption-credentials" => Phase::Failed,
        "incompatible-create" | "incompatible-network" | "incompatible-restore" => Phase::Failed,
        // backing-up, configuring-…, maintenance, modifying, rebooting, renaming, upgrading, stopped, …
        _ => Phase::Updating,
    }
}

/// What AWS accepted for later: the maintenance window's, or, when it was to be at once, what is just beginning.
fn with_pending(mut live: Live<DbInstance>, told: &sdk::DbInstance) -> Live<DbInstance> {
    let Some(pending) = &told.pending_modified_values else { return live };
    let fields = [
        ("dbInstanceClass", pending.db_instance_class.is_some()),
        ("allocatedStorage", pending.allocated_storage.is_some()),
        ("port", pending.port.is_some()),
        ("backupRetentionPeriod", pending.backup_retention_period.is_some()),
        ("multiAz", pending.multi_az.is_some()),
        ("engineVersion", pending.engine_version.is_some()),
        ("licenseModel", pending.license_model.is_some()),
        ("iops", pending.iops.is_some()),
        ("storageThroughput", pending.storage_throughput.is_some()),
        ("storageType", pending.storage_type.is_some()),
        ("caCertificateIdentifier", pending.ca_certificate_identifier.is_some()),
        ("dbSubnetGroup", pending.db_subnet_group_name.is_some()),
        ("enabledCloudwatchLogsExports", pending.pending_cloudwatch_logs_exports.is_some()),
        ("enableIAMDatabaseAuthentication", pending.iam_database_authentication_enabled.is_some()),
    ];
    let waiting: Vec<&str> = fields.iter().filter(|(_, waits)| *waits).map(|(field, _)| *field).collect();
    if waiting.is_empty() {
        return live;
    }
    let at_once = live.spec.apply_immediately;
    if at_once && live.phase == Phase::Ready {
        live.phase = Phase::Updating;
    }
    if !at_once {
        live.scheduled.extend(waiting.iter().map(|field| (*field).to_owned()));
    }
    live.remark("PendingModification", format!("AWS has yet to change {}", waiting.join(", ")))
}

/// The version that the document asked for while a newer minor version of it runs, else the one that runs.
fn shown_version(told: &sdk::DbInstance, asked: &Asked) -> String {
    let runs = told.engine_version.clone().unwrap_or_default();
    let moves = told.auto_minor_version_upgrade != Some(false);
    match asked.get("engineVersion") {
        Some(wanted) if accepts(told.engine().unwrap_or_default(), wanted, &runs, moves) => wanted.to_owned(),
        _ => runs,
    }
}

/// True when the version that runs is the one that is wanted, or as good. A newer minor version is if AWS may
/// upgrade those.
pub(super) fn accepts(engine: &str, wanted: &str, runs: &str, moves: bool) -> bool {
    let numbers = |version: &str| -> Vec<String> { version.split('.').map(str::to_owned).collect() };
    let (wanted, runs) = (numbers(wanted), numbers(runs));
    // PostgreSQL's major versions have one number from 10 on, Oracle's too; all others' have two.
    let one = engine == "postgres" && !wanted[0].starts_with('9') || engine.starts_with("oracle");
    let major = if one { 1 } else { 2 };
    if wanted.len() <= major || !moves {
        return runs.starts_with(&wanted);
    }
    runs.iter().take(major).eq(wanted.iter().take(major)) && !is_older(&runs, &wanted)
}

/// True when the first version is older than the second.
fn is_older(first: &[String], second: &[String]) -> bool {
    let part = |part: &String| part.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap_or(0);
    first.iter().map(part).lt(second.iter().map(part))
}

/// The storage that the document asked for while AWS has made it greater, else what there is.
fn shown_storage(told: &sdk::DbInstance, asked: &Asked) -> i32 {
    let there = told.allocated_storage.unwrap_or_default();
    let scales = told.max_allocated_storage.is_some_and(|max| there <= max);
    let wanted = asked.get("allocatedStorage").and_then(|text| text.parse().ok());
    wanted.filter(|wanted| scales && *wanted <= there).unwrap_or(there)
}

/// The zone that the document asked for while it is the standby's, else the one it is in.
fn shown_zone(told: &sdk::DbInstance, asked: &Asked) -> Option<String> {
    let wanted = asked.get("availabilityZone").filter(|zone| told.secondary_availability_zone() == Some(*zone));
    wanted.map(str::to_owned).or_else(|| told.availability_zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:rds:eu-west-1:1:db:shop";

    fn told() -> sdk::builders::DbInstanceBuilder {
        sdk::DbInstance::builder().db_instance_identifier("shop").db_instance_arn(ARN).engine("postgres")
    }

    fn asked(tag: &str) -> sdk::Tag {
        sdk::Tag::builder().key("holdfast:asked").value(tag).build()
    }

    #[test]
    fn a_newer_minor_version_is_as_good() {
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
    fn what_aws_moved_on_is_shown_as_asked() {
        let told = told().engine_version("15.7").allocated_storage(50).max_allocated_storage(100);
        let live = live(&told.tag_list(asked("allocatedStorage=20 engineVersion=15.4")).build()).unwrap();
        assert_eq!(live.spec.engine_version, Some(Always("15.4".into())));
        assert_eq!((live.spec.allocated_storage, live.status.allocated_storage), (Some(Always(20)), 50));
        assert_eq!(live.status.engine_version, "15.7");
    }

    #[test]
    fn a_source_of_the_same_region_is_told_by_its_name() {
        let told = |source: &str| live(&told().read_replica_source_db_instance_identifier(source).build()).unwrap();
        assert_eq!(told("main").spec.source(), Some("arn:aws:rds:eu-west-1:1:db:main"));
        assert_eq!(told("arn:aws:rds:us-east-1:1:db:main").spec.source(), Some("arn:aws:rds:us-east-1:1:db:main"));
        assert_eq!(live(&super::tests::told().build()).unwrap().spec.replication, Some(Replication::default()));
    }

    #[test]
    fn what_waits_for_the_window_is_scheduled() {
        let pending = sdk::PendingModifiedValues::builder().db_instance_class("db.r7g.large").build();
        let told = told().db_instance_status("available").pending_modified_values(pending);
        let at_once = live(&told.clone().build()).unwrap();
        assert_eq!((at_once.phase, at_once.scheduled.len()), (Phase::Updating, 0));
        let later = live(&told.tag_list(asked("applyImmediately=false")).build()).unwrap();
        assert_eq!((later.phase, later.scheduled), (Phase::Ready, ["dbInstanceClass".to_owned()].into()));
    }
}
