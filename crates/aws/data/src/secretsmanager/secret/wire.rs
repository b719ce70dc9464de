//! The calls that change the rotation and the replicas of a secret.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::{ReplicaRegionType, RotationRulesType};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::Live;

use super::spec::{OWN_KEY, Rotation, RotationRules, Secret};
use crate::secretsmanager::secrets;

/// Sets the rotation, or cancels it.
pub(super) async fn rotate(aws: &Aws, id: &str, live: Option<&Rotation>, desired: Option<&Rotation>) -> Result<()> {
    let Some(Rotation { rotation_lambda, rotation_rules }) = desired else {
        secrets(aws).cancel_rotate_secret().secret_id(id).send().await?;
        return Ok(());
    };
    let before = live.and_then(|live| live.rotation_rules.as_ref());
    secrets(aws)
        .rotate_secret()
        .secret_id(id)
        .set_rotation_lambda_arn(rotation_lambda.as_ref().map(|arn| arn.0.clone()))
        .set_rotation_rules(rotation_rules.as_ref().map(|rules| sdk_rules(rules, before)))
        .rotate_immediately(false)
        .send()
        .await?;
    Ok(())
}

/// Returns the rules of a request. AWS accepts days or a schedule, not both: the one that differs from the live rules
/// is sent.
fn sdk_rules(rules: &RotationRules, before: Option<&RotationRules>) -> RotationRulesType {
    let RotationRules { automatically_after_days, schedule_expression, duration } = rules;
    let by_days = schedule_expression.is_none()
        || before.is_some_and(|b| {
            b.automatically_after_days != *automatically_after_days && b.schedule_expression == *schedule_expression
        });
    RotationRulesType::builder()
        .set_automatically_after_days(automatically_after_days.filter(|_| by_days))
        .set_schedule_expression(schedule_expression.clone().filter(|_| !by_days))
        .set_duration(duration.clone())
        .build()
}

/// Adds and removes replicas. A replica under another key is removed and added again.
pub(super) async fn replicate(
    aws: &Aws,
    live: &Live<Secret>,
    desired: &BTreeMap<String, String>,
    force: bool,
) -> Result<()> {
    let replicas = live.spec.replica_regions.clone().unwrap_or_default();
    let removed: Vec<String> =
        replicas.iter().filter(|(r, key)| desired.get(*r) != Some(key)).map(|(r, _)| r.clone()).collect();
    if !removed.is_empty() {
        let remove = secrets(aws).remove_regions_from_replication().secret_id(&live.id);
        remove.set_remove_replica_regions(Some(removed)).send().await?;
    }
    let added: Vec<_> = desired.iter().filter(|(r, key)| replicas.get(*r) != Some(key)).map(replica).collect();
    if !added.is_empty() {
        let add = secrets(aws).replicate_secret_to_regions().secret_id(&live.id);
        add.set_add_replica_regions(Some(added)).force_overwrite_replica_secret(force).send().await?;
    }
    Ok(())
}

pub(super) fn replica((region, key): (&String, &String)) -> ReplicaRegionType {
    let key = Some(key.clone()).filter(|key| key != OWN_KEY);
    ReplicaRegionType::builder().region(region).set_kms_key_id(key).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_a_schedule_are_never_sent_together() {
        let rules = |days, schedule: Option<&str>| RotationRules {
            automatically_after_days: days,
            schedule_expression: schedule.map(Into::into),
            duration: None,
        };
        // The document states days; the schedule is the live value.
        let by_days = sdk_rules(&rules(Some(7), Some("rate(9 days)")), Some(&rules(None, Some("rate(9 days)"))));
        assert_eq!((by_days.automatically_after_days, by_days.schedule_expression), (Some(7), None));
        let scheduled = sdk_rules(&rules(Some(7), Some("rate(9 days)")), Some(&rules(Some(7), None)));
        assert_eq!(scheduled.automatically_after_days, None);
    }
}
