//! S3: what its kinds share.

mod access;
pub(crate) mod bucket;
mod contents;
mod lifecycle;
mod look;
mod replication;
mod settings;
mod tags;
mod write;

use std::collections::BTreeMap;

use aws_sdk_s3::types::Tag;
use holdfast_base::client::SdkConfig;
use holdfast_base::error::Result;

// An endpoint of one's own, an emulator's say, seldom has a host name for each bucket.
holdfast_base::client!(s3: aws_sdk_s3, |builder: aws_sdk_s3::config::Builder, config: &SdkConfig| {
    builder.force_path_style(config.endpoint_url().is_some())
});

/// Tags as S3's calls take them.
fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.iter().map(|(key, value)| Ok(Tag::builder().key(key).value(value).build()?)).collect()
}

/// Tags as S3 answers them.
fn pairs(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// The partition of a region, as ARNs have it.
fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}
