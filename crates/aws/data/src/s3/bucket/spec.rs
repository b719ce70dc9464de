//! The spec and the status of a Bucket.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::{PolicyDocument, ServerDefault};
use serde::{Deserialize, Serialize};

use super::access::Readers;
use super::lifecycle::LifecycleRule;
use super::replication::ReplicationConfiguration;
use super::settings::{BucketEncryption, CorsRule, PublicAccessBlock, ServerAccessLogging};

/// An S3 bucket. A new bucket is private, and encrypted with S3 managed keys (SSE-S3).
///
/// The name has 3 to 63 lower case letters, digits, hyphens and dots
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>). It is unique among all AWS
/// accounts, and another account may already use the default name (`<stack>-<env>-<name>`). Add the account to avoid
/// that: `name: ${env.stack}-${env.name}-assets-${env.account}`. A bucket whose name ends in `-<account>-<region>-an`
/// is created in the account's own namespace, whose names no other account can use
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html>).
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bucket {
    /// The versioning state: `Enabled`, or `Suspended` to keep the existing versions and create no more. A new bucket
    /// is unversioned. AWS cannot return a bucket to that state.
    #[spec(one_of = sdk::BucketVersioningStatus)]
    pub(super) versioning: Option<ServerDefault<String>>,
    /// The default encryption of new objects. AWS's default is S3 managed keys (SSE-S3).
    pub(super) encryption: Option<ServerDefault<BucketEncryption>>,
    /// The Block Public Access settings. A new bucket has all of them turned on.
    pub(super) public_access_block: Option<ServerDefault<PublicAccessBlock>>,
    /// The ownership of objects that other accounts upload. With `BucketOwnerEnforced` the bucket owner owns them, and
    /// ACLs are off.
    #[spec(one_of = sdk::ObjectOwnership, default = "BucketOwnerEnforced")]
    pub(super) object_ownership: Option<ServerDefault<String>>,
    /// The bucket policy, for access beyond the account itself; `null` for none. An expression in it can read the
    /// bucket: `"${Bucket.assets.arn}/*"`. It cannot read a Distribution that has the bucket as its origin, since each
    /// would wait for the other: use `distributions` instead. Load balancers need
    /// `{ Principal: { Service: logdelivery.elasticloadbalancing.amazonaws.com }, Action: s3:PutObject }` to write
    /// access logs (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>).
    pub(super) policy: Option<PolicyDocument>,
    /// The CloudFront distributions that may read objects through an origin access control. Once they exist, Holdfast
    /// adds the statement `HoldfastDistributions` for them to the bucket policy
    /// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html>).
    pub(super) distributions: Option<Readers>,
    /// The lifecycle rules, by id; `null` for none. Rules that are not stated are removed.
    #[spec(items = ..=1000)]
    pub(super) lifecycle_rules: Option<BTreeMap<String, LifecycleRule>>,
    /// The CORS rules: cross-origin requests of browser scripts that S3 allows. `null` for none.
    #[spec(items = ..=100)]
    pub(super) cors_rules: Option<Vec<CorsRule>>,
    /// The server access logging; `null` turns it off.
    pub(super) access_logging: Option<ServerAccessLogging>,
    /// The replication of new objects to other buckets; `null` for none.
    pub(super) replication: Option<ReplicationConfiguration>,
    /// Whether S3 sends events of the bucket to EventBridge. Holdfast does not manage notifications to queues, topics
    /// and functions, and leaves them unchanged.
    #[spec(default = false)]
    pub(super) event_bridge_enabled: Option<ServerDefault<bool>>,
    /// Whether Object Lock is enabled, which can protect objects against deletion. It needs versioning, which the
    /// create call then enables. AWS can enable it on a bucket that exists, and never disables it
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html>).
    #[spec(immutable, in_place = true, default = false)]
    pub(super) object_lock_enabled: Option<ServerDefault<bool>>,
    /// Whether a deletion of the bucket first deletes all versions of all its objects. AWS refuses to delete a bucket
    /// that is not empty. The value is recorded in the tag `holdfast:empty-on-delete`, since the document may no longer
    /// contain the bucket when it is deleted.
    #[serde(default)]
    pub(super) empty_on_delete: bool,
}

/// The read-only attributes of a Bucket.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BucketStatus {
    /// The ARN.
    pub(super) arn: String,
    /// The regional domain name, for an origin of a distribution: `<name>.s3.<region>.amazonaws.com`.
    pub(super) regional_domain_name: String,
}
