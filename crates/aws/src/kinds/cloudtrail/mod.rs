//! CloudTrail: what its kinds share.

mod selectors;
pub(crate) mod trail;
