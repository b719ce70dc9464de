//! Application Auto Scaling, for ECS services.

pub(crate) mod scalable_target;
pub(crate) mod scaling_policy;

use crate::client::Aws;
use crate::error::{OrAbsent, Result};
use crate::kind::Retag;
use crate::tagging::Tags;

/// The tags of an ARN; none when it is not there.
pub(crate) async fn tags(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = aws.autoscaling.list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// Changes the tags of an ARN.
pub(crate) async fn retag(aws: &Aws, arn: &str, tags: &Retag) -> Result<()> {
    let Retag { set, remove } = tags;
    if !set.is_empty() {
        let set = set.clone().into_iter().collect();
        aws.autoscaling.tag_resource().resource_arn(arn).set_tags(Some(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        aws.autoscaling.untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}
