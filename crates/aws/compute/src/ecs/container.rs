//! The containers of a task definition: their spec.

use std::collections::BTreeMap;

use holdfast_base::names::Secret;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref};
use serde::{Deserialize, Serialize};

/// A container of a task.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerDefinition {
    /// Its name: what load balancers, dependencies and ECS Exec call it.
    pub(super) name: String,
    /// The image: `<repository>:<tag>` or `<repository>@<digest>`.
    pub(super) image: String,
    /// The key of a registry that is not ECR.
    pub(super) repository_credentials: Option<RepositoryCredentials>,
    /// Units of CPU kept for it, of 1,024 a core.
    pub(super) cpu: Option<i32>,
    /// MiB of memory at which it is killed.
    pub(super) memory: Option<i32>,
    /// MiB of memory kept for it.
    pub(super) memory_reservation: Option<i32>,
    /// Whether the task stops when it stops. AWS's default is true.
    pub(super) essential: Option<bool>,
    /// The image's entry point is used when this is empty.
    #[serde(default)]
    pub(super) entry_point: Vec<String>,
    /// The image's command is used when this is empty.
    #[serde(default)]
    pub(super) command: Vec<String>,
    /// The directory that the command runs in.
    pub(super) working_directory: Option<String>,
    /// Who runs the command: `user`, `uid`, `user:group`, `uid:gid`.
    pub(super) user: Option<String>,
    /// Environment variables. Everybody who may describe the task definition can read them.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// ARNs of `.env` files in S3.
    #[serde(default)]
    pub(super) environment_files: Vec<String>,
    /// Environment variables whose values ECS reads when it starts a task: the ARN of a secret of Secrets Manager
    /// (`<arn>:<json key>:<version stage>:<version id>` for a part of it), or the ARN or name of a parameter of SSM.
    /// The execution role has to be allowed to read them. Running tasks keep what they started with
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>).
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// The ports that it listens on.
    #[serde(default)]
    pub(super) port_mappings: Vec<PortMapping>,
    /// How ECS tells that it is well.
    pub(super) health_check: Option<ContainerHealthCheck>,
    /// Where its output goes.
    pub(super) log_configuration: Option<LogConfiguration>,
    /// Makes it the router of other containers' logs.
    pub(super) firelens_configuration: Option<Firelens>,
    /// Where volumes of the task appear.
    #[serde(default)]
    pub(super) mount_points: Vec<MountPoint>,
    /// Whether its root file system is read-only.
    pub(super) readonly_root_filesystem: Option<bool>,
    /// Whether it has the host's root powers. Not on Fargate.
    pub(super) privileged: Option<bool>,
    /// What it may ask of Linux.
    pub(super) linux_parameters: Option<LinuxParameters>,
    /// Limits of its processes.
    #[serde(default)]
    pub(super) ulimits: Vec<Ulimit>,
    /// Kernel parameters.
    #[serde(default)]
    pub(super) system_controls: Vec<SystemControl>,
    /// What other containers have to be before it starts.
    #[serde(default)]
    pub(super) depends_on: Vec<ContainerDependency>,
    /// Seconds after which waiting for what it depends on is given up.
    pub(super) start_timeout: Option<i32>,
    /// Seconds between SIGTERM and SIGKILL: 30 unless set, at most 120 on Fargate.
    pub(super) stop_timeout: Option<i32>,
    /// Labels of the Docker container.
    #[serde(default)]
    pub(super) docker_labels: BTreeMap<String, String>,
}

/// The key of a private registry.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepositoryCredentials {
    /// The secret that holds `{"username": …, "password": …}`. The execution role has to be allowed to read it
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html>).
    pub(super) credentials_parameter: Ref<Secret, Arn>,
}

/// A port that a container listens on.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PortMapping {
    /// The port in the container.
    pub(super) container_port: i32,
    /// The port of the host. With `awsvpc` it is the container's.
    pub(super) host_port: Option<i32>,
    /// `tcp` (AWS's default) or `udp`.
    pub(super) protocol: Option<String>,
    /// Its name, for Service Connect.
    pub(super) name: Option<String>,
    /// `http`, `http2` or `grpc`, for Service Connect.
    pub(super) app_protocol: Option<String>,
}

/// How ECS tells that a container is well.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerHealthCheck {
    /// `[CMD, …]` for a program and its arguments, `[CMD-SHELL, …]` for a line of shell. Exit code 0 is well.
    pub(super) command: Vec<String>,
    /// Seconds between checks: 5 to 300, 30 unless set.
    pub(super) interval: Option<i32>,
    /// Seconds that a check may take: 2 to 60, 5 unless set.
    pub(super) timeout: Option<i32>,
    /// Failures in a row after which it is unhealthy: 1 to 10, 3 unless set.
    pub(super) retries: Option<i32>,
    /// Seconds from its start in which failures do not count: 0 to 300, off unless set.
    pub(super) start_period: Option<i32>,
}

/// Where a container's output goes.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogConfiguration {
    /// `awslogs`, `awsfirelens`, `splunk`; on EC2 also `fluentd`, `gelf`, `journald`, `json-file`, `syslog`, `none`.
    pub(super) log_driver: String,
    /// The driver's options. `awslogs` wants `awslogs-group`, `awslogs-region` and `awslogs-stream-prefix`.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
    /// Options whose values ECS reads from Secrets Manager or SSM: ARNs.
    #[serde(default)]
    pub(super) secret_options: BTreeMap<String, String>,
}

/// A router of logs.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Firelens {
    /// `fluentd` or `fluentbit`.
    pub(super) r#type: String,
    /// Its options.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

/// Where a volume appears.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MountPoint {
    /// The volume's name in the task definition.
    pub(super) source_volume: String,
    /// The path in the container.
    pub(super) container_path: String,
    /// Whether it can only be read.
    pub(super) read_only: Option<bool>,
}

/// What a container may ask of Linux.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinuxParameters {
    /// Whether an init process passes signals on and reaps what is left. ECS Exec works better with it.
    pub(super) init_process_enabled: Option<bool>,
    /// Capabilities beyond or below Docker's.
    pub(super) capabilities: Option<Capabilities>,
}

/// Capabilities beyond or below Docker's.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Capabilities {
    /// Capabilities to add. Fargate knows `SYS_PTRACE` only.
    #[serde(default)]
    pub(super) add: Vec<String>,
    /// Capabilities to take away, or `ALL`.
    #[serde(default)]
    pub(super) drop: Vec<String>,
}

/// A limit of a container's processes.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ulimit {
    /// `nofile` is the only one that Fargate lets be changed.
    pub(super) name: String,
    /// Where the process is warned.
    pub(super) soft_limit: i32,
    /// What it cannot exceed.
    pub(super) hard_limit: i32,
}

/// A kernel parameter.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SystemControl {
    /// Its name, as in `net.core.somaxconn`.
    pub(super) namespace: String,
    /// Its value.
    pub(super) value: String,
}

/// What another container has to be first.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerDependency {
    /// The other container.
    pub(super) container_name: String,
    /// `START`, `COMPLETE` (ended, however), `SUCCESS` (ended with 0) or `HEALTHY`.
    pub(super) condition: String,
}
