//! Bucket: objects, and what becomes of them.

use std::collections::BTreeMap;

use aws_sdk_s3::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Policy};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::access::{self, Readers};
use super::lifecycle::LifecycleRule;
use super::replication::Replication;
use super::settings::{AccessLogging, BucketEncryption, CorsRule, PublicAccessBlock};
use super::{contents, look, partition, s3, sdk_tags, tags, write};

/// A bucket. Its name is the only one in all accounts of the world, and its default name (`<stack>-<env>-<name>`) may
/// be somebody else's: `name: ${env.stack}-${env.name}-assets-${env.account}` hardly is. It has 3 to 63 small letters,
/// digits, hyphens and dots (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>). One that
/// ends in `-<account>-<region>-an` is made in the account's own namespace, where nobody else can take it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html>). A new bucket is private, and
/// encrypted with keys of S3.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bucket {
    /// `Enabled`, or `Suspended` to keep the versions that there are and make no more. Unset in a new bucket; there is no
    /// way back to that.
    pub(super) versioning: Option<Always<String>>,
    /// How new objects are encrypted: with keys of S3, unless said otherwise.
    pub(super) encryption: Option<Always<BucketEncryption>>,
    /// What is refused although an ACL or a policy allows it: all of it, in a new bucket.
    pub(super) public_access_block: Option<Always<PublicAccessBlock>>,
    /// Who owns objects that other accounts upload: `BucketOwnerEnforced` (AWS's default: the bucket's owner, and no
    /// ACLs), `BucketOwnerPreferred` or `ObjectWriter`.
    pub(super) object_ownership: Option<Always<String>>,
    /// Who may use it, beyond the account itself. It can read the bucket: `"${Bucket.assets.arn}/*"`. It cannot read a
    /// Distribution that has the bucket as its origin, which would wait for the bucket while the bucket waits for it:
    /// that is what `distributions` is for. `null` for none. Load balancers need
    /// `{ Principal: { Service: logdelivery.elasticloadbalancing.amazonaws.com }, Action: s3:PutObject }` to log
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>).
    pub(super) policy: Option<Policy>,
    /// The distributions that may read its objects through an origin access control. Holdfast adds the statement
    /// `HoldfastDistributions` to the policy for them, once they are there
    /// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html>).
    pub(super) distributions: Option<Readers>,
    /// What becomes of objects as they grow old, by the rule's id. Exactly these; `null` for none.
    pub(super) lifecycle_rules: Option<BTreeMap<String, LifecycleRule>>,
    /// Which scripts of other sites may use it from a browser. `null` for none.
    pub(super) cors_rules: Option<Vec<CorsRule>>,
    /// Where records of requests go. `null` for nowhere.
    pub(super) access_logging: Option<AccessLogging>,
    /// Where new objects are copied to. `null` for nowhere.
    pub(super) replication: Option<Replication>,
    /// Whether EventBridge is told what happens to its objects. Notifications to queues, topics and functions, which
    /// Holdfast does not know, stay as they are.
    pub(super) event_bridge_enabled: Option<Always<bool>>,
    /// Whether objects can be held against deletion. It needs versioning, which the create then enables.
    #[spec(immutable)]
    pub(super) object_lock_enabled: Option<Always<bool>>,
    /// Whether its deletion deletes all that is in it, every version of it. AWS deletes no bucket that has something in
    /// it. Remembered in the tag `holdfast:empty-on-delete`, for when the bucket has left the document.
    #[serde(default)]
    pub(super) empty_on_delete: bool,
}

/// What only AWS knows of a Bucket.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BucketStatus {
    /// Its ARN.
    pub(super) arn: String,
    /// The host name for a distribution's origin: `<name>.s3.<region>.amazonaws.com`.
    pub(super) regional_domain_name: String,
}

impl Kind for Bucket {
    type Status = BucketStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(63) };
    /// S3 refuses a name that exists. In us-east-1 it answers the account's own bucket once more instead, with its ACLs
    /// reset: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html#API_CreateBucket_Errors>.
    const CLASS: CreateClass = CreateClass::Name;
    const DATA: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let known = tagging::known(
            aws,
            scope,
            |service, _| service == "s3",
            |arn, tags| async move {
                let name = arn.rsplit(':').next().unwrap_or_default();
                if scope.is_candidate(name) { one(aws, scope, name, tags).await } else { Ok(None) }
            },
        );
        if let Some(found) = known.await? {
            return Ok(found);
        }
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let pages =
            s3(aws).list_buckets().bucket_region(&scope.region).max_buckets(1000).into_paginator().items().send();
        let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        let names = listed.into_iter().filter_map(|bucket| bucket.name);
        let wanted = names.filter(|name| by_fields || scope.is_candidate(name) || scope.ids.contains(name));
        each(wanted, |name| async move {
            let arn = arn(&scope.region, &name);
            let tags = tagging::tags(aws, scope, &arn, || async { tags::read(aws, &name).await.map(Some) }).await?;
            one(aws, scope, &name, tags.unwrap_or_default()).await
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
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
        // us-east-1 is where a bucket without a place is made, and no place that AWS takes.
        let place = (region != "us-east-1").then(|| sdk::BucketLocationConstraint::from(region.as_str()));
        let tags = tags::remembering(&desired.tags, *empty_on_delete);
        let configuration = sdk::CreateBucketConfiguration::builder()
            .set_location_constraint(place)
            .set_tags(Some(sdk_tags(&tags)?))
            .build();
        let own = is_of_account(&desired.name, &region).then_some(sdk::BucketNamespace::AccountRegional);
        s3(aws)
            .create_bucket()
            .bucket(&desired.name)
            .create_bucket_configuration(configuration)
            .set_bucket_namespace(own)
            .set_object_ownership(object_ownership.as_ref().map(|ownership| ownership.as_str().into()))
            .set_object_lock_enabled_for_bucket(object_lock_enabled.as_deref().copied())
            .send()
            .await?;
        let spec = fresh(&region, &desired.spec);
        let status = BucketStatus {
            arn: arn(&region, &desired.name),
            regional_domain_name: domain_name(&region, &desired.name),
        };
        Ok(Live::new(&desired.name, &desired.name, spec, status).tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
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
        // One that was made just now has nothing that would have to be sent again.
        let none = look::Raw::default();
        let (name, raw) = (&live.id, live.raw::<look::Raw>().unwrap_or(&none));
        let changed = |field: &str| desired.changed(field);
        // What protects goes first, and versioning before the replication that needs it.
        if let (true, Some(Always(encryption))) = (changed("encryption"), encryption) {
            write::encryption(aws, name, encryption).await?;
        }
        if let (true, Some(ownership)) = (changed("objectOwnership"), object_ownership) {
            write::ownership(aws, name, ownership).await?;
        }
        if let (true, Some(Always(block))) = (changed("publicAccessBlock"), public_access_block) {
            s3(aws)
                .put_public_access_block()
                .bucket(name)
                .public_access_block_configuration(block.sdk())
                .send()
                .await?;
        }
        if changed("policy") || changed("distributions") {
            let policy = access::join(policy.as_ref(), distributions.as_ref(), &live.status.arn);
            write::policy(aws, name, policy.as_ref()).await?;
        }
        if let (true, Some(status)) = (changed("versioning"), versioning) {
            write::versioning(aws, name, status).await?;
        }
        if changed("lifecycleRules") {
            write::lifecycle(aws, name, lifecycle_rules.as_ref(), raw).await?;
        }
        if changed("corsRules") {
            write::cors(aws, name, cors_rules.as_deref().unwrap_or_default()).await?;
        }
        if changed("accessLogging") {
            write::logging(aws, name, access_logging.as_ref(), raw).await?;
        }
        if changed("replication") {
            write::replication(aws, name, replication.as_ref()).await?;
        }
        if changed("eventBridgeEnabled") {
            write::event_bridge(aws, name, event_bridge_enabled.as_deref() == Some(&true), raw).await?;
        }
        if changed("emptyOnDelete") {
            tags::change(aws, name, &tags::remember(*empty_on_delete)).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        if live.spec.empty_on_delete {
            contents::delete_all(aws, &live.id).await?;
        }
        s3(aws).delete_bucket().bucket(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tags::change(aws, &live.id, tags).await
    }
}

/// What a create makes of this spec: what the call takes, and else what every new bucket has
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>).
fn fresh(region: &str, wanted: &Bucket) -> Bucket {
    let locked = wanted.object_lock_enabled.is_some_and(|on| on.0);
    Bucket {
        versioning: locked.then(|| Always("Enabled".into())),
        encryption: Some(Always(BucketEncryption::fresh(region))),
        public_access_block: Some(Always(PublicAccessBlock::fresh())),
        object_ownership: wanted.object_ownership.clone().or_else(|| Some(Always("BucketOwnerEnforced".into()))),
        event_bridge_enabled: Some(Always(false)),
        object_lock_enabled: Some(Always(locked)),
        empty_on_delete: wanted.empty_on_delete,
        ..Bucket::default()
    }
}

/// A bucket as it is; none when it is gone.
async fn one(aws: &Aws, scope: &Scope, name: &str, tags: Tags) -> Result<Option<Live<Bucket>>> {
    let arn = arn(&scope.region, name);
    let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
    // Of somebody else's, with a name of ours, only that it is there matters.
    let told = match by_fields || scope.ids.contains(name) || scope.is_owned(&tags) {
        true => look::bucket(aws, scope, &tags, name, &arn).await?,
        false => Some((Bucket::default(), look::Raw::default())),
    };
    Ok(told.map(|(spec, raw)| {
        let spec = Bucket { empty_on_delete: tags::empty_on_delete(&tags), ..spec };
        let status = BucketStatus { arn, regional_domain_name: domain_name(&scope.region, name) };
        Live::new(name, name, spec, status).tags(tags).keep(raw)
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

/// True for a name of the account's own namespace: `…-<account>-<region>-an`.
fn is_of_account(name: &str, region: &str) -> bool {
    let account = name.strip_suffix("-an").and_then(|rest| rest.strip_suffix(region)?.strip_suffix('-'));
    let account = account.and_then(|rest| rest.rsplit_once('-')).map(|(_, account)| account);
    account.is_some_and(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_bucket_is_private_encrypted_and_lacks_the_rest() {
        let wanted = serde_json::json!({
            "versioning": "Enabled", "encryption": { "sseAlgorithm": "AES256", "blockedEncryptionTypes": ["SSE-C"] },
            "publicAccessBlock": { "blockPublicPolicy": true }, "policy": {}, "emptyOnDelete": true,
        });
        let made = fresh("eu-west-1", &serde_json::from_value(wanted).unwrap());
        let told = holdfast_core::value::of(&made).without_nulls().json();
        assert_eq!(
            told,
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
        let locked = Bucket { object_lock_enabled: Some(Always(true)), ..Bucket::default() };
        assert_eq!(fresh("eu-west-1", &locked).versioning, Some(Always("Enabled".into())));
    }

    #[test]
    fn names_say_where_they_belong() {
        assert!(is_of_account("shop-dev-assets-123456789012-eu-west-1-an", "eu-west-1"));
        assert!(!is_of_account("shop-dev-assets-123456789012-eu-west-1-an", "eu-west-2"));
        assert!(!is_of_account("shop-dev-assets-an", "eu-west-1"));
        assert_eq!(domain_name("eu-west-1", "a"), "a.s3.eu-west-1.amazonaws.com");
        assert_eq!(arn("us-gov-west-1", "a"), "arn:aws-us-gov:s3:::a");
    }
}
