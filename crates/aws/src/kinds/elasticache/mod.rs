//! ElastiCache: what its kinds share.

pub(crate) mod cache_parameter_group;
pub(crate) mod cache_subnet_group;
pub(crate) mod replication_group;
pub(crate) mod version;
