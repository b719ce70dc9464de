//! Reads revisions of a task definition: which revisions of which families, and their live state.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{self as sdk, TaskDefinitionField};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::Live;
use holdfast_base::sdk::{all, text};
use holdfast_base::tagging;
use holdfast_base::wanted::{Wants, each};
use holdfast_core::schema::Named as _;
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;

use super::container::ContainerDefinition;
use super::spec::{EphemeralStorage, KEEP, RuntimePlatform, TaskDefinition, TaskDefinitionStatus};
use super::volume::Volume;
use crate::ecs::{ecs, from_sdk_tags, last_part};

/// Observes our newest revision of each family by the tag index, without a list call. `None` when a list call is
/// needed.
///
/// The index has the older revisions too. It lags: a new revision may be missing, so the newest revision is described
/// by its family, and deregistered revisions may remain, so a family with more than [`KEEP`] revisions has to be
/// listed.
pub(super) async fn observe_owned(aws: &Aws, scope: &Scope) -> Result<Option<Vec<Live<TaskDefinition>>>> {
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
pub(super) async fn families(aws: &Aws, scope: &Scope) -> Result<BTreeMap<String, BTreeMap<i32, String>>> {
    let list = || ecs(aws).list_task_definitions().status(sdk::TaskDefinitionStatus::Active);
    let first = list().send().await?;
    let mut arns = first.task_definition_arns.unwrap_or_default();
    if first.next_token.is_some() && scope.has_lookups() {
        arns = all(list().into_paginator().items().send()).await?;
    } else if first.next_token.is_some() {
        let mut families: BTreeSet<String> = scope.names.clone();
        families.extend(scope.ids.iter().map(|id| family_and_revision(id).0.to_owned()));
        let known = scope.known_names.get(TaskDefinition::KIND).into_iter().flatten();
        families.extend(known.map(|known| family_and_revision(known).0.to_owned()));
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
pub(super) async fn older(aws: &Aws, scope: &Scope, newest_first: Vec<&String>) -> Result<Vec<String>> {
    let mut older: Vec<String> = newest_first.iter().take(KEEP - 1).map(|arn| (*arn).clone()).collect();
    let beyond = newest_first.into_iter().skip(KEEP - 1).take(KEEP);
    let ours = each(beyond, |arn| async move {
        let tags = tagging::tags(aws, scope, arn, || async {
            let output = ecs(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
            Ok(output.map(|output| from_sdk_tags(output.tags())))
        });
        Ok(tags.await?.filter(|tags| scope.is_owned(tags)).map(|_| arn.clone()))
    });
    older.extend(ours.await?);
    Ok(older)
}

pub(super) async fn describe(aws: &Aws, arn: &str) -> Result<Option<Live<TaskDefinition>>> {
    let describe = ecs(aws).describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags);
    let Some(output) = describe.send().await.or_absent()? else { return Ok(None) };
    // ECS still describes a deregistered revision, as INACTIVE.
    let active = |d: &&sdk::TaskDefinition| d.status == Some(sdk::TaskDefinitionStatus::Active);
    let live = output.task_definition().filter(active).map(live).transpose()?;
    Ok(live.map(|live| live.tags(from_sdk_tags(output.tags()))))
}

pub(super) fn live(definition: &sdk::TaskDefinition) -> Result<Live<TaskDefinition>> {
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
            cpu_architecture: text(&platform.cpu_architecture),
            operating_system_family: text(&platform.operating_system_family),
        }),
        ephemeral_storage: definition
            .ephemeral_storage()
            .map(|storage| EphemeralStorage { size_in_gib: storage.size_in_gib }),
        volumes: definition.volumes().iter().map(Volume::from_response).collect(),
        pid_mode: text(&definition.pid_mode),
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
        assert_eq!(live.spec.requires_compatibilities, BTreeSet::from(["FARGATE".to_owned()]));
        assert!(live.id.ends_with("web:17"));
    }
}
