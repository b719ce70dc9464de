//! The Tagging API as a hint: one answer with the tags of everything that is ours in a region.
//!
//! Its answer lags behind the services' own, so it proves neither that something is absent nor what
//! a change just made. Only the first look of a pass uses it, and only for what is there.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, Tag, TagFilter};
use holdfast_core::observed::tag;
use holdfast_engine::cloud::Scope;

use crate::client::Aws;
use crate::error::Result;
use crate::kind::{Kind, Live, each};

crate::client!(tagging: aws_sdk_resourcegroupstagging);

/// The tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// What the index knows, by ARN.
type Index = BTreeMap<String, Tags>;

/// The services and types, as ARNs have them, whose tags kinds take from the index. Left out is what tells its tags
/// itself, as most of EC2 does, and what has copies of ours: tasks and snapshots, of which there may be hundreds.
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

/// True when the index is asked for what this ARN is of.
fn is_asked_for(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, resource) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    let kind = resource.split(['/', ':']).next().unwrap_or_default();
    TYPES.iter().any(|of| *of == service || of.strip_prefix(service) == Some(&format!(":{kind}")))
}

/// The tags of an ARN: those that this pass gave it, or from the hint where it has them, else as the service itself
/// answers `ask`.
pub async fn tags<F>(aws: &Aws, scope: &Scope, arn: &str, ask: impl FnOnce() -> F) -> Result<Option<Tags>>
where
    F: Future<Output = Result<Option<Tags>>>,
{
    if let Some(tags) = scope.known.tags.get(arn) {
        return Ok(Some(tags.clone()));
    }
    debug_assert!(is_asked_for(arn), "the index is not asked for {arn}");
    if scope.hints
        && let Some(tags) = index(aws, scope).await?.get(arn)
    {
        return Ok(Some(tags.clone()));
    }
    ask().await
}

/// What is known of these ARNs without asking, and the ARNs of which nothing is.
pub async fn split(aws: &Aws, scope: &Scope, arns: &[String]) -> Result<(BTreeMap<String, Tags>, Vec<String>)> {
    debug_assert!(arns.iter().all(|arn| is_asked_for(arn)), "the index is not asked for all of {arns:?}");
    let hinted = match scope.hints && !arns.is_empty() {
        true => index(aws, scope).await?,
        false => Arc::default(),
    };
    let tags = |arn: &String| scope.known.tags.get(arn).or_else(|| hinted.get(arn));
    let known = arns.iter().filter_map(|arn| Some((arn.clone(), tags(arn)?.clone()))).collect();
    Ok((known, arns.iter().filter(|arn| tags(arn).is_none()).cloned().collect()))
}

/// What is ours of a kind, found as [`owned`] knows it and looked at one by one: nothing has to be listed then. None when
/// something that the document names is not among it, or not there any more, or when more is asked for than what is
/// ours; then a list has to say what is there.
///
/// `is` tells an ARN of the kind by its service and resource. What left the document and is not known yet is found by
/// a later look.
pub async fn known<K: Kind, F>(
    aws: &Aws,
    scope: &Scope,
    is: impl Fn(&str, &str) -> bool,
    mut look: impl FnMut(String, Tags) -> F,
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
    let found = each(known, |(arn, tags)| look(arn, tags)).await?;
    let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
    Ok((!lacks(scope, &names)).then_some(found))
}

/// What the hint knows as ours, by ARN, or what the pass made itself; none when more is asked for than what is ours.
pub async fn owned(aws: &Aws, scope: &Scope, is: impl Fn(&str, &str) -> bool) -> Result<Option<Index>> {
    if scope.owners.len() > 1 || !scope.lookups.is_empty() || !scope.ids.is_empty() {
        return Ok(None);
    }
    let index = match (scope.hints, scope.known.all) {
        (true, _) => index(aws, scope).await?,
        (false, true) => Arc::new(scope.known.tags.clone()),
        (false, false) => return Ok(None),
    };
    let is = |arn: &str| {
        let mut parts = arn.splitn(6, ':').skip(2);
        parts.next().zip(parts.nth(2)).is_some_and(|(service, resource)| is(service, resource))
    };
    let known = index.iter().filter(|(arn, tags)| is(arn) && scope.is_owned(tags));
    Ok(Some(known.map(|(arn, tags)| (arn.clone(), tags.clone())).collect()))
}

/// True when one that the document names is not among these, in whichever generation.
pub fn lacks(scope: &Scope, names: &[&str]) -> bool {
    let is = |there: &str, name: &str| {
        let rest = there.strip_prefix(name);
        let generation = rest.and_then(|rest| rest.strip_prefix("-g"));
        rest == Some("") || generation.is_some_and(|of| of.bytes().all(|b| b.is_ascii_digit()))
    };
    // An adopted one is asked for by its id.
    let own = scope.names.iter().filter(|name| !scope.ids.contains(*name));
    own.into_iter().any(|name| !names.iter().any(|there| is(there, name)))
}

/// The clients of the region whose index has what belongs to no region
/// (<https://github.com/cloud-custodian/cloud-custodian/pull/2729>).
pub fn of_no_region(aws: &Aws) -> Result<Arc<Aws>> {
    let region = aws.region();
    aws.in_region(match region.split('-').next() {
        Some("cn") => "cn-northwest-1",
        Some("us") if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    })
}

/// The tags of all that is wanted in this region, whatever its kind, asked once in a sweep; none when the call fails:
/// it is a hint. It has every kind that has tags, but users and roles
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
        // A partition that does not know one of these services may refuse them all.
        found = pages(&[]).await;
    }
    let row = |row: ResourceTagMapping| Some((row.resource_arn?, pairs(row.tags)));
    Ok(found.unwrap_or_default().into_iter().filter_map(row).collect())
}

/// The tags of one ARN as the index has them today; none when it does not know it, which may have tags all the same.
pub async fn of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = tagging(aws).get_resources().resource_arn_list(arn).send().await?;
    Ok(answer.resource_tag_mapping_list.unwrap_or_default().pop().map(|row| pairs(row.tags)))
}

fn pairs(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_copies_of_our_tags_is_left_out() {
        assert!(is_asked_for("arn:aws:s3:::shop-prod-assets"));
        assert!(is_asked_for("arn:aws:rds:eu-west-1:1:db:shop-prod-main"));
        assert!(is_asked_for("arn:aws:ecs:eu-west-1:1:task-definition/shop-prod-web:7"));
        assert!(!is_asked_for("arn:aws:ecs:eu-west-1:1:task/shop-prod-main/0123"));
        assert!(!is_asked_for("arn:aws:rds:eu-west-1:1:snapshot:rds:shop-prod-main-2026-01-01"));
        assert!(!is_asked_for("arn:aws:ec2:eu-west-1:1:vpc/vpc-1"));
    }

    #[test]
    fn every_generation_has_the_name() {
        let mut scope = Scope::default();
        assert!(!lacks(&scope, &[]));
        scope.names.insert("shop-prod-site".into());
        let lacks = |name: &str| lacks(&scope, &[name]);
        assert!(lacks("shop-prod-site2") && lacks("shop-prod") && lacks("shop-prod-site-green"));
        assert!(!lacks("shop-prod-site") && !lacks("shop-prod-site-g2"));
    }
}
