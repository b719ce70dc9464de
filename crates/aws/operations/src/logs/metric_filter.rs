//! MetricFilter: counts in a log group what matters, as a metric that alarms can watch.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatchlogs::types as sdk;
use aws_smithy_types::error::operation::BuildError;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made};
use holdfast_core::Spec;
use holdfast_core::schema::{Claim, CreateClass, Fault, Naming, Replace, Tier};
use holdfast_core::types::{Always, Name, Ref};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::log_group::LogGroup;
use super::logs;

/// A metric filter of a log group: a metric from the events that match a pattern, from the moment on that it is
/// made. A log group takes a hundred of them
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html>). It has no tags,
/// and is known by its name under its log group.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetricFilter {
    /// The log group whose events it reads; of class `STANDARD`
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html>).
    #[spec(immutable)]
    log_group: Ref<LogGroup, Name>,
    /// Which events count: `ERROR`, `"?ERROR ?WARN"`, `"{ $.status = 5* }"`; `""` for all, at most 1,024 characters
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>).
    filter_pattern: String,
    /// What an event that matches becomes: AWS takes exactly one.
    metric_transformations: Vec<MetricTransformation>,
    /// Whether it reads events after the log group's transformer. AWS's default is false.
    apply_on_transformed_logs: Option<Always<bool>>,
    /// Which events of a central log group count, by account and region they come from, as in
    /// `@aws.region = "us-east-1"`.
    field_selection_criteria: Option<String>,
    /// Dimensions that say where a central log group's events come from: `@aws.account`, `@aws.region`.
    emit_system_field_dimensions: Option<BTreeSet<String>>,
}

/// How an event becomes a data point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetricTransformation {
    /// The metric's name.
    metric_name: String,
    /// The metric's namespace; it cannot begin with `AWS/`.
    metric_namespace: String,
    /// The data point as text: a number such as `"1"`, or a field of the event such as `$.latency`.
    metric_value: String,
    /// The data point of a minute in which events came and none matched. `null` for no data point. AWS takes none
    /// together with `dimensions`.
    default_value: Option<f64>,
    /// The metric's unit, as in `Count` or `Milliseconds`. AWS's default is `None`.
    unit: Option<Always<String>>,
    /// Dimensions by name, each with the event's field that holds its value: `{ Path: $.path }`. At most three; each
    /// new value is a metric of its own on the bill, and needs a pattern that reads JSON or columns.
    dimensions: Option<BTreeMap<String, String>>,
}

impl Kind for MetricFilter {
    type Status = ();
    const TIER: Tier = Tier::Operations;
    const CLAIM: Claim = Claim::Parent { field: "logGroup", key: &[] };
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming::limit(512);
    const CLASS: CreateClass = CreateClass::Name;

    /// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html>
    fn check(_name: &str, spec: &Value) -> Vec<Fault> {
        let Some(Value::List(list)) = spec.get("metricTransformations") else { return vec![] };
        let both = |one: &Value| ["dimensions", "defaultValue"].into_iter().all(|f| one.states(f) == Some(true));
        let many =
            (list.len() != 1).then(|| ("metricTransformations", format!("it has one element, not {}", list.len())));
        let both = list.first().is_some_and(both).then(|| {
            ("metricTransformations.0.defaultValue", "a metric with `dimensions` has no default value".to_owned())
        });
        many.into_iter().chain(both).collect()
    }

    /// The list of the region tells everything, so that others' filters cost no more than their place in it.
    async fn observe(aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = logs(aws).describe_metric_filters().into_paginator().items().send();
        Ok(pages.collect::<std::result::Result<Vec<_>, _>>().await?.iter().map(live).collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        put(aws, &desired.name, &desired.spec).await?;
        Ok(desired.made(id(desired.spec.log_group.as_str(), &desired.name), ()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let mut spec = desired.spec.clone();
        for (wanted, there) in spec.metric_transformations.iter_mut().zip(&live.spec.metric_transformations) {
            one_way(wanted, there);
        }
        put(aws, &live.name, &spec).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let group = live.spec.log_group.as_str();
        logs(aws).delete_metric_filter().log_group_name(group).filter_name(&live.name).send().await?;
        Ok(())
    }
}

/// A default value or dimensions: the spec is merged with the live filter, and what is new in it was meant.
fn one_way(wanted: &mut MetricTransformation, there: &MetricTransformation) {
    if wanted.dimensions.is_some() && wanted.default_value.is_some() {
        match there.default_value.is_some() {
            true => wanted.default_value = None,
            false => wanted.dimensions = None,
        }
    }
}

/// Makes the filter, or replaces it as a whole.
async fn put(aws: &Aws, name: &str, spec: &MetricFilter) -> Result<()> {
    let MetricFilter {
        log_group,
        filter_pattern,
        metric_transformations,
        apply_on_transformed_logs,
        field_selection_criteria,
        emit_system_field_dimensions,
    } = spec;
    let broken = |error: BuildError| Error::terminal("logs.PutMetricFilter", error.to_string());
    let transformations: std::result::Result<Vec<_>, _> = metric_transformations.iter().map(transformation).collect();
    let fields = emit_system_field_dimensions.as_ref().filter(|fields| !fields.is_empty());
    logs(aws)
        .put_metric_filter()
        .log_group_name(log_group.as_str())
        .filter_name(name)
        .filter_pattern(filter_pattern)
        .set_metric_transformations(Some(transformations.map_err(broken)?))
        .set_apply_on_transformed_logs(apply_on_transformed_logs.map(|apply| apply.0))
        .set_field_selection_criteria(field_selection_criteria.clone())
        .set_emit_system_field_dimensions(fields.map(|fields| fields.iter().cloned().collect()))
        .send()
        .await?;
    Ok(())
}

fn transformation(wanted: &MetricTransformation) -> std::result::Result<sdk::MetricTransformation, BuildError> {
    let MetricTransformation { metric_name, metric_namespace, metric_value, default_value, unit, dimensions } = wanted;
    let dimensions = dimensions.as_ref().filter(|dimensions| !dimensions.is_empty());
    sdk::MetricTransformation::builder()
        .metric_name(metric_name)
        .metric_namespace(metric_namespace)
        .metric_value(metric_value)
        .set_default_value(*default_value)
        .set_unit(unit.as_ref().map(|unit| unit.as_str().into()))
        .set_dimensions(dimensions.map(|dimensions| dimensions.clone().into_iter().collect()))
        .build()
}

/// Names of log groups and of filters have no colon.
fn id(group: &str, name: &str) -> String {
    format!("{group}:{name}")
}

fn live(filter: &sdk::MetricFilter) -> Live<MetricFilter> {
    let (group, name) = (filter.log_group_name().unwrap_or_default(), filter.filter_name().unwrap_or_default());
    let transformation = |told: &sdk::MetricTransformation| MetricTransformation {
        metric_name: told.metric_name.clone(),
        metric_namespace: told.metric_namespace.clone(),
        metric_value: told.metric_value.clone(),
        default_value: told.default_value,
        unit: Some(Always(told.unit.as_ref().map_or("None", |unit| unit.as_str()).to_owned())),
        dimensions: told.dimensions.clone().filter(|d| !d.is_empty()).map(|d| d.into_iter().collect()),
    };
    let spec = MetricFilter {
        log_group: Ref::new(group),
        filter_pattern: filter.filter_pattern.clone().unwrap_or_default(),
        metric_transformations: filter.metric_transformations().iter().map(transformation).collect(),
        apply_on_transformed_logs: Some(Always(filter.apply_on_transformed_logs)),
        field_selection_criteria: filter.field_selection_criteria.clone().filter(|criteria| !criteria.is_empty()),
        emit_system_field_dimensions: Some(filter.emit_system_field_dimensions().iter().cloned().collect())
            .filter(|fields: &BTreeSet<_>| !fields.is_empty()),
    };
    Live::new(id(group, name), name, spec, ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_was_meant() {
        let there = |default_value, path: Option<&str>| MetricTransformation {
            metric_name: String::new(),
            metric_namespace: String::new(),
            metric_value: "1".into(),
            default_value,
            unit: None,
            dimensions: path.map(|path| BTreeMap::from([("Path".into(), path.into())])),
        };
        let mut both = there(Some(0.0), Some("$.path"));
        one_way(&mut both, &there(Some(0.0), None));
        assert_eq!(both, there(None, Some("$.path")));
        let mut both = there(Some(0.0), Some("$.path"));
        one_way(&mut both, &there(None, Some("$.path")));
        assert_eq!(both, there(Some(0.0), None));
    }

    #[test]
    fn what_is_sent_is_what_is_told() -> std::result::Result<(), BuildError> {
        let wanted = MetricTransformation {
            metric_name: "Errors".into(),
            metric_namespace: "Shop".into(),
            metric_value: "1".into(),
            default_value: None,
            unit: Some(Always("None".into())),
            dimensions: None,
        };
        let bare = MetricTransformation { unit: None, ..wanted.clone() };
        for sent in [&wanted, &bare] {
            let filter = sdk::MetricFilter::builder().log_group_name("/shop").filter_name("errors");
            let told = live(&filter.metric_transformations(transformation(sent)?).build());
            assert_eq!(told.spec.metric_transformations, std::slice::from_ref(&wanted));
            assert_eq!((told.id.as_str(), told.name.as_str()), ("/shop:errors", "errors"));
        }
        Ok(())
    }
}
