//! Secrets Manager: what its kinds share.

pub(crate) mod secret;
