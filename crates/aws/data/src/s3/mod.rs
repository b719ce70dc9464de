//! S3: the client, tags and partitions that its modules share.

pub(crate) mod bucket;

use holdfast_base::client::SdkConfig;

// A custom endpoint, such as that of an emulator, seldom has a host name for each bucket.
holdfast_base::client!(s3: aws_sdk_s3, |builder: aws_sdk_s3::config::Builder, config: &SdkConfig| {
    builder.force_path_style(config.endpoint_url().is_some())
});

holdfast_base::sdk_tags!(required aws_sdk_s3::types::Tag);

/// Returns the partition of a region, as in ARNs.
fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}
