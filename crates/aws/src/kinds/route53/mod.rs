//! Route 53.

pub(crate) mod hosted_zone;
