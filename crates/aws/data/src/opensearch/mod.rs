//! OpenSearch Service: the client that its kinds share.

pub(crate) mod from_response;
pub(crate) mod options;
pub(crate) mod search_domain;
pub(crate) mod wire;

holdfast_base::client!(opensearch: aws_sdk_opensearch);
