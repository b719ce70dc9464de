//! Systems Manager: what its kinds share.

pub(crate) mod parameter;
