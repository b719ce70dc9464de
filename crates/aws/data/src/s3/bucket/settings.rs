//! Settings of a bucket in its spec: encryption, public access, CORS and server access logging.

use std::collections::BTreeSet;

use aws_sdk_s3::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::names::Bucket;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Name, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::kms::key::Key;

/// The default encryption of new objects.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BucketEncryption {
    /// The encryption algorithm: S3 managed keys (`AES256`), KMS keys, or two layers of encryption with KMS keys
    /// (`aws:kms:dsse`)
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html>).
    #[spec(one_of = ["AES256", "aws:kms", "aws:kms:dsse"])]
    sse_algorithm: String,
    /// The KMS key for `aws:kms`; `null` for the AWS managed key `aws/s3`, which other accounts and CloudFront cannot
    /// use.
    kms_key: Option<Ref<Key, Arn>>,
    /// Whether S3 uses an S3 Bucket Key: a key of the bucket's own, which reduces the number and cost of KMS requests.
    bucket_key_enabled: Option<ServerDefault<bool>>,
    /// The encryption types that S3 refuses in uploads; `NONE` to refuse none. New buckets refuse `SSE-C`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-s3-c-encryption-setting-faq.html>).
    #[spec(one_of = sdk::EncryptionType)]
    blocked_encryption_types: Option<ServerDefault<BTreeSet<String>>>,
}

impl BucketEncryption {
    /// Converts the setting to the form of the call.
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

    /// Returns the encryption of a new bucket. Two regions do not support the refusal of `SSE-C`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-s3-c-encryption-setting-faq.html>).
    pub(super) fn of_new_bucket(region: &str) -> BucketEncryption {
        let blocks_sse_c = !["me-south-1", "me-central-1"].contains(&region);
        BucketEncryption {
            sse_algorithm: "AES256".into(),
            kms_key: None,
            bucket_key_enabled: Some(ServerDefault(false)),
            blocked_encryption_types: blocks_sse_c.then(|| ServerDefault(["SSE-C".to_owned()].into())),
        }
    }

    /// Reads the setting from a response.
    pub(super) fn from_response(response: &sdk::ServerSideEncryptionConfiguration) -> Option<BucketEncryption> {
        let rule = response.rules().first()?;
        let default = rule.apply_server_side_encryption_by_default()?;
        let blocked = rule.blocked_encryption_types().map(|blocked| blocked.encryption_type());
        let words = |types: &[sdk::EncryptionType]| types.iter().map(|of| of.as_str().to_owned()).collect();
        Some(BucketEncryption {
            sse_algorithm: default.sse_algorithm().as_str().to_owned(),
            kms_key: default.kms_master_key_id().map(Into::into),
            bucket_key_enabled: Some(ServerDefault(rule.bucket_key_enabled.unwrap_or(false))),
            blocked_encryption_types: blocked.map(|types| ServerDefault(words(types))),
        })
    }
}

/// The Block Public Access settings of a bucket. A new bucket has all of them turned on
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicAccessBlock {
    /// Whether S3 refuses calls that set a public ACL.
    block_public_acls: Option<ServerDefault<bool>>,
    /// Whether S3 ignores public ACLs.
    ignore_public_acls: Option<ServerDefault<bool>>,
    /// Whether S3 refuses calls that set a public bucket policy.
    block_public_policy: Option<ServerDefault<bool>>,
    /// Whether a public bucket policy grants access only to the account and to AWS services.
    restrict_public_buckets: Option<ServerDefault<bool>>,
}

impl PublicAccessBlock {
    /// Converts the setting to the form of the call.
    pub(super) fn sdk(&self) -> sdk::PublicAccessBlockConfiguration {
        let PublicAccessBlock { block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets } =
            self;
        let flag = |flag: &Option<ServerDefault<bool>>| flag.as_deref().copied();
        sdk::PublicAccessBlockConfiguration::builder()
            .set_block_public_acls(flag(block_public_acls))
            .set_ignore_public_acls(flag(ignore_public_acls))
            .set_block_public_policy(flag(block_public_policy))
            .set_restrict_public_buckets(flag(restrict_public_buckets))
            .build()
    }

    /// Returns the settings of a new bucket.
    pub(super) fn of_new_bucket() -> PublicAccessBlock {
        let on = Some(ServerDefault(true));
        PublicAccessBlock {
            block_public_acls: on,
            ignore_public_acls: on,
            block_public_policy: on,
            restrict_public_buckets: on,
        }
    }

    /// Reads the setting from a response. A bucket without the setting blocks nothing.
    pub(super) fn from_response(response: Option<&sdk::PublicAccessBlockConfiguration>) -> PublicAccessBlock {
        let flag = |of: fn(&sdk::PublicAccessBlockConfiguration) -> Option<bool>| {
            Some(ServerDefault(response.and_then(of).unwrap_or(false)))
        };
        PublicAccessBlock {
            block_public_acls: flag(|t| t.block_public_acls),
            ignore_public_acls: flag(|t| t.ignore_public_acls),
            block_public_policy: flag(|t| t.block_public_policy),
            restrict_public_buckets: flag(|t| t.restrict_public_buckets),
        }
    }
}

/// A CORS rule: cross-origin requests of browser scripts that S3 allows. The first matching rule applies.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(no_key = "the id of a rule is optional, and the first rule that matches applies")]
pub(crate) struct CorsRule {
    /// The id of the rule.
    #[spec(length = ..=255)]
    id: Option<String>,
    /// The allowed HTTP methods.
    #[spec(one_of = ["GET", "PUT", "POST", "DELETE", "HEAD"], items = 1..)]
    allowed_methods: BTreeSet<String>,
    /// The allowed origins, such as `https://example.com`. Each may contain one `*`.
    #[spec(items = 1.., pattern = "[^*]*[*]?[^*]*")]
    allowed_origins: BTreeSet<String>,
    /// The request headers that a script may send. Each may contain one `*`.
    #[spec(pattern = "[^*]*[*]?[^*]*")]
    #[serde(default)]
    allowed_headers: BTreeSet<String>,
    /// The response headers that a script may read.
    #[serde(default)]
    expose_headers: BTreeSet<String>,
    /// The time in seconds for which a browser caches the response of a preflight request.
    max_age_seconds: Option<i32>,
}

impl CorsRule {
    /// Converts the setting to the form of the call.
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

    /// Reads the setting from a response.
    pub(super) fn from_response(response: &sdk::CorsRule) -> CorsRule {
        let all = |list: &[String]| list.iter().cloned().collect();
        CorsRule {
            id: response.id.clone(),
            allowed_methods: all(response.allowed_methods()),
            allowed_origins: all(response.allowed_origins()),
            allowed_headers: all(response.allowed_headers()),
            expose_headers: all(response.expose_headers()),
            max_age_seconds: response.max_age_seconds,
        }
    }
}

/// The server access logging of a bucket. The policy of the target bucket must allow `logging.s3.amazonaws.com` to put
/// objects (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerAccessLogging {
    /// The target bucket, in the same region and account. Use another bucket: log records in the same bucket cause
    /// further log records.
    target_bucket: Ref<Bucket, Name>,
    /// The prefix of the keys of log objects.
    #[serde(default)]
    target_prefix: String,
    /// The date source of partitioned keys, which contain the account, region, bucket and day. `null` for simple keys.
    #[spec(one_of = sdk::PartitionDateSource)]
    partition_date_source: Option<String>,
}

impl ServerAccessLogging {
    /// Converts the setting to the form of the call. The live target grants are kept.
    pub(super) fn sdk(&self, live: Option<&sdk::LoggingEnabled>) -> Result<sdk::LoggingEnabled> {
        let ServerAccessLogging { target_bucket, target_prefix, partition_date_source } = self;
        let format = partition_date_source.as_deref().map(|source| {
            let prefix = sdk::PartitionedPrefix::builder().partition_date_source(source.into()).build();
            sdk::TargetObjectKeyFormat::builder().partitioned_prefix(prefix).build()
        });
        let logging = sdk::LoggingEnabled::builder()
            .target_bucket(target_bucket.as_str())
            .target_prefix(target_prefix)
            .set_target_grants(live.and_then(|live| live.target_grants.clone()))
            .set_target_object_key_format(format);
        Ok(logging.build()?)
    }

    /// Reads the setting from a response.
    pub(super) fn from_response(response: &sdk::LoggingEnabled) -> ServerAccessLogging {
        let partitioned = response.target_object_key_format().and_then(|format| format.partitioned_prefix());
        ServerAccessLogging {
            target_bucket: response.target_bucket().into(),
            target_prefix: response.target_prefix().to_owned(),
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
    fn a_bucket_without_public_access_settings_blocks_nothing() {
        let none = serde_json::to_value(PublicAccessBlock::from_response(None)).unwrap();
        assert_eq!(none["blockPublicPolicy"], false);
        let all = sdk::PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
        assert_eq!(PublicAccessBlock::from_response(Some(&all)).sdk().block_public_acls, Some(true));
    }

    #[test]
    fn the_encryption_is_read_back_as_it_was_sent() {
        let desired = serde_json::json!({
            "sseAlgorithm": "aws:kms", "kmsKey": "arn:aws:kms:eu-west-1:123456789012:key/k",
            "bucketKeyEnabled": true, "blockedEncryptionTypes": ["SSE-C"],
        });
        let sent: BucketEncryption = serde_json::from_value(desired.clone()).unwrap();
        let read = BucketEncryption::from_response(&sent.sdk().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), desired);
    }
}
