//! Alarm: a CloudWatch alarm on a metric, or on an expression over several metrics.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{self as sdk, AlarmType, Dimension};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::{AtLeast, Below, Stated},
    Demand::{AnyOf, AtMost, AtMostOne, MultipleOf, Needs, OneOf, Unique},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::types::{Arn, ServerDefault};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{CloudWatchTags, cloudwatch, sdk_tags, tags_of};

/// A CloudWatch metric alarm: an alarm on a metric, or on a metric math expression.
///
/// An alarm watches either one metric (`namespace`, `metricName` and the related fields) or a query of several metrics
/// (`metrics`).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alarm {
    /// The description, which notifications contain. State what to do when the alarm fires.
    #[spec(length = ..=1024)]
    alarm_description: Option<String>,
    /// Whether the alarm runs its actions. AWS's default is true.
    actions_enabled: Option<ServerDefault<bool>>,
    /// The actions when the alarm fires (it enters the state `ALARM`): ARNs, as in `${Topic.ops.arn}` or
    /// `${ScalingPolicy.out.arn}`.
    #[spec(items = ..=5)]
    alarm_actions: Option<BTreeSet<Arn>>,
    /// The actions when the alarm enters the state `OK`: ARNs.
    #[spec(items = ..=5)]
    ok_actions: Option<BTreeSet<Arn>>,
    /// The actions when data are missing (the alarm enters the state `INSUFFICIENT_DATA`): ARNs.
    #[spec(items = ..=5)]
    insufficient_data_actions: Option<BTreeSet<Arn>>,
    /// The namespace of the metric, as in `AWS/ECS`.
    namespace: Option<String>,
    /// The name of the metric.
    metric_name: Option<String>,
    /// The dimensions of the metric. State all of them: CloudWatch treats each combination of dimensions as a separate
    /// metric.
    dimensions: Option<BTreeMap<String, String>>,
    /// The statistic.
    #[spec(one_of = sdk::Statistic)]
    statistic: Option<String>,
    /// The extended statistic, in place of `statistic`: a percentile as in `p99`, a trimmed mean as in `tm90`, and
    /// others.
    extended_statistic: Option<String>,
    /// The period of a data point in seconds: 10, 20, 30 or a multiple of 60.
    #[spec(range = 10..)]
    period: Option<i32>,
    /// The unit of the metric. CloudWatch ignores data points in other units. State the unit only if the metric has
    /// data points in several units.
    #[spec(one_of = sdk::StandardUnit)]
    unit: Option<String>,
    /// The number of periods that the alarm evaluates.
    #[spec(range = 1..)]
    evaluation_periods: i32,
    /// The number of evaluated data points that must breach the threshold before the alarm fires (M out of N). Without
    /// this field, all of them.
    #[spec(range = 1..)]
    datapoints_to_alarm: Option<i32>,
    /// The threshold.
    threshold: Option<f64>,
    /// The comparison with the threshold.
    #[spec(one_of = sdk::ComparisonOperator)]
    comparison_operator: String,
    /// The treatment of missing data.
    #[spec(one_of = ["missing", "notBreaching", "breaching", "ignore"], default = "missing")]
    treat_missing_data: Option<ServerDefault<String>>,
    /// The treatment of a percentile with few data points.
    #[spec(one_of = ["evaluate", "ignore"], default = "evaluate")]
    evaluate_low_sample_count_percentile: Option<String>,
    /// The metrics and metric math expressions, in place of one metric. The alarm watches the element with
    /// `returnData: true`.
    metrics: Option<Vec<MetricDataQuery>>,
}

/// A metric, or a metric math expression over the other metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "id", exclusive = ["expression", "metricStat"])]
pub(crate) struct MetricDataQuery {
    /// The name of the element in metric math expressions. It begins with a lower-case letter.
    id: String,
    /// The metric math expression, as in `errors / requests * 100`.
    expression: Option<String>,
    /// The metric and its statistic, in place of an expression.
    metric_stat: Option<MetricStat>,
    /// The label on graphs.
    label: Option<String>,
    /// Whether the alarm watches this metric or expression.
    #[serde(default)]
    return_data: bool,
    /// The period in seconds of a data point of the expression.
    period: Option<i32>,
}

/// A metric and its statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetricStat {
    /// The metric.
    metric: Metric,
    /// The period of a data point in seconds.
    period: i32,
    /// The statistic: `Average`, `Sum`, `p99` and others.
    stat: String,
    /// The unit of the metric. Without it, data points in all units count.
    #[spec(one_of = sdk::StandardUnit)]
    unit: Option<String>,
}

/// A CloudWatch metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metric {
    /// The namespace of the metric.
    namespace: String,
    /// The name of the metric.
    metric_name: String,
    /// The dimensions of the metric.
    dimensions: Option<BTreeMap<String, String>>,
}

/// The read-only attributes of an Alarm.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlarmStatus {
    /// The alarm's ARN.
    arn: String,
}

impl Kind for Alarm {
    type Status = AlarmStatus;
    type Owner = TagOnCreate<CloudWatchTags, ByArn>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules::limit(255);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        demand(AtMost("datapointsToAlarm", "evaluationPeriods")),
        demand(OneOf("period", &["10", "20", "30"])).when(&[Below("period", 60)]),
        demand(MultipleOf("period", 60)).when(&[AtLeast("period", 60)]),
        demand(Needs("namespace")).when(&[Stated("metricName")]),
        demand(Needs("period")).when(&[Stated("metricName")]),
        demand(AnyOf(&["statistic", "extendedStatistic"])).when(&[Stated("metricName")]),
        demand(Unique("metrics", &["id"])),
        demand(AnyOf(&["expression", "metricStat"])).at("metrics.*"),
        demand(AtMostOne(&["expression", "metricStat"])).at("metrics.*"),
    ];

    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        let two = |field, other: &str| {
            let both = spec.states(field) == Some(true) && spec.states(other) == Some(true);
            both.then(|| (field, format!("an alarm takes either `{field}` or `{other}`; remove one of them")))
        };
        let none = spec.states("metrics") == Some(false) && spec.states("metricName") == Some(false);
        let none = none.then(|| ("", "an alarm needs `metricName` and its related fields, or `metrics`".to_owned()));
        [none, two("metrics", "metricName"), two("extendedStatistic", "statistic")].into_iter().flatten().collect()
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = cloudwatch(aws).describe_alarms().alarm_types(AlarmType::MetricAlarm).into_paginator().send();
        let pages = all(pages).await?;
        each(pages.iter().flat_map(|page| page.metric_alarms()), |alarm| async move {
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

    /// PutMetricAlarm would overwrite an existing alarm. The observation before the create returns the alarm that has
    /// the name, also an alarm of another owner.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        put(aws, &desired.name, &desired.spec, Some(sdk_tags(&desired.tags)?)).await?;
        let Some(arn) = aws.arn("cloudwatch", &format!("alarm:{}", desired.name)) else {
            return Ok(Created::unobserved(&desired.name));
        };
        Ok(desired.as_live(&desired.name, AlarmStatus { arn }).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        // PutMetricAlarm ignores the tags for an existing alarm
        // (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).
        let spec = drop_superseded(desired.spec.clone(), |field| desired.changed(field));
        put(aws, &live.id, &spec, None).await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        cloudwatch(aws).delete_alarms().alarm_names(&live.id).send().await?;
        Ok(())
    }
}

/// Drops the fields that a change supersedes. The desired spec contains the fields of the live alarm, but AWS accepts
/// either one metric or several, and either a statistic or an extended statistic. The fields that changed win.
fn drop_superseded(mut spec: Alarm, changed: impl Fn(FieldName<Alarm>) -> bool) -> Alarm {
    if spec.metrics.is_some() && !(changed(Alarm::METRIC_NAME) && spec.metric_name.is_some()) {
        spec = Alarm {
            namespace: None,
            metric_name: None,
            dimensions: None,
            statistic: None,
            extended_statistic: None,
            period: None,
            unit: None,
            ..spec
        };
    } else {
        spec.metrics = None;
    }
    if spec.statistic.is_some() && spec.extended_statistic.is_some() {
        match changed(Alarm::EXTENDED_STATISTIC) {
            true => spec.statistic = None,
            false => spec.extended_statistic = None,
        }
    }
    spec
}

/// Creates the alarm, or replaces its whole configuration.
async fn put(aws: &Aws, name: &str, spec: &Alarm, tags: Option<Vec<sdk::Tag>>) -> Result<()> {
    let Alarm {
        alarm_description,
        actions_enabled,
        alarm_actions,
        ok_actions,
        insufficient_data_actions,
        namespace,
        metric_name,
        dimensions,
        statistic,
        extended_statistic,
        period,
        unit,
        evaluation_periods,
        datapoints_to_alarm,
        threshold,
        comparison_operator,
        treat_missing_data,
        evaluate_low_sample_count_percentile,
        metrics,
    } = spec;
    let arns = |arns: &Option<BTreeSet<Arn>>| arns.as_ref().map(|arns| arns.iter().map(|arn| arn.0.clone()).collect());
    cloudwatch(aws)
        .put_metric_alarm()
        .alarm_name(name)
        .set_alarm_description(alarm_description.clone())
        .set_actions_enabled(actions_enabled.map(|enabled| enabled.0))
        .set_alarm_actions(arns(alarm_actions))
        .set_ok_actions(arns(ok_actions))
        .set_insufficient_data_actions(arns(insufficient_data_actions))
        .set_namespace(namespace.clone())
        .set_metric_name(metric_name.clone())
        .set_dimensions(dimensions.as_ref().map(sdk_dimensions))
        .set_statistic(statistic.as_deref().map(Into::into))
        .set_extended_statistic(extended_statistic.clone())
        .set_period(*period)
        .set_unit(unit.as_deref().map(Into::into))
        .evaluation_periods(*evaluation_periods)
        .set_datapoints_to_alarm(*datapoints_to_alarm)
        .set_threshold(*threshold)
        .comparison_operator(comparison_operator.as_str().into())
        .set_treat_missing_data(treat_missing_data.clone().map(|treat| treat.0))
        .set_evaluate_low_sample_count_percentile(evaluate_low_sample_count_percentile.clone())
        .set_metrics(metrics.as_ref().map(|metrics| metrics.iter().map(query).collect()))
        .set_tags(tags)
        .send()
        .await?;
    Ok(())
}

fn query(query: &MetricDataQuery) -> sdk::MetricDataQuery {
    let MetricDataQuery { id, expression, metric_stat, label, return_data, period } = query;
    let stat = metric_stat.as_ref().map(|stat| {
        let Metric { namespace, metric_name, dimensions } = &stat.metric;
        let metric = sdk::Metric::builder()
            .namespace(namespace)
            .metric_name(metric_name)
            .set_dimensions(dimensions.as_ref().map(sdk_dimensions))
            .build();
        let stat_of = sdk::MetricStat::builder().metric(metric).period(stat.period).stat(&stat.stat);
        stat_of.set_unit(stat.unit.as_deref().map(Into::into)).build()
    });
    sdk::MetricDataQuery::builder()
        .id(id)
        .set_expression(expression.clone())
        .set_metric_stat(stat)
        .set_label(label.clone())
        .return_data(*return_data)
        .set_period(*period)
        .build()
}

fn sdk_dimensions(dimensions: &BTreeMap<String, String>) -> Vec<Dimension> {
    dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect()
}

fn dimensions_of(dimensions: &[Dimension]) -> Option<BTreeMap<String, String>> {
    let pair = |d: &Dimension| Some((d.name.clone()?, d.value.clone().unwrap_or_default()));
    Some(dimensions.iter().filter_map(pair).collect()).filter(|d: &BTreeMap<_, _>| !d.is_empty())
}

fn live(alarm: &sdk::MetricAlarm, arn: String) -> Live<Alarm> {
    let arns = |arns: &[String]| Some(arns.iter().cloned().map(Arn).collect()).filter(|s: &BTreeSet<_>| !s.is_empty());
    let queries = alarm.metrics().iter().map(|query| MetricDataQuery {
        id: query.id.clone().unwrap_or_default(),
        expression: query.expression.clone(),
        metric_stat: query.metric_stat.as_ref().map(|stat| MetricStat {
            metric: Metric {
                namespace: stat.metric.as_ref().and_then(|m| m.namespace.clone()).unwrap_or_default(),
                metric_name: stat.metric.as_ref().and_then(|m| m.metric_name.clone()).unwrap_or_default(),
                dimensions: stat.metric.as_ref().and_then(|m| dimensions_of(m.dimensions())),
            },
            period: stat.period.unwrap_or_default(),
            stat: stat.stat.clone().unwrap_or_default(),
            unit: stat.unit.as_ref().map(|u| u.as_str().to_owned()),
        }),
        label: query.label.clone(),
        return_data: query.return_data.unwrap_or(true),
        period: query.period,
    });
    let spec = Alarm {
        alarm_description: alarm.alarm_description.clone(),
        actions_enabled: alarm.actions_enabled.map(ServerDefault),
        alarm_actions: arns(alarm.alarm_actions()),
        ok_actions: arns(alarm.ok_actions()),
        insufficient_data_actions: arns(alarm.insufficient_data_actions()),
        namespace: alarm.namespace.clone(),
        metric_name: alarm.metric_name.clone(),
        dimensions: dimensions_of(alarm.dimensions()),
        statistic: alarm.statistic.as_ref().map(|s| s.as_str().to_owned()),
        extended_statistic: alarm.extended_statistic.clone(),
        period: alarm.period,
        unit: alarm.unit.as_ref().map(|u| u.as_str().to_owned()),
        evaluation_periods: alarm.evaluation_periods.unwrap_or_default(),
        datapoints_to_alarm: alarm.datapoints_to_alarm,
        threshold: alarm.threshold,
        comparison_operator: alarm.comparison_operator.as_ref().map(|o| o.as_str().to_owned()).unwrap_or_default(),
        // The response leaves out a treatment that was never set, which is the same as `missing`.
        treat_missing_data: Some(ServerDefault(alarm.treat_missing_data.clone().unwrap_or_else(|| "missing".into()))),
        evaluate_low_sample_count_percentile: alarm.evaluate_low_sample_count_percentile.clone(),
        metrics: Some(queries.collect()).filter(|queries: &Vec<_>| !queries.is_empty()),
    };
    let name = alarm.alarm_name.clone().unwrap_or_default();
    let live = Live::new(name.clone(), name, spec, AlarmStatus { arn });
    match &alarm.evaluation_state {
        Some(sdk::EvaluationState::EvaluationError) => {
            let reason = alarm.state_reason.as_deref().unwrap_or("AWS gives no reason");
            live.degraded("CannotEvaluate", format!("AWS cannot evaluate the alarm: {reason}"))
        }
        _ => live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm() -> sdk::builders::MetricAlarmBuilder {
        sdk::MetricAlarm::builder()
            .alarm_name("cpu")
            .namespace("AWS/ECS")
            .metric_name("CPUUtilization")
            .evaluation_periods(3)
    }

    #[test]
    fn fields_that_were_never_set_are_null_or_the_default() {
        let spec = live(&alarm().build(), "arn".into()).spec;
        assert_eq!((spec.dimensions, spec.alarm_actions, spec.metrics), (None, None, None));
        assert_eq!(spec.treat_missing_data.map(|treat| treat.0).as_deref(), Some("missing"));
    }

    #[test]
    fn an_alarm_that_changes_to_an_expression_drops_its_metric() {
        let mut spec = live(&alarm().build(), "arn".into()).spec;
        spec.metrics = Some(vec![]);
        let changed = drop_superseded(spec.clone(), |field| field.name() == "metrics");
        assert_eq!((changed.metric_name, changed.metrics.is_some()), (None, true));
        let back = drop_superseded(spec, |field| field.name() == "metricName");
        assert_eq!((back.metric_name.as_deref(), back.metrics), (Some("CPUUtilization"), None));
    }

    #[test]
    fn an_alarm_takes_one_metric_or_several_and_one_statistic() {
        let errors = |spec: serde_json::Value| Alarm::check("", &spec.into()).len();
        assert_eq!(errors(serde_json::json!({ "metrics": null })), 1);
        assert_eq!(errors(serde_json::json!({ "metrics": [], "metricName": "a" })), 1);
        assert_eq!(errors(serde_json::json!({ "metricName": "a", "statistic": "Sum", "extendedStatistic": "p9" })), 1);
    }
}
