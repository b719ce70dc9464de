//! The replication configuration of a bucket, in its spec.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::{Bucket, Role};
use holdfast_core::Spec;
use holdfast_core::types::{AfterCreate, Arn, Ref};
use serde::{Deserialize, Serialize};

use crate::kms::key::Key;
use crate::s3::{from_sdk_tags, sdk_tags};

/// The replication of new objects to other buckets
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html>). Source and destination need versioning.
/// Existing objects are not replicated; S3 Batch Replication can copy them.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationConfiguration {
    /// The IAM role that S3 assumes to replicate objects.
    role: Ref<Role, Arn>,
    /// The replication rules, by id. Rules that are not stated are removed.
    #[spec(items = 1..=1000)]
    rules: BTreeMap<String, ReplicationRule>,
}

/// A replication rule: the objects to replicate and their destination.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationRule {
    /// The status.
    #[spec(one_of = sdk::ReplicationRuleStatus)]
    #[serde(default = "enabled")]
    status: String,
    /// The priority: of several rules for the same object and destination, the rule with the highest number applies.
    /// Priorities must differ.
    #[spec(range = 0..)]
    #[serde(default)]
    priority: i32,
    /// The prefix of the object keys. An empty prefix matches all keys.
    #[spec(length = ..=1024)]
    #[serde(default)]
    prefix: String,
    /// The object tags.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// The destination of the replicas.
    destination: ReplicationDestination,
    /// Whether delete markers are replicated. Not supported in a rule with `tags`.
    #[spec(one_of = sdk::DeleteMarkerReplicationStatus)]
    #[serde(default = "disabled")]
    delete_marker_replication: String,
    /// Whether objects that are encrypted with a KMS key are replicated. They need `replicaKmsKey`, and a role with
    /// permission to use both keys.
    #[spec(one_of = sdk::SseKmsEncryptedObjectsStatus)]
    #[serde(default = "disabled")]
    sse_kms_encrypted_objects: String,
    /// Whether metadata changes of replicas are replicated (replica modification sync), for two-way replication.
    #[spec(one_of = sdk::ReplicaModificationsStatus)]
    #[serde(default = "disabled")]
    replica_modifications: String,
}

fn enabled() -> String {
    "Enabled".into()
}

fn disabled() -> String {
    "Disabled".into()
}

/// The destination of replicas.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationDestination {
    /// The destination bucket, in any region. Two buckets may refer to each other.
    bucket: AfterCreate<Ref<Bucket, Arn>>,
    /// The storage class of replicas, such as `STANDARD_IA`. The default is the storage class of the source object.
    #[spec(one_of = sdk::StorageClass)]
    storage_class: Option<String>,
    /// The KMS key, in the destination's region, that encrypts the replicas of objects with KMS encryption.
    replica_kms_key: Option<AfterCreate<Ref<Key, Arn>>>,
    /// The account of the destination bucket, when it is another account. The destination account then owns the
    /// replicas.
    #[spec(pattern = "[0-9]{12}")]
    account: Option<String>,
    /// S3 Replication Time Control, which replicates within 15 minutes and costs extra. It needs `metrics`.
    #[spec(one_of = sdk::ReplicationTimeStatus)]
    #[serde(default = "disabled")]
    replication_time: String,
    /// Replication metrics, such as the pending replication.
    #[spec(one_of = sdk::MetricsStatus)]
    #[serde(default = "disabled")]
    metrics: String,
}

/// The only threshold in minutes that AWS accepts
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationTimeValue.html>).
const THRESHOLD_MINUTES: i32 = 15;

impl ReplicationConfiguration {
    /// Converts the configuration to the form of the call.
    pub(super) fn sdk(&self) -> Result<sdk::ReplicationConfiguration> {
        let ReplicationConfiguration { role, rules } = self;
        let rules = rules.iter().map(|(id, rule)| rule.sdk(id)).collect::<Result<_>>()?;
        Ok(sdk::ReplicationConfiguration::builder().role(role.as_str()).set_rules(Some(rules)).build()?)
    }

    /// Reads the configuration from a response.
    pub(super) fn from_response(response: &sdk::ReplicationConfiguration) -> ReplicationConfiguration {
        ReplicationConfiguration {
            role: response.role().into(),
            rules: response.rules().iter().map(ReplicationRule::from_response).collect(),
        }
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

    #[expect(deprecated, reason = "rules that are older than filters have a prefix of their own")]
    fn from_response(rule: &sdk::ReplicationRule) -> (String, ReplicationRule) {
        let filter = rule.filter();
        let and = filter.and_then(|filter| filter.and());
        let prefix = and.and_then(|a| a.prefix()).or(filter.and_then(|f| f.prefix())).or(rule.prefix());
        let mut tags = and.map(|and| from_sdk_tags(and.tags())).unwrap_or_default();
        tags.extend(from_sdk_tags(filter.and_then(|f| f.tag.clone()).as_slice()));
        let source = rule.source_selection_criteria();
        let kms = source.and_then(|s| s.sse_kms_encrypted_objects()).map(|k| k.status().as_str());
        let back = source.and_then(|s| s.replica_modifications()).map(|m| m.status().as_str());
        let markers = rule.delete_marker_replication().and_then(|m| m.status()).map(|s| s.as_str());
        let read = ReplicationRule {
            status: rule.status().as_str().to_owned(),
            priority: rule.priority.unwrap_or_default(),
            prefix: prefix.unwrap_or_default().to_owned(),
            tags,
            destination: ReplicationDestination::from_response(rule.destination()),
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
        let minutes = sdk::ReplicationTimeValue::builder().minutes(THRESHOLD_MINUTES).build();
        let mut destination = sdk::Destination::builder()
            .bucket(bucket.0.as_str())
            .set_storage_class(storage_class.as_deref().map(Into::into))
            .set_account(account.clone());
        if let Some(AfterCreate(key)) = replica_kms_key {
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

    fn from_response(response: Option<&sdk::Destination>) -> ReplicationDestination {
        let key = response.and_then(|t| t.encryption_configuration()).and_then(|e| e.replica_kms_key_id());
        ReplicationDestination {
            bucket: AfterCreate(response.map(|t| t.bucket()).unwrap_or_default().into()),
            storage_class: response.and_then(|t| t.storage_class()).map(|class| class.as_str().to_owned()),
            replica_kms_key: key.map(|key| AfterCreate(key.into())),
            account: response.and_then(|t| t.account.clone()),
            replication_time: word(response.and_then(|t| t.replication_time()).map(|t| t.status().as_str())),
            metrics: word(response.and_then(|t| t.metrics()).map(|m| m.status().as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_back_as_it_was_sent() {
        let desired = serde_json::json!({
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
        let sent: ReplicationConfiguration = serde_json::from_value(desired.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(ReplicationConfiguration::from_response(&sent.sdk().unwrap())).unwrap(),
            desired
        );
    }
}
