//! The spec and the status of a TaskDefinition.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as sdk;
use holdfast_base::names::Role;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref};
use serde::{Deserialize, Serialize};

use super::container::ContainerDefinition;
use super::volume::Volume;

/// The number of revisions that are kept, the newest included.
pub(super) const KEEP: usize = 10;

/// An ECS task definition. Its name is the family. A change registers a new revision, and the last ten revisions are
/// kept. A revision without our tags, for example one from a deploy pipeline, is not ours. The newest revision with our
/// tags is the current one, as long as it is among the ten newest of the family.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskDefinition {
    /// The containers of a task.
    pub(super) container_definitions: Vec<ContainerDefinition>,
    /// The CPU units of a task, as a string: `"256"`. One vCPU has 1,024 units. Fargate supports 256, 512, 1024, 2048,
    /// 4096, 8192 and 16384.
    #[spec(spelling = CpuUnits)]
    pub(super) cpu: Option<String>,
    /// The memory of a task in MiB, as a string: `"512"`. On Fargate, the CPU units determine the possible values
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#task_size>).
    #[spec(spelling = Mebibytes)]
    pub(super) memory: Option<String>,
    /// The network mode. Fargate needs `awsvpc`.
    #[spec(one_of = sdk::NetworkMode)]
    #[serde(default = "awsvpc")]
    pub(super) network_mode: String,
    /// The launch types: AWS validates that the task can run on each of them.
    #[spec(one_of = sdk::Compatibility)]
    #[serde(default = "fargate")]
    pub(super) requires_compatibilities: BTreeSet<String>,
    /// The execution role: ECS assumes it to pull images, write logs and read secrets.
    pub(super) execution_role: Option<Ref<Role, Arn>>,
    /// The task role: the role of the containers.
    pub(super) task_role: Option<Ref<Role, Arn>>,
    /// The CPU architecture and the operating system. AWS's default is Linux on X86_64.
    pub(super) runtime_platform: Option<RuntimePlatform>,
    /// The ephemeral storage of Fargate tasks that need more than the default of 20 GiB.
    pub(super) ephemeral_storage: Option<EphemeralStorage>,
    /// The volumes that the containers can mount.
    #[serde(default)]
    pub(super) volumes: Vec<Volume>,
    /// The process namespace of the containers.
    #[spec(one_of = sdk::PidMode)]
    pub(super) pid_mode: Option<String>,
}

fn awsvpc() -> String {
    "awsvpc".into()
}

fn fargate() -> BTreeSet<String> {
    BTreeSet::from(["FARGATE".into()])
}

/// The CPU architecture and the operating system of a task.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuntimePlatform {
    /// The CPU architecture: `X86_64`, or `ARM64` for Graviton.
    #[spec(one_of = sdk::CpuArchitecture, default = "X86_64")]
    pub(super) cpu_architecture: Option<String>,
    /// The operating system.
    #[spec(one_of = sdk::OsFamily, default = "LINUX")]
    pub(super) operating_system_family: Option<String>,
}

/// The ephemeral storage of Fargate tasks.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EphemeralStorage {
    /// The size in GiB.
    #[spec(range = 21..=200)]
    #[serde(rename = "sizeInGiB")]
    pub(super) size_in_gib: i32,
}

/// The status of a TaskDefinition: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskDefinitionStatus {
    /// The ARN, with the revision.
    pub(super) arn: String,
    /// The family.
    pub(super) family: String,
    /// The revision.
    pub(super) revision: i32,
    /// The ARNs of the older ACTIVE revisions of the family, newest first.
    pub(super) revisions: Vec<String>,
}
