//! Conditions of a service: a rollout in progress, a failed rollout, and the reason why tasks stop.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{self as sdk, Deployment, DeploymentRolloutState, DesiredStatus};
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_core::observed::{Condition, ConditionType};

use crate::ecs::{ecs, last_part};

/// Returns the conditions of a service. They cost two calls while its tasks fail, and none otherwise.
pub(super) async fn conditions(aws: &Aws, service: &sdk::Service) -> Result<Vec<Condition>> {
    let mut conditions: Vec<Condition> = rollout(service).into_iter().collect();
    let failing = failing(service);
    if !failing.is_empty() {
        let (cluster, name) = (service.cluster_arn().unwrap_or_default(), service.service_name().unwrap_or_default());
        let list = ecs(aws).list_tasks().cluster(cluster).service_name(name).desired_status(DesiredStatus::Stopped);
        let arns = list.max_results(10).send().await.or_absent()?.and_then(|output| output.task_arns);
        if let Some(arns) = arns.filter(|arns| !arns.is_empty()) {
            let tasks = ecs(aws).describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await.or_absent()?;
            conditions.extend(tasks.and_then(|output| stop_reason(output.tasks(), &failing)));
        }
    }
    Ok(conditions)
}

fn condition(ty: ConditionType, reason: &str, message: impl Into<String>) -> Condition {
    Condition { ty, reason: reason.into(), message: message.into() }
}

fn primary(service: &sdk::Service) -> Option<&Deployment> {
    service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))
}

fn failed(deployment: &Deployment) -> bool {
    deployment.rollout_state == Some(DeploymentRolloutState::Failed)
}

/// Returns the condition of a failed rollout, or of a rollout in progress.
fn rollout(service: &sdk::Service) -> Option<Condition> {
    let primary = primary(service)?;
    let reason = |deployment: &Deployment| deployment.rollout_state_reason.clone().unwrap_or_default();
    // A circuit breaker that rolls back makes the old revision the primary deployment, whose reason names the rollback.
    let rolled_back = Some(primary).filter(|deployment| reason(deployment).contains("rolling back"));
    if let Some(failed) = service.deployments().iter().find(|d| failed(d)).or(rolled_back) {
        return Some(condition(ConditionType::Degraded, "RolloutFailed", reason(failed)));
    }
    (primary.rollout_state == Some(DeploymentRolloutState::InProgress)).then(|| {
        let revision = last_part(primary.task_definition().unwrap_or_default());
        let (running, desired) = (primary.running_count, primary.desired_count);
        condition(
            ConditionType::Progressing,
            "RolloutInProgress",
            format!("{running} of {desired} tasks of {revision} are running"),
        )
    })
}

/// Returns the ids of the deployments whose tasks fail. `failedTasks` counts the tasks that failed in a row.
fn failing(service: &sdk::Service) -> BTreeSet<&str> {
    let none_run = service.desired_count > 0 && service.running_count == 0;
    let fails = |d: &&Deployment| match d.rollout_state {
        Some(DeploymentRolloutState::Failed) => true,
        Some(DeploymentRolloutState::Completed) => none_run,
        _ => d.failed_tasks > 0,
    };
    service.deployments().iter().filter(fails).filter_map(|deployment| deployment.id()).collect()
}

/// Returns why the tasks of these deployments stopped. An image that cannot be pulled takes precedence over other
/// reasons.
fn stop_reason(tasks: &[sdk::Task], deployments: &BTreeSet<&str>) -> Option<Condition> {
    let reasons = || {
        let ours = tasks.iter().filter(|task| task.started_by().is_some_and(|by| deployments.contains(by)));
        ours.flat_map(|task| task.containers().iter().filter_map(|c| c.reason()).chain(task.stopped_reason()))
    };
    if let Some(reason) = reasons().find(|reason| reason.contains("CannotPull")) {
        let missing = ["not found", "manifest unknown", "does not exist"].iter().any(|text| reason.contains(text));
        return Some(condition(
            ConditionType::Degraded,
            if missing { "ImageMissing" } else { "ImageNotPulled" },
            reason,
        ));
    }
    reasons()
        .find(|reason| !reason.starts_with("Scaling activity"))
        .map(|reason| condition(ConditionType::Degraded, "TasksFail", reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(id: &str, status: &str, state: DeploymentRolloutState, failed: i32) -> Deployment {
        let deployment = Deployment::builder().id(id).status(status).rollout_state(state).failed_tasks(failed);
        deployment.rollout_state_reason(format!("the reason of {id}")).desired_count(2).build()
    }

    fn task(by: &str, reason: &str) -> sdk::Task {
        sdk::Task::builder().started_by(by).stopped_reason(reason).build()
    }

    #[test]
    fn a_steady_service_has_no_condition_and_costs_no_call() {
        let steady = deployment("a", "PRIMARY", DeploymentRolloutState::Completed, 0);
        let service = sdk::Service::builder().deployments(steady).desired_count(2).running_count(2).build();
        assert_eq!(rollout(&service), None);
        assert!(failing(&service).is_empty());
    }

    #[test]
    fn a_rollout_that_starts_is_not_a_failure() {
        let starting = deployment("a", "PRIMARY", DeploymentRolloutState::InProgress, 0);
        let service = sdk::Service::builder().deployments(starting).desired_count(2).build();
        assert_eq!(rollout(&service).map(|r| r.reason).as_deref(), Some("RolloutInProgress"));
        assert!(failing(&service).is_empty());
    }

    #[test]
    fn a_failed_rollout_reports_its_reason_and_why_its_tasks_stopped() {
        let service = sdk::Service::builder()
            .deployments(deployment("back", "PRIMARY", DeploymentRolloutState::InProgress, 0))
            .deployments(deployment("new", "ACTIVE", DeploymentRolloutState::Failed, 3))
            .build();
        assert_eq!(rollout(&service), Some(condition(ConditionType::Degraded, "RolloutFailed", "the reason of new")));
        let failing = failing(&service);
        let tasks = [
            task("back", "Scaling activity initiated by (deployment back)"),
            task("new", "Task failed ELB health checks"),
            task("new", "CannotPullContainerError: failed to resolve ref app:1: not found"),
        ];
        assert_eq!(stop_reason(&tasks, &failing).map(|r| r.reason).as_deref(), Some("ImageMissing"));
        assert_eq!(stop_reason(&tasks[..2], &failing).map(|r| r.reason).as_deref(), Some("TasksFail"));
        assert_eq!(stop_reason(&tasks[..1], &failing), None);
    }
}
