//! What people should know of a service's rollout: that it goes on, that it failed, and why its tasks do not run.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{self as sdk, Deployment, DeploymentRolloutState, DesiredStatus};
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_core::observed::Remark;

use super::ecs;
use super::last_part;

/// The remarks on a service. While its tasks fail, and only then, they cost two calls.
pub(super) async fn remarks(aws: &Aws, service: &sdk::Service) -> Result<Vec<Remark>> {
    let mut remarks: Vec<Remark> = rollout(service).into_iter().collect();
    let failing = failing(service);
    if !failing.is_empty() {
        let (cluster, name) = (service.cluster_arn().unwrap_or_default(), service.service_name().unwrap_or_default());
        let list = ecs(aws).list_tasks().cluster(cluster).service_name(name).desired_status(DesiredStatus::Stopped);
        let arns = list.max_results(10).send().await.or_absent()?.and_then(|answer| answer.task_arns);
        if let Some(arns) = arns.filter(|arns| !arns.is_empty()) {
            let tasks = ecs(aws).describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await.or_absent()?;
            remarks.extend(tasks.and_then(|answer| why(answer.tasks(), &failing)));
        }
    }
    Ok(remarks)
}

fn remark(reason: &str, message: impl Into<String>) -> Remark {
    Remark { reason: reason.into(), message: message.into() }
}

fn primary(service: &sdk::Service) -> Option<&Deployment> {
    service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))
}

fn failed(deployment: &Deployment) -> bool {
    deployment.rollout_state == Some(DeploymentRolloutState::Failed)
}

fn rollout(service: &sdk::Service) -> Option<Remark> {
    let primary = primary(service)?;
    let reason = |deployment: &Deployment| deployment.rollout_state_reason.clone().unwrap_or_default();
    // A circuit breaker that rolls back makes the old revision the primary one, and says so in its reason.
    let rolled_back = Some(primary).filter(|deployment| reason(deployment).contains("rolling back"));
    if let Some(gone_wrong) = service.deployments().iter().find(|d| failed(d)).or(rolled_back) {
        return Some(remark("RolloutFailed", reason(gone_wrong)));
    }
    (primary.rollout_state == Some(DeploymentRolloutState::InProgress)).then(|| {
        let revision = last_part(primary.task_definition().unwrap_or_default());
        let (running, wanted) = (primary.running_count, primary.desired_count);
        remark("RolloutInProgress", format!("{running} of {wanted} tasks of {revision} run"))
    })
}

/// The deployments whose tasks fail. `failedTasks` counts those that failed in a row.
fn failing(service: &sdk::Service) -> BTreeSet<&str> {
    let none_run = service.desired_count > 0 && service.running_count == 0;
    let fails = |d: &&Deployment| match d.rollout_state {
        Some(DeploymentRolloutState::Failed) => true,
        Some(DeploymentRolloutState::Completed) => none_run,
        _ => d.failed_tasks > 0,
    };
    service.deployments().iter().filter(fails).filter_map(|deployment| deployment.id()).collect()
}

/// Why the tasks of these deployments stopped: an image that cannot be pulled before all else.
fn why(tasks: &[sdk::Task], deployments: &BTreeSet<&str>) -> Option<Remark> {
    let reasons = || {
        let ours = tasks.iter().filter(|task| task.started_by().is_some_and(|by| deployments.contains(by)));
        ours.flat_map(|task| task.containers().iter().filter_map(|c| c.reason()).chain(task.stopped_reason()))
    };
    if let Some(reason) = reasons().find(|reason| reason.contains("CannotPull")) {
        let missing = ["not found", "manifest unknown", "does not exist"].iter().any(|text| reason.contains(text));
        return Some(remark(if missing { "ImageMissing" } else { "ImageNotPulled" }, reason));
    }
    reasons().find(|reason| !reason.starts_with("Scaling activity")).map(|reason| remark("TasksFail", reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(id: &str, status: &str, state: DeploymentRolloutState, failed: i32) -> Deployment {
        let deployment = Deployment::builder().id(id).status(status).rollout_state(state).failed_tasks(failed);
        deployment.rollout_state_reason(format!("{id} says why")).desired_count(2).build()
    }

    fn task(by: &str, reason: &str) -> sdk::Task {
        sdk::Task::builder().started_by(by).stopped_reason(reason).build()
    }

    #[test]
    fn a_steady_service_costs_nothing() {
        let steady = deployment("a", "PRIMARY", DeploymentRolloutState::Completed, 0);
        let service = sdk::Service::builder().deployments(steady).desired_count(2).running_count(2).build();
        assert_eq!(rollout(&service), None);
        assert!(failing(&service).is_empty());
    }

    #[test]
    fn a_start_is_no_failure() {
        let starting = deployment("a", "PRIMARY", DeploymentRolloutState::InProgress, 0);
        let service = sdk::Service::builder().deployments(starting).desired_count(2).build();
        assert_eq!(rollout(&service).map(|r| r.reason).as_deref(), Some("RolloutInProgress"));
        assert!(failing(&service).is_empty());
    }

    #[test]
    fn a_failed_rollout_says_why() {
        let service = sdk::Service::builder()
            .deployments(deployment("back", "PRIMARY", DeploymentRolloutState::InProgress, 0))
            .deployments(deployment("new", "ACTIVE", DeploymentRolloutState::Failed, 3))
            .build();
        assert_eq!(rollout(&service), Some(remark("RolloutFailed", "new says why")));
        let failing = failing(&service);
        let tasks = [
            task("back", "Scaling activity initiated by (deployment back)"),
            task("new", "Task failed ELB health checks"),
            task("new", "CannotPullContainerError: failed to resolve ref app:1: not found"),
        ];
        assert_eq!(why(&tasks, &failing).map(|r| r.reason).as_deref(), Some("ImageMissing"));
        assert_eq!(why(&tasks[..2], &failing).map(|r| r.reason).as_deref(), Some("TasksFail"));
        assert_eq!(why(&tasks[..1], &failing), None);
    }
}
