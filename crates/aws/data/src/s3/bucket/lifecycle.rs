//! The lifecycle rules of a bucket, in its spec.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use holdfast_base::error::{Error, Result};
use holdfast_core::Spec;
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};

use crate::s3::{from_sdk_tags, sdk_tags};

/// A lifecycle rule: the expiration and transition of objects by age
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>). A rule needs at least one
/// action: `expiration`, `transitions`, or one of the three fields that follow them.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleRule {
    /// The status.
    #[spec(one_of = sdk::ExpirationStatus)]
    #[serde(default = "enabled")]
    status: String,
    /// The objects to which the rule applies. By default it applies to all objects of the bucket.
    #[serde(default)]
    filter: LifecycleRuleFilter,
    /// The expiration of current versions. In a bucket with versioning an expired version becomes noncurrent and is
    /// kept.
    expiration: Option<LifecycleExpiration>,
    /// The transitions of current versions, by storage class: `STANDARD_IA` and `ONEZONE_IA` (after at least 30 days),
    /// `INTELLIGENT_TIERING`, `GLACIER_IR`, `GLACIER` or `DEEP_ARCHIVE`. Transitions that are not stated are removed.
    /// Objects smaller than 128 KB do not transition, unless the filter states a size
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html>).
    #[serde(default)]
    transitions: BTreeMap<String, LifecycleTransition>,
    /// The deletion of noncurrent versions.
    noncurrent_version_expiration: Option<NoncurrentVersionExpiration>,
    /// The transitions of noncurrent versions, by storage class. Transitions that are not stated are removed.
    #[serde(default)]
    noncurrent_version_transitions: BTreeMap<String, NoncurrentVersionTransition>,
    /// The deletion of the parts of incomplete multipart uploads. Without it AWS keeps and bills them forever.
    abort_incomplete_multipart_upload: Option<AbortIncompleteMultipartUpload>,
}

fn enabled() -> String {
    "Enabled".into()
}

/// The objects to which a rule applies: those that meet all stated conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleRuleFilter {
    /// The prefix of the object keys. An empty prefix matches all keys.
    #[serde(default)]
    prefix: String,
    /// The object tags.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// The object size in bytes above which the rule applies.
    object_size_greater_than: Option<i64>,
    /// The object size in bytes below which the rule applies.
    object_size_less_than: Option<i64>,
}

/// The expiration of current versions: state `days`, `date` or `expiredObjectDeleteMarker`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleExpiration {
    /// The number of days after the creation of the object.
    #[spec(range = 1..)]
    days: Option<i32>,
    /// A date such as `2030-01-31`, at midnight UTC.
    date: Option<String>,
    /// Whether delete markers without any noncurrent version are deleted.
    #[spec(default = false)]
    expired_object_delete_marker: Option<bool>,
}

/// The transition of current versions: state `days` or `date`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleTransition {
    /// The number of days after the creation of the object.
    #[spec(range = 0..)]
    days: Option<i32>,
    /// A date such as `2030-01-31`, at midnight UTC.
    date: Option<String>,
}

/// The deletion of noncurrent versions.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoncurrentVersionExpiration {
    /// The number of days after the version became noncurrent.
    #[spec(range = 1..)]
    noncurrent_days: i32,
    /// The number of newest noncurrent versions that are kept regardless of age.
    #[spec(range = 1..=100)]
    newer_noncurrent_versions: Option<i32>,
}

/// The transition of noncurrent versions.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoncurrentVersionTransition {
    /// The number of days after the version became noncurrent.
    #[spec(range = 0..)]
    noncurrent_days: i32,
    /// The number of newest noncurrent versions that do not transition.
    #[spec(range = 1..=100)]
    newer_noncurrent_versions: Option<i32>,
}

/// The deletion of incomplete multipart uploads.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AbortIncompleteMultipartUpload {
    /// The number of days after the start of the upload.
    #[spec(range = 1..)]
    days_after_initiation: i32,
}

/// Returns a message for each storage class in a rule of a document to which S3 makes no transitions
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Transition.html>).
pub(super) fn unknown_classes(id: &str, rule: &Value) -> Vec<String> {
    let known = sdk::TransitionStorageClass::values();
    let fields = [LifecycleRule::TRANSITIONS, LifecycleRule::NONCURRENT_VERSION_TRANSITIONS];
    let classes = fields.into_iter().filter_map(|field| rule.get(field.name())?.map()).flat_map(|map| map.keys());
    let unknown = classes.filter(|class| !known.contains(&class.as_str()));
    unknown.map(|class| format!("rule `{id}`: `{class}` is not one of {}", known.join(", "))).collect()
}

impl LifecycleRule {
    /// Converts the rule to the form of the call.
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

    /// Reads a rule and its id from a response. AWS assigns an id to a rule that was created without one.
    #[expect(deprecated, reason = "rules that are older than filters have a prefix of their own")]
    pub(super) fn from_response(rule: &sdk::LifecycleRule) -> (String, LifecycleRule) {
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
            filter: LifecycleRuleFilter::from_response(rule.filter(), rule.prefix()),
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

impl LifecycleRuleFilter {
    /// Converts the filter to the form of the call: a single condition directly, several conditions in `And`.
    fn sdk(&self) -> Result<sdk::LifecycleRuleFilter> {
        let LifecycleRuleFilter { prefix, tags, object_size_greater_than: above, object_size_less_than: below } = self;
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

    fn from_response(filter: Option<&sdk::LifecycleRuleFilter>, rule_prefix: Option<&str>) -> LifecycleRuleFilter {
        let and = filter.and_then(|filter| filter.and());
        let prefix = and.and_then(|a| a.prefix()).or(filter.and_then(|f| f.prefix())).or(rule_prefix);
        let mut tags = and.map(|and| from_sdk_tags(and.tags())).unwrap_or_default();
        tags.extend(from_sdk_tags(filter.and_then(|f| f.tag.clone()).as_slice()));
        LifecycleRuleFilter {
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
            Error::terminal(
                "s3.PutBucketLifecycleConfiguration",
                format!("`{date}` is not a date such as `2030-01-31`: {error}"),
            )
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
    fn a_rule_is_read_back_as_it_was_sent() {
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
        let (id, back) = LifecycleRule::from_response(&sent.sdk("old").unwrap());
        assert_eq!(id, "old");
        assert_eq!(serde_json::to_value(back).unwrap(), rule);
    }

    #[test]
    fn a_transition_needs_a_known_storage_class() {
        let rule = serde_json::json!({ "transitions": { "GLACIER": {}, "COLD": {} } }).into();
        let known = "DEEP_ARCHIVE, GLACIER, GLACIER_IR, INTELLIGENT_TIERING, ONEZONE_IA, STANDARD_IA";
        assert_eq!(unknown_classes("old", &rule), [format!("rule `old`: `COLD` is not one of {known}")]);
    }

    #[test]
    fn a_single_condition_is_sent_without_and() {
        let filter = LifecycleRuleFilter { prefix: "a/".into(), ..LifecycleRuleFilter::default() };
        let sdk = filter.sdk().unwrap();
        assert_eq!((sdk.prefix(), sdk.and()), (Some("a/"), None));
        assert_eq!(LifecycleRuleFilter::default().sdk().unwrap().prefix(), Some(""));
        assert_eq!(LifecycleRuleFilter::from_response(None, Some("old/")).prefix, "old/");
    }
}
