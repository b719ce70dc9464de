//! RDS: what its kinds share.

pub(crate) mod db_instance;
pub(crate) mod db_parameter_group;
pub(crate) mod db_proxy;
pub(crate) mod db_subnet_group;
