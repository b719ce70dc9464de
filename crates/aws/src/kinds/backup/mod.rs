//! AWS Backup: what its kinds share.

pub(crate) mod backup_plan;
pub(crate) mod backup_selection;
pub(crate) mod backup_vault;
