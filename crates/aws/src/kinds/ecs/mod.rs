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
use holdfast_core::Spec;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::Retag;

/// All clusters of the region with what belongs to them, asked once a sweep: Cluster shows them, and Service
/// looks into them. A page of names and a call per 100, whosever they are.
pub(crate) async fn clusters(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<sdk::Cluster>>> {
    let ask = || async {
        let arns = aws.ecs.list_clusters().into_paginator().items().send();
        let arns = arns.collect::<std::result::Result<Vec<_>, _>>().await?;
        let mut clusters = vec![];
        for arns in arns.chunks(100) {
            let describe = aws.ecs.describe_clusters().set_clusters(Some(arns.to_vec()));
            let include = [ClusterField::Tags, ClusterField::Settings, ClusterField::Configurations];
            let answer = describe.set_include(Some(include.into())).send().await?;
            only_missing("ecs.DescribeClusters", answer.failures())?;
            clusters.extend(answer.clusters.unwrap_or_default());
        }
        // A deleted cluster stays for a while, as INACTIVE.
        clusters.retain(|cluster| cluster.status() != Some("INACTIVE"));
        Ok(clusters)
    };
    aws.once(scope, "ecs.clusters", ask).await
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
        aws.ecs.tag_resource().resource_arn(arn).set_tags(Some(sdk_tags(set))).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        aws.ecs.untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
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
