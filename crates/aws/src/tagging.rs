//! The Tagging API as a hint: one answer with the tags of everything that is ours in a region.
//!
//! Its answer lags behind the services' own, so it proves neither that something is absent nor what
//! a change just made. Only the first look of a pass uses it, and only for tags that are there.

use std::collections::BTreeMap;
use std::future::Future;

use aws_sdk_resourcegroupstagging::types::TagFilter;
use holdfast_core::observed::tag;
use holdfast_engine::cloud::Scope;

use crate::client::Aws;
use crate::error::Result;

/// The tags of a resource.
pub(crate) type Tags = BTreeMap<String, String>;

/// The tags of an ARN: from the hint where it has them, else as the service itself answers `ask`.
pub(crate) async fn tags<F>(aws: &Aws, scope: &Scope, arn: &str, ask: impl FnOnce() -> F) -> Result<Option<Tags>>
where
    F: Future<Output = Result<Option<Tags>>>,
{
    if scope.hints {
        let hinted = aws.once(scope, "tagging", || hint(aws, scope)).await?;
        if let Some(tags) = hinted.get(arn) {
            return Ok(Some(tags.clone()));
        }
    }
    ask().await
}

/// What the hint knows of these ARNs, and the ARNs that it does not know.
pub(crate) async fn split(aws: &Aws, scope: &Scope, arns: &[String]) -> Result<(BTreeMap<String, Tags>, Vec<String>)> {
    if !scope.hints || arns.is_empty() {
        return Ok((BTreeMap::new(), arns.to_vec()));
    }
    let hinted = aws.once(scope, "tagging", || hint(aws, scope)).await?;
    let known = arns.iter().filter_map(|arn| Some((arn.clone(), hinted.get(arn)?.clone()))).collect();
    Ok((known, arns.iter().filter(|arn| !hinted.contains_key(*arn)).cloned().collect()))
}

/// The tags of all that the scope's owners own in this region, by ARN; none when the call fails: it is a hint.
async fn hint(aws: &Aws, scope: &Scope) -> Result<BTreeMap<String, Tags>> {
    let values = |of: fn(&(String, String)) -> String| scope.owners.iter().map(of).collect::<Vec<_>>();
    let filter = |key: &str, values| TagFilter::builder().key(key).set_values(Some(values)).build();
    let pages = aws
        .tagging
        .get_resources()
        .resources_per_page(100)
        .tag_filters(filter(tag::STACK, values(|(stack, _)| stack.clone())))
        .tag_filters(filter(tag::ENV, values(|(_, env)| env.clone())))
        .into_paginator()
        .items()
        .send();
    let found: std::result::Result<Vec<_>, _> = pages.collect().await;
    let pair = |t: aws_sdk_resourcegroupstagging::types::Tag| (t.key, t.value);
    let row = |r: aws_sdk_resourcegroupstagging::types::ResourceTagMapping| {
        Some((r.resource_arn?, r.tags.unwrap_or_default().into_iter().map(pair).collect()))
    };
    Ok(found.unwrap_or_default().into_iter().filter_map(row).collect())
}
