//! ECR: private repositories of container images.

pub(crate) mod repository;

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::tagging::{self, Tags};
use holdfast_engine::cloud::Scope;

holdfast_base::client!(ecr: aws_sdk_ecr);
holdfast_base::sdk_tags!(required aws_sdk_ecr::types::Tag);
holdfast_base::tag_calls!(EcrTags: ecr, tag_resource.resource_arn, untag_resource.resource_arn);

/// Returns the tags of an ARN; `None` if the resource does not exist.
async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        let response = ecr(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
        Ok(response.map(|response| from_sdk_tags(response.tags())))
    })
    .await
}
