//! Key: a customer managed KMS key.

use aws_sdk_kms::operation::get_key_rotation_status::GetKeyRotationStatusOutput as RotationStatus;
use aws_sdk_kms::types::{self as sdk, KeyManagerType, KeySpec, KeyState, OriginType};
use futures::TryFutureExt;
use futures::future::try_join_all;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::field_tags::FieldTag;
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants, each, is_requested_field};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::{Absent, Is, IsNot, Stated},
    Demand::{Needs, OneOf, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{AfterCreate, PolicyDocument, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{KmsTags, kms, sdk_tags, tags_of};

/// A customer managed KMS key.
///
/// A key has no name except its `Name` tag; an `Alias` gives it a name that API calls accept. Data that is encrypted
/// under a deleted key is lost. A key that leaves the document is therefore retained unless `onDelete: delete` is set,
/// and AWS deletes a key only after a waiting period in which the deletion can be cancelled.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    /// The description.
    #[spec(length = ..=8192)]
    description: Option<String>,
    /// The key policy: which principals may use and manage the key. `null` for AWS's default key policy, which gives
    /// the account access so that its IAM policies decide. The policy may name roles whose own policies name the key:
    /// Holdfast creates the key under the default policy, and puts this policy once the roles exist. AWS refuses a
    /// policy that would lock out the principal that puts it
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>).
    policy: Option<AfterCreate<PolicyDocument>>,
    /// The key spec: the type of the key material
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>).
    #[spec(immutable, one_of = sdk::KeySpec, default = "SYMMETRIC_DEFAULT")]
    key_spec: Option<ServerDefault<String>>,
    /// The key usage: the operations for which the key can be used.
    #[spec(immutable, one_of = sdk::KeyUsageType, default = "ENCRYPT_DECRYPT")]
    key_usage: Option<ServerDefault<String>>,
    /// The source of the key material.
    #[spec(immutable, one_of = sdk::OriginType, default = "AWS_KMS")]
    origin: Option<ServerDefault<String>>,
    /// Whether the key is a multi-Region key, which can be replicated into other regions.
    #[spec(immutable, default = false)]
    multi_region: Option<ServerDefault<bool>>,
    /// Whether the key is enabled. Data under a disabled key cannot be decrypted.
    #[spec(default = true)]
    enabled: Option<ServerDefault<bool>>,
    /// Whether AWS rotates the key material automatically; data that is encrypted under earlier material remains
    /// readable. Only for symmetric keys with key material from KMS
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>).
    #[spec(default = false)]
    enable_key_rotation: Option<ServerDefault<bool>>,
    /// The days between two rotations. Only with `enableKeyRotation`.
    #[spec(range = 90..=2560, default = 365)]
    rotation_period_in_days: Option<ServerDefault<i32>>,
    /// The waiting period of a deletion in days: how long a deleted key is pending deletion, and its deletion can be
    /// cancelled. Recorded in the tag `holdfast:pending-window`
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>).
    #[spec(range = 7..=30, default = 30)]
    pending_window_in_days: Option<i32>,
}

/// The read-only attributes of a Key.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyStatus {
    /// The ARN of the key.
    arn: String,
    /// The key id, which is also the resource's `id`.
    key_id: String,
}

impl Kind for Key {
    type Status = KeyStatus;
    type Owner = TagOnCreate<KmsTags>;
    const TIER: Tier = Tier::Data;
    /// A new key encrypts at once. The update after the create configures its rotation.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::FindByTags;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
        demand(Needs("keyUsage")).when(&[IsNot("keySpec", &["SYMMETRIC_DEFAULT"])]),
        demand(OneOf("keyUsage", &["ENCRYPT_DECRYPT"])).when(&[Is("keySpec", &["SYMMETRIC_DEFAULT"])]),
        demand(OneOf("keyUsage", &["ENCRYPT_DECRYPT"])).when(&[Absent("keySpec")]),
        demand(OneOf("keyUsage", &["GENERATE_VERIFY_MAC"]))
            .when(&[Is("keySpec", &["HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"])]),
        demand(OneOf("keyUsage", &["ENCRYPT_DECRYPT", "SIGN_VERIFY"]))
            .when(&[Is("keySpec", &["RSA_2048", "RSA_3072", "RSA_4096"])]),
        demand(OneOf("keyUsage", &["SIGN_VERIFY", "KEY_AGREEMENT"]))
            .when(&[Is("keySpec", &["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])]),
        demand(OneOf("keyUsage", &["SIGN_VERIFY"])).when(&[Is(
            "keySpec",
            &["ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87"],
        )]),
        // https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html
        demand(OneOf("keySpec", &["SYMMETRIC_DEFAULT"])).when(&[Is("enableKeyRotation", &["true"])]),
        demand(OneOf("origin", &["AWS_KMS"])).when(&[Is("enableKeyRotation", &["true"])]),
        demand(OneOf("enableKeyRotation", &["true"])).when(&[Stated("rotationPeriodInDays")]),
        demand(ValidPolicy("policy", PolicyType::Resource)),
    ];
    const STATEFUL: bool = true;
    /// When the key is deleted, the document no longer states the field.
    const FIELD_TAGS: &'static [FieldTag] =
        &[FieldTag::with_key(Self::PENDING_WINDOW_IN_DAYS, "holdfast:pending-window")];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "kms" && resource.starts_with("key/");
        if let Some(found) = tagging::known(aws, scope, is, |arn, tags| observe_key(aws, scope, arn, tags)).await? {
            return Ok(found);
        }
        let pages = kms(aws).list_keys().limit(1000).into_paginator().items().send();
        let keys = all(pages).await?;
        let arns: Vec<String> = keys.into_iter().filter_map(|key| key.key_arn).collect();
        // ListKeys returns only ids and ARNs. Tags that the tag index does not have are read key by key.
        let (mut tagged, unknown) = tagging::split(aws, scope, &arns).await?;
        let read = try_join_all(unknown.iter().map(|arn| tags_of(aws, arn))).await?;
        tagged.extend(unknown.into_iter().zip(read).filter_map(|(arn, tags)| Some((arn, tags?))));
        tagged.retain(|arn, tags| {
            let id = arn.rsplit(":key/").next().unwrap_or_default();
            scope.wants(&Listed::id(id).or_id(arn).tags(tags)).any()
        });
        each(tagged, |(arn, tags)| observe_key(aws, scope, arn, tags)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Key {
            description,
            policy,
            key_spec,
            key_usage,
            origin,
            multi_region,
            enabled: _,
            enable_key_rotation: _,
            rotation_period_in_days: _,
            pending_window_in_days: _,
        } = &desired.spec;
        let tags = desired.all_tags();
        let created = kms(aws)
            .create_key()
            .set_description(description.clone())
            .set_policy(policy.as_ref().map(|policy| policy.0.json()))
            .set_key_spec(key_spec.as_ref().map(|spec| spec.0.as_str().into()))
            .set_key_usage(key_usage.as_ref().map(|usage| usage.0.as_str().into()))
            .set_origin(origin.as_ref().map(|origin| origin.0.as_str().into()))
            .set_multi_region(multi_region.map(|multi| multi.0))
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let key = created.key_metadata.ok_or_else(|| Error::incomplete("kms.CreateKey", "keyMetadata"))?;
        let Some(arn) = key.arn.clone() else { return Ok(Created::unobserved(key.key_id)) };
        // A new key does not rotate before rotation is enabled
        // (https://docs.aws.amazon.com/kms/latest/developerguide/rotating-keys-enable.html).
        let rotation = can_rotate(&key).then(|| RotationStatus::builder().key_rotation_enabled(false).build());
        let policy = policy.clone().map(|policy| policy.0);
        Ok(live(&key, arn, policy, rotation.as_ref(), tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Key {
            description,
            policy,
            key_spec: _,
            key_usage: _,
            origin: _,
            multi_region: _,
            enabled,
            enable_key_rotation,
            rotation_period_in_days,
            pending_window_in_days: _,
        } = &desired.spec;
        let (kms, id) = (kms(aws), &live.id);
        let enabled = enabled.is_none_or(|enabled| enabled.0);
        if desired.changed(Self::POLICY) {
            let policy = policy.as_ref().map_or_else(|| default_policy(&live.status.arn), |policy| policy.0.clone());
            kms.put_key_policy().key_id(id).policy_name("default").policy(policy.json()).send().await?;
        }
        // AWS refuses rotation changes of a disabled key: enable the key before, and disable it after, all other calls.
        if desired.changed(Self::ENABLED) && enabled {
            kms.enable_key().key_id(id).send().await?;
        }
        if desired.changed(Self::DESCRIPTION) {
            let text = description.as_deref().unwrap_or_default();
            kms.update_key_description().key_id(id).description(text).send().await?;
        }
        if desired.changed_any(&[Self::ENABLE_KEY_ROTATION, Self::ROTATION_PERIOD_IN_DAYS]) {
            if enable_key_rotation.is_some_and(|enable| enable.0) {
                let days = rotation_period_in_days.map(|days| days.0);
                kms.enable_key_rotation().key_id(id).set_rotation_period_in_days(days).send().await?;
            } else {
                kms.disable_key_rotation().key_id(id).send().await?;
            }
        }
        if desired.changed(Self::ENABLED) && !enabled {
            kms.disable_key().key_id(id).send().await?;
        }
        Ok(Updated::Known)
    }

    /// Schedules the deletion. The key counts as absent from now on, although AWS deletes it after the waiting period.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let days = live.spec.pending_window_in_days;
        kms(aws).schedule_key_deletion().key_id(&live.id).set_pending_window_in_days(days).send().await?;
        Ok(())
    }
}

/// Observes one key; `None` if the key is AWS managed, pending deletion or deleted.
async fn observe_key(aws: &Aws, scope: &Scope, arn: String, tags: Tags) -> Result<Option<Live<Key>>> {
    let detail = describe(aws, scope, &arn, &tags).await.or_absent()?.flatten();
    Ok(detail.map(|(key, policy, rotation)| live(&key, arn, policy, rotation.as_ref(), tags)))
}

/// A key with its key policy and its rotation status, as far as the scope requests them.
type KeyDetail = (sdk::KeyMetadata, Option<PolicyDocument>, Option<RotationStatus>);

async fn describe(aws: &Aws, scope: &Scope, arn: &str, tags: &Tags) -> Result<Option<KeyDetail>> {
    let key = kms(aws).describe_key().key_id(arn).send().map_err(Error::from);
    let policy = async {
        match is_requested_field(scope, tags, Key::POLICY) {
            true => Ok(kms(aws).get_key_policy().key_id(arn).send().await?.policy),
            false => Ok(None),
        }
    };
    let (key, policy) = futures::try_join!(key, policy)?;
    let key = key.key_metadata.ok_or_else(|| Error::incomplete("kms.DescribeKey", "keyMetadata"))?;
    let is_deleting = matches!(key.key_state, Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion));
    if is_deleting || key.key_manager == Some(KeyManagerType::Aws) {
        return Ok(None);
    }
    let fields = [Key::ENABLE_KEY_ROTATION, Key::ROTATION_PERIOD_IN_DAYS];
    let is_requested = fields.into_iter().any(|field| is_requested_field(scope, tags, field));
    let rotation = match is_requested && can_rotate(&key) {
        true => Some(kms(aws).get_key_rotation_status().key_id(arn).send().await?),
        false => None,
    };
    Ok(Some((key, policy.map(|text| PolicyDocument::parse(&text)), rotation)))
}

/// True when the key supports automatic rotation. GetKeyRotationStatus refuses other keys.
fn can_rotate(key: &sdk::KeyMetadata) -> bool {
    key.key_spec == Some(KeySpec::SymmetricDefault) && key.origin == Some(OriginType::AwsKms)
}

/// Returns the default key policy, which AWS gives to a key that is created without one
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>).
fn default_policy(arn: &str) -> PolicyDocument {
    let mut parts = arn.split(':');
    let (partition, account) = (parts.nth(1).unwrap_or_default(), parts.nth(2).unwrap_or_default());
    PolicyDocument(json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:{partition}:iam::{account}:root") },
            "Action": "kms:*",
            "Resource": "*",
        }],
    }))
}

fn is_default(policy: &PolicyDocument, arn: &str) -> bool {
    let statement = |policy: &PolicyDocument| {
        let mut statement = policy.0["Statement"][0].clone();
        // The `Sid` of a key created through the API differs from that of a key created in the console.
        statement.as_object_mut().map(|statement| statement.remove("Sid"));
        (policy.0["Statement"].as_array().map(Vec::len), statement)
    };
    statement(policy) == statement(&default_policy(arn))
}

fn live(
    key: &sdk::KeyMetadata,
    arn: String,
    policy: Option<PolicyDocument>,
    rotation: Option<&RotationStatus>,
    tags: Tags,
) -> Live<Key> {
    let spec = Key {
        description: key.description.clone().filter(|text| !text.is_empty()),
        policy: policy.filter(|policy| !is_default(policy, &arn)).map(AfterCreate),
        key_spec: key.key_spec.as_ref().map(|spec| ServerDefault(spec.as_str().to_owned())),
        key_usage: key.key_usage.as_ref().map(|usage| ServerDefault(usage.as_str().to_owned())),
        origin: key.origin.as_ref().map(|origin| ServerDefault(origin.as_str().to_owned())),
        multi_region: Some(ServerDefault(key.multi_region.unwrap_or_default())),
        enabled: Some(ServerDefault(key.enabled)),
        enable_key_rotation: rotation.map(|rotation| ServerDefault(rotation.key_rotation_enabled)),
        rotation_period_in_days: rotation.and_then(|rotation| rotation.rotation_period_in_days).map(ServerDefault),
        pending_window_in_days: None,
    };
    let phase = match key.key_state {
        Some(KeyState::Creating) => Phase::Pending,
        Some(KeyState::Updating) => Phase::Updating,
        _ => Phase::Ready,
    };
    let name = tags.get("Name").cloned().unwrap_or_default();
    let status = KeyStatus { arn, key_id: key.key_id.clone() };
    let live = Live::new(&key.key_id, name, spec, status).tags(tags).phase(phase);
    match key.key_state {
        Some(KeyState::PendingImport) => {
            live.action_required("PendingImport", "the key has no key material yet; import it")
        }
        Some(KeyState::Unavailable) => {
            live.degraded("Unavailable", "the custom key store of the key cannot be reached; reconnect the key store")
        }
        _ => live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_and_an_empty_description_are_null() -> Result<()> {
        let arn = "arn:aws:kms:us-east-1:123456789012:key/1";
        let key = sdk::KeyMetadata::builder().key_id("1").description("").build()?;
        let spec = live(&key, arn.into(), Some(default_policy(arn)), None, Tags::new()).spec;
        assert!(spec.policy.is_none() && spec.description.is_none());
        let other = PolicyDocument(json!({ "Statement": [] }));
        assert!(live(&key, arn.into(), Some(other), None, Tags::new()).spec.policy.is_some());
        Ok(())
    }
}
