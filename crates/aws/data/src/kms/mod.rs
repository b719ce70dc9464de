//! KMS: the client and the tag calls that its kinds share.

pub(crate) mod alias;
pub(crate) mod key;

use aws_sdk_kms::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;

holdfast_base::client!(kms: aws_sdk_kms);
holdfast_base::tag_calls!(KmsTags: kms, tag_resource.key_id, untag_resource.key_id);

/// Returns the tags of a key; `None` if the key does not exist or its key policy denies the read.
async fn tags_of(aws: &Aws, key: &str) -> Result<Option<Tags>> {
    let pages = kms(aws).list_resource_tags().key_id(key).into_paginator().items().send();
    let tags = match all(pages).await.or_absent() {
        // AWS managed keys, and keys of other principals. Holdfast does not own them.
        Err(error) if error.0.code.as_deref() == Some("AccessDeniedException") => return Ok(None),
        response => response?,
    };
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect()))
}

/// Returns tags in the SDK's type.
fn sdk_tags(tags: &Tags) -> Result<Vec<Tag>> {
    tags.iter().map(|(key, value)| Ok(Tag::builder().tag_key(key).tag_value(value).build()?)).collect()
}
