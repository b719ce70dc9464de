//! Systems Manager: the client and the tag calls that its kinds share.

mod content;
pub(crate) mod parameter;

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ResourceTypeForTagging, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::tagging::Tags;

holdfast_base::client!(ssm: aws_sdk_ssm);

/// Returns the tags of a parameter; `None` if the parameter does not exist.
pub(crate) async fn tags_of(aws: &Aws, name: &str) -> Result<Option<Tags>> {
    let call = ssm(aws).list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    // For a parameter that does not exist, this call fails with its own error code.
    let response = match call.send().await.or_absent() {
        Err(error) if error.0.code.as_deref() == Some("InvalidResourceId") => None,
        response => response?,
    };
    Ok(response
        .map(|response| response.tag_list.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

/// Converts tags for requests.
pub(crate) fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    Ok(tags.iter().map(tag).collect::<std::result::Result<_, _>>()?)
}
