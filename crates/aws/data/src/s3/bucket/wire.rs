//! The calls that change a setting of a bucket. Each call replaces the whole setting.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_core::types::PolicyDocument;

use super::lifecycle::LifecycleRule;
use super::live::PreservedSettings;
use super::replication::ReplicationConfiguration;
use super::settings::{BucketEncryption, CorsRule, ServerAccessLogging};
use crate::s3::s3;

/// Sets the default encryption of new objects.
pub(super) async fn encryption(aws: &Aws, bucket: &str, encryption: &BucketEncryption) -> Result<()> {
    let put = s3(aws).put_bucket_encryption().bucket(bucket);
    put.server_side_encryption_configuration(encryption.sdk()?).send().await?;
    Ok(())
}

/// Sets the ownership of objects that other accounts upload.
pub(super) async fn ownership(aws: &Aws, bucket: &str, ownership: &str) -> Result<()> {
    let rule = sdk::OwnershipControlsRule::builder().object_ownership(ownership.into()).build()?;
    let controls = sdk::OwnershipControls::builder().rules(rule).build()?;
    s3(aws).put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls).send().await?;
    Ok(())
}

/// Sets or deletes the bucket policy.
pub(super) async fn policy(aws: &Aws, bucket: &str, policy: Option<&PolicyDocument>) -> Result<()> {
    match policy {
        Some(policy) => {
            s3(aws).put_bucket_policy().bucket(bucket).policy(policy.json()).send().await?;
        }
        None => {
            s3(aws).delete_bucket_policy().bucket(bucket).send().await?;
        }
    }
    Ok(())
}

/// Enables or suspends versioning.
pub(super) async fn versioning(aws: &Aws, bucket: &str, status: &str) -> Result<()> {
    let versioning = sdk::VersioningConfiguration::builder().status(status.into()).build();
    s3(aws).put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await?;
    Ok(())
}

/// Enables Object Lock without a default retention.
pub(super) async fn object_lock(aws: &Aws, bucket: &str) -> Result<()> {
    let lock = sdk::ObjectLockConfiguration::builder().object_lock_enabled(sdk::ObjectLockEnabled::Enabled).build();
    s3(aws).put_object_lock_configuration().bucket(bucket).object_lock_configuration(lock).send().await?;
    Ok(())
}

/// Sets or deletes all lifecycle rules. The call sends the minimum object size for transitions again, which AWS
/// otherwise resets to its default.
pub(super) async fn lifecycle(
    aws: &Aws,
    bucket: &str,
    rules: Option<&BTreeMap<String, LifecycleRule>>,
    preserved: &PreservedSettings,
) -> Result<()> {
    let rules: Vec<_> = rules.into_iter().flatten().map(|(id, rule)| rule.sdk(id)).collect::<Result<_>>()?;
    if rules.is_empty() {
        s3(aws).delete_bucket_lifecycle().bucket(bucket).send().await?;
        return Ok(());
    }
    s3(aws)
        .put_bucket_lifecycle_configuration()
        .bucket(bucket)
        .lifecycle_configuration(sdk::BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()?)
        .set_transition_default_minimum_object_size(preserved.minimum_size.clone())
        .send()
        .await?;
    Ok(())
}

/// Sets or deletes all CORS rules.
pub(super) async fn cors(aws: &Aws, bucket: &str, rules: &[CorsRule]) -> Result<()> {
    let rules: Vec<_> = rules.iter().map(CorsRule::sdk).collect::<Result<_>>()?;
    if rules.is_empty() {
        s3(aws).delete_bucket_cors().bucket(bucket).send().await?;
        return Ok(());
    }
    let cors = sdk::CorsConfiguration::builder().set_cors_rules(Some(rules)).build()?;
    s3(aws).put_bucket_cors().bucket(bucket).cors_configuration(cors).send().await?;
    Ok(())
}

/// Sets or turns off server access logging.
pub(super) async fn logging(
    aws: &Aws,
    bucket: &str,
    logging: Option<&ServerAccessLogging>,
    preserved: &PreservedSettings,
) -> Result<()> {
    let enabled = logging.map(|logging| logging.sdk(preserved.logging.as_ref())).transpose()?;
    let status = sdk::BucketLoggingStatus::builder().set_logging_enabled(enabled).build();
    s3(aws).put_bucket_logging().bucket(bucket).bucket_logging_status(status).send().await?;
    Ok(())
}

/// Sets or deletes the replication configuration.
pub(super) async fn replication(aws: &Aws, bucket: &str, replication: Option<&ReplicationConfiguration>) -> Result<()> {
    match replication {
        Some(replication) => {
            let put = s3(aws).put_bucket_replication().bucket(bucket);
            put.replication_configuration(replication.sdk()?).send().await?;
        }
        None => {
            s3(aws).delete_bucket_replication().bucket(bucket).send().await?;
        }
    }
    Ok(())
}

/// Turns events to EventBridge on or off. Other notifications are sent back unchanged.
pub(super) async fn event_bridge(aws: &Aws, bucket: &str, on: bool, preserved: &PreservedSettings) -> Result<()> {
    let others = preserved.notification.as_ref();
    let configuration = sdk::NotificationConfiguration::builder()
        .set_topic_configurations(others.and_then(|others| others.topic_configurations.clone()))
        .set_queue_configurations(others.and_then(|others| others.queue_configurations.clone()))
        .set_lambda_function_configurations(others.and_then(|others| others.lambda_function_configurations.clone()))
        .set_event_bridge_configuration(on.then(|| sdk::EventBridgeConfiguration::builder().build()));
    let put = s3(aws).put_bucket_notification_configuration().bucket(bucket);
    put.notification_configuration(configuration.build()).send().await?;
    Ok(())
}
