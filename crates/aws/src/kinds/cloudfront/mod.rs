//! CloudFront: policies with their owner's mark, and distributions, whose configuration is replaced as a whole.

mod behavior;
pub(crate) mod cache_policy;
pub(crate) mod distribution;
mod distribution_wire;
mod origin;
pub(crate) mod origin_access_control;
pub(crate) mod origin_request_policy;
mod origin_wire;
mod response_headers;
pub(crate) mod response_headers_policy;
mod selection;

use std::collections::{BTreeMap, BTreeSet};

use aws_config::Region;
use aws_sdk_resourcegroupstagging::config::Config;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use holdfast_core::observed::tag;
use holdfast_engine::cloud::Scope;

use crate::client::Aws;
use crate::error::Result;
use crate::kind::{Kind, Live, Retag};
use crate::mark;
use crate::tagging::Tags;

/// Characters of a policy's comment (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CachePolicyConfig.html>).
const COMMENT: usize = 128;

/// The text that people wrote and the owner's mark, as one comment.
fn comment<K: Kind>(text: Option<&str>, tags: &Tags, limit: usize) -> Result<String> {
    mark::join::<K>(text.unwrap_or_default(), tags, limit)
}

/// A comment as the text that people wrote, and the owner tags.
fn uncomment<K: Kind>(text: Option<&str>) -> (Option<String>, Tags) {
    let (text, tags) = mark::split::<K>(text.unwrap_or_default());
    (Some(text.to_owned()).filter(|text| !text.is_empty()), tags)
}

/// The owner tags of a mark that is written anew.
fn retagged<K: Kind>(live: &Live<K>, Retag { set, remove }: &Retag) -> Tags {
    let mut tags = live.tags.clone();
    tags.extend(set.clone());
    tags.retain(|key, _| !remove.contains(key));
    tags
}

/// True when something with a mark is wanted. Its list tells it whole, so that lookups may choose among all.
fn is_wanted<K: Kind>(scope: &Scope, live: &Live<K>) -> bool {
    scope.is_owned(&live.tags) || scope.is_candidate(&live.name) || is_lookup(scope) || scope.ids.contains(&live.id)
}

/// True when AWS's own policies may be meant, too.
fn is_lookup(scope: &Scope) -> bool {
    !scope.lookups.is_empty() || !scope.ids.is_empty()
}

/// CloudFront's `Quantity` beside its `Items`.
fn quantity<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}

/// The items of a set as CloudFront's lists take them.
fn list(set: &BTreeSet<String>) -> Vec<String> {
    set.iter().cloned().collect()
}

/// The distributions that the Tagging API knows as ours, with their tags; none when it does not answer. It tells them
/// in us-east-1 only, wherever home is
/// (<https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>).
async fn tagged(aws: &Aws, scope: &Scope) -> BTreeMap<String, Tags> {
    let values = |of: fn(&(String, String)) -> String| scope.owners.iter().map(of).collect::<Vec<_>>();
    let filter = |key: &str, values| TagFilter::builder().key(key).set_values(Some(values)).build();
    let mut found = BTreeMap::new();
    let mut next = None;
    loop {
        let ask = aws
            .tagging
            .get_resources()
            .resource_type_filters("cloudfront:distribution")
            .tag_filters(filter(tag::STACK, values(|(stack, _)| stack.clone())))
            .tag_filters(filter(tag::ENV, values(|(_, env)| env.clone())))
            .set_pagination_token(next);
        let there = Config::builder().region(Region::new("us-east-1"));
        let Ok(page) = ask.customize().config_override(there).send().await else { return found };
        for row in page.resource_tag_mapping_list.unwrap_or_default() {
            let tags = row.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
            found.insert(row.resource_arn.unwrap_or_default(), tags);
        }
        next = page.pagination_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return found;
        }
    }
}
