//! TaskDefinition: the containers, resources and roles of ECS tasks.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{self as sdk, TaskDefinitionField};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each};
use holdfast_base::names::Role;
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::observed::Owner;
use holdfast_core::schema::{Idempotency, NamingRules, Replacement, Tier};
use holdfast_core::types::{Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::container::ContainerDefinition;
use super::volume::Volume;
use super::{ecs, last_part, sdk_tags, tag, tags_of};

/// The number of revisions that are kept, the newest included.
const KEEP: usize = 10;

/// An ECS task definition. Its name is the family. A change registers a new revision, and the last ten revisions are
/// kept. A revision without our tags, for example one from a deploy pipeline, is not ours. The newest revision with our
/// tags is the current one, as long as it is among the ten newest of the family.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskDefinition {
    /// The containers of a task.
    container_definitions: Vec<ContainerDefinition>,
    /// The CPU units of a task, as a string: `"256"`. One vCPU has 1,024 units. Fargate supports 256, 512, 1024, 2048,
    /// 4096, 8192 and 16384.
    cpu: Option<String>,
    /// The memory of a task in MiB, as a string: `"512"`. On Fargate, the CPU units determine the possible values
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#task_size>).
    memory: Option<String>,
    /// The network mode: `awsvpc`, `bridge`, `host` or `none`.
    #[serde(default = "awsvpc")]
    network_mode: String,
    /// The launch types `FARGATE`, `EC2`, `EXTERNAL`: AWS validates that the task can run on each of them.
    #[serde(default = "fargate")]
    requires_compatibilities: BTreeSet<String>,
    /// The execution role: ECS assumes it to pull images, write logs and read secrets.
    execution_role: Option<Ref<Role, Arn>>,
    /// The task role: the role of the containers.
    task_role: Option<Ref<Role, Arn>>,
    /// The CPU architecture and the operating system. AWS's default is Linux on X86_64.
    runtime_platform: Option<RuntimePlatform>,
    /// The ephemeral storage of Fargate tasks that need more than the default of 20 GiB.
    ephemeral_storage: Option<EphemeralStorage>,
    /// The volumes that the containers can mount.
    #[serde(default)]
    volumes: Vec<Volume>,
    /// The process namespace of the containers: `task` or `host`.
    pid_mode: Option<String>,
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
    cpu_architecture: Option<String>,
    /// The operating system: `LINUX`, or a Windows Server such as `WINDOWS_SERVER_2022_CORE`.
    operating_system_family: Option<String>,
}

/// The ephemeral storage of Fargate tasks.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EphemeralStorage {
    /// The size in GiB: 21 to 200.
    #[serde(rename = "sizeInGiB")]
    size_in_gib: i32,
}

/// The status of a TaskDefinition: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskDefinitionStatus {
    /// The ARN, with the revision.
    arn: String,
    /// The family.
    family: String,
    /// The revision.
    revision: i32,
    /// The ARNs of the older ACTIVE revisions of the family, newest first.
    revisions: Vec<String>,
}

impl Kind for TaskDefinition {
    type Status = TaskDefinitionStatus;
    const TIER: Tier = Tier::Compute;
    /// A service can refer to it as soon as it has an ARN.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const REPLACEMENT: Replacement = Replacement::Revision { keep: KEEP };
    const NAMING: NamingRules = NamingRules::limit(255);
    /// AWS does not refuse a second registration: it creates another revision.
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        if let Some(found) = observe_owned(aws, scope).await? {
            return Ok(found);
        }
        let requested: &BTreeSet<&str> = &scope.ids.iter().map(|id| last_part(id)).collect();
        let found = each(families(aws, scope).await?, |(family, revisions)| async move {
            let mut newest_first: Vec<&String> = revisions.values().rev().collect();
            let mut newest = None;
            if scope.is_candidate(&family) || !scope.lookups.is_empty() {
                for (age, arn) in newest_first.iter().take(KEEP).enumerate() {
                    let Some(live) = describe(aws, arn).await? else { continue };
                    let ours = scope.is_owned(&live.tags);
                    if ours || newest.is_none() {
                        newest = Some((age, ours, live));
                    }
                    // The tags of older revisions matter only when the family may be ours.
                    if ours || !scope.is_candidate(&family) {
                        break;
                    }
                }
            }
            let by_id = revisions.values().filter(|arn| requested.contains(last_part(arn)));
            let mut found = each(by_id, |arn| describe(aws, arn)).await?;
            if let Some((age, ours, mut live)) = newest {
                if ours {
                    live.status.revisions = older(aws, scope, newest_first.split_off(age + 1)).await?;
                }
                found.insert(0, live);
            }
            Ok(Some(found))
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let TaskDefinition {
            container_definitions,
            cpu,
            memory,
            network_mode,
            requires_compatibilities,
            execution_role,
            task_role,
            runtime_platform,
            ephemeral_storage,
            volumes,
            pid_mode,
        } = &desired.spec;
        let containers = container_definitions.iter().map(ContainerDefinition::sdk).collect::<Result<Vec<_>>>()?;
        let platform =
            runtime_platform.as_ref().map(|RuntimePlatform { cpu_architecture, operating_system_family }| {
                sdk::RuntimePlatform::builder()
                    .set_cpu_architecture(cpu_architecture.as_deref().map(Into::into))
                    .set_operating_system_family(operating_system_family.as_deref().map(Into::into))
                    .build()
            });
        let storage = ephemeral_storage
            .as_ref()
            .map(|storage| sdk::EphemeralStorage::builder().size_in_gib(storage.size_in_gib).build());
        let compatibilities = requires_compatibilities.iter().map(|c| c.as_str().into()).collect();
        let output = ecs(aws)
            .register_task_definition()
            .family(&desired.name)
            .set_container_definitions(Some(containers))
            .set_cpu(cpu.clone())
            .set_memory(memory.clone())
            .network_mode(network_mode.as_str().into())
            .set_requires_compatibilities(Some(compatibilities))
            .set_execution_role_arn(execution_role.clone().map(String::from))
            .set_task_role_arn(task_role.clone().map(String::from))
            .set_runtime_platform(platform)
            .set_ephemeral_storage(storage)
            .set_volumes(Some(volumes.iter().map(Volume::sdk).collect::<Result<_>>()?))
            .set_pid_mode(pid_mode.as_deref().map(Into::into))
            .set_tags(Some(sdk_tags(&desired.tags)))
            .send()
            .await?;
        let missing = || Error::incomplete("ecs.RegisterTaskDefinition", "taskDefinition");
        let created = live(&output.task_definition.ok_or_else(missing)?)?;
        Ok(match created.status.revision {
            1 => created.tags(desired.tags.clone()).into(),
            // The response does not name the older revisions.
            _ => Created::unobserved(created.id),
        })
    }

    async fn update(_: &Aws, live: &Live<Self>, _: &Desired<Self>) -> Result<Updated> {
        Err(Error::terminal(
            "ecs.UpdateTaskDefinition",
            format!("{} is immutable: a change needs a new revision", live.id),
        ))
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // An older revision arrives here with the tags of the newest one. Another principal may have registered it in
        // our family, so its own tags decide.
        if live.id != live.status.arn {
            let tags = ecs(aws).list_tags_for_resource().resource_arn(&live.id).send().await?;
            if !same_owner(&tags_of(tags.tags()), &live.tags) {
                return Ok(());
            }
        }
        ecs(aws).deregister_task_definition().task_definition(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// Observes our newest revision of each family by the tag index, without a list call. `None` when a list call is
/// needed.
///
/// The index has the older revisions too. It lags: a new revision may be missing, so the newest revision is described
/// by its family, and deregistered revisions may remain, so a family with more than [`KEEP`] revisions has to be
/// listed.
async fn observe_owned(aws: &Aws, scope: &Scope) -> Result<Option<Vec<Live<TaskDefinition>>>> {
    let is_revision = |service: &str, resource: &str| service == "ecs" && resource.starts_with("task-definition/");
    let Some(owned) = tagging::owned(aws, scope, is_revision).await? else { return Ok(None) };
    let families = by_family(owned.into_keys());
    let few = |name: &String| families.get(name).is_some_and(|revisions| revisions.len() <= KEEP);
    if scope.names.is_empty() || !scope.names.iter().all(few) {
        return Ok(None);
    }
    let newest = each(families, |(family, revisions)| async move {
        let newest = match describe(aws, &family).await {
            // The family has no active revision
            // (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html).
            Err(error) if error.0.code.as_deref() == Some("ClientException") => None,
            newest => newest?,
        };
        let Some(mut live) = newest.filter(|live| scope.is_owned(&live.tags)) else { return Ok(None) };
        let before = revisions.range(..live.status.revision).rev().map(|(_, arn)| arn);
        live.status.revisions = older(aws, scope, before.collect()).await?;
        Ok(Some(live))
    });
    let found = newest.await?;
    let all = scope.names.iter().all(|name| found.iter().any(|live| live.name == *name));
    Ok(all.then_some(found))
}

/// Returns the ACTIVE revisions by family, of the families that the scope may request. One list call is enough when one
/// page has all revisions of the region; otherwise each family that may be ours takes a call of its own.
async fn families(aws: &Aws, scope: &Scope) -> Result<BTreeMap<String, BTreeMap<i32, String>>> {
    let list = || ecs(aws).list_task_definitions().status(sdk::TaskDefinitionStatus::Active);
    let first = list().send().await?;
    let mut arns = first.task_definition_arns.unwrap_or_default();
    if first.next_token.is_some() && !scope.lookups.is_empty() {
        let all = list().into_paginator().items().send();
        arns = all.collect::<std::result::Result<_, _>>().await?;
    } else if first.next_token.is_some() {
        let mut families: BTreeSet<String> = scope.names.clone();
        families.extend(scope.ids.iter().map(|id| family_and_revision(id).0.to_owned()));
        for prefix in &scope.prefixes {
            let ours = ecs(aws).list_task_definition_families().family_prefix(prefix).status("ACTIVE".into());
            let ours = ours.into_paginator().items().send();
            families.extend(all(ours).await?);
        }
        arns = vec![];
        for family in families {
            let revisions = list().family_prefix(family).into_paginator().items().send();
            arns.extend(all(revisions).await?);
        }
    }
    Ok(by_family(arns))
}

/// Groups the ARNs of revisions by family and revision.
fn by_family(arns: impl IntoIterator<Item = String>) -> BTreeMap<String, BTreeMap<i32, String>> {
    let mut families: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
    for arn in arns {
        let (family, revision) = family_and_revision(&arn);
        families.entry(family.to_owned()).or_default().insert(revision, arn);
    }
    families
}

/// Reads family and revision from an ARN: `arn:aws:ecs:eu-west-1:1:task-definition/web:7` is revision 7 of `web`.
fn family_and_revision(arn: &str) -> (&str, i32) {
    let (family, revision) = last_part(arn).rsplit_once(':').unwrap_or((last_part(arn), ""));
    (family, revision.parse().unwrap_or_default())
}

/// Returns the older revisions that the engine may count and deregister. Revisions that are kept anyway are not
/// observed. Of the revisions beyond them, only ours are returned, at most [`KEEP`] in one observation.
async fn older(aws: &Aws, scope: &Scope, newest_first: Vec<&String>) -> Result<Vec<String>> {
    let mut older: Vec<String> = newest_first.iter().take(KEEP - 1).map(|arn| (*arn).clone()).collect();
    let beyond = newest_first.into_iter().skip(KEEP - 1).take(KEEP);
    let ours = each(beyond, |arn| async move {
        let tags = tagging::tags(aws, scope, arn, || async {
            let output = ecs(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
            Ok(output.map(|output| tags_of(output.tags())))
        });
        Ok(tags.await?.filter(|tags| scope.is_owned(tags)).map(|_| arn.clone()))
    });
    older.extend(ours.await?);
    Ok(older)
}

/// True when both sets of tags name the same stack and environment. The address may have changed since.
fn same_owner(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    let owner = |tags| Owner::from_tags(tags).map(|owner| (owner.stack, owner.env));
    owner(one).is_some() && owner(one) == owner(other)
}

async fn describe(aws: &Aws, arn: &str) -> Result<Option<Live<TaskDefinition>>> {
    let describe = ecs(aws).describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags);
    let Some(output) = describe.send().await.or_absent()? else { return Ok(None) };
    // ECS still describes a deregistered revision, as INACTIVE.
    let active = |d: &&sdk::TaskDefinition| d.status == Some(sdk::TaskDefinitionStatus::Active);
    let live = output.task_definition().filter(active).map(live).transpose()?;
    Ok(live.map(|live| live.tags(tags_of(output.tags()))))
}

fn live(definition: &sdk::TaskDefinition) -> Result<Live<TaskDefinition>> {
    let missing = || Error::incomplete("ecs.DescribeTaskDefinition", "taskDefinitionArn");
    let arn = definition.task_definition_arn.clone().ok_or_else(missing)?;
    let family = definition.family.clone().unwrap_or_else(|| family_and_revision(&arn).0.to_owned());
    let spec = TaskDefinition {
        container_definitions: definition
            .container_definitions()
            .iter()
            .map(ContainerDefinition::from_response)
            .collect(),
        cpu: definition.cpu.clone(),
        memory: definition.memory.clone(),
        network_mode: definition.network_mode.as_ref().map_or("bridge", |mode| mode.as_str()).to_owned(),
        requires_compatibilities: definition.requires_compatibilities().iter().map(|c| c.as_str().to_owned()).collect(),
        execution_role: definition.execution_role_arn().map(Ref::from),
        task_role: definition.task_role_arn().map(Ref::from),
        runtime_platform: definition.runtime_platform().map(|platform| RuntimePlatform {
            cpu_architecture: platform.cpu_architecture.as_ref().map(|a| a.as_str().to_owned()),
            operating_system_family: platform.operating_system_family.as_ref().map(|f| f.as_str().to_owned()),
        }),
        ephemeral_storage: definition
            .ephemeral_storage()
            .map(|storage| EphemeralStorage { size_in_gib: storage.size_in_gib }),
        volumes: definition.volumes().iter().map(Volume::from_response).collect(),
        pid_mode: definition.pid_mode.as_ref().map(|mode| mode.as_str().to_owned()),
    };
    let status = TaskDefinitionStatus {
        arn: arn.clone(),
        family: family.clone(),
        revision: definition.revision,
        revisions: vec![],
    };
    Ok(Live::new(arn, family, spec, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_family_and_revision() {
        let arn = "arn:aws:ecs:eu-west-1:1:task-definition/shop-dev-web:17";
        assert_eq!(family_and_revision(arn), ("shop-dev-web", 17));
        assert_eq!(family_and_revision("shop-dev-web"), ("shop-dev-web", 0));
    }

    #[test]
    fn a_revision_without_our_tags_is_not_ours() {
        let tags = |env: &str, address: &str| {
            [("holdfast:stack", "shop"), ("holdfast:env", env), ("holdfast:address", address)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into()
        };
        assert!(same_owner(&tags("dev", "TaskDefinition/old"), &tags("dev", "TaskDefinition/web")));
        assert!(!same_owner(&tags("prod", "TaskDefinition/web"), &tags("dev", "TaskDefinition/web")));
        assert!(!same_owner(&BTreeMap::new(), &tags("dev", "TaskDefinition/web")));
    }

    #[test]
    fn a_live_revision_has_its_arn_as_id() {
        let definition = sdk::TaskDefinition::builder()
            .task_definition_arn("arn:aws:ecs:eu-west-1:1:task-definition/web:17")
            .family("web")
            .revision(17)
            .requires_compatibilities("FARGATE".into())
            .network_mode("awsvpc".into())
            .build();
        let live = live(&definition).unwrap();
        assert_eq!((live.name.as_str(), live.status.revision), ("web", 17));
        assert_eq!(live.spec.requires_compatibilities, fargate());
        assert!(live.id.ends_with("web:17"));
    }
}
