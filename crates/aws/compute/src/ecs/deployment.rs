//! How a rollout of a service goes, and the load balancers that it moves: parts of a Service's spec.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::Role;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, Ref};
use serde::{Deserialize, Serialize};

use crate::elbv2::listener_rule::ListenerRule;
use crate::elbv2::target_group::TargetGroup;

/// How a rollout goes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentConfiguration {
    /// How many tasks may run during a rollout, in percent of the desired count: 200 unless set.
    maximum_percent: Option<Always<i32>>,
    /// How many tasks have to be healthy during a rollout, in percent of the desired count: 100 unless set.
    minimum_healthy_percent: Option<Always<i32>>,
    /// Gives a rollout up whose tasks fail to become healthy.
    deployment_circuit_breaker: Option<Always<CircuitBreaker>>,
    /// Gives a rollout up when an alarm goes off.
    alarms: Option<DeploymentAlarms>,
    /// `ROLLING` (AWS's default), `BLUE_GREEN`, `LINEAR` or `CANARY`.
    strategy: Option<Always<String>>,
    /// Minutes in which both versions stay after the traffic moved, for a strategy other than `ROLLING`.
    bake_time_in_minutes: Option<Always<i32>>,
    /// What is called at stages of a rollout, and can stop it
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html>).
    lifecycle_hooks: Option<BTreeSet<LifecycleHook>>,
    /// The steps of `LINEAR`.
    linear_configuration: Option<LinearConfiguration>,
    /// The steps of `CANARY`.
    canary_configuration: Option<CanaryConfiguration>,
}

/// What is called at stages of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleHook {
    /// `AWS_LAMBDA`, or `PAUSE` until somebody lets the rollout go on.
    #[serde(default = "lambda")]
    target_type: String,
    /// The function's ARN. It answers `SUCCEEDED`, `FAILED` or `IN_PROGRESS`.
    hook_target_arn: Option<Arn>,
    /// The role by which ECS calls the function.
    role: Option<Ref<Role, Arn>>,
    /// When: `RECONCILE_SERVICE`, `PRE_SCALE_UP`, `POST_SCALE_UP`, `TEST_TRAFFIC_SHIFT`, `POST_TEST_TRAFFIC_SHIFT`,
    /// `PRE_PRODUCTION_TRAFFIC_SHIFT`, `PRODUCTION_TRAFFIC_SHIFT`, `POST_PRODUCTION_TRAFFIC_SHIFT`.
    lifecycle_stages: BTreeSet<String>,
}

fn lambda() -> String {
    "AWS_LAMBDA".into()
}

/// Equal steps.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinearConfiguration {
    /// How much of the traffic each step moves: 3.0 to 100.0 percent, 10.0 unless set.
    step_percent: Option<f64>,
    /// Minutes between two steps: 0 to 1440, 6 unless set.
    step_bake_time_in_minutes: Option<i32>,
}

/// A small step and the rest.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CanaryConfiguration {
    /// How much of the traffic the first step moves: 0.1 to 100.0 percent, 5.0 unless set.
    canary_percent: Option<f64>,
    /// Minutes until the rest follows: 0 to 1440, 10 unless set.
    canary_bake_time_in_minutes: Option<i32>,
}

/// Gives a rollout up whose tasks fail.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CircuitBreaker {
    /// Whether it is on.
    #[serde(default)]
    enable: bool,
    /// Whether the service goes back to the last revision that worked. The document then still names the other
    /// one, and Holdfast says so instead of rolling out again and again.
    #[serde(default)]
    rollback: bool,
}

/// Gives a rollout up when an alarm goes off.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentAlarms {
    /// The alarms' names.
    #[serde(default)]
    alarm_names: BTreeSet<String>,
    /// Whether they are looked at.
    #[serde(default)]
    enable: bool,
    /// Whether the service goes back to the last revision that worked.
    #[serde(default)]
    rollback: bool,
}

/// A target group that tasks are registered with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceLoadBalancer {
    /// The target group, of type `ip` for `awsvpc` tasks.
    target_group: Ref<TargetGroup>,
    /// The container that gets the requests.
    container_name: String,
    /// Its port.
    container_port: i32,
    /// What a strategy other than `ROLLING` needs beside it.
    advanced_configuration: Option<AdvancedConfiguration>,
}

/// The other half of a blue/green pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedConfiguration {
    /// The other target group.
    alternate_target_group: Option<Ref<TargetGroup>>,
    /// The rule that production traffic takes: one that forwards to both groups, with weights 1 and 0. Each rollout
    /// moves the weights, so that the rule has to say `lifecycle: { ignore: [actions] }`. Of a network load balancer,
    /// the listener, as `{ id: <its ARN> }`.
    production_listener_rule: Option<Ref<ListenerRule, Arn>>,
    /// The rule that test traffic takes.
    test_listener_rule: Option<Ref<ListenerRule, Arn>>,
    /// The role by which ECS changes the rules, with `AmazonECSInfrastructureRolePolicyForLoadBalancers`; ECS
    /// (`ecs.amazonaws.com`) has to be allowed to assume it.
    role: Option<Ref<Role, Arn>>,
}

impl DeploymentConfiguration {
    /// As AWS's calls take it. What is left open goes back to AWS's default.
    pub(crate) fn sdk(&self) -> Result<sdk::DeploymentConfiguration> {
        let DeploymentConfiguration {
            maximum_percent,
            minimum_healthy_percent,
            deployment_circuit_breaker: breaker,
            alarms,
            strategy,
            bake_time_in_minutes,
            lifecycle_hooks,
            linear_configuration,
            canary_configuration,
        } = self;
        let breaker = breaker.as_ref().map(|Always(CircuitBreaker { enable, rollback })| {
            sdk::DeploymentCircuitBreaker::builder().enable(*enable).rollback(*rollback).build()
        });
        let alarms = alarms.as_ref().map(|DeploymentAlarms { alarm_names, enable, rollback }| {
            let alarms = sdk::DeploymentAlarms::builder().enable(*enable).rollback(*rollback);
            alarms.set_alarm_names(Some(alarm_names.iter().cloned().collect())).build()
        });
        let linear =
            linear_configuration.as_ref().map(|LinearConfiguration { step_percent, step_bake_time_in_minutes }| {
                let linear = sdk::LinearConfiguration::builder().set_step_percent(*step_percent);
                linear.set_step_bake_time_in_minutes(*step_bake_time_in_minutes).build()
            });
        let canary = canary_configuration.as_ref().map(|canary| {
            let CanaryConfiguration { canary_percent, canary_bake_time_in_minutes } = canary;
            let canary = sdk::CanaryConfiguration::builder().set_canary_percent(*canary_percent);
            canary.set_canary_bake_time_in_minutes(*canary_bake_time_in_minutes).build()
        });
        // AWS answers 0 minutes for a rolling update, and has no use for them in a call.
        let bakes = strategy.as_ref().is_some_and(|strategy| strategy.0 != "ROLLING");
        Ok(sdk::DeploymentConfiguration::builder()
            .maximum_percent(maximum_percent.map_or(200, |percent| percent.0))
            .minimum_healthy_percent(minimum_healthy_percent.map_or(100, |percent| percent.0))
            .set_deployment_circuit_breaker(breaker)
            .set_alarms(alarms.transpose()?)
            .set_strategy(strategy.as_ref().map(|strategy| strategy.as_str().into()))
            .set_bake_time_in_minutes(bake_time_in_minutes.filter(|_| bakes).map(|minutes| minutes.0))
            .set_lifecycle_hooks(lifecycle_hooks.as_ref().map(|hooks| hooks.iter().map(LifecycleHook::sdk).collect()))
            .set_linear_configuration(
                linear.filter(|_| strategy.as_ref().is_some_and(|strategy| strategy.0 == "LINEAR")),
            )
            .set_canary_configuration(
                canary.filter(|_| strategy.as_ref().is_some_and(|strategy| strategy.0 == "CANARY")),
            )
            .build())
    }

    /// As AWS answered it.
    pub(crate) fn of(d: &sdk::DeploymentConfiguration) -> DeploymentConfiguration {
        DeploymentConfiguration {
            maximum_percent: d.maximum_percent.map(Always),
            minimum_healthy_percent: d.minimum_healthy_percent.map(Always),
            deployment_circuit_breaker: d
                .deployment_circuit_breaker()
                .map(|breaker| Always(CircuitBreaker { enable: breaker.enable, rollback: breaker.rollback })),
            alarms: d.alarms().map(|alarms| DeploymentAlarms {
                alarm_names: alarms.alarm_names.iter().cloned().collect(),
                enable: alarms.enable,
                rollback: alarms.rollback,
            }),
            strategy: d.strategy.as_ref().map(|strategy| Always(strategy.as_str().to_owned())),
            bake_time_in_minutes: d.bake_time_in_minutes.map(Always),
            lifecycle_hooks: Some(d.lifecycle_hooks().iter().map(LifecycleHook::of).collect()),
            linear_configuration: d.linear_configuration().map(|linear| LinearConfiguration {
                step_percent: linear.step_percent,
                step_bake_time_in_minutes: linear.step_bake_time_in_minutes,
            }),
            canary_configuration: d.canary_configuration().map(|canary| CanaryConfiguration {
                canary_percent: canary.canary_percent,
                canary_bake_time_in_minutes: canary.canary_bake_time_in_minutes,
            }),
        }
    }
}

impl LifecycleHook {
    fn sdk(&self) -> sdk::DeploymentLifecycleHook {
        let LifecycleHook { target_type, hook_target_arn, role, lifecycle_stages } = self;
        // What AWS takes for granted is not sent.
        let kind = Some(target_type).filter(|kind| **kind != lambda());
        sdk::DeploymentLifecycleHook::builder()
            .set_target_type(kind.map(|kind| kind.as_str().into()))
            .set_hook_target_arn(hook_target_arn.as_ref().map(|arn| arn.0.clone()))
            .set_role_arn(role.clone().map(String::from))
            .set_lifecycle_stages(Some(lifecycle_stages.iter().map(|stage| stage.as_str().into()).collect()))
            .build()
    }

    fn of(hook: &sdk::DeploymentLifecycleHook) -> LifecycleHook {
        LifecycleHook {
            target_type: hook.target_type.as_ref().map_or_else(lambda, |kind| kind.as_str().to_owned()),
            hook_target_arn: hook.hook_target_arn.clone().map(Arn),
            role: hook.role_arn().map(Ref::from),
            lifecycle_stages: hook.lifecycle_stages().iter().map(|stage| stage.as_str().to_owned()).collect(),
        }
    }
}

impl ServiceLoadBalancer {
    /// As AWS's calls take it.
    pub(crate) fn sdk(&self) -> sdk::LoadBalancer {
        let ServiceLoadBalancer { target_group, container_name, container_port, advanced_configuration } = self;
        let advanced = advanced_configuration.as_ref().map(|advanced| {
            sdk::AdvancedConfiguration::builder()
                .set_alternate_target_group_arn(advanced.alternate_target_group.clone().map(String::from))
                .set_production_listener_rule(advanced.production_listener_rule.clone().map(String::from))
                .set_test_listener_rule(advanced.test_listener_rule.clone().map(String::from))
                .set_role_arn(advanced.role.clone().map(String::from))
                .build()
        });
        sdk::LoadBalancer::builder()
            .target_group_arn(target_group.as_str())
            .container_name(container_name)
            .container_port(*container_port)
            .set_advanced_configuration(advanced)
            .build()
    }

    /// As AWS answered it.
    pub(crate) fn of(l: &sdk::LoadBalancer) -> ServiceLoadBalancer {
        ServiceLoadBalancer {
            target_group: Ref::new(l.target_group_arn().unwrap_or_default()),
            container_name: l.container_name.clone().unwrap_or_default(),
            container_port: l.container_port.unwrap_or_default(),
            advanced_configuration: l.advanced_configuration().map(|advanced| AdvancedConfiguration {
                alternate_target_group: advanced.alternate_target_group_arn().map(Ref::from),
                production_listener_rule: advanced.production_listener_rule().map(Ref::from),
                test_listener_rule: advanced.test_listener_rule().map(Ref::from),
                role: advanced.role_arn().map(Ref::from),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_the_round_trip() {
        let json = serde_json::json!({"maximumPercent": 200, "minimumHealthyPercent": 50,
            "deploymentCircuitBreaker": {"enable": true, "rollback": true},
            "alarms": {"alarmNames": ["errors"], "enable": true, "rollback": false},
            "strategy": "CANARY", "bakeTimeInMinutes": 5,
            "canaryConfiguration": {"canaryPercent": 2.5, "canaryBakeTimeInMinutes": 3},
            "lifecycleHooks": [{"targetType": "AWS_LAMBDA", "hookTargetArn": "arn:aws:lambda:r:1:function:f",
                "role": "arn:aws:iam::1:role/r", "lifecycleStages": ["POST_SCALE_UP"]}]});
        let spec: DeploymentConfiguration = serde_json::from_value(json.clone()).unwrap();
        let back = DeploymentConfiguration::of(&spec.sdk().unwrap());
        assert_eq!(holdfast_core::value::of(&back).without_nulls().json(), json);
    }

    #[test]
    fn a_plain_target_group_has_nothing_advanced() {
        let json = serde_json::json!({"targetGroup": "arn:tg", "containerName": "web", "containerPort": 3000});
        let spec: ServiceLoadBalancer = serde_json::from_value(json).unwrap();
        assert_eq!(ServiceLoadBalancer::of(&spec.sdk()), spec);
    }
}
