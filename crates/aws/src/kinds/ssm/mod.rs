//! Systems Manager: what its kinds share.

mod content;
pub(crate) mod parameter;
