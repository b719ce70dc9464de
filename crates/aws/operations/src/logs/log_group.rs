//! LogGroup: a CloudWatch log group, which containers, flow logs and databases write to.

use aws_sdk_cloudwatchlogs::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagCalls, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{Demand::OneOf, Relation, demand};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::Arn;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::logs;

/// A log group of CloudWatch Logs. The default name is `/<stack>-<env>-<name>`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogGroup {
    /// The retention period in days: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
    /// 2557, 2922, 3288 or 3653. `null` keeps log events forever.
    #[spec(range = 1..=3653)]
    retention_in_days: Option<i32>,
    /// The ARN of the KMS key that encrypts the log group; `null` for the service's own key.
    #[spec(spelling = Key)]
    kms_key_id: Option<Arn>,
    /// The log group class.
    #[spec(immutable, one_of = sdk::LogGroupClass, default = "STANDARD")]
    log_group_class: Option<String>,
}

/// The read-only attributes of a LogGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogGroupStatus {
    /// The log group's ARN, without the `:*` that some responses append.
    arn: String,
}

impl Kind for LogGroup {
    type Status = LogGroupStatus;
    type Owner = TagOnCreate<LogTags, ByArn>;
    const TIER: Tier = Tier::Operations;
    /// A log group accepts log events as soon as it exists. The update after the create sets the retention period.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules {
        prefix: "/",
        form: (r"[.A-Za-z0-9_/#-]+", "has letters, digits and the characters `._/#-`"),
        ..NamingRules::limit(512)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
        demand(OneOf(
            "retentionInDays",
            &[
                "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731", "1096",
                "1827", "2192", "2557", "2922", "3288", "3653",
            ],
        )),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let groups = logs(aws).describe_log_groups().into_paginator().items().send();
        each(all(groups).await?, |group| async move {
            let name = group.log_group_name.clone().unwrap_or_default();
            let arn = arn(&group).ok_or_else(|| Error::incomplete("logs.DescribeLogGroups", "arn"))?;
            let live = live(&group, name, arn);
            if !scope.wants(&Listed::name(&live.name).or_id(&live.status.arn).spec(&live.spec)).any() {
                return Ok(None);
            }
            let arn = &live.status.arn;
            let tags = tagging::tags(aws, scope, arn, || tags_of(aws, arn)).await?;
            Ok(tags.map(|tags| live.tags(tags)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let LogGroup { retention_in_days: _, kms_key_id, log_group_class } = &desired.spec;
        logs(aws)
            .create_log_group()
            .log_group_name(&desired.name)
            .set_kms_key_id(kms_key_id.as_ref().map(|arn| arn.0.clone()))
            .set_log_group_class(log_group_class.as_deref().map(Into::into))
            .set_tags(Some(desired.tags.clone().into_iter().collect()))
            .send()
            .await?;
        let Some(arn) = aws.arn("logs", &format!("log-group:{}", desired.name)) else {
            return Ok(Created::unobserved(&desired.name));
        };
        let spec = LogGroup { retention_in_days: None, ..desired.spec.clone() };
        Ok(Live { spec, ..desired.as_live(&desired.name, LogGroupStatus { arn }) }.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let LogGroup { retention_in_days, kms_key_id, log_group_class: _ } = &desired.spec;
        if desired.changed(LogGroup::KMS_KEY_ID) {
            match kms_key_id {
                Some(key) => {
                    logs(aws).associate_kms_key().log_group_name(&live.id).kms_key_id(&key.0).send().await?;
                }
                None => {
                    logs(aws).disassociate_kms_key().log_group_name(&live.id).send().await?;
                }
            }
        }
        if desired.changed(LogGroup::RETENTION_IN_DAYS) {
            match retention_in_days {
                Some(days) => {
                    logs(aws).put_retention_policy().log_group_name(&live.id).retention_in_days(*days).send().await?;
                }
                None => {
                    logs(aws).delete_retention_policy().log_group_name(&live.id).send().await?;
                }
            }
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        logs(aws).delete_log_group().log_group_name(&live.id).send().await?;
        Ok(())
    }
}

/// The calls that set and remove tags, which take tags as a map.
pub(crate) struct LogTags;

impl TagCalls for LogTags {
    async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<()> {
        logs(aws).tag_resource().resource_arn(arn).set_tags(Some(tags.clone().into_iter().collect())).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<()> {
        logs(aws).untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
        Ok(())
    }
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = logs(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(output.map(|output| output.tags.unwrap_or_default().into_iter().collect()))
}

/// Returns the ARN that the tag calls take: the ARN without `:*`.
fn arn(group: &sdk::LogGroup) -> Option<String> {
    let arn = group.log_group_arn.as_deref().or(group.arn.as_deref())?;
    Some(arn.trim_end_matches(":*").to_owned())
}

fn live(group: &sdk::LogGroup, name: String, arn: String) -> Live<LogGroup> {
    let spec = LogGroup {
        retention_in_days: group.retention_in_days,
        kms_key_id: group.kms_key_id.clone().map(Arn),
        log_group_class: group.log_group_class.as_ref().map(|c| c.as_str().to_owned()),
    };
    Live::new(name.clone(), name, spec, LogGroupStatus { arn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_for_tag_calls_has_no_wildcard() {
        let group = sdk::LogGroup::builder().arn("arn:aws:logs:us-east-1:1:log-group:/a:*").build();
        assert_eq!(arn(&group).as_deref(), Some("arn:aws:logs:us-east-1:1:log-group:/a"));
        assert_eq!(live(&group, "/a".into(), String::new()).spec.retention_in_days, None);
    }
}
