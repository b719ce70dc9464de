//! CompositeAlarm: a CloudWatch alarm on the states of other alarms.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::types::{self as sdk, AlarmType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::{Absent, Stated},
    Demand::{Excludes, Needs},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{CloudWatchTags, cloudwatch, sdk_tags, tags_of};

/// A CloudWatch composite alarm: an alarm on a rule over the states of other alarms. One incident then sends one
/// notification, although several alarms fire.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CompositeAlarm {
    /// The rule: `ALARM(…)`, `OK(…)` and `INSUFFICIENT_DATA(…)` of an alarm's name or ARN, and `TRUE` and `FALSE`,
    /// combined with `AND`, `OR`, `NOT` and parentheses, as in
    /// `ALARM("${Alarm.errors.name}") AND NOT ALARM("${Alarm.deployment.name}")`.
    #[spec(length = 1..=10240)]
    alarm_rule: String,
    /// The description, which notifications contain. State what to do when the alarm fires.
    #[spec(length = ..=1024)]
    alarm_description: Option<String>,
    /// Whether the alarm runs its actions. AWS's default is true.
    actions_enabled: Option<ServerDefault<bool>>,
    /// The actions when the alarm fires (it enters the state `ALARM`): ARNs, as in `${Topic.ops.arn}`.
    #[spec(items = ..=5)]
    alarm_actions: Option<BTreeSet<Arn>>,
    /// The actions when the alarm enters the state `OK`: ARNs.
    #[spec(items = ..=5)]
    ok_actions: Option<BTreeSet<Arn>>,
    /// The actions when the alarm enters the state `INSUFFICIENT_DATA`: ARNs.
    #[spec(items = ..=5)]
    insufficient_data_actions: Option<BTreeSet<Arn>>,
    /// The ARN of the alarm that suppresses the actions while it is in the state `ALARM`, as in `${Alarm.deployment.arn}`.
    actions_suppressor: Option<Arn>,
    /// How long the composite alarm waits for the suppressor to enter the state `ALARM`, in seconds.
    #[spec(range = 0..)]
    actions_suppressor_wait_period: Option<i32>,
    /// How long the composite alarm waits after the suppressor left the state `ALARM`, in seconds.
    #[spec(range = 0..)]
    actions_suppressor_extension_period: Option<i32>,
}

/// The read-only attributes of a CompositeAlarm.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CompositeAlarmStatus {
    /// The alarm's ARN.
    arn: String,
}

impl Kind for CompositeAlarm {
    type Status = CompositeAlarmStatus;
    type Owner = TagOnCreate<CloudWatchTags, ByArn>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules::limit(255);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // A suppressor and its two periods belong together:
        // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
        demand(Needs("actionsSuppressorWaitPeriod")).when(&[Stated("actionsSuppressor")]),
        demand(Needs("actionsSuppressorExtensionPeriod")).when(&[Stated("actionsSuppressor")]),
        demand(Excludes("actionsSuppressorWaitPeriod")).when(&[Absent("actionsSuppressor")]),
        demand(Excludes("actionsSuppressorExtensionPeriod")).when(&[Absent("actionsSuppressor")]),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = cloudwatch(aws).describe_alarms().alarm_types(AlarmType::CompositeAlarm).into_paginator().send();
        let pages = all(pages).await?;
        each(pages.iter().flat_map(|page| page.composite_alarms()), |alarm| async move {
            let arn = alarm.alarm_arn.clone();
            let arn = arn.ok_or_else(|| Error::incomplete("cloudwatch.DescribeAlarms", "alarmArn"))?;
            let live = live(alarm, arn);
            if !scope.wants(&Listed::name(&live.name).or_id(&live.status.arn).spec(&live.spec)).any() {
                return Ok(None);
            }
            let arn = &live.status.arn;
            let tags = tagging::tags(aws, scope, arn, || tags_of(aws, arn)).await?;
            Ok(tags.map(|tags| live.tags(tags)))
        })
        .await
    }

    /// PutCompositeAlarm would overwrite an existing alarm. The observation before the create returns the alarm that
    /// has the name, also an alarm of another owner.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        put(aws, &desired.name, &desired.spec, Some(sdk_tags(&desired.tags)?)).await?;
        let Some(arn) = aws.arn("cloudwatch", &format!("alarm:{}", desired.name)) else {
            return Ok(Created::unobserved(&desired.name));
        };
        Ok(desired.as_live(&desired.name, CompositeAlarmStatus { arn }).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        // PutCompositeAlarm ignores the tags for an existing alarm.
        put(aws, &live.id, &desired.spec, None).await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        cloudwatch(aws).delete_alarms().alarm_names(&live.id).send().await?;
        Ok(())
    }
}

/// Creates the alarm, or replaces its whole configuration.
async fn put(aws: &Aws, name: &str, spec: &CompositeAlarm, tags: Option<Vec<sdk::Tag>>) -> Result<()> {
    let CompositeAlarm {
        alarm_rule,
        alarm_description,
        actions_enabled,
        alarm_actions,
        ok_actions,
        insufficient_data_actions,
        actions_suppressor,
        actions_suppressor_wait_period,
        actions_suppressor_extension_period,
    } = spec;
    let arns = |arns: &Option<BTreeSet<Arn>>| arns.as_ref().map(|arns| arns.iter().map(|arn| arn.0.clone()).collect());
    // A period without a suppressor is refused. The spec holds the live periods of a suppressor that was removed.
    let period = |seconds: &Option<i32>| seconds.filter(|_| actions_suppressor.is_some());
    cloudwatch(aws)
        .put_composite_alarm()
        .alarm_name(name)
        .alarm_rule(alarm_rule)
        .set_alarm_description(alarm_description.clone())
        .set_actions_enabled(actions_enabled.map(|enabled| enabled.0))
        .set_alarm_actions(arns(alarm_actions))
        .set_ok_actions(arns(ok_actions))
        .set_insufficient_data_actions(arns(insufficient_data_actions))
        .set_actions_suppressor(actions_suppressor.as_ref().map(|arn| arn.0.clone()))
        .set_actions_suppressor_wait_period(period(actions_suppressor_wait_period))
        .set_actions_suppressor_extension_period(period(actions_suppressor_extension_period))
        .set_tags(tags)
        .send()
        .await?;
    Ok(())
}

fn live(alarm: &sdk::CompositeAlarm, arn: String) -> Live<CompositeAlarm> {
    let arns = |arns: &[String]| Some(arns.iter().cloned().map(Arn).collect()).filter(|s: &BTreeSet<_>| !s.is_empty());
    let spec = CompositeAlarm {
        alarm_rule: alarm.alarm_rule.clone().unwrap_or_default(),
        alarm_description: alarm.alarm_description.clone(),
        actions_enabled: alarm.actions_enabled.map(ServerDefault),
        alarm_actions: arns(alarm.alarm_actions()),
        ok_actions: arns(alarm.ok_actions()),
        insufficient_data_actions: arns(alarm.insufficient_data_actions()),
        actions_suppressor: alarm.actions_suppressor.clone().map(Arn),
        actions_suppressor_wait_period: alarm.actions_suppressor_wait_period,
        actions_suppressor_extension_period: alarm.actions_suppressor_extension_period,
    };
    let name = alarm.alarm_name.clone().unwrap_or_default();
    Live::new(name.clone(), name, spec, CompositeAlarmStatus { arn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_were_never_set_are_null() {
        let alarm = sdk::CompositeAlarm::builder().alarm_name("all").alarm_rule("ALARM(cpu)").build();
        let spec = live(&alarm, "arn".into()).spec;
        assert_eq!(
            (spec.alarm_actions, spec.actions_suppressor.is_none(), spec.alarm_rule.as_str()),
            (None, true, "ALARM(cpu)")
        );
    }
}
