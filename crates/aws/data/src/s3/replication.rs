//! The replication of a bucket: a part of its spec.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::Role;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Late, Ref};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::{pairs, sdk_tags};
use crate::kms::key::Key;

/// Where new objects are copied to (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html>). Both
/// buckets need versioning. What was there before is not copied: that takes a batch job.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replication {
    /// The role that S3 assumes to copy.
    role: Ref<Role, Arn>,
    /// The rules, by id. Exactly these.
    rules: BTreeMap<String, ReplicationRule>,
}

/// What is copied where.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationRule {
    /// `Enabled` or `Disabled`.
    #[serde(default = "enabled")]
    status: String,
    /// Which of several rules for one object and destination holds: the greatest. No two may be equal.
    #[serde(default)]
    priority: i32,
    /// What the keys of the objects begin with. Empty is all of them.
    #[serde(default)]
    prefix: String,
    /// The tags that the objects have.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Where the copies go.
    destination: ReplicationDestination,
    /// `Enabled` or `Disabled`: whether a deletion is copied as well. A rule with `tags` cannot.
    #[serde(default = "disabled")]
    delete_marker_replication: String,
    /// `Enabled` or `Disabled`: whether objects under a KMS key are copied. They need `replicaKmsKey`, and a role that
    /// may use both keys.
    #[serde(default = "disabled")]
    sse_kms_encrypted_objects: String,
    /// `Enabled` or `Disabled`: whether changes of a copy's metadata come back; for replication both ways.
    #[serde(default = "disabled")]
    replica_modifications: String,
}

fn enabled() -> String {
    "Enabled".into()
}

fn disabled() -> String {
    "Disabled".into()
}

/// Where copies go.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationDestination {
    /// The bucket, of any region. Two buckets may name each other.
    bucket: Late<Ref<Bucket, Arn>>,
    /// The copies' storage class, such as `STANDARD_IA`; that of the original unless said otherwise.
    storage_class: Option<String>,
    /// The key, of the destination's region, that encrypts copies of what a KMS key encrypts.
    replica_kms_key: Option<Late<Ref<Key, Arn>>>,
    /// The destination's account, when it is another one. The copies then belong to it.
    account: Option<String>,
    /// `Enabled` or `Disabled`: replication time control, which copies within 15 minutes and costs more. It needs
    /// `metrics`.
    #[serde(default = "disabled")]
    replication_time: String,
    /// `Enabled` or `Disabled`: metrics of what waits to be copied.
    #[serde(default = "disabled")]
    metrics: String,
}

/// The only threshold that AWS takes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationTimeValue.html>).
const MINUTES: i32 = 15;

impl Replication {
    /// As AWS's call takes it.
    pub(super) fn sdk(&self) -> Result<sdk::ReplicationConfiguration> {
        let Replication { role, rules } = self;
        let rules = rules.iter().map(|(id, rule)| rule.sdk(id)).collect::<Result<_>>()?;
        Ok(sdk::ReplicationConfiguration::builder().role(role.as_str()).set_rules(Some(rules)).build()?)
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::ReplicationConfiguration) -> Replication {
        Replication { role: told.role().into(), rules: told.rules().iter().map(ReplicationRule::read).collect() }
    }
}

impl ReplicationRule {
    fn sdk(&self, id: &str) -> Result<sdk::ReplicationRule> {
        let ReplicationRule {
            status,
            priority,
            prefix,
            tags,
            destination,
            delete_marker_replication,
            sse_kms_encrypted_objects: kms,
            replica_modifications,
        } = self;
        let markers = sdk::DeleteMarkerReplication::builder().status(delete_marker_replication.as_str().into()).build();
        let tags = sdk_tags(tags)?;
        let filter = sdk::ReplicationRuleFilter::builder();
        let filter = match (tags.len(), prefix.is_empty()) {
            (0, _) => filter.prefix(prefix),
            (1, true) => filter.set_tag(tags.into_iter().next()),
            _ => {
                let prefix = (!prefix.is_empty()).then(|| prefix.clone());
                let and = sdk::ReplicationRuleAndOperator::builder().set_prefix(prefix).set_tags(Some(tags));
                filter.and(and.build())
            }
        };
        let mut source = sdk::SourceSelectionCriteria::builder();
        if *kms != disabled() {
            let kms = sdk::SseKmsEncryptedObjects::builder().status(kms.as_str().into()).build()?;
            source = source.sse_kms_encrypted_objects(kms);
        }
        if *replica_modifications != disabled() {
            let status = replica_modifications.as_str().into();
            source = source.replica_modifications(sdk::ReplicaModifications::builder().status(status).build()?);
        }
        let source = source.build();
        let any = source.sse_kms_encrypted_objects.is_some() || source.replica_modifications.is_some();
        let rule = sdk::ReplicationRule::builder()
            .id(id)
            .priority(*priority)
            .filter(filter.build())
            .status(status.as_str().into())
            .set_source_selection_criteria(any.then_some(source))
            .destination(destination.sdk()?)
            .delete_marker_replication(markers);
        Ok(rule.build()?)
    }

    #[expect(deprecated, reason = "rules older than filters have their prefix outside")]
    fn read(rule: &sdk::ReplicationRule) -> (String, ReplicationRule) {
        let filter = rule.filter();
        let and = filter.and_then(|filter| filter.and());
        let prefix = and.and_then(|a| a.prefix()).or(filter.and_then(|f| f.prefix())).or(rule.prefix());
        let mut tags = and.map(|and| pairs(and.tags())).unwrap_or_default();
        tags.extend(pairs(filter.and_then(|f| f.tag.clone()).as_slice()));
        let source = rule.source_selection_criteria();
        let kms = source.and_then(|s| s.sse_kms_encrypted_objects()).map(|k| k.status().as_str());
        let back = source.and_then(|s| s.replica_modifications()).map(|m| m.status().as_str());
        let markers = rule.delete_marker_replication().and_then(|m| m.status()).map(|s| s.as_str());
        let read = ReplicationRule {
            status: rule.status().as_str().to_owned(),
            priority: rule.priority.unwrap_or_default(),
            prefix: prefix.unwrap_or_default().to_owned(),
            tags,
            destination: ReplicationDestination::read(rule.destination()),
            delete_marker_replication: word(markers),
            sse_kms_encrypted_objects: word(kms),
            replica_modifications: word(back),
        };
        (rule.id().unwrap_or_default().to_owned(), read)
    }
}

fn word(status: Option<&str>) -> String {
    status.map_or_else(disabled, str::to_owned)
}

impl ReplicationDestination {
    fn sdk(&self) -> Result<sdk::Destination> {
        let ReplicationDestination { bucket, storage_class, replica_kms_key, account, replication_time, metrics } =
            self;
        let minutes = sdk::ReplicationTimeValue::builder().minutes(MINUTES).build();
        let mut destination = sdk::Destination::builder()
            .bucket(bucket.0.as_str())
            .set_storage_class(storage_class.as_deref().map(Into::into))
            .set_account(account.clone());
        if let Some(Late(key)) = replica_kms_key {
            let encryption = sdk::EncryptionConfiguration::builder().replica_kms_key_id(key.as_str()).build();
            destination = destination.encryption_configuration(encryption);
        }
        if account.is_some() {
            let owner = sdk::AccessControlTranslation::builder().owner(sdk::OwnerOverride::Destination).build()?;
            destination = destination.access_control_translation(owner);
        }
        if *replication_time != disabled() {
            let time = sdk::ReplicationTime::builder().status(replication_time.as_str().into()).time(minutes.clone());
            destination = destination.replication_time(time.build()?);
        }
        if *metrics != disabled() {
            let threshold = (*replication_time != disabled()).then_some(minutes);
            let metrics = sdk::Metrics::builder().status(metrics.as_str().into()).set_event_threshold(threshold);
            destination = destination.metrics(metrics.build()?);
        }
        Ok(destination.build()?)
    }

    fn read(told: Option<&sdk::Destination>) -> ReplicationDestination {
        let key = told.and_then(|t| t.encryption_configuration()).and_then(|e| e.replica_kms_key_id());
        ReplicationDestination {
            bucket: Late(told.map(|t| t.bucket()).unwrap_or_default().into()),
            storage_class: told.and_then(|t| t.storage_class()).map(|class| class.as_str().to_owned()),
            replica_kms_key: key.map(|key| Late(key.into())),
            account: told.and_then(|t| t.account.clone()),
            replication_time: word(told.and_then(|t| t.replication_time()).map(|t| t.status().as_str())),
            metrics: word(told.and_then(|t| t.metrics()).map(|m| m.status().as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_comes_back_as_it_was_sent() {
        let wanted = serde_json::json!({
            "role": "arn:aws:iam::123456789012:role/copy",
            "rules": { "all": {
                "status": "Enabled", "priority": 2, "prefix": "a/", "tags": { "k": "v" },
                "destination": {
                    "bucket": "arn:aws:s3:::copies", "storageClass": "STANDARD_IA",
                    "replicaKmsKey": "arn:aws:kms:eu-west-1:123456789012:key/k", "account": "123456789012",
                    "replicationTime": "Enabled", "metrics": "Enabled",
                },
                "deleteMarkerReplication": "Disabled", "sseKmsEncryptedObjects": "Enabled",
                "replicaModifications": "Enabled",
            } },
        });
        let sent: Replication = serde_json::from_value(wanted.clone()).unwrap();
        assert_eq!(serde_json::to_value(Replication::read(&sent.sdk().unwrap())).unwrap(), wanted);
    }
}
