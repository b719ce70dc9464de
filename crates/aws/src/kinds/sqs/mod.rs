//! SQS: what its kinds share.

pub(crate) mod queue;
