//! ECR: private repositories of container images.

pub(crate) mod repository;

holdfast_base::client!(ecr: aws_sdk_ecr);
