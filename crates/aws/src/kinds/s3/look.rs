//! What a bucket is like: one call for each of its settings, all at once.

use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types as sdk;
use holdfast_core::types::{Always, Policy};
use holdfast_engine::cloud::Scope;

use super::access;
use super::bucket::Bucket;
use super::lifecycle::LifecycleRule;
use super::replication::Replication;
use super::settings::{AccessLogging, BucketEncryption, CorsRule, PublicAccessBlock};
use crate::client::Aws;
use crate::error::{OrAbsent, Result};

/// What calls that replace the whole have to send again.
#[derive(Default)]
pub(super) struct Raw {
    /// Who else is told what happens to objects.
    pub(super) notification: Option<GetBucketNotificationConfigurationOutput>,
    /// The access logs, with the grants on them.
    pub(super) logging: Option<sdk::LoggingEnabled>,
    /// The least size of objects that lifecycle rules move.
    pub(super) minimum_size: Option<sdk::TransitionDefaultMinimumObjectSize>,
}

/// A bucket as it is; none when it is gone. What no document states is not asked for, since each setting is a call;
/// replication and object locks only where there is versioning, which both need.
pub(super) async fn bucket(aws: &Aws, scope: &Scope, name: &str, arn: &str) -> Result<Option<(Bucket, Raw)>> {
    let s3 = &aws.s3;
    let Some(versioning) = s3.get_bucket_versioning().bucket(name).send().await.or_absent()? else {
        return Ok(None);
    };
    let versioning = versioning.status().map(|status| status.as_str().to_owned());
    let versioned = versioning.is_some();
    let (encryption, block, ownership, policy, lifecycle, cors, logging, notification, replication, lock) = futures::try_join!(
        when(scope.asks_for("encryption"), async { s3.get_bucket_encryption().bucket(name).send().await.or_absent() }),
        when(scope.asks_for("publicAccessBlock"), async {
            s3.get_public_access_block().bucket(name).send().await.or_absent()
        }),
        when(scope.asks_for("objectOwnership"), async {
            s3.get_bucket_ownership_controls().bucket(name).send().await.or_absent()
        }),
        when(scope.asks_for("policy") || scope.asks_for("distributions"), async {
            s3.get_bucket_policy().bucket(name).send().await.or_absent()
        }),
        when(scope.asks_for("lifecycleRules"), async {
            s3.get_bucket_lifecycle_configuration().bucket(name).send().await.or_absent()
        }),
        when(scope.asks_for("corsRules"), async { s3.get_bucket_cors().bucket(name).send().await.or_absent() }),
        when(scope.asks_for("accessLogging"), async { s3.get_bucket_logging().bucket(name).send().await.or_absent() }),
        when(scope.asks_for("eventBridgeEnabled"), async {
            s3.get_bucket_notification_configuration().bucket(name).send().await.or_absent()
        }),
        when(versioned && scope.asks_for("replication"), async {
            s3.get_bucket_replication().bucket(name).send().await.or_absent()
        }),
        when(versioned && scope.asks_for("objectLockEnabled"), async {
            s3.get_object_lock_configuration().bucket(name).send().await.or_absent()
        }),
    )?;
    let encryption = encryption.as_ref().and_then(|answer| answer.server_side_encryption_configuration());
    let ownership = ownership.as_ref().and_then(|answer| answer.ownership_controls()?.rules().first());
    let policy = policy.and_then(|answer| answer.policy).map(|text| Policy::parse(&text));
    let (policy, distributions) = policy.map_or((None, None), |policy| access::split(policy, arn));
    let locked = lock.as_ref().and_then(|answer| answer.object_lock_configuration()?.object_lock_enabled());
    let logging = logging.and_then(|answer| answer.logging_enabled);
    let spec = Bucket {
        versioning: versioning.map(Always),
        encryption: encryption.and_then(BucketEncryption::read).map(Always),
        public_access_block: scope.asks_for("publicAccessBlock").then(|| {
            let block = block.as_ref().and_then(|answer| answer.public_access_block_configuration());
            Always(PublicAccessBlock::read(block))
        }),
        // A bucket from before there was a choice leaves objects to who wrote them.
        object_ownership: scope.asks_for("objectOwnership").then(|| {
            Always(ownership.map_or_else(|| "ObjectWriter".into(), |rule| rule.object_ownership().as_str().to_owned()))
        }),
        policy,
        distributions,
        lifecycle_rules: lifecycle.as_ref().map(|answer| answer.rules().iter().map(LifecycleRule::read).collect()),
        cors_rules: cors.map(|answer| answer.cors_rules().iter().map(CorsRule::read).collect()),
        access_logging: logging.as_ref().map(AccessLogging::read),
        replication: replication.as_ref().and_then(|answer| answer.replication_configuration()).map(Replication::read),
        event_bridge_enabled: notification.as_ref().map(|told| Always(told.event_bridge_configuration.is_some())),
        object_lock_enabled: Some(Always(locked.is_some())),
        empty_on_delete: false,
    };
    let minimum_size = lifecycle.and_then(|answer| answer.transition_default_minimum_object_size);
    Ok(Some((spec, Raw { notification, logging, minimum_size })))
}

/// The answer, where it is wanted; a call that is not made costs nothing.
async fn when<T>(wanted: bool, call: impl Future<Output = Result<Option<T>>>) -> Result<Option<T>> {
    if wanted { call.await } else { Ok(None) }
}
