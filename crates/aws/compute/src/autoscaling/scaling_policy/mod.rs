//! ScalingPolicy: when a service scales out and when it scales in.

mod spec;

use aws_sdk_applicationautoscaling::types::{self as sdk, ScalableDimension, ServiceNamespace};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{Child, ViaParent};
use holdfast_base::sdk::{all, text};
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{AnyOf, AtMostOne, Form, Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Replacement, Tier, ValidationError};
use holdfast_core::types::Ref;
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

use super::autoscaling;
pub(crate) use spec::ScalingPolicy;
use spec::{
    CustomizedMetricSpecification, PredefinedMetricSpecification, ScalingPolicyStatus, StepAdjustment,
    StepScalingPolicyConfiguration, TargetTrackingScalingPolicyConfiguration,
};

impl Kind for ScalingPolicy {
    type Status = ScalingPolicyStatus;
    type Owner = ViaParent;
    const TIER: Tier = Tier::Compute;
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules::limit(256);
    /// <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html>
    const DELETED_WITH: Option<&'static str> = Some(ScalingPolicy::SCALABLE_TARGET.name());
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
        demand(AnyOf(&["predefinedMetricSpecification", "customizedMetricSpecification"]))
            .at("targetTrackingScalingPolicyConfiguration"),
        demand(AtMostOne(&["predefinedMetricSpecification", "customizedMetricSpecification"]))
            .at("targetTrackingScalingPolicyConfiguration"),
        // https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html
        demand(Needs("resourceLabel"))
            .when(&[Is("predefinedMetricType", &["ALBRequestCountPerTarget"])])
            .at("targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification"),
        demand(Form(
            "predefinedMetricType",
            "(ECS|ALB).+",
            "a metric of an ECS service, such as `ECSServiceAverageCPUUtilization`",
        ))
        .at("targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification"),
        // https://docs.aws.amazon.com/autoscaling/application/APIReference/API_StepAdjustment.html
        demand(AnyOf(&["metricIntervalLowerBound", "metricIntervalUpperBound"]))
            .at("stepScalingPolicyConfiguration.stepAdjustments.*"),
        demand(OneOf("adjustmentType", &["PercentChangeInCapacity"]))
            .when(&[Stated("minAdjustmentMagnitude")])
            .at("stepScalingPolicyConfiguration"),
    ];

    /// <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html>
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        const TYPE: &str = ScalingPolicy::POLICY_TYPE.name();
        const TRACKING: &str = ScalingPolicy::TARGET_TRACKING_SCALING_POLICY_CONFIGURATION.name();
        const STEPS: &str = ScalingPolicy::STEP_SCALING_POLICY_CONFIGURATION.name();
        let (needed, other) = match spec.get(TYPE).and_then(Value::text) {
            Some("TargetTrackingScaling") => (TRACKING, STEPS),
            Some("StepScaling") => (STEPS, TRACKING),
            _ => return vec![],
        };
        let missing = spec.states(needed) == Some(false);
        let missing = missing.then(|| (TYPE, format!("a policy of this type needs `{needed}`")));
        let wrong = spec.states(other) == Some(true);
        let wrong = wrong.then(|| (other, format!("a policy of this type has `{needed}` instead")));
        missing.into_iter().chain(wrong).collect()
    }

    /// Observes all scaling policies of ECS. The list response is complete, so foreign policies cost no additional
    /// calls.
    async fn observe(aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = autoscaling(aws)
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Ecs)
            .into_paginator()
            .items()
            .send();
        Ok(all(pages).await?.iter().map(live).collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let status = put(aws, &desired.name, &desired.spec).await?;
        Ok(desired.as_live(status.arn.clone(), status).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        put(aws, &live.name, &desired.spec).await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        autoscaling(aws)
            .delete_scaling_policy()
            .policy_name(&live.name)
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(live.spec.scalable_target.as_str())
            .send()
            .await?;
        Ok(())
    }
}

impl Child for ScalingPolicy {
    const PARENT: FieldName<Self> = Self::SCALABLE_TARGET;
}

/// Creates the policy, or replaces its configuration as a whole.
async fn put(aws: &Aws, name: &str, spec: &ScalingPolicy) -> Result<ScalingPolicyStatus> {
    let ScalingPolicy {
        scalable_target,
        policy_type,
        target_tracking_scaling_policy_configuration: tracking_configuration,
        step_scaling_policy_configuration: step_configuration,
    } = spec;
    let put = autoscaling(aws)
        .put_scaling_policy()
        .policy_name(name)
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .resource_id(scalable_target.as_str())
        .policy_type(policy_type.as_str().into());
    let tracking = tracking_configuration.as_ref().map(tracking).transpose()?;
    let steps = step_configuration.as_ref().map(steps).transpose()?;
    let output = put
        .set_target_tracking_scaling_policy_configuration(tracking)
        .set_step_scaling_policy_configuration(steps)
        .send()
        .await?;
    let alarms = output.alarms().iter().map(|alarm| alarm.alarm_name.clone()).collect();
    Ok(ScalingPolicyStatus { arn: output.policy_arn, alarms })
}

fn tracking(t: &TargetTrackingScalingPolicyConfiguration) -> Result<sdk::TargetTrackingScalingPolicyConfiguration> {
    let TargetTrackingScalingPolicyConfiguration {
        target_value,
        predefined_metric_specification,
        customized_metric_specification,
        scale_out_cooldown,
        scale_in_cooldown,
        disable_scale_in,
    } = t;
    let predefined = predefined_metric_specification.as_ref().map(|p| {
        sdk::PredefinedMetricSpecification::builder()
            .predefined_metric_type(p.predefined_metric_type.as_str().into())
            .set_resource_label(p.resource_label.clone())
            .build()
    });
    let customized = customized_metric_specification.as_ref().map(customized).transpose()?;
    Ok(sdk::TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(*target_value)
        .set_predefined_metric_specification(predefined.transpose()?)
        .set_customized_metric_specification(customized)
        .set_scale_out_cooldown(*scale_out_cooldown)
        .set_scale_in_cooldown(*scale_in_cooldown)
        .set_disable_scale_in(*disable_scale_in)
        .build()?)
}

fn customized(c: &CustomizedMetricSpecification) -> Result<sdk::CustomizedMetricSpecification> {
    let CustomizedMetricSpecification { namespace, metric_name, dimensions, statistic, unit } = c;
    let dimension = |(k, v): (&String, &String)| sdk::MetricDimension::builder().name(k).value(v).build();
    let dimensions = dimensions.iter().flatten().map(dimension).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(sdk::CustomizedMetricSpecification::builder()
        .namespace(namespace)
        .metric_name(metric_name)
        .set_dimensions(Some(dimensions).filter(|d| !d.is_empty()))
        .statistic(statistic.as_str().into())
        .set_unit(unit.clone())
        .build())
}

fn steps(s: &StepScalingPolicyConfiguration) -> Result<sdk::StepScalingPolicyConfiguration> {
    let StepScalingPolicyConfiguration {
        adjustment_type,
        step_adjustments,
        cooldown,
        metric_aggregation_type,
        min_adjustment_magnitude,
    } = s;
    let step = |step: &StepAdjustment| {
        sdk::StepAdjustment::builder()
            .set_metric_interval_lower_bound(step.metric_interval_lower_bound)
            .set_metric_interval_upper_bound(step.metric_interval_upper_bound)
            .scaling_adjustment(step.scaling_adjustment)
            .build()
    };
    Ok(sdk::StepScalingPolicyConfiguration::builder()
        .adjustment_type(adjustment_type.as_str().into())
        .set_step_adjustments(Some(step_adjustments.iter().map(step).collect::<std::result::Result<_, _>>()?))
        .set_cooldown(*cooldown)
        .set_metric_aggregation_type(metric_aggregation_type.as_deref().map(Into::into))
        .set_min_adjustment_magnitude(*min_adjustment_magnitude)
        .build())
}

fn live(policy: &sdk::ScalingPolicy) -> Live<ScalingPolicy> {
    let tracking = policy.target_tracking_scaling_policy_configuration.as_ref().map(|t| {
        TargetTrackingScalingPolicyConfiguration {
            target_value: t.target_value,
            predefined_metric_specification: t.predefined_metric_specification.as_ref().map(|p| {
                PredefinedMetricSpecification {
                    predefined_metric_type: p.predefined_metric_type.as_str().to_owned(),
                    resource_label: p.resource_label.clone().filter(|label| !label.is_empty()),
                }
            }),
            customized_metric_specification: t.customized_metric_specification.as_ref().map(|c| {
                CustomizedMetricSpecification {
                    namespace: c.namespace.clone().unwrap_or_default(),
                    metric_name: c.metric_name.clone().unwrap_or_default(),
                    dimensions: Some(c.dimensions().iter().map(|d| (d.name.clone(), d.value.clone())).collect()),
                    statistic: text(&c.statistic).unwrap_or_default(),
                    unit: c.unit.clone(),
                }
            }),
            scale_out_cooldown: t.scale_out_cooldown,
            scale_in_cooldown: t.scale_in_cooldown,
            disable_scale_in: t.disable_scale_in,
        }
    });
    let steps = policy.step_scaling_policy_configuration.as_ref().map(|s| StepScalingPolicyConfiguration {
        adjustment_type: text(&s.adjustment_type).unwrap_or_default(),
        step_adjustments: s
            .step_adjustments()
            .iter()
            .map(|step| StepAdjustment {
                metric_interval_lower_bound: step.metric_interval_lower_bound,
                metric_interval_upper_bound: step.metric_interval_upper_bound,
                scaling_adjustment: step.scaling_adjustment,
            })
            .collect(),
        cooldown: s.cooldown,
        metric_aggregation_type: text(&s.metric_aggregation_type),
        min_adjustment_magnitude: s.min_adjustment_magnitude,
    });
    let spec = ScalingPolicy {
        scalable_target: Ref::new(policy.resource_id.as_str()),
        policy_type: policy.policy_type.as_str().to_owned(),
        target_tracking_scaling_policy_configuration: tracking,
        step_scaling_policy_configuration: steps,
    };
    let arn = policy.policy_arn.clone();
    let alarms = policy.alarms().iter().map(|alarm| alarm.alarm_name.clone()).collect();
    Live::new(arn.clone(), policy.policy_name.clone(), spec, ScalingPolicyStatus { arn, alarms })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_target_tracking_configuration_survives_the_round_trip() -> Result<()> {
        let desired = TargetTrackingScalingPolicyConfiguration {
            target_value: 100.0,
            predefined_metric_specification: None,
            customized_metric_specification: Some(CustomizedMetricSpecification {
                namespace: "Shop".into(),
                metric_name: "Backlog".into(),
                dimensions: Some(BTreeMap::from([("Queue".into(), "mail".into())])),
                statistic: "Average".into(),
                unit: None,
            }),
            scale_out_cooldown: Some(60),
            scale_in_cooldown: Some(300),
            disable_scale_in: None,
        };
        let policy = sdk::ScalingPolicy::builder()
            .policy_arn("arn:p")
            .policy_name("backlog")
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id("service/main/worker")
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .policy_type(sdk::PolicyType::TargetTrackingScaling)
            .creation_time(aws_smithy_types::DateTime::from_secs(0))
            .target_tracking_scaling_policy_configuration(tracking(&desired)?)
            .build()?;
        let live = live(&policy);
        assert_eq!(live.spec.target_tracking_scaling_policy_configuration, Some(desired));
        assert_eq!(live.spec.scalable_target.as_str(), "service/main/worker");
        Ok(())
    }

    #[test]
    fn a_policy_needs_the_configuration_of_its_type_and_no_other() {
        let step = serde_json::json!({ "policyType": "StepScaling", "targetTrackingScalingPolicyConfiguration": {} });
        let errors: Vec<_> = ScalingPolicy::check("", &step.into()).into_iter().map(|(field, _)| field).collect();
        assert_eq!(errors, ["policyType", "targetTrackingScalingPolicyConfiguration"]);
    }
}
