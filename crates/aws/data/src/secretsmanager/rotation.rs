//! The rotation of a secret value.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::RotationRulesType;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::types::Arn;
use serde::{Deserialize, Serialize};

use super::secrets;

/// The rotation of a secret value. The first rotation is at the next time of the schedule, not immediately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rotation {
    /// The ARN of the Lambda function that rotates the value. Leave it out for a secret that another service manages.
    rotation_lambda: Option<Arn>,
    /// The rotation rules: `automaticallyAfterDays`, or `scheduleExpression`.
    rotation_rules: Option<RotationRules>,
}

/// The schedule of a rotation
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RotationRules {
    /// The days between two rotations, 1 to 1000.
    automatically_after_days: Option<i64>,
    /// The schedule: `rate(10 days)` or `cron(0 16 1,15 * ? *)`, in UTC.
    schedule_expression: Option<String>,
    /// The length of the rotation window in hours, as in `3h`.
    duration: Option<String>,
}

/// Sets the rotation, or cancels it.
pub(super) async fn set(aws: &Aws, id: &str, live: Option<&Rotation>, desired: Option<&Rotation>) -> Result<()> {
    let Some(Rotation { rotation_lambda, rotation_rules }) = desired else {
        secrets(aws).cancel_rotate_secret().secret_id(id).send().await?;
        return Ok(());
    };
    let before = live.and_then(|live| live.rotation_rules.as_ref());
    secrets(aws)
        .rotate_secret()
        .secret_id(id)
        .set_rotation_lambda_arn(rotation_lambda.as_ref().map(|arn| arn.0.clone()))
        .set_rotation_rules(rotation_rules.as_ref().map(|rules| sdk(rules, before)))
        .rotate_immediately(false)
        .send()
        .await?;
    Ok(())
}

/// Returns the rules of a request. AWS accepts days or a schedule, not both: the one that differs from the live rules
/// is sent.
fn sdk(rules: &RotationRules, before: Option<&RotationRules>) -> RotationRulesType {
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

/// Returns the live rotation.
pub(super) fn live(secret: &DescribeSecretOutput) -> Rotation {
    let lambda = secret.rotation_lambda_arn().filter(|arn| !arn.is_empty());
    Rotation {
        rotation_lambda: lambda.map(|arn| Arn(arn.to_owned())),
        rotation_rules: secret.rotation_rules().map(|rules| RotationRules {
            automatically_after_days: rules.automatically_after_days(),
            schedule_expression: rules.schedule_expression().map(str::to_owned),
            duration: rules.duration().map(str::to_owned),
        }),
    }
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
        let by_days = sdk(&rules(Some(7), Some("rate(9 days)")), Some(&rules(None, Some("rate(9 days)"))));
        assert_eq!((by_days.automatically_after_days, by_days.schedule_expression), (Some(7), None));
        let scheduled = sdk(&rules(Some(7), Some("rate(9 days)")), Some(&rules(Some(7), None)));
        assert_eq!(scheduled.automatically_after_days, None);
    }
}
