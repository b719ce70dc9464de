//! CloudTrail: what its kinds share.

mod selectors;
pub(crate) mod trail;

holdfast_base::client!(cloudtrail: aws_sdk_cloudtrail);
