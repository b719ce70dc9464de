//! Application Auto Scaling, for ECS services.

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::Retag;
use holdfast_base::tagging::Tags;

holdfast_base::client!(autoscaling: aws_sdk_applicationautoscaling);

pub(crate) mod scalable_target;
pub(crate) mod scaling_policy;

/// The tags of an ARN; none when it is not there.
pub(crate) async fn tags(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = autoscaling(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// Changes the tags of an ARN.
pub(crate) async fn retag(aws: &Aws, arn: &str, tags: &Retag) -> Result<()> {
    let Retag { set, remove } = tags;
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
