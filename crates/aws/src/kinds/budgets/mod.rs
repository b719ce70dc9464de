//! Budgets: what its kinds share.

pub(crate) mod budget;
mod wire;
