//! CloudTrail: trails and their event selectors.

mod selectors;
pub(crate) mod trail;

holdfast_base::client!(cloudtrail: aws_sdk_cloudtrail);
