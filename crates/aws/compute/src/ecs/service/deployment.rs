//! The deployment configuration and the load balancers of a service: parts of a Service's spec.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::Role;
use holdfast_base::sdk::text;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::elbv2::listener_rule::ListenerRule;
use crate::elbv2::target_group::TargetGroup;

/// How a rollout replaces the tasks of a service.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentConfiguration {
    /// The maximum of running tasks during a rollout, in percent of the desired count.
    #[spec(range = 0.., default = 200)]
    maximum_percent: Option<ServerDefault<i32>>,
    /// The minimum of healthy tasks during a rollout, in percent of the desired count.
    #[spec(range = 0.., default = 100)]
    minimum_healthy_percent: Option<ServerDefault<i32>>,
    /// The circuit breaker: it stops a rollout whose tasks do not become healthy.
    deployment_circuit_breaker: Option<ServerDefault<DeploymentCircuitBreaker>>,
    /// CloudWatch alarms that stop a rollout.
    alarms: Option<DeploymentAlarms>,
    /// The deployment strategy.
    #[spec(one_of = sdk::DeploymentStrategy, default = "ROLLING")]
    strategy: Option<ServerDefault<String>>,
    /// The bake time in minutes: how long both versions run after the traffic has shifted. For a strategy other than
    /// `ROLLING`.
    bake_time_in_minutes: Option<ServerDefault<i32>>,
    /// The hooks that ECS calls at stages of a rollout, and that can stop the rollout
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html>).
    lifecycle_hooks: Option<BTreeSet<DeploymentLifecycleHook>>,
    /// The steps of the strategy `LINEAR`.
    linear_configuration: Option<LinearConfiguration>,
    /// The steps of the strategy `CANARY`.
    canary_configuration: Option<CanaryConfiguration>,
}

/// A lifecycle hook: ECS calls it at stages of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(no_key = "a service can have several hooks with one target")]
pub(crate) struct DeploymentLifecycleHook {
    /// `AWS_LAMBDA` for a Lambda function, or `PAUSE`: the rollout pauses until a person continues it.
    #[spec(one_of = sdk::DeploymentLifecycleHookTargetType)]
    #[serde(default = "lambda")]
    target_type: String,
    /// The ARN of the Lambda function. The function returns `SUCCEEDED`, `FAILED` or `IN_PROGRESS`.
    hook_target_arn: Option<Arn>,
    /// The role that ECS assumes to call the function.
    role: Option<Ref<Role, Arn>>,
    /// The stages at which ECS calls the hook.
    #[spec(one_of = sdk::DeploymentLifecycleHookStage)]
    lifecycle_stages: BTreeSet<String>,
}

fn lambda() -> String {
    "AWS_LAMBDA".into()
}

/// A linear deployment: it shifts the traffic in equal steps.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinearConfiguration {
    /// The traffic that each step shifts, in percent. AWS's default is 10.0.
    #[spec(range = 3..=100)]
    step_percent: Option<f64>,
    /// Minutes between two steps.
    #[spec(range = 0..=1440, default = 6)]
    step_bake_time_in_minutes: Option<i32>,
}

/// A canary deployment: it shifts a small share of the traffic first, and then the rest.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CanaryConfiguration {
    /// The traffic that the first step shifts, in percent: 0.1 to 100.0. AWS's default is 5.0.
    #[spec(range = ..=100)]
    canary_percent: Option<f64>,
    /// Minutes between the first step and the rest.
    #[spec(range = 0..=1440, default = 10)]
    canary_bake_time_in_minutes: Option<i32>,
}

/// The deployment circuit breaker: it stops a rollout whose tasks fail.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentCircuitBreaker {
    /// Whether the circuit breaker is enabled.
    #[serde(default)]
    enable: bool,
    /// Whether ECS rolls the service back to the last revision that worked. The document then still names the failed
    /// revision, and Holdfast reports the rollback instead of starting the same rollout again and again.
    #[serde(default)]
    rollback: bool,
}

/// The CloudWatch alarms that stop a rollout.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentAlarms {
    /// The names of the alarms.
    #[serde(default)]
    alarm_names: BTreeSet<String>,
    /// Whether ECS monitors the alarms during a rollout.
    #[serde(default)]
    enable: bool,
    /// Whether ECS rolls the service back to the last revision that worked.
    #[serde(default)]
    rollback: bool,
}

/// A target group that the tasks of a service are registered with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["targetGroup", "containerName", "containerPort"])]
pub(crate) struct ServiceLoadBalancer {
    /// The target group. Its target type must be `ip` for `awsvpc` tasks.
    target_group: Ref<TargetGroup>,
    /// The name of the container that receives the requests.
    container_name: String,
    /// The container's port that receives the requests.
    #[spec(range = 0..=65535)]
    container_port: i32,
    /// The alternate target group, listener rules and role, which a strategy other than `ROLLING` needs.
    advanced_configuration: Option<AdvancedConfiguration>,
}

/// The alternate target group of a blue/green pair, and the listener rules that shift traffic between both groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedConfiguration {
    /// The alternate target group.
    alternate_target_group: Option<Ref<TargetGroup>>,
    /// The listener rule for production traffic. It must forward to both groups, with weights 1 and 0. Each rollout
    /// changes the weights, so the rule has to state `lifecycle: { ignore: [actions] }`. For a network load balancer,
    /// state the listener as `{ id: <its ARN> }`.
    production_listener_rule: Option<Ref<ListenerRule, Arn>>,
    /// The listener rule for test traffic.
    test_listener_rule: Option<Ref<ListenerRule, Arn>>,
    /// The role that ECS assumes to change the rules. It needs the policy
    /// `AmazonECSInfrastructureRolePolicyForLoadBalancers`, and a trust policy for `ecs.amazonaws.com`.
    role: Option<Ref<Role, Arn>>,
}

impl DeploymentConfiguration {
    /// Converts the configuration for a request. A field that is not stated returns to AWS's default. The defaults of the
    /// percentages differ for the scheduling strategy `DAEMON`, so they are left out there
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>).
    pub(crate) fn sdk(&self, strategy_of_service: Option<&str>) -> Result<sdk::DeploymentConfiguration> {
        let is_daemon = strategy_of_service == Some("DAEMON");
        let percent = |stated: &Option<ServerDefault<i32>>, default: i32| {
            stated.as_ref().map(|percent| percent.0).or((!is_daemon).then_some(default))
        };
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
        let breaker = breaker.as_ref().map(|ServerDefault(DeploymentCircuitBreaker { enable, rollback })| {
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
        // ECS returns a bake time of 0 minutes for a rolling update, which has no use in a request.
        let bakes = strategy.as_ref().is_some_and(|strategy| strategy.0 != "ROLLING");
        Ok(sdk::DeploymentConfiguration::builder()
            .set_maximum_percent(percent(maximum_percent, 200))
            .set_minimum_healthy_percent(percent(minimum_healthy_percent, 100))
            .set_deployment_circuit_breaker(breaker)
            .set_alarms(alarms.transpose()?)
            .set_strategy(strategy.as_ref().map(|strategy| strategy.as_str().into()))
            .set_bake_time_in_minutes(bake_time_in_minutes.filter(|_| bakes).map(|minutes| minutes.0))
            .set_lifecycle_hooks(
                lifecycle_hooks.as_ref().map(|hooks| hooks.iter().map(DeploymentLifecycleHook::sdk).collect()),
            )
            .set_linear_configuration(
                linear.filter(|_| strategy.as_ref().is_some_and(|strategy| strategy.0 == "LINEAR")),
            )
            .set_canary_configuration(
                canary.filter(|_| strategy.as_ref().is_some_and(|strategy| strategy.0 == "CANARY")),
            )
            .build())
    }

    /// Reads the configuration from a response.
    pub(crate) fn from_response(d: &sdk::DeploymentConfiguration) -> DeploymentConfiguration {
        DeploymentConfiguration {
            maximum_percent: d.maximum_percent.map(ServerDefault),
            minimum_healthy_percent: d.minimum_healthy_percent.map(ServerDefault),
            deployment_circuit_breaker: d.deployment_circuit_breaker().map(|breaker| {
                ServerDefault(DeploymentCircuitBreaker { enable: breaker.enable, rollback: breaker.rollback })
            }),
            alarms: d.alarms().map(|alarms| DeploymentAlarms {
                alarm_names: alarms.alarm_names.iter().cloned().collect(),
                enable: alarms.enable,
                rollback: alarms.rollback,
            }),
            strategy: text(&d.strategy).map(ServerDefault),
            bake_time_in_minutes: d.bake_time_in_minutes.map(ServerDefault),
            lifecycle_hooks: Some(d.lifecycle_hooks().iter().map(DeploymentLifecycleHook::from_response).collect()),
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

impl DeploymentLifecycleHook {
    fn sdk(&self) -> sdk::DeploymentLifecycleHook {
        let DeploymentLifecycleHook { target_type, hook_target_arn, role, lifecycle_stages } = self;
        // AWS's default is not sent.
        let kind = Some(target_type).filter(|kind| **kind != lambda());
        sdk::DeploymentLifecycleHook::builder()
            .set_target_type(kind.map(|kind| kind.as_str().into()))
            .set_hook_target_arn(hook_target_arn.as_ref().map(|arn| arn.0.clone()))
            .set_role_arn(role.clone().map(String::from))
            .set_lifecycle_stages(Some(lifecycle_stages.iter().map(|stage| stage.as_str().into()).collect()))
            .build()
    }

    fn from_response(hook: &sdk::DeploymentLifecycleHook) -> DeploymentLifecycleHook {
        DeploymentLifecycleHook {
            target_type: hook.target_type.as_ref().map_or_else(lambda, |kind| kind.as_str().to_owned()),
            hook_target_arn: hook.hook_target_arn.clone().map(Arn),
            role: hook.role_arn().map(Ref::from),
            lifecycle_stages: hook.lifecycle_stages().iter().map(|stage| stage.as_str().to_owned()).collect(),
        }
    }
}

impl ServiceLoadBalancer {
    /// Converts the load balancer for a request.
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

    /// Reads the load balancer from a response.
    pub(crate) fn from_response(l: &sdk::LoadBalancer) -> ServiceLoadBalancer {
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
        let back = DeploymentConfiguration::from_response(&spec.sdk(None).unwrap());
        assert_eq!(holdfast_core::value::of(&back).without_nulls().json(), json);
    }

    #[test]
    fn a_daemon_service_gets_no_percentages_that_the_document_does_not_state() {
        let spec = DeploymentConfiguration::default();
        let percentages = |strategy| {
            let sdk = spec.sdk(strategy).unwrap();
            (sdk.maximum_percent, sdk.minimum_healthy_percent)
        };
        assert_eq!(percentages(Some("REPLICA")), (Some(200), Some(100)));
        assert_eq!(percentages(Some("DAEMON")), (None, None));
    }

    #[test]
    fn a_target_group_without_advanced_configuration_survives_the_round_trip() {
        let json = serde_json::json!({"targetGroup": "arn:tg", "containerName": "web", "containerPort": 3000});
        let spec: ServiceLoadBalancer = serde_json::from_value(json).unwrap();
        assert_eq!(ServiceLoadBalancer::from_response(&spec.sdk()), spec);
    }
}
