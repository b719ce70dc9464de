//! CloudWatch: alarms and dashboards.

pub(crate) mod alarm;
pub(crate) mod composite_alarm;
pub(crate) mod dashboard;

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::tagging::Tags;

holdfast_base::client!(cloudwatch: aws_sdk_cloudwatch);
holdfast_base::sdk_tags!(optional aws_sdk_cloudwatch::types::Tag);
holdfast_base::tag_calls!(CloudWatchTags: cloudwatch, tag_resource.resource_arn, untag_resource.resource_arn);

/// Returns the tags of an alarm or dashboard; none when it no longer exists.
async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = cloudwatch(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(output.map(|output| from_sdk_tags(output.tags())))
}
