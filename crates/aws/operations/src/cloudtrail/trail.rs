//! Trail: a CloudTrail trail, which records API calls.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::Bucket;
use holdfast_base::names::Key;
use holdfast_base::owner::{ByArn, TagCalls, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{AtMostOne, Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Name, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::cloudtrail;
use super::selectors::{AdvancedEventSelector, EventSelector};
use crate::iam::role::Role;
use crate::logs::log_group::LogGroup;
use crate::sns::topic::Topic;

/// A CloudTrail trail.
///
/// The name has 3 to 128 letters, digits, dots, hyphens and underscores. The bucket policy must allow CloudTrail and
/// contain the trail's ARN. The trail waits for the bucket, so write the ARN as text in the bucket policy:
/// `arn:aws:cloudtrail:<region>:<account>:trail/<name>`
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trail {
    /// The bucket that receives the log files.
    s3_bucket: Ref<Bucket, Name>,
    /// The prefix of the keys of log files, before `AWSLogs/`; `null` for none.
    #[spec(length = ..=200)]
    s3_key_prefix: Option<String>,
    /// The topic that is notified of each new log file. Its topic policy must allow CloudTrail to publish.
    sns_topic: Option<Ref<Topic, Name>>,
    /// Whether the trail also records global services: IAM, STS and CloudFront.
    #[spec(default = true)]
    include_global_service_events: Option<ServerDefault<bool>>,
    /// Whether the trail records all regions of the account.
    #[spec(default = false)]
    is_multi_region_trail: Option<ServerDefault<bool>>,
    /// Whether the trail records all accounts of the organization. Only the organization's management account can have
    /// such a trail.
    #[spec(default = false)]
    is_organization_trail: Option<ServerDefault<bool>>,
    /// Whether CloudTrail delivers digest files, which prove that no log file was changed.
    #[spec(default = false)]
    enable_log_file_validation: Option<ServerDefault<bool>>,
    /// The KMS key that encrypts the log files; `null` for the bucket's own encryption. Its key policy must allow
    /// CloudTrail
    /// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>).
    kms_key: Option<Ref<Key, Arn>>,
    /// The log group that also receives the events. It requires `cloudWatchLogsRole`.
    cloud_watch_logs_log_group: Option<Ref<LogGroup, Arn>>,
    /// The role that CloudTrail assumes to write to the log group.
    cloud_watch_logs_role: Option<Ref<Role, Arn>>,
    /// Whether the trail records events. Holdfast's default is true; CreateTrail creates a trail that does not record.
    #[serde(default = "yes")]
    is_logging: bool,
    /// The basic event selectors: which events the trail records. AWS's default is one selector, `{}`: all management
    /// events, and no data events. State either this field or `advancedEventSelectors`.
    #[spec(items = ..=5)]
    event_selectors: Option<ServerDefault<Vec<EventSelector>>>,
    /// The advanced event selectors, by name: which events the trail records. `null` for AWS's default.
    advanced_event_selectors: Option<BTreeMap<String, AdvancedEventSelector>>,
    /// The unusual activity that CloudTrail Insights detects. `null` for none.
    #[spec(one_of = sdk::InsightType)]
    insight_selectors: Option<BTreeSet<String>>,
}

fn yes() -> bool {
    true
}

/// The read-only attributes of a Trail.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrailStatus {
    /// The trail's ARN.
    arn: String,
    /// The error of the last delivery of a log file, if it failed.
    latest_delivery_error: Option<String>,
}

/// The maximum number of trails in one ListTags call
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListTags.html>).
const BATCH: usize = 20;

impl Kind for Trail {
    type Status = TrailStatus;
    type Owner = TagOnCreate<TrailTags, ByArn>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules {
        form: (
            r"[A-Za-z0-9]([._-]?[A-Za-z0-9])+",
            "has at least 3 letters, digits and single `.`, `_` or `-`, and begins and ends with a letter or digit",
        ),
        ..NamingRules::limit(128)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
        demand(AtMostOne(&["eventSelectors", "advancedEventSelectors"])),
        // https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
        demand(Needs("cloudWatchLogsRole")).when(&[Stated("cloudWatchLogsLogGroup")]),
        demand(Needs("cloudWatchLogsLogGroup")).when(&[Stated("cloudWatchLogsRole")]),
        demand(OneOf("includeGlobalServiceEvents", &["true"])).when(&[Is("isMultiRegionTrail", &["true"])]),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        // Shadow trails of trails in other regions are left out.
        let output = cloudtrail(aws).describe_trails().include_shadow_trails(false).send().await?;
        let candidates = output.trail_list.unwrap_or_default().into_iter();
        let candidates = candidates.filter(|trail| scope.wants(&listed(trail)).any());
        let candidates: Vec<sdk::Trail> = candidates.collect();
        let arns: Vec<String> = candidates.iter().filter_map(|trail| trail.trail_arn.clone()).collect();
        let (mut tags, unknown) = tagging::split(aws, scope, &arns).await?;
        for batch in unknown.chunks(BATCH) {
            tags.extend(tags_of(aws, batch).await?);
        }
        let tags = &tags;
        each(candidates, |trail| async move {
            let arn = trail.trail_arn.clone();
            let arn = arn.ok_or_else(|| Error::incomplete("cloudtrail.DescribeTrails", "TrailARN"))?;
            let tags = tags.get(&arn).cloned().unwrap_or_default();
            let details = match scope.wants(&listed(&trail).tags(&tags)).fields() {
                true => details(aws, &trail, &arn).await?,
                // For a trail of another owner with a candidate name, only its existence matters.
                false => Some(TrailDetails::default()),
            };
            Ok(details.map(|details| live(&trail, arn, &details).tags(tags)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Trail {
            s3_bucket,
            s3_key_prefix,
            sns_topic,
            include_global_service_events,
            is_multi_region_trail,
            is_organization_trail,
            enable_log_file_validation,
            kms_key,
            cloud_watch_logs_log_group,
            cloud_watch_logs_role,
            is_logging: _,
            event_selectors: _,
            advanced_event_selectors: _,
            insight_selectors: _,
        } = &desired.spec;
        let output = cloudtrail(aws)
            .create_trail()
            .name(&desired.name)
            .s3_bucket_name(s3_bucket.as_str())
            .set_s3_key_prefix(s3_key_prefix.clone())
            .set_sns_topic_name(sns_topic.as_ref().map(ToString::to_string))
            .set_include_global_service_events(include_global_service_events.as_deref().copied())
            .set_is_multi_region_trail(is_multi_region_trail.as_deref().copied())
            .set_is_organization_trail(is_organization_trail.as_deref().copied())
            .set_enable_log_file_validation(enable_log_file_validation.as_deref().copied())
            .set_kms_key_id(kms_key.as_ref().map(ToString::to_string))
            .set_cloud_watch_logs_log_group_arn(cloud_watch_logs_log_group.as_ref().map(with_all_streams))
            .set_cloud_watch_logs_role_arn(cloud_watch_logs_role.as_ref().map(ToString::to_string))
            .set_tags_list(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let Some(arn) = output.trail_arn.clone() else { return Ok(Created::unobserved(&desired.name)) };
        // The new trail does not record yet, and has only the default selector.
        let trail = sdk::Trail::builder()
            .name(&desired.name)
            .set_s3_bucket_name(output.s3_bucket_name)
            .set_s3_key_prefix(output.s3_key_prefix)
            .set_sns_topic_arn(output.sns_topic_arn)
            .set_include_global_service_events(output.include_global_service_events)
            .set_is_multi_region_trail(output.is_multi_region_trail)
            .set_is_organization_trail(output.is_organization_trail)
            .set_log_file_validation_enabled(output.log_file_validation_enabled)
            .set_kms_key_id(output.kms_key_id)
            .set_cloud_watch_logs_log_group_arn(output.cloud_watch_logs_log_group_arn)
            .set_cloud_watch_logs_role_arn(output.cloud_watch_logs_role_arn);
        Ok(live(&trail.build(), arn, &TrailDetails::default()).tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Trail {
            s3_bucket,
            s3_key_prefix,
            sns_topic,
            include_global_service_events,
            is_multi_region_trail,
            is_organization_trail,
            enable_log_file_validation,
            kms_key,
            cloud_watch_logs_log_group,
            cloud_watch_logs_role,
            is_logging,
            event_selectors,
            advanced_event_selectors,
            insight_selectors,
        } = &desired.spec;
        let other_calls =
            [Trail::IS_LOGGING, Trail::EVENT_SELECTORS, Trail::ADVANCED_EVENT_SELECTORS, Trail::INSIGHT_SELECTORS];
        if desired.changed_besides(&other_calls) {
            // An empty string clears a field, and a field that is left out does not change.
            let or_empty = |field: FieldName<Trail>, value: Option<String>| {
                desired.changed(field).then(|| value.unwrap_or_default())
            };
            let text = ToString::to_string;
            cloudtrail(aws)
                .update_trail()
                .name(&live.status.arn)
                .s3_bucket_name(s3_bucket.as_str())
                .set_s3_key_prefix(or_empty(Trail::S3_KEY_PREFIX, s3_key_prefix.clone()))
                .set_sns_topic_name(or_empty(Trail::SNS_TOPIC, sns_topic.as_ref().map(ToString::to_string)))
                .set_include_global_service_events(include_global_service_events.as_deref().copied())
                .set_is_multi_region_trail(is_multi_region_trail.as_deref().copied())
                .set_is_organization_trail(is_organization_trail.as_deref().copied())
                .set_enable_log_file_validation(enable_log_file_validation.as_deref().copied())
                .set_kms_key_id(or_empty(Trail::KMS_KEY, kms_key.as_ref().map(ToString::to_string)))
                .set_cloud_watch_logs_log_group_arn(or_empty(
                    Trail::CLOUD_WATCH_LOGS_LOG_GROUP,
                    cloud_watch_logs_log_group.as_ref().map(with_all_streams),
                ))
                .set_cloud_watch_logs_role_arn(or_empty(
                    Trail::CLOUD_WATCH_LOGS_ROLE,
                    cloud_watch_logs_role.as_ref().map(text),
                ))
                .send()
                .await?;
        }
        let advanced = advanced_event_selectors.as_ref().filter(|all| !all.is_empty());
        if let (true, Some(advanced)) = (desired.changed(Trail::ADVANCED_EVENT_SELECTORS), advanced) {
            let all = advanced.iter().map(|(name, selector)| selector.sdk(name)).collect::<Result<_>>()?;
            let put = cloudtrail(aws).put_event_selectors().trail_name(&live.status.arn);
            put.set_advanced_event_selectors(Some(all)).send().await?;
        } else if desired.changed_any(&[Trail::EVENT_SELECTORS, Trail::ADVANCED_EVENT_SELECTORS]) {
            // Basic and advanced selectors replace each other.
            let plain = event_selectors.as_deref().filter(|all| !all.is_empty()).cloned();
            let all = plain.unwrap_or_else(|| vec![EventSelector::all_management_events()]);
            let put = cloudtrail(aws).put_event_selectors().trail_name(&live.status.arn);
            put.set_event_selectors(Some(all.iter().map(EventSelector::sdk).collect())).send().await?;
        }
        if desired.changed(Trail::INSIGHT_SELECTORS) {
            let insight = |of: &String| sdk::InsightSelector::builder().insight_type(of.as_str().into()).build();
            let insights = insight_selectors.iter().flatten().map(insight).collect();
            let put = cloudtrail(aws).put_insight_selectors().trail_name(&live.status.arn);
            put.set_insight_selectors(Some(insights)).send().await?;
        }
        if desired.changed(Trail::IS_LOGGING) {
            match is_logging {
                true => {
                    cloudtrail(aws).start_logging().name(&live.status.arn).send().await?;
                }
                false => {
                    cloudtrail(aws).stop_logging().name(&live.status.arn).send().await?;
                }
            }
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        cloudtrail(aws).delete_trail().name(&live.status.arn).send().await?;
        Ok(())
    }
}

fn listed(trail: &sdk::Trail) -> Listed<'_> {
    Listed::id(trail.trail_arn().unwrap_or_default()).named(trail.name().unwrap_or_default())
}

/// The details of a trail that DescribeTrails does not return.
#[derive(Default)]
struct TrailDetails {
    logging: bool,
    error: Option<String>,
    plain: Vec<sdk::EventSelector>,
    advanced: Vec<sdk::AdvancedEventSelector>,
    insights: Vec<sdk::InsightSelector>,
}

/// Reads the details of a trail; `None` if the trail no longer exists. Selectors are requested only if DescribeTrails
/// reports that the trail has some.
async fn details(aws: &Aws, trail: &sdk::Trail, arn: &str) -> Result<Option<TrailDetails>> {
    let (custom, insights) = (trail.has_custom_event_selectors, trail.has_insight_selectors);
    let (status, selectors, insights) = futures::try_join!(
        async { cloudtrail(aws).get_trail_status().name(arn).send().await.or_absent() },
        async {
            match custom {
                Some(true) => cloudtrail(aws).get_event_selectors().trail_name(arn).send().await.or_absent(),
                _ => Ok(None),
            }
        },
        async {
            match insights {
                Some(true) => cloudtrail(aws).get_insight_selectors().trail_name(arn).send().await.or_absent(),
                _ => Ok(None),
            }
        },
    )?;
    let (plain, advanced) = selectors.map(|s| (s.event_selectors, s.advanced_event_selectors)).unwrap_or_default();
    Ok(status.map(|status| TrailDetails {
        logging: status.is_logging.unwrap_or(false),
        error: status.latest_delivery_error,
        plain: plain.unwrap_or_default(),
        advanced: advanced.unwrap_or_default(),
        insights: insights.and_then(|insights| insights.insight_selectors).unwrap_or_default(),
    }))
}

holdfast_base::sdk_tags!(key sdk::Tag);

/// The calls that set and remove tags. A tag is removed by its key, as a tag without a value.
pub(crate) struct TrailTags;

impl TagCalls for TrailTags {
    async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<()> {
        cloudtrail(aws).add_tags().resource_id(arn).set_tags_list(Some(sdk_tags(tags)?)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<()> {
        let keys = keys.iter().map(|key| Ok(sdk::Tag::builder().key(key).build()?)).collect::<Result<_>>()?;
        cloudtrail(aws).remove_tags().resource_id(arn).set_tags_list(Some(keys)).send().await?;
        Ok(())
    }
}

async fn tags_of(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>> {
    let pages = cloudtrail(aws).list_tags().set_resource_id_list(Some(arns.to_vec())).into_paginator().items().send();
    let listed = all(pages).await.or_absent()?.unwrap_or_default();
    let row = |of: &sdk::ResourceTag| Some((of.resource_id.clone()?, from_sdk_tags(of.tags_list())));
    Ok(listed.iter().filter_map(row).collect())
}

/// Returns the ARN of a log group with all its streams (`:*`), as CloudTrail requires.
fn with_all_streams(group: &Ref<LogGroup, Arn>) -> String {
    format!("{}:*", group.as_str().trim_end_matches(":*"))
}

fn live(trail: &sdk::Trail, arn: String, details: &TrailDetails) -> Live<Trail> {
    let non_empty = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let flag = |flag: Option<bool>| Some(ServerDefault(flag.unwrap_or(false)));
    let topic = non_empty(&trail.sns_topic_arn);
    let mut plain: Vec<EventSelector> = details.plain.iter().map(EventSelector::from_response).collect();
    if plain.is_empty() && details.advanced.is_empty() {
        plain.push(EventSelector::all_management_events());
    }
    let insight = |of: &sdk::InsightSelector| Some(of.insight_type()?.as_str().to_owned());
    let spec = Trail {
        s3_bucket: trail.s3_bucket_name().unwrap_or_default().into(),
        s3_key_prefix: non_empty(&trail.s3_key_prefix),
        sns_topic: topic.map(|topic| topic.rsplit(':').next().unwrap_or_default().into()),
        include_global_service_events: flag(trail.include_global_service_events),
        is_multi_region_trail: flag(trail.is_multi_region_trail),
        is_organization_trail: flag(trail.is_organization_trail),
        enable_log_file_validation: flag(trail.log_file_validation_enabled),
        kms_key: non_empty(&trail.kms_key_id).map(Into::into),
        cloud_watch_logs_log_group: non_empty(&trail.cloud_watch_logs_log_group_arn)
            .map(|group| group.trim_end_matches(":*").into()),
        cloud_watch_logs_role: non_empty(&trail.cloud_watch_logs_role_arn).map(Into::into),
        is_logging: details.logging,
        event_selectors: Some(ServerDefault(plain)),
        advanced_event_selectors: Some(details.advanced.iter().map(AdvancedEventSelector::from_response).collect()),
        insight_selectors: Some(details.insights.iter().filter_map(insight).collect()),
    };
    let name = trail.name().unwrap_or_default();
    let status = TrailStatus { arn, latest_delivery_error: non_empty(&details.error) };
    Live::new(name, name, spec, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_without_selectors_has_the_default_selector() {
        let trail = sdk::Trail::builder().name("t").s3_bucket_name("b").sns_topic_arn("arn:aws:sns:r:1:topic").build();
        let spec = live(&trail, "arn".into(), &TrailDetails::default()).spec;
        assert_eq!(spec.event_selectors.map(|all| all.0), Some(vec![EventSelector::all_management_events()]));
        assert_eq!(spec.sns_topic.map(|topic| topic.to_string()).as_deref(), Some("topic"));
        let group: Ref<LogGroup, Arn> = "arn:aws:logs:r:1:log-group:/a".into();
        assert_eq!(with_all_streams(&group), "arn:aws:logs:r:1:log-group:/a:*");
    }
}
