//! OpenSearch Service: the client and the tag calls.

pub(crate) mod search_domain;

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::owner::TagCalls;
use holdfast_base::tagging::{self, Tags};
use holdfast_engine::cloud::Scope;

holdfast_base::client!(opensearch: aws_sdk_opensearch);
holdfast_base::sdk_tags!(required aws_sdk_opensearch::types::Tag);

/// The calls that set and remove tags.
pub(crate) struct OpenSearchTags;

impl TagCalls for OpenSearchTags {
    async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<()> {
        opensearch(aws).add_tags().arn(arn).set_tag_list(Some(sdk_tags(tags)?)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<()> {
        opensearch(aws).remove_tags().arn(arn).set_tag_keys(Some(keys)).send().await?;
        Ok(())
    }
}

/// Returns the tags of an ARN; `None` if the resource does not exist.
async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        let response = opensearch(aws).list_tags().arn(arn).send().await.or_absent()?;
        Ok(response.map(|response| from_sdk_tags(response.tag_list())))
    })
    .await
}
