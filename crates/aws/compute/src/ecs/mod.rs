//! ECS: what its kinds share.

pub(crate) mod cluster;
pub(crate) mod container;
mod container_wire;
mod deployment;
pub(crate) mod network;
pub(crate) mod service;
pub(crate) mod task_definition;
mod trouble;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecs::types::{self as sdk, ClusterField, Failure, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::Retag;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

holdfast_base::client!(ecs: aws_sdk_ecs);

/// The clusters of the region with what belongs to them, asked once a sweep: Cluster shows them, and Service looks
/// into them. Those that the hint knows as ours, when all that are wanted by name or ARN are among them; else all,
/// whosever they are: a page of names and a call per 100.
pub(crate) async fn clusters(aws: &Aws, scope: &Scope, wanted: &[&str]) -> Result<Arc<Vec<sdk::Cluster>>> {
    let is = |service: &str, resource: &str| service == "ecs" && resource.starts_with("cluster/");
    let known = match wanted {
        [] => None,
        _ => tagging::owned(aws, scope, is).await?.filter(|known| !known.is_empty()),
    };
    if let Some(known) = known {
        let ask = || describe_clusters(aws, known.into_keys().collect());
        let found: Arc<Vec<sdk::Cluster>> = aws.once(scope, "ecs.clusters.known", ask).await?;
        let is = |cluster: &sdk::Cluster, name: &str| {
            cluster.cluster_name() == Some(name) || cluster.cluster_arn() == Some(name)
        };
        if wanted.iter().all(|name| found.iter().any(|cluster| is(cluster, name))) {
            return Ok(found);
        }
    }
    let ask = || async {
        let arns = ecs(aws).list_clusters().into_paginator().items().send();
        describe_clusters(aws, arns.collect::<std::result::Result<Vec<_>, _>>().await?).await
    };
    aws.once(scope, "ecs.clusters", ask).await
}

async fn describe_clusters(aws: &Aws, arns: Vec<String>) -> Result<Vec<sdk::Cluster>> {
    let mut clusters = vec![];
    for arns in arns.chunks(100) {
        let describe = ecs(aws).describe_clusters().set_clusters(Some(arns.to_vec()));
        let include = [ClusterField::Tags, ClusterField::Settings, ClusterField::Configurations];
        let answer = describe.set_include(Some(include.into())).send().await?;
        only_missing("ecs.DescribeClusters", answer.failures())?;
        clusters.extend(answer.clusters.unwrap_or_default());
    }
    // A deleted cluster stays for a while, as INACTIVE.
    clusters.retain(|cluster| cluster.status() != Some("INACTIVE"));
    Ok(clusters)
}

/// What was asked for and not answered does not exist, or the answer tells less than the truth.
fn only_missing(operation: &str, failures: &[Failure]) -> Result<()> {
    match failures.iter().find(|failure| failure.reason() != Some("MISSING")) {
        Some(failure) => {
            let (arn, reason) = (failure.arn().unwrap_or_default(), failure.reason().unwrap_or_default());
            Err(Error::incomplete(operation, &format!("{arn}, for the reason {reason}")))
        }
        None => Ok(()),
    }
}

/// The last part of an ARN: the name of a cluster or service, the family and revision of a task definition.
fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The tags of an answer.
fn tags_of(tags: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
}

/// Sets and removes tags of anything in ECS.
async fn tag(aws: &Aws, arn: &str, Retag { set, remove }: &Retag) -> Result<()> {
    if !set.is_empty() {
        ecs(aws).tag_resource().resource_arn(arn).set_tags(Some(sdk_tags(set))).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        ecs(aws).untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}

/// A share of the tasks for a capacity provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CapacityProviderStrategyItem {
    /// `FARGATE`, `FARGATE_SPOT`, or the name of a capacity provider of EC2 instances. The cluster must have it.
    pub(crate) capacity_provider: String,
    /// Its share of the tasks above the base, from 0 to 1000. With 0 it gets none of them.
    #[serde(default)]
    pub(crate) weight: i32,
    /// How many tasks it gets before weights count. Only one provider may have a base.
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
