//! The spec and the status of a Service.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::{AutoscaledCount, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use super::deployment::{DeploymentConfiguration, ServiceLoadBalancer};
use crate::ecs::CapacityProviderStrategyItem;
use crate::ecs::cluster::Cluster;
use crate::ecs::network::{NetworkConfiguration, ServiceRegistry};
use crate::ecs::task_definition::TaskDefinition;

/// An ECS service: ECS keeps its tasks running, replaces them when the task definition changes, and registers them with
/// load balancers. ECS refuses a target group that no listener uses: name the listener in `dependsOn`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    /// The cluster that the service runs in.
    #[spec(immutable)]
    pub(super) cluster: Ref<Cluster>,
    /// The task definition of its tasks. Another revision starts a rollout.
    pub(super) task_definition: Ref<TaskDefinition>,
    /// The desired number of tasks. A `ScalableTarget` that refers to the service owns this count between its minimum
    /// and its maximum. A service is created with 1 when the document does not state a count.
    pub(super) desired_count: Option<ServerDefault<AutoscaledCount>>,
    /// The launch type. State this or `capacityProviderStrategy`: with neither, AWS uses the cluster's default
    /// strategy, or `EC2` when the cluster has none.
    #[spec(immutable, one_of = sdk::LaunchType)]
    pub(super) launch_type: Option<String>,
    /// How tasks are spread over capacity providers. A change replaces all tasks.
    #[spec(items = ..=20)]
    pub(super) capacity_provider_strategy: Option<BTreeSet<CapacityProviderStrategyItem>>,
    /// The Fargate platform version: `LATEST`, or a version such as `1.4.0`.
    #[spec(default = "LATEST")]
    pub(super) platform_version: Option<ServerDefault<String>>,
    /// The subnets and security groups of the tasks. Tasks with the network mode `awsvpc`, and so all Fargate tasks,
    /// need it.
    pub(super) network_configuration: Option<NetworkConfiguration>,
    /// The target groups that the tasks are registered with.
    #[spec(items = ..=5)]
    pub(super) load_balancers: Option<BTreeSet<ServiceLoadBalancer>>,
    /// How a rollout replaces the tasks.
    pub(super) deployment_configuration: Option<ServerDefault<DeploymentConfiguration>>,
    /// The grace period in seconds after a task's start: failed health checks of load balancers and containers do not
    /// count until it ends.
    #[spec(range = 0.., default = 0)]
    pub(super) health_check_grace_period_seconds: Option<ServerDefault<i32>>,
    /// Whether commands can be run in the containers with ECS Exec. A change applies to tasks that start after it.
    pub(super) enable_execute_command: Option<ServerDefault<bool>>,
    /// Whether ECS tags the tasks with the names of cluster and service, for cost allocation. A change applies to tasks
    /// that start after it.
    #[serde(rename = "enableECSManagedTags")]
    pub(super) enable_ecs_managed_tags: Option<ServerDefault<bool>>,
    /// The source of the tasks' tags.
    #[spec(one_of = sdk::PropagateTags, default = "NONE")]
    pub(super) propagate_tags: Option<ServerDefault<String>>,
    /// The scheduling strategy: `REPLICA`, or `DAEMON` for one task on each container instance.
    #[spec(immutable, one_of = sdk::SchedulingStrategy, default = "REPLICA")]
    pub(super) scheduling_strategy: Option<ServerDefault<String>>,
    /// The deployment controller of the service.
    #[spec(immutable)]
    pub(super) deployment_controller: Option<ServerDefault<DeploymentController>>,
    /// The Cloud Map services that the tasks are registered with. AWS accepts one.
    #[spec(items = ..=1)]
    pub(super) service_registries: Option<BTreeSet<ServiceRegistry>>,
    /// Whether ECS moves tasks to even out the Availability Zones. AWS's default for new services is `ENABLED`.
    #[spec(one_of = sdk::AvailabilityZoneRebalancing)]
    pub(super) availability_zone_rebalancing: Option<ServerDefault<String>>,
}

/// The deployment controller: it carries out the rollouts of a service.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentController {
    /// The type of the controller. AWS's default is `ECS`.
    #[spec(one_of = sdk::DeploymentControllerType)]
    pub(super) r#type: String,
}

/// The status of a Service: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceStatus {
    /// The service's ARN.
    pub(super) arn: String,
    /// The cluster's ARN.
    pub(super) cluster_arn: String,
    /// The number of running tasks.
    pub(super) running_count: i32,
}
