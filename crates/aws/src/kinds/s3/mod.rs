//! S3: what its kinds share.

pub(crate) mod bucket;
