//! How a rollout of a service goes, and the load balancers that it moves: parts of a Service's spec.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, Ref};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::kinds::elbv2::target_group::TargetGroup;
use crate::kinds::iam::role::Role;

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
    /// What blue/green needs beside it.
    advanced_configuration: Option<AdvancedConfiguration>,
}

/// The other half of a blue/green pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedConfiguration {
    /// The other target group.
    alternate_target_group: Option<Ref<TargetGroup>>,
    /// The ARN of the listener rule that production traffic takes.
    production_listener_rule: Option<Arn>,
    /// The ARN of the listener rule that test traffic takes.
    test_listener_rule: Option<Arn>,
    /// The role by which ECS changes the rules.
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
        } = self;
        let breaker = breaker.as_ref().map(|Always(CircuitBreaker { enable, rollback })| {
            sdk::DeploymentCircuitBreaker::builder().enable(*enable).rollback(*rollback).build()
        });
        let alarms = alarms.as_ref().map(|DeploymentAlarms { alarm_names, enable, rollback }| {
            let alarms = sdk::DeploymentAlarms::builder().enable(*enable).rollback(*rollback);
            alarms.set_alarm_names(Some(alarm_names.iter().cloned().collect())).build()
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
                .set_production_listener_rule(advanced.production_listener_rule.clone().map(|arn| arn.0))
                .set_test_listener_rule(advanced.test_listener_rule.clone().map(|arn| arn.0))
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
                production_listener_rule: advanced.production_listener_rule.clone().map(Arn),
                test_listener_rule: advanced.test_listener_rule.clone().map(Arn),
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
            "alarms": {"alarmNames": ["errors"], "enable": true, "rollback": false}});
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
