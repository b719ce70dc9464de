//! The lifecycle rules of a bucket: a part of its spec.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use holdfast_base::error::{Error, Result};
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

use super::{pairs, sdk_tags};

/// A rule on what becomes of objects as they grow old
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>). It needs at least one
/// action: `expiration`, `transitions`, or one of the three that follow.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleRule {
    /// `Enabled` or `Disabled`.
    #[serde(default = "enabled")]
    status: String,
    /// The objects that it is for: all of the bucket unless said otherwise.
    #[serde(default)]
    filter: LifecycleFilter,
    /// When current versions go. In a bucket with versioning they become noncurrent, and stay.
    expiration: Option<LifecycleExpiration>,
    /// When current versions move, by storage class: `STANDARD_IA` and `ONEZONE_IA` (30 days at least),
    /// `INTELLIGENT_TIERING`, `GLACIER_IR`, `GLACIER` or `DEEP_ARCHIVE`. Exactly these. Objects below 128 KB do not
    /// move, unless a filter on the size says so
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html>).
    #[serde(default)]
    transitions: BTreeMap<String, LifecycleTransition>,
    /// When versions that are not the current one any more are deleted.
    noncurrent_version_expiration: Option<NoncurrentVersionExpiration>,
    /// When versions that are not the current one any more move, by storage class. Exactly these.
    #[serde(default)]
    noncurrent_version_transitions: BTreeMap<String, NoncurrentVersionTransition>,
    /// When the parts of uploads that nobody finished are deleted. AWS keeps, and bills, them for ever without it.
    abort_incomplete_multipart_upload: Option<AbortIncompleteMultipartUpload>,
}

fn enabled() -> String {
    "Enabled".into()
}

/// Which objects a rule is for: those for which all of it is true.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleFilter {
    /// What their keys begin with. Empty is all of them.
    #[serde(default)]
    prefix: String,
    /// The tags that they have.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Bytes that they are larger than.
    object_size_greater_than: Option<i64>,
    /// Bytes that they are smaller than.
    object_size_less_than: Option<i64>,
}

/// When current versions go: `days`, `date` or `expiredObjectDeleteMarker`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleExpiration {
    /// Days after they were made.
    days: Option<i32>,
    /// A day, as in `2030-01-31`, at midnight UTC.
    date: Option<String>,
    /// Whether delete markers go that no version stands behind.
    expired_object_delete_marker: Option<bool>,
}

/// When current versions move: `days` or `date`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleTransition {
    /// Days after they were made.
    days: Option<i32>,
    /// A day, as in `2030-01-31`, at midnight UTC.
    date: Option<String>,
}

/// When noncurrent versions are deleted.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoncurrentVersionExpiration {
    /// Days after another version took their place.
    noncurrent_days: i32,
    /// How many of the newest noncurrent versions stay all the same: 1 to 100.
    newer_noncurrent_versions: Option<i32>,
}

/// When noncurrent versions move.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoncurrentVersionTransition {
    /// Days after another version took their place.
    noncurrent_days: i32,
    /// How many of the newest noncurrent versions stay where they are: 1 to 100.
    newer_noncurrent_versions: Option<i32>,
}

/// When unfinished uploads go.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AbortIncompleteMultipartUpload {
    /// Days after the upload began.
    days_after_initiation: i32,
}

impl LifecycleRule {
    /// As AWS's call takes it.
    pub(super) fn sdk(&self, id: &str) -> Result<sdk::LifecycleRule> {
        let LifecycleRule {
            status,
            filter,
            expiration,
            transitions,
            noncurrent_version_expiration,
            noncurrent_version_transitions,
            abort_incomplete_multipart_upload: abort,
        } = self;
        let expiration = expiration.as_ref().map(|e| {
            let LifecycleExpiration { days, date, expired_object_delete_marker } = e;
            let expiration = sdk::LifecycleExpiration::builder().set_days(*days).set_date(midnight(date)?);
            Ok::<_, Error>(expiration.set_expired_object_delete_marker(*expired_object_delete_marker).build())
        });
        let transition = |(class, t): (&String, &LifecycleTransition)| {
            let LifecycleTransition { days, date } = t;
            let transition = sdk::Transition::builder().storage_class(class.as_str().into());
            Ok::<_, Error>(transition.set_days(*days).set_date(midnight(date)?).build())
        };
        let transitions: Vec<_> = transitions.iter().map(transition).collect::<Result<_>>()?;
        let noncurrent = |(class, t): (&String, &NoncurrentVersionTransition)| {
            let NoncurrentVersionTransition { noncurrent_days, newer_noncurrent_versions } = t;
            let transition = sdk::NoncurrentVersionTransition::builder().storage_class(class.as_str().into());
            let transition = transition.noncurrent_days(*noncurrent_days);
            transition.set_newer_noncurrent_versions(*newer_noncurrent_versions).build()
        };
        let noncurrent: Vec<_> = noncurrent_version_transitions.iter().map(noncurrent).collect();
        let old = noncurrent_version_expiration.as_ref().map(|e| {
            let NoncurrentVersionExpiration { noncurrent_days, newer_noncurrent_versions } = e;
            let old = sdk::NoncurrentVersionExpiration::builder().noncurrent_days(*noncurrent_days);
            old.set_newer_noncurrent_versions(*newer_noncurrent_versions).build()
        });
        let abort = abort.as_ref().map(|AbortIncompleteMultipartUpload { days_after_initiation: days }| {
            sdk::AbortIncompleteMultipartUpload::builder().days_after_initiation(*days).build()
        });
        let rule = sdk::LifecycleRule::builder()
            .id(id)
            .status(status.as_str().into())
            .filter(filter.sdk()?)
            .set_expiration(expiration.transpose()?)
            .set_transitions((!transitions.is_empty()).then_some(transitions))
            .set_noncurrent_version_expiration(old)
            .set_noncurrent_version_transitions((!noncurrent.is_empty()).then_some(noncurrent))
            .set_abort_incomplete_multipart_upload(abort);
        Ok(rule.build()?)
    }

    /// From AWS's answer, with its id. AWS gives an id to a rule that was made without one.
    #[expect(deprecated, reason = "rules older than filters have their prefix outside")]
    pub(super) fn read(rule: &sdk::LifecycleRule) -> (String, LifecycleRule) {
        let expiration = rule.expiration().map(|e| LifecycleExpiration {
            days: e.days,
            date: day(e.date()),
            expired_object_delete_marker: e.expired_object_delete_marker.filter(|on| *on),
        });
        let class = |class: Option<&sdk::TransitionStorageClass>| class.map(|c| c.as_str().to_owned());
        let transition = |t: &sdk::Transition| {
            Some((class(t.storage_class())?, LifecycleTransition { days: t.days, date: day(t.date()) }))
        };
        let noncurrent = |t: &sdk::NoncurrentVersionTransition| {
            let (noncurrent_days, newer_noncurrent_versions) = (t.noncurrent_days?, t.newer_noncurrent_versions);
            let transition = NoncurrentVersionTransition { noncurrent_days, newer_noncurrent_versions };
            Some((class(t.storage_class())?, transition))
        };
        let old = |e: &sdk::NoncurrentVersionExpiration| NoncurrentVersionExpiration {
            noncurrent_days: e.noncurrent_days.unwrap_or_default(),
            newer_noncurrent_versions: e.newer_noncurrent_versions,
        };
        let abort = |a: &sdk::AbortIncompleteMultipartUpload| {
            Some(AbortIncompleteMultipartUpload { days_after_initiation: a.days_after_initiation? })
        };
        let read = LifecycleRule {
            status: rule.status().as_str().to_owned(),
            filter: LifecycleFilter::read(rule.filter(), rule.prefix()),
            expiration,
            transitions: rule.transitions().iter().filter_map(transition).collect(),
            noncurrent_version_expiration: rule.noncurrent_version_expiration().map(old),
            noncurrent_version_transitions: rule
                .noncurrent_version_transitions()
                .iter()
                .filter_map(noncurrent)
                .collect(),
            abort_incomplete_multipart_upload: rule.abort_incomplete_multipart_upload().and_then(abort),
        };
        (rule.id().unwrap_or_default().to_owned(), read)
    }
}

impl LifecycleFilter {
    /// One condition stands alone, several stand under `And`.
    fn sdk(&self) -> Result<sdk::LifecycleRuleFilter> {
        let LifecycleFilter { prefix, tags, object_size_greater_than: above, object_size_less_than: below } = self;
        let tags = sdk_tags(tags)?;
        let conditions =
            usize::from(!prefix.is_empty()) + tags.len() + usize::from(above.is_some()) + usize::from(below.is_some());
        let filter = sdk::LifecycleRuleFilter::builder();
        if conditions > 1 {
            let and = sdk::LifecycleRuleAndOperator::builder()
                .set_prefix((!prefix.is_empty()).then(|| prefix.clone()))
                .set_tags((!tags.is_empty()).then_some(tags))
                .set_object_size_greater_than(*above)
                .set_object_size_less_than(*below);
            return Ok(filter.and(and.build()).build());
        }
        let plain = tags.is_empty() && above.is_none() && below.is_none();
        let filter = filter.set_prefix(plain.then(|| prefix.clone())).set_tag(tags.into_iter().next());
        Ok(filter.set_object_size_greater_than(*above).set_object_size_less_than(*below).build())
    }

    fn read(filter: Option<&sdk::LifecycleRuleFilter>, old: Option<&str>) -> LifecycleFilter {
        let and = filter.and_then(|filter| filter.and());
        let prefix = and.and_then(|a| a.prefix()).or(filter.and_then(|f| f.prefix())).or(old);
        let mut tags = and.map(|and| pairs(and.tags())).unwrap_or_default();
        tags.extend(pairs(filter.and_then(|f| f.tag.clone()).as_slice()));
        LifecycleFilter {
            prefix: prefix.unwrap_or_default().to_owned(),
            tags,
            object_size_greater_than: and
                .and_then(|a| a.object_size_greater_than)
                .or(filter.and_then(|f| f.object_size_greater_than)),
            object_size_less_than: and
                .and_then(|a| a.object_size_less_than)
                .or(filter.and_then(|f| f.object_size_less_than)),
        }
    }
}

fn midnight(date: &Option<String>) -> Result<Option<DateTime>> {
    let parse = |date: &String| {
        let text = if date.contains('T') { date.clone() } else { format!("{date}T00:00:00Z") };
        DateTime::from_str(&text, Format::DateTime).map_err(|error| {
            Error::terminal("s3.PutBucketLifecycleConfiguration", format!("`{date}` is not a day: {error}"))
        })
    };
    date.as_ref().map(parse).transpose()
}

fn day(date: Option<&DateTime>) -> Option<String> {
    let text = date?.fmt(Format::DateTime).ok()?;
    Some(text.split('T').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_comes_back_as_it_was_sent() {
        let rule = serde_json::json!({
            "status": "Enabled",
            "filter": { "prefix": "logs/", "tags": { "a": "b" }, "objectSizeGreaterThan": 5, "objectSizeLessThan": null },
            "expiration": { "days": null, "date": "2030-01-31", "expiredObjectDeleteMarker": null },
            "transitions": { "GLACIER": { "days": 90, "date": null } },
            "noncurrentVersionExpiration": { "noncurrentDays": 30, "newerNoncurrentVersions": 3 },
            "noncurrentVersionTransitions": { "STANDARD_IA": { "noncurrentDays": 30, "newerNoncurrentVersions": null } },
            "abortIncompleteMultipartUpload": { "daysAfterInitiation": 7 },
        });
        let sent: LifecycleRule = serde_json::from_value(rule.clone()).unwrap();
        let (id, back) = LifecycleRule::read(&sent.sdk("old").unwrap());
        assert_eq!(id, "old");
        assert_eq!(serde_json::to_value(back).unwrap(), rule);
    }

    #[test]
    fn one_condition_stands_alone() {
        let filter = LifecycleFilter { prefix: "a/".into(), ..LifecycleFilter::default() };
        let sdk = filter.sdk().unwrap();
        assert_eq!((sdk.prefix(), sdk.and()), (Some("a/"), None));
        assert_eq!(LifecycleFilter::default().sdk().unwrap().prefix(), Some(""));
        assert_eq!(LifecycleFilter::read(None, Some("old/")).prefix, "old/");
    }
}
