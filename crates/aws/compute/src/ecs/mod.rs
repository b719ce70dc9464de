//! Elastic Container Service (ECS): the client and the helpers that its kinds share.

pub(crate) mod cluster;
pub(crate) mod network;
pub(crate) mod service;
pub(crate) mod task_definition;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ecs::types::{self as sdk, ClusterField, Failure, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

holdfast_base::client!(ecs: aws_sdk_ecs);
holdfast_base::sdk_tags!(optional Tag);
holdfast_base::tag_calls!(EcsTags: ecs, tag_resource.resource_arn, untag_resource.resource_arn);

/// Returns the clusters of the region with their tags, settings and configurations. They are requested once per
/// refresh: Cluster observes them, and Service finds its parents among them.
///
/// The clusters that the tag index knows as ours are enough when every cluster in `requested` (a name or an ARN) is
/// among them. Otherwise, and when `requested` is empty, all clusters are described, whoever owns them: one list call
/// per page of ARNs, and one describe call per 100 clusters.
pub(crate) async fn clusters(aws: &Aws, scope: &Scope, requested: &[&str]) -> Result<Arc<Vec<sdk::Cluster>>> {
    let is_cluster = |service: &str, resource: &str| service == "ecs" && resource.starts_with("cluster/");
    let owned = match requested {
        [] => None,
        _ => tagging::owned(aws, scope, is_cluster).await?.filter(|owned| !owned.is_empty()),
    };
    if let Some(owned) = owned {
        let request = || describe_clusters(aws, owned.into_keys().collect());
        let found: Arc<Vec<sdk::Cluster>> = aws.once(scope, "ecs.clusters.owned", request).await?;
        let is = |cluster: &sdk::Cluster, name: &str| {
            cluster.cluster_name() == Some(name) || cluster.cluster_arn() == Some(name)
        };
        if requested.iter().all(|name| found.iter().any(|cluster| is(cluster, name))) {
            return Ok(found);
        }
    }
    let request = || async {
        let arns = ecs(aws).list_clusters().into_paginator().items().send();
        describe_clusters(aws, all(arns).await?).await
    };
    aws.once(scope, "ecs.clusters", request).await
}

async fn describe_clusters(aws: &Aws, arns: Vec<String>) -> Result<Vec<sdk::Cluster>> {
    let mut clusters = vec![];
    for arns in arns.chunks(100) {
        let describe = ecs(aws).describe_clusters().set_clusters(Some(arns.to_vec()));
        let include = [ClusterField::Tags, ClusterField::Settings, ClusterField::Configurations];
        let output = describe.set_include(Some(include.into())).send().await?;
        only_missing("ecs.DescribeClusters", output.failures())?;
        clusters.extend(output.clusters.unwrap_or_default());
    }
    // ECS lists a deleted cluster for a while, as INACTIVE.
    clusters.retain(|cluster| cluster.status() != Some("INACTIVE"));
    Ok(clusters)
}

/// Checks the failures of a describe response. The failure MISSING means that the requested resource does not exist.
/// Any other failure means that the response is incomplete, and is an error.
fn only_missing(operation: &str, failures: &[Failure]) -> Result<()> {
    match failures.iter().find(|failure| failure.reason() != Some("MISSING")) {
        Some(failure) => {
            let (arn, reason) = (failure.arn().unwrap_or_default(), failure.reason().unwrap_or_default());
            Err(Error::incomplete(operation, &format!("{arn}, for the reason {reason}")))
        }
        None => Ok(()),
    }
}

/// Returns the last part of an ARN: the name of a cluster or service, the family and revision of a task definition.
fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// A capacity provider and its share of the tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "capacityProvider")]
pub(crate) struct CapacityProviderStrategyItem {
    /// The capacity provider: `FARGATE`, `FARGATE_SPOT`, or the name of a capacity provider of EC2 instances. The
    /// cluster must have it.
    pub(crate) capacity_provider: String,
    /// The provider's share of the tasks above the base. With 0 the provider gets none of them.
    #[spec(range = 0..=1000)]
    #[serde(default)]
    pub(crate) weight: i32,
    /// The number of tasks that the provider gets before weights count. Only one provider may have a base.
    #[spec(range = 0..=100000)]
    #[serde(default)]
    pub(crate) base: i32,
}

fn strategy(items: &[sdk::CapacityProviderStrategyItem]) -> BTreeSet<CapacityProviderStrategyItem> {
    let item = |item: &sdk::CapacityProviderStrategyItem| CapacityProviderStrategyItem {
        capacity_provider: item.capacity_provider.clone(),
        weight: item.weight,
        base: item.base,
    };
    items.iter().map(item).collect()
}

fn sdk_strategy(items: &BTreeSet<CapacityProviderStrategyItem>) -> Result<Vec<sdk::CapacityProviderStrategyItem>> {
    let item = |item: &CapacityProviderStrategyItem| {
        let CapacityProviderStrategyItem { capacity_provider, weight, base } = item;
        let item = sdk::CapacityProviderStrategyItem::builder().capacity_provider(capacity_provider);
        Ok(item.weight(*weight).base(*base).build()?)
    };
    items.iter().map(item).collect()
}
