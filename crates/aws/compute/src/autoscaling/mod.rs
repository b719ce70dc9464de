//! Application Auto Scaling, for ECS services.

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::TagChanges;
use holdfast_base::tagging::Tags;

holdfast_base::client!(autoscaling: aws_sdk_applicationautoscaling);

pub(crate) mod scalable_target;
pub(crate) mod scaling_policy;

/// Returns the tags of an ARN; `None` when the resource does not exist.
pub(crate) async fn tags(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = autoscaling(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(output.map(|output| output.tags.unwrap_or_default().into_iter().collect()))
}

/// Sets and removes tags of an ARN.
pub(crate) async fn change_tags(aws: &Aws, arn: &str, tags: &TagChanges) -> Result<()> {
    let TagChanges { set, remove } = tags;
    if !set.is_empty() {
        let set = set.clone().into_iter().collect();
        autoscaling(aws).tag_resource().resource_arn(arn).set_tags(Some(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        autoscaling(aws).untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}
