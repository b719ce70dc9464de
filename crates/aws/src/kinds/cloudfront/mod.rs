//! CloudFront: policies with their owner's mark, and distributions, whose configuration is replaced as a whole.

mod behavior;
pub(crate) mod cache_policy;
pub(crate) mod distribution;
mod origin;
pub(crate) mod origin_access_control;
pub(crate) mod origin_request_policy;
pub(crate) mod response_headers_policy;
mod selection;
