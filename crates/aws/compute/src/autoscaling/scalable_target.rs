//! ScalableTarget: the minimum and maximum between which autoscaling sets a service's task count.

use aws_sdk_applicationautoscaling::types::{self as sdk, ScalableDimension, ServiceNamespace};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::relation::{Demand::AtMost, Relation, demand};
use holdfast_core::schema::{DocumentRelation, Idempotency, Named as _, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{AutoscalingTags, autoscaling, tags};
use crate::ecs::{cluster::Cluster, service::Service};

/// The minimum and the maximum task count of an ECS service (`ecs:service:DesiredCount`). Between both, the scaling
/// policies own the count, and Holdfast does not change the service's `desiredCount`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScalableTarget {
    /// The service that is scaled. A service can have one scalable target.
    #[spec(immutable)]
    service: Ref<Service>,
    /// The minimum count. AWS recommends more than 0: without a task there are no metrics to scale out on
    /// (<https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html>).
    #[spec(range = 0..)]
    min_capacity: i32,
    /// The maximum count.
    #[spec(range = 0..)]
    max_capacity: i32,
    /// The kinds of scaling that are suspended.
    suspended_state: Option<SuspendedState>,
}

/// The kinds of scaling that are suspended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SuspendedState {
    /// Whether scale-in by policies is suspended.
    #[spec(default = false)]
    dynamic_scaling_in_suspended: Option<bool>,
    /// Whether scale-out by policies is suspended.
    #[spec(default = false)]
    dynamic_scaling_out_suspended: Option<bool>,
    /// Whether scheduled actions are suspended.
    #[spec(default = false)]
    scheduled_scaling_suspended: Option<bool>,
}

/// The status of a ScalableTarget: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScalableTargetStatus {
    /// The scalable target's ARN.
    arn: String,
}

impl Kind for ScalableTarget {
    type Status = ScalableTargetStatus;
    type Owner = TagOnCreate<AutoscalingTags, ByArn>;
    const TIER: Tier = Tier::Compute;
    /// Scaling policies need only its id.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const UNIQUE: &'static [&'static [&'static str]] = &[&[ScalableTarget::SERVICE.name()]];
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    /// AWS identifies a scalable target by its resource and dimension
    /// (<https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[DocumentRelation::Unique(&[Self::SERVICE.name()])];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
        demand(AtMost("minCapacity", "maxCapacity")),
    ];

    /// Observes the scalable targets of ECS. The call does not state the dimension: ECS has only the task count, and
    /// AWS accepts a dimension only together with a resource id.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = autoscaling(aws)
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .into_paginator()
            .items()
            .send();
        let mut targets = all(pages).await?.iter().map(live).collect::<Result<Vec<_>>>()?;
        targets.retain(|target| is_wanted(scope, target));
        each(targets, |mut target| async move {
            let arn = target.status.arn.clone();
            let Some(tags) = tagging::tags(aws, scope, &arn, || tags(aws, &arn)).await? else { return Ok(None) };
            target.name = tags.get("Name").cloned().unwrap_or_default();
            Ok(Some(target.tags(tags)))
        })
        .await
    }

    /// Registers the target, with tags. Without tags, RegisterScalableTarget would change an existing target, whoever
    /// created it. With tags, it refuses an existing target.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let ScalableTarget { service, min_capacity, max_capacity, suspended_state } = &desired.spec;
        let id = resource_id(service)?;
        let result = autoscaling(aws)
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(&id)
            .min_capacity(*min_capacity)
            .max_capacity(*max_capacity)
            .set_suspended_state(suspended_state.as_ref().map(suspended))
            .set_tags(Some(desired.all_tags().into_iter().collect()))
            .send()
            .await;
        match result.map_err(Error::from) {
            Ok(output) => Ok(match output.scalable_target_arn {
                Some(arn) => desired.as_live(id, ScalableTargetStatus { arn }).into(),
                None => Created::unobserved(id),
            }),
            Err(error) if !error.0.message.contains("already exists") => Err(error),
            // "The scalable target that you tried to tag already exists." An earlier attempt of ours may have created
            // it.
            Err(_) if is_ours(aws, &id, desired).await? => Ok(Created::unobserved(id)),
            Err(_) => {
                let message = format!("`{id}` is already registered; adopt it with `lifecycle: {{ adopt: {id} }}`");
                Err(Error::terminal("applicationautoscaling.RegisterScalableTarget", message))
            }
        }
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let ScalableTarget { service: _, min_capacity, max_capacity, suspended_state } = &desired.spec;
        let none = SuspendedState {
            dynamic_scaling_in_suspended: None,
            dynamic_scaling_out_suspended: None,
            scheduled_scaling_suspended: None,
        };
        autoscaling(aws)
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(&live.id)
            .min_capacity(*min_capacity)
            .max_capacity(*max_capacity)
            .suspended_state(suspended(suspended_state.as_ref().unwrap_or(&none)))
            .send()
            .await?;
        Ok(Updated::Known)
    }

    /// Deregisters the target. AWS deletes its scaling policies and their alarms with it.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        autoscaling(aws)
            .deregister_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(&live.id)
            .send()
            .await?;
        Ok(())
    }
}

/// True when the existing target has the desired owner.
async fn is_ours(aws: &Aws, id: &str, desired: &Desired<ScalableTarget>) -> Result<bool> {
    let output = autoscaling(aws)
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .resource_ids(id)
        .send()
        .await?;
    let Some(target) = output.scalable_targets().first() else { return Ok(false) };
    let tags = tags(aws, target.scalable_target_arn().unwrap_or_default()).await?.unwrap_or_default();
    let same = |key: &str| tags.get(key) == desired.tags.get(key);
    Ok([tag::STACK, tag::ENV, tag::ADDRESS].into_iter().all(same))
}

/// True when the scope may want this target. A target has no name of its own, so the names of its service and cluster
/// determine whether it may be ours.
fn is_wanted(scope: &Scope, target: &Live<ScalableTarget>) -> bool {
    let listed = Listed::id(&target.id).or_id(target.spec.service.as_str()).name_unknown().spec(&target.spec);
    let mut names = target.id.split('/').skip(1);
    let (cluster, service) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    scope.wants(&listed.child_of(Cluster::KIND, cluster).child_of(Service::KIND, service)).any()
}

/// Returns the resource id of a service: the part of its ARN after the account.
fn resource_id(service: &Ref<Service>) -> Result<String> {
    let id = service.as_str().splitn(6, ':').nth(5).filter(|id| id.split('/').count() == 3);
    id.map(str::to_owned).ok_or_else(|| {
        let message =
            format!("`{service}` is not the long ARN of a service: it must end in `service/<cluster>/<name>`");
        Error::terminal("applicationautoscaling.RegisterScalableTarget", message)
    })
}

fn suspended(state: &SuspendedState) -> sdk::SuspendedState {
    let SuspendedState { dynamic_scaling_in_suspended, dynamic_scaling_out_suspended, scheduled_scaling_suspended } =
        state;
    sdk::SuspendedState::builder()
        .dynamic_scaling_in_suspended(dynamic_scaling_in_suspended.unwrap_or(false))
        .dynamic_scaling_out_suspended(dynamic_scaling_out_suspended.unwrap_or(false))
        .scheduled_scaling_suspended(scheduled_scaling_suspended.unwrap_or(false))
        .build()
}

/// Reads a target from a list response, which has no tags.
fn live(target: &sdk::ScalableTarget) -> Result<Live<ScalableTarget>> {
    let missing = || Error::incomplete("applicationautoscaling.DescribeScalableTargets", "scalableTargetARN");
    let arn = target.scalable_target_arn.clone().ok_or_else(missing)?;
    // The target's ARN, `arn:aws:application-autoscaling:region:account:scalable-target/…`, has the partition, the
    // region and the account of the service.
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let of = |i: usize| parts.get(i).copied().unwrap_or_default();
    let service = format!("arn:{}:ecs:{}:{}:{}", of(1), of(3), of(4), target.resource_id);
    let spec = ScalableTarget {
        service: Ref::new(service),
        min_capacity: target.min_capacity,
        max_capacity: target.max_capacity,
        suspended_state: target.suspended_state.as_ref().map(|s| SuspendedState {
            dynamic_scaling_in_suspended: s.dynamic_scaling_in_suspended,
            dynamic_scaling_out_suspended: s.dynamic_scaling_out_suspended,
            scheduled_scaling_suspended: s.scheduled_scaling_suspended,
        }),
    };
    Ok(Live::new(target.resource_id.clone(), "", spec, ScalableTargetStatus { arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_service_and_its_resource_id_convert_into_each_other() -> Result<()> {
        let target = sdk::ScalableTarget::builder()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id("service/main/web")
            .scalable_target_arn("arn:aws-cn:application-autoscaling:cn-north-1:1:scalable-target/0a")
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .min_capacity(2)
            .max_capacity(10)
            .role_arn("arn:aws:iam::1:role/r")
            .creation_time(aws_smithy_types::DateTime::from_secs(0))
            .build()
            .map_err(|error| Error::terminal("test", error.to_string()))?;
        let live = live(&target)?;
        assert_eq!(live.spec.service.as_str(), "arn:aws-cn:ecs:cn-north-1:1:service/main/web");
        assert_eq!(resource_id(&live.spec.service)?, live.id);
        assert!(
            resource_id(&Ref::new("arn:aws:ecs:eu-west-1:1:service/web")).is_err(),
            "the old short ARN has no cluster"
        );
        Ok(())
    }
}
