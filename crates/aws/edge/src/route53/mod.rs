//! Route 53.

pub(crate) mod calls;
pub(crate) mod health_check;
pub(crate) mod hosted_zone;
pub(crate) mod name;
pub(crate) mod record_set;

holdfast_base::client!(route53: aws_sdk_route53);
