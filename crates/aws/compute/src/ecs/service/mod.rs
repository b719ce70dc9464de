//! Service: a number of tasks of one definition that ECS keeps running.

mod conditions;
mod deployment;
mod spec;

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{self as sdk, ServiceField};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, text};
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::{Absent, AtLeast, Is, Stated},
    Demand::{AtMostOne, Excludes, Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, Named as _, NamingRules, Tier};
use holdfast_core::types::{AutoscaledCount, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;

use super::cluster::Cluster;
use super::network::{NetworkConfiguration, ServiceRegistry};
use super::{EcsTags, clusters, ecs, from_sdk_tags, last_part, only_missing, sdk_strategy, sdk_tags, strategy};
use conditions::conditions;
use deployment::{DeploymentConfiguration, ServiceLoadBalancer};
pub(crate) use spec::Service;
use spec::{DeploymentController, ServiceStatus};

impl Kind for Service {
    type Status = ServiceStatus;
    type Owner = TagOnCreate<EcsTags>;
    const TIER: Tier = Tier::Compute;
    /// A scalable target needs the service's ARN; the tasks need not be running.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9_-]+", "has letters, digits and the characters `_-`"),
        ..NamingRules::limit(255)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    /// A name is unique within the cluster, and the container is one of the task definition
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[
        DocumentRelation::Unique(&[Self::CLUSTER.name(), "name"]),
        DocumentRelation::NamedIn {
            field: "loadBalancers.containerName",
            reference: Self::TASK_DEFINITION.name(),
            names: "containerDefinitions.name",
        },
    ];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
        demand(AtMostOne(&["launchType", "capacityProviderStrategy"])),
        demand(Needs("networkConfiguration")).when(&[Is("launchType", &["FARGATE"])]),
        demand(OneOf("launchType", &["EC2", "EXTERNAL"])).when(&[Is("schedulingStrategy", &["DAEMON"])]),
        demand(Excludes("healthCheckGracePeriodSeconds"))
            .when(&[Absent("loadBalancers"), AtLeast("healthCheckGracePeriodSeconds", 1)]),
        demand(OneOf("availabilityZoneRebalancing", &["DISABLED"])).when(&[Is("schedulingStrategy", &["DAEMON"])]),
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
        demand(OneOf("strategy", &["LINEAR"])).when(&[Stated("linearConfiguration")]).at("deploymentConfiguration"),
        demand(OneOf("strategy", &["CANARY"])).when(&[Stated("canaryConfiguration")]).at("deploymentConfiguration"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let parents = scope.parents.iter().filter(|(kind, _)| *kind == Cluster::KIND).map(|(_, name)| name.as_str());
        let clusters = clusters(aws, scope, &parents.collect::<Vec<_>>()).await?;
        let found = each(clusters.iter(), |cluster| async move {
            let (arn, name) = (cluster.cluster_arn().unwrap_or_default(), cluster.cluster_name().unwrap_or_default());
            let ours = scope.is_owned(&from_sdk_tags(cluster.tags()));
            let children = Listed::default().child_of(Cluster::KIND, name).child_of(Cluster::KIND, arn);
            let is_parent = ours || scope.wants(&children).any();
            if !is_parent && !may_have_services(scope, arn, name) {
                return Ok(None);
            }
            // In a cluster that is not ours, only services that the scope wants are described.
            let is_relevant = |arn: &&String| {
                let listed = Listed::id(arn).named(last_part(arn)).field(Service::CLUSTER, name);
                ours || scope.wants(&listed).any()
            };
            let listed = services(aws, scope, arn, name).await?;
            let mut names: BTreeSet<&str> = listed.iter().filter(is_relevant).map(|arn| last_part(arn)).collect();
            if is_parent {
                // A deleted service that drains is not listed any more, and its name is still in use.
                names.extend(scope.names.iter().map(String::as_str));
            }
            let names: Vec<&str> = names.into_iter().collect();
            let found = futures::future::try_join_all(names.chunks(10).map(|names| describe(aws, scope, arn, names)));
            Ok(Some(found.await?.into_iter().flatten()))
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Service {
            cluster,
            task_definition,
            desired_count,
            launch_type,
            capacity_provider_strategy,
            platform_version,
            network_configuration,
            load_balancers,
            deployment_configuration,
            health_check_grace_period_seconds,
            enable_execute_command,
            enable_ecs_managed_tags,
            propagate_tags,
            scheduling_strategy,
            deployment_controller,
            service_registries,
            availability_zone_rebalancing,
        } = &desired.spec;
        let controller = deployment_controller
            .as_ref()
            .map(|controller| sdk::DeploymentController::builder().r#type(controller.r#type.as_str().into()).build());
        let scheduling = scheduling_strategy.as_ref().map(|strategy| strategy.as_str());
        // CreateService requires a count for a REPLICA service, and refuses one for a DAEMON service.
        let count = desired_count.map(|count| count.0.0);
        let count = if scheduling == Some("DAEMON") { count } else { count.or(Some(1)) };
        let output = ecs(aws)
            .create_service()
            .client_token(&desired.token)
            .service_name(&desired.name)
            .cluster(cluster.as_str())
            .task_definition(task_definition.as_str())
            .set_desired_count(count)
            .set_launch_type(launch_type.as_deref().map(Into::into))
            .set_capacity_provider_strategy(capacity_provider_strategy.as_ref().map(sdk_strategy).transpose()?)
            .set_platform_version(platform_version.clone().map(|version| version.0))
            .set_network_configuration(network_configuration.as_ref().map(NetworkConfiguration::sdk).transpose()?)
            .set_load_balancers(load_balancers.as_ref().map(|b| b.iter().map(ServiceLoadBalancer::sdk).collect()))
            .set_deployment_configuration(deployment_configuration.as_ref().map(|d| d.sdk(scheduling)).transpose()?)
            .set_health_check_grace_period_seconds(health_check_grace_period_seconds.map(|seconds| seconds.0))
            .set_enable_execute_command(enable_execute_command.map(|enable| enable.0))
            .set_enable_ecs_managed_tags(enable_ecs_managed_tags.map(|enable| enable.0))
            .set_propagate_tags(propagate_tags.as_ref().map(|tags| tags.as_str().into()))
            .set_scheduling_strategy(scheduling_strategy.as_ref().map(|strategy| strategy.as_str().into()))
            .set_deployment_controller(controller.transpose()?)
            .set_service_registries(service_registries.as_ref().map(|r| r.iter().map(ServiceRegistry::sdk).collect()))
            .set_availability_zone_rebalancing(availability_zone_rebalancing.as_ref().map(|r| r.as_str().into()))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let service = output.service.ok_or_else(|| Error::incomplete("ecs.CreateService", "service"))?;
        let conditions = conditions(aws, &service).await?;
        Ok(Live { conditions, ..live(&service)? }.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Service {
            cluster: _,
            task_definition,
            desired_count,
            launch_type: _,
            capacity_provider_strategy,
            platform_version,
            network_configuration,
            load_balancers,
            deployment_configuration,
            health_check_grace_period_seconds,
            enable_execute_command,
            enable_ecs_managed_tags,
            propagate_tags,
            scheduling_strategy,
            deployment_controller: _,
            service_registries,
            availability_zone_rebalancing,
        } = &desired.spec;
        // Only changed fields are sent: the count may belong to an autoscaler, and many other fields start a rollout.
        let count = desired.if_changed(Service::DESIRED_COUNT, desired_count.map(|count| count.0.0));
        let strategy = capacity_provider_strategy.as_ref().map(sdk_strategy).transpose()?.unwrap_or_default();
        let network = network_configuration.as_ref().map(NetworkConfiguration::sdk).transpose()?;
        let balancers = load_balancers.iter().flatten().map(ServiceLoadBalancer::sdk).collect();
        let scheduling = scheduling_strategy.as_ref().map(|strategy| strategy.as_str());
        let deployment = deployment_configuration.as_ref().map(|d| d.sdk(scheduling)).transpose()?;
        let grace_period = health_check_grace_period_seconds.map(|seconds| seconds.0);
        let registries = service_registries.iter().flatten().map(ServiceRegistry::sdk).collect();
        let rebalancing = availability_zone_rebalancing.as_ref().map(|r| r.as_str().into());
        ecs(aws)
            .update_service()
            .cluster(&live.status.cluster_arn)
            .service(&live.id)
            .set_task_definition(desired.if_changed(Service::TASK_DEFINITION, Some(task_definition.to_string())))
            .set_desired_count(count)
            // An empty list returns the service to its launch type. "You must force a new deployment": ECS refuses the
            // change otherwise.
            .set_capacity_provider_strategy(desired.if_changed(Service::CAPACITY_PROVIDER_STRATEGY, Some(strategy)))
            .set_force_new_deployment(desired.if_changed(Service::CAPACITY_PROVIDER_STRATEGY, Some(true)))
            .set_platform_version(desired.if_changed(Service::PLATFORM_VERSION, platform_version.clone().map(|v| v.0)))
            .set_network_configuration(desired.if_changed(Service::NETWORK_CONFIGURATION, network))
            .set_load_balancers(desired.if_changed(Service::LOAD_BALANCERS, Some(balancers)))
            .set_deployment_configuration(desired.if_changed(Service::DEPLOYMENT_CONFIGURATION, deployment))
            .set_health_check_grace_period_seconds(
                desired.if_changed(Service::HEALTH_CHECK_GRACE_PERIOD_SECONDS, grace_period),
            )
            .set_enable_execute_command(
                desired.if_changed(Service::ENABLE_EXECUTE_COMMAND, enable_execute_command.map(|enable| enable.0)),
            )
            .set_enable_ecs_managed_tags(
                desired.if_changed(Service::ENABLE_ECS_MANAGED_TAGS, enable_ecs_managed_tags.map(|enable| enable.0)),
            )
            .set_propagate_tags(
                desired.if_changed(Service::PROPAGATE_TAGS, propagate_tags.as_ref().map(|tags| tags.as_str().into())),
            )
            .set_service_registries(desired.if_changed(Service::SERVICE_REGISTRIES, Some(registries)))
            .set_availability_zone_rebalancing(desired.if_changed(Service::AVAILABILITY_ZONE_REBALANCING, rebalancing))
            .send()
            .await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ecs(aws).delete_service().cluster(&live.status.cluster_arn).service(&live.id).force(true).send().await?;
        Ok(())
    }
}

/// Returns the ARNs of a cluster's services: only ours when the tag index has every service that the document names,
/// otherwise all of them.
async fn services(aws: &Aws, scope: &Scope, cluster: &str, name: &str) -> Result<Vec<String>> {
    let path = format!("service/{name}/");
    let owned = tagging::owned(aws, scope, |service, of| service == "ecs" && of.starts_with(&path)).await?;
    let owned: Vec<String> = owned.unwrap_or_default().into_keys().collect();
    let names: Vec<&str> = owned.iter().map(|arn| last_part(arn)).collect();
    if !owned.is_empty() && !tagging::lacks(scope, &names) {
        return Ok(owned);
    }
    let listed = ecs(aws).list_services().cluster(cluster).into_paginator().page_size(100).items().send();
    Ok(all(listed).await.or_absent()?.unwrap_or_default())
}

/// Describes services of a cluster: at most ten, which is the call's limit
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>).
async fn describe(aws: &Aws, scope: &Scope, cluster: &str, names: &[&str]) -> Result<Vec<Live<Service>>> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let describe = ecs(aws).describe_services().cluster(cluster).include(ServiceField::Tags);
    let Some(output) = describe.set_services(Some(names)).send().await.or_absent()? else { return Ok(vec![]) };
    only_missing("ecs.DescribeServices", output.failures())?;
    let existing = output.services().iter().filter(|service| service.status() != Some("INACTIVE"));
    each(existing, |service| async move {
        let mut live = live(service)?;
        if scope.is_owned(&live.tags) {
            live.conditions = conditions(aws, service).await?;
        }
        Ok(Some(live))
    })
    .await
}

/// True when a service that is requested by its id or by its fields may be in this cluster.
fn may_have_services(scope: &Scope, arn: &str, name: &str) -> bool {
    let services = arn.replace(":cluster/", ":service/") + "/";
    let listed = Listed::default().id_prefix(&services).name_unknown().field(Service::CLUSTER, name);
    scope.wants(&listed).any()
}

fn live(service: &sdk::Service) -> Result<Live<Service>> {
    let missing = |what| Error::incomplete("ecs.DescribeServices", what);
    let arn = service.service_arn.clone().ok_or_else(|| missing("serviceArn"))?;
    let cluster_arn = service.cluster_arn.clone().ok_or_else(|| missing("clusterArn"))?;
    let spec = Service {
        cluster: Ref::new(last_part(&cluster_arn)),
        task_definition: Ref::new(service.task_definition().unwrap_or_default()),
        desired_count: Some(ServerDefault(AutoscaledCount(service.desired_count))),
        launch_type: text(&service.launch_type),
        capacity_provider_strategy: Some(strategy(service.capacity_provider_strategy())),
        platform_version: service.platform_version.clone().map(ServerDefault),
        network_configuration: service.network_configuration().and_then(NetworkConfiguration::from_response),
        load_balancers: Some(service.load_balancers().iter().map(ServiceLoadBalancer::from_response).collect()),
        deployment_configuration: service
            .deployment_configuration()
            .map(DeploymentConfiguration::from_response)
            .map(ServerDefault),
        health_check_grace_period_seconds: Some(ServerDefault(service.health_check_grace_period_seconds.unwrap_or(0))),
        enable_execute_command: Some(ServerDefault(service.enable_execute_command)),
        enable_ecs_managed_tags: Some(ServerDefault(service.enable_ecs_managed_tags)),
        propagate_tags: Some(ServerDefault(
            service.propagate_tags.as_ref().map_or("NONE", |tags| tags.as_str()).to_owned(),
        )),
        scheduling_strategy: text(&service.scheduling_strategy).map(ServerDefault),
        // The response does not always contain the controller when it is ECS itself.
        deployment_controller: Some(ServerDefault(DeploymentController {
            r#type: service.deployment_controller().map_or("ECS", |controller| controller.r#type.as_str()).to_owned(),
        })),
        service_registries: Some(service.service_registries().iter().map(ServiceRegistry::from_response).collect()),
        availability_zone_rebalancing: text(&service.availability_zone_rebalancing).map(ServerDefault),
    };
    let phase = if service.status() == Some("DRAINING") { Phase::Deleting } else { Phase::Ready };
    let status = ServiceStatus { arn: arn.clone(), cluster_arn, running_count: service.running_count };
    let name = service.service_name().unwrap_or(last_part(&arn)).to_owned();
    Ok(Live::new(arn, name, spec, status).tags(from_sdk_tags(service.tags())).phase(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_without_a_requested_service_are_skipped() {
        let mut scope = Scope::default();
        let requested = |scope: &Scope| may_have_services(scope, "arn:aws:ecs:r:1:cluster/main", "main");
        scope.lookups.push(serde_json::json!({ "cluster": "other" }).into());
        scope.ids.insert("arn:aws:ecs:r:1:service/main-2/web".into());
        assert!(!requested(&scope));
        scope.ids.insert("arn:aws:ecs:r:1:service/main/web".into());
        assert!(requested(&scope));
        let mut scope = Scope::default();
        scope.lookups.push(serde_json::json!({ "desiredCount": 1 }).into());
        assert!(requested(&scope), "a lookup without a cluster may match a service of any cluster");
    }

    #[test]
    fn a_live_service_refers_to_its_cluster_target_groups_and_subnets() {
        let balancer = sdk::LoadBalancer::builder().target_group_arn("arn:tg").container_name("web").container_port(80);
        let vpc = sdk::AwsVpcConfiguration::builder().subnets("subnet-2").subnets("subnet-1").build().unwrap();
        let service = sdk::Service::builder()
            .service_arn("arn:aws:ecs:eu-west-1:1:service/main/web")
            .service_name("web")
            .cluster_arn("arn:aws:ecs:eu-west-1:1:cluster/main")
            .status("DRAINING")
            .desired_count(2)
            .load_balancers(balancer.build())
            .network_configuration(sdk::NetworkConfiguration::builder().awsvpc_configuration(vpc).build());
        let live = live(&service.build()).unwrap();
        let spec = serde_json::to_value(&live.spec).unwrap();
        assert_eq!(spec["cluster"], "main");
        assert_eq!(spec["loadBalancers"][0]["targetGroup"], "arn:tg");
        assert_eq!(spec["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0], "subnet-1");
        assert_eq!((spec["enableECSManagedTags"].as_bool(), live.phase), (Some(false), Phase::Deleting));
    }
}
