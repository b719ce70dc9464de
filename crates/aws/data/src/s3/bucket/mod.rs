//! Bucket: an S3 bucket and its settings.

mod access;
mod contents;
mod lifecycle;
mod live;
mod replication;
mod settings;
mod spec;
mod tags;
mod wire;

use aws_sdk_s3::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::field_tags::FieldTag;
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Want, Wants, each};
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{AnyOf, AtMostOne, Exceeds, Excludes, Needs, OneOf, Range, Unique, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::types::ServerDefault;
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

use super::{partition, s3, sdk_tags};
use live::PreservedSettings;
use settings::{BucketEncryption, PublicAccessBlock};
pub(crate) use spec::{Bucket, BucketStatus};
use tags::BucketTags;

impl Kind for Bucket {
    type Status = BucketStatus;
    type Owner = BucketTags;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(63) };
    /// S3 refuses a name that is already in use. In us-east-1 it accepts the name of a bucket that the account itself
    /// owns, and resets the bucket's ACLs:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html#API_CreateBucket_Errors>.
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
        demand(Range("transitions.STANDARD_IA.days", Some(30), None)).at("lifecycleRules.*"),
        demand(Range("transitions.ONEZONE_IA.days", Some(30), None)).at("lifecycleRules.*"),
        demand(Range("noncurrentVersionTransitions.STANDARD_IA.noncurrentDays", Some(30), None)).at("lifecycleRules.*"),
        demand(Range("noncurrentVersionTransitions.ONEZONE_IA.noncurrentDays", Some(30), None)).at("lifecycleRules.*"),
        demand(Exceeds("expiration.days", "transitions.STANDARD_IA.days", 1)).at("lifecycleRules.*"),
        demand(Exceeds("expiration.days", "transitions.ONEZONE_IA.days", 1)).at("lifecycleRules.*"),
        demand(Exceeds("expiration.days", "transitions.INTELLIGENT_TIERING.days", 1)).at("lifecycleRules.*"),
        demand(Exceeds("expiration.days", "transitions.GLACIER_IR.days", 1)).at("lifecycleRules.*"),
        demand(Exceeds("expiration.days", "transitions.GLACIER.days", 1)).at("lifecycleRules.*"),
        demand(Exceeds("expiration.days", "transitions.DEEP_ARCHIVE.days", 1)).at("lifecycleRules.*"),
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
        demand(AnyOf(&[
            "expiration",
            "transitions",
            "noncurrentVersionExpiration",
            "noncurrentVersionTransitions",
            "abortIncompleteMultipartUpload",
        ]))
        .at("lifecycleRules.*"),
        demand(Excludes("abortIncompleteMultipartUpload")).when(&[Stated("filter.tags")]).at("lifecycleRules.*"),
        demand(Exceeds("objectSizeLessThan", "objectSizeGreaterThan", 1)).at("lifecycleRules.*.filter"),
        demand(AnyOf(&["days", "date", "expiredObjectDeleteMarker"])).at("lifecycleRules.*.expiration"),
        demand(AtMostOne(&["days", "date", "expiredObjectDeleteMarker"])).at("lifecycleRules.*.expiration"),
        demand(AnyOf(&["days", "date"])).at("lifecycleRules.*.transitions.*"),
        demand(AtMostOne(&["days", "date"])).at("lifecycleRules.*.transitions.*"),
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html
        demand(Excludes("kmsKey")).when(&[Is("sseAlgorithm", &["AES256"])]).at("encryption"),
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
        demand(OneOf("versioning", &["Enabled"])).when(&[Is("objectLockEnabled", &["true"])]),
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html
        demand(OneOf("versioning", &["Enabled"])).when(&[Stated("replication")]),
        demand(Unique("rules", &["priority"])).at("replication"),
        demand(Needs("destination.replicaKmsKey"))
            .when(&[Is("sseKmsEncryptedObjects", &["Enabled"])])
            .at("replication.rules.*"),
        demand(OneOf("destination.metrics", &["Enabled"]))
            .when(&[Is("destination.replicationTime", &["Enabled"])])
            .at("replication.rules.*"),
        demand(ValidPolicy("policy", PolicyType::Resource)),
    ];
    const STATEFUL: bool = true;
    /// The document may no longer contain the bucket when it is deleted.
    const FIELD_TAGS: &'static [FieldTag] = &[FieldTag::with_key(Bucket::EMPTY_ON_DELETE, "holdfast:empty-on-delete")];

    fn check(name: &str, spec: &Value) -> Vec<ValidationError> {
        let rules = spec.get(Bucket::LIFECYCLE_RULES.name()).and_then(Value::map);
        let unknown = rules.into_iter().flatten().flat_map(|(id, rule)| lifecycle::unknown_classes(id, rule));
        let unknown = unknown.map(|message| (Bucket::LIFECYCLE_RULES.name(), message));
        let invalid = (!is_bucket_name(name)).then(|| {
            let rule = "a bucket name has 3 to 63 lower case letters, digits, hyphens and single dots, and begins and \
                        ends with a letter or digit";
            ("name", format!("{rule}; `{name}` does not"))
        });
        unknown.chain(invalid).collect()
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let owned = tagging::known(
            aws,
            scope,
            |service, _| service == "s3",
            |arn, tags| async move {
                let name = arn.rsplit(':').next().unwrap_or_default();
                if !scope.wants(&Listed::name(name)).any() {
                    return Ok(None);
                }
                observe_bucket(aws, scope, name, tags).await
            },
        );
        if let Some(found) = owned.await? {
            return Ok(found);
        }
        let pages =
            s3(aws).list_buckets().bucket_region(&scope.region).max_buckets(1000).into_paginator().items().send();
        let listed = all(pages).await?;
        let names = listed.into_iter().filter_map(|bucket| bucket.name);
        each(names.filter(|name| scope.wants(&Listed::name(name)).any()), |name| async move {
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
            empty_on_delete: _,
        } = &desired.spec;
        let region = aws.region().to_owned();
        // A bucket without a location constraint is created in us-east-1, and AWS refuses that region as a constraint.
        let location = (region != "us-east-1").then(|| sdk::BucketLocationConstraint::from(region.as_str()));
        let configuration = sdk::CreateBucketConfiguration::builder()
            .set_location_constraint(location)
            .set_tags(Some(sdk_tags(&desired.tags)?))
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
        Ok(Live::new(&desired.name, &desired.name, spec, status).tags(desired.tags.clone()).into())
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
            object_lock_enabled,
            empty_on_delete: _,
        } = &desired.spec;
        // A bucket that was created just now has no settings that a call must send back.
        let none = PreservedSettings::default();
        let (name, preserved) = (&live.id, live.raw::<PreservedSettings>().unwrap_or(&none));
        let changed = |field| desired.changed(field);
        // Protective settings come first. Versioning comes before Object Lock and the replication, which need it.
        if let (true, Some(ServerDefault(encryption))) = (changed(Bucket::ENCRYPTION), encryption) {
            wire::encryption(aws, name, encryption).await?;
        }
        if let (true, Some(ownership)) = (changed(Bucket::OBJECT_OWNERSHIP), object_ownership) {
            wire::ownership(aws, name, ownership).await?;
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
            wire::policy(aws, name, policy.as_ref()).await?;
        }
        if let (true, Some(status)) = (changed(Bucket::VERSIONING), versioning) {
            wire::versioning(aws, name, status).await?;
        }
        if let (true, Some(ServerDefault(true))) = (changed(Bucket::OBJECT_LOCK_ENABLED), object_lock_enabled) {
            wire::object_lock(aws, name).await?;
        }
        if changed(Bucket::LIFECYCLE_RULES) {
            wire::lifecycle(aws, name, lifecycle_rules.as_ref(), preserved).await?;
        }
        if changed(Bucket::CORS_RULES) {
            wire::cors(aws, name, cors_rules.as_deref().unwrap_or_default()).await?;
        }
        if changed(Bucket::ACCESS_LOGGING) {
            wire::logging(aws, name, access_logging.as_ref(), preserved).await?;
        }
        if changed(Bucket::REPLICATION) {
            wire::replication(aws, name, replication.as_ref()).await?;
        }
        if changed(Bucket::EVENT_BRIDGE_ENABLED) {
            wire::event_bridge(aws, name, event_bridge_enabled.as_deref() == Some(&true), preserved).await?;
        }
        // The settings that calls sent back are out of date now.
        Ok(if live.raw.is_none() { Updated::Known } else { Updated::ObserveAgain })
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        if live.spec.empty_on_delete {
            contents::delete_all(aws, &live.id).await?;
        }
        s3(aws).delete_bucket().bucket(&live.id).send().await?;
        Ok(())
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
        ..Bucket::default()
    }
}

/// Observes one bucket; none when the scope does not want it or it does not exist.
async fn observe_bucket(aws: &Aws, scope: &Scope, name: &str, tags: Tags) -> Result<Option<Live<Bucket>>> {
    let arn = arn(&scope.region, name);
    let observed = match scope.wants(&Listed::name(name).tags(&tags)) {
        Want::Nothing => None,
        Want::Identity => Some((Bucket::default(), PreservedSettings::default())),
        Want::Fields => live::settings(aws, scope, &tags, name, &arn).await?,
    };
    Ok(observed.map(|(spec, preserved)| {
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

/// True for a name that S3 accepts (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
fn is_bucket_name(name: &str) -> bool {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| is_alphanumeric(c) || c == '-' || c == '.')
        && name.starts_with(is_alphanumeric)
        && name.ends_with(is_alphanumeric)
        && !name.contains("..")
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
                "emptyOnDelete": false,
            })
        );
        let locked = Bucket { object_lock_enabled: Some(ServerDefault(true)), ..Bucket::default() };
        assert_eq!(as_created("eu-west-1", &locked).versioning, Some(ServerDefault("Enabled".into())));
    }

    #[test]
    fn a_bucket_name_follows_the_naming_rules() {
        assert!(["shop-dev-assets", "a.b-3", "abc"].into_iter().all(is_bucket_name));
        assert!(!["ab", "My_Bucket", "-abc", "abc.", "a..b"].into_iter().any(is_bucket_name));
        let rules = serde_json::json!({ "lifecycleRules": { "old": { "transitions": { "COLD": {} } } } });
        let errors: Vec<_> = Bucket::check("ab", &rules.into()).into_iter().map(|(path, _)| path).collect();
        assert_eq!(errors, ["lifecycleRules", "name"]);
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
