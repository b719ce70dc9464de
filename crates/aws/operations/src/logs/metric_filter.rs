//! MetricFilter: a metric filter, which turns matching log events into a metric for alarms.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatchlogs::types as sdk;
use aws_smithy_types::error::operation::BuildError;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{Child, ViaParent};
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Replacement, Tier, ValidationError};
use holdfast_core::types::{Name, Ref, ServerDefault};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::log_group::LogGroup;
use super::logs;

/// A metric filter of a log group: a metric from the log events that match a pattern.
///
/// The filter counts events from its creation on. A log group takes at most 100 metric filters
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html>). A metric filter
/// has no tags; it is identified by its log group and its name.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetricFilter {
    /// The log group whose events the filter reads. Its class must be `STANDARD`
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html>).
    #[spec(immutable)]
    log_group: Ref<LogGroup, Name>,
    /// The filter pattern, which selects events: `ERROR`, `"?ERROR ?WARN"`, `"{ $.status = 5* }"`; `""` for all events
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>).
    #[spec(length = ..=1024)]
    filter_pattern: String,
    /// The metric transformation: how a matching event becomes a data point.
    #[spec(items = 1..=1)]
    metric_transformations: Vec<MetricTransformation>,
    /// Whether the filter reads the events that the log group's transformer returns. AWS's default is false.
    apply_on_transformed_logs: Option<ServerDefault<bool>>,
    /// The criteria for the events of a centralized log group, by their source account and region, as in
    /// `@aws.region = "us-east-1"`.
    field_selection_criteria: Option<String>,
    /// The system fields that become dimensions, and name the source of the events of a centralized log group:
    /// `@aws.account`, `@aws.region`.
    emit_system_field_dimensions: Option<BTreeSet<String>>,
}

/// A metric transformation: how a log event becomes a data point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["metricNamespace", "metricName"], exclusive = ["defaultValue", "dimensions"])]
pub(crate) struct MetricTransformation {
    /// The name of the metric.
    #[spec(length = ..=255)]
    metric_name: String,
    /// The namespace of the metric. It cannot begin with `AWS/`.
    #[spec(length = ..=255)]
    metric_namespace: String,
    /// The value of the data point, as text: a number such as `"1"`, or a field of the event such as `$.latency`.
    #[spec(length = ..=100)]
    metric_value: String,
    /// The value for a minute in which events arrive and none of them matches; `null` for no data point. AWS refuses it
    /// together with `dimensions`.
    default_value: Option<f64>,
    /// The unit of the metric.
    #[spec(one_of = sdk::StandardUnit, default = "None")]
    unit: Option<ServerDefault<String>>,
    /// The dimensions by name, each with the field of the event that holds its value: `{ Path: $.path }`. At most
    /// three. Each new value is billed as a metric of its own. Dimensions require a pattern for JSON or space-delimited
    /// events.
    #[spec(items = ..=3)]
    dimensions: Option<BTreeMap<String, String>>,
}

impl Kind for MetricFilter {
    type Status = ();
    type Owner = ViaParent;
    const TIER: Tier = Tier::Operations;
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules { form: (r"[^:*]+", "has no `:` and no `*`"), ..NamingRules::limit(512) };
    /// A metric filter is a part of its log group.
    const DELETED_WITH: Option<&'static str> = Some(MetricFilter::LOG_GROUP.name());
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    /// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html>
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        let Some(Value::List(list)) = spec.get("metricTransformations") else { return vec![] };
        let both = |one: &Value| ["dimensions", "defaultValue"].into_iter().all(|f| one.states(f) == Some(true));
        let both = list.first().is_some_and(both).then(|| {
            ("metricTransformations.0.defaultValue", "AWS refuses `defaultValue` together with `dimensions`".to_owned())
        });
        both.into_iter().collect()
    }

    /// The list call of the region returns whole filters, so filters of other owners cost no further calls.
    async fn observe(aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = logs(aws).describe_metric_filters().into_paginator().items().send();
        Ok(all(pages).await?.iter().map(live).collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        put(aws, &desired.name, &desired.spec).await?;
        Ok(desired.as_live(id(desired.spec.log_group.as_str(), &desired.name), ()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let mut spec = desired.spec.clone();
        for (desired, live) in spec.metric_transformations.iter_mut().zip(&live.spec.metric_transformations) {
            drop_superseded(desired, live);
        }
        put(aws, &live.name, &spec).await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let group = live.spec.log_group.as_str();
        logs(aws).delete_metric_filter().log_group_name(group).filter_name(&live.name).send().await?;
        Ok(())
    }
}

impl Child for MetricFilter {
    const PARENT: FieldName<Self> = Self::LOG_GROUP;
}

/// Drops either the default value or the dimensions. The desired spec contains the fields of the live filter, but AWS
/// accepts only one of the two. The field that the live filter does not have wins.
fn drop_superseded(desired: &mut MetricTransformation, live: &MetricTransformation) {
    if desired.dimensions.is_some() && desired.default_value.is_some() {
        match live.default_value.is_some() {
            true => desired.default_value = None,
            false => desired.dimensions = None,
        }
    }
}

/// Creates the filter, or replaces its whole configuration.
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

fn transformation(desired: &MetricTransformation) -> std::result::Result<sdk::MetricTransformation, BuildError> {
    let MetricTransformation { metric_name, metric_namespace, metric_value, default_value, unit, dimensions } = desired;
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

/// Returns the id, `<log group>:<name>`. Names of log groups and filters contain no colon.
fn id(group: &str, name: &str) -> String {
    format!("{group}:{name}")
}

fn live(filter: &sdk::MetricFilter) -> Live<MetricFilter> {
    let (group, name) = (filter.log_group_name().unwrap_or_default(), filter.filter_name().unwrap_or_default());
    let transformation = |output: &sdk::MetricTransformation| MetricTransformation {
        metric_name: output.metric_name.clone(),
        metric_namespace: output.metric_namespace.clone(),
        metric_value: output.metric_value.clone(),
        default_value: output.default_value,
        unit: Some(ServerDefault(output.unit.as_ref().map_or("None", |unit| unit.as_str()).to_owned())),
        dimensions: output.dimensions.clone().filter(|d| !d.is_empty()).map(|d| d.into_iter().collect()),
    };
    let spec = MetricFilter {
        log_group: Ref::new(group),
        filter_pattern: filter.filter_pattern.clone().unwrap_or_default(),
        metric_transformations: filter.metric_transformations().iter().map(transformation).collect(),
        apply_on_transformed_logs: Some(ServerDefault(filter.apply_on_transformed_logs)),
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
    fn a_new_default_value_or_new_dimensions_supersede_the_live_ones() {
        let transformation = |default_value, path: Option<&str>| MetricTransformation {
            metric_name: String::new(),
            metric_namespace: String::new(),
            metric_value: "1".into(),
            default_value,
            unit: None,
            dimensions: path.map(|path| BTreeMap::from([("Path".into(), path.into())])),
        };
        let mut both = transformation(Some(0.0), Some("$.path"));
        drop_superseded(&mut both, &transformation(Some(0.0), None));
        assert_eq!(both, transformation(None, Some("$.path")));
        let mut both = transformation(Some(0.0), Some("$.path"));
        drop_superseded(&mut both, &transformation(None, Some("$.path")));
        assert_eq!(both, transformation(Some(0.0), None));
    }

    #[test]
    fn a_transformation_is_read_back_as_it_was_sent() -> std::result::Result<(), BuildError> {
        let desired = MetricTransformation {
            metric_name: "Errors".into(),
            metric_namespace: "Shop".into(),
            metric_value: "1".into(),
            default_value: None,
            unit: Some(ServerDefault("None".into())),
            dimensions: None,
        };
        let bare = MetricTransformation { unit: None, ..desired.clone() };
        for sent in [&desired, &bare] {
            let filter = sdk::MetricFilter::builder().log_group_name("/shop").filter_name("errors");
            let observed = live(&filter.metric_transformations(transformation(sent)?).build());
            assert_eq!(observed.spec.metric_transformations, std::slice::from_ref(&desired));
            assert_eq!((observed.id.as_str(), observed.name.as_str()), ("/shop:errors", "errors"));
        }
        Ok(())
    }
}
