//! Service: tasks that ECS keeps running.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{self as sdk, ServiceField};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Named as _, Naming, Tier};
use holdfast_core::types::{Always, Ref, Scaled};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::deployment::{DeploymentConfiguration, ServiceLoadBalancer};
use super::network::{NetworkConfiguration, ServiceRegistry};
use super::task_definition::TaskDefinition;
use super::{CapacityProviderStrategyItem, clusters, ecs, last_part, only_missing, sdk_strategy, sdk_tags, strategy};
use super::{tag, tags_of, trouble};

/// Tasks of one definition that ECS keeps running, replaces when it changes, and registers with load balancers.
/// A target group has to hang on a listener first: name the listener in `dependsOn`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    /// The cluster that it runs in.
    #[spec(immutable)]
    cluster: Ref<Cluster>,
    /// What its tasks are made of. Another revision starts a rollout.
    task_definition: Ref<TaskDefinition>,
    /// How many tasks are to run. An autoscaler that refers to the service owns it, inside its band. It is created
    /// with 1 when nothing is said.
    desired_count: Option<Always<Scaled>>,
    /// `FARGATE`, `EC2` or `EXTERNAL`. State this or `capacityProviderStrategy`: with neither, AWS takes the
    /// cluster's default strategy, and `EC2` where it has none.
    #[spec(immutable)]
    launch_type: Option<String>,
    /// How its tasks are spread over capacity providers. A change replaces all tasks.
    capacity_provider_strategy: Option<BTreeSet<CapacityProviderStrategyItem>>,
    /// The version of Fargate: `LATEST` (AWS's default), or one such as `1.4.0`.
    platform_version: Option<Always<String>>,
    /// Where in the network its tasks are; `awsvpc` tasks, and so all of Fargate's, need it.
    network_configuration: Option<NetworkConfiguration>,
    /// The target groups that its tasks are registered with: at most five.
    load_balancers: Option<BTreeSet<ServiceLoadBalancer>>,
    /// How a rollout goes.
    deployment_configuration: Option<Always<DeploymentConfiguration>>,
    /// Seconds after a task's start in which failed health checks of load balancer and containers do not count:
    /// 0 unless set.
    health_check_grace_period_seconds: Option<Always<i32>>,
    /// Whether people can run commands in its containers (ECS Exec). Holds for tasks that start after the change.
    enable_execute_command: Option<Always<bool>>,
    /// Whether tasks get tags that name cluster and service, for bills. Holds for tasks that start after the change.
    #[serde(rename = "enableECSManagedTags")]
    enable_ecs_managed_tags: Option<Always<bool>>,
    /// Whose tags its tasks get: `SERVICE`, `TASK_DEFINITION` or `NONE` (AWS's default).
    propagate_tags: Option<Always<String>>,
    /// `REPLICA` (AWS's default), or `DAEMON` for one task an instance.
    #[spec(immutable)]
    scheduling_strategy: Option<Always<String>>,
    /// Who rolls it out.
    #[spec(immutable)]
    deployment_controller: Option<Always<DeploymentController>>,
    /// The services of Cloud Map that its tasks are registered with: AWS takes one.
    service_registries: Option<BTreeSet<ServiceRegistry>>,
    /// `ENABLED` (AWS's default for new services) or `DISABLED`: whether tasks move to even out the zones.
    availability_zone_rebalancing: Option<Always<String>>,
}

/// Who rolls a service out.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentController {
    /// `ECS` (AWS's default), `CODE_DEPLOY` or `EXTERNAL`.
    r#type: String,
}

/// What only AWS knows of a Service.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceStatus {
    /// Its ARN.
    arn: String,
    /// Its cluster's ARN.
    cluster_arn: String,
    /// How many tasks run.
    running_count: i32,
}

impl Kind for Service {
    type Status = ServiceStatus;
    const TIER: Tier = Tier::Compute;
    /// Scaling needs its name, and not that its tasks run.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::limit(255);
    const CLASS: CreateClass = CreateClass::Token;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let parents = scope.parents.iter().filter(|(kind, _)| *kind == Cluster::KIND).map(|(_, name)| name.as_str());
        let clusters = clusters(aws, scope, &parents.collect::<Vec<_>>()).await?;
        let found = each(clusters.iter(), |cluster| async move {
            let (arn, name) = (cluster.cluster_arn().unwrap_or_default(), cluster.cluster_name().unwrap_or_default());
            let ours = scope.is_owned(&tags_of(cluster.tags()));
            let parent = ours || scope.is_parent(Cluster::KIND, name) || scope.is_parent(Cluster::KIND, arn);
            if !parent && !is_asked_for(scope, arn, name) {
                return Ok(None);
            }
            // A cluster that others share is looked through by name.
            let look = |arn: &&String| {
                ours || scope.is_candidate(last_part(arn)) || scope.ids.contains(*arn) || !scope.lookups.is_empty()
            };
            let listed = services(aws, scope, arn, name).await?;
            let mut names: BTreeSet<&str> = listed.iter().filter(look).map(|arn| last_part(arn)).collect();
            if parent {
                // One that drains after its deletion is not listed any more, and still holds its name.
                names.extend(scope.names.iter().map(String::as_str));
            }
            let names: Vec<&str> = names.into_iter().collect();
            let found = futures::future::try_join_all(names.chunks(10).map(|names| describe(aws, scope, arn, names)));
            Ok(Some(found.await?.into_iter().flatten()))
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
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
        // ECS wants a count of a REPLICA service, and refuses one of a DAEMON.
        let count = desired_count.map(|count| count.0.0);
        let count = if scheduling_strategy.as_ref().is_some_and(|strategy| strategy.0 == "DAEMON") {
            count
        } else {
            count.or(Some(1))
        };
        let made = ecs(aws)
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
            .set_deployment_configuration(deployment_configuration.as_ref().map(|d| d.sdk()).transpose()?)
            .set_health_check_grace_period_seconds(health_check_grace_period_seconds.map(|seconds| seconds.0))
            .set_enable_execute_command(enable_execute_command.map(|enable| enable.0))
            .set_enable_ecs_managed_tags(enable_ecs_managed_tags.map(|enable| enable.0))
            .set_propagate_tags(propagate_tags.as_ref().map(|tags| tags.as_str().into()))
            .set_scheduling_strategy(scheduling_strategy.as_ref().map(|strategy| strategy.as_str().into()))
            .set_deployment_controller(controller.transpose()?)
            .set_service_registries(service_registries.as_ref().map(|r| r.iter().map(ServiceRegistry::sdk).collect()))
            .set_availability_zone_rebalancing(availability_zone_rebalancing.as_ref().map(|r| r.as_str().into()))
            .set_tags(Some(sdk_tags(&desired.tags)))
            .send()
            .await?;
        let service = made.service.ok_or_else(|| Error::incomplete("ecs.CreateService", "service"))?;
        let remarks = trouble::remarks(aws, &service).await?;
        Ok(Live { remarks, ..live(&service)? }.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
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
            scheduling_strategy: _,
            deployment_controller: _,
            service_registries,
            availability_zone_rebalancing,
        } = &desired.spec;
        // Only what differs goes along: the count is the autoscaler's, and much else would start a rollout.
        let mut update = ecs(aws).update_service().cluster(&live.status.cluster_arn).service(&live.id);
        if desired.changed("taskDefinition") {
            update = update.task_definition(task_definition.as_str());
        }
        if desired.changed("desiredCount") {
            update = update.set_desired_count(desired_count.map(|count| count.0.0));
        }
        if desired.changed("capacityProviderStrategy") {
            // "You must force a new deployment": ECS refuses the change otherwise. An empty list goes back to the launch type.
            let strategy = capacity_provider_strategy.as_ref().map(sdk_strategy).transpose()?;
            update = update.set_capacity_provider_strategy(Some(strategy.unwrap_or_default()));
            update = update.force_new_deployment(true);
        }
        if desired.changed("platformVersion") {
            update = update.set_platform_version(platform_version.clone().map(|version| version.0));
        }
        if desired.changed("networkConfiguration") {
            update = update
                .set_network_configuration(network_configuration.as_ref().map(NetworkConfiguration::sdk).transpose()?);
        }
        if desired.changed("loadBalancers") {
            let balancers = load_balancers.iter().flatten().map(ServiceLoadBalancer::sdk).collect();
            update = update.set_load_balancers(Some(balancers));
        }
        if desired.changed("deploymentConfiguration") {
            update =
                update.set_deployment_configuration(deployment_configuration.as_ref().map(|d| d.sdk()).transpose()?);
        }
        if desired.changed("healthCheckGracePeriodSeconds") {
            let seconds = health_check_grace_period_seconds.map(|seconds| seconds.0);
            update = update.set_health_check_grace_period_seconds(seconds);
        }
        if desired.changed("enableExecuteCommand") {
            update = update.set_enable_execute_command(enable_execute_command.map(|enable| enable.0));
        }
        if desired.changed("enableECSManagedTags") {
            update = update.set_enable_ecs_managed_tags(enable_ecs_managed_tags.map(|enable| enable.0));
        }
        if desired.changed("propagateTags") {
            update = update.set_propagate_tags(propagate_tags.as_ref().map(|tags| tags.as_str().into()));
        }
        if desired.changed("serviceRegistries") {
            let registries = service_registries.iter().flatten().map(ServiceRegistry::sdk).collect();
            update = update.set_service_registries(Some(registries));
        }
        if desired.changed("availabilityZoneRebalancing") {
            let rebalancing = availability_zone_rebalancing.as_ref().map(|r| r.as_str().into());
            update = update.set_availability_zone_rebalancing(rebalancing);
        }
        update.send().await?;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ecs(aws).delete_service().cluster(&live.status.cluster_arn).service(&live.id).force(true).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// The ARNs of the services of a cluster: ours, when the hint knows all that the document names, else all of them.
async fn services(aws: &Aws, scope: &Scope, cluster: &str, name: &str) -> Result<Vec<String>> {
    let path = format!("service/{name}/");
    let known = tagging::owned(aws, scope, |service, of| service == "ecs" && of.starts_with(&path)).await?;
    let known: Vec<String> = known.unwrap_or_default().into_keys().collect();
    let names: Vec<&str> = known.iter().map(|arn| last_part(arn)).collect();
    if !known.is_empty() && !tagging::lacks(scope, &names) {
        return Ok(known);
    }
    let listed = ecs(aws).list_services().cluster(cluster).into_paginator().page_size(100).items().send();
    Ok(listed.collect::<std::result::Result<Vec<_>, _>>().await.or_absent()?.unwrap_or_default())
}

/// At most ten services of a cluster, which is the call's limit
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>).
async fn describe(aws: &Aws, scope: &Scope, cluster: &str, names: &[&str]) -> Result<Vec<Live<Service>>> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let describe = ecs(aws).describe_services().cluster(cluster).include(ServiceField::Tags);
    let Some(answer) = describe.set_services(Some(names)).send().await.or_absent()? else { return Ok(vec![]) };
    only_missing("ecs.DescribeServices", answer.failures())?;
    let there = answer.services().iter().filter(|service| service.status() != Some("INACTIVE"));
    each(there, |service| async move {
        let mut live = live(service)?;
        if scope.is_owned(&live.tags) {
            live.remarks = trouble::remarks(aws, service).await?;
        }
        Ok(Some(live))
    })
    .await
}

/// True when a service that is asked for by its id or its fields may be in this cluster.
fn is_asked_for(scope: &Scope, arn: &str, name: &str) -> bool {
    let services = arn.replace(":cluster/", ":service/") + "/";
    let is_here = |of: &Value| of.text().is_some_and(|of| of == name || of == arn);
    scope.ids.iter().any(|id| id.starts_with(&services))
        || scope.lookups.iter().any(|lookup| lookup.get("cluster").is_none_or(is_here))
}

fn live(service: &sdk::Service) -> Result<Live<Service>> {
    let missing = |what| Error::incomplete("ecs.DescribeServices", what);
    let arn = service.service_arn.clone().ok_or_else(|| missing("serviceArn"))?;
    let cluster_arn = service.cluster_arn.clone().ok_or_else(|| missing("clusterArn"))?;
    let spec = Service {
        cluster: Ref::new(last_part(&cluster_arn)),
        task_definition: Ref::new(service.task_definition().unwrap_or_default()),
        desired_count: Some(Always(Scaled(service.desired_count))),
        launch_type: service.launch_type.as_ref().map(|launch| launch.as_str().to_owned()),
        capacity_provider_strategy: Some(strategy(service.capacity_provider_strategy())),
        platform_version: service.platform_version.clone().map(Always),
        network_configuration: service.network_configuration().and_then(NetworkConfiguration::of),
        load_balancers: Some(service.load_balancers().iter().map(ServiceLoadBalancer::of).collect()),
        deployment_configuration: service.deployment_configuration().map(DeploymentConfiguration::of).map(Always),
        health_check_grace_period_seconds: Some(Always(service.health_check_grace_period_seconds.unwrap_or(0))),
        enable_execute_command: Some(Always(service.enable_execute_command)),
        enable_ecs_managed_tags: Some(Always(service.enable_ecs_managed_tags)),
        propagate_tags: Some(Always(service.propagate_tags.as_ref().map_or("NONE", |tags| tags.as_str()).to_owned())),
        scheduling_strategy: service.scheduling_strategy.as_ref().map(|s| Always(s.as_str().to_owned())),
        // ECS's own controller is not always in the answer.
        deployment_controller: Some(Always(DeploymentController {
            r#type: service.deployment_controller().map_or("ECS", |controller| controller.r#type.as_str()).to_owned(),
        })),
        service_registries: Some(service.service_registries().iter().map(ServiceRegistry::of).collect()),
        availability_zone_rebalancing: service
            .availability_zone_rebalancing
            .as_ref()
            .map(|r| Always(r.as_str().to_owned())),
    };
    let phase = if service.status() == Some("DRAINING") { Phase::Deleting } else { Phase::Ready };
    let status = ServiceStatus { arn: arn.clone(), cluster_arn, running_count: service.running_count };
    let name = service.service_name().unwrap_or(last_part(&arn)).to_owned();
    Ok(Live::new(arn, name, spec, status).tags(tags_of(service.tags())).phase(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_of_others_are_left_out() {
        let mut scope = Scope::default();
        let asked = |scope: &Scope| is_asked_for(scope, "arn:aws:ecs:r:1:cluster/main", "main");
        scope.lookups.push(serde_json::json!({ "cluster": "other" }).into());
        scope.ids.insert("arn:aws:ecs:r:1:service/main-2/web".into());
        assert!(!asked(&scope));
        scope.ids.insert("arn:aws:ecs:r:1:service/main/web".into());
        assert!(asked(&scope));
        let mut scope = Scope::default();
        scope.lookups.push(serde_json::json!({ "desiredCount": 1 }).into());
        assert!(asked(&scope), "it may be anywhere");
    }

    #[test]
    fn a_live_service_refers_to_what_it_uses() {
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
