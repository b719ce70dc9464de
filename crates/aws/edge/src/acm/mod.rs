//! AWS Certificate Manager (ACM).

pub(crate) mod certificate;
mod validation;

holdfast_base::client!(acm: aws_sdk_acm);
