//! KMS: what its kinds share.

pub(crate) mod alias;
pub(crate) mod key;
