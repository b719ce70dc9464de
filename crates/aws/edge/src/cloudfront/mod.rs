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

use std::collections::BTreeSet;

use holdfast_base::error::Result;
use holdfast_base::kind::{Kind, Live, Retag};
use holdfast_base::mark;
use holdfast_base::tagging::Tags;
use holdfast_engine::cloud::Scope;

holdfast_base::client!(cloudfront: aws_sdk_cloudfront);

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
