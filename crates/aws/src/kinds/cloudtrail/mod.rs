//! CloudTrail: what its kinds share.

pub(crate) mod trail;
