//! CloudFront: policies with an owner marker in their comment, and distributions, whose configuration is replaced as a
//! whole.

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
use holdfast_base::kind::{Kind, Live, TagChanges};
use holdfast_base::owner_marker;
use holdfast_base::tagging::Tags;
use holdfast_engine::cloud::Scope;

holdfast_base::client!(cloudfront: aws_sdk_cloudfront);

/// The maximum length of a policy's comment in characters
/// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CachePolicyConfig.html>).
const COMMENT_LIMIT: usize = 128;

/// Joins the comment that people wrote and the owner marker.
fn join_comment<K: Kind>(text: Option<&str>, tags: &Tags, limit: usize) -> Result<String> {
    owner_marker::join::<K>(text.unwrap_or_default(), tags, limit)
}

/// Splits a comment into the text that people wrote and the owner tags.
fn split_comment<K: Kind>(text: Option<&str>) -> (Option<String>, Tags) {
    let (text, tags) = owner_marker::split::<K>(text.unwrap_or_default());
    (Some(text.to_owned()).filter(|text| !text.is_empty()), tags)
}

/// Returns the owner tags after these changes, for a marker that is rewritten.
fn tags_after<K: Kind>(live: &Live<K>, TagChanges { set, remove }: &TagChanges) -> Tags {
    let mut tags = live.tags.clone();
    tags.extend(set.clone());
    tags.retain(|key, _| !remove.contains(key));
    tags
}

/// True when the scope requests this resource. The list call returns complete resources, so a lookup can choose among
/// all of them.
fn is_requested<K: Kind>(scope: &Scope, live: &Live<K>) -> bool {
    scope.is_owned(&live.tags)
        || scope.is_candidate(&live.name)
        || may_request_managed(scope)
        || scope.ids.contains(&live.id)
}

/// True when the scope may request AWS's managed policies too.
fn may_request_managed(scope: &Scope) -> bool {
    !scope.lookups.is_empty() || !scope.ids.is_empty()
}

/// Returns the `Quantity` that CloudFront requires beside `Items`.
fn quantity<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}

/// Returns the items of a set as a list for CloudFront's calls.
fn list(set: &BTreeSet<String>) -> Vec<String> {
    set.iter().cloned().collect()
}
