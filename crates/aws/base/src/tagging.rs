//! The tag index: the Resource Groups Tagging API, which returns the tags of all owned resources of a region in one call.
//!
//! The index is eventually consistent and lags behind the services' own APIs. It proves neither that a resource is absent
//! nor the effect of a recent change. Only the first observation of a pass uses it, and only for resources that exist.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, Tag, TagFilter};
use holdfast_core::observed::tag;
use holdfast_engine::cloud::Scope;

use crate::client::Aws;
use crate::error::Result;
use crate::kind::Kind;
use crate::resource::Live;
pub use crate::tags::{Tags, requested};
use crate::wanted::each;

crate::client!(tagging: aws_sdk_resourcegroupstagging);

/// The contents of the index: tags by ARN.
type Index = BTreeMap<String, Tags>;

/// The services and resource types, as in ARNs, that kinds read from the index. Types whose describe calls return tags
/// (most of EC2) are left out, and so are types that copy our tags (tasks, snapshots), of which there may be hundreds.
const TYPES: &[&str] = &[
    "acm",
    "application-autoscaling",
    "backup",
    "budgets",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "ec2:elastic-ip",
    "ec2:internet-gateway",
    "ec2:natgateway",
    "ec2:route-table",
    "ecr",
    "ecs:cluster",
    "ecs:service",
    "ecs:task-definition",
    "elasticache:parametergroup",
    "elasticache:replicationgroup",
    "elasticache:subnetgroup",
    "elasticloadbalancing",
    "es",
    "events",
    "iam",
    "kms",
    "logs",
    "rds:db",
    "rds:db-proxy",
    "rds:pg",
    "rds:subgrp",
    "route53",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "wafv2",
];

/// True when the index covers the resource type of this ARN.
fn is_indexed(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, resource) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    let kind = resource.split(['/', ':']).next().unwrap_or_default();
    TYPES.iter().any(|of| *of == service || of.strip_prefix(service) == Some(&format!(":{kind}")))
}

/// The tags of an ARN: the tags that this pass set, else the tags in the index, else the result of `ask`, which calls the
/// service itself.
pub async fn tags<F>(aws: &Aws, scope: &Scope, arn: &str, ask: impl FnOnce() -> F) -> Result<Option<Tags>>
where
    F: Future<Output = Result<Option<Tags>>>,
{
    if let Some(tags) = scope.confirmed.tags.get(arn) {
        return Ok(Some(tags.clone()));
    }
    debug_assert!(is_indexed(arn), "the index does not cover {arn}");
    if scope.from_index
        && let Some(tags) = index(aws, scope).await?.get(arn)
    {
        return Ok(Some(tags.clone()));
    }
    ask().await
}

/// Splits ARNs into those with known tags and those whose service has to be asked.
pub async fn split(aws: &Aws, scope: &Scope, arns: &[String]) -> Result<(BTreeMap<String, Tags>, Vec<String>)> {
    debug_assert!(arns.iter().all(|arn| is_indexed(arn)), "the index does not cover all of {arns:?}");
    let indexed = match scope.from_index && !arns.is_empty() {
        true => index(aws, scope).await?,
        false => Arc::default(),
    };
    let tags = |arn: &String| scope.confirmed.tags.get(arn).or_else(|| indexed.get(arn));
    let known = arns.iter().filter_map(|arn| Some((arn.clone(), tags(arn)?.clone()))).collect();
    Ok((known, arns.iter().filter(|arn| tags(arn).is_none()).cloned().collect()))
}

/// Observes the owned resources of a kind one by one, from the ARNs that [`owned`] knows, without a list call.
///
/// Returns none when a list call is needed: a resource that the document names is not among them or no longer exists, or
/// the scope asks for more than owned resources. `is` matches the ARNs of the kind by service and resource. A later
/// observation finds orphans that the index does not have yet.
pub async fn known<K: Kind, F>(
    aws: &Aws,
    scope: &Scope,
    is: impl Fn(&str, &str) -> bool,
    mut observe: impl FnMut(String, Tags) -> F,
) -> Result<Option<Vec<Live<K>>>>
where
    F: Future<Output = Result<Option<Live<K>>>>,
{
    if scope.names.is_empty() {
        return Ok(None);
    }
    let Some(known) = owned(aws, scope, is).await?.filter(|known| known.len() >= scope.names.len()) else {
        return Ok(None);
    };
    let found = each(known, |(arn, tags)| observe(arn, tags)).await?;
    let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
    Ok((!lacks(scope, &names)).then_some(found))
}

/// The owned resources by ARN, from the index or from this pass's own creates. None when the scope asks for more than
/// owned resources.
pub async fn owned(aws: &Aws, scope: &Scope, is: impl Fn(&str, &str) -> bool) -> Result<Option<Index>> {
    if scope.owners.len() > 1 || !scope.lookups.is_empty() || !scope.ids.is_empty() {
        return Ok(None);
    }
    let index = match (scope.from_index, scope.confirmed.all) {
        (true, _) => index(aws, scope).await?,
        (false, true) => Arc::new(scope.confirmed.tags.clone()),
        (false, false) => return Ok(None),
    };
    let is = |arn: &str| {
        let mut parts = arn.splitn(6, ':').skip(2);
        parts.next().zip(parts.nth(2)).is_some_and(|(service, resource)| is(service, resource))
    };
    let known = index.iter().filter(|(arn, tags)| is(arn) && scope.is_owned(tags));
    Ok(Some(known.map(|(arn, tags)| (arn.clone(), tags.clone())).collect()))
}

/// True when a name of the document is missing among these names, in any generation.
pub fn lacks(scope: &Scope, names: &[&str]) -> bool {
    let is = |live: &str, name: &str| {
        let rest = live.strip_prefix(name);
        let generation = rest.and_then(|rest| rest.strip_prefix("-g"));
        rest == Some("") || generation.is_some_and(|of| of.bytes().all(|b| b.is_ascii_digit()))
    };
    // An adopted resource is requested by its id.
    let own = scope.names.iter().filter(|name| !scope.ids.contains(*name));
    own.into_iter().any(|name| !names.iter().any(|live| is(live, name)))
}

/// The clients of the region whose index has the global resources
/// (<https://github.com/cloud-custodian/cloud-custodian/pull/2729>).
pub fn of_no_region(aws: &Aws) -> Result<Arc<Aws>> {
    let region = aws.region();
    aws.in_region(match region.split('-').next() {
        Some("cn") => "cn-northwest-1",
        Some("us") if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    })
}

/// The index of this region: the tags of all owned resources of every kind, read once per refresh. The index is empty when
/// the call fails, because it is only a hint. It covers every kind with tags except IAM users and roles
/// (<https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html>).
pub async fn index(aws: &Aws, scope: &Scope) -> Result<Arc<Index>> {
    aws.once(scope, "tagging", || ask(aws, scope)).await
}

async fn ask(aws: &Aws, scope: &Scope) -> Result<Index> {
    let values = |of: fn(&(String, String)) -> String| scope.all_owners.iter().map(of).collect::<Vec<_>>();
    let filter = |key: &str, values| TagFilter::builder().key(key).set_values(Some(values)).build();
    let pages = |types: &[&str]| {
        let all = tagging(aws).get_resources().resources_per_page(100);
        let ours = all
            .tag_filters(filter(tag::STACK, values(|(stack, _)| stack.clone())))
            .tag_filters(filter(tag::ENV, values(|(_, env)| env.clone())))
            .set_resource_type_filters(Some(types.iter().map(ToString::to_string).collect()));
        ours.into_paginator().items().send().collect()
    };
    let mut found: std::result::Result<Vec<_>, _> = pages(TYPES).await;
    if found.is_err() {
        // A partition that lacks one of these services may refuse the whole filter.
        found = pages(&[]).await;
    }
    let row = |row: ResourceTagMapping| Some((row.resource_arn?, pairs(row.tags)));
    Ok(found.unwrap_or_default().into_iter().filter_map(row).collect())
}

/// The tags of one ARN in the index. None when the index does not have the ARN; the resource may have tags all the same.
pub async fn of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = tagging(aws).get_resources().resource_arn_list(arn).send().await?;
    Ok(output.resource_tag_mapping_list.unwrap_or_default().pop().map(|row| pairs(row.tags)))
}

fn pairs(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_types_that_copy_our_tags_are_left_out() {
        assert!(is_indexed("arn:aws:s3:::shop-prod-assets"));
        assert!(is_indexed("arn:aws:rds:eu-west-1:1:db:shop-prod-main"));
        assert!(is_indexed("arn:aws:ecs:eu-west-1:1:task-definition/shop-prod-web:7"));
        assert!(!is_indexed("arn:aws:ecs:eu-west-1:1:task/shop-prod-main/0123"));
        assert!(!is_indexed("arn:aws:rds:eu-west-1:1:snapshot:rds:shop-prod-main-2026-01-01"));
        assert!(!is_indexed("arn:aws:ec2:eu-west-1:1:vpc/vpc-1"));
    }

    #[test]
    fn a_name_matches_in_every_generation() {
        let mut scope = Scope::default();
        assert!(!lacks(&scope, &[]));
        scope.names.insert("shop-prod-site".into());
        let lacks = |name: &str| lacks(&scope, &[name]);
        assert!(lacks("shop-prod-site2") && lacks("shop-prod") && lacks("shop-prod-site-green"));
        assert!(!lacks("shop-prod-site") && !lacks("shop-prod-site-g2"));
    }
}
