//! S3: the client, tags and partitions that its modules share.

mod access;
pub(crate) mod bucket;
mod contents;
mod lifecycle;
mod observe;
mod replication;
mod settings;
mod tags;
mod write;

use std::collections::BTreeMap;

use aws_sdk_s3::types::Tag;
use holdfast_base::client::SdkConfig;
use holdfast_base::error::Result;

// A custom endpoint, such as that of an emulator, seldom has a host name for each bucket.
holdfast_base::client!(s3: aws_sdk_s3, |builder: aws_sdk_s3::config::Builder, config: &SdkConfig| {
    builder.force_path_style(config.endpoint_url().is_some())
});

/// Returns tags in the form of a call.
fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.iter().map(|(key, value)| Ok(Tag::builder().key(key).value(value).build()?)).collect()
}

/// Returns the tags of a response.
fn pairs(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// Returns the partition of a region, as in ARNs.
fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}
