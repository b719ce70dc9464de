//! The live settings of a bucket: one call for each setting, all concurrent.

use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::tagging::Tags;
use holdfast_base::wanted::is_requested_field;
use holdfast_core::schema::FieldName;
use holdfast_core::types::{PolicyDocument, ServerDefault};
use holdfast_engine::cloud::Scope;

use super::access;
use super::lifecycle::LifecycleRule;
use super::replication::ReplicationConfiguration;
use super::settings::{BucketEncryption, CorsRule, PublicAccessBlock, ServerAccessLogging};
use super::spec::Bucket;
use crate::s3::s3;

/// Live settings outside the spec. Calls that replace a whole setting send them back unchanged.
#[derive(Default)]
pub(super) struct PreservedSettings {
    /// The notification configuration, with its queues, topics and functions.
    pub(super) notification: Option<GetBucketNotificationConfigurationOutput>,
    /// The server access logging, with its target grants.
    pub(super) logging: Option<sdk::LoggingEnabled>,
    /// The minimum object size for transitions of lifecycle rules.
    pub(super) minimum_size: Option<sdk::TransitionDefaultMinimumObjectSize>,
}

/// Observes the requested settings of a bucket; none when the bucket does not exist. Settings that the document does
/// not state are not read, since each one costs a call. At least one setting is read, which shows whether the bucket
/// exists.
pub(super) async fn settings(
    aws: &Aws,
    scope: &Scope,
    tags: &Tags,
    name: &str,
    arn: &str,
) -> Result<Option<(Bucket, PreservedSettings)>> {
    let is_requested = |field| is_requested_field(scope, tags, field);
    read(aws, &is_requested, name, arn).await.or_absent()
}

async fn read(
    aws: &Aws,
    is_requested: &(dyn Fn(FieldName<Bucket>) -> bool + Sync),
    name: &str,
    arn: &str,
) -> Result<(Bucket, PreservedSettings)> {
    let s3 = &s3(aws);
    let others = [
        Bucket::ENCRYPTION,
        Bucket::PUBLIC_ACCESS_BLOCK,
        Bucket::OBJECT_OWNERSHIP,
        Bucket::POLICY,
        Bucket::DISTRIBUTIONS,
        Bucket::LIFECYCLE_RULES,
        Bucket::CORS_RULES,
        Bucket::ACCESS_LOGGING,
        Bucket::REPLICATION,
        Bucket::EVENT_BRIDGE_ENABLED,
        Bucket::OBJECT_LOCK_ENABLED,
    ];
    let versioning = is_requested(Bucket::VERSIONING) || !others.into_iter().any(is_requested);
    // A bucket with replication has versioning enabled: AWS refuses to suspend versioning before the replication is
    // removed (https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-and-other-bucket-configs.html).
    let replicated = async {
        let replication =
            when(is_requested(Bucket::REPLICATION), s3.get_bucket_replication().bucket(name).send()).await?;
        let replication = replication.and_then(|output| output.replication_configuration);
        let versioning = when(versioning && replication.is_none(), s3.get_bucket_versioning().bucket(name).send());
        let status = versioning.await?.and_then(|output| output.status);
        Ok((replication.as_ref().map(|_| sdk::BucketVersioningStatus::Enabled).or(status), replication))
    };
    let ((versioning, replication), encryption, block, ownership, policy, lifecycle, cors, logging, notification, lock) =
        futures::try_join!(
            replicated,
            when(is_requested(Bucket::ENCRYPTION), s3.get_bucket_encryption().bucket(name).send()),
            when(is_requested(Bucket::PUBLIC_ACCESS_BLOCK), s3.get_public_access_block().bucket(name).send()),
            when(is_requested(Bucket::OBJECT_OWNERSHIP), s3.get_bucket_ownership_controls().bucket(name).send()),
            when(
                is_requested(Bucket::POLICY) || is_requested(Bucket::DISTRIBUTIONS),
                s3.get_bucket_policy().bucket(name).send()
            ),
            when(is_requested(Bucket::LIFECYCLE_RULES), s3.get_bucket_lifecycle_configuration().bucket(name).send()),
            when(is_requested(Bucket::CORS_RULES), s3.get_bucket_cors().bucket(name).send()),
            when(is_requested(Bucket::ACCESS_LOGGING), s3.get_bucket_logging().bucket(name).send()),
            when(
                is_requested(Bucket::EVENT_BRIDGE_ENABLED),
                s3.get_bucket_notification_configuration().bucket(name).send()
            ),
            when(is_requested(Bucket::OBJECT_LOCK_ENABLED), s3.get_object_lock_configuration().bucket(name).send()),
        )?;
    let versioning = versioning.map(|status| status.as_str().to_owned());
    let encryption = encryption.as_ref().and_then(|output| output.server_side_encryption_configuration());
    let ownership = ownership.as_ref().and_then(|output| output.ownership_controls()?.rules().first());
    let policy = policy.and_then(|output| output.policy).map(|text| PolicyDocument::parse(&text));
    let (policy, distributions) = policy.map_or((None, None), |policy| access::split(policy, arn));
    let locked = lock.as_ref().and_then(|output| output.object_lock_configuration()?.object_lock_enabled());
    let logging = logging.and_then(|output| output.logging_enabled);
    let spec = Bucket {
        versioning: versioning.map(ServerDefault),
        encryption: encryption.and_then(BucketEncryption::from_response).map(ServerDefault),
        public_access_block: is_requested(Bucket::PUBLIC_ACCESS_BLOCK).then(|| {
            let block = block.as_ref().and_then(|output| output.public_access_block_configuration());
            ServerDefault(PublicAccessBlock::from_response(block))
        }),
        // A bucket that is older than ownership controls has none, and the writer owns an object.
        object_ownership: is_requested(Bucket::OBJECT_OWNERSHIP).then(|| {
            ServerDefault(
                ownership.map_or_else(|| "ObjectWriter".into(), |rule| rule.object_ownership().as_str().to_owned()),
            )
        }),
        policy,
        distributions,
        lifecycle_rules: lifecycle
            .as_ref()
            .map(|output| output.rules().iter().map(LifecycleRule::from_response).collect()),
        cors_rules: cors.map(|output| output.cors_rules().iter().map(CorsRule::from_response).collect()),
        access_logging: logging.as_ref().map(ServerAccessLogging::from_response),
        replication: replication.as_ref().map(ReplicationConfiguration::from_response),
        event_bridge_enabled: notification
            .as_ref()
            .map(|output| ServerDefault(output.event_bridge_configuration.is_some())),
        object_lock_enabled: is_requested(Bucket::OBJECT_LOCK_ENABLED).then(|| ServerDefault(locked.is_some())),
        empty_on_delete: false,
    };
    let minimum_size = lifecycle.and_then(|output| output.transition_default_minimum_object_size);
    Ok((spec, PreservedSettings { notification, logging, minimum_size }))
}

/// Sends a call when it is necessary, and returns its response; none without the call, or when the bucket lacks the
/// setting.
///
/// **Errors**: a bucket that does not exist.
async fn when<T, E>(is_necessary: bool, call: impl Future<Output = std::result::Result<T, E>>) -> Result<Option<T>>
where
    Error: From<E>,
{
    if !is_necessary {
        return Ok(None);
    }
    match call.await.map_err(Error::from) {
        Err(error) if error.0.code.as_deref() == Some("NoSuchBucket") => Err(error),
        output => output.or_absent(),
    }
}
