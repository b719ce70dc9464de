//! KMS: the client and the tag calls that its kinds share.

pub(crate) mod alias;
pub(crate) mod key;

use std::collections::BTreeMap;

use aws_sdk_kms::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::tagging::Tags;

holdfast_base::client!(kms: aws_sdk_kms);

/// Returns the tags of a key; `None` if the key does not exist or its key policy denies the read.
pub(crate) async fn tags_of(aws: &Aws, key: &str) -> Result<Option<Tags>> {
    let pages = kms(aws).list_resource_tags().key_id(key).into_paginator().items().send();
    let tags = match pages.collect::<std::result::Result<Vec<Tag>, _>>().await.or_absent() {
        // AWS managed keys, and keys of other principals. Holdfast does not own them.
        Err(error) if error.0.code.as_deref() == Some("AccessDeniedException") => return Ok(None),
        response => response?,
    };
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect()))
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().tag_key(key).tag_value(value).build();
    Ok(tags.iter().map(tag).collect::<std::result::Result<_, _>>()?)
}
