//! IAM: what its kinds share.

pub(crate) mod role;
