//! OpenSearch Service: what its kinds share.

pub(crate) mod search_domain;
