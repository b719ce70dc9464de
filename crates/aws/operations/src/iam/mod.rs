//! IAM: roles, managed policies, instance profiles and OpenID Connect providers.

pub(crate) mod instance_profile;
pub(crate) mod oidc_provider;
pub(crate) mod policy;
pub(crate) mod role;

holdfast_base::client!(iam: aws_sdk_iam);
