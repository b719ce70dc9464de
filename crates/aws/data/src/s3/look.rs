//! What a bucket is like: one call for each of its settings, all at once.

use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::asks_for;
use holdfast_base::tagging::Tags;
use holdfast_core::schema::Spec as _;
use holdfast_core::types::{Always, Policy};
use holdfast_engine::cloud::Scope;

use super::access;
use super::bucket::Bucket;
use super::lifecycle::LifecycleRule;
use super::replication::Replication;
use super::s3;
use super::settings::{AccessLogging, BucketEncryption, CorsRule, PublicAccessBlock};

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

/// A bucket as it is; none when it is gone. What the document does not state is not asked for, since each setting is a
/// call.
pub(super) async fn bucket(
    aws: &Aws,
    scope: &Scope,
    tags: &Tags,
    name: &str,
    arn: &str,
) -> Result<Option<(Bucket, Raw)>> {
    settings(aws, &|field| asks_for::<Bucket>(scope, tags, field), name, arn).await.or_absent()
}

/// The settings that are asked for, and one of them whatever is: it shows whether the bucket is there.
async fn settings(aws: &Aws, asks_for: &(dyn Fn(&str) -> bool + Sync), name: &str, arn: &str) -> Result<(Bucket, Raw)> {
    let s3 = &s3(aws);
    // What it remembers of its deletion stands in a tag.
    let settings = Bucket::RECORD.fields.iter().map(|field| field.name).filter(|field| *field != "emptyOnDelete");
    let versioning = asks_for("versioning") || !settings.into_iter().any(asks_for);
    // AWS replicates out of no bucket without versions, and does not let them be suspended before the replication is
    // removed (https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-and-other-bucket-configs.html).
    let copied = async {
        let replication = when(asks_for("replication"), s3.get_bucket_replication().bucket(name).send()).await?;
        let replication = replication.and_then(|answer| answer.replication_configuration);
        let versioning = when(versioning && replication.is_none(), s3.get_bucket_versioning().bucket(name).send());
        let told = versioning.await?.and_then(|answer| answer.status);
        Ok((replication.as_ref().map(|_| sdk::BucketVersioningStatus::Enabled).or(told), replication))
    };
    let ((versioning, replication), encryption, block, ownership, policy, lifecycle, cors, logging, notification, lock) =
        futures::try_join!(
            copied,
            when(asks_for("encryption"), s3.get_bucket_encryption().bucket(name).send()),
            when(asks_for("publicAccessBlock"), s3.get_public_access_block().bucket(name).send()),
            when(asks_for("objectOwnership"), s3.get_bucket_ownership_controls().bucket(name).send()),
            when(asks_for("policy") || asks_for("distributions"), s3.get_bucket_policy().bucket(name).send()),
            when(asks_for("lifecycleRules"), s3.get_bucket_lifecycle_configuration().bucket(name).send()),
            when(asks_for("corsRules"), s3.get_bucket_cors().bucket(name).send()),
            when(asks_for("accessLogging"), s3.get_bucket_logging().bucket(name).send()),
            when(asks_for("eventBridgeEnabled"), s3.get_bucket_notification_configuration().bucket(name).send()),
            when(asks_for("objectLockEnabled"), s3.get_object_lock_configuration().bucket(name).send()),
        )?;
    let versioning = versioning.map(|status| status.as_str().to_owned());
    let encryption = encryption.as_ref().and_then(|answer| answer.server_side_encryption_configuration());
    let ownership = ownership.as_ref().and_then(|answer| answer.ownership_controls()?.rules().first());
    let policy = policy.and_then(|answer| answer.policy).map(|text| Policy::parse(&text));
    let (policy, distributions) = policy.map_or((None, None), |policy| access::split(policy, arn));
    let locked = lock.as_ref().and_then(|answer| answer.object_lock_configuration()?.object_lock_enabled());
    let logging = logging.and_then(|answer| answer.logging_enabled);
    let spec = Bucket {
        versioning: versioning.map(Always),
        encryption: encryption.and_then(BucketEncryption::read).map(Always),
        public_access_block: asks_for("publicAccessBlock").then(|| {
            let block = block.as_ref().and_then(|answer| answer.public_access_block_configuration());
            Always(PublicAccessBlock::read(block))
        }),
        // A bucket from before there was a choice leaves objects to who wrote them.
        object_ownership: asks_for("objectOwnership").then(|| {
            Always(ownership.map_or_else(|| "ObjectWriter".into(), |rule| rule.object_ownership().as_str().to_owned()))
        }),
        policy,
        distributions,
        lifecycle_rules: lifecycle.as_ref().map(|answer| answer.rules().iter().map(LifecycleRule::read).collect()),
        cors_rules: cors.map(|answer| answer.cors_rules().iter().map(CorsRule::read).collect()),
        access_logging: logging.as_ref().map(AccessLogging::read),
        replication: replication.as_ref().map(Replication::read),
        event_bridge_enabled: notification.as_ref().map(|told| Always(told.event_bridge_configuration.is_some())),
        object_lock_enabled: asks_for("objectLockEnabled").then(|| Always(locked.is_some())),
        empty_on_delete: false,
    };
    let minimum_size = lifecycle.and_then(|answer| answer.transition_default_minimum_object_size);
    Ok((spec, Raw { notification, logging, minimum_size }))
}

/// The answer, where it is wanted; a call that is not made costs nothing. That the bucket has no such setting is none,
/// and that there is no such bucket an error.
async fn when<T, E>(wanted: bool, call: impl Future<Output = std::result::Result<T, E>>) -> Result<Option<T>>
where
    Error: From<E>,
{
    if !wanted {
        return Ok(None);
    }
    match call.await.map_err(Error::from) {
        Err(error) if error.0.code.as_deref() == Some("NoSuchBucket") => Err(error),
        answer => answer.or_absent(),
    }
}
