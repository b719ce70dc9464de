//! IAM: roles, managed policies, instance profiles and OpenID Connect providers.

pub(crate) mod instance_profile;
pub(crate) mod oidc_provider;
pub(crate) mod policy;
pub(crate) mod role;

holdfast_base::client!(iam: aws_sdk_iam);
holdfast_base::sdk_tags!(required aws_sdk_iam::types::Tag);
holdfast_base::tag_calls!(RoleTags: iam, tag_role.role_name, untag_role.role_name);
holdfast_base::tag_calls!(PolicyTags: iam, tag_policy.policy_arn, untag_policy.policy_arn);
holdfast_base::tag_calls!(
    InstanceProfileTags: iam,
    tag_instance_profile.instance_profile_name,
    untag_instance_profile.instance_profile_name
);
holdfast_base::tag_calls!(
    OidcProviderTags: iam,
    tag_open_id_connect_provider.open_id_connect_provider_arn,
    untag_open_id_connect_provider.open_id_connect_provider_arn
);
