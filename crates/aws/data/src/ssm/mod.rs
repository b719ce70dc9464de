//! Systems Manager: what its kinds share.

mod content;
pub(crate) mod parameter;

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ResourceTypeForTagging, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::tagging::Tags;

holdfast_base::client!(ssm: aws_sdk_ssm);

/// The tags of a parameter; none when it is not there.
pub(crate) async fn tags_of(aws: &Aws, name: &str) -> Result<Option<Tags>> {
    let ask = ssm(aws).list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    // What is not there has this code of its own here.
    let answer = match ask.send().await.or_absent() {
        Err(error) if error.0.code.as_deref() == Some("InvalidResourceId") => None,
        answer => answer?,
    };
    Ok(answer.map(|answer| answer.tag_list.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

/// Tags as the calls take them.
pub(crate) fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    Ok(tags.iter().map(tag).collect::<std::result::Result<_, _>>()?)
}
