//! Rotation: a value that AWS has changed regularly.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::RotationRulesType;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::types::Arn;
use serde::{Deserialize, Serialize};

use super::secrets;

/// How and when a value is changed. The first change is at the next time of the schedule, not at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rotation {
    /// The Lambda function that does it. Left out for a secret that another service manages.
    rotation_lambda: Option<Arn>,
    /// When: `automaticallyAfterDays`, or `scheduleExpression`.
    rotation_rules: Option<Rules>,
}

/// When a value is changed
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rules {
    /// Days between two changes, 1 to 1000.
    automatically_after_days: Option<i64>,
    /// `rate(10 days)` or `cron(0 16 1,15 * ? *)`, in UTC.
    schedule_expression: Option<String>,
    /// How long the window is in which it happens, as in `3h`.
    duration: Option<String>,
}

/// Sets or ends it.
pub(super) async fn set(aws: &Aws, id: &str, live: Option<&Rotation>, wanted: Option<&Rotation>) -> Result<()> {
    let Some(Rotation { rotation_lambda, rotation_rules }) = wanted else {
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

/// AWS takes days or a schedule: whichever is not what is there already.
fn sdk(rules: &Rules, before: Option<&Rules>) -> RotationRulesType {
    let Rules { automatically_after_days, schedule_expression, duration } = rules;
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

/// What is set.
pub(super) fn live(secret: &DescribeSecretOutput) -> Rotation {
    let lambda = secret.rotation_lambda_arn().filter(|arn| !arn.is_empty());
    Rotation {
        rotation_lambda: lambda.map(|arn| Arn(arn.to_owned())),
        rotation_rules: secret.rotation_rules().map(|rules| Rules {
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
        let rules = |days, schedule: Option<&str>| Rules {
            automatically_after_days: days,
            schedule_expression: schedule.map(Into::into),
            duration: None,
        };
        // The document says days, and the rest is what is live.
        let by_days = sdk(&rules(Some(7), Some("rate(9 days)")), Some(&rules(None, Some("rate(9 days)"))));
        assert_eq!((by_days.automatically_after_days, by_days.schedule_expression), (Some(7), None));
        let scheduled = sdk(&rules(Some(7), Some("rate(9 days)")), Some(&rules(Some(7), None)));
        assert_eq!(scheduled.automatically_after_days, None);
    }
}
