//! Systems Manager: the client and the tag calls that its kinds share.

pub(crate) mod parameter;

use aws_sdk_ssm::types::ResourceTypeForTagging;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::owner::TagCalls;
use holdfast_base::tagging::Tags;

holdfast_base::client!(ssm: aws_sdk_ssm);
holdfast_base::sdk_tags!(required aws_sdk_ssm::types::Tag);

/// The calls that set and remove tags of a parameter.
pub(crate) struct ParameterTags;

impl TagCalls for ParameterTags {
    async fn set(aws: &Aws, name: &str, tags: &Tags) -> Result<()> {
        let add = ssm(aws).add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
        add.resource_id(name).set_tags(Some(sdk_tags(tags)?)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, name: &str, keys: Vec<String>) -> Result<()> {
        let remove = ssm(aws).remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter);
        remove.resource_id(name).set_tag_keys(Some(keys)).send().await?;
        Ok(())
    }
}

/// Returns the tags of a parameter; `None` if the parameter does not exist.
pub(crate) async fn tags_of(aws: &Aws, name: &str) -> Result<Option<Tags>> {
    let call = ssm(aws).list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    // For a parameter that does not exist, this call fails with its own error code.
    let response = match call.send().await.or_absent() {
        Err(error) if error.0.code.as_deref() == Some("InvalidResourceId") => None,
        response => response?,
    };
    Ok(response.map(|response| from_sdk_tags(response.tag_list())))
}
