//! The spec and the status of a ScalingPolicy.

use std::collections::BTreeMap;

use aws_sdk_applicationautoscaling::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::Ref;
use serde::{Deserialize, Serialize};

use crate::autoscaling::scalable_target::ScalableTarget;

/// A scaling policy of a scalable target. AWS creates and manages the alarms of a target tracking policy. A step
/// scaling policy acts when an Alarm has its `arn` among the actions.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScalingPolicy {
    /// The scalable target that the policy scales.
    #[spec(immutable)]
    pub(super) scalable_target: Ref<ScalableTarget>,
    /// The policy type. Predictive scaling is not supported.
    #[spec(immutable, one_of = ["TargetTrackingScaling", "StepScaling"])]
    pub(super) policy_type: String,
    /// For `TargetTrackingScaling`: the metric and its target value.
    pub(super) target_tracking_scaling_policy_configuration: Option<TargetTrackingScalingPolicyConfiguration>,
    /// For `StepScaling`: the steps.
    pub(super) step_scaling_policy_configuration: Option<StepScalingPolicyConfiguration>,
}

/// Target tracking: keeps a metric near a target value. It has either a predefined metric or a customized metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetTrackingScalingPolicyConfiguration {
    /// The target value of the metric: a percentage, or requests per target.
    pub(super) target_value: f64,
    /// A predefined metric of AWS.
    pub(super) predefined_metric_specification: Option<PredefinedMetricSpecification>,
    /// Any CloudWatch metric that decreases when tasks are added.
    pub(super) customized_metric_specification: Option<CustomizedMetricSpecification>,
    /// The seconds between two scale-outs.
    #[spec(range = 0.., default = 300)]
    pub(super) scale_out_cooldown: Option<i32>,
    /// The seconds between two scale-ins.
    #[spec(range = 0.., default = 300)]
    pub(super) scale_in_cooldown: Option<i32>,
    /// Whether the policy only adds tasks and never removes them.
    #[spec(default = false)]
    pub(super) disable_scale_in: Option<bool>,
}

/// A predefined metric of AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PredefinedMetricSpecification {
    /// The metric type. ECS services have `ECSServiceAverageCPUUtilization`, `ECSServiceAverageMemoryUtilization` and
    /// `ALBRequestCountPerTarget`.
    #[spec(one_of = sdk::MetricType)]
    pub(super) predefined_metric_type: String,
    /// For `ALBRequestCountPerTarget`: `app/<balancer>/<id>/targetgroup/<group>/<id>`, which is
    /// `${LoadBalancer.x.fullName}/${TargetGroup.y.fullName}`. A listener must forward to the target group first.
    pub(super) resource_label: Option<String>,
}

/// Any CloudWatch metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomizedMetricSpecification {
    /// The namespace of the metric.
    pub(super) namespace: String,
    /// The name of the metric.
    pub(super) metric_name: String,
    /// The dimensions of the metric.
    pub(super) dimensions: Option<BTreeMap<String, String>>,
    /// The statistic.
    #[spec(one_of = sdk::MetricStatistic)]
    pub(super) statistic: String,
    /// The unit, as in `Count`; absent for any unit.
    pub(super) unit: Option<String>,
}

/// Step scaling: changes the task count by steps when an alarm goes off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepScalingPolicyConfiguration {
    /// The adjustment type: whether an adjustment is a number of tasks, a percentage, or the new count.
    #[spec(one_of = sdk::AdjustmentType)]
    pub(super) adjustment_type: String,
    /// The step adjustments.
    pub(super) step_adjustments: Vec<StepAdjustment>,
    /// The seconds between two scaling activities.
    pub(super) cooldown: Option<i32>,
    /// The aggregation of the metric.
    #[spec(one_of = sdk::MetricAggregationType, default = "Average")]
    pub(super) metric_aggregation_type: Option<String>,
    /// For `PercentChangeInCapacity`: the minimum change of the task count.
    pub(super) min_adjustment_magnitude: Option<i32>,
}

/// A step adjustment. Its bounds are relative to the alarm's threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["metricIntervalLowerBound", "metricIntervalUpperBound"])]
pub(crate) struct StepAdjustment {
    /// The lower bound; absent for none.
    pub(super) metric_interval_lower_bound: Option<f64>,
    /// The upper bound; absent for none.
    pub(super) metric_interval_upper_bound: Option<f64>,
    /// The change of the task count, or with `ExactCapacity` the new count.
    pub(super) scaling_adjustment: i32,
}

/// The status of a ScalingPolicy: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScalingPolicyStatus {
    /// The policy's ARN, for the actions of an alarm.
    pub(super) arn: String,
    /// The names of the alarms that invoke the policy.
    pub(super) alarms: Vec<String>,
}
