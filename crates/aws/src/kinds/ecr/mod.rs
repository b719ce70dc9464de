//! ECR.

pub(crate) mod repository;
