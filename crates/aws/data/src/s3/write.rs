//! The calls that change a setting of a bucket, each of which replaces the whole of it.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_core::types::Policy;

use super::lifecycle::LifecycleRule;
use super::look::Raw;
use super::replication::Replication;
use super::s3;
use super::settings::{AccessLogging, BucketEncryption, CorsRule};

/// How new objects are encrypted.
pub(super) async fn encryption(aws: &Aws, bucket: &str, encryption: &BucketEncryption) -> Result<()> {
    let put = s3(aws).put_bucket_encryption().bucket(bucket);
    put.server_side_encryption_configuration(encryption.sdk()?).send().await?;
    Ok(())
}

/// Who owns what others upload.
pub(super) async fn ownership(aws: &Aws, bucket: &str, ownership: &str) -> Result<()> {
    let rule = sdk::OwnershipControlsRule::builder().object_ownership(ownership.into()).build()?;
    let controls = sdk::OwnershipControls::builder().rules(rule).build()?;
    s3(aws).put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls).send().await?;
    Ok(())
}

/// The whole policy.
pub(super) async fn policy(aws: &Aws, bucket: &str, policy: Option<&Policy>) -> Result<()> {
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

/// Whether there are versions.
pub(super) async fn versioning(aws: &Aws, bucket: &str, status: &str) -> Result<()> {
    let versioning = sdk::VersioningConfiguration::builder().status(status.into()).build();
    s3(aws).put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await?;
    Ok(())
}

/// All lifecycle rules. The least size of what they move would go back to AWS's default if it were not sent again.
pub(super) async fn lifecycle(
    aws: &Aws,
    bucket: &str,
    rules: Option<&BTreeMap<String, LifecycleRule>>,
    raw: &Raw,
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
        .set_transition_default_minimum_object_size(raw.minimum_size.clone())
        .send()
        .await?;
    Ok(())
}

/// All CORS rules.
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

/// Where records of requests go.
pub(super) async fn logging(aws: &Aws, bucket: &str, logging: Option<&AccessLogging>, raw: &Raw) -> Result<()> {
    let enabled = logging.map(|logging| logging.sdk(raw.logging.as_ref())).transpose()?;
    let status = sdk::BucketLoggingStatus::builder().set_logging_enabled(enabled).build();
    s3(aws).put_bucket_logging().bucket(bucket).bucket_logging_status(status).send().await?;
    Ok(())
}

/// Where new objects are copied to.
pub(super) async fn replication(aws: &Aws, bucket: &str, replication: Option<&Replication>) -> Result<()> {
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

/// Whether EventBridge is told; who else is told stays.
pub(super) async fn event_bridge(aws: &Aws, bucket: &str, on: bool, raw: &Raw) -> Result<()> {
    let others = raw.notification.as_ref();
    let configuration = sdk::NotificationConfiguration::builder()
        .set_topic_configurations(others.and_then(|others| others.topic_configurations.clone()))
        .set_queue_configurations(others.and_then(|others| others.queue_configurations.clone()))
        .set_lambda_function_configurations(others.and_then(|others| others.lambda_function_configurations.clone()))
        .set_event_bridge_configuration(on.then(|| sdk::EventBridgeConfiguration::builder().build()));
    let put = s3(aws).put_bucket_notification_configuration().bucket(bucket);
    put.notification_configuration(configuration.build()).send().await?;
    Ok(())
}
