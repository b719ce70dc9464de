//! OpenSearch Service: what its kinds share.

pub(crate) mod options;
pub(crate) mod search_domain;
pub(crate) mod told;
pub(crate) mod wire;

holdfast_base::client!(opensearch: aws_sdk_opensearch);
