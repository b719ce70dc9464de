//! Application Auto Scaling, for ECS services.

pub(crate) mod scalable_target;
pub(crate) mod scaling_policy;
