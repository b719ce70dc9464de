//! The spec of the containers of a task definition.

use std::collections::BTreeMap;

use aws_sdk_ecs::types as sdk;
use holdfast_base::names::Secret;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref};
use serde::{Deserialize, Serialize};

/// A container definition: one container of a task.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "name")]
pub(crate) struct ContainerDefinition {
    /// The container's name. Load balancers, container dependencies and ECS Exec refer to it.
    pub(super) name: String,
    /// The image: `<repository>:<tag>` or `<repository>@<digest>`.
    pub(super) image: String,
    /// The credentials of a private registry other than ECR.
    pub(super) repository_credentials: Option<RepositoryCredentials>,
    /// The CPU units reserved for the container. One vCPU has 1,024 units.
    #[spec(default = 0)]
    pub(super) cpu: Option<i32>,
    /// The hard memory limit in MiB: ECS kills a container that exceeds it.
    pub(super) memory: Option<i32>,
    /// The soft memory limit in MiB: the memory reserved for the container.
    pub(super) memory_reservation: Option<i32>,
    /// Whether the task stops when this container stops.
    #[spec(default = true)]
    pub(super) essential: Option<bool>,
    /// The entry point. When it is empty, the image's entry point is used.
    #[serde(default)]
    pub(super) entry_point: Vec<String>,
    /// The command. When it is empty, the image's command is used.
    #[serde(default)]
    pub(super) command: Vec<String>,
    /// The working directory of the command.
    pub(super) working_directory: Option<String>,
    /// The user that runs the command: `user`, `uid`, `user:group`, `uid:gid`.
    pub(super) user: Option<String>,
    /// Environment variables. Every principal that may describe the task definition can read them.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// The ARNs of `.env` files in S3.
    #[serde(default)]
    pub(super) environment_files: Vec<String>,
    /// Secret environment variables: ECS reads their values when it starts a task. Each is the ARN of a Secrets Manager
    /// secret (`<arn>:<json key>:<version stage>:<version id>` for a part of it), or the ARN or name of an SSM
    /// parameter. The execution role needs permission to read them. A running task keeps the values that it started
    /// with (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>).
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// The ports that the container listens on.
    #[serde(default)]
    pub(super) port_mappings: Vec<PortMapping>,
    /// The health check that ECS runs in the container.
    pub(super) health_check: Option<ContainerHealthCheck>,
    /// The log driver of the container's output, and its options.
    pub(super) log_configuration: Option<LogConfiguration>,
    /// The FireLens configuration, which makes this container the log router of the other containers.
    pub(super) firelens_configuration: Option<FirelensConfiguration>,
    /// The mount points of the task's volumes in the container.
    #[serde(default)]
    pub(super) mount_points: Vec<MountPoint>,
    /// Whether the container's root file system is read-only.
    #[spec(default = false)]
    pub(super) readonly_root_filesystem: Option<bool>,
    /// Whether the container is privileged: it has root's permissions on the host. Fargate does not support it.
    #[spec(default = false)]
    pub(super) privileged: Option<bool>,
    /// Linux-specific options.
    pub(super) linux_parameters: Option<LinuxParameters>,
    /// Resource limits of the container's processes.
    #[serde(default)]
    pub(super) ulimits: Vec<Ulimit>,
    /// Kernel parameters (`sysctl`).
    #[serde(default)]
    pub(super) system_controls: Vec<SystemControl>,
    /// The conditions that other containers must meet before this container starts.
    #[serde(default)]
    pub(super) depends_on: Vec<ContainerDependency>,
    /// The seconds after which ECS stops waiting for the container's dependencies.
    pub(super) start_timeout: Option<i32>,
    /// The seconds between SIGTERM and SIGKILL: at most 120 on Fargate
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>).
    #[spec(range = 0.., default = 30)]
    pub(super) stop_timeout: Option<i32>,
    /// The labels of the Docker container.
    #[serde(default)]
    pub(super) docker_labels: BTreeMap<String, String>,
}

/// The credentials of a private registry.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepositoryCredentials {
    /// The secret that contains `{"username": …, "password": …}`. The execution role needs permission to read it
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html>).
    pub(super) credentials_parameter: Ref<Secret, Arn>,
}

/// A port that a container listens on.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["containerPort", "protocol"])]
pub(crate) struct PortMapping {
    /// The port in the container.
    #[spec(range = 0..=65535)]
    pub(super) container_port: i32,
    /// The port of the host. With `awsvpc`, it is the same as the container's port.
    #[spec(range = 0..=65535, never_null)]
    pub(super) host_port: Option<i32>,
    /// The protocol.
    #[spec(one_of = sdk::TransportProtocol, default = "tcp")]
    pub(super) protocol: Option<String>,
    /// The name of the port mapping, for Service Connect: lower-case letters, digits, `_` and `-`.
    #[spec(length = ..=64, pattern = "[a-z0-9_][a-z0-9_-]*")]
    pub(super) name: Option<String>,
    /// The application protocol, for Service Connect.
    #[spec(one_of = sdk::ApplicationProtocol)]
    pub(super) app_protocol: Option<String>,
}

/// The health check of a container.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerHealthCheck {
    /// The command: `[CMD, …]` for a program and its arguments, `[CMD-SHELL, …]` for a line of shell. Exit code 0 means
    /// healthy.
    pub(super) command: Vec<String>,
    /// The interval between checks in seconds.
    #[spec(range = 5..=300, default = 30)]
    pub(super) interval: Option<i32>,
    /// The timeout of a check in seconds.
    #[spec(range = 2..=60, default = 5)]
    pub(super) timeout: Option<i32>,
    /// The failures in a row after which the container is unhealthy.
    #[spec(range = 1..=10, default = 3)]
    pub(super) retries: Option<i32>,
    /// The start period in seconds, in which failures do not count. AWS's default is off.
    #[spec(range = 0..=300, default = 0)]
    pub(super) start_period: Option<i32>,
}

/// The log driver of a container's output, and its options.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogConfiguration {
    /// The log driver. Fargate supports `awslogs`, `awsfirelens` and `splunk`.
    #[spec(one_of = sdk::LogDriver)]
    pub(super) log_driver: String,
    /// The driver's options. `awslogs` needs `awslogs-group`, `awslogs-region` and `awslogs-stream-prefix`.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
    /// Secret options: ECS reads their values from Secrets Manager or SSM. Each is an ARN.
    #[serde(default)]
    pub(super) secret_options: BTreeMap<String, String>,
}

/// The FireLens configuration of a log router.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FirelensConfiguration {
    /// The log router.
    #[spec(one_of = sdk::FirelensConfigurationType)]
    pub(super) r#type: String,
    /// The options of the log router.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

/// A mount point: the path at which a volume is mounted.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "containerPath")]
pub(crate) struct MountPoint {
    /// The volume's name in the task definition.
    pub(super) source_volume: String,
    /// The path of the mount point in the container.
    pub(super) container_path: String,
    /// Whether the container can only read the volume.
    #[spec(default = false)]
    pub(super) read_only: Option<bool>,
}

/// Linux-specific options of a container.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinuxParameters {
    /// Whether an init process runs in the container. It forwards signals and reaps processes. ECS Exec works better
    /// with it.
    #[spec(default = false)]
    pub(super) init_process_enabled: Option<bool>,
    /// The Linux capabilities that are added to Docker's default set or dropped from it.
    pub(super) capabilities: Option<KernelCapabilities>,
}

/// The Linux capabilities that are added to Docker's default set or dropped from it.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KernelCapabilities {
    /// The capabilities to add. Fargate supports `SYS_PTRACE` only.
    #[serde(default)]
    pub(super) add: Vec<String>,
    /// The capabilities to drop, or `ALL`.
    #[serde(default)]
    pub(super) drop: Vec<String>,
}

/// A resource limit of a container's processes.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "name")]
pub(crate) struct Ulimit {
    /// The name of the limit. On Fargate, only `nofile` can be changed.
    #[spec(one_of = sdk::UlimitName)]
    pub(super) name: String,
    /// The soft limit, at which the process is warned.
    pub(super) soft_limit: i32,
    /// The hard limit, which the process cannot exceed.
    pub(super) hard_limit: i32,
}

/// A kernel parameter.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "namespace")]
pub(crate) struct SystemControl {
    /// The parameter's name, as in `net.core.somaxconn`.
    pub(super) namespace: String,
    /// The parameter's value.
    pub(super) value: String,
}

/// A container dependency: a condition that another container must meet first.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "containerName")]
pub(crate) struct ContainerDependency {
    /// The name of the other container.
    pub(super) container_name: String,
    /// The condition: `START`, `COMPLETE` (exited with any code), `SUCCESS` (exited with 0) or `HEALTHY`.
    #[spec(one_of = sdk::ContainerCondition)]
    pub(super) condition: String,
}
