//! CloudFront: what its kinds share.

pub(crate) mod cache_policy;
pub(crate) mod distribution;
pub(crate) mod origin_access_control;
pub(crate) mod origin_request_policy;
pub(crate) mod response_headers_policy;
