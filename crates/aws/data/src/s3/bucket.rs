//! Bucket: an S3 bucket and its settings.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{PolicyDocument, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::access::{self, Readers};
use super::lifecycle::LifecycleRule;
use super::replication::ReplicationConfiguration;
use super::settings::{BucketEncryption, CorsRule, PublicAccessBlock, ServerAccessLogging};
use super::{contents, observe, partition, s3, sdk_tags, tags, write};

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
    pub(super) versioning: Option<ServerDefault<String>>,
    /// The default encryption of new objects. AWS's default is S3 managed keys (SSE-S3).
    pub(super) encryption: Option<ServerDefault<BucketEncryption>>,
    /// The Block Public Access settings. A new bucket has all of them turned on.
    pub(super) public_access_block: Option<ServerDefault<PublicAccessBlock>>,
    /// The ownership of objects that other accounts upload: `BucketOwnerEnforced` (AWS's default: the bucket owner owns
    /// them, and ACLs are off), `BucketOwnerPreferred` or `ObjectWriter`.
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
    pub(super) lifecycle_rules: Option<BTreeMap<String, LifecycleRule>>,
    /// The CORS rules: cross-origin requests of browser scripts that S3 allows. `null` for none.
    pub(super) cors_rules: Option<Vec<CorsRule>>,
    /// The server access logging; `null` turns it off.
    pub(super) access_logging: Option<ServerAccessLogging>,
    /// The replication of new objects to other buckets; `null` for none.
    pub(super) replication: Option<ReplicationConfiguration>,
    /// Whether S3 sends events of the bucket to EventBridge. Holdfast does not manage notifications to queues, topics
    /// and functions, and leaves them unchanged.
    pub(super) event_bridge_enabled: Option<ServerDefault<bool>>,
    /// Whether Object Lock is enabled, which can protect objects against deletion. It needs versioning, which the
    /// create call then enables.
    #[spec(immutable)]
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

impl Kind for Bucket {
    type Status = BucketStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(63) };
    /// S3 refuses a name that is already in use. In us-east-1 it accepts the name of a bucket that the account itself
    /// owns, and resets the bucket's ACLs:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html#API_CreateBucket_Errors>.
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const STATEFUL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let owned = tagging::known(
            aws,
            scope,
            |service, _| service == "s3",
            |arn, tags| async move {
                let name = arn.rsplit(':').next().unwrap_or_default();
                if scope.is_candidate(name) { observe_bucket(aws, scope, name, tags).await } else { Ok(None) }
            },
        );
        if let Some(found) = owned.await? {
            return Ok(found);
        }
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let pages =
            s3(aws).list_buckets().bucket_region(&scope.region).max_buckets(1000).into_paginator().items().send();
        let listed = all(pages).await?;
        let names = listed.into_iter().filter_map(|bucket| bucket.name);
        let candidates = names.filter(|name| by_fields || scope.is_candidate(name) || scope.ids.contains(name));
        each(candidates, |name| async move {
            let arn = arn(&scope.region, &name);
            let tags = tagging::tags(aws, scope, &arn, || async { tags::read(aws, &name).await.map(Some) }).await?;
            observe_bucket(aws, scope, &name, tags.unwrap_or_default()).await
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Bucket {
            versioning: _,
            encryption: _,
            public_access_block: _,
            object_ownership,
            policy: _,
            distributions: _,
            lifecycle_rules: _,
            cors_rules: _,
            access_logging: _,
            replication: _,
            event_bridge_enabled: _,
            object_lock_enabled,
            empty_on_delete,
        } = &desired.spec;
        let region = aws.region().to_owned();
        // A bucket without a location constraint is created in us-east-1, and AWS refuses that region as a constraint.
        let location = (region != "us-east-1").then(|| sdk::BucketLocationConstraint::from(region.as_str()));
        let tags = tags::with_empty_on_delete(&desired.tags, *empty_on_delete);
        let configuration = sdk::CreateBucketConfiguration::builder()
            .set_location_constraint(location)
            .set_tags(Some(sdk_tags(&tags)?))
            .build();
        let namespace = is_account_regional(&desired.name, &region).then_some(sdk::BucketNamespace::AccountRegional);
        s3(aws)
            .create_bucket()
            .bucket(&desired.name)
            .create_bucket_configuration(configuration)
            .set_bucket_namespace(namespace)
            .set_object_ownership(object_ownership.as_ref().map(|ownership| ownership.as_str().into()))
            .set_object_lock_enabled_for_bucket(object_lock_enabled.as_deref().copied())
            .send()
            .await?;
        let spec = as_created(&region, &desired.spec);
        let status = BucketStatus {
            arn: arn(&region, &desired.name),
            regional_domain_name: domain_name(&region, &desired.name),
        };
        Ok(Live::new(&desired.name, &desired.name, spec, status).tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Bucket {
            versioning,
            encryption,
            public_access_block,
            object_ownership,
            policy,
            distributions,
            lifecycle_rules,
            cors_rules,
            access_logging,
            replication,
            event_bridge_enabled,
            object_lock_enabled: _,
            empty_on_delete,
        } = &desired.spec;
        // A bucket that was created just now has no settings that a call must send back.
        let none = observe::PreservedSettings::default();
        let (name, preserved) = (&live.id, live.raw::<observe::PreservedSettings>().unwrap_or(&none));
        let changed = |field: &str| desired.changed(field);
        // Protective settings come first, and versioning comes before the replication that needs it.
        if let (true, Some(ServerDefault(encryption))) = (changed(Bucket::ENCRYPTION), encryption) {
            write::encryption(aws, name, encryption).await?;
        }
        if let (true, Some(ownership)) = (changed(Bucket::OBJECT_OWNERSHIP), object_ownership) {
            write::ownership(aws, name, ownership).await?;
        }
        if let (true, Some(ServerDefault(block))) = (changed(Bucket::PUBLIC_ACCESS_BLOCK), public_access_block) {
            s3(aws)
                .put_public_access_block()
                .bucket(name)
                .public_access_block_configuration(block.sdk())
                .send()
                .await?;
        }
        if changed(Bucket::POLICY) || changed(Bucket::DISTRIBUTIONS) {
            let policy = access::join(policy.as_ref(), distributions.as_ref(), &live.status.arn);
            write::policy(aws, name, policy.as_ref()).await?;
        }
        if let (true, Some(status)) = (changed(Bucket::VERSIONING), versioning) {
            write::versioning(aws, name, status).await?;
        }
        if changed(Bucket::LIFECYCLE_RULES) {
            write::lifecycle(aws, name, lifecycle_rules.as_ref(), preserved).await?;
        }
        if changed(Bucket::CORS_RULES) {
            write::cors(aws, name, cors_rules.as_deref().unwrap_or_default()).await?;
        }
        if changed(Bucket::ACCESS_LOGGING) {
            write::logging(aws, name, access_logging.as_ref(), preserved).await?;
        }
        if changed(Bucket::REPLICATION) {
            write::replication(aws, name, replication.as_ref()).await?;
        }
        if changed(Bucket::EVENT_BRIDGE_ENABLED) {
            write::event_bridge(aws, name, event_bridge_enabled.as_deref() == Some(&true), preserved).await?;
        }
        if changed(Bucket::EMPTY_ON_DELETE) {
            tags::change(aws, name, &tags::empty_on_delete_changes(*empty_on_delete)).await?;
        }
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        if live.spec.empty_on_delete {
            contents::delete_all(aws, &live.id).await?;
        }
        s3(aws).delete_bucket().bucket(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tags::change(aws, &live.id, tags).await
    }
}

/// Returns the spec of a bucket right after its creation: the fields that the create call accepts, and AWS's defaults
/// for the others (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>).
fn as_created(region: &str, desired: &Bucket) -> Bucket {
    let locked = desired.object_lock_enabled.is_some_and(|on| on.0);
    Bucket {
        versioning: locked.then(|| ServerDefault("Enabled".into())),
        encryption: Some(ServerDefault(BucketEncryption::of_new_bucket(region))),
        public_access_block: Some(ServerDefault(PublicAccessBlock::of_new_bucket())),
        object_ownership: desired
            .object_ownership
            .clone()
            .or_else(|| Some(ServerDefault("BucketOwnerEnforced".into()))),
        event_bridge_enabled: Some(ServerDefault(false)),
        object_lock_enabled: Some(ServerDefault(locked)),
        empty_on_delete: desired.empty_on_delete,
        ..Bucket::default()
    }
}

/// Observes one bucket; none when it does not exist.
async fn observe_bucket(aws: &Aws, scope: &Scope, name: &str, tags: Tags) -> Result<Option<Live<Bucket>>> {
    let arn = arn(&scope.region, name);
    let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
    // A bucket of another owner may have a name that the document needs. Only its existence matters then.
    let observed = match by_fields || scope.ids.contains(name) || scope.is_owned(&tags) {
        true => observe::bucket(aws, scope, &tags, name, &arn).await?,
        false => Some((Bucket::default(), observe::PreservedSettings::default())),
    };
    Ok(observed.map(|(spec, preserved)| {
        let spec = Bucket { empty_on_delete: tags::empty_on_delete(&tags), ..spec };
        let status = BucketStatus { arn, regional_domain_name: domain_name(&scope.region, name) };
        Live::new(name, name, spec, status).tags(tags).keep(preserved)
    }))
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:{}:s3:::{name}", partition(region))
}

fn domain_name(region: &str, name: &str) -> String {
    let suffix = match partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("{name}.s3.{region}.{suffix}")
}

/// True for a name in the account's own namespace: `…-<account>-<region>-an`.
fn is_account_regional(name: &str, region: &str) -> bool {
    let account = name.strip_suffix("-an").and_then(|rest| rest.strip_suffix(region)?.strip_suffix('-'));
    let account = account.and_then(|rest| rest.rsplit_once('-')).map(|(_, account)| account);
    account.is_some_and(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_bucket_is_private_and_encrypted_and_lacks_other_settings() {
        let desired = serde_json::json!({
            "versioning": "Enabled", "encryption": { "sseAlgorithm": "AES256", "blockedEncryptionTypes": ["SSE-C"] },
            "publicAccessBlock": { "blockPublicPolicy": true }, "policy": {}, "emptyOnDelete": true,
        });
        let created = as_created("eu-west-1", &serde_json::from_value(desired).unwrap());
        let json = holdfast_core::value::of(&created).without_nulls().json();
        assert_eq!(
            json,
            serde_json::json!({
                "encryption": {
                    "sseAlgorithm": "AES256", "bucketKeyEnabled": false, "blockedEncryptionTypes": ["SSE-C"],
                },
                "publicAccessBlock": {
                    "blockPublicAcls": true, "ignorePublicAcls": true, "blockPublicPolicy": true,
                    "restrictPublicBuckets": true,
                },
                "objectOwnership": "BucketOwnerEnforced", "eventBridgeEnabled": false, "objectLockEnabled": false,
                "emptyOnDelete": true,
            })
        );
        let locked = Bucket { object_lock_enabled: Some(ServerDefault(true)), ..Bucket::default() };
        assert_eq!(as_created("eu-west-1", &locked).versioning, Some(ServerDefault("Enabled".into())));
    }

    #[test]
    fn names_arns_and_domain_names_follow_the_region() {
        assert!(is_account_regional("shop-dev-assets-123456789012-eu-west-1-an", "eu-west-1"));
        assert!(!is_account_regional("shop-dev-assets-123456789012-eu-west-1-an", "eu-west-2"));
        assert!(!is_account_regional("shop-dev-assets-an", "eu-west-1"));
        assert_eq!(domain_name("eu-west-1", "a"), "a.s3.eu-west-1.amazonaws.com");
        assert_eq!(arn("us-gov-west-1", "a"), "arn:aws-us-gov:s3:::a");
    }
}
