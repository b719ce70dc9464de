//! Application Auto Scaling, for ECS services.

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::owner::TagCalls;
use holdfast_base::tagging::Tags;

holdfast_base::client!(autoscaling: aws_sdk_applicationautoscaling);

pub(crate) mod scalable_target;
pub(crate) mod scaling_policy;

/// Returns the tags of an ARN; `None` when the resource does not exist.
pub(crate) async fn tags(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = autoscaling(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(output.map(|output| output.tags.unwrap_or_default().into_iter().collect()))
}

/// The calls that set and remove tags.
pub(crate) struct AutoscalingTags;

impl TagCalls for AutoscalingTags {
    async fn set(aws: &Aws, resource: &str, tags: &Tags) -> Result<()> {
        let tags = tags.clone().into_iter().collect();
        autoscaling(aws).tag_resource().resource_arn(resource).set_tags(Some(tags)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, resource: &str, keys: Vec<String>) -> Result<()> {
        autoscaling(aws).untag_resource().resource_arn(resource).set_tag_keys(Some(keys)).send().await?;
        Ok(())
    }
}
