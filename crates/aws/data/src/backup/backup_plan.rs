//! BackupPlan: the schedule of backups, and the lifecycle of their recovery points.

use std::collections::BTreeMap;

use aws_sdk_backup::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::wanted::{each, observe_listed};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{Exceeds, Excludes, Range},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Name, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::backup_vault::BackupVault;
use super::{BackupTags, backup, plans, request_id, tags_of};

/// A backup plan: when AWS Backup takes backups, and how long it keeps recovery points.
///
/// The name of a plan has at most 50 letters, digits, dots, hyphens and underscores. The plan's `BackupSelection`s
/// select the resources to back up.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupPlan {
    /// The backup rules, by name.
    #[spec(items = 1..)]
    rules: BTreeMap<String, BackupRule>,
    /// The advanced backup settings, by type of resource: `{ EC2: { WindowsVSS: enabled } }`; `null` for none.
    advanced_backup_settings: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

/// A backup rule of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupRule {
    /// The backup vault that stores the recovery points.
    pub(crate) target_backup_vault: Ref<BackupVault, Name>,
    /// The schedule of the backups: `cron(…)` or `rate(…)`
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupRuleInput.html>).
    #[spec(pattern = r"(cron|rate)\(.+\)", default = "cron(0 5 ? * * *)")]
    pub(crate) schedule_expression: Option<ServerDefault<String>>,
    /// The time zone of `scheduleExpression`: `Europe/Berlin`, …
    #[spec(default = "Etc/UTC")]
    pub(crate) schedule_expression_timezone: Option<ServerDefault<String>>,
    /// The start window in minutes: a job that does not begin within it is cancelled.
    #[spec(range = 60..=52_560_000, default = 480)]
    pub(crate) start_window_minutes: Option<ServerDefault<i64>>,
    /// The completion window in minutes: a job that does not end within it is cancelled. AWS's default is a week.
    #[spec(default = 10080)]
    pub(crate) completion_window_minutes: Option<ServerDefault<i64>>,
    /// The lifecycle of the recovery points. Without one, recovery points are kept for ever.
    pub(crate) lifecycle: Option<ServerDefault<BackupLifecycle>>,
    /// The tags of the recovery points; `{}` for none.
    pub(crate) recovery_point_tags: Option<ServerDefault<BTreeMap<String, String>>>,
    /// The copies into other vaults, also of other regions and accounts; `[]` for none.
    pub(crate) copy_actions: Option<ServerDefault<Vec<CopyAction>>>,
    /// Whether AWS Backup takes continuous backups, for point-in-time recovery of the resources that support it. With
    /// it, `deleteAfterDays` is at most 35
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html>).
    #[spec(default = false)]
    pub(crate) enable_continuous_backup: Option<ServerDefault<bool>>,
}

/// The lifecycle of recovery points: how long they are kept, and in which storage
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupLifecycle {
    /// The days until a recovery point moves to cold storage, for resources that support cold storage.
    pub(crate) move_to_cold_storage_after_days: Option<i64>,
    /// The days until a recovery point is deleted: at least 90 more than `moveToColdStorageAfterDays`.
    pub(crate) delete_after_days: Option<i64>,
    /// Whether recovery points of resources that support an archive tier move to the archive tier.
    #[spec(default = false)]
    pub(crate) opt_in_to_archive_for_supported_resources: Option<bool>,
}

/// A copy action: a copy of each recovery point in another vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "destinationBackupVault")]
pub(crate) struct CopyAction {
    /// The backup vault that stores the copy; `{ arn: … }` for a vault of another region or account.
    pub(crate) destination_backup_vault: Ref<BackupVault, Arn>,
    /// The lifecycle of the copy; `null` to keep the copy for ever.
    pub(crate) lifecycle: Option<BackupLifecycle>,
}

/// The read-only attributes of a BackupPlan.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupPlanStatus {
    /// The ARN of the plan.
    arn: String,
    /// The current version of the plan; each update creates a new version.
    version_id: Option<String>,
}

impl Kind for BackupPlan {
    type Status = BackupPlanStatus;
    type Owner = TagOnCreate<BackupTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        form: (r"[.A-Za-z0-9_-]+", "has letters, digits and the characters `._-`"),
        ..NamingRules::limit(50)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html
        demand(Exceeds("deleteAfterDays", "moveToColdStorageAfterDays", 90)).at("rules.*.lifecycle"),
        demand(Exceeds("deleteAfterDays", "moveToColdStorageAfterDays", 90)).at("rules.*.copyActions.*.lifecycle"),
        // https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupRuleInput.html
        demand(Exceeds("completionWindowMinutes", "startWindowMinutes", 60)).at("rules.*"),
        // https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
        demand(Range("lifecycle.deleteAfterDays", Some(1), Some(35)))
            .when(&[Is("enableContinuousBackup", &["true"])])
            .at("rules.*"),
        demand(Excludes("lifecycle.moveToColdStorageAfterDays"))
            .when(&[Is("enableContinuousBackup", &["true"])])
            .at("rules.*"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        each(plans(aws, scope).await?.iter(), |plan| async move {
            let listed = live(plan, None)?;
            let arn = listed.status.arn.clone();
            observe_listed(scope, listed, tags_of(aws, scope, &arn), |listed| async move {
                let response = backup(aws).get_backup_plan().backup_plan_id(&listed.id).send().await.or_absent()?;
                let body = response.and_then(|response| response.backup_plan);
                body.map(|body| Ok(live(plan, Some(body))?.tags(listed.tags))).transpose()
            })
            .await
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let created = backup(aws)
            .create_backup_plan()
            .backup_plan(body(desired, None)?)
            .creator_request_id(request_id(&desired.token))
            .set_backup_plan_tags(Some(desired.tags.clone().into_iter().collect()))
            .send()
            .await?;
        let id = created.backup_plan_id.ok_or_else(|| Error::incomplete("backup.CreateBackupPlan", "backupPlanId"))?;
        Ok(match created.backup_plan_arn {
            Some(arn) => desired.as_live(id, BackupPlanStatus { arn, version_id: created.version_id }).into(),
            None => Created::unobserved(id),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let update = backup(aws).update_backup_plan().backup_plan_id(&live.id);
        update.backup_plan(body(desired, Some(live.raw()?))?).send().await?;
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        backup(aws).delete_backup_plan().backup_plan_id(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the whole plan of a create or update request. Settings that the document does not state keep their live
/// values.
fn body(desired: &Desired<BackupPlan>, live: Option<&sdk::BackupPlan>) -> Result<sdk::BackupPlanInput> {
    let BackupPlan { rules, advanced_backup_settings } = &desired.spec;
    let old = |name: &str| live.and_then(|plan| plan.rules().iter().find(|rule| rule.rule_name == name));
    let rules: Result<Vec<_>> = rules.iter().map(|(name, rule)| input(name, rule, old(name))).collect();
    let settings = advanced_backup_settings.iter().flatten().map(|(of, options)| {
        let options = options.clone().into_iter().collect();
        sdk::AdvancedBackupSetting::builder().resource_type(of).set_backup_options(Some(options)).build()
    });
    let body = sdk::BackupPlanInput::builder()
        .backup_plan_name(&desired.name)
        .set_rules(Some(rules?))
        .set_advanced_backup_settings(Some(settings.collect()))
        .set_scan_settings(live.and_then(|plan| plan.scan_settings.clone()));
    Ok(body.build()?)
}

fn input(name: &str, rule: &BackupRule, old: Option<&sdk::BackupRule>) -> Result<sdk::BackupRuleInput> {
    let BackupRule {
        target_backup_vault,
        schedule_expression,
        schedule_expression_timezone,
        start_window_minutes,
        completion_window_minutes,
        lifecycle,
        recovery_point_tags,
        copy_actions,
        enable_continuous_backup,
    } = rule;
    let live = old.map(|old| rule_from_response(old.clone()).1);
    let live = live.as_ref();
    let lifecycle = lifecycle.as_ref().or(live.and_then(|live| live.lifecycle.as_ref()));
    let tags = recovery_point_tags.as_ref().or(live.and_then(|live| live.recovery_point_tags.as_ref()));
    let copies = copy_actions.as_ref().or(live.and_then(|live| live.copy_actions.as_ref()));
    let copies: Option<Result<Vec<_>>> = copies.map(|ServerDefault(copies)| copies.iter().map(copy).collect());
    let text = |new: &Option<ServerDefault<String>>, old: Option<&str>| {
        new.as_deref().cloned().or_else(|| old.map(str::to_owned))
    };
    let zone = old.and_then(|old| old.schedule_expression_timezone());
    let input = sdk::BackupRuleInput::builder()
        .rule_name(name)
        .target_backup_vault_name(target_backup_vault.as_str())
        .set_schedule_expression(text(schedule_expression, old.and_then(|old| old.schedule_expression())))
        .set_schedule_expression_timezone(text(schedule_expression_timezone, zone))
        .set_start_window_minutes(start_window_minutes.as_deref().copied().or(old.and_then(|o| o.start_window_minutes)))
        .set_completion_window_minutes(
            completion_window_minutes.as_deref().copied().or(old.and_then(|old| old.completion_window_minutes)),
        )
        .set_lifecycle(lifecycle.map(|ServerDefault(lifecycle)| sdk_lifecycle(lifecycle)))
        .set_recovery_point_tags(tags.map(|ServerDefault(tags)| tags.clone().into_iter().collect()))
        .set_copy_actions(copies.transpose()?)
        .set_enable_continuous_backup(
            enable_continuous_backup.as_deref().copied().or(old.and_then(|old| old.enable_continuous_backup)),
        )
        // Settings that the spec does not have keep their live values.
        .set_index_actions(old.and_then(|old| old.index_actions.clone()))
        .set_scan_actions(old.and_then(|old| old.scan_actions.clone()))
        .set_target_logically_air_gapped_backup_vault_arn(
            old.and_then(|old| old.target_logically_air_gapped_backup_vault_arn.clone()),
        );
    Ok(input.build()?)
}

fn copy(action: &CopyAction) -> Result<sdk::CopyAction> {
    let CopyAction { destination_backup_vault, lifecycle } = action;
    let copy = sdk::CopyAction::builder().destination_backup_vault_arn(destination_backup_vault.as_str());
    Ok(copy.set_lifecycle(lifecycle.as_ref().map(sdk_lifecycle)).build()?)
}

fn sdk_lifecycle(lifecycle: &BackupLifecycle) -> sdk::Lifecycle {
    let BackupLifecycle {
        move_to_cold_storage_after_days,
        delete_after_days,
        opt_in_to_archive_for_supported_resources,
    } = lifecycle;
    sdk::Lifecycle::builder()
        .set_move_to_cold_storage_after_days(*move_to_cold_storage_after_days)
        .set_delete_after_days(*delete_after_days)
        .set_opt_in_to_archive_for_supported_resources(*opt_in_to_archive_for_supported_resources)
        .build()
}

fn lifecycle_from_response(lifecycle: sdk::Lifecycle) -> BackupLifecycle {
    BackupLifecycle {
        move_to_cold_storage_after_days: lifecycle.move_to_cold_storage_after_days,
        delete_after_days: lifecycle.delete_after_days,
        opt_in_to_archive_for_supported_resources: lifecycle.opt_in_to_archive_for_supported_resources,
    }
}

fn rule_from_response(rule: sdk::BackupRule) -> (String, BackupRule) {
    let copies = rule.copy_actions.unwrap_or_default().into_iter().map(|copy| CopyAction {
        destination_backup_vault: Ref::new(copy.destination_backup_vault_arn),
        lifecycle: copy.lifecycle.map(lifecycle_from_response),
    });
    let spec = BackupRule {
        target_backup_vault: Ref::new(rule.target_backup_vault_name),
        schedule_expression: rule.schedule_expression.map(ServerDefault),
        schedule_expression_timezone: rule.schedule_expression_timezone.map(ServerDefault),
        start_window_minutes: rule.start_window_minutes.map(ServerDefault),
        completion_window_minutes: rule.completion_window_minutes.map(ServerDefault),
        lifecycle: rule.lifecycle.map(lifecycle_from_response).map(ServerDefault),
        recovery_point_tags: rule.recovery_point_tags.map(|tags| ServerDefault(tags.into_iter().collect())),
        copy_actions: Some(ServerDefault(copies.collect())),
        enable_continuous_backup: Some(ServerDefault(rule.enable_continuous_backup.unwrap_or(false))),
    };
    (rule.rule_name, spec)
}

/// Returns a listed plan. Only GetBackupPlan returns its body.
fn live(plan: &sdk::BackupPlansListMember, body: Option<sdk::BackupPlan>) -> Result<Live<BackupPlan>> {
    let missing = |what| Error::incomplete("backup.ListBackupPlans", what);
    let setting = |of: &sdk::AdvancedBackupSetting| {
        Some((of.resource_type.clone()?, of.backup_options.clone().unwrap_or_default().into_iter().collect()))
    };
    let (rules, settings) =
        body.as_ref().map(|body| (body.rules(), body.advanced_backup_settings())).unwrap_or_default();
    let spec = BackupPlan {
        rules: rules.iter().cloned().map(rule_from_response).collect(),
        advanced_backup_settings: Some(settings.iter().filter_map(setting).collect()),
    };
    let status = BackupPlanStatus {
        arn: plan.backup_plan_arn.clone().ok_or_else(|| missing("backupPlanArn"))?,
        version_id: plan.version_id.clone(),
    };
    let id = plan.backup_plan_id.clone().ok_or_else(|| missing("backupPlanId"))?;
    let live = Live::new(id, plan.backup_plan_name().unwrap_or_default(), spec, status);
    Ok(match body {
        Some(body) => live.keep(body),
        None => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_not_stated_keep_their_live_values() -> Result<()> {
        let old = sdk::BackupRule::builder().rule_name("daily").target_backup_vault_name("main");
        let old = old.start_window_minutes(60).index_actions(sdk::IndexAction::builder().resource_types("EBS").build());
        let old = old.lifecycle(sdk::Lifecycle::builder().delete_after_days(7).build()).build()?;
        let (name, mut desired) = rule_from_response(old.clone());
        desired.start_window_minutes = None;
        desired.lifecycle = Some(ServerDefault(BackupLifecycle {
            move_to_cold_storage_after_days: None,
            delete_after_days: Some(30),
            opt_in_to_archive_for_supported_resources: None,
        }));
        let sent = input(&name, &desired, Some(&old))?;
        assert_eq!((sent.start_window_minutes, sent.index_actions().len()), (Some(60), 1));
        assert_eq!(sent.lifecycle.and_then(|lifecycle| lifecycle.delete_after_days), Some(30));
        Ok(())
    }
}
