//! Trail: a record of who called what.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::names::Bucket;
use holdfast_base::names::Key;
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Name, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::cloudtrail;
use super::selectors::{AdvancedEventSelector, EventSelector};
use crate::iam::role::Role;
use crate::logs::log_group::LogGroup;
use crate::sns::topic::Topic;

/// A trail of CloudTrail. Its name has 3 to 128 letters, digits, dots, hyphens and underscores. The bucket's policy has to
/// let CloudTrail in, and names the trail's ARN; write that as a text there, since the trail waits for the bucket:
/// `arn:aws:cloudtrail:<region>:<account>:trail/<name>`
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trail {
    /// The bucket for the records.
    s3_bucket: Ref<Bucket, Name>,
    /// What the records' keys begin with, before `AWSLogs/`. `null` for nothing.
    s3_key_prefix: Option<String>,
    /// The topic that is told of each new file. Its policy has to let CloudTrail publish.
    sns_topic: Option<Ref<Topic, Name>>,
    /// Whether it records IAM, STS and CloudFront as well. AWS's default is true.
    include_global_service_events: Option<Always<bool>>,
    /// Whether it records all regions of the account. AWS's default is false.
    is_multi_region_trail: Option<Always<bool>>,
    /// Whether it is for all accounts of the organization; only the organization's own account can have that.
    is_organization_trail: Option<Always<bool>>,
    /// Whether there are digests, which prove that no record was changed. AWS's default is false.
    enable_log_file_validation: Option<Always<bool>>,
    /// The key that encrypts the records; `null` for the bucket's own encryption. Its policy has to let CloudTrail in
    /// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>).
    kms_key: Option<Ref<Key, Arn>>,
    /// The log group that gets the events too. It needs `cloudWatchLogsRole`.
    cloud_watch_logs_log_group: Option<Ref<LogGroup, Arn>>,
    /// The role that CloudTrail assumes to write there.
    cloud_watch_logs_role: Option<Ref<Role, Arn>>,
    /// Whether it records. CreateTrail makes one that does not; Holdfast's default is true.
    #[serde(default = "yes")]
    is_logging: bool,
    /// Which events it records: at most five selectors. AWS's default is one, `{}`: all management events, and no data
    /// events. State this or `advancedEventSelectors`.
    event_selectors: Option<Always<Vec<EventSelector>>>,
    /// Which events it records, by the selector's name. `null` for AWS's default.
    advanced_event_selectors: Option<BTreeMap<String, AdvancedEventSelector>>,
    /// What unusual it looks for: `ApiCallRateInsight`, `ApiErrorRateInsight`. `null` for nothing.
    insight_selectors: Option<BTreeSet<String>>,
}

fn yes() -> bool {
    true
}

/// What only AWS knows of a Trail.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrailStatus {
    /// Its ARN.
    arn: String,
    /// Why the last file could not be delivered, if so.
    latest_delivery_error: Option<String>,
}

/// How many trails one ListTags takes
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListTags.html>).
const BATCH: usize = 20;

impl Kind for Trail {
    type Status = TrailStatus;
    const TIER: Tier = Tier::Operations;
    const NAMING: Naming = Naming::limit(128);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        // Without the shadows of trails of other regions.
        let answer = cloudtrail(aws).describe_trails().include_shadow_trails(false).send().await?;
        let wanted = answer.trail_list.unwrap_or_default().into_iter().filter(|trail| {
            let (name, arn) = (trail.name().unwrap_or_default(), trail.trail_arn().unwrap_or_default());
            by_fields || scope.is_candidate(name) || scope.ids.contains(name) || scope.ids.contains(arn)
        });
        let wanted: Vec<sdk::Trail> = wanted.collect();
        let arns: Vec<String> = wanted.iter().filter_map(|trail| trail.trail_arn.clone()).collect();
        let (mut tags, unknown) = tagging::split(aws, scope, &arns).await?;
        for batch in unknown.chunks(BATCH) {
            tags.extend(tags_of(aws, batch).await?);
        }
        let tags = &tags;
        each(wanted, |trail| async move {
            let arn = trail.trail_arn.clone();
            let arn = arn.ok_or_else(|| Error::incomplete("cloudtrail.DescribeTrails", "TrailARN"))?;
            let tags = tags.get(&arn).cloned().unwrap_or_default();
            let asked_for = by_fields || !scope.ids.is_empty() || scope.is_owned(&tags);
            let detail = match asked_for {
                true => detail(aws, &trail, &arn).await?,
                // Of somebody else's, with a name of ours, only that it is there matters.
                false => Some(Detail::default()),
            };
            Ok(detail.map(|detail| live(&trail, arn, &detail).tags(tags)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
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
        let made = cloudtrail(aws)
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
            .set_cloud_watch_logs_log_group_arn(cloud_watch_logs_log_group.as_ref().map(starred))
            .set_cloud_watch_logs_role_arn(cloud_watch_logs_role.as_ref().map(ToString::to_string))
            .set_tags_list(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let Some(arn) = made.trail_arn.clone() else { return Ok(Made::unseen(&desired.name)) };
        // It records nothing yet, and has no selectors but the default one.
        let trail = sdk::Trail::builder()
            .name(&desired.name)
            .set_s3_bucket_name(made.s3_bucket_name)
            .set_s3_key_prefix(made.s3_key_prefix)
            .set_sns_topic_arn(made.sns_topic_arn)
            .set_include_global_service_events(made.include_global_service_events)
            .set_is_multi_region_trail(made.is_multi_region_trail)
            .set_is_organization_trail(made.is_organization_trail)
            .set_log_file_validation_enabled(made.log_file_validation_enabled)
            .set_kms_key_id(made.kms_key_id)
            .set_cloud_watch_logs_log_group_arn(made.cloud_watch_logs_log_group_arn)
            .set_cloud_watch_logs_role_arn(made.cloud_watch_logs_role_arn);
        Ok(live(&trail.build(), arn, &Detail::default()).tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
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
        const OWN: [&str; 5] = ["tags", "isLogging", "eventSelectors", "advancedEventSelectors", "insightSelectors"];
        if desired.changed.iter().any(|field| !OWN.contains(&field.as_str())) {
            // An empty text takes away what there is, and nothing leaves it.
            let gone = |field: &str, wanted: Option<String>| desired.changed(field).then(|| wanted.unwrap_or_default());
            let text = ToString::to_string;
            cloudtrail(aws)
                .update_trail()
                .name(&live.status.arn)
                .s3_bucket_name(s3_bucket.as_str())
                .set_s3_key_prefix(gone("s3KeyPrefix", s3_key_prefix.clone()))
                .set_sns_topic_name(gone("snsTopic", sns_topic.as_ref().map(ToString::to_string)))
                .set_include_global_service_events(include_global_service_events.as_deref().copied())
                .set_is_multi_region_trail(is_multi_region_trail.as_deref().copied())
                .set_is_organization_trail(is_organization_trail.as_deref().copied())
                .set_enable_log_file_validation(enable_log_file_validation.as_deref().copied())
                .set_kms_key_id(gone("kmsKey", kms_key.as_ref().map(ToString::to_string)))
                .set_cloud_watch_logs_log_group_arn(gone(
                    "cloudWatchLogsLogGroup",
                    cloud_watch_logs_log_group.as_ref().map(starred),
                ))
                .set_cloud_watch_logs_role_arn(gone("cloudWatchLogsRole", cloud_watch_logs_role.as_ref().map(text)))
                .send()
                .await?;
        }
        let advanced = advanced_event_selectors.as_ref().filter(|all| !all.is_empty());
        if let (true, Some(advanced)) = (desired.changed("advancedEventSelectors"), advanced) {
            let all = advanced.iter().map(|(name, selector)| selector.sdk(name)).collect::<Result<_>>()?;
            let put = cloudtrail(aws).put_event_selectors().trail_name(&live.status.arn);
            put.set_advanced_event_selectors(Some(all)).send().await?;
        } else if desired.changed("eventSelectors") || desired.changed("advancedEventSelectors") {
            // Selectors of either sort take the place of those of the other.
            let plain = event_selectors.as_deref().filter(|all| !all.is_empty()).cloned();
            let all = plain.unwrap_or_else(|| vec![EventSelector::default_one()]);
            let put = cloudtrail(aws).put_event_selectors().trail_name(&live.status.arn);
            put.set_event_selectors(Some(all.iter().map(EventSelector::sdk).collect())).send().await?;
        }
        if desired.changed("insightSelectors") {
            let insight = |of: &String| sdk::InsightSelector::builder().insight_type(of.as_str().into()).build();
            let insights = insight_selectors.iter().flatten().map(insight).collect();
            let put = cloudtrail(aws).put_insight_selectors().trail_name(&live.status.arn);
            put.set_insight_selectors(Some(insights)).send().await?;
        }
        if desired.changed("isLogging") {
            match is_logging {
                true => {
                    cloudtrail(aws).start_logging().name(&live.status.arn).send().await?;
                }
                false => {
                    cloudtrail(aws).stop_logging().name(&live.status.arn).send().await?;
                }
            }
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        cloudtrail(aws).delete_trail().name(&live.status.arn).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        let arn = &live.status.arn;
        if !set.is_empty() {
            cloudtrail(aws).add_tags().resource_id(arn).set_tags_list(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().map(|key| Ok(sdk::Tag::builder().key(key).build()?)).collect::<Result<_>>()?;
            cloudtrail(aws).remove_tags().resource_id(arn).set_tags_list(Some(keys)).send().await?;
        }
        Ok(())
    }
}

/// What DescribeTrails does not tell.
#[derive(Default)]
struct Detail {
    logging: bool,
    error: Option<String>,
    plain: Vec<sdk::EventSelector>,
    advanced: Vec<sdk::AdvancedEventSelector>,
    insights: Vec<sdk::InsightSelector>,
}

/// Selectors are asked for only where the list says that there are some.
async fn detail(aws: &Aws, trail: &sdk::Trail, arn: &str) -> Result<Option<Detail>> {
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
    Ok(status.map(|status| Detail {
        logging: status.is_logging.unwrap_or(false),
        error: status.latest_delivery_error,
        plain: plain.unwrap_or_default(),
        advanced: advanced.unwrap_or_default(),
        insights: insights.and_then(|insights| insights.insight_selectors).unwrap_or_default(),
    }))
}

async fn tags_of(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>> {
    let pages = cloudtrail(aws).list_tags().set_resource_id_list(Some(arns.to_vec())).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.or_absent()?.unwrap_or_default();
    let pair = |tag: sdk::Tag| (tag.key, tag.value.unwrap_or_default());
    let row = |of: sdk::ResourceTag| Some((of.resource_id?, of.tags_list.into_iter().flatten().map(pair).collect()));
    Ok(listed.into_iter().filter_map(row).collect())
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<sdk::Tag>> {
    tags.iter().map(|(key, value)| Ok(sdk::Tag::builder().key(key).value(value).build()?)).collect()
}

/// CloudTrail wants a log group's ARN with all of its streams.
fn starred(group: &Ref<LogGroup, Arn>) -> String {
    format!("{}:*", group.as_str().trim_end_matches(":*"))
}

fn live(trail: &sdk::Trail, arn: String, detail: &Detail) -> Live<Trail> {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let flag = |flag: Option<bool>| Some(Always(flag.unwrap_or(false)));
    let topic = said(&trail.sns_topic_arn);
    let mut plain: Vec<EventSelector> = detail.plain.iter().map(EventSelector::read).collect();
    if plain.is_empty() && detail.advanced.is_empty() {
        plain.push(EventSelector::default_one());
    }
    let insight = |of: &sdk::InsightSelector| Some(of.insight_type()?.as_str().to_owned());
    let spec = Trail {
        s3_bucket: trail.s3_bucket_name().unwrap_or_default().into(),
        s3_key_prefix: said(&trail.s3_key_prefix),
        sns_topic: topic.map(|topic| topic.rsplit(':').next().unwrap_or_default().into()),
        include_global_service_events: flag(trail.include_global_service_events),
        is_multi_region_trail: flag(trail.is_multi_region_trail),
        is_organization_trail: flag(trail.is_organization_trail),
        enable_log_file_validation: flag(trail.log_file_validation_enabled),
        kms_key: said(&trail.kms_key_id).map(Into::into),
        cloud_watch_logs_log_group: said(&trail.cloud_watch_logs_log_group_arn)
            .map(|group| group.trim_end_matches(":*").into()),
        cloud_watch_logs_role: said(&trail.cloud_watch_logs_role_arn).map(Into::into),
        is_logging: detail.logging,
        event_selectors: Some(Always(plain)),
        advanced_event_selectors: Some(detail.advanced.iter().map(AdvancedEventSelector::read).collect()),
        insight_selectors: Some(detail.insights.iter().filter_map(insight).collect()),
    };
    let name = trail.name().unwrap_or_default();
    let status = TrailStatus { arn, latest_delivery_error: said(&detail.error) };
    Live::new(name, name, spec, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_that_was_told_nothing_has_the_default_selector() {
        let trail = sdk::Trail::builder().name("t").s3_bucket_name("b").sns_topic_arn("arn:aws:sns:r:1:topic").build();
        let spec = live(&trail, "arn".into(), &Detail::default()).spec;
        assert_eq!(spec.event_selectors.map(|all| all.0), Some(vec![EventSelector::default_one()]));
        assert_eq!(spec.sns_topic.map(|topic| topic.to_string()).as_deref(), Some("topic"));
        let group: Ref<LogGroup, Arn> = "arn:aws:logs:r:1:log-group:/a".into();
        assert_eq!(starred(&group), "arn:aws:logs:r:1:log-group:/a:*");
    }
}
