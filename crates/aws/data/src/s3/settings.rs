//! The plain settings of a bucket: encryption, public access, CORS and access logs. Parts of its spec.

use std::collections::BTreeSet;

use aws_sdk_s3::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, Name, Ref};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use crate::kms::key::Key;

/// How new objects are encrypted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BucketEncryption {
    /// `AES256` (AWS's default: keys of S3), `aws:kms` or `aws:kms:dsse`.
    sse_algorithm: String,
    /// The key for `aws:kms`; `null` for the key `aws/s3`, which other accounts and CloudFront cannot use.
    kms_key: Option<Ref<Key, Arn>>,
    /// Whether S3 keeps a key of the bucket's own, so that it asks, and pays, KMS less often.
    bucket_key_enabled: Option<Always<bool>>,
    /// Ways of encryption that uploads may not choose: `SSE-C`, or `NONE` for no ban. New buckets ban `SSE-C`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-s3-c-encryption-setting-faq.html>).
    blocked_encryption_types: Option<Always<BTreeSet<String>>>,
}

impl BucketEncryption {
    /// As AWS's call takes it.
    pub(super) fn sdk(&self) -> Result<sdk::ServerSideEncryptionConfiguration> {
        let BucketEncryption { sse_algorithm, kms_key, bucket_key_enabled, blocked_encryption_types: blocked } = self;
        let default = sdk::ServerSideEncryptionByDefault::builder()
            .sse_algorithm(sse_algorithm.as_str().into())
            .set_kms_master_key_id(kms_key.as_ref().map(ToString::to_string))
            .build()?;
        let blocked = blocked.as_ref().map(|types| {
            let types = types.iter().map(|of| of.as_str().into()).collect();
            sdk::BlockedEncryptionTypes::builder().set_encryption_type(Some(types)).build()
        });
        let rule = sdk::ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(default)
            .set_bucket_key_enabled(bucket_key_enabled.as_deref().copied())
            .set_blocked_encryption_types(blocked);
        Ok(sdk::ServerSideEncryptionConfiguration::builder().rules(rule.build()).build()?)
    }

    /// What a new bucket has. Two regions know no ban
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-s3-c-encryption-setting-faq.html>).
    pub(super) fn fresh(region: &str) -> BucketEncryption {
        let bans = !["me-south-1", "me-central-1"].contains(&region);
        BucketEncryption {
            sse_algorithm: "AES256".into(),
            kms_key: None,
            bucket_key_enabled: Some(Always(false)),
            blocked_encryption_types: bans.then(|| Always(["SSE-C".to_owned()].into())),
        }
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::ServerSideEncryptionConfiguration) -> Option<BucketEncryption> {
        let rule = told.rules().first()?;
        let default = rule.apply_server_side_encryption_by_default()?;
        let blocked = rule.blocked_encryption_types().map(|blocked| blocked.encryption_type());
        let words = |types: &[sdk::EncryptionType]| types.iter().map(|of| of.as_str().to_owned()).collect();
        Some(BucketEncryption {
            sse_algorithm: default.sse_algorithm().as_str().to_owned(),
            kms_key: default.kms_master_key_id().map(Into::into),
            bucket_key_enabled: Some(Always(rule.bucket_key_enabled.unwrap_or(false))),
            blocked_encryption_types: blocked.map(|types| Always(words(types))),
        })
    }
}

/// What is refused although an ACL or a policy allows it: all of it, in a new bucket
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicAccessBlock {
    /// Whether calls fail that set a public ACL.
    block_public_acls: Option<Always<bool>>,
    /// Whether public ACLs are without effect.
    ignore_public_acls: Option<Always<bool>>,
    /// Whether calls fail that set a public policy.
    block_public_policy: Option<Always<bool>>,
    /// Whether a public policy lets in nobody but the account and services of AWS.
    restrict_public_buckets: Option<Always<bool>>,
}

impl PublicAccessBlock {
    /// As AWS's call takes it.
    pub(super) fn sdk(&self) -> sdk::PublicAccessBlockConfiguration {
        let PublicAccessBlock { block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets } =
            self;
        let flag = |flag: &Option<Always<bool>>| flag.as_deref().copied();
        sdk::PublicAccessBlockConfiguration::builder()
            .set_block_public_acls(flag(block_public_acls))
            .set_ignore_public_acls(flag(ignore_public_acls))
            .set_block_public_policy(flag(block_public_policy))
            .set_restrict_public_buckets(flag(restrict_public_buckets))
            .build()
    }

    /// What a new bucket has.
    pub(super) fn fresh() -> PublicAccessBlock {
        let on = Some(Always(true));
        PublicAccessBlock {
            block_public_acls: on,
            ignore_public_acls: on,
            block_public_policy: on,
            restrict_public_buckets: on,
        }
    }

    /// From AWS's answer. A bucket without one refuses nothing.
    pub(super) fn read(told: Option<&sdk::PublicAccessBlockConfiguration>) -> PublicAccessBlock {
        let flag = |of: fn(&sdk::PublicAccessBlockConfiguration) -> Option<bool>| {
            Some(Always(told.and_then(of).unwrap_or(false)))
        };
        PublicAccessBlock {
            block_public_acls: flag(|t| t.block_public_acls),
            ignore_public_acls: flag(|t| t.ignore_public_acls),
            block_public_policy: flag(|t| t.block_public_policy),
            restrict_public_buckets: flag(|t| t.restrict_public_buckets),
        }
    }
}

/// Which scripts of other sites may use the bucket from a browser. The first rule that fits holds.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CorsRule {
    /// A name for it.
    id: Option<String>,
    /// `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    allowed_methods: BTreeSet<String>,
    /// The sites, as in `https://example.com`; one may have a `*` in it.
    allowed_origins: BTreeSet<String>,
    /// The headers that a script may send; one may have a `*` in it.
    #[serde(default)]
    allowed_headers: BTreeSet<String>,
    /// The headers of the answer that a script may read.
    #[serde(default)]
    expose_headers: BTreeSet<String>,
    /// Seconds that a browser remembers the answer.
    max_age_seconds: Option<i32>,
}

impl CorsRule {
    /// As AWS's call takes it.
    pub(super) fn sdk(&self) -> Result<sdk::CorsRule> {
        let CorsRule { id, allowed_methods, allowed_origins, allowed_headers, expose_headers, max_age_seconds } = self;
        let all = |set: &BTreeSet<String>| (!set.is_empty()).then(|| set.iter().cloned().collect());
        let rule = sdk::CorsRule::builder()
            .set_id(id.clone())
            .set_allowed_methods(all(allowed_methods))
            .set_allowed_origins(all(allowed_origins))
            .set_allowed_headers(all(allowed_headers))
            .set_expose_headers(all(expose_headers))
            .set_max_age_seconds(*max_age_seconds);
        Ok(rule.build()?)
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::CorsRule) -> CorsRule {
        let all = |list: &[String]| list.iter().cloned().collect();
        CorsRule {
            id: told.id.clone(),
            allowed_methods: all(told.allowed_methods()),
            allowed_origins: all(told.allowed_origins()),
            allowed_headers: all(told.allowed_headers()),
            expose_headers: all(told.expose_headers()),
            max_age_seconds: told.max_age_seconds,
        }
    }
}

/// Where records of requests go. The target's policy has to let `logging.s3.amazonaws.com` put objects
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessLogging {
    /// The bucket, of the same region and account. It must be another one, or the records record themselves.
    target_bucket: Ref<Bucket, Name>,
    /// What the records' keys begin with.
    #[serde(default)]
    target_prefix: String,
    /// `EventTime` or `DeliveryTime`, for keys with account, region, bucket and day in them; `null` for plain keys.
    partition_date_source: Option<String>,
}

impl AccessLogging {
    /// As AWS's call takes it; `there` is what AWS has now, whose grants stay.
    pub(super) fn sdk(&self, there: Option<&sdk::LoggingEnabled>) -> Result<sdk::LoggingEnabled> {
        let AccessLogging { target_bucket, target_prefix, partition_date_source } = self;
        let format = partition_date_source.as_deref().map(|source| {
            let prefix = sdk::PartitionedPrefix::builder().partition_date_source(source.into()).build();
            sdk::TargetObjectKeyFormat::builder().partitioned_prefix(prefix).build()
        });
        let logging = sdk::LoggingEnabled::builder()
            .target_bucket(target_bucket.as_str())
            .target_prefix(target_prefix)
            .set_target_grants(there.and_then(|there| there.target_grants.clone()))
            .set_target_object_key_format(format);
        Ok(logging.build()?)
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::LoggingEnabled) -> AccessLogging {
        let partitioned = told.target_object_key_format().and_then(|format| format.partitioned_prefix());
        AccessLogging {
            target_bucket: told.target_bucket().into(),
            target_prefix: told.target_prefix().to_owned(),
            partition_date_source: partitioned
                .and_then(|prefix| prefix.partition_date_source())
                .map(|source| source.as_str().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_without_a_block_refuses_nothing() {
        let none = serde_json::to_value(PublicAccessBlock::read(None)).unwrap();
        assert_eq!(none["blockPublicPolicy"], false);
        let all = sdk::PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
        assert_eq!(PublicAccessBlock::read(Some(&all)).sdk().block_public_acls, Some(true));
    }

    #[test]
    fn encryption_comes_back_as_it_was_sent() {
        let wanted = serde_json::json!({
            "sseAlgorithm": "aws:kms", "kmsKey": "arn:aws:kms:eu-west-1:123456789012:key/k",
            "bucketKeyEnabled": true, "blockedEncryptionTypes": ["SSE-C"],
        });
        let sent: BucketEncryption = serde_json::from_value(wanted.clone()).unwrap();
        let back = BucketEncryption::read(&sent.sdk().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(back).unwrap(), wanted);
    }
}
