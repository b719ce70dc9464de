//! Route 53: what its kinds share.

pub(crate) mod health_check;
pub(crate) mod hosted_zone;
pub(crate) mod record_set;
