//! TaskDefinition: the containers, resources and roles of ECS tasks.

mod check;
mod container;
mod live;
mod spec;
mod volume;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::observed::Owner;
use holdfast_core::schema::relation::{
    Condition::Stated,
    Demand::{AtMost, AtMostOne, Needs, OneOf, Unique},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Replacement, Tier, ValidationError};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

use super::{EcsTags, ecs, from_sdk_tags, last_part, sdk_tags};
use container::ContainerDefinition;
use live::{describe, families, live, observe_owned, older};
pub(crate) use spec::TaskDefinition;
use spec::{KEEP, RuntimePlatform, TaskDefinitionStatus};
use volume::Volume;

impl Kind for TaskDefinition {
    type Status = TaskDefinitionStatus;
    type Owner = TagOnCreate<EcsTags>;
    const TIER: Tier = Tier::Compute;
    /// A service can refer to it as soon as it has an ARN.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const REPLACEMENT: Replacement = Replacement::Revision { keep: KEEP };
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9_-]+", "has letters, digits and the characters `_-`"),
        ..NamingRules::limit(255)
    };
    /// AWS does not refuse a second registration: it creates another revision.
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
        demand(Unique("containerDefinitions", &["name"])),
        demand(AtMost("memoryReservation", "memory")).at("containerDefinitions.*"),
        demand(Needs("name")).when(&[Stated("appProtocol")]).at("containerDefinitions.*.portMappings.*"),
        demand(AtMost("softLimit", "hardLimit")).at("containerDefinitions.*.ulimits.*"),
        demand(Unique("volumes", &["name"])),
        demand(AtMostOne(&["efsVolumeConfiguration", "host"])).at("volumes.*"),
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EFSVolumeConfiguration.html
        demand(OneOf("transitEncryption", &["ENABLED"]))
            .when(&[Stated("authorizationConfig")])
            .at("volumes.*.efsVolumeConfiguration"),
    ];

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        check::check(spec)
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        if let Some(found) = observe_owned(aws, scope).await? {
            return Ok(found);
        }
        let requested: &BTreeSet<&str> = &scope.ids.iter().map(|id| last_part(id)).collect();
        let found = each(families(aws, scope).await?, |(family, revisions)| async move {
            let mut newest_first: Vec<&String> = revisions.values().rev().collect();
            let mut newest = None;
            if scope.wants(&Listed::name(&family)).any() {
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
            .set_tags(Some(sdk_tags(&desired.tags)?))
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
            if !same_owner(&from_sdk_tags(tags.tags()), &live.tags) {
                return Ok(());
            }
        }
        ecs(aws).deregister_task_definition().task_definition(&live.id).send().await?;
        Ok(())
    }
}

/// True when both sets of tags name the same stack and environment. The address may have changed since.
fn same_owner(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    let owner = |tags| Owner::from_tags(tags).map(|owner| (owner.stack, owner.env));
    owner(one).is_some() && owner(one) == owner(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_fargate_does_not_support_are_refused() {
        let fields = |spec: serde_json::Value| -> Vec<_> {
            TaskDefinition::check("", &spec.into()).into_iter().map(|(field, _)| field).collect()
        };
        let container = serde_json::json!([{ "name": "web", "stopTimeout": 121 }]);
        let spec = serde_json::json!({ "cpu": "300", "containerDefinitions": container });
        assert_eq!(fields(spec), ["cpu", "containerDefinitions"]);
        let spec = serde_json::json!({
            "cpu": "300", "containerDefinitions": container, "requiresCompatibilities": ["EC2"]
        });
        assert!(fields(spec).is_empty());
        assert!(fields(serde_json::json!({ "cpu": "1 vCPU" })).is_empty());
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
}
